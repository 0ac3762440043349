"""The worker processes of `tailrace run --workers N`: each in a seat, started again when it dies, drained together.

The crew sees processes and time through ports, and does one small thing per turn; a test plays them by hand. What a
seat does next is in `seat`, and which states there are in `seat_state`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from tailrace.runtime.clock import Clock, Deadline
from tailrace.runtime.ports import Log
from tailrace.runtime.seat import REFUSED, Ended, Next, Patience, Seat
from tailrace.runtime.seat_state import SeatState
from tailrace.runtime.work_report import Life, WorkReport

LEAVING_S = 2.0
"""What a worker may need beyond its own shutdown deadline: it counts that from when it heard of the stop, and then says
what it did and takes its interpreter down. Measured on a busy machine: below half a second."""


class WorkerProcess(Protocol):
    """One started worker. Owned by one thread; nothing here waits, and nothing raises for a process that is gone."""

    @property
    def pid(self) -> int: ...

    @property
    def report(self) -> WorkReport | None:
        """The newest report of it, None before the first. Signals reach a worker that has reported, not one before."""
        ...

    def look(self) -> Ended | None:
        """Take in what it has reported, and how it ended if it has; asked no more after that."""
        ...

    def drain(self) -> None:
        """Ask it to finish what is under way and end."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...

    def ask_snapshot(self) -> None:
        """Ask it to write its lanes to the log."""
        ...


@dataclass(frozen=True, slots=True)
class NotStarted:
    """The system gave no process; `code` is its name for the reason."""

    code: str


StartWorker = Callable[[int], WorkerProcess | NotStarted]
"""Starts a worker for the seat of this number."""


@dataclass(frozen=True, slots=True)
class CrewPlan:
    """How often a seat is filled again, and how long its worker may take to drain."""

    patience: Patience
    shutdown_s: float


@dataclass(slots=True)
class _Manned:
    """A seat, who sits in it, and what those who sat there before came to together."""

    seat: Seat
    process: WorkerProcess | None = None
    owes_snapshot: bool = False
    cpu_s: float = 0.0
    earlier: WorkReport = field(default_factory=WorkReport)


class Crew:
    """Supervises the workers 1 to `size`. One thread: `turn` until `over`, `stop` at any time in between.

    A worker that ends unasked is started again after a wait, until that is hopeless (`Patience`): then its seat stays
    empty and the others share its partitions. After `stop` all drain at once, and what still runs after `shutdown_s`
    and the time for leaving is killed.
    """

    def __init__(self, size: int, start: StartWorker, plan: CrewPlan, *, clock: Clock, logger: Log) -> None:
        self._manned = [_Manned(Seat(number, plan.patience)) for number in range(1, size + 1)]
        self._start = start
        self._plan = plan
        self._clock = clock
        self._logger = logger
        self._deadline: Deadline | None = None

    @property
    def over(self) -> bool:
        """Whether no process is left and none will be started."""
        return all(one.seat.over for one in self._manned)

    @property
    def exit_code(self) -> int:
        """0 if every worker drained cleanly, 2 if the configuration was wrong for every one, else 1."""
        if all(one.seat.clean for one in self._manned):
            return 0
        return REFUSED if all(one.seat.last_code == REFUSED for one in self._manned) else 1

    def lives(self) -> Iterator[Life]:
        """What each worker that was ever started has come to.

        A killed process tells no more: of it, the numbers are those of its last report.
        """
        for one in self._manned:
            if one.seat.starts and one.seat.last_code is not None:
                yield Life(
                    number=one.seat.number,
                    report=one.earlier,
                    restarts=one.seat.starts - 1,
                    cpu_s=one.cpu_s,
                    exit_code=one.seat.last_code,
                )

    def turn(self) -> None:
        """Take in what has happened, then do what is due."""
        for one in self._manned:
            if one.process is not None and (ended := one.process.look()) is not None:
                self._took_leave(one, one.process, ended)
            self._pass_on_request(one)
            if one.seat.due(self._clock.now_s()):
                self._fill(one)
        if self._deadline is not None and self._deadline.passed:
            self._kill_what_is_left()

    def stop(self) -> None:
        """Drain every worker; from now on nobody is started. Asking again changes nothing."""
        if self._deadline is not None:
            return
        self._deadline = Deadline.after(self._clock, self._plan.shutdown_s + LEAVING_S)
        self._logger.event("workers stop", deadline_s=self._plan.shutdown_s)
        for one in self._manned:
            one.seat.stop()
            if one.process is not None:
                one.process.drain()

    def ask_snapshots(self) -> None:
        """Every worker writes its lanes to the log, one that is still starting as soon as it is up."""
        for one in self._manned:
            one.owes_snapshot = one.process is not None
            self._pass_on_request(one)

    def _pass_on_request(self, one: _Manned) -> None:
        # Kept until the first report: a worker that is still starting would die of the signal. One that reads its
        # partitions already may be such a one for us, as long as its first report is on the way.
        if one.owes_snapshot and one.process is not None and one.process.report is not None:
            one.owes_snapshot = False
            one.process.ask_snapshot()

    def _fill(self, one: _Manned) -> None:
        seat = one.seat
        match self._start(seat.number):
            case NotStarted(code=code):
                self._logger.event("worker process not started", level="error", worker=seat.number, code=code)
                self._say_what_follows(seat, seat.start_failed(self._clock.now_s()))
            case process:
                one.process = process
                seat.started(self._clock.now_s())
                self._logger.event("worker process started", worker=seat.number, pid=process.pid)

    def _took_leave(self, one: _Manned, process: WorkerProcess, ended: Ended) -> None:
        seat, now_s = one.seat, self._clock.now_s()
        one.process, one.owes_snapshot = None, False
        one.cpu_s += ended.cpu_s
        if process.report is not None:
            one.earlier = WorkReport.total((one.earlier, process.report))
        follows = seat.ended(ended.code, now_s)
        self._logger.event(
            "worker process ended",
            level="info" if ended.code == 0 else "error",
            worker=seat.number,
            pid=process.pid,
            exit_code=ended.code,
            lived_s=round(seat.lived_s(now_s), 1),
        )
        self._say_what_follows(seat, follows)

    def _say_what_follows(self, seat: Seat, follows: Next) -> None:
        match follows:
            case Next.AGAIN:
                self._logger.event(
                    "worker process will be started again", worker=seat.number, wait_s=round(seat.wait_s, 1)
                )
            case Next.REFUSED:
                self._give_up(seat, "configuration_refused")
            case Next.TOO_OFTEN:
                self._give_up(seat, "ended_too_often")
            case Next.NONE:
                pass

    def _give_up(self, seat: Seat, reason: str) -> None:
        self._logger.event("worker given up, the others go on", level="error", worker=seat.number, reason=reason)

    def _kill_what_is_left(self) -> None:
        for one in self._manned:
            if one.process is not None and one.seat.state is SeatState.DRAINING:
                one.seat.deadline_passed()
                self._logger.event(
                    "worker process killed, it did not end in time",
                    level="error",
                    worker=one.seat.number,
                    pid=one.process.pid,
                )
                one.process.kill()
