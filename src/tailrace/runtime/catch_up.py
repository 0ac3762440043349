"""A lane reading the log itself: after a restart, an outage, an overflow, or because its sink is new."""

from collections.abc import Sequence
from dataclasses import dataclass

from tailrace.runtime.catch_up_pace import CatchUpPace
from tailrace.runtime.clock import Clock
from tailrace.runtime.cutting import project_all, whole_offer
from tailrace.runtime.feed import Feed
from tailrace.runtime.ports import Damaged, Fetched, LaneLog, OutOfRange, Polled, Projector


@dataclass(frozen=True, slots=True)
class Read:
    """What one read of the log came to."""

    events: int = 0
    out_of_range: tuple[int, ...] = ()
    damaged: tuple[int, ...] = ()  # met for the second time at the same offset


class CatchUp:
    """Reads the log at a feed's catching-up positions and enters what it read. The lane's thread alone."""

    def __init__(
        self,
        *,
        log: LaneLog,
        projector: Projector,
        feed: Feed,
        pace: CatchUpPace,
        clock: Clock,
    ) -> None:
        self._log = log
        self._projector = projector
        self._feed = feed
        self._pace = pace
        self._clock = clock
        self._reading: dict[int, int] = {}
        self._damaged: dict[int, int] = {}

    @property
    def active(self) -> bool:
        return bool(self._reading)

    def read(self, max_events: int, timeout_s: float) -> Read:
        """Read what the pace allows of `max_events`, and enter it; waits at most `timeout_s` for the first."""
        self._feed.rejoin(self._clock.now_s())
        self.follow()
        if not self._reading:
            return Read()
        if (allowed := self._pace.allowance(max_events)) <= 0:
            return Read()
        return self._enter(self._log.read(allowed, timeout_s))

    def let_go(self) -> None:
        """Read nothing until the next `read`, which goes on where the feed stands."""
        if self._reading:
            self._log.read_from({})
            self._reading = {}

    def follow(self) -> None:
        """Make the reader read what the feed wants read, from where the feed stands."""
        wanted = self._feed.log_positions()
        if wanted != self._reading:
            self._log.read_from(wanted)
            self._reading = wanted
            self._damaged = {p: offset for p, offset in self._damaged.items() if p in wanted}

    def _enter(self, read: Sequence[Polled]) -> Read:
        events = 0
        out_of_range: list[int] = []
        damaged: list[int] = []
        for part in read:
            match part:
                case OutOfRange(partition=partition):
                    out_of_range.append(partition)
                    self._reading.pop(partition, None)  # the client tells it once: it has to be assigned again
                case Damaged(partition=partition, offset=offset):
                    self._reading.pop(partition, None)  # and here so that nothing behind the damage is read
                    if self._damaged.get(partition) == offset:
                        damaged.append(partition)
                    self._damaged[partition] = offset
                case Fetched(partition=partition):
                    events += len(part.events)
                    self._reading[partition] = part.to_offset
                    if part.to_offset > self._damaged.get(partition, part.to_offset):
                        del self._damaged[partition]
                    offer = whole_offer(part, project_all(self._projector, part))
                    self._feed.enter_from_log(offer, self._clock.now_s())
        self._pace.spend(events)
        return Read(events, tuple(out_of_range), tuple(damaged))
