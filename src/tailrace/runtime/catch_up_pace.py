"""How fast a lane may re-read the log beside lanes that are live: as far as that leaves them what they need."""

from collections.abc import Callable
from dataclasses import dataclass

from tailrace.runtime.clock import Clock, Processor
from tailrace.runtime.pressure import Pressure

BURST_S = 0.5
"""The rate limit lets this much time's worth through at once, so that reads are full batches and not single events."""

LEAST_S = 0.05
"""A read waits until it may have this much time's worth. Without that, a lane which exports nothing of what it reads
(dead letters) took a third of a core for 10 000 events a second, one to ten at a time [measured]."""

READING_SHARE = 0.01
"""What reading the log may take of the worker's processor time while live events want all of it, all lanes together.
What it costs them is several times that: exporting what was read, the client's part in both, and memory that is in
nobody's cache. With 0.02, 4 500 events a second read beside 95 000 live ones, those had 0.89 of their pace; with a
thousand a second 0.94 [measured, 14 and 12 pairs of periods; 1.00 in 15 pairs without anybody who reads]."""


@dataclass(slots=True)
class RateLimit:
    """A token bucket on events: `per_s` in the long run, at once from `LEAST_S` of it to `BURST_S`. Not thread-safe."""

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
        return int(self._tokens) if self._tokens >= max(1.0, self.per_s * LEAST_S) else 0

    def spend(self, events: int) -> None:
        """Count what was read. What was read without asking, while the limit did not hold, is not owed later."""
        self._tokens = max(0.0, self._tokens - events)

    @property
    def _most(self) -> float:
        return max(1.0, self.per_s * BURST_S)  # at less than one, nothing could ever be read


class ShareLimit:
    """Processor time of one lane's reading against that of the whole worker: what was taken has to be earned again.

    One read is always let through and then owed, so there is progress however slow the machine. `lanes_behind` says how
    many have to share. Not thread-safe.
    """

    def __init__(self, pressure: Pressure, processor: Processor, lanes_behind: Callable[[], int]) -> None:
        self._pressure = pressure
        self._processor = processor
        self._lanes_behind = lanes_behind
        self._owed_s = 0.0
        self._worker_s = processor.process_s()
        self._began_s = processor.thread_s()

    def begin(self) -> bool:
        """Whether a read may begin; what it takes counts from here. Without pressure it may, and nothing is owed."""
        worker_s = self._processor.process_s()
        earned_s = READING_SHARE * (worker_s - self._worker_s) / max(1, self._lanes_behind())
        self._worker_s = worker_s
        self._owed_s = self._owed_s - earned_s if self._pressure.high else 0.0
        self._began_s = self._processor.thread_s()
        return self._owed_s <= 0.0

    def spend(self) -> None:
        """Count what the read took that began last, and no other: none was let through while one was owed, but by who
        was not limited then.
        """
        self._owed_s = self._processor.thread_s() - self._began_s


class CatchUpPace:
    """Says how many events may be read now. One lane's, on its thread alone.

    Alone a lane reads as fast as its sink takes it. Beside live lanes the rate limit holds; and while those have more
    to do than there is processor time, reading takes a small share of it.
    """

    def __init__(self, limit: RateLimit, share: ShareLimit, neighbours_live: Callable[[], bool], clock: Clock) -> None:
        self._limit = limit
        self._share = share
        self._neighbours_live = neighbours_live
        self._clock = clock

    def allowance(self, most: int) -> int:
        """How many of `most` events may be read now."""
        affordable = self._share.begin()
        if not self._neighbours_live():
            return most
        return min(most, self._limit.allowance(self._clock.now_s())) if affordable else 0

    def spend(self, events: int) -> None:
        """Count what was read since, and what it took."""
        self._limit.spend(events)
        self._share.spend()
