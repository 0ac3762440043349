"""`tailrace run --workers N` as its operator has it: real processes, real signals, one log.

That all end cleanly is for a real broker to show (`tests/kafka/test_workers.py`). When one member leaves, the embedded
one lets the others rejoin only a session later, and takes no commit of theirs until then, which a worker that stops at
the same moment rightly calls unclean.
"""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tailrace.adapters.embedded import EmbeddedBroker
from tailrace.adapters.event_producer import produce_events
from tailrace.runtime.clock import SystemClock
from tailrace.runtime.stop import Stop
from tailrace.settings import KafkaSettings
from tailrace.synthetic import SyntheticEvents
from tests.kafka.command import tailrace
from tests.kafka.waiting import eventually
from tests.kafka.worker_process import LogLine, WorkerProcess

TOPICS = {"agent.events": 4, "telemetry.analytics": 3, "telemetry.health": 1}
EVENTS = 2_000
START_TIMEOUT_S = 90.0
"""Two interpreters start at once, on a machine that may have one core for them and much else to do."""

StartBroker = Callable[..., EmbeddedBroker]

pytestmark = pytest.mark.slow


class Stand:
    """A broker with events, a configuration, and the crew of a test."""

    def __init__(self, broker: EmbeddedBroker, folder: Path) -> None:
        self.broker = broker
        self.folder = folder
        self.config = folder / "tailrace.yaml"
        self.config.write_text(
            f"kafka: {{bootstrap_servers: '{broker.bootstrap_servers}'}}\n"
            "events: {topic: agent.events, group: g, session_timeout_ms: 6000}\n"
            "sinks:\n"
            "  analytics: {kind: durable_trace, topic: telemetry.analytics}\n"
            f"  diagnostic: {{kind: local_diagnostic, path: {folder}/diagnostic.jsonl}}\n",
            encoding="utf-8",
        )
        self.crew = WorkerProcess(self.config, folder / "crew.log", "--workers", "2")

    def produce(self, seed: int) -> None:
        produced = produce_events(
            KafkaSettings(bootstrap_servers=self.broker.bootstrap_servers),  # type: ignore[call-arg]
            "agent.events",
            list(SyntheticEvents(seed=seed).take(EVENTS)),
            rate_per_s=None,
            clock=SystemClock(),
            stop=Stop(),
            on_progress=lambda _: None,
        )
        assert produced.acknowledged == EVENTS

    def wait_until_all_read(self, partitions: int = 4, *, starts: int = 2) -> None:
        self.crew.wait_for("worker started", count=starts, within_s=START_TIMEOUT_S)
        eventually(
            lambda: self.reading() == set(range(partitions)),
            within_s=START_TIMEOUT_S,
            what="every partition is read",
        )

    def reading(self) -> set[int]:
        """The partitions that somebody reads, as the log has it."""
        found: set[int] = set()
        for line in self.crew.lines():
            if line.event == "reading a partition":
                found.add(line.fields["partition"])
            if line.event == "partitions handed over":
                found -= set(line.fields["partitions"])
        return found

    def pid(self, worker: int) -> int:
        """The process that sits in the seat now."""
        return int(self.crew.lines("worker process started", worker=worker)[-1].fields["pid"])

    def summary(self, event: str, **fields: object) -> LogLine:
        (line,) = self.crew.lines(event, **fields)
        return line

    def stopped(self) -> dict[int, bool]:
        """Per worker that has wound up, whether it says that this was clean."""
        clean = {line.fields["worker"]: True for line in self.crew.lines("worker stopped")}
        return clean | {line.fields["worker"]: False for line in self.crew.lines("worker stopped, but not cleanly")}

    def terminate(self) -> int:
        """Stop the crew; its exit code, seen to be the one that follows from how its workers stopped."""
        code = self.crew.terminate()
        stopped = self.stopped()
        assert stopped.keys() == {1, 2}, self.crew.tail()
        assert code == (0 if all(stopped.values()) else 1), self.crew.tail()
        assert not self.crew.lines("worker process killed, it did not end in time")
        return code

    def end(self) -> None:
        started = [line.fields["pid"] for line in self.crew.lines("worker process started")]
        self.crew.end()
        try:
            eventually(lambda: not any(map(lives, started)), within_s=60, what="workers end with their supervisor")
        finally:
            for pid in filter(lives, started):
                os.kill(pid, signal.SIGKILL)


