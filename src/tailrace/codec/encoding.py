"""Values to canonical Avro bytes: shortest varints, one positive block per array and map.

The cold half of the codec: it encodes what is known before any event comes (constants, defaults) and what a record adds
to an event (positions). What an event itself holds is copied, not encoded.
"""

import struct
from collections.abc import Mapping, Sequence

from tailrace.codec.schema_tree import Array, Enum, Fixed, Map, Primitive, Record, Recursion, SchemaTree, Union
from tailrace.domain.errors import InvalidField

INT_MIN, INT_MAX = -(1 << 31), (1 << 31) - 1
LONG_MIN, LONG_MAX = -(1 << 63), (1 << 63) - 1


def encode_long(value: int) -> bytes:
    """`value` as the shortest zig-zag varint (Avro specification, Primitive Types). Expects a 64-bit value."""
    zigzag = (value << 1) ^ (value >> 63)
    if zigzag < 0x80:
        return _ONE_BYTE[zigzag]
    out = bytearray()
    while zigzag >= 0x80:
        out.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    out.append(zigzag)
    return bytes(out)


_ONE_BYTE = tuple(bytes((value,)) for value in range(0x80))


def encode_bytes(value: bytes) -> bytes:
    """Length and bytes."""
    return encode_long(len(value)) + value


def encode_string(value: str, path: str = "") -> bytes:
    """Length and UTF-8. Raises InvalidField for lone surrogates, which no UTF-8 text can hold."""
    try:
        return encode_bytes(value.encode())
    except UnicodeEncodeError:
        raise InvalidField(path, "holds a lone surrogate") from None


def encode_value(tree: SchemaTree, value: object, path: str = "") -> bytes:
    """`value` under the schema `tree`; also takes a schema's JSON defaults. Pure; any thread.

    `None` takes a union's null branch, anything else its first other branch: enough for the optional fields and the
    defaults of tailrace's schemas. Bytes may be given as text of code points 0-255, as JSON defaults are. A record's
    missing fields take their defaults; unknown keys are refused, so nothing is dropped in silence.

    Raises InvalidField, with the path, for a value that does not fit.
    """
    match tree, value:
        case Primitive(), _:
            return _encode_primitive(tree, value, path)
        case Enum(_, _, symbols), str() if value in symbols:
            return encode_long(symbols.index(value))
        case Fixed(_, _, size_bytes), bytes() | str() if len(value) == size_bytes:
            return _as_bytes(value, path)
        case Union(branches), _:
            return _encode_branch(branches, value, path)
        case Array() | Map(), list() | tuple() | Mapping():
            return _encode_blocks(tree, value, path)
        case Record(), Mapping():
            return _encode_record(tree, value, path)
        case (Recursion(), _) | _:
            raise InvalidField(path, f"is no {type(tree).__name__.lower()}")


def _encode_primitive(tree: Primitive, value: object, path: str) -> bytes:
    match tree.name, value:
        case "null", None:
            return b""
        case "boolean", bool():
            return b"\x01" if value else b"\x00"
        case "int" | "long", int() if not isinstance(value, bool):
            lowest, highest = (INT_MIN, INT_MAX) if tree.name == "int" else (LONG_MIN, LONG_MAX)
            if lowest <= value <= highest:
                return encode_long(value)
        case "float" | "double", int() | float() if not isinstance(value, bool):
            return struct.pack("<f" if tree.name == "float" else "<d", value)
        case "string", str():
            return encode_string(value, path)
        case "bytes", bytes() | str():
            return encode_bytes(_as_bytes(value, path))
    raise InvalidField(path, f"is no {tree.name}")


def _as_bytes(value: bytes | str, path: str) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        raise InvalidField(path, "has code points over 255") from None


def _encode_branch(branches: tuple[SchemaTree, ...], value: object, path: str) -> bytes:
    for index, branch in enumerate(branches):
        if (value is None) == (isinstance(branch, Primitive) and branch.name == "null"):
            return encode_long(index) + encode_value(branch, value, path)
    raise InvalidField(path, "fits no branch of the union")


def _encode_record(tree: Record, value: Mapping[str, object], path: str) -> bytes:
    unknown = value.keys() - {field.name for field in tree.fields}
    if unknown:
        raise InvalidField(f"{path}.{min(unknown)}" if path else min(unknown), "is no field of the schema")
    pieces = []
    for field in tree.fields:
        inside = f"{path}.{field.name}" if path else field.name
        if field.name not in value and not field.has_default:
            raise InvalidField(inside, "has no value and no default")
        pieces.append(encode_value(field.type, value.get(field.name, field.default), inside))
    return b"".join(pieces)


def _encode_blocks(tree: Array | Map, value: Sequence[object] | Mapping[str, object], path: str) -> bytes:
    """One block and the end mark, or the end mark alone when there is nothing in it."""
    match tree, value:
        case Array(items), list() | tuple():
            encoded = [encode_value(items, item, f"{path}[]") for item in value]
        case Map(values), Mapping():
            inside = f"{path}{{}}"
            encoded = [encode_string(key, inside) + encode_value(values, item, inside) for key, item in value.items()]
        case _:
            raise InvalidField(path, f"is no {type(tree).__name__.lower()}")
    return encode_long(len(encoded)) + b"".join(encoded) + b"\x00" if encoded else b"\x00"
