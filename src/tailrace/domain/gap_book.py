"""What one sink missed on one partition and has not yet written to the ledger."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tailrace.domain.kinds import FailureKind, ProjectionKind
from tailrace.domain.ledger import GapRun

WHOLE_EVENT: tuple[ProjectionKind, ...] = ()
"""The kinds of a run in which nothing of an event got through, because nobody could tell what was in it."""


@dataclass(frozen=True, slots=True)
class Missed:
    """Misses that share a reason, run-length coded, in offset order."""

    reason: FailureKind
    detail: str
    runs: tuple[GapRun, ...]
    records: int


@dataclass(slots=True)
class GapBook:
    """Collects misses in any order; hands out exactly those below an offset, once.

    Memory grows with the misses between a lane's cursor and its position, which `max_ahead_records` bounds. Not
    thread-safe: its owner's lock guards it.
    """

    _misses: dict[tuple[FailureKind, str], dict[int, set[ProjectionKind]]] = field(default_factory=dict)
    _ranges: list[tuple[int, int, str]] = field(default_factory=list)

    def add(self, offset: int, kinds: Iterable[ProjectionKind], reason: FailureKind, detail: str) -> None:
        """Note that these projections of the event at `offset` will not reach the sink; no kinds: the whole event."""
        self._misses.setdefault((reason, detail), {}).setdefault(offset, set()).update(kinds)

    def add_lost_range(self, first_offset: int, last_offset: int, detail: str) -> None:
        """Note that the log itself no longer has these offsets, both ends included."""
        self._ranges.append((first_offset, last_offset, detail))

    def forget_from(self, offset: int) -> None:
        """Drop what was noted at `offset` and above: the lane is going to read those events again."""
        for offsets in self._misses.values():
            for noted in [o for o in offsets if o >= offset]:
                del offsets[noted]
        self._ranges = [(first, last, detail) for first, last, detail in self._ranges if first < offset]

    def take_below(self, offset: int) -> tuple[Missed, ...]:
        """Everything noted below `offset`; it is the caller's to write down now."""
        taken = [*self._ranges_below(offset)]
        for (reason, detail), offsets in self._misses.items():
            below = sorted(o for o in offsets if o < offset)
            if below:
                kinds = [(o, tuple(sorted(offsets.pop(o)))) for o in below]
                runs = tuple(_run_lengths(kinds))
                taken.append(Missed(reason, detail, runs, sum(run.records for run in runs)))
        self._misses = {key: offsets for key, offsets in self._misses.items() if offsets}
        return tuple(taken)

    def _ranges_below(self, offset: int) -> Iterator[Missed]:
        for first, last, detail in self._ranges:
            if last < offset:
                run = GapRun(first, last, WHOLE_EVENT)
                yield Missed(FailureKind.RETENTION_LOST, detail, (run,), run.records)
        self._ranges = [entry for entry in self._ranges if entry[1] >= offset]

    def __len__(self) -> int:
        return sum(len(offsets) for offsets in self._misses.values()) + len(self._ranges)


def _run_lengths(misses: list[tuple[int, tuple[ProjectionKind, ...]]]) -> Iterator[GapRun]:
    first, kinds = misses[0]
    last = first
    for offset, these in misses[1:]:
        if offset == last + 1 and these == kinds:
            last = offset
            continue
        yield GapRun(first, last, kinds)
        first = last = offset
        kinds = these
    yield GapRun(first, last, kinds)
