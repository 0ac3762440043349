"""Workers are started, missed, started again, drained and counted; processes and time are played by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tailrace.runtime.crew import LEAVING_S, Crew, CrewPlan, NotStarted, WorkerProcess
from tailrace.runtime.seat import Ended, Patience
from tailrace.runtime.work_report import SinkTally, WorkReport
from tests.unit.runtime.fakes import FakeClock

SHUTDOWN_S = 20.0
KILLED = -9


class FakeProcess:
    """A process that does what a test says."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.report: WorkReport | None = None
        self.told: list[str] = []
        self.end: Ended | None = None
        self.stuck = False
        """Deep in the system: not even a kill ends it now."""

    def ends(self, code: int, cpu_s: float = 1.0) -> None:
        self.end = Ended(code, cpu_s)

    def look(self) -> Ended | None:
        return self.end

    def drain(self) -> None:
        self.told.append("drain")

    def kill(self) -> None:
        self.told.append("kill")
        if not self.stuck:
            self.ends(KILLED)

    def ask_snapshot(self) -> None:
        self.told.append("snapshot")


@dataclass
class Lines:
    """A log that remembers."""

    written: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def event(self, name: str, /, *, level: str = "info", **fields: object) -> None:
        self.written.append((name, level, fields))

    def of(self, name: str) -> list[dict[str, Any]]:
        return [fields for found, _, fields in self.written if found == name]


class Stage:
    """A crew, its clock, its log, and every process it was given; `refusals` are starts that fail, in order."""

    def __init__(self, size: int = 2, refusals: Sequence[str] = ()) -> None:
        self.clock = FakeClock()
        self.log = Lines()
        self.processes: list[tuple[int, FakeProcess]] = []
        self._refusals = list(refusals)
        plan = CrewPlan(Patience(), SHUTDOWN_S)
        self.crew = Crew(size, self._start, plan, clock=self.clock, logger=self.log)

    def _start(self, number: int) -> WorkerProcess | NotStarted:
        if self._refusals:
            return NotStarted(self._refusals.pop(0))
        process = FakeProcess(1_000 + len(self.processes))
        self.processes.append((number, process))
        return process

    def of(self, number: int) -> list[FakeProcess]:
        return [process for seat, process in self.processes if seat == number]

    def passes(self, seconds: float) -> None:
        self.clock.passes(seconds)
        self.crew.turn()


@pytest.fixture
def stage() -> Stage:
    made = Stage()
    made.crew.turn()
    return made


def test_all_workers_are_started_at_once_each_in_its_seat(stage: Stage) -> None:
    """Starting takes a second each; one after the other it would be N, and as many rebalances."""
    assert [number for number, _ in stage.processes] == [1, 2]
    assert [line["worker"] for line in stage.log.of("worker process started")] == [1, 2]
    stage.passes(100)
    assert len(stage.processes) == 2


def test_a_dead_worker_is_replaced_after_its_wait_and_the_others_are_left_alone(stage: Stage) -> None:
    """The new one sits in the same seat, so its files and log lines go on under the same number."""
    stage.of(2)[0].ends(KILLED)
    stage.crew.turn()
    assert stage.log.of("worker process ended") == [{"worker": 2, "pid": 1_001, "exit_code": KILLED, "lived_s": 0.0}]
    assert stage.log.of("worker process will be started again") == [{"worker": 2, "wait_s": 1.0}]
    stage.passes(0.9)
    assert len(stage.of(2)) == 1
    stage.passes(0.1)
    assert len(stage.of(2)) == 2
    assert stage.of(1)[0].told == []


def test_a_worker_that_keeps_dying_is_given_up_and_the_others_go_on(stage: Stage) -> None:
    """The crew ends only when nobody is left."""
    for _ in range(6):
        stage.of(2)[-1].ends(1)
        stage.crew.turn()
        stage.passes(30)
    stage.passes(1_000)
    assert len(stage.of(2)) == 6
    assert stage.log.of("worker given up, the others go on") == [{"worker": 2, "reason": "ended_too_often"}]
    assert not stage.crew.over
    stop_cleanly(stage, stage.of(1)[0])
    assert stage.crew.exit_code == 1


