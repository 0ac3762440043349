"""Two workers share the partitions: what one hands over, the other continues, without loss and without repeating."""

from tests.kafka.proof import prove
from tests.kafka.stage import Stage, trace
from tests.kafka.waiting import eventually
from tests.kafka.worker_process import WorkerProcess

SINKS = ("analytics", "billing")


def both_export(worker: WorkerProcess) -> bool:
    return all(lane.exported > 500 for sink, lane in worker.snapshot().items() if sink in SINKS)


def test_a_worker_that_joins_and_leaves_under_load_costs_nothing_and_repeats_nothing(stage: Stage) -> None:
    """The second one takes over half of the partitions, then stops; both exported, and no record is there twice."""
    topics = {sink: stage.unique(sink) for sink in SINKS}
    stage.create_topics(*topics.values())
    config = stage.write(stage.configuration({sink: trace(topic) for sink, topic in topics.items()}))
    first = stage.start(config)
    first.wait_for("reading a partition", count=4)

    with stage.load(2, per_s=1_000, poison_rate=0.01) as load:
        load.wait_for(1_000)
        second = stage.start(config)
        second.wait_for("reading a partition", count=2)
        load.wait_for_more(2_000)
        eventually(lambda: both_export(second), within_s=40, what="both sinks of the second worker export")
        shared = second.snapshot()
        kept = first.snapshot()
        second.stop_cleanly()
        first.wait_for("reading a partition", count=6)
        load.wait_for_more(1_000)
        load.wait_for(6_000)
    stage.wait_until_drained(*SINKS, "dead_letter")
    first.stop_cleanly()

    for sink in SINKS:
        assert shared[sink].exported > 500
        assert kept[sink].exported > 500
        assert shared[sink].cursors.keys().isdisjoint(kept[sink].cursors)
    # Cooperative: what stays with the first worker is never taken away from it for the sake of the others.
    # (Its second hand-over is that of its own stop.)
    handed_over, _ = [line.fields["partitions"] for line in first.lines("partitions handed over")]
    assert sorted(handed_over) == sorted(shared["analytics"].cursors)
    prove(config)
