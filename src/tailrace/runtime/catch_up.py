"""A lane reading the log itself: after a restart, an outage, an overflow, or because its sink is new."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tailrace.runtime.clock import Clock
from tailrace.runtime.cutting import project_all, whole_offer
from tailrace.runtime.feed import Feed
from tailrace.runtime.ports import Damaged, Fetched, LaneLog, OutOfRange, Polled, Projector

BURST_S = 0.5
"""The rate limit lets this much time's worth through at once, so that reads are full batches and not single events."""


@dataclass(slots=True)
class RateLimit:
    """A token bucket on events: `per_s` in the long run, `BURST_S` of it at once. Not thread-safe."""

    per_s: float
    _tokens: float = 0.0
    _at_s: float | None = None

    def allowance(self, now_s: float) -> int:
        """How many events may be read now."""
        if self._at_s is not None:
            self._tokens = min(self._most, self._tokens + (now_s - self._at_s) * self.per_s)
        else:
            self._tokens = self._most
        self._at_s = now_s
        return int(self._tokens)

    def spend(self, events: int) -> None:
        """Count what was read. What was read without asking, while the limit did not hold, is not owed later."""
        self._tokens = max(0.0, self._tokens - events)

    @property
    def _most(self) -> float:
        return max(1.0, self.per_s * BURST_S)  # at less than one, nothing could ever be read


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
        limit: RateLimit,
        neighbours_live: Callable[[], bool],
        clock: Clock,
    ) -> None:
        self._log = log
        self._projector = projector
        self._feed = feed
        self._limit = limit
        self._neighbours_live = neighbours_live
        self._clock = clock
        self._reading: dict[int, int] = {}
        self._damaged: dict[int, int] = {}

    @property
    def active(self) -> bool:
        return bool(self._reading)

    def read(self, max_events: int, timeout_s: float) -> Read:
        """Read up to `max_events` and enter them; waits at most `timeout_s` for the first.

        While other lanes are live the rate limit holds, so that they keep their throughput; alone, it reads as fast as
        the sink takes it.
        """
        self._feed.rejoin(self._clock.now_s())
        self.follow()
        if not self._reading:
            return Read()
        if self._neighbours_live():
            max_events = min(max_events, self._limit.allowance(self._clock.now_s()))
            if max_events <= 0:
                return Read()
        return self._enter(self._log.read(max_events, timeout_s))

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
        self._limit.spend(events)
        return Read(events, tuple(out_of_range), tuple(damaged))