def stop_cleanly(stage: Stage, *processes: FakeProcess) -> None:
    stage.crew.stop()
    for process in processes:
        process.ends(0)
    stage.crew.turn()
    assert stage.crew.over


def test_a_crew_of_which_every_worker_is_refused_ends_by_itself_with_their_code(stage: Stage) -> None:
    """Wrong usage stays wrong usage for whoever started it."""
    for number in (1, 2):
        stage.of(number)[0].ends(2)
    stage.crew.turn()
    assert (stage.crew.over, stage.crew.exit_code) == (True, 2)
    assert {line["reason"] for line in stage.log.of("worker given up, the others go on")} == {"configuration_refused"}


def test_one_refused_worker_of_two_is_a_failure_and_no_wrong_usage(stage: Stage) -> None:
    """The others could work with what it could not: somebody changed the file in between."""
    stage.of(1)[0].ends(2)
    stage.crew.turn()
    stop_cleanly(stage, stage.of(2)[0])
    assert stage.crew.exit_code == 1


def test_a_stop_drains_all_at_once_and_waits_for_the_last(stage: Stage) -> None:
    """All have the same deadline, not one after the other."""
    stage.crew.stop()
    assert [process.told for _, process in stage.processes] == [["drain"], ["drain"]]
    stage.of(1)[0].ends(0)
    stage.passes(SHUTDOWN_S)
    assert not stage.crew.over
    stage.of(2)[0].ends(0)
    stage.crew.turn()
    assert (stage.crew.over, stage.crew.exit_code) == (True, 0)
    assert "kill" not in stage.of(2)[0].told


def test_what_is_left_at_the_deadline_is_killed_once_and_the_end_is_not_clean(stage: Stage) -> None:
    """A worker may need its whole deadline, and then some time to leave; no more than that."""
    stage.crew.stop()
    stage.of(1)[0].ends(0)
    stage.passes(SHUTDOWN_S + LEAVING_S - 0.1)
    assert stage.of(2)[0].told == ["drain"]
    stage.passes(0.1)
    stage.passes(0.1)
    assert stage.of(1)[0].told == ["drain"]
    assert stage.of(2)[0].told == ["drain", "kill"]
    assert (stage.crew.over, stage.crew.exit_code) == (True, 1)


def test_a_killed_worker_that_the_system_still_holds_is_waited_for(stage: Stage) -> None:
    """Its end comes when its disk or its device answers; killing it again would not make that sooner."""
    stage.crew.stop()
    stuck = stage.of(2)[0]
    stuck.stuck = True
    stage.of(1)[0].ends(0)
    stage.passes(SHUTDOWN_S + LEAVING_S)
    stage.passes(60.0)
    assert (stuck.told, stage.crew.over) == (["drain", "kill"], False)
    stuck.ends(KILLED)
    stage.crew.turn()
    assert stage.crew.over


@pytest.mark.parametrize(("code", "level"), [(0, "info"), (1, "error"), (KILLED, "error")])
def test_an_end_with_anything_but_0_is_an_error_in_the_log(code: int, level: str, stage: Stage) -> None:
    """Whoever reads errors only learns of every worker that died."""
    stage.of(1)[0].ends(code)
    stage.crew.turn()
    assert [written for name, written, _ in stage.log.written if name == "worker process ended"] == [level]


def test_a_second_stop_changes_nothing(stage: Stage) -> None:
    """Neither the deadline nor what was asked."""
    stage.crew.stop()
    stage.clock.passes(SHUTDOWN_S + LEAVING_S)
    stage.crew.stop()
    stage.crew.turn()
    assert stage.of(1)[0].told == ["drain", "kill"]


