"""From the rules and the record layout to the numbers that the kernel writes records by (`kernel`, a record).

Pure; any thread.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tailrace.codec.compiled_pieces import Constant, Copied, Expression, Mark, Piece, merged
from tailrace.codec.compiled_records import ABSENT, ENDINGS, PRESENT, Planned, Rules, archive_cursor
from tailrace.codec.encoding import encode_long
from tailrace.codec.native import kernel
from tailrace.codec.native.walk_program import WalkProgram
from tailrace.codec.record_layout import RecordLayout
from tailrace.codec.record_pieces import ARCHIVE, DIGITS, EVENT_ID, HEAD, NULL, OFFSET, SOURCE, RecordPieces, fixed

_JOURNAL: Final = Expression("journal")

_MOST_RECORDS: Final = 3
"""Of one event (DESIGN, the projection table)."""


@dataclass(frozen=True, slots=True)
class RecordProgram:
    """How to write what the rules plan for the events of one walk program.

    `outcomes` is by family, ending, presence of usage and number of the cost's status: how many records, and the plan
    of each. `plans` is by plan: where its three programs begin (by journal, by own event, by place), and which of the
    latter two is for it. `planned` and `families` are what the numbers stand for.
    """

    planned: Sequence[Planned]
    families: Sequence[str]
    outcomes: NDArray[np.int32]
    plans: NDArray[np.int32]
    code: NDArray[np.int32]
    pool: NDArray[np.uint8]


def record_program(layout: RecordLayout, rules: Rules, walk: WalkProgram) -> RecordProgram:
    """The programs for every record that the rules may plan."""
    writer = _Writer(layout, walk)
    families = list(rules.families.values())
    statuses = 1 + len(rules.cost_statuses)
    outcomes = np.zeros((len(families), 2 + len(ENDINGS), 2, statuses, 1 + _MOST_RECORDS), np.int32)
    for number, family in enumerate(families):
        for (ending, usage, cost), outcome in family.outcomes.items():
            # What is not here is refused: misplaced usage, and usage that does not count, which has to be counted.
            if not outcome.usage_ignored and usage in {ABSENT, PRESENT}:
                plans = [writer.plan(planned) for planned in outcome.planned]
                outcomes[number, ending, usage // PRESENT, cost, : 1 + len(plans)] = [len(plans), *plans]
    return RecordProgram(
        writer.planned,
        [family.name for family in families],
        outcomes,
        np.array(writer.plans, np.int32),
        np.array(writer.code, np.int32),
        np.frombuffer(bytes(writer.pool), np.uint8),
    )


class _Writer:
    """All programs of one schema while they are written."""

    def __init__(self, layout: RecordLayout, walk: WalkProgram) -> None:
        self._layout = layout
        self._numbers: dict[Planned, int] = {}
        self.planned: list[Planned] = []
        self.plans: list[tuple[int, int, int, int]] = []
        self.code: list[int] = []
        self.pool = bytearray()
        marks = [Mark(str(number)) for number in range(kernel.MARKS)]
        self._number_of = {mark: number for number, mark in enumerate(marks)}
        copied: dict[str, list[Piece]] = {
            name: [Copied(marks[number], marks[number + 1])] for name, number in walk.marks.items()
        }
        constant: dict[str, list[Piece]] = {name: [Constant(value)] for name, value in walk.defaults.items()}
        self._fields: Mapping[str, list[Piece]] = copied | constant
        self._pieces = RecordPieces(layout, self._fields)

    def plan(self, planned: Planned) -> int:
        """The number of a plan, whose programs are written the first time."""
        if planned not in self._numbers:
            self._numbers[planned] = len(self.planned)
            self.planned.append(planned)
            cursors = self._pieces.journal(_JOURNAL), self._pieces.own(), self._pieces.archive()
            by_journal, own, by_place = (self._write(planned, cursor) for cursor in cursors)
            self.plans.append((by_journal, own, by_place, int(planned.is_usage)))
        return self._numbers[planned]

    def _write(self, planned: Planned, cursor: Sequence[Piece]) -> int:
        """Where the program of one record begins."""
        begin = len(self.code)
        amounts = {
            name: self._fields[name][0] if carried else Constant(NULL)
            for name, carried in (("usage", planned.carries_usage), ("cost", planned.carries_cost))
        }
        tail = len(self._pieces.tail())
        record = self._pieces.record(cursor, amounts)
        for piece in merged(list(self._expanded(planned, record[:-tail]))):
            self.code += self._operation(piece)
        self.code.append(kernel.TAIL)
        for piece in record[-tail:]:
            self.code += self._operation(piece)
        self.code.append(kernel.FINISH)
        return begin

    def _expanded(self, planned: Planned, pieces: Sequence[Piece]) -> Iterator[Piece]:
        """With what the rules planned in place of the expressions for it."""
        known = {fixed(name): value for name, value in planned.fixed.items()}
        for piece in pieces:
            match piece:
                case Expression() if piece == HEAD:
                    yield from (Constant(planned.heads.before), HEAD, Constant(planned.heads.label))
                    self._label = len(planned.heads.label)
                case Expression() if piece == ARCHIVE:
                    first, *_ = archive_cursor(self._layout)
                    yield from (first, ARCHIVE)
                case Expression() if piece in known:
                    yield Constant(known[piece])
                case _:
                    yield piece

    def _operation(self, piece: Piece) -> list[int]:
        match piece:
            case Constant(value):
                first = len(self.pool)
                self.pool += value
                return [kernel.CONSTANT, first, len(self.pool)]
            case Copied(first_mark, last_mark):
                return [kernel.COPY, self._number_of[first_mark], 0, self._number_of[last_mark]]
            case Expression() if piece == _JOURNAL:
                (journal,) = self._fields["journal_cursor"]
                assert isinstance(journal, Copied)
                branch = len(encode_long(1))
                return [kernel.COPY, self._number_of[journal.first], branch, self._number_of[journal.last]]
            case Expression() if piece == HEAD:
                return [kernel.ID_SIZE, self._label]
            case _:
                return _OPERATIONS[piece]


_OPERATIONS: Final[Mapping[Piece, list[int]]] = {
    EVENT_ID: [kernel.EVENT_ID],
    SOURCE: [kernel.SOURCE],
    OFFSET: [kernel.OFFSET],
    ARCHIVE: [kernel.PLACE],
    DIGITS: [],
}
