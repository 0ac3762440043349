"""Several workers of one command: one is killed in the middle of its work, and nothing is missing."""

import os
import signal

from tests.kafka.proof import prove
from tests.kafka.stage import Stage, small_batch, trace
from tests.kafka.worker_process import WorkerProcess

EVENTS = 6_000
EVENTS_PER_S = 1_000


def pid_in_seat(crew: WorkerProcess, worker: int) -> int:
    """The process that is worker `worker` now."""
    return int(crew.lines("worker process started", worker=worker)[-1].fields["pid"])


def test_a_worker_of_two_that_is_killed_is_replaced_and_every_event_is_accounted_for(stage: Stage) -> None:
    """Its partitions wait for its session to run out or its successor; the other's go on. One stop ends all."""
    topics = {sink: stage.unique(sink) for sink in ("quick", "patient")}
    stage.create_topics(*topics.values())
    config = stage.write(
        stage.configuration(
            {
                # Something is always exported and not yet committed, so that the kill takes something with it.
                "quick": trace(topics["quick"], batch=small_batch(50, 20)),
                "patient": trace(topics["patient"], batch=small_batch(300, 300)),
                "diagnostic": {"kind": "local_diagnostic", "path": str(stage.folder / "diagnostic.jsonl")},
            },
            worker={"commit_interval_ms": 1_000},
        )
    )
    crew = stage.start(config, "--workers", "2", wait=False)
    crew.wait_for("worker started", count=2)
    for worker in (1, 2):
        crew.wait_for("reading a partition", worker=worker)

    with stage.load(11, per_s=EVENTS_PER_S, poison_rate=0.01) as load:
        load.wait_for(EVENTS // 3)
        victim, begun = pid_in_seat(crew, 2), len(crew.lines("reading a partition", worker=2))
        os.kill(victim, signal.SIGKILL)
        crew.wait_for("worker process ended", worker=2, pid=victim, exit_code=-signal.SIGKILL)
        crew.wait_for("worker started", worker=2, count=2)
        crew.wait_for("reading a partition", worker=2, count=begun + 1)
        load.wait_for(EVENTS)
    stage.wait_until_drained("quick", "patient", "diagnostic", "dead_letter")
    crew.stop_cleanly()

    assert pid_in_seat(crew, 2) != victim
    (run,) = crew.lines("run summary")
    assert (run.fields["workers"], run.fields["restarts"], run.fields["exit_code"]) == (2, 1, 0)
    of_quick = [line.fields for line in crew.lines("sink summary", sink="quick")]
    assert [line.get("worker") for line in of_quick] == [1, 2, None]
    assert of_quick[2]["exported"] == of_quick[0]["exported"] + of_quick[1]["exported"]
    assert min(line["exported"] for line in of_quick) > 0
    assert {file.name for file in stage.folder.glob("diagnostic*.jsonl")} == {
        "diagnostic.worker-1.jsonl",
        "diagnostic.worker-2.jsonl",
    }
    proof = prove(config, duplicates=True, min_events=EVENTS * 98 // 100)
    assert any(proof.duplicates.values()), "the kill did not come between an export and its cursor"
