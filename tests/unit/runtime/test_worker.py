"""A worker stops over what it cannot go on without, in order, and ends whatever happens on the way."""

import pytest

from tailrace.domain.projected import ProjectorCounts
from tailrace.runtime.clock import Deadline
from tailrace.runtime.statistics import log_snapshot
from tailrace.runtime.stop import Stop
from tailrace.runtime.worker import Finished, Worker, WorkerParts
from tests.unit.runtime.fakes import PROGRESS, FakeSource
from tests.unit.runtime.stage import Stage


class FakeJournal:
    def __init__(self, name: str, stage: Stage, *, writes_all: bool = True) -> None:
        self.name = name
        self.crash: BaseException | None = None
        self._stage = stage
        self._writes_all = writes_all

    def start(self) -> None:
        self._stage.story.append(("start", self.name))

    def close(self, deadline: Deadline) -> bool:
        self._stage.story.append(("close", self.name))
        return self._writes_all


def worker(stage: Stage, *journals: FakeJournal) -> tuple[Worker, Stop]:
    """A worker without lanes: their threads are not needed to see in which order things happen."""
    stop = Stop()
    parts = WorkerParts(journals, [], stage.intake, stage.assignment)
    return Worker(parts, 20.0, stop, stage.clock, stage.logger), stop


def test_journals_are_there_first_and_go_last() -> None:
    """Lane starts are written down before anything moves, and lanes hand in news until they end."""
    stage = Stage(())
    running, stop = worker(stage, FakeJournal("ledger", stage), FakeJournal("letters", stage))
    finished = running.run(stop.set)
    assert [told for told in stage.story if told[0] in {"start", "leave", "close"}] == [
        ("start", "ledger"),
        ("start", "letters"),
        ("leave", None),
        ("close", "ledger"),
        ("close", "letters"),
    ]
    assert finished == Finished((), committed=True, in_time=True)
    assert finished.clean


def test_what_took_the_projector_longer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """When asked, and at the end if there was any: a producer with odd spellings costs ten times as much, unseen."""
    stage = Stage(())
    running, stop = worker(stage)
    counts = ProjectorCounts()
    monkeypatch.setattr(stage.intake, "projector_counts", lambda: counts)
    log_snapshot(running.snapshot(), stage.logger)
    counts = ProjectorCounts(rewritten=3, replaced=2)
    log_snapshot(running.snapshot(), stage.logger)
    told = [(line["rewritten"], line["replaced"]) for line in stage.logger.said("worker snapshot")]
    assert told == [(0, 0), (3, 2)]
    running.run(stop.set)
    (line,) = stage.logger.said("some events were not projected as usual")
    assert {name: count for name, count in line.items() if isinstance(count, int) and count} == {
        "rewritten": 3,
        "replaced": 2,
    }


def test_nothing_is_told_of_the_projector_when_all_went_well() -> None:
    stage = Stage(())
    running, stop = worker(stage)
    running.run(stop.set)
    assert stage.logger.said("some events were not projected as usual") == []


def test_a_crashed_journal_stops_the_worker() -> None:
    """Nothing that it accounts for would ever be acknowledged: all cursors would stand still, and all look well."""
    stage = Stage(())
    ledger = FakeJournal("ledger", stage)
    running, _ = worker(stage, ledger)
    turns: list[int] = []

    def crash_in_the_third_turn() -> None:
        turns.append(1)
        if len(turns) == 3:
            ledger.crash = RuntimeError()

    finished = running.run(crash_in_the_third_turn)
    assert len(turns) == 3
    assert finished.crashed == ("ledger",)
    assert not finished.clean
    (line,) = stage.logger.said("worker stopped, but not cleanly")
    assert line["crashed"] == ["ledger"]


def test_what_a_journal_could_not_write_is_no_clean_end() -> None:
    """The exit code says so, and the next owner writes it."""
    stage = Stage(())
    running, stop = worker(stage, FakeJournal("ledger", stage, writes_all=False))
    assert running.run(stop.set) == Finished((), committed=True, in_time=False)


def test_a_stop_whose_last_commit_was_refused_is_no_clean_end() -> None:
    """Exit code 0 would promise that nothing comes twice."""
    stage = Stage()
    stage.topic.append(0, *[PROGRESS] * 5)
    stage.source.assign(0)
    stage.until_idle()
    stage.source.accepts = False
    running, stop = worker(stage, FakeJournal("ledger", stage))
    assert running.run(stop.set) == Finished((), committed=False, in_time=True)
    assert len(stage.logger.said("worker stopped, but not cleanly")) == 1


class FakeWatch:
    def __init__(self) -> None:
        self.replaced = False
        self.told: list[str] = []

    def start(self) -> None:
        self.told.append("start")

    def close(self, deadline: Deadline) -> None:
        del deadline
        self.told.append("close")


def test_a_topic_made_anew_ends_the_worker_without_a_commit() -> None:
    """What was read last may be of another log: a cursor behind it would pass over what was never read."""
    stage = Stage()
    stage.topic.append(0, *[PROGRESS] * 5)
    stage.source.assign(0)
    stage.until_idle()
    stage.topic.append(0, *[PROGRESS] * 5)
    stage.assignment._commits._commit_at_s = stage.clock.now_s() + 1e9
    stage.turn(10)
    assert stage.lanes["a"].sink.offsets(0) == list(range(10))
    stage.story.clear()
    watch = FakeWatch()
    parts = WorkerParts([], [], stage.intake, stage.assignment, watch)

    def another_topic() -> None:
        watch.replaced = True

    finished = Worker(parts, 20.0, Stop(), stage.clock, stage.logger).run(another_topic)
    assert not finished.clean
    assert stage.told("group", "cursors a") == []
    assert stage.lanes["a"].cursors == {0: 5}
    assert watch.told == ["start", "close"]
    assert len(stage.logger.said("the events topic was made anew")) == 1


def test_a_source_that_fails_while_the_worker_stops_leaves_no_journal_running() -> None:
    """The process would otherwise never end."""

    class Failing(FakeSource):
        def close(self, deadline: Deadline) -> None:
            raise RuntimeError("the client is dead")

    stage = Stage(())
    failing = Failing(stage.topic, stage.clock, stage.story)
    failing.subscribe(stage.assignment)
    stage.intake._source = failing
    running, stop = worker(stage, FakeJournal("ledger", stage))
    with pytest.raises(RuntimeError):
        running.run(stop.set)
    assert ("close", "ledger") in stage.story
