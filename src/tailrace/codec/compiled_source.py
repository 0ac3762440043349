"""Writes the whole function that projects the events of one writer schema: the walk, the facts, the records.

    def project(partition, offset, v):
        the walk                what is copied is marked, what the rules ask for is kept; every text validated
        the end                 every byte accounted for
        one record              an event without usage and cost, as most are
        several records         by the rules' outcome

What the function cannot do with an event it says by `Unusual`, LookupError, UnicodeDecodeError or WalkError, and the
projector that called it knows what to do then.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tailrace.codec import compiled_bytes
from tailrace.codec.compiled_identifiers import SHORT_TEXT, Guards
from tailrace.codec.compiled_pieces import Constant, Copied, Expression, Piece, joined, merged, rendered, written
from tailrace.codec.compiled_plan import MAX_STEPS, carries_over, count_steps, describe, in_reach
from tailrace.codec.compiled_records import ENDING_SIZES, ENDINGS, Places, Rules, archive_cursor
from tailrace.codec.compiled_shapes import LONGEST_BYTES, OUTLINE, KnownTexts, Shapes, turns
from tailrace.codec.compiled_shortcut import Shortcut
from tailrace.codec.compiled_walk import Code, WalkWriter
from tailrace.codec.encoding import encode_long
from tailrace.codec.framing import SINGLE_OBJECT_FRAME_BYTES
from tailrace.codec.record_layout import RecordLayout
from tailrace.codec.reference_resolution import Mismatch, resolve_record
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
from tailrace.codec.schemas import AGENT_EVENT, SchemaStore, WriterSchema, record_tree
from tailrace.domain.identifiers import IdentifierPolicy
from tailrace.domain.projected import ProjectedRecord

CompiledFunction = Callable[[int, int, bytes], tuple[ProjectedRecord, ...]]
"""Partition, offset and value to records. Any thread."""


@dataclass(frozen=True, slots=True)
class OutOfReach:
    """A schema that no function is generated for: how many steps it takes, which are too many."""

    steps: int


@dataclass(frozen=True, slots=True)
class Source:
    """A function as source text, and the names that it refers to."""

    text: str
    names: Mapping[str, object]

    def compile(self, title: str) -> CompiledFunction:
        """The function; `title` stands for its file in a traceback."""
        scope = dict(self.names)
        exec(compile(self.text, f"<{title}>", "exec"), scope)  # noqa: S102 - our own text; names in it are Avro names
        function: CompiledFunction = scope["project"]  # type: ignore[assignment]
        return function


class SourceWriter:
    """Writes functions for one events topic. Immutable once made; any thread.

    `count_ignored` is called by the functions for each event whose usage does not count. With `keep_content` their
    first record brings an event with content along; without it they do not even ask. Raises SchemaInvalid from the
    constructor when schemas and rules do not belong together.
    """

    def __init__(
        self, layout: RecordLayout, event: Record, count_ignored: Callable[[], None], *, keep_content: bool = False
    ) -> None:
        self._layout = layout
        self._event = event
        self._rules = Rules(layout, event)
        self._places = Places(layout)
        self._count_ignored = count_ignored
        self._keep_content = keep_content

    def write(self, step: RecordStep, body_start: int, guards: Guards | None = None) -> Source | OutOfReach:
        """The function for events that `step` walks, whose bodies begin at `body_start`.

        With `guards` it refuses events with identifiers that have to be replaced; without, they have been.
        """
        if (steps := count_steps(step)) > MAX_STEPS:
            return OutOfReach(steps)
        names: dict[str, object] = {
            **_calls(),
            "ENDINGS": ENDINGS,
            "FAMILIES_BY_INDEX": self._rules.families,
            "cost_status_of": self._rules.cost_status_of,
            "PLACES": self._places,
            "ENDING_SIZES": ENDING_SIZES,
            "ProjectedRecord": ProjectedRecord,
            "new": tuple.__new__,
            "count_ignored": self._count_ignored,
            "SHORT_TEXT": SHORT_TEXT,
        }
        return _Function(self._layout, self._event, self._rules, names, guards, keep_content=self._keep_content).write(
            step, body_start
        )


def explain(schema: WriterSchema, schemas: SchemaStore) -> Source | OutOfReach | Mismatch:
    """What a worker makes of a writer schema: the function for events in single-object frames, or why there is none.

    Raises SchemaInvalid when the schemas of `schemas` are not those that this version of the code belongs to.
    """
    event = record_tree(schemas.agent_event, AGENT_EVENT)
    step = resolve_record(schema.tree, event)
    if isinstance(step, Mismatch):
        return step
    # The topic stands in what the function looks up, not in its text.
    layout = RecordLayout("events", schemas)
    guards = Guards.of(layout, event, IdentifierPolicy())
    return SourceWriter(layout, event, lambda: None).write(step, SINGLE_OBJECT_FRAME_BYTES, guards)


def _calls() -> dict[str, object]:
    names = (
        "BOOLEAN EIGHT_BYTE_LONG ONE SHAPE TEXT TWO block body bytes_size check_texts int_size items_block long_size "
        "long_text one_block text_size unusual walked"
    )
    return {name: getattr(compiled_bytes, name) for name in names.split()}


class _Function:
    """One function while it is written."""

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

    def write(self, step: RecordStep, body_start: int) -> Source:
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
        records = _RecordsWriter(self._layout, code, self._fields, keep_content=self._keep_content)
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
        return Source(f"def project(partition, offset, v):\n{code.text()}", self._walk.names)

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


_CURSOR, _USAGE, _COST = Expression("cursor"), Expression("usage"), Expression("cost")
"""The parts of a record that differ between an event's records, in generated code."""


