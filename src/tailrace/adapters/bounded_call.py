"""One call at a time on a thread of its own, waited for no longer than a bound, or until the caller is called off.

For calls into a library that may not come back: a file system that hangs, a client whose retries add up. The caller
goes on; the call is left to itself, and until it has ended every further one is refused at once, so that threads do not
pile up behind a dead store.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

Answer = TypeVar("Answer")

LOOK_S = 0.05
"""How late being called off is noticed: half of what the port to sinks allows a whole export."""


@dataclass(frozen=True, slots=True)
class Returned(Generic[Answer]):
    value: Answer


@dataclass(frozen=True, slots=True)
class Raised:
    """The call raised. Only the name of the class: the text may hold anything."""

    error_type: str


@dataclass(frozen=True, slots=True)
class Overdue:
    """The call did not end in time or was called off, or one before it still has not ended."""


class BoundedCall:
    """Waits for calls up to `bound_s` seconds, or until `given_up`. For one caller thread; calls run on daemons."""

    def __init__(self, bound_s: float, given_up: Callable[[], bool] = lambda: False) -> None:
        self._bound_s = bound_s
        self._given_up = given_up
        self._left_behind: threading.Thread | None = None

    def run(self, call: Callable[[], Answer]) -> Returned[Answer] | Raised | Overdue:
        """What `call` came to. Its own exceptions, and a library's panics, are answers."""
        if self._left_behind is not None and self._left_behind.is_alive():
            return Overdue()
        answers: SimpleQueue[Returned[Answer] | Raised] = SimpleQueue()

        def answer() -> None:
            try:
                answers.put(Returned(call()))
            except BaseException as error:  # noqa: BLE001 - a panic of a Rust library derives from BaseException only
                answers.put(Raised(type(error).__name__))

        thread = threading.Thread(target=answer, name="tailrace-bounded-call", daemon=True)
        thread.start()
        end_s = time.monotonic() + self._bound_s
        while (left_s := end_s - time.monotonic()) > 0 and not self._given_up():
            try:
                return answers.get(timeout=min(LOOK_S, left_s))
            except Empty:
                continue
        self._left_behind = thread
        return Overdue()
