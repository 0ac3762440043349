"""Waiting in tests: for a condition, with a deadline, never for a while."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_INTERVAL_S = 0.05


def eventually(
    look: Callable[[], T | None],
    *,
    within_s: float,
    what: str,
    gone_wrong: Callable[[], str | None] = lambda: None,
    every_s: float = POLL_INTERVAL_S,
) -> T:
    """The first truthy value that `look` returns.

    Raises AssertionError, naming `what`, after `within_s`, and at once when `gone_wrong` says why it cannot come any
    more; that is asked after a look, so that what came just before the end is seen.
    """
    deadline_s = time.monotonic() + within_s
    while True:
        wrong = gone_wrong()
        late = time.monotonic() > deadline_s
        found = look()
        if found:
            return found
        if wrong is not None:
            raise AssertionError(f"{what}: {wrong}")
        if late:
            raise AssertionError(f"{what}: not within {within_s:g} s")
        time.sleep(every_s)
