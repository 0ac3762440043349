"""What one sink missed on one partition and has not yet written to the ledger."""

from bisect import bisect_left, insort
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
class _Page:
    """Misses of one reason: the kinds per offset, and the offsets in order, so that either end is found at once."""

    kinds: dict[int, set[ProjectionKind]] = field(default_factory=dict)
    offsets: list[int] = field(default_factory=list)

    def add(self, offset: int, kinds: Iterable[ProjectionKind]) -> None:
        noted = self.kinds.get(offset)
        if noted is None:
            noted = self.kinds[offset] = set()
            insort(self.offsets, offset)
        noted.update(kinds)

    def take(self, first: int, last: int) -> list[tuple[int, tuple[ProjectionKind, ...]]]:
        """Remove the misses at these places of the order, both ends as in a slice."""
        offsets = self.offsets[first:last]
        del self.offsets[first:last]
        return [(offset, tuple(sorted(self.kinds.pop(offset)))) for offset in offsets]


@dataclass(slots=True)
class GapBook:
    """Collects misses in any order; hands out exactly those below an offset, once.

    A cursor moves many times a second and a book may hold a hundred thousand misses, so no question passes over more of
    them than it hands out or drops. Memory grows with the misses between a lane's cursor and its position, which
    `max_ahead_records` bounds. Not thread-safe: its owner's lock guards it.
    """

    _misses: dict[tuple[FailureKind, str], _Page] = field(default_factory=dict)
    _ranges: list[tuple[int, int, str]] = field(default_factory=list)

    def add(self, offset: int, kinds: Iterable[ProjectionKind], reason: FailureKind, detail: str) -> None:
        """Note that these projections of the event at `offset` will not reach the sink; no kinds: the whole event."""
        page = self._misses.get((reason, detail))
        if page is None:
            page = self._misses[reason, detail] = _Page()
        page.add(offset, kinds)

    def add_lost_range(self, first_offset: int, last_offset: int, detail: str) -> None:
        """Note that the log itself no longer has these offsets, both ends included."""
        self._ranges.append((first_offset, last_offset, detail))

    def forget_from(self, offset: int) -> None:
        """Drop what was noted at `offset` and above: the lane is going to read those events again."""
        for page in self._misses.values():
            page.take(bisect_left(page.offsets, offset), len(page.offsets))
        self._ranges = [(first, last, detail) for first, last, detail in self._ranges if first < offset]

    def take_below(self, offset: int) -> tuple[Missed, ...]:
        """Everything noted below `offset`; it is the caller's to write down now."""
        taken = [*self._ranges_below(offset)]
        for (reason, detail), page in self._misses.items():
            below = page.take(0, bisect_left(page.offsets, offset))
            if below:
                runs = tuple(_run_lengths(below))
                taken.append(Missed(reason, detail, runs, sum(run.records for run in runs)))
        self._misses = {key: page for key, page in self._misses.items() if page.offsets}
        return tuple(taken)

    def _ranges_below(self, offset: int) -> Iterator[Missed]:
        for first, last, detail in self._ranges:
            if last < offset:
                run = GapRun(first, last, WHOLE_EVENT)
                yield Missed(FailureKind.RETENTION_LOST, detail, (run,), run.records)
        self._ranges = [entry for entry in self._ranges if entry[1] >= offset]

    def __len__(self) -> int:
        return sum(len(page.offsets) for page in self._misses.values()) + len(self._ranges)


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
