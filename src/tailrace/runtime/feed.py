"""One lane's mode, position and buffer: a single object under a single lock, shared by the intake and the lane.

Two locks would lose an event (the intake ignores an offer because the lane is catching up; the lane, reading, reaches
the last offer it was told of and goes live; only then does the intake tell it of the one it ignored; the next offer
begins behind that one and the cursor passes it). Here both steps are one critical section each.

    offer.from <= position   the lane takes it, what lies below the position is skipped
    offer.from >  position   something in between was never offered: the place detaches
    detached                 the lane reads the log from the position; it only notes where offers end
    position >= noted        it has read every event the intake has: it is live, compared before that read is exported

Where to go after a detach is the first offset that was still waiting in the buffer, so nothing is dropped by it.
"""

import threading
from collections.abc import Iterable

from tailrace.domain.batch import Batch
from tailrace.domain.buffer import SinkBuffer
from tailrace.domain.kinds import FailureKind
from tailrace.domain.projected import LaneItem
from tailrace.runtime.feed_statistics import FeedStatistics
from tailrace.runtime.lane_queue import Waiting, partitions_of
from tailrace.runtime.offers import Offer, Sorting
from tailrace.runtime.place import Mode, Place, PlaceCounts, Step
from tailrace.runtime.signal import Signal
from tailrace.runtime.standing import Standing, Verdict