def test_nobody_is_started_after_a_stop(stage: Stage) -> None:
    """A seat that waits for its next worker stays empty, and its last one had not ended well."""
    stage.of(2)[0].ends(KILLED)
    stage.crew.turn()
    stop_cleanly(stage, stage.of(1)[0])
    stage.passes(100)
    assert len(stage.of(2)) == 1
    assert stage.crew.exit_code == 1


def test_a_stop_before_the_first_turn_starts_nobody() -> None:
    """The signal may come while the program is still loading."""
    stage = Stage()
    stage.crew.stop()
    stage.crew.turn()
    assert (stage.processes, stage.crew.over, stage.crew.exit_code) == ([], True, 0)


def test_a_worker_that_dies_while_it_drains_is_not_replaced(stage: Stage) -> None:
    """Its partitions are anyone's who comes next; what it left is above the cursors."""
    stage.crew.stop()
    stage.of(1)[0].ends(KILLED)
    stage.of(2)[0].ends(0)
    stage.crew.turn()
    assert (stage.crew.over, stage.crew.exit_code, len(stage.processes)) == (True, 1, 2)


def test_a_process_that_the_system_does_not_give_is_asked_for_again() -> None:
    """Out of processes now is not out of processes for good."""
    stage = Stage(size=1, refusals=["EAGAIN"])
    stage.crew.turn()
    assert stage.log.of("worker process not started") == [{"worker": 1, "code": "EAGAIN"}]
    stage.passes(1.0)
    assert len(stage.of(1)) == 1


def test_a_snapshot_is_asked_of_a_worker_only_once_it_has_reported(stage: Stage) -> None:
    """Before its handler is there, the signal would end it; but the request is not lost on it, and served once."""
    up, starting = stage.of(1)[0], stage.of(2)[0]
    up.report = WorkReport()
    stage.crew.ask_snapshots()
    stage.crew.turn()
    assert (up.told, starting.told) == (["snapshot"], [])
    starting.report = WorkReport()
    stage.crew.turn()
    stage.crew.turn()
    assert (up.told, starting.told) == (["snapshot"], ["snapshot"])


def test_a_request_for_a_snapshot_ends_with_the_worker_it_was_for(stage: Stage) -> None:
    stage.crew.ask_snapshots()
    stage.of(2)[0].ends(KILLED)
    stage.passes(0.0)
    stage.passes(1.0)
    stage.of(2)[1].report = WorkReport()
    stage.crew.turn()
    assert stage.of(2)[1].told == []


def test_the_lives_of_a_seat_add_up() -> None:
    """What a killed worker had reported counts, and so does the processor time it used."""
    stage = Stage(size=1)
    stage.crew.turn()
    first = stage.of(1)[0]
    first.report = WorkReport(10, 1, {"a": SinkTally(9, 0, 0)})
    first.ends(KILLED, cpu_s=2.0)
    stage.crew.turn()
    stage.passes(1.0)
    second = stage.of(1)[1]
    second.report = WorkReport(5, 0, {"a": SinkTally(3, 1, 1), "b": SinkTally(2, 0, 0)})
    stage.crew.stop()
    second.ends(0, cpu_s=0.5)
    stage.crew.turn()

    (life,) = stage.crew.lives()
    assert life.report == WorkReport(15, 1, {"a": SinkTally(12, 1, 1), "b": SinkTally(2, 0, 0)})
    assert (life.number, life.restarts, life.cpu_s, life.exit_code) == (1, 1, 2.5, 0)
    assert stage.crew.exit_code == 0


def test_a_worker_that_died_before_its_first_report_has_done_nothing_that_is_known(stage: Stage) -> None:
    """It still has a life, with its processor time."""
    stage.of(1)[0].ends(KILLED)
    stage.crew.turn()
    stop_cleanly(stage, stage.of(2)[0])
    assert [(life.number, life.report.events, life.cpu_s) for life in stage.crew.lives()] == [(1, 0, 1.0), (2, 0, 1.0)]
