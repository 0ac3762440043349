"""What one lane's feed shows of itself."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tailrace.domain.buffer import BufferLimits
from tailrace.runtime.lane_queue import LaneQueue
from tailrace.runtime.noted import Noted
from tailrace.runtime.place import Mode, Place


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
class Tally:
    """What the places that were given up had come to, and how often any place detached. Guarded by the feed's lock."""

    exported: int = 0
    filtered: int = 0
    dropped: int = 0
    detached: int = 0

    def add(self, place: Place) -> None:
        self.exported += place.exported
        self.filtered += place.filtered
        self.dropped += sum(place.dropped.values())

    def statistics(self, places: Collection[Place], noted: Mapping[int, Noted], queue: LaneQueue) -> FeedStatistics:
        """The feed as a whole; `noted` is where the intake is, per partition."""
        total = Tally(self.exported, self.filtered, self.dropped, self.detached)
        for place in places:
            total.add(place)
        modes = [place.mode for place in places]
        return FeedStatistics(
            exported=total.exported,
            filtered=total.filtered,
            dropped=total.dropped,
            detached=total.detached,
            buffered_records=len(queue),
            buffered_bytes=queue.buffer.size_bytes,
            live=modes.count(Mode.LIVE),
            catching_up=modes.count(Mode.CATCHING_UP),
            cursors={place.partition: place.cursor for place in places},
            positions={place.partition: place.position for place in places},
            limits=queue.buffer.limits,
            lag_records=sum(max(0, noted[p.partition].position - p.cursor) for p in places if p.partition in noted),
        )
