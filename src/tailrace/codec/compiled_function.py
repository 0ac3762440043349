"""Writes the whole function that projects the events of one writer schema: the walk, the facts, the records.

    def project(partition, offset, v):
        the walk                what is copied is marked, what the rules ask for is kept; every text validated
        the end                 every byte accounted for
        one record              an event without usage and cost, as most are
        several records         by the rules' outcome

What the function cannot do with an event it says by `Unusual`, LookupError, UnicodeDecodeError or WalkError, and the
projector that called it knows what to do then.
"""

from collections.abc import Sequence

from tailrace.codec import compiled_bytes
from tailrace.codec.compiled_code import Code
from tailrace.codec.compiled_identifiers import Guards
from tailrace.codec.compiled_pieces import Constant, Copied, Expression, Piece, joined, merged, rendered
from tailrace.codec.compiled_plan import carries_over, describe, in_reach
from tailrace.codec.compiled_records import Rules
from tailrace.codec.compiled_records_writer import RecordsWriter
from tailrace.codec.compiled_shapes import OUTLINE, KnownTexts, Shapes, turns
from tailrace.codec.compiled_shortcut import Shortcut
from tailrace.codec.compiled_walk import WalkWriter
from tailrace.codec.record_layout import RecordLayout
from tailrace.codec.reference_walker import (
    BooleanStep,
    BranchStep,
    EnumStep,
    NumberStep,
    RecordStep,
    Step,
    TextStep,
    UnionStep,
)
from tailrace.codec.schema_tree import Primitive, Record, SchemaTree, Union

_TEXT_FACTS = frozenset({"event_id", "run_id", "agent_id"})

_LOOKED_UP = {
    "event_family": "family = FAMILIES_BY_INDEX[{}]",
    "terminal": "terminal = {}[0]",
    "cost": "cost_status = cost_status_of({})",
}
"""How a fact is had from a field's canonical bytes."""

_FACTS = frozenset({*_TEXT_FACTS, *_LOOKED_UP, "event_seq", "event_kind", "journal_cursor", "usage"})
"""Fields of the event that the rules or the records ask for by name."""

_OWN_FACTS = frozenset({"event_id", "event_seq", "event_family", "event_kind", "terminal"})
"""Facts that no two events share, or that are cheaply had: the short way begins behind them."""

_CHANGING = frozenset({"cost", "finish_reason", "error_type"})
"""Fields with identifiers that are mostly absent, and stand behind numbers that no two events share."""

_SHORT_FACTS = frozenset({"run_id", "agent_id", "journal_cursor", "usage", "cost", "redaction_policy_id"})
"""Facts that the short way gives, or knows to be absent."""


