"""One place of `tailrace run --workers N`: when its next process starts, and when no more are worth a try."""

from dataclasses import dataclass
from enum import Enum, auto

from tailrace.runtime.seat_state import SeatSignal, SeatState, seat_step

REFUSED = 2
"""Exit code of a process whose options or configuration are wrong: the next one would read the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a seat stays empty after a process ended, and how often in a row that may be early.

    The wait doubles from `first_wait_s` with each early end, up to `longest_wait_s`. The end of a process that lived
    for `lived_s`, whatever it died of, begins the count anew. No jitter: workers that died of one cause come back
    together, and the group rebalances once.

    The defaults: a start costs a second of processor time, so the first wait is no less. Six early ends are half a
    minute of waiting, longer than a broker's election or the exchange of a secret, and what still fails then needs
    somebody to look at it.
    """

    first_wait_s: float = 1.0
    longest_wait_s: float = 30.0
    lived_s: float = 60.0
    early_ends: int = 6

    def wait_s(self, ends: int) -> float:
        """Seconds to wait after so many early ends in a row, at least one."""
        # The exponent is bounded as well, so that a patience of thousands does not overflow.
        return min(self.longest_wait_s, self.first_wait_s * 2.0 ** min(ends - 1, 62))


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: its exit code, negative for the signal that killed it, and the processor time it used."""

    code: int
    cpu_s: float


class Next(Enum):
    """What follows from the end of a process, or from a start that failed."""

    AGAIN = auto()
    """Another one is started once the wait is over."""

    NONE = auto()
    """None, as it was to be: the seat was being stopped."""

    REFUSED = auto()
    """None: the configuration is wrong."""

    TOO_OFTEN = auto()
    """None: too many in a row ended early."""


class Seat:
    """Bookkeeping only: its owner starts, asks, kills and reports. One thread; time is handed in, monotonic seconds.

    `due_s` is when an empty seat is to be filled; `wait_s` is how long it stays empty.
    """

    def __init__(self, number: int, patience: Patience) -> None:
        self.number = number
        self.state = SeatState.EMPTY
        self.due_s = 0.0
        self.wait_s = 0.0
        self.starts = 0
        self.last_code: int | None = None
        self._patience = patience
        self._early_ends = 0
        self._started_s = 0.0

    @property
    def over(self) -> bool:
        """Whether there is no process and never will be one."""
        return self.state in (SeatState.GIVEN_UP, SeatState.CLOSED)

    @property
    def clean(self) -> bool:
        """Whether it was stopped, and its last process, if there ever was one, said that nothing was left undone."""
        return self.state is SeatState.CLOSED and self.last_code in (None, 0)

    def due(self, now_s: float) -> bool:
        return self.state is SeatState.EMPTY and now_s >= self.due_s

    def lived_s(self, now_s: float) -> float:
        return now_s - self._started_s

    def started(self, now_s: float) -> None:
        self.state = seat_step(self.state, SeatSignal.STARTED)
        self._started_s = now_s
        self.starts += 1

    def start_failed(self, now_s: float) -> Next:
        """The system did not give a process; it counts as one that ended at once."""
        return self._early_end(now_s)

    def ended(self, code: int, now_s: float) -> Next:
        self.last_code = code
        if self.state is not SeatState.WORKING:
            self.state = seat_step(self.state, SeatSignal.ENDED)
            return Next.NONE
        if code == REFUSED:
            self.state = seat_step(self.state, SeatSignal.HOPELESS)
            return Next.REFUSED
        if self.lived_s(now_s) >= self._patience.lived_s:
            self._early_ends = 0
        return self._early_end(now_s)

    def stop(self) -> None:
        self.state = seat_step(self.state, SeatSignal.STOP)

    def deadline_passed(self) -> None:
        self.state = seat_step(self.state, SeatSignal.DEADLINE_PASSED)

    def _early_end(self, now_s: float) -> Next:
        self._early_ends += 1
        if self._early_ends >= self._patience.early_ends:
            self.state = seat_step(self.state, SeatSignal.HOPELESS)
            return Next.TOO_OFTEN
        if self.state is SeatState.WORKING:
            self.state = seat_step(self.state, SeatSignal.ENDED)
        self.wait_s = self._patience.wait_s(self._early_ends)
        self.due_s = now_s + self.wait_s
        return Next.AGAIN
