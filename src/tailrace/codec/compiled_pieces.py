"""What generated code makes bytes of: slices of the value, constants, and other expressions.

Pure; any thread.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tailrace.codec.encoding import encode_long, encode_value
from tailrace.codec.schema_tree import Primitive, Record, SchemaTree, Union


@dataclass(eq=False, slots=True)
class Mark:
    """A place in the code at which `p` may be needed later; `name` is the variable that keeps it."""

    name: str
    used: bool = False

    def use(self) -> str:
        self.used = True
        return self.name


@dataclass(frozen=True, slots=True)
class Copied:
    """The value's bytes from one mark to another."""

    first: Mark
    last: Mark


@dataclass(frozen=True, slots=True)
class Constant:
    """Bytes that are known when the code is generated."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Expression:
    """Bytes that a Python expression gives."""

    code: str


Piece = Copied | Constant | Expression


def merged(pieces: Sequence[Piece]) -> list[Piece]:
    """The same bytes in as few pieces as can be."""
    out: list[Piece] = []
    for piece in pieces:
        match out[-1] if out else None, piece:
            case Copied(first, last), Copied(again, end) if last is again:
                out[-1] = Copied(first, end)
            case Constant(one), Constant(other):
                out[-1] = Constant(one + other)
            case _, Constant(b""):
                pass
            case _:
                out.append(piece)
    return out


def rendered(piece: Piece) -> str:
    """The piece as an expression."""
    match piece:
        case Copied(first, last):
            return f"v[{first.use()}:{last.use()}]"
        case Constant(value):
            return repr(value)
        case Expression(code):
            return code


def joined(pieces: Sequence[Piece]) -> str:
    """The bytes of all the pieces as one expression."""
    parts = [rendered(piece) for piece in merged(pieces)]
    if len(parts) < 2:
        return parts[0] if parts else 'b""'
    return f'b"".join(({", ".join(parts)}))'


def written(tree: SchemaTree, value: object) -> list[Piece]:
    """`value` under `tree`, where parts of it may be pieces: bytes that are already in their canonical form."""
    return merged(_written(tree, value))


def _written(tree: SchemaTree, value: object) -> list[Piece]:
    match tree, value:
        case Union(branches), list() | dict():
            index = next(i for i, branch in enumerate(branches) if branch != Primitive("null"))
            return [Constant(encode_long(index)), *_written(branches[index], value)]
        case Record(_, _, fields), dict():
            return [piece for field in fields for piece in _written(field.type, value.get(field.name, field.default))]
        case _, list():
            return value
        case _:
            return [Constant(encode_value(tree, value))]