class _RecordsWriter:
    """Writes the second half of a function: from marked fields and known facts to records."""

    def __init__(
        self,
        layout: RecordLayout,
        code: Code,
        fields: dict[str, list[Piece]],
        *,
        keep_content: bool,
    ) -> None:
        self._layout = layout
        self._code = code
        self._fields = fields
        self._keep_content = keep_content
        self._learn = ""

    def write_shortcut(self, shortcut: Shortcut, names: Sequence[str]) -> None:
        """The short way, and what the long one has to tell it; `names` are the fields with identifiers on it."""
        by_journal = shortcut.cut(self._record(self._cursor({"type": "journal", "cursor": [Expression("journal")]})))
        by_place = shortcut.cut(self._record(self._archive()))
        fields = [merged(self._fields[name])[0] for name in names]
        marks = [mark.use() for piece in fields if isinstance(piece, Copied) for mark in (piece.first, piece.last)]
        for name in ("run_id", "agent_id", "journal_cursor"):
            piece = merged(self._fields[name])[0]
            assert isinstance(piece, Copied)
            # Behind the length of the first two, behind the branch of the third.
            marks += [f"{piece.first.use()} + 1", piece.last.use()]
        marks += shortcut.places
        self._learn = (
            f"next(TURN) and SHAPES.learn(v, {shortcut.begin.name}, ({', '.join(marks)}), {self._tail_size()})"
        )

        outer, self._code = self._code, shortcut.code
        code = self._code
        with code.inside(f"if len(v) - p <= {LONGEST_BYTES}:"):
            code.line("rest = v[p:]")
            code.line("shape = SHAPES.get(rest.translate(OUTLINE))")
            with code.inside("if shape is not None and shape[0](rest) == shape[1]:"):
                code.line(f"{', '.join(['run_id', 'agent_id', 'journal', *shortcut.variables])} = shape[2](rest)")
                self._write_common()
                code.line("planned = family.single[ending]")
                with code.inside("if journal:"):
                    self._join("value", by_journal)
                with code.inside("else:"):
                    code.line('digits = b"%d" % offset')
                    self._join("value", by_place)
                self._write_projected("return (", ",)", tail_size="shape[3]", kept=False)
        self._code = outer

    def _write_common(self) -> None:
        """What every record needs, on either way."""
        code = self._code
        kind = self._fields["event_kind"][0]
        code.line("run_key = run_id.decode()")
        code.line("agent = agent_id.decode()")
        lookup = f"ENDINGS.get({rendered(kind)}, terminal)"
        code.line(f"ending = {lookup} if {self._first('event_kind')} in ENDING_SIZES else terminal")
        code.line("place = PLACES[partition]")
        code.line("at = place.offset(offset)")

    def write(self) -> None:
        code = self._code
        code.blank()
        self._write_common()
        if self._keep_content:
            # Not `v`, in which arrays of several blocks have become one.
            code.line(f"event = came if {self._first('content')} else None")
            code.line("kept = len(came) if event else 0")
        with code.inside(f"if not (cost_status or {self._first('usage')}):"):
            if self._learn:
                code.line(f"event or ({self._learn})" if self._keep_content else self._learn)
            code.line("planned = family.single[ending]")
            with code.inside(f"if {self._first('journal_cursor')}:"):
                self._join("value", self._record(self._journal()))
            with code.inside("else:"):
                code.line('digits = b"%d" % offset')
                self._join("value", self._record(self._archive()))
            self._write_projected("return (", ",)")
        code.blank()
        self._write_several()

    def _write_several(self) -> None:
        code = self._code
        code.line(f"outcome = family.outcomes[ending, {self._first('usage')}, cost_status]")
        code.line('digits = b"%d" % offset')
        # What every record has is joined once.
        begin, *stretches = self._stretches(self._record([_CURSOR], {"usage": _USAGE, "cost": _COST}))
        shared = [self._shared(stretch) for stretch in stretches]
        code.line("records = []")
        with code.inside("for planned in outcome.planned:"):
            with code.inside(f"if {self._first('journal_cursor')}:"):
                self._join("cursor", self._journal())
            with code.inside("elif planned.is_usage:"):
                self._join("cursor", self._own())
            with code.inside("else:"):
                self._join("cursor", self._archive())
            for name in ("usage", "cost"):
                whole = rendered(self._fields[name][0])
                code.line(f"{name} = {whole} if planned.carries_{name} else {_NULL!r}")
            self._join("value", [*begin, *(piece for stretch in shared for piece in stretch)])
            self._write_projected("records.append(", ")")
            if self._keep_content:
                code.line("event, kept = None, 0")
        with code.inside("if outcome.usage_ignored:"):
            code.line("count_ignored()")
        code.line("return tuple(records)")

    def _stretches(self, pieces: Sequence[Piece]) -> list[list[Piece]]:
        """The pieces, cut before each that is not the same in every record of the event."""
        out: list[list[Piece]] = [[]]
        for piece in pieces:
            if piece in {_CURSOR, _USAGE, _COST}:
                out.append([])
            out[-1].append(piece)
        return out

    def _shared(self, stretch: list[Piece]) -> list[Piece]:
        own, *rest = stretch
        if len(merged(rest)) < 2:
            return stretch
        variable = self._code.fresh(f"after_{rendered(own)}")
        self._join(variable, rest)
        return [own, Expression(variable)]

    def _join(self, variable: str, pieces: Sequence[Piece]) -> None:
        """One line for each piece, so that the order of a record can be read off."""
        parts = [rendered(piece) for piece in merged(pieces)]
        if len(parts) < 2:
            self._code.line(f"{variable} = {joined(pieces)}")
            return
        self._code.line(f'{variable} = b"".join((')
        for part in parts:
            self._code.line(f"    {part},")
        self._code.line("))")

    def _write_projected(self, before: str, after: str, *, tail_size: str | None = None, kept: bool = True) -> None:
        code = self._code
        code.line("size = len(value)")
        code.line(f"{before}new(ProjectedRecord, (")
        code.line("    partition, offset, planned.kind, planned.preserved, run_key, family.name, agent, run_id, value,")
        more, event = (" + kept", "event") if self._keep_content and kept else ("", "None")
        tail = tail_size or f"({self._tail_size()})"
        code.line(f"    size - {tail}, len(run_id) + size{more}, {event},")
        code.line(f")){after}")

    def _record(self, cursor: list[Piece], amounts: Mapping[str, Piece] | None = None) -> list[Piece]:
        """The record's pieces; without `amounts` for an event that has neither usage nor cost."""
        pieces: list[Piece] = [Expression("planned.heads[len(event_id)]"), Expression("event_id")]
        names = self._layout.prefix_names
        for name in names[names.index("projection_id") + 1 :]:
            if name == "source_cursor":
                pieces += cursor
            elif name in {"usage", "cost"}:
                # What is absent is copied from the event, if it can be, so that one slice goes over it.
                absent = [self._null(self._fields[name][0])]
                pieces += absent if amounts is None else [amounts[name]]
            else:
                pieces += self._prefix_field(name)
        return [*pieces, *self._tail()]

    def _null(self, piece: Piece) -> Piece:
        return piece if isinstance(piece, Copied) else Constant(_NULL)

    def _prefix_field(self, name: str) -> list[Piece]:
        layout = self._layout
        match name:
            case "source":
                return [Expression("place.source"), Expression("at")]
            case "event_cursor":
                event = {own: self._fields[own] for own in ("event_id", "event_seq")}
                return written(layout.record.field(name).type, {"scope": "run", **event})
            case _ if name in layout.copied:
                return self._fields[layout.copied[name]]
            case _:
                return [Expression(f"planned.fixed[{name!r}]")]

    def _tail(self) -> list[Piece]:
        layout = self._layout
        pieces: list[Piece] = []
        for name in layout.tail_names:
            constant = layout.no_content.get(name)
            pieces += self._fields[layout.copied[name]] if constant is None else [Constant(constant)]
        return merged(pieces)

    def _tail_size(self) -> str:
        constant, sizes = 0, []
        for piece in self._tail():
            match piece:
                case Copied(first, last):
                    sizes.append(f"({last.use()} - {first.use()})")
                case Constant(value):
                    constant += len(value)
                case Expression(code):
                    sizes.append(f"len({code})")
        return " + ".join([*sizes, str(constant)])

    # ------------------------------------------------------------------------- the source cursor, in its three forms

    def _journal(self) -> list[Piece]:
        return self._cursor({"type": "journal", "cursor": [Expression(self._after_branch("journal_cursor"))]})

    def _own(self) -> list[Piece]:
        event = {"cursor": self._fields["event_id"], "event_seq": self._fields["event_seq"]}
        return self._cursor({"type": "event", **event})

    def _archive(self) -> list[Piece]:
        _, _, *after = archive_cursor(self._layout)
        return [Expression("place.archives[len(digits)]"), Expression("digits"), *after]

    def _cursor(self, values: Mapping[str, object]) -> list[Piece]:
        return written(self._layout.record.field("source_cursor").type, values)

    # --------------------------------------------------------------------------------- a field that may be absent

    def _first(self, name: str) -> str:
        """The first byte: of a field that may be absent its branch, of a text its size if that is one byte."""
        match self._fields[name][0]:
            case Copied(first, _):
                return f"v[{first.use()}]"
            case Constant(value):
                return str(value[0])
            case Expression(code):
                return f"{code}[0]"

    def _after_branch(self, name: str) -> str:
        match self._fields[name][0]:
            case Copied(first, last):
                return f"v[{first.use()} + 1 : {last.use()}]"
            case Constant(value):
                return repr(value[1:])
            case Expression(code):
                return f"{code}[1:]"


_NULL = encode_long(0)
