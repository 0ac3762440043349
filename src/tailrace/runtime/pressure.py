"""Whether live events want more of the machine than there is left of it."""

from tailrace.runtime.clock import Clock, Processor

WINDOW_S = 0.5
"""How much time one answer is about: some ten polls of an intake that has all it can take."""

FRESH_S = 1.5
"""How long an answer holds. An intake that has not polled since waits for room: for sinks, that is, not for time."""

BUSY_CORES = 0.7
"""Of one core, all threads together. A worker with all it can take uses 1.3 to 1.7; one that waits for slow sinks with
its buffers full 0.1 [measured]. Half of the former is left to it on a machine that it shares."""

FULL_SHARE = 0.5
"""Of the events in a window that came in full polls. A poll takes what is there: with events to spare, all it may."""


class Pressure:
    """Told by the intake, asked by lanes that catch up.

    Neither sign alone says it. Full polls also come while slow sinks hold the intake, and a busy worker may be busy
    with the very lane that asks. `polled` on the intake's thread alone; `high` from any.
    """

    def __init__(self, clock: Clock, processor: Processor) -> None:
        self._clock = clock
        self._processor = processor
        self._begun_s = clock.now_s()
        self._used_s = processor.process_s()
        self._events = 0
        self._in_full_polls = 0
        self._high = False

    def polled(self, events: int, *, full: bool) -> None:
        """Count a poll: how many events it brought, and whether that was all it could have."""
        self._events += events
        self._in_full_polls += events if full else 0
        now_s = self._clock.now_s()
        if (passed_s := now_s - self._begun_s) < WINDOW_S:
            return
        used_s = self._processor.process_s()
        plenty = self._events > 0 and self._in_full_polls >= FULL_SHARE * self._events
        self._high = plenty and used_s - self._used_s >= BUSY_CORES * passed_s
        self._begun_s, self._used_s, self._events, self._in_full_polls = now_s, used_s, 0, 0

    def high(self) -> bool:
        """Whether what others take now is missing to the live events."""
        return self._high and self._clock.now_s() - self._begun_s < FRESH_S
