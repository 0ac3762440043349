"""Whether live events want more of the machine than there is left of it."""

from tailrace.runtime.clock import Clock, Processor

WINDOW_S = 0.5
"""How much time one answer is about: dozens of rounds of an intake that has all it can take."""

IDLE_SHARE = 0.2
"""Of the time, waiting for events. An intake with more of them than it can take waits for none."""

BUSY_CORES = 0.4
"""Of one core, all threads together. A worker with all it can take used 0.8 to 1.3, each of two on two cores 0.57 to
0.65; one that waits for slow sinks with its buffers full 0.1 [measured]."""


class Pressure:
    """Told by the intake, asked by lanes that catch up.

    Neither sign alone says it: an intake that slow sinks hold waits for no events either, and a worker may be busy with
    the very lane that asks. `idle` and `look` on the intake's thread alone; `high` from any, as it is one flag.
    """

    def __init__(self, clock: Clock, processor: Processor) -> None:
        self._clock = clock
        self._processor = processor
        self._begun_s = clock.now_s()
        self._used_s = processor.process_s()
        self._idle_s = 0.0
        self._high = False

    def idle(self, seconds: float) -> None:
        """The intake had nothing to do but to wait for events, for so long."""
        self._idle_s += seconds

    def look(self) -> None:
        """Once a round: find the answer anew when its time is over."""
        now_s = self._clock.now_s()
        if (passed_s := now_s - self._begun_s) < WINDOW_S:
            return
        used_s = self._processor.process_s()
        self._high = self._idle_s < IDLE_SHARE * passed_s and used_s - self._used_s >= BUSY_CORES * passed_s
        self._begun_s, self._used_s, self._idle_s = now_s, used_s, 0.0

    @property
    def high(self) -> bool:
        """Whether what others take now is missing to the live events."""
        return self._high
