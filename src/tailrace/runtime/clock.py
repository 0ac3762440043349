"""Time, as the runtime asks for it: one injected clock, one monotonic budget per shutdown or revocation."""

import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """Where the runtime reads time. Thread-safe."""

    def now_s(self) -> float:
        """Monotonic seconds since an arbitrary moment; never goes back."""
        ...

    def wall_us(self) -> int:
        """Microseconds since the Unix epoch; may jump, so it is only ever written down, never subtracted."""
        ...


class SystemClock:
    """The clocks of this machine. The only place in the runtime that imports `time`."""

    def now_s(self) -> float:
        return time.monotonic()

    def wall_us(self) -> int:
        return time.time_ns() // 1_000


@dataclass(frozen=True, slots=True)
class Deadline:
    """One moment by which several steps must be done together: each spends what the ones before it left over.

    A step asks `remaining_s()` and passes that on; no step has a timeout of its own, so the sum cannot exceed the
    budget. `at_s` is on the clock's monotonic scale.
    """

    clock: Clock
    at_s: float

    @classmethod
    def after(cls, clock: Clock, budget_s: float) -> "Deadline":
        return cls(clock, clock.now_s() + budget_s)

    def remaining_s(self) -> float:
        """Seconds left, 0.0 once the moment has passed."""
        return max(0.0, self.at_s - self.clock.now_s())

    @property
    def passed(self) -> bool:
        return self.clock.now_s() >= self.at_s


class Processor(Protocol):
    """Where the runtime reads what it has used of the processors, in seconds. Thread-safe."""

    def process_s(self) -> float:
        """All threads of this process together, since an arbitrary moment."""
        ...

    def thread_s(self) -> float:
        """The calling thread alone, since an arbitrary moment."""
        ...


class SystemProcessor:
    """As this machine counts it, user and system time together."""

    def process_s(self) -> float:
        return time.process_time()

    def thread_s(self) -> float:
        return time.thread_time()
