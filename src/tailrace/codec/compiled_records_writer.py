"""Writes the second half of a generated function: from marked fields and known facts to records."""

from collections.abc import Sequence
from typing import Final

from tailrace.codec.compiled_code import Code
from tailrace.codec.compiled_pieces import Constant, Copied, Expression, Piece, joined, merged, rendered
from tailrace.codec.compiled_shapes import LONGEST_BYTES
from tailrace.codec.compiled_shortcut import Shortcut
from tailrace.codec.record_layout import RecordLayout
from tailrace.codec.record_pieces import NULL, RecordPieces

_CURSOR: Final = Expression("cursor")
_USAGE: Final = Expression("usage")
_COST: Final = Expression("cost")
"""The parts of a record that differ between an event's records."""


class RecordsWriter:
    """The second half of one function, into `code`; `fields` are the pieces of the event's fields."""

    def __init__(
        self,
        layout: RecordLayout,
        code: Code,
        fields: dict[str, list[Piece]],
        *,
        keep_content: bool,
    ) -> None:
        self._code = code
        self._fields = fields
        self._record = RecordPieces(layout, fields)
        self._keep_content = keep_content
        self._learn = ""

    def write_shortcut(self, shortcut: Shortcut, names: Sequence[str]) -> None:
        """The short way, and what the long one has to tell it; `names` are the fields with identifiers on it."""
        record = self._record
        by_journal = shortcut.cut(record.record(record.journal(Expression("journal"))))
        by_place = shortcut.cut(record.record(record.archive()))
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
                self._join("value", self._record.record(self._journal()))
            with code.inside("else:"):
                code.line('digits = b"%d" % offset')
                self._join("value", self._record.record(self._record.archive()))
            self._write_projected("return (", ",)")
        code.blank()
        self._write_several()

    def _write_several(self) -> None:
        code = self._code
        code.line(f"outcome = family.outcomes[ending, {self._first('usage')}, cost_status]")
        code.line('digits = b"%d" % offset')
        # What every record has is joined once.
        begin, *stretches = self._stretches(self._record.record([_CURSOR], {"usage": _USAGE, "cost": _COST}))
        shared = [self._shared(stretch) for stretch in stretches]
        code.line("records = []")
        with code.inside("for planned in outcome.planned:"):
            with code.inside(f"if {self._first('journal_cursor')}:"):
                self._join("cursor", self._journal())
            with code.inside("elif planned.is_usage:"):
                self._join("cursor", self._record.own())
            with code.inside("else:"):
                self._join("cursor", self._record.archive())
            for name in ("usage", "cost"):
                whole = rendered(self._fields[name][0])
                code.line(f"{name} = {whole} if planned.carries_{name} else {NULL!r}")
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

    # --------------------------------------------------------------------------------- a field that may be absent

    def _tail_size(self) -> str:
        constant, sizes = 0, []
        for piece in self._record.tail():
            match piece:
                case Copied(first, last):
                    sizes.append(f"({last.use()} - {first.use()})")
                case Constant(value):
                    constant += len(value)
                case Expression(code):
                    sizes.append(f"len({code})")
        return " + ".join([*sizes, str(constant)])

    def _journal(self) -> list[Piece]:
        return self._record.journal(Expression(self._after_branch("journal_cursor")))

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
