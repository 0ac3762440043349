"""Canonical Avro bytes to values: the counterpart of `encoding`, for what few places want as values.

It reads what a reference walk has written, and relies on that: lengths, indexes and UTF-8 have been checked.
"""

import struct
from collections.abc import Iterator
from typing import Any

from tailrace.codec.reference_walker import Walk
from tailrace.codec.schema_tree import Array, Enum, Fixed, Map, Primitive, Record, Recursion, SchemaTree, Union
from tailrace.domain.errors import SchemaInvalid


def decode_value(tree: SchemaTree, walk: Walk) -> Any:  # noqa: PLR0911 - one for each kind of type
    """The value at the walk's place, which comes to stand behind it. Any thread.

    Records and maps are dictionaries, arrays lists, enums their symbols, fixed values bytes; times are numbers. Raises
    SchemaInvalid for a recursive schema.
    """
    match tree:
        case Primitive(name):
            return _decode_primitive(name, walk)
        case Enum(_, _, symbols):
            return symbols[walk.int64()]
        case Fixed(_, _, size_bytes):
            return walk.take(size_bytes)
        case Union(branches):
            return decode_value(branches[walk.int64()], walk)
        case Record(_, _, fields):
            return {field.name: decode_value(field.type, walk) for field in fields}
        case Array(items):
            return [decode_value(items, walk) for _ in _entries(walk)]
        case Map(values):
            return {_text(walk): decode_value(values, walk) for _ in _entries(walk)}
        case Recursion(name):
            raise SchemaInvalid(name, "", "recursive")


def _decode_primitive(name: str, walk: Walk) -> Any:  # noqa: PLR0911 - likewise
    match name:
        case "null":
            return None
        case "boolean":
            return walk.take(1) == b"\x01"
        case "int" | "long":
            return walk.int64()
        case "float":
            return struct.unpack("<f", walk.take(4))[0]
        case "double":
            return struct.unpack("<d", walk.take(8))[0]
        case "bytes":
            return walk.take(walk.int64())
        case _:
            return _text(walk)


def _text(walk: Walk) -> str:
    return walk.take(walk.int64()).decode()


def _entries(walk: Walk) -> Iterator[int]:
    """Once for each entry of the one block there is, and behind the last to the end mark and over it."""
    count = walk.int64()
    yield from range(count)
    if count:
        walk.take(1)
