"""A doorbell between threads: somebody rings, whoever waits looks again at what it waits for."""

import threading


class Signal:
    """Wakes every waiter whenever `ring` is called, also one that started to wait just after.

    A waiter takes `count()` before it looks at the state, and waits for a later ring: A looks, B changes the state and
    rings, A waits - without the count A would sleep although the state it waits for is there. Thread-safe.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rings = 0

    def count(self) -> int:
        """How often it has rung."""
        with self._condition:
            return self._rings

    def ring(self) -> None:
        with self._condition:
            self._rings += 1
            self._condition.notify_all()

    def wait_beyond(self, count: int, timeout_s: float) -> bool:
        """Wait until it has rung more than `count` times, at most `timeout_s`; whether it has."""
        with self._condition:
            return self._condition.wait_for(lambda: self._rings > count, timeout_s)
