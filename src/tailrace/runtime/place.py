"""A lane's standing on one partition, and its arithmetic: what is taken, what is dealt with, what was missed.

    settled   passed              position
       v         v                   v
    ───┼─────────┼───────────────────┼─────────>  offsets
       │  dealt  │ held: queued or   │  not taken yet
       │  with   │ on their way      │

`passed` means something only while items are held; with none, everything below the position is dealt with. Offsets
without an event lie anywhere in between, so nothing here ever adds one to an offset to find the next event.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from tailrace.domain.gap_book import WHOLE_EVENT, GapBook, Missed
from tailrace.domain.kinds import FailureKind, ProjectionKind
from tailrace.domain.projected import LaneItem, ProjectedRecord
from tailrace.runtime.dwell import Dwell
from tailrace.runtime.offers import Offer, Sorted


class Mode(Enum):
    """How a lane gets the events of one partition."""

    LIVE = auto()
    CATCHING_UP = auto()
    HALTED = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """The cursor of one partition may go to `cursor` once the ledger has acknowledged `missed`."""

    partition: int
    tag: int
    cursor: int
    missed: tuple[Missed, ...]
    newest_timestamp_ms: int | None


@dataclass(frozen=True, slots=True)
class PlaceCounts:
    """What one partition came to since it was attached, for an export mark."""

    partition: int
    mode: Mode
    cursor: int
    newest_timestamp_ms: int | None
    exported: int
    filtered: int
    dropped: tuple[tuple[FailureKind, int], ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """An offer as its place sorts and weighs it from `position` on; good for as long as the place stands there."""

    offer: Offer
    position: int
    taken: Sorted


@dataclass(frozen=True, slots=True)
class OfferEnd:
    """Where an offer ended, and what is counted once everything below that is dealt with.

    Not when it is taken: a place that steps back takes the offer again, and would count it twice.
    """

    to_offset: int
    newest_timestamp_ms: int | None
    filtered: int


@dataclass(slots=True)
class Place:
    """A lane's standing on one partition. Guarded by the feed's lock.

    `position` is the next offset to take, `passed` the lowest offset that is not known to be dealt with while items
    are `held` (queued or on their way), `settled` the last step's cursor, `cursor` the last one the ledger cleared.
    """

    partition: int
    tag: int
    mode: Mode
    position: int
    passed: int
    settled: int
    cursor: int
    dwell: Dwell
    held: int = 0
    gaps: GapBook = field(default_factory=GapBook)
    ends: deque["OfferEnd"] = field(default_factory=deque)
    newest_timestamp_ms: int | None = None
    exported: int = 0
    filtered: int = 0
    dropped: dict[FailureKind, int] = field(default_factory=dict)
    tried: Tried | None = None

    @classmethod
    def at(cls, partition: int, offset: int, tag: int, mode: Mode, now_s: float) -> "Place":
        return cls(partition, tag, mode, offset, offset, offset, offset, Dwell(now_s))

    @property
    def dealt_with(self) -> int:
        """Everything below is exported, filtered, missed, or no event at all."""
        return self.passed if self.held else self.position

    @property
    def ahead(self) -> int:
        """Offsets between the cursor and the position, which a crash would read again."""
        return self.position - self.cursor

    # ----------------------------------------------------------------------------------------------------- taking

    def enter(self, offer: Offer, taken: Sorted, held: int) -> None:
        """Stand at the end of the offer; `held` of its items wait now, the caller tells of others one by one."""
        self.tried = None
        self.held += held
        for gap in taken.unreadable:
            self.gaps.add(gap.offset, WHOLE_EVENT, FailureKind.UNDECODABLE, gap.reason)
        if offer.to_offset > self.position:
            if self.held == held:  # nothing was under way before this: all below the old position is dealt with
                self.passed = self.position
            self.position = offer.to_offset
            # Markers alone have no event time.
            newest = offer.newest_timestamp_ms if offer.size else None
            self.ends.append(OfferEnd(offer.to_offset, newest, taken.filtered))

    def lose_below(self, first_offset: int, detail: str) -> int:
        """The log now begins at `first_offset`: what was not taken below it is a gap. How many offsets."""
        if self.position >= first_offset:
            return 0
        gone = first_offset - self.position
        self.gaps.add_lost_range(self.position, first_offset - 1, detail)
        self.position = first_offset
        return gone

    def step_back(self, cleared: Sequence[LaneItem]) -> None:
        """These items no longer wait: they are to be taken again, and so is all that was missed behind them."""
        self.held -= len(cleared)
        self.position = min(self.position, *[item.offset for item in cleared])
        self.gaps.forget_from(self.position)
        while self.ends and self.ends[-1].to_offset > self.position:
            self.ends.pop()

    # ---------------------------------------------------------------------------------------------------- leaving

    def passes(self, items: int, last_offset: int, *, unfinished: bool) -> None:
        """So many items in front are dealt with, the last of the event at `last_offset`.

        `unfinished` if more of that event is still held.
        """
        self.held -= items
        self.passed = last_offset if unfinished else last_offset + 1

    def misses(self, item: LaneItem, reason: FailureKind, detail: str) -> None:
        """An item that is dealt with did not reach the sink, and never will."""
        self.gaps.add(item.offset, _kinds(item), reason, detail)

    def loses(self, item: LaneItem, reason: FailureKind, detail: str) -> None:
        """A held item, anywhere in the queue, will not reach the sink."""
        self.held -= 1
        self.misses(item, reason, detail)

    def settle(self) -> Step | None:
        """How far the place has come since the last step; None if no further."""
        cursor = self.dealt_with
        if cursor <= self.settled:
            return None
        self.settled = cursor
        missed = self.gaps.take_below(cursor)
        self._count(missed)
        while self.ends and self.ends[0].to_offset <= cursor:
            end = self.ends.popleft()
            self.filtered += end.filtered
            if end.newest_timestamp_ms is not None:
                self.newest_timestamp_ms = max(end.newest_timestamp_ms, self.newest_timestamp_ms or 0)
        return Step(self.partition, self.tag, cursor, missed, self.newest_timestamp_ms)

    def _count(self, missed: Iterable[Missed]) -> None:
        for m in missed:
            self.dropped[m.reason] = self.dropped.get(m.reason, 0) + m.records

    def counts(self) -> PlaceCounts:
        return PlaceCounts(
            self.partition,
            self.mode,
            self.cursor,
            self.newest_timestamp_ms,
            self.exported,
            self.filtered,
            tuple(sorted(self.dropped.items())),
        )


def _kinds(item: LaneItem) -> tuple[ProjectionKind, ...]:
    return (item.kind,) if isinstance(item, ProjectedRecord) else WHOLE_EVENT
