"""Which writer schemas tailrace is willing to read with: those whose values cannot cost more than their bytes.

A writer schema comes from outside, and a hostile or careless one turns five bytes into minutes of work, a balloon of
memory or a crash. The rules are structural, so they are checked once per schema and never per event
(docs/DESIGN.md, Schemas).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tailrace.codec.schema_tree import Array, Enum, Fixed, Map, Primitive, Record, Recursion, SchemaTree, Union

MAX_SCHEMA_BYTES = 256 * 1024
"""About nine times tailrace's own largest schema, docs included."""

MAX_NODES = 10_000
"""Types after every name is replaced by its definition. tailrace's own largest schema has about 230; without a bound,
thirty records that each use the next one twice make a billion."""


class UnsafeRule(StrEnum):
    """Why a schema is not read with."""

    RECURSIVE = "recursive"
    """Values could nest as deep as their bytes allow."""

    ZERO_WIDTH_ITEMS = "zero_width_items"
    """An array's items take no bytes, so five bytes can claim millions of them."""

    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"


@dataclass(frozen=True, slots=True)
class Unsafe:
    """The first rule that a schema breaks, and the field path where; the path is empty for the whole schema."""

    rule: UnsafeRule
    path: str


def find_unsafe(tree: SchemaTree) -> Unsafe | None:
    """The first breach in the order of the schema, or None. Pure; any thread.

    Maps need no rule of their own: every entry has a key, and a key takes at least one byte.
    """
    # Counted first, and with every definition counted once: the other rules walk each use of a definition anew.
    if _count_nodes(tree, {}) > MAX_NODES:
        return Unsafe(UnsafeRule.TOO_LARGE, "")
    return _first_breach(tree, "")


def _first_breach(tree: SchemaTree, path: str) -> Unsafe | None:
    if isinstance(tree, Recursion):
        return Unsafe(UnsafeRule.RECURSIVE, path)
    if isinstance(tree, Array) and _smallest_bytes(tree.items) == 0:
        return Unsafe(UnsafeRule.ZERO_WIDTH_ITEMS, f"{path}[]")
    inside = (_first_breach(child, f"{path}{step}".removeprefix(".")) for step, child in children(tree))
    return next((breach for breach in inside if breach is not None), None)


def children(tree: SchemaTree) -> Iterator[tuple[str, SchemaTree]]:
    """The types directly inside, each with what it adds to the field path."""
    match tree:
        case Array(items):
            yield "[]", items
        case Map(values):
            yield "{}", values
        case Union(branches):
            yield from (("", branch) for branch in branches)
        case Record(_, _, fields):
            yield from ((f".{one.name}", one.type) for one in fields)
        case Primitive() | Fixed() | Enum() | Recursion():
            return


def _smallest_bytes(tree: SchemaTree) -> int:
    """Bytes of the shortest value; a recursion, which is refused anyway, counts as one."""
    match tree:
        case Primitive(name):
            return {"null": 0, "float": 4, "double": 8}.get(name, 1)
        case Fixed(_, _, size_bytes):
            return size_bytes
        case Record(_, _, fields):
            return sum(_smallest_bytes(one.type) for one in fields)
        case Enum() | Array() | Map() | Union() | Recursion():
            return 1


def _count_nodes(tree: SchemaTree, counted: dict[int, int]) -> int:
    """Types in the tree when every use of a definition counts; `counted` remembers definitions by identity."""
    if id(tree) not in counted:
        counted[id(tree)] = 1 + sum(_count_nodes(child, counted) for _, child in children(tree))
    return counted[id(tree)]
