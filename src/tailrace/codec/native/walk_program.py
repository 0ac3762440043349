"""From the steps of a writer schema to the numbers that the kernel walks an event by (`kernel`, the walk).

Pure; any thread.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tailrace.codec.compiled_plan import ONE_BYTE_INDEXES, carries_over
from tailrace.codec.encoding import INT_MAX, encode_long
from tailrace.codec.identifier_fields import REF_SIDES
from tailrace.codec.native import kernel
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
from tailrace.codec.schema_tree import Array, Enum, Map, Record, SchemaTree, Union
from tailrace.domain.identifiers import IdentifierPolicy, RefTreatment

_NOWHERE: Final = -1

_FLOAT_BYTES: Final = 4

_FORBIDDEN: Final = {
    RefTreatment.KEEP: kernel.FOREIGN,
    RefTreatment.KEEP_BUT_PATHS: kernel.FOREIGN | kernel.SLASH,
    RefTreatment.HASH: kernel.ANY,
    RefTreatment.ALIAS: kernel.ANY,
}
"""Classes of characters that the id of a reference must not have to leave as it is."""

_SLOTS: Final = {"event_id": kernel.ID_SLOT, "run_id": kernel.RUN_SLOT, "agent_id": kernel.AGENT_SLOT}


@dataclass(frozen=True, slots=True)
class NotNative:
    """There is no program for a writer schema: its `field` has to be worked out, or is of a sort not provided for."""

    field: str


@dataclass(frozen=True, slots=True)
class WalkProgram:
    """How to walk one writer schema's events. `marks` are the numbers of the marks before each field that is kept."""

    code: Sequence[int]
    tables: Sequence[int]
    marks: Mapping[str, int]
    defaults: Mapping[str, bytes]


class _Refused(Exception):  # noqa: N818 - never leaves this file
    def __init__(self, field: str) -> None:
        self.field = field


def walk_program(
    step: RecordStep, event: Record, kept: frozenset[str], policy: IdentifierPolicy, *, keep_content: bool
) -> WalkProgram | NotNative:
    """The program for events that `step` walks, of whose fields `kept` go into records or decide about them.

    With `keep_content` it refuses events with content, which have to come along with their records.
    """
    writer = _Writer(event, policy)
    try:
        marks = writer.write(step, kept, {"content"} if keep_content else set())
    except _Refused as refused:
        return NotNative(refused.field)
    if len(step.fields) >= kernel.MARKS:
        return NotNative("")
    fields = zip(event.fields, step.places, strict=True)
    defaults = {field.name: default for field, default in fields if default is not None and field.name in kept}
    return WalkProgram(writer.code, writer.tables, marks, defaults)


