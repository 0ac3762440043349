"""The worker's side of what `worker_process` says: it hears of the end on one descriptor and reports on another."""

import os
import select
import threading
from collections.abc import Callable

from tailrace.adapters.worker_process import STOP_WORD
from tailrace.runtime.clock import Clock, Deadline
from tailrace.runtime.ports import Log

_READ_BYTES = 64


def follow_lifeline(descriptor: int, stop: Callable[[], None], logger: Log) -> threading.Thread:
    """Call `stop` once the supervisor asks for it or is gone; returns at once.

    A pipe and not the system's word on a parent's death: its end is seen everywhere, however the supervisor died, and
    also by a worker that it left before that could ask for a signal.
    """

    def wait() -> None:
        heard = b""
        # Read directly: a buffered standard input would be locked by this thread when the interpreter goes down.
        while chunk := os.read(descriptor, _READ_BYTES):
            heard += chunk
        if heard != STOP_WORD:
            logger.event("the supervisor is gone, so this worker stops", level="warning")
        stop()

    thread = threading.Thread(target=wait, name="lifeline", daemon=True)
    thread.start()
    return thread


class ReportPipe:
    """Lines to a supervisor that may be slow, stopped or gone: none of that holds the worker up. One thread."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._unsent = b""
        self._broken = False

    def offer(self, line: bytes) -> None:
        """Send the line, or leave it out if an earlier one has not been read yet: the next one says more."""
        if not self._unsent:
            self._unsent = line
        self._push()

    def finish(self, line: bytes, deadline: Deadline) -> bool:
        """Send the last line, with what is left of an earlier one before it; whether that was done in time."""
        self._unsent += line
        self._push()
        while self._unsent and not self._broken and not deadline.passed:
            select.select([], [self._descriptor], [], deadline.remaining_s())
            self._push()
        return not self._unsent

    def _push(self) -> None:
        while self._unsent and not self._broken:
            try:
                self._unsent = self._unsent[os.write(self._descriptor, self._unsent) :]
            except BlockingIOError:
                return
            except OSError:
                self._broken = True


class Every:
    """An interval, again and again; the first one has passed from the start. One thread."""

    def __init__(self, interval_s: float, clock: Clock) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self._next_s = clock.now_s()

    def passed(self) -> bool:
        now_s = self._clock.now_s()
        if now_s < self._next_s:
            return False
        self._next_s = now_s + self._interval_s
        return True
