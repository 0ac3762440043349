"""A lane's standing on all its partitions, and its queue: what a feed keeps under its lock.

Every step here is a whole one: between two of them no offer, no read and no acknowledgement is half done. Nothing here
locks, waits or rings; that is the feed's.
"""

from collections.abc import Iterable
from enum import Enum, auto

from tailrace.domain.buffer import RoomNeeded, SinkBuffer, SinkMarkedFailed, dropped_by
from tailrace.domain.kinds import FailureKind
from tailrace.domain.projected import LaneItem
from tailrace.runtime.feed_statistics import FeedStatistics, Tally
from tailrace.runtime.lane_queue import LaneQueue, runs_of
from tailrace.runtime.noted import Noted
from tailrace.runtime.offers import Offer, Sorting
from tailrace.runtime.place import Mode, Place, Tried


class Verdict(Enum):
    """What became of an offer."""

    TAKEN = auto()
    NOTED = auto()  # the lane reads the log itself
    HELD = auto()  # no room: nothing changed


class Standing:
    """Places, how far the intake is on each, and what waits for the sink. Guarded by the feed's lock."""

    def __init__(self, buffer: SinkBuffer[LaneItem], sorting: Sorting, max_ahead_records: int) -> None:
        self.queue = LaneQueue(buffer)
        self.places: dict[int, Place] = {}
        self.noted: dict[int, Noted] = {}
        self.ends: dict[int, int] = {}
        self.overflowed: LaneItem | None = None
        self.exported = False
        self._sorting = sorting
        self._max_ahead = max_ahead_records
        self._tally = Tally()

    # --------------------------------------------------------------------------------------------------- the intake

    def begin(self, partition: int, at: int) -> None:
        self.noted[partition] = Noted.at(at)
        place = self.places.get(partition)
        if place is not None and place.mode is Mode.LIVE and place.position < at:
            self.read_log(place)

    def lost_ahead(self, partition: int, first_offset: int, detail: str) -> None:
        self.noted[partition] = Noted.at(first_offset)
        place = self.places.get(partition)
        if place is not None and place.mode is Mode.LIVE:
            place.lose_below(first_offset, detail)

    def offer(self, offer: Offer, now_s: float) -> Verdict:
        """Take the whole offer, or change nothing for want of room, or only note how far the intake is."""
        place = self._live_place(offer, now_s)
        verdict = Verdict.NOTED if place is None else self._take_whole(place, offer, now_s)
        if verdict is not Verdict.HELD:
            self._note(offer)
        return verdict

    def shed(self, offer: Offer, now_s: float) -> Verdict:
        """Take the offer by the sink's overflow policy, unless the lane is too far ahead of its cursor."""
        place = self._live_place(offer, now_s)
        if place is None:
            verdict = Verdict.NOTED
        elif self._too_far_ahead():
            return Verdict.HELD
        else:
            taken = self._tried(place, offer).taken
            place.enter(offer, taken, held=0)
            for item in taken.load.items:
                self._admit_or_shed(item, place)
            verdict = Verdict.TAKEN
        self._note(offer)
        return verdict

    def detach(self, partition: int, now_s: float) -> None:
        place = self.places.get(partition)
        if place is not None and place.mode is Mode.LIVE:
            self._fall_behind(place, now_s)

    def revoke(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            place = self.places.get(partition)
            if place is not None:
                self._clear(place)
                place.mode = Mode.HALTED

    def forget(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            self.noted.pop(partition, None)
            self.ends.pop(partition, None)
            self.let_go(partition)

    # ----------------------------------------------------------------------------------------------------- the lane

    def attach(self, partition: int, tag: int, cursor: int, now_s: float) -> Mode:
        if self.queue.in_flight:
            raise AssertionError("a lane attaches between batches")
        noted = self.noted.get(partition)
        mode = Mode.CATCHING_UP if noted is not None and cursor < noted.position else Mode.LIVE
        self.places[partition] = Place.at(partition, cursor, tag, mode, now_s)
        return mode

    def log_positions(self) -> dict[int, int]:
        """Where the lane reads the log: its catching-up partitions, and nowhere while it is too far ahead."""
        if self._too_far_ahead():
            return {}
        return {
            partition: place.position
            for partition, place in self.places.items()
            if place.mode is Mode.CATCHING_UP and place.position < self.ends.get(partition, place.position + 1)
        }

    def enter_from_log(self, offer: Offer, now_s: float) -> bool:
        """Take what the lane itself read. True if that made the place live."""
        place = self.places.get(offer.partition)
        if place is None or place.mode is not Mode.CATCHING_UP or offer.from_offset > place.position:
            return False
        offer = offer.below(self.ends.get(offer.partition, offer.to_offset))
        taken = self._sorting.sort(offer.at(place.position))
        self.queue.read_from_log(taken.load)
        place.enter(offer, taken, held=len(taken.load))
        return self._rejoin(place, now_s)

    def rejoin(self, now_s: float) -> tuple[int, ...]:
        behind = [place for place in self.places.values() if place.mode is Mode.CATCHING_UP]
        return tuple([place.partition for place in behind if self._rejoin(place, now_s)])

    def acknowledge(self, records: int) -> None:
        """The first `records` of the batch are at the sink."""
        gone, unfinished = self.queue.let_go(records)
        self.exported = self.exported or bool(gone)
        left = len(gone)
        for run in runs_of(gone):
            left -= len(run)
            last = run[-1]
            place = self.places.get(last.partition)
            if place is not None:
                place.passes(len(run), last.offset, unfinished=unfinished and left == 0)
                place.exported += len(run)

    def write_off(self, reason: FailureKind, detail: str) -> None:
        """The first record of the batch will never be at the sink: it is a gap."""
        gone, unfinished = self.queue.let_go(1)
        item = gone[0]
        place = self.places.get(item.partition)
        if place is not None:
            place.passes(1, item.offset, unfinished=unfinished)
            place.misses(item, reason, detail)

    def give_back(self) -> None:
        """Put what is left of the batch back to the front, but for what is not to be sent from there any more."""
        for partition in self.queue.give_back():
            place = self.places.get(partition)
            if place is None:
                self.queue.clear(partition)
            elif place.mode is Mode.HALTED:
                self._clear(place)
            elif place.mode is Mode.CATCHING_UP:
                self.read_log(place)

    def let_go(self, partition: int) -> None:
        """Forget the place; what it came to stays counted."""
        place = self.places.pop(partition, None)
        if place is not None:
            self._clear(place)
            self._tally.add(place)

    def statistics(self) -> FeedStatistics:
        return self._tally.statistics(self.places.values(), self.noted, self.queue)

    # ---------------------------------------------------------------------------------------------------- the steps

    def _note(self, offer: Offer) -> None:
        self.noted[offer.partition] = self.noted.get(offer.partition, Noted.at(offer.from_offset)).after(offer)

    def _too_far_ahead(self) -> bool:
        """Whether the lane is as far beyond its cursors as it may, all partitions together: memory is for them all."""
        return sum([place.ahead for place in self.places.values()]) >= self._max_ahead

    def _live_place(self, offer: Offer, now_s: float) -> Place | None:
        place = self.places.get(offer.partition)
        if place is None or place.mode is not Mode.LIVE:
            return None
        if offer.from_offset > place.position:
            self._fall_behind(place, now_s)
            return None
        return place

    def _take_whole(self, place: Place, offer: Offer, now_s: float) -> Verdict:
        if self._too_far_ahead():
            return Verdict.HELD
        taken = self._tried(place, offer).taken
        if self.queue.buffer.admit(taken.load):
            self.queue.pressing = False
            place.enter(offer, taken, held=len(taken.load))
            return Verdict.TAKEN
        if len(self.queue.buffer):
            self.queue.pressing = True
            return Verdict.HELD
        # It does not fit an empty buffer: waiting for room would be in vain, and reading the log needs no room.
        self._fall_behind(place, now_s)
        return Verdict.NOTED

    def _tried(self, place: Place, offer: Offer) -> Tried:
        """The offer sorted, now or when it was tried before: that is at every ring while it is held."""
        tried = place.tried
        if tried is None or tried.offer is not offer or tried.position != place.position:
            tried = place.tried = Tried(offer, place.position, self._sorting.sort(offer.at(place.position)))
        return tried

    def _rejoin(self, place: Place, now_s: float) -> bool:
        noted = self.noted.get(place.partition)
        if noted is None or place.position < noted.events_end:
            return False
        if not (place.dwell.over(now_s) and self.queue.half_empty):
            return False
        place.position = max(place.position, noted.position)
        place.mode = Mode.LIVE
        place.dwell.rejoined(now_s)
        return True

    def _admit_or_shed(self, item: LaneItem, place: Place) -> None:
        outcome = self.queue.buffer.offer(item)
        assert not isinstance(outcome, RoomNeeded), "a lane that replays from the log detaches instead of shedding"
        if isinstance(outcome, SinkMarkedFailed):
            self.overflowed = item
        place.held += 1
        for lost in dropped_by(outcome, item):
            # Room is made at the cost of any partition; the one that was offered may be among the lost.
            of_lost = self.places.get(lost.partition)
            if of_lost is not None:
                of_lost.loses(lost, FailureKind.OVERFLOW, "buffer_full")

    def _fall_behind(self, place: Place, now_s: float) -> None:
        place.dwell.fell_behind(now_s)
        self._tally.detached += 1
        self.read_log(place)

    def read_log(self, place: Place) -> None:
        """From now on the place is fed by the lane's own reads, from the first offset that was still waiting."""
        cleared = self.queue.clear_buffered(place.partition)
        if cleared:
            place.step_back(cleared)
        place.mode = Mode.CATCHING_UP
        # It reads the offer that had no room from the log: kept, it would be in memory for as long as the sink is down.
        place.tried = None

    def _clear(self, place: Place) -> None:
        place.tried = None
        cleared = self.queue.clear(place.partition)
        if cleared:
            place.step_back(cleared)
