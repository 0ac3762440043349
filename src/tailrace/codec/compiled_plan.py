"""What can be said of a step of the walk before any event comes: whether its bytes carry over, and what it meets.

The steps are the reference projector's (`reference_resolution`): what a writer's schema means is decided in one place.
Pure; any thread.
"""

from collections.abc import Iterator
from typing import Final

from tailrace.codec.encoding import encode_long
from tailrace.codec.reference_walker import (
    BlocksStep,
    BooleanStep,
    BranchStep,
    BytesStep,
    EnumStep,
    FixedStep,
    FloatToDoubleStep,
    MapEntryStep,
    NullStep,
    NumberStep,
    RecordStep,
    Step,
    TextStep,
    UnionStep,
)

MAX_STEPS: Final = 2_000
"""Generated code grows with the schema. tailrace's own event has about 110 steps; ten times that compiles in a tenth of
a second, and a schema at the bound of `safety` would take whole seconds of the intake's thread."""

ONE_BYTE_INDEXES: Final = 64
"""Branches or symbols whose index is a single byte; a union or enum with more is left to the reference walk."""


def carries_over(step: Step, *, in_entry: bool = False) -> bool:  # noqa: PLR0911 - one for each kind of step
    """Whether canonical bytes of the writer are the reader's canonical bytes, so that they can be copied.

    `in_entry` says that the value is part of an array's or map's entry. A further array in there does not carry over:
    it may need rewriting, and what is around it has counted on its place.
    """
    match step:
        case NullStep() | BooleanStep() | FixedStep() | BytesStep() | TextStep():
            return True
        case NumberStep(_, float_format):
            return float_format is None
        case EnumStep(symbols):
            return all(symbol in {None, encode_long(index)} for index, symbol in enumerate(symbols)) and in_reach(step)
        case UnionStep(branches):
            return all(_keeps_place(branch, place, in_entry=in_entry) for place, branch in enumerate(branches))
        case BlocksStep(entry):
            return not in_entry and carries_over(entry, in_entry=True)
        case MapEntryStep(key, value):
            return carries_over(key, in_entry=in_entry) and carries_over(value, in_entry=in_entry)
        case RecordStep(fields, places):
            in_place = [place for _, _, place in fields] == list(range(len(places)))
            return in_place and all(carries_over(inside, in_entry=in_entry) for _, inside, _ in fields)
        case _:
            return False


def _keeps_place(branch: Step | None, place: int, *, in_entry: bool) -> bool:
    match branch:
        case None:
            return True
        case BranchStep(index, value):
            return index == encode_long(place) and carries_over(value, in_entry=in_entry)
        case _:
            return False


def in_reach(step: Step) -> bool:
    """Whether code is generated for this step itself; else the reference walk reads its value."""
    match step:
        case NumberStep(_, float_format):
            return float_format is None
        case FloatToDoubleStep():
            return False
        case EnumStep(symbols):
            return len(symbols) <= ONE_BYTE_INDEXES
        case UnionStep(branches):
            return len(branches) <= ONE_BYTE_INDEXES
        case _:
            return True


def holds_text(step: Step) -> bool:
    """Whether a value may hold text, which has to be validated."""
    return isinstance(step, TextStep | MapEntryStep) or any(holds_text(inside) for inside in _inside(step))


def count_steps(step: Step) -> int:
    """Steps in all, each use of a definition anew: what the size of the generated code grows with."""
    return 1 + sum(count_steps(inside) for inside in _inside(step))


def describe(step: Step) -> str:  # noqa: PLR0911 - one for each kind of step
    """A few words on what a step reads, for a comment."""
    match step:
        case NumberStep(is_int, _):
            return "int" if is_int else "long"
        case FixedStep(size_bytes):
            return f"{size_bytes} bytes"
        case FloatToDoubleStep():
            return "float"
        case EnumStep(symbols):
            return f"enum of {len(symbols)}"
        case UnionStep(branches):
            return " or ".join("what no reader takes" if one is None else describe(one) for one in branches)
        case BranchStep(_, value):
            return describe(value)
        case BlocksStep(MapEntryStep(_, value)):
            return f"map of {describe(value)}"
        case BlocksStep(entry):
            return f"array of {describe(entry)}"
        case _:
            return type(step).__name__.removesuffix("Step").lower()


def _inside(step: Step) -> Iterator[Step]:
    match step:
        case UnionStep(branches):
            yield from (branch for branch in branches if branch is not None)
        case BranchStep(_, value):
            yield value
        case BlocksStep(entry):
            yield entry
        case MapEntryStep(key, value):
            yield from (key, value)
        case RecordStep(fields):
            yield from (inside for _, inside, _ in fields)
        case _:
            return