class _Writer:
    """One program while it is written."""

    def __init__(self, event: Record, policy: IdentifierPolicy) -> None:
        self._event = event
        self._policy = policy
        self._depth = 0
        self.code: list[int] = []
        self.tables: list[int] = []

    def write(self, step: RecordStep, kept: frozenset[str], absent: set[str]) -> dict[str, int]:
        marks: dict[str, int] = {}
        self.code += [kernel.MARK, 0]
        for number, (written, inside, place) in enumerate(step.fields):
            field = None if place is None else self._event.fields[place]
            if field is not None and field.name in absent:
                self._only_absent(inside, field.name)
            elif field is not None and field.name in kept:
                marks[field.name] = number
                self._keep(inside, field.name, field.type)
            else:
                self._walk(inside, written)
            self.code += [kernel.MARK, number + 1]
        self.code.append(kernel.END)
        return marks

    def _only_absent(self, step: Step, name: str) -> None:
        match step:
            case UnionStep((BranchStep(_, NullStep()), _)):
                self.code += [kernel.BRANCH, 2, len(self.code) + 4, _NOWHERE]
            case _:
                raise _Refused(name)

    # --------------------------------------------------------------------------------- fields that go into records

    def _keep(self, step: Step, name: str, tree: SchemaTree) -> None:
        if not _is_copied(step):
            raise _Refused(name)
        self._copied(step, name, tree)
        if name in _SLOTS:
            self.code += [kernel.KEEP_TEXT, _SLOTS[name]]
        elif name == "event_family":
            self.code += [kernel.KEEP_ENUM, kernel.FAMILY_SLOT]

    def _copied(self, step: Step, path: str, tree: SchemaTree) -> None:  # noqa: C901 - one case for each kind of step
        """Walk over a value whose bytes are copied: texts in it have to be identifiers, and lists one block."""
        match step, tree:
            case TextStep(), _:
                self.code.append(kernel.IDENTIFIER)
            case RecordStep(((_, EnumStep(symbols) as kind, _), (_, TextStep(), _))), Record() if path in REF_SIDES:
                self._walk(kind, path)
                self.code += [kernel.REFERENCE, self._table(self._forbidden(path, tree, len(symbols)))]
            case RecordStep(fields), Record():
                for (_, inside, _), field in zip(fields, tree.fields, strict=True):
                    self._copied(inside, f"{path}.{field.name}", field.type)
                    if path == "cost" and field.name == "status":
                        self.code += [kernel.KEEP_ENUM, kernel.COST_SLOT]
            case BranchStep(_, value), _:
                self._copied(value, path, tree)
            case UnionStep(branches), Union():
                self._branch(branches, path, lambda branch, at: self._copied(branch, path, tree.branches[at]))
            case BlocksStep(entry), Array(items):
                self._items(path, lambda: self._copied(entry, path, items), single=True)
            case BlocksStep(MapEntryStep(TextStep(), value)), Map(values):
                self._items(path, lambda: self._entry(value, path, values), single=True)
            case BlocksStep(), _:
                raise _Refused(path)
            case _:
                self._walk(step, path)

    def _entry(self, value: Step, path: str, tree: SchemaTree) -> None:
        self.code.append(kernel.IDENTIFIER)
        self._copied(value, path, tree)

    def _forbidden(self, side: str, tree: SchemaTree, size: int) -> list[int]:
        kind = tree.fields[0].type if isinstance(tree, Record) else None
        if not isinstance(kind, Enum) or size > len(kind.symbols):
            raise _Refused(side)
        return [_FORBIDDEN[self._policy.treatment(f"{REF_SIDES[side]}.{symbol}")] for symbol in kind.symbols[:size]]

    # ------------------------------------------------------------------------------------------------ any field

    def _walk(self, step: Step, path: str) -> None:  # noqa: C901, PLR0912 - one case for each kind of step
        """Walk over a value as strictly as the reference does; of a value that is not copied nothing is kept."""
        code = self.code
        match step:
            case NullStep():
                pass
            case BooleanStep():
                code.append(kernel.BOOLEAN)
            case NumberStep(is_int):
                code.append(kernel.INT if is_int else kernel.LONG)
            case FixedStep(size_bytes) if size_bytes <= INT_MAX:
                code += [kernel.FIXED, size_bytes]
            case FloatToDoubleStep():
                code += [kernel.FIXED, _FLOAT_BYTES]
            case BytesStep():
                code.append(kernel.BYTES)
            case TextStep():
                code.append(kernel.TEXT)
            case EnumStep(symbols) if len(symbols) <= ONE_BYTE_INDEXES:
                values = [_NOWHERE if symbol is None else index for index, symbol in enumerate(symbols)]
                code += [kernel.ENUM, self._table(values), len(values)]
            case BranchStep(_, value):
                self._walk(value, path)
            case UnionStep(branches):
                self._branch(branches, path, lambda branch, _: self._walk(branch, path))
            case BlocksStep(entry):
                self._items(path, lambda: self._walk(entry, path), single=False)
            case MapEntryStep(key, value):
                self._walk(key, path)
                self._walk(value, path)
            case RecordStep(fields):
                for name, inside, _ in fields:
                    self._walk(inside, f"{path}.{name}")
            case _:
                raise _Refused(path)

    def _branch(self, branches: Sequence[Step | None], path: str, write: Callable[[Step, int], None]) -> None:
        if len(branches) > ONE_BYTE_INDEXES:
            raise _Refused(path)
        code = self.code
        code += [kernel.BRANCH, len(branches)]
        targets = len(code)
        code += [_NOWHERE] * len(branches)
        ends = []
        for at, branch in enumerate(branches):
            if branch is not None:
                code[targets + at] = len(code)
                write(branch, at)
                ends.append(len(code) + 1)
                code += [kernel.JUMP, _NOWHERE]
        for end in ends:
            code[end] = len(code)

    def _items(self, path: str, write_item: Callable[[], None], *, single: bool) -> None:
        self._depth += 1
        if self._depth > kernel.DEEPEST:
            raise _Refused(path)
        code = self.code
        begin = len(code)
        code += [kernel.ITEMS, _NOWHERE]
        item = len(code)
        write_item()
        code += [kernel.NEXT, item]
        # What is copied has to be one block, as canonical lists are; of others any number may follow.
        code += [kernel.CLOSE] if single else [kernel.JUMP, begin]
        code[begin + 1] = len(code)
        self._depth -= 1

    def _table(self, values: Sequence[int]) -> int:
        self.tables += values
        return len(self.tables) - len(values)


def _is_copied(step: Step) -> bool:
    """Whether canonical bytes of the writer are the reader's: as `carries_over`, but for lists within lists.

    Those would have to be rewritten where they come in several blocks, which is refused here anyway.
    """
    match step:
        case BlocksStep(entry):
            return _is_copied(entry)
        case MapEntryStep(key, value):
            return _is_copied(key) and _is_copied(value)
        case UnionStep(branches):
            return all(branch is None or _keeps_place(branch, at) for at, branch in enumerate(branches))
        case RecordStep(fields, places):
            in_place = [place for _, _, place in fields] == list(range(len(places)))
            return in_place and all(_is_copied(inside) for _, inside, _ in fields)
        case _:
            return carries_over(step)


def _keeps_place(branch: Step, at: int) -> bool:
    return isinstance(branch, BranchStep) and branch.index == encode_long(at) and _is_copied(branch.value)