__all__ = ["Feed", "FeedStatistics", "Mode", "PlaceCounts", "Step", "Verdict", "Waiting"]


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
        self._standing = Standing(buffer, sorting, max_ahead_records)
        self.work = work
        self.room = room

    # ------------------------------------------------------------------------------------------------ the intake

    def begin(self, partition: int, at: int) -> None:
        """The intake is going to offer this partition from `at` on."""
        with self._lock:
            self._standing.begin(partition, at)
        self.work.ring()

    def end_at(self, partition: int, offset: int) -> None:
        """Nothing from `offset` on is read of this partition until it is assigned anew, also not from the log."""
        with self._lock:
            self._standing.ends[partition] = offset

    def standing(self, partition: int, tag: int) -> tuple[Mode, int] | None:
        """The lane's mode and position under this assignment; None while it is not attached."""
        with self._lock:
            place = self._standing.places.get(partition)
            return None if place is None or place.tag != tag else (place.mode, place.position)

    def lost_ahead(self, partition: int, first_offset: int, detail: str) -> None:
        """The log lost what the intake was about to offer, and it goes on at `first_offset`.

        For a lane that is live, which keeps its buffer, that is a gap; one that reads the log meets the loss itself.
        """
        with self._lock:
            self._standing.lost_ahead(partition, first_offset, detail)

    def is_live(self, partition: int) -> bool:
        with self._lock:
            place = self._standing.places.get(partition)
            return place is not None and place.mode is Mode.LIVE

    def has_work(self) -> bool:
        """Whether anything waits for the sink or is on its way to it."""
        with self._lock:
            return len(self._standing.queue) > 0

    def has_exported(self) -> bool:
        """Whether the sink has taken anything of this feed since the worker started."""
        with self._lock:
            return self._standing.exported

    def offer(self, offer: Offer, now_s: float) -> Verdict:
        """Take the whole offer, or change nothing for want of room, or only note how far the intake is."""
        with self._lock:
            queue = self._standing.queue
            pressed = queue.pressing
            verdict = self._standing.offer(offer, now_s)
            # Told once for each batch: an offer that is held is tried at every ring of anybody.
            news = verdict is not Verdict.HELD or queue.pressing is not pressed
        if news:
            self.work.ring()
        return verdict

    def shed(self, offer: Offer, now_s: float) -> Verdict:
        """Take the offer by the sink's overflow policy: what does not fit becomes gaps.

        HELD only when the lane has run as far ahead of its cursor as it may; then only detaching helps.
        """
        with self._lock:
            verdict = self._standing.shed(offer, now_s)
        if verdict is not Verdict.HELD:
            self.work.ring()
        return verdict

    def detach(self, partition: int, now_s: float) -> None:
        """The lane reads this partition from the log from now on; what waited in the buffer is read again."""
        with self._lock:
            self._standing.detach(partition, now_s)
        self.work.ring()

    def revoke(self, partitions: Iterable[int]) -> None:
        """Take nothing more of these partitions; what is on its way may still be acknowledged."""
        with self._lock:
            self._standing.revoke(partitions)
        self.work.ring()

    def forget(self, partitions: Iterable[int]) -> None:
        """These partitions are no longer ours: a late acknowledgement changes nothing from here on."""
        with self._lock:
            self._standing.forget(partitions)
        self.work.ring()
        self.room.ring()

    def at_rest(self, partitions: Iterable[int]) -> bool:
        """Whether nothing of these partitions is on its way, and the cursors have come as far as what was.

        It is not enough that `settle` has seen it: between that and the cursor's own wait for the ledger, the lane's
        thread may be anywhere, and a hand-over in between would leave the last records to be sent twice.
        """
        wanted = set(partitions)
        with self._lock:
            if wanted & partitions_of(self._standing.queue.in_flight):
                return False
            places = [self._standing.places[p] for p in wanted if p in self._standing.places]
            return all(place.dealt_with <= place.cursor for place in places)

    def under_way(self, partitions: Iterable[int]) -> bool:
        """Whether the batch that was taken last still has records of these partitions."""
        wanted = set(partitions)
        with self._lock:
            return bool(wanted & partitions_of(self._standing.queue.in_flight))

    # ------------------------------------------------------------------------------------------------- the lane

    def attach(self, partition: int, tag: int, cursor: int, now_s: float) -> Mode:
        """Stand at `cursor`, as loaded: live at once if the intake is not beyond it, else catching up.

        Only between batches, so that nothing of an earlier assignment is on its way.
        """
        with self._lock:
            mode = self._standing.attach(partition, tag, cursor, now_s)
        self.room.ring()
        return mode

    def leave(self, partition: int, tag: int) -> None:
        """Undo an attachment that came too late: its assignment is over, though the next may be under way already."""
        with self._lock:
            place = self._standing.places.get(partition)
            if place is not None and place.tag == tag:
                self._standing.let_go(partition)
        self.room.ring()

    def halt(self, partition: int, tag: int, at: int) -> None:
        """Stand still on this partition until it is assigned anew: its cursor makes no sense on this log."""
        with self._lock:
            self._standing.let_go(partition)
            self._standing.places[partition] = Place.at(partition, at, tag, Mode.HALTED, 0.0)

    def stand_still(self, partition: int) -> None:
        """Read no further on this partition until it is assigned anew; what was taken is still exported."""
        with self._lock:
            place = self._standing.places.get(partition)
            if place is not None and place.mode is Mode.CATCHING_UP:
                place.mode = Mode.HALTED

    def cursor_at(self, partition: int, tag: int, cursor: int) -> None:
        """The ledger has cleared the way up to `cursor`."""
        with self._lock:
            place = self._standing.places.get(partition)
            if place is not None and place.tag == tag:
                place.cursor = cursor
        self.room.ring()

    def lost_below(self, partition: int, first_offset: int, detail: str) -> int:
        """The log now begins at `first_offset`: what this lane had not read below it is a gap. How many offsets."""
        with self._lock:
            place = self._standing.places.get(partition)
            return 0 if place is None else place.lose_below(first_offset, detail)

    def log_positions(self) -> dict[int, int]:
        """Where the lane reads the log: catching-up partitions that are not too far ahead of their cursor."""
        with self._lock:
            return self._standing.log_positions()

    def enter_from_log(self, offer: Offer, now_s: float) -> bool:
        """Take what the lane itself read. True if that made the place live.

        The comparison comes before the export, so that offers are buffered while this read is under way; comparing
        what was acknowledged instead may never end on a busy partition.
        """
        with self._lock:
            rejoined = self._standing.enter_from_log(offer, now_s)
        self.room.ring()
        return rejoined

    def rejoin(self, now_s: float) -> tuple[int, ...]:
        """Make live what has read as far as the intake is, now that its dwell is over; which partitions that was.

        A place may reach the intake while it still has to dwell, and then there may be nothing more to read: without
        this it would wait for the next event, and hold up whoever waits for an offer that is paced by it.
        """
        with self._lock:
            rejoined = self._standing.rejoin(now_s)
        if rejoined:
            self.room.ring()
        return rejoined

    def waiting(self) -> Waiting:
        """What could be taken now, for deciding whether to linger or to read on."""
        with self._lock:
            return self._standing.queue.waiting

    def take(self, max_records: int, max_bytes: int) -> Batch[LaneItem]:
        """The next batch in order, cut between events; what was read from the log goes first. Empty: nothing to do.

        The caller answers with `acknowledge`, `write_off` and at the end `give_back`, before it takes again.
        """
        with self._lock:
            return self._standing.queue.take(max_records, max_bytes)

    def acknowledge(self, records: int) -> None:
        """The first `records` of the batch are at the sink."""
        with self._lock:
            self._standing.acknowledge(records)
        self.room.ring()

    def write_off(self, reason: FailureKind, detail: str) -> None:
        """The first record of the batch will never be at the sink: it is a gap."""
        with self._lock:
            self._standing.write_off(reason, detail)
        self.room.ring()

    def give_back(self) -> None:
        """Put what is left of the batch back to the front, but for what is not to be sent from there any more.

        The intake takes part of a batch under way to be as good as sent. When it has detached its partition meanwhile
        and the batch fails, the records would wait in the buffer while what comes after them is read from the log and
        sent first; so they are read again, too. And what was revoked meanwhile is nobody's.
        """
        with self._lock:
            self._standing.give_back()
        self.room.ring()

    def overflowed(self) -> LaneItem | None:
        """The last item that was dropped under `fail_sink_not_run` since this was asked; its sink counts as failed."""
        with self._lock:
            item, self._standing.overflowed = self._standing.overflowed, None
            return item

    def settle(self) -> list[Step]:
        """How far each partition has come since the last call, as steps for the cursors."""
        with self._lock:
            return [step for place in self._standing.places.values() if (step := place.settle()) is not None]

    # -------------------------------------------------------------------------------------------------- for showing

    def counts(self) -> list[PlaceCounts]:
        with self._lock:
            return [place.counts() for place in self._standing.places.values()]

    def statistics(self) -> FeedStatistics:
        with self._lock:
            return self._standing.statistics()