def lives(pid: int) -> bool:
    """Whether a process runs; one that nobody has awaited yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def stand(start_broker: StartBroker, tmp_path: Path) -> Iterator[Stand]:
    made = Stand(start_broker(TOPICS), tmp_path)
    yield made
    made.end()


def lines_of_files(folder: Path) -> dict[str, int]:
    return {file.name: len(file.read_bytes().splitlines()) for file in sorted(folder.glob("diagnostic*.jsonl"))}


def test_a_killed_worker_comes_back_and_a_stop_ends_all_and_sums_up(stand: Stand) -> None:
    """Two share the partitions; one dies of kill -9 and is started again; SIGTERM ends both, with one code for all."""
    stand.wait_until_all_read()
    stand.produce(seed=1)
    stand.crew.wait_for("worker process started", count=2)
    victim = stand.pid(2)

    os.kill(victim, signal.SIGKILL)
    stand.crew.wait_for("worker process ended", worker=2, exit_code=-signal.SIGKILL)
    stand.crew.wait_for("worker started", worker=2, count=2, within_s=START_TIMEOUT_S)
    assert stand.pid(2) != victim
    stand.produce(seed=2)
    eventually(
        lambda: audit_finds_all(stand.config), within_s=60, every_s=1.0, what="every event exported or accounted for"
    )

    code = stand.terminate()

    run = stand.summary("run summary").fields
    assert (run["workers"], run["restarts"], run["exit_code"]) == (2, 1, code)
    assert run["events"] >= 2 * EVENTS * 0.9  # of the killed one, what its last report said
    assert run["cpu_s"] > 0
    workers = [stand.summary("worker summary", worker=number).fields for number in (1, 2)]
    assert [worker["restarts"] for worker in workers] == [0, 1]
    assert sum(worker["events"] for worker in workers) == run["events"]
    of_workers = stand.crew.lines("sink summary", sink="analytics")
    assert sum(line.fields["exported"] for line in of_workers[:-1]) == of_workers[-1].fields["exported"] > EVENTS
    # Each its own file, and nothing in the one they would have shared.
    assert lines_of_files(stand.folder).keys() == {"diagnostic.worker-1.jsonl", "diagnostic.worker-2.jsonl"}


def audit_finds_all(config: Path) -> bool:
    ended = tailrace("audit", "--config", str(config), "--json", "--require-complete", "--min-events", str(2 * EVENTS))
    return ended.returncode == 0


def test_workers_whose_supervisor_is_killed_drain_by_themselves(stand: Stand) -> None:
    """Nobody is left to ask them; their lifeline ends, and their last words still reach the log."""
    stand.wait_until_all_read()
    stand.produce(seed=1)
    pids = [stand.pid(1), stand.pid(2)]

    stand.crew.kill()

    eventually(lambda: stand.stopped().keys() == {1, 2}, within_s=60, what="both workers wind up")
    eventually(lambda: not any(map(lives, pids)), within_s=30, what="both processes are gone")
    told = stand.crew.lines("the supervisor is gone, so this worker stops")
    assert sorted((line.fields["worker"], line.level) for line in told) == [(1, "warning"), (2, "warning")]
    assert not stand.crew.lines("run summary")


def test_every_line_of_the_shared_log_is_whole_and_says_whose_it_is(stand: Stand) -> None:
    """Two workers and their supervisor write to one file; SIGUSR1 makes them all write at the same moment."""
    stand.wait_until_all_read()
    for _ in range(20):
        written = len(stand.crew.lines("worker snapshot"))
        os.kill(stand.crew.pid, signal.SIGUSR1)
        stand.crew.wait_for("worker snapshot", count=written + 1)
    stand.terminate()

    text = [line for line in stand.crew.log_text().splitlines() if not line.startswith("warning: ")]
    lines = [json.loads(line) for line in text]
    of_workers = [line for line in lines if line["event"] in ("worker snapshot", "lane snapshot", "worker started")]
    assert {line["worker"] for line in of_workers} == {1, 2}
    assert len(of_workers) > 60
