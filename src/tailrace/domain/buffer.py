"""One sink's bounded buffer: in order, by records and bytes, with a share that only terminal-preserved items may use.

The same class stands under `TelemetryFanout` and under a worker's lanes (docs/DESIGN.md, The buffer). It knows no
Kafka, no clock and no thread: its owner's lock, if it needs one, guards every call.

    front                                                                         back
    | in flight: handed to the exporter  | queued: waiting                           | <- offer
    |   counts, and is never dropped     |   counts; progress in it may be dropped   |
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Generic

from tailrace.domain.batch import Batch, Parts, minus, plus, sums_of
from tailrace.domain.buffer_limits import BufferLimits, BufferStatistics
from tailrace.domain.errors import ContractBroken, InvalidField
from tailrace.domain.kinds import OverflowPolicy
from tailrace.domain.load import NOTHING, Buffered, Load, Sums
from tailrace.domain.overflow import (
    Admitted,
    AdmittedBySacrifice,
    Coalesced,
    OfferOutcome,
    ProgressDropped,
    RoomNeeded,
    SinkMarkedFailed,
    TerminalLost,
    dropped_by,
)
from tailrace.domain.shedding_line import SheddingLine
from tailrace.domain.waiting_line import PlainLine, T, WaitingLine, pop_events

__all__ = [
    "Admitted",
    "AdmittedBySacrifice",
    "BufferLimits",
    "BufferStatistics",
    "Buffered",
    "Coalesced",
    "Load",
    "OfferOutcome",
    "ProgressDropped",
    "RoomNeeded",
    "SinkBuffer",
    "SinkMarkedFailed",
    "TerminalLost",
    "dropped_by",
]

_UNBOUNDED = 2**63  # more bytes than any process holds


class SinkBuffer(Generic[T]):
    """Holds what one sink has not acknowledged yet, in the order in which it was admitted.

    Every method is O(1) amortised per item it is given or returns, at any capacity, except `clear` and the iterations,
    which pass over all items. Not thread-safe: the owner's lock guards it.

    `event_key` tells which items belong together: neighbours with equal keys are never split over two batches. Without
    it each item stands for itself.
    """

    def __init__(
        self, limits: BufferLimits, policy: OverflowPolicy, event_key: Callable[[T], Hashable] | None = None
    ) -> None:
        self.limits = limits
        self.policy = policy
        self._event_key = event_key
        self._capacity_bytes = _UNBOUNDED if limits.capacity_bytes is None else limits.capacity_bytes
        self._progress_share = limits.progress_records
        self._progress_share_bytes = _UNBOUNDED if limits.progress_bytes is None else limits.progress_bytes
        self._in_flight: Parts[T] = Parts()
        self._in_flight_sums = NOTHING
        self._line: WaitingLine[T] = _line_for(policy)
        self._bytes = 0
        self._progress = 0
        self._progress_bytes = 0

    def __len__(self) -> int:
        """Records that count against the capacity: queued and in flight."""
        return len(self._in_flight) + len(self._line)

    def __iter__(self) -> Iterator[T]:
        """Every item from the front, in flight first; passes over all of them."""
        yield from self._in_flight
        yield from self.queued()

    def queued(self) -> Iterator[T]:
        """The items that wait, from the front; passes over all of them."""
        return iter(self._line.items())

    @property
    def size_bytes(self) -> int:
        """Bytes that count against the byte bound: queued and in flight."""
        return self._bytes

    @property
    def progress_len(self) -> int:
        """Records that count against the share of progress: queued and in flight."""
        return self._progress

    @property
    def in_flight(self) -> int:
        """Records handed out by `take` and neither acknowledged nor given back."""
        return len(self._in_flight)

    def statistics(self) -> BufferStatistics:
        return BufferStatistics(
            limits=self.limits,
            records=len(self),
            bytes=self._bytes,
            progress_records=self._progress,
            progress_bytes=self._progress_bytes,
            in_flight_records=len(self._in_flight),
            in_flight_bytes=self._in_flight_sums[1],
        )

    # ---------------------------------------------------------------------------------------------- entering

    def offer(self, item: T) -> OfferOutcome[T]:
        """Let one item in if there is room, else do what the policy says; whatever is dropped is in the outcome.

        Terminal-preserved items have room while the capacity is not reached; progress needs its own share free as well.
        An item larger than the byte bound has room in an empty buffer, or it would wait for ever.
        Source: docs/DESIGN.md, The buffer, B2 to B4.
        """
        sums = sums_of(item)
        if self._has_room([item], sums):
            self._enter(item, sums)
            return _ADMITTED
        if self.policy is OverflowPolicy.REPLAY_FROM_LOG:
            return _ROOM_NEEDED
        if item.terminal_preserved:
            return self._sacrifice_for(item, sums)
        match self.policy:
            case OverflowPolicy.DROP_NON_TERMINAL_PROGRESS:
                return _PROGRESS_DROPPED
            case OverflowPolicy.FAIL_SINK_NOT_RUN:
                return _SINK_MARKED_FAILED
            case OverflowPolicy.COALESCE_PROGRESS_BY_RUN:
                return self._coalesce(item, sums)

    def fits(self, items: Sequence[T]) -> bool:
        """Whether `admit_all` would let these in."""
        return self._has_room(items, Load.of(items).sums)

    def can_ever_fit(self, items: Sequence[T]) -> bool:
        """Whether `admit_all` would let these in were the buffer empty; if not, waiting for room is in vain."""
        return SinkBuffer(self.limits, self.policy, self._event_key).fits(items)

    def admit_all(self, items: Sequence[T]) -> bool:
        """Let all of `items` in and return True; or none, and return False, if together they have no room.

        The items of one event may enter an empty buffer whatever their bytes, or they would wait for ever.
        """
        return self.admit(Load.of(tuple(items)))

    def admit(self, load: Load[T]) -> bool:
        """Like `admit_all`, for items that are weighed already; O(1) when there is no room."""
        if not self._has_room(load.items, load.sums):
            return False
        self._line.extend_back(load)
        self._count(load.sums)
        return True

    # ----------------------------------------------------------------------------------------------- leaving

    def take(self, max_records: int, max_bytes: int | None = None) -> Batch[T]:
        """Hand the items at the front to the exporter; they stay counted until they are acknowledged.

        At least one event if anything is queued, however large it is; beyond that whole events within both bounds.
        Empty if nothing is queued. More may be taken while earlier batches are in flight.
        Raises InvalidField if `max_records` is below 1.
        """
        if max_records < 1:
            raise InvalidField("max_records", "must be above zero")
        taken = pop_events(self._line, max_records, _UNBOUNDED if max_bytes is None else max_bytes, self._event_key)
        self._in_flight.extend_back(taken.parts)
        self._in_flight_sums = plus(self._in_flight_sums, taken.sums)
        return taken

    def acknowledge(self, count: int) -> None:
        """Let the first `count` items in flight go: they are at the sink.

        Raises ContractBroken if fewer are in flight, or if `count` is negative.
        """
        if not 0 <= count <= len(self._in_flight):
            raise ContractBroken("acknowledge", f"{len(self._in_flight)} records are in flight, not {count}")
        gone = self._in_flight.drop(count)
        self._in_flight_sums = minus(self._in_flight_sums, gone)
        self._discount(gone)

    def give_back(self) -> int:
        """Put everything in flight back to the front of the queue, in order; how many that were."""
        returned = self._in_flight.pop(len(self._in_flight))
        self._line.extend_front(returned)
        self._in_flight_sums = NOTHING
        return len(returned)

    def clear(self, matches: Callable[[T], bool] | None = None) -> tuple[T, ...]:
        """Remove the queued items that match, or all of them, and return them in order.

        What is in flight stays. Passes over all queued items: meant for a detach or a revocation, not for every record.
        """
        removed = self._line.remove(matches or _everything)
        self._discount(removed.sums)
        return tuple(removed)

    # --------------------------------------------------------------------------------------------- the rules

    def _has_room(self, items: Sequence[T], sums: Sums) -> bool:
        # The sums decide for all of them at once. Nothing needs no room, also behind an item larger than the bound.
        records, size, progress, progress_bytes = sums
        if len(self) + records > self.limits.capacity_records or (
            progress and self._progress + progress > self._progress_share
        ):
            return False
        if not records:
            return True
        fits = self._bytes + size <= self._capacity_bytes and not (
            progress and self._progress_bytes + progress_bytes > self._progress_share_bytes
        )
        # Asked last: it looks at items, which may have to be made for it.
        return fits or (len(self) == 0 and self._is_one_event(items))

    def _sacrifice_for(self, item: T, sums: Sums) -> OfferOutcome[T]:
        sacrificed: list[T] = []
        while not self._has_room([item], sums):
            oldest = self._line.pop_oldest_progress()
            if oldest is None:
                return TerminalLost(tuple(sacrificed))
            self._discount(sums_of(oldest))
            sacrificed.append(oldest)
        self._enter(item, sums)
        return AdmittedBySacrifice(tuple(sacrificed))

    def _coalesce(self, item: T, sums: Sums) -> OfferOutcome[T]:
        oldest = self._line.pop_oldest_of_run(item.run_key)
        if oldest is not None:
            self._discount(sums_of(oldest))
        admitted = self._has_room([item], sums)
        if admitted:
            self._enter(item, sums)
        return Coalesced(oldest, admitted=admitted)

    def _is_one_event(self, items: Sequence[T]) -> bool:
        if len(items) <= 1 or self._event_key is None:
            return len(items) <= 1
        key = self._event_key(items[0])
        return all(self._event_key(items[place]) == key for place in range(1, len(items)))

    # ----------------------------------------------------------------------------------------------- the sums

    def _enter(self, item: T, sums: Sums) -> None:
        self._line.append(item)
        self._count(sums)

    def _count(self, sums: Sums) -> None:
        _, size, progress, progress_bytes = sums
        self._bytes += size
        self._progress += progress
        self._progress_bytes += progress_bytes

    def _discount(self, gone: Sums) -> None:
        _, size, progress, progress_bytes = gone
        self._bytes -= size
        self._progress -= progress
        self._progress_bytes -= progress_bytes


def _line_for(policy: OverflowPolicy) -> WaitingLine[T]:
    if policy is OverflowPolicy.REPLAY_FROM_LOG:
        return PlainLine()
    return SheddingLine(coalesces=policy is OverflowPolicy.COALESCE_PROGRESS_BY_RUN)


def _everything(_item: object) -> bool:
    return True


_ADMITTED = Admitted()
_ROOM_NEEDED = RoomNeeded()
_PROGRESS_DROPPED = ProgressDropped()
_SINK_MARKED_FAILED = SinkMarkedFailed()
