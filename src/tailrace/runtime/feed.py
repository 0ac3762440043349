"""One lane's mode, position and buffer: a single object under a single lock, shared by the intake and the lane.

Two locks would lose an event (the intake ignores an offer because the lane is catching up; the lane, reading, reaches
the last offer it was told of and goes live; only then does the intake tell it of the one it ignored; the next offer
begins behind that one and the cursor passes it). Here both steps are one critical section each.

A *place* is the lane's standing on one partition. Its position is the next offset to take into the buffer:

    offer.from <= position   the lane takes it, what lies below the position is skipped
    offer.from >  position   something in between was never offered: the place detaches
    detached                 the lane reads the log from the position; it only notes where offers end
    position >= noted        it has read as far as the intake: it is live, compared before that read is exported

Where to go after a detach is the first offset that was still waiting in the buffer, so nothing is dropped by it.
"""

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from tailrace.domain.buffer import (
    Admitted,
    AdmittedBySacrifice,
    BufferLimits,
    Coalesced,
    ProgressDropped,
    RoomNeeded,
    SinkBuffer,
    SinkMarkedFailed,
    TerminalLost,
)
from tailrace.domain.gap_book import WHOLE_EVENT, GapBook, Missed
from tailrace.domain.kinds import FailureKind, ProjectionKind
from tailrace.domain.projected import LaneItem, ProjectedRecord
from tailrace.runtime.offers import Offer, Sorting, Unreadable
from tailrace.runtime.signal import Signal

FIRST_DWELL_S = 1.0
"""How long a place that fell behind reads the log at least before it rejoins; shorter flaps on every hiccup."""

LONGEST_DWELL_S = 60.0
"""The dwell doubles with each detach that follows soon on a rejoin, up to this: a sink that is simply slower than its
neighbours then re-reads its clipped buffer once a minute, not once a second."""

SPELL_PER_DWELL = 4.0
"""A live spell shorter than this many dwells counts as 'soon'."""


class Mode(Enum):
    """How a lane gets the events of one partition."""

    LIVE = auto()
    CATCHING_UP = auto()
    HALTED = auto()


class Verdict(Enum):
    """What became of an offer."""

    TAKEN = auto()
    NOTED = auto()  # the lane reads the log itself
    HELD = auto()  # no room: nothing changed


@dataclass(slots=True)
class Place:
    """A lane's standing on one partition. Guarded by the feed's lock.

    `position` is the next offset to take, `passed` the lowest offset that is not known to be dealt with while items
    are `held` (queued or on their way), `settled` the last step's cursor, `cursor` the last one the ledger cleared.
    """

    tag: int
    mode: Mode
    position: int
    passed: int
    settled: int
    cursor: int
    held: int = 0
    gaps: GapBook = field(default_factory=GapBook)
    times: deque[tuple[int, int]] = field(default_factory=deque)
    newest_timestamp_ms: int | None = None
    live_since_s: float = 0.0
    rejoin_at_s: float = 0.0
    dwell_s: float = FIRST_DWELL_S
    exported: int = 0
    filtered: int = 0
    dropped: dict[FailureKind, int] = field(default_factory=dict)

    @classmethod
    def at(cls, offset: int, tag: int, mode: Mode, now_s: float) -> "Place":
        return cls(tag, mode, offset, offset, offset, offset, live_since_s=now_s)


