"""Asking everything to end, from a signal handler."""

import time

LOOK_S = 0.05
"""How late a wait may notice; a person who pressed Ctrl-C does not feel it."""


class Stop:
    """Set once, seen by everybody. Thread-safe, and safe in a signal handler.

    Not a `threading.Event`: setting one takes its lock, and a handler that runs on the main thread while that very
    thread holds the lock inside `wait` would wait for itself for ever. Here setting is one assignment.
    """

    def __init__(self) -> None:
        self._set = False

    def set(self) -> None:
        self._set = True

    def clear(self) -> None:
        """Take it back, where it is a request that was served."""
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def wait(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds; whether it has been set."""
        end_s = time.monotonic() + timeout
        while not self._set and (left_s := end_s - time.monotonic()) > 0:
            time.sleep(min(LOOK_S, left_s))
        return self._set
