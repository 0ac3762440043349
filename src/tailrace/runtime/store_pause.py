"""A capture store that does not answer is left alone for a while, or every record would wait for it in turn."""

from typing import Final

from tailrace.domain.capture_store import CaptureFailed, CaptureResult, StoreProblem
from tailrace.runtime.clock import Clock

FIRST_PAUSE_S: Final = 10.0
"""One capture may take ten seconds (`bound_s`): then half the lane's time at most is waiting for a dead store."""

LONGEST_PAUSE_S: Final = 300.0

_WORTH_A_PAUSE: Final = frozenset((StoreProblem.TIMED_OUT, StoreProblem.UNAVAILABLE))
"""What is wrong with the store and not with what it was given."""


class StorePause:
    """Pauses that double with each failure in a row. One thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._problem = StoreProblem.UNAVAILABLE
        self._pause_s = 0.0
        self._until_s = 0.0

    @property
    def problem(self) -> StoreProblem | None:
        """Why the store is not to be asked now; None if it is."""
        return self._problem if self._clock.now_s() < self._until_s else None

    def answered(self, result: CaptureResult | CaptureFailed) -> None:
        """The store was asked, and this came of it."""
        if isinstance(result, CaptureFailed) and result.problem in _WORTH_A_PAUSE:
            self._problem = result.problem
            self._pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, 2 * self._pause_s))
            self._until_s = self._clock.now_s() + self._pause_s
        else:
            self._pause_s = 0.0