@dataclass(frozen=True, slots=True)
class Step:
    """The cursor of one partition may go to `cursor` once the ledger has acknowledged `missed`."""

    partition: int
    tag: int
    cursor: int
    missed: tuple[Missed, ...]
    newest_timestamp_ms: int | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Records that could be taken now; those read from the log go before the buffered ones."""

    records: int
    from_log: bool


@dataclass(frozen=True, slots=True)
class PlaceCounts:
    """What one partition came to since it was attached, for an export mark."""

    partition: int
    cursor: int
    newest_timestamp_ms: int | None
    exported: int
    filtered: int
    dropped: tuple[tuple[FailureKind, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStatistics:
    """Counts since the worker started, and what the buffer holds now."""

    exported: int
    filtered: int
    dropped: int
    detached: int
    buffered_records: int
    buffered_bytes: int
    live: int
    catching_up: int
    cursors: dict[int, int]
    positions: dict[int, int]
    lag_records: int
    limits: BufferLimits


@dataclass(slots=True)
class _Totals:
    exported: int = 0
    filtered: int = 0
    dropped: int = 0

    def add(self, place: Place) -> None:
        self.exported += place.exported
        self.filtered += place.filtered
        self.dropped += sum(place.dropped.values())


class Feed:
    """Where an intake leaves offers and a lane takes batches.

    The intake calls `begin`, `offer`, `shed`, `detach`, `revoke` and `forget`; the lane's thread everything else. Every
    method is thread-safe and none waits. `work` rings when there may be something to take, `room` when there may be
    room again.
    """

    def __init__(
        self,
        buffer: SinkBuffer[LaneItem],
        sorting: Sorting,
        max_ahead_records: int,
        *,
        work: Signal,
        room: Signal,
    ) -> None:
        self._lock = threading.Lock()
        self._buffer = buffer
        self._sorting = sorting
        self._max_ahead = max_ahead_records
        self._places: dict[int, Place] = {}
        self._noted: dict[int, int] = {}
        self._log_items: deque[LaneItem] = deque()
        self._in_flight: deque[LaneItem] = deque()
        self._in_flight_from_log = False
        self._retired = _Totals()
        self._detached = 0
        self.work = work
        self.room = room

    # ------------------------------------------------------------------------------------------------ the intake

    def begin(self, partition: int, at: int) -> None:
        """The intake is going to offer this partition from `at` on."""
        with self._lock:
            self._noted[partition] = at
            place = self._places.get(partition)
            if place is not None and place.mode is Mode.LIVE and place.position < at:
                self._read_log(partition, place)
        self.work.ring()

    def standing(self, partition: int, tag: int) -> tuple[Mode, int] | None:
        """The lane's mode and position under this assignment; None while it is not attached."""
        with self._lock:
            place = self._places.get(partition)
            return None if place is None or place.tag != tag else (place.mode, place.position)

    def lost_ahead(self, partition: int, first_offset: int, detail: str) -> None:
        """The log lost what the intake was about to offer: a gap for a lane that is live, which keeps its buffer."""
        if self.is_live(partition):
            self.lost_below(partition, first_offset, detail)

    def is_live(self, partition: int) -> bool:
        with self._lock:
            place = self._places.get(partition)
            return place is not None and place.mode is Mode.LIVE

    def has_work(self) -> bool:
        """Whether anything waits for the sink or is on its way to it."""
        with self._lock:
            return len(self._buffer) > 0 or bool(self._log_items)

    def offer(self, offer: Offer, now_s: float) -> Verdict:
        """Take the whole offer, or change nothing for want of room, or only note how far the intake is."""
        with self._lock:
            place = self._live_place(offer, now_s)
            if place is None:
                verdict = Verdict.NOTED
            else:
                items, filtered, unreadable = self._sorted(offer, place)
                if self._too_far_ahead(place) or not self._buffer.admit_all(items):
                    return Verdict.HELD
                self._enter(place, offer, len(items), filtered, unreadable)
                verdict = Verdict.TAKEN
            self._noted[offer.partition] = offer.to_offset
        self.work.ring()
        return verdict

    def shed(self, offer: Offer, now_s: float) -> Verdict:
        """Take the offer by the sink's overflow policy: what does not fit becomes gaps.

        HELD only when the lane has run as far ahead of its cursor as it may; then only detaching helps.
        """
        with self._lock:
            place = self._live_place(offer, now_s)
            if place is None:
                verdict = Verdict.NOTED
            elif self._too_far_ahead(place):
                return Verdict.HELD
            else:
                items, filtered, unreadable = self._sorted(offer, place)
                self._enter(place, offer, 0, filtered, unreadable)
                for item in items:
                    self._admit_or_shed(item)
                verdict = Verdict.TAKEN
            self._noted[offer.partition] = offer.to_offset
        self.work.ring()
        return verdict

    def detach(self, partition: int, now_s: float) -> None:
        """The lane reads this partition from the log from now on; what waited in the buffer is read again."""
        with self._lock:
            place = self._places.get(partition)
            if place is not None and place.mode is Mode.LIVE:
                self._fall_behind(partition, place, now_s)
        self.work.ring()

    def revoke(self, partitions: Iterable[int]) -> None:
        """Take nothing more of these partitions; what is on its way may still be acknowledged."""
        with self._lock:
            for partition in partitions:
                place = self._places.get(partition)
                if place is not None:
                    self._clear_buffer(partition, place)
                    self._clear_log_items(partition, place)
                    place.mode = Mode.HALTED
        self.work.ring()

    def forget(self, partitions: Iterable[int]) -> None:
        """These partitions are no longer ours: a late acknowledgement changes nothing from here on."""
        with self._lock:
            for partition in partitions:
                self._noted.pop(partition, None)
                place = self._places.get(partition)
                if place is not None:
                    self._clear_buffer(partition, place)
                    self._clear_log_items(partition, place)
                    self._retired.add(place)
                    del self._places[partition]
        self.work.ring()
        self.room.ring()

    def at_rest(self, partitions: Iterable[int]) -> bool:
        """Whether nothing of these partitions is on its way, and the last `settle` has seen all that was."""
        wanted = set(partitions)
        with self._lock:
            if any(item.partition in wanted for item in self._in_flight):
                return False
            places = [self._places[p] for p in wanted if p in self._places]
            return all((place.passed if place.held else place.position) <= place.settled for place in places)

    # ------------------------------------------------------------------------------------------------- the lane

    def attach(self, partition: int, tag: int, cursor: int, now_s: float) -> Mode:
        """Stand at `cursor`, as loaded: live at once if the intake is not beyond it, else catching up.

        Only between batches, so that nothing of an earlier assignment is on its way.
        """
        with self._lock:
            if self._in_flight:
                raise AssertionError("a lane attaches between batches")
            noted = self._noted.get(partition)
            mode = Mode.CATCHING_UP if noted is not None and cursor < noted else Mode.LIVE
            self._places[partition] = Place.at(cursor, tag, mode, now_s)
        self.room.ring()
        return mode

    def halt(self, partition: int, tag: int, at: int) -> None:
        """Stand still on this partition until it is assigned anew: its cursor makes no sense on this log."""
        with self._lock:
            self._places[partition] = Place.at(at, tag, Mode.HALTED, 0.0)

    def cursor_at(self, partition: int, tag: int, cursor: int) -> None:
        """The ledger has cleared the way up to `cursor`."""
        with self._lock:
            place = self._places.get(partition)
            if place is not None and place.tag == tag:
                place.cursor = cursor
        self.room.ring()

    def lost_below(self, partition: int, first_offset: int, detail: str) -> int:
        """The log now begins at `first_offset`: what this lane had not read below it is a gap. How many offsets."""
        with self._lock:
            place = self._places.get(partition)
            if place is None or place.position >= first_offset:
                return 0
            gone = first_offset - place.position
            place.gaps.add_lost_range(place.position, first_offset - 1, detail)
            place.position = first_offset
            return gone

    def log_positions(self) -> dict[int, int]:
        """Where the lane reads the log: catching-up partitions that are not too far ahead of their cursor."""
        with self._lock:
            return {
                partition: place.position
                for partition, place in self._places.items()
                if place.mode is Mode.CATCHING_UP and not self._too_far_ahead(place)
            }

    def enter_from_log(self, offer: Offer, now_s: float) -> bool:
        """Take what the lane itself read. True if that made the place live.

        The comparison comes before the export, so that offers are buffered while this read is under way; comparing
        what was acknowledged instead may never end on a busy partition.
        """
        with self._lock:
            place = self._places.get(offer.partition)
            if place is None or place.mode is not Mode.CATCHING_UP or offer.from_offset > place.position:
                return False
            items, filtered, unreadable = self._sorted(offer, place)
            self._log_items.extend(items)
            self._enter(place, offer, len(items), filtered, unreadable)
            noted = self._noted.get(offer.partition)
            rejoins = (
                noted is not None
                and place.position >= noted
                and now_s >= place.rejoin_at_s
                and 2 * len(self._buffer) <= self._buffer.limits.capacity_records
            )
            if rejoins:
                place.mode = Mode.LIVE
                place.live_since_s = now_s
        self.room.ring()
        return rejoins

    def waiting(self) -> Waiting:
        """What could be taken now, for deciding whether to linger or to read on."""
        with self._lock:
            if self._log_items:
                return Waiting(len(self._log_items), from_log=True)
            return Waiting(len(self._buffer), from_log=False)

    def take(self, max_records: int, max_bytes: int) -> tuple[LaneItem, ...]:
        """The next batch in order, cut between events; what was read from the log goes first. Empty: nothing to do.

        The caller answers with `acknowledge`, `write_off` and at the end `give_back`, before it takes again.
        """
        with self._lock:
            if self._in_flight:
                raise AssertionError("a lane takes one batch at a time")
            self._in_flight_from_log = bool(self._log_items)
            if self._in_flight_from_log:
                batch = _front(self._log_items, max_records, max_bytes)
            else:
                batch = tuple(self._buffer.take(max_records, max_bytes))
            self._in_flight.extend(batch)
            return batch

    def acknowledge(self, records: int) -> None:
        """The first `records` of the batch are at the sink."""
        with self._lock:
            for _ in range(records):
                place = self._pass()
                if place is not None:
                    place.exported += 1
            self._release(records)
        self.room.ring()

    def write_off(self, reason: FailureKind, detail: str) -> None:
        """The first record of the batch will never be at the sink: it is a gap."""
        with self._lock:
            item = self._in_flight[0]
            place = self._places.get(item.partition)
            if place is not None:
                place.gaps.add(item.offset, _kinds(item), reason, detail)
            self._pass()
            self._release(1)
        self.room.ring()

    def give_back(self) -> None:
        """Put what is left of the batch back to the front; what is no longer ours is cleared."""
        with self._lock:
            left = {item.partition for item in self._in_flight}
            self._in_flight.clear()
            if not self._in_flight_from_log:
                self._buffer.give_back()
            for partition in left:
                place = self._places.get(partition)
                if place is None or place.mode is Mode.HALTED:
                    self._clear_buffer(partition, place)
                    self._clear_log_items(partition, place)
        self.room.ring()

    def settle(self) -> list[Step]:
        """How far each partition has come since the last call, as steps for the cursors."""
        steps: list[Step] = []
        with self._lock:
            for partition, place in self._places.items():
                cursor = place.passed if place.held else place.position
                if cursor <= place.settled:
                    continue
                place.settled = cursor
                missed = place.gaps.take_below(cursor)
                for m in missed:
                    place.dropped[m.reason] = place.dropped.get(m.reason, 0) + m.records
                while place.times and place.times[0][0] <= cursor:
                    newest = place.times.popleft()[1]
                    place.newest_timestamp_ms = max(newest, place.newest_timestamp_ms or newest)
                steps.append(Step(partition, place.tag, cursor, missed, place.newest_timestamp_ms))
        return steps

    def counts(self) -> list[PlaceCounts]:
        with self._lock:
            return [
                PlaceCounts(
                    partition,
                    place.cursor,
                    place.newest_timestamp_ms,
                    place.exported,
                    place.filtered,
                    tuple(sorted(place.dropped.items())),
                )
                for partition, place in self._places.items()
            ]

    def statistics(self) -> FeedStatistics:
        with self._lock:
            modes = [place.mode for place in self._places.values()]
            totals = replace(self._retired)
            for place in self._places.values():
                totals.add(place)
            return FeedStatistics(
                exported=totals.exported,
                filtered=totals.filtered,
                dropped=totals.dropped,
                detached=self._detached,
                buffered_records=len(self._buffer) + len(self._log_items),
                buffered_bytes=self._buffer.size_bytes,
                live=modes.count(Mode.LIVE),
                catching_up=modes.count(Mode.CATCHING_UP),
                cursors={partition: place.cursor for partition, place in self._places.items()},
                positions={partition: place.position for partition, place in self._places.items()},
                limits=self._buffer.limits,
                lag_records=sum(
                    max(0, self._noted.get(partition, place.position) - place.cursor)
                    for partition, place in self._places.items()
                ),
            )

    # ---------------------------------------------------------------------------------- under the lock, all of it

    def _live_place(self, offer: Offer, now_s: float) -> Place | None:
        place = self._places.get(offer.partition)
        if place is None or place.mode is not Mode.LIVE:
            return None
        if offer.from_offset > place.position:
            self._fall_behind(offer.partition, place, now_s)
            return None
        return place

    def _too_far_ahead(self, place: Place) -> bool:
        return place.position - place.cursor >= self._max_ahead

    def _sorted(self, offer: Offer, place: Place) -> tuple[list[LaneItem], int, list[Unreadable]]:
        items: list[LaneItem] = []
        unreadable: list[Unreadable] = []
        filtered = 0
        position = place.position
        sort = self._sorting.sort
        for offset, projected in offer.entries:
            if offset < position:
                continue
            match sort(projected):
                case Unreadable() as gap:
                    unreadable.append(gap)
                case (chosen, left_out):
                    items.extend(chosen)
                    filtered += left_out
        return items, filtered, unreadable

    def _enter(self, place: Place, offer: Offer, held: int, filtered: int, unreadable: list[Unreadable]) -> None:
        place.held += held
        place.filtered += filtered
        for gap in unreadable:
            place.gaps.add(gap.offset, WHOLE_EVENT, FailureKind.UNDECODABLE, gap.reason)
        if offer.to_offset > place.position:
            if place.held == held:  # nothing was under way before this: all below the old position is dealt with
                place.passed = place.position
            place.position = offer.to_offset
            place.times.append((offer.to_offset, offer.newest_timestamp_ms))

    def _admit_or_shed(self, item: LaneItem) -> None:
        match self._buffer.offer(item):
            case Admitted():
                self._places[item.partition].held += 1
            case AdmittedBySacrifice(sacrificed=sacrificed):
                self._places[item.partition].held += 1
                self._miss(sacrificed, held=True)
            case TerminalLost(sacrificed=sacrificed):
                self._miss(sacrificed, held=True)
                self._miss([item], held=False)
            case ProgressDropped() | SinkMarkedFailed():
                self._miss([item], held=False)
            case Coalesced(removed=removed, admitted=admitted):
                self._miss([removed] if removed is not None else [], held=True)
                if admitted:
                    self._places[item.partition].held += 1
                else:
                    self._miss([item], held=False)
            case RoomNeeded():
                raise AssertionError("a lane that replays from the log detaches instead of shedding")

    def _miss(self, items: Iterable[LaneItem], *, held: bool) -> None:
        for item in items:
            place = self._places.get(item.partition)
            if place is not None:
                place.held -= held
                place.gaps.add(item.offset, _kinds(item), FailureKind.OVERFLOW, "buffer_full")

    def _fall_behind(self, partition: int, place: Place, now_s: float) -> None:
        soon = now_s - place.live_since_s < SPELL_PER_DWELL * place.dwell_s
        place.dwell_s = min(2 * place.dwell_s, LONGEST_DWELL_S) if soon else FIRST_DWELL_S
        place.rejoin_at_s = now_s + place.dwell_s
        self._detached += 1
        self._read_log(partition, place)

    def _read_log(self, partition: int, place: Place) -> None:
        self._clear_buffer(partition, place)
        place.mode = Mode.CATCHING_UP

    def _clear_buffer(self, partition: int, place: Place | None) -> None:
        cleared = self._buffer.clear(lambda item: item.partition == partition)
        if cleared and place is not None:
            self._step_back(place, cleared)

    def _clear_log_items(self, partition: int, place: Place | None) -> None:
        on_their_way = len(self._in_flight) if self._in_flight_from_log else 0
        kept: deque[LaneItem] = deque()
        cleared: list[LaneItem] = []
        for index, item in enumerate(self._log_items):
            (cleared if index >= on_their_way and item.partition == partition else kept).append(item)
        self._log_items = kept
        if cleared and place is not None:
            self._step_back(place, cleared)

    def _step_back(self, place: Place, cleared: Sequence[LaneItem]) -> None:
        place.held -= len(cleared)
        place.position = min(place.position, *[item.offset for item in cleared])
        place.gaps.forget_from(place.position)
        while place.times and place.times[-1][0] > place.position:
            place.times.pop()

    def _pass(self) -> Place | None:
        item = self._in_flight.popleft()
        place = self._places.get(item.partition)
        if place is None:
            return None
        place.held -= 1
        unfinished = bool(self._in_flight) and (
            self._in_flight[0].partition == item.partition and self._in_flight[0].offset == item.offset
        )
        place.passed = item.offset if unfinished else item.offset + 1
        return place

    def _release(self, records: int) -> None:
        if self._in_flight_from_log:
            for _ in range(records):
                self._log_items.popleft()
        else:
            self._buffer.acknowledge(records)


def _kinds(item: LaneItem) -> tuple[ProjectionKind, ...]:
    return (item.kind,) if isinstance(item, ProjectedRecord) else WHOLE_EVENT


def _front(items: deque[LaneItem], max_records: int, max_bytes: int) -> tuple[LaneItem, ...]:
    """The items at the front within both bounds, at least one event, never half of one."""
    batch: list[LaneItem] = []
    size = 0
    for item in items:
        same_event = bool(batch) and (batch[-1].partition, batch[-1].offset) == (item.partition, item.offset)
        if batch and not same_event and (len(batch) >= max_records or size + item.size_bytes > max_bytes):
            break
        batch.append(item)
        size += item.size_bytes
    return tuple(batch)
