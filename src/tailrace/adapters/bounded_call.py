"""One call at a time on a thread of its own, waited for no longer than a bound.

For calls into a library that may not come back: a file system that hangs, a client whose retries add up. The caller
goes on; the call is left to itself, and until it has ended every further one is refused at once, so that threads do not
pile up behind a dead store.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Returned(Generic[Answer]):
    value: Answer


@dataclass(frozen=True, slots=True)
class Raised:
    """The call raised. Only the name of the class: the text may hold anything."""

    error_type: str


@dataclass(frozen=True, slots=True)
class Overdue:
    """The call did not end in time, or one before it still has not."""


class BoundedCall:
    """Waits for calls up to `bound_s` seconds. For one caller thread; the calls run on daemon threads."""

    def __init__(self, bound_s: float) -> None:
        self._bound_s = bound_s
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
        try:
            return answers.get(timeout=self._bound_s)
        except Empty:
            self._left_behind = thread
            return Overdue()