class FunctionWriter:
    """One function while it is written: of these rules, into `names` what its text refers to. One thread.

    With `guards` the function refuses events with identifiers that have to be replaced; without, they have been. With
    `keep_content` its first record brings an event with content along.
    """

    def __init__(
        self,
        layout: RecordLayout,
        event: Record,
        rules: Rules,
        names: dict[str, object],
        guards: Guards | None,
        *,
        keep_content: bool,
    ) -> None:
        self._layout = layout
        self._event = event
        self._rules = rules
        self._guards = guards
        self._code = Code()
        self._walk = WalkWriter(self._code, names)
        self._fields: dict[str, list[Piece]] = {}
        self._shortcut: Shortcut | None = None
        self._guarded_later: list[str] = []
        self._keep_content = keep_content
        self._facts = _FACTS | {"content"} if keep_content else _FACTS
        self._wanted = {*layout.copied.values(), *self._facts}

    def write(self, step: RecordStep, body_start: int) -> str:
        """The text of the function for events that `step` walks, whose bodies begin at `body_start`. Called once."""
        code = self._code
        if self._keep_content:
            code.line("came = v")
        code.line(f"p = {body_start}")
        code.line("breaks = []")
        code.line("cost_status = 0")
        self._write_defaults(step)
        self._write_walk(step.fields)
        self._walk.finish()
        self._write_later_guards()
        records = RecordsWriter(self._layout, code, self._fields, keep_content=self._keep_content)
        if self._guards is not None and self._shortcut is not None:
            names = sorted(self._guards.names & self._shortcut.names)
            copied = self._shortcut.names & set(self._layout.copied.values())
            # What the walk works out, such as an enum's index in our own schema, is not there without the walk.
            worked_out = [name for name in copied if any(isinstance(one, Expression) for one in self._fields[name])]
            inside = all(self._shortcut.is_inside(merged(self._fields[name])) for name in [*names, "usage"])
            if inside and not worked_out:
                self._walk.names |= {"SHAPES": Shapes(self._guards, names), "OUTLINE": OUTLINE, "TURN": turns()}
                records.write_shortcut(self._shortcut, names)
        records.write()
        return f"def project(partition, offset, v):\n{code.text()}"

    def _write_defaults(self, step: RecordStep) -> None:
        for field, default in zip(self._event.fields, step.places, strict=True):
            if default is not None and field.name in self._wanted:
                self._code.still(f"# {field.name}: not written, so its default")
                self._keep(field.name, [Constant(default)])

    def _write_walk(self, fields: Sequence[tuple[str, Step, int | None]]) -> None:
        at = 0
        while at < len(fields):
            times = self._times(fields[at : at + 2])
            if times:
                self._write_times(fields[at : at + times])
                self._begin_shortcut(fields[: at + times], fields[at + times :])
            else:
                self._write_field(*fields[at])
            at += max(1, times)

    def _write_later_guards(self) -> None:
        """The identifiers of what came the long way, together: one look-up, and if that knows nothing, one by one."""
        if self._guards is None or not self._guarded_later:
            return
        code, names = self._code, self._guarded_later
        pieces = merged([piece for name in names for piece in self._fields[name]])
        if not all(isinstance(piece, Copied) for piece in pieces):
            for name in names:
                self._write_guard(name)
            return
        self._walk.names |= {"KNOWN": KnownTexts(self._guards, names), "OUTLINE": OUTLINE, "KEEP": turns()}
        fields = [piece for name in names for piece in merged(self._fields[name])]
        marks = [
            one.use() for piece in [*fields, *pieces] if isinstance(piece, Copied) for one in (piece.first, piece.last)
        ]
        code.line(f"texts = {joined(pieces)}")
        code.line("known = KNOWN.get(texts.translate(OUTLINE))")
        with code.inside("if known is None or known[0](texts) != known[1]:"):
            for name in names:
                self._write_guard(name)
            code.line(f"next(KEEP) and KNOWN.learn(v, ({', '.join(marks)}))")

    def _begin_shortcut(
        self, before: Sequence[tuple[str, Step, int | None]], after: Sequence[tuple[str, Step, int | None]]
    ) -> None:
        """Keep a place for the short way if what it cannot give is known here, and what it gives comes from here on."""
        names, rest = (
            frozenset(self._event.fields[place].name for _, _, place in fields if place is not None)
            for fields in (before, after)
        )
        if self._guards and self._shortcut is None and names >= _OWN_FACTS and rest >= _SHORT_FACTS:
            self._shortcut = Shortcut(self._code, rest)

    def _write_field(self, written: str, step: Step, place: int | None) -> None:
        name = None if place is None else self._event.fields[place].name
        self._say(written, step, name)
        if name is None or name not in self._wanted:
            self._walk.skip(step, written)
        elif name in _TEXT_FACTS and isinstance(step, TextStep):
            self._write_text_fact(name)
        elif name == "event_family" and isinstance(step, EnumStep) and in_reach(step):
            self._write_family(step)
        elif name == "terminal" and isinstance(step, BooleanStep):
            self._code.still("terminal = v[p]")
            self._walk.skip(step, written)
        elif name == "cost" and (status := self._cost_status(step)) is not None:
            place_of_status, numbers = status
            table = self._walk.named("COST_STATUSES", numbers)
            self._fields[name] = self._walk.take(step, name, {place_of_status: ("cost_status", table)})
            self._settle(name)
        else:
            self._walk.expects_time = place is not None and _is_time(self._event.fields[place].type)
            self._keep(name, self._walk.take(step, name))
            self._walk.expects_time = False
        if name is not None:
            self._guard(name)

    def _guard(self, name: str) -> None:
        """Refuse the event if this field has an identifier that has to be replaced."""
        if self._guards is None or name not in self._guards.names:
            return
        if self._shortcut is not None and name in self._shortcut.names and name not in _CHANGING:
            self._guarded_later.append(name)
        else:
            self._write_guard(name)

    def _write_guard(self, name: str) -> None:
        assert self._guards is not None
        code = self._code
        check = self._walk.named(f"KEPT_{name}", self._guards.check(name))
        match merged(self._fields[name]):
            case [Copied(first, last)] if name in self._guards.forms:
                form = self._walk.named(f"FORM_{name}", self._guards.forms[name])
                # No cost and no policies, as mostly, are a byte that is 0.
                empty = f"not v[{first.use()}] or " if name in {"cost", "policy_refs"} else ""
                code.still(f"{empty}{form}(v, {first.use()}, {last.use()}) or {check}(v[{first.use()}:{last.use()}])")
            case [Copied(first, last)] if isinstance(self._event.field(name).type, Union):
                found = f"SHORT_TEXT(v, {first.use()} + 2, {last.use()}) or {check}(v[{first.use()}:{last.use()}])"
                code.still(f"v[{first.use()}] and ({found})")
            case [Copied(first, last)]:
                code.still(f"SHORT_TEXT(v, {first.use()} + 1, {last.use()}) or {check}(v[{first.use()}:{last.use()}])")
            case pieces:
                code.still(f"{check}({joined(pieces)})")

    def _say(self, written: str, step: Step, name: str | None) -> None:
        known = f" as {name}" if name not in {None, written} else ""
        nowhere = "" if name in self._wanted else "; in no record"
        self._code.still(f"# {written}{known}: {describe(step)}{nowhere}")

    # -------------------------------------------------------------------------------- facts, in the form they have

    def _write_text_fact(self, name: str) -> None:
        """Text whose bytes without the length are needed as well."""
        code = self._code
        self._walk.begin_text()
        first = code.mark(name)
        code.still("size = TEXT[v[p]]")
        with code.inside("if size:"):
            code.line(f"{name} = v[p + 1 : p + size]")
            code.line("p += size")
        with code.inside("else:"):
            code.line(f"{name}, p = long_text(v, p, breaks)")
        self._fields[name] = [Copied(first, code.mark(f"{name}_end"))]

    def _write_family(self, step: EnumStep) -> None:
        code = self._code
        families = {2 * index: self._rules.families[one] for index, one in enumerate(step.symbols) if one is not None}
        table = self._walk.named("FAMILIES", families)
        first = code.mark("event_family")
        code.line(f"family = {table}[v[p]]")
        code.line("p += 1")
        last = code.mark("event_family_end")
        self._fields["event_family"] = [Copied(first, last) if carries_over(step) else Expression("family.index")]

    def _cost_status(self, step: Step) -> tuple[int, dict[int, int]] | None:
        """Where the cost's status stands, and its numbers by the writer's index byte; None if it is not so simple."""
        cost = self._rules.cost
        place = [field.name for field in cost.fields].index("status")
        branches = step.branches if isinstance(step, UnionStep) else (step,)
        values = [branch.value if isinstance(branch, BranchStep) else branch for branch in branches]
        records = [value for value in values if isinstance(value, RecordStep)]
        if len(records) != 1:
            return None
        for _, inside, its_place in records[0].fields:
            if its_place == place and isinstance(inside, EnumStep) and in_reach(inside):
                numbers = self._rules.cost_statuses
                return place, {2 * i: numbers[one] for i, one in enumerate(inside.symbols) if one is not None}
        return None

    def _keep(self, name: str, pieces: list[Piece]) -> None:
        """Keep a field's pieces, and the fact in them if they hold one."""
        self._fields[name] = pieces
        if name in self._facts:
            self._settle(name)
        whole = rendered(self._fields[name][0]) if name in _TEXT_FACTS | _LOOKED_UP.keys() else ""
        if name in _TEXT_FACTS:
            self._code.still(f"{name} = body({whole})")
        elif name in _LOOKED_UP:
            self._code.still(_LOOKED_UP[name].format(whole))

    def _settle(self, name: str) -> None:
        """Make the field one piece, whose first byte and whose rest can be asked for."""
        pieces = merged(self._fields[name])
        if len(pieces) != 1 or not isinstance(pieces[0], Copied | Constant):
            variable = self._code.fresh(f"whole_{name}")
            self._code.still(f"{variable} = {joined(pieces)}")
            pieces = [Expression(variable)]
        self._fields[name] = pieces

    # --------------------------------------------------------------------------------------------------- times

    def _times(self, fields: Sequence[tuple[str, Step, int | None]]) -> int:
        """How many of the next fields are times; two only where records have them side by side, too."""
        names: list[str] = []
        for _, step, place in fields:
            if step != NumberStep(is_int=False) or place is None:
                break
            field = self._event.fields[place]
            copied = list(self._layout.copied.values())
            if not _is_time(field.type) or field.name not in copied:
                break
            if names and copied.index(field.name) != copied.index(names[-1]) + 1:
                break
            names.append(field.name)
        return len(names)

    def _write_times(self, fields: Sequence[tuple[str, Step, int | None]]) -> None:
        code = self._code
        names = [self._event.fields[place].name for _, _, place in fields if place is not None]
        for (its_name, step, _), name in zip(fields, names, strict=True):
            self._say(its_name, step, name)
        self._walk.end_text()
        first = code.mark(names[0])
        size_bytes = len(compiled_bytes.EIGHT_BYTE_LONG) * len(fields)
        shape = self._walk.named(f"TIMES_{len(fields)}", compiled_bytes.EIGHT_BYTE_LONG * len(fields))
        with code.inside(f"if v[p : p + {size_bytes}].translate(SHAPE) == {shape}:"):
            code.line(f"p += {size_bytes}")
        with code.inside("else:"):
            for _ in fields:
                code.line("p += ONE[v[p]] or long_size(v, p)")
        # The second of two stands with the first: nobody cuts between them.
        self._fields |= {name: [] for name in names}
        self._fields[names[0]] = [Copied(first, code.mark(f"{names[-1]}_end"))]


def _is_time(tree: SchemaTree) -> bool:
    """Whether values are times, or may be."""
    match tree:
        case Primitive(_, logical):
            return logical is not None and logical.startswith("timestamp")
        case Union(branches):
            return any(_is_time(branch) for branch in branches)
        case _:
            return False
