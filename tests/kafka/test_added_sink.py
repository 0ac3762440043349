"""A sink that comes later, and one whose cursors were deleted: each begins where it has to, and bothers nobody."""

from tests.kafka.broker import KafkaBroker
from tests.kafka.proof import prove
from tests.kafka.stage import Stage, small_batch, synthetic, trace
from tests.kafka.waiting import eventually
from tests.kafka.worker_process import LaneView, WorkerProcess


def test_a_sink_added_later_gets_everything_from_the_start_and_from_the_ledger_if_its_cursors_are_deleted(
    stage: Stage, broker: KafkaBroker
) -> None:
    """It catches up from the earliest event while the others stay live; without cursors the ledger's mark is used."""
    old, late = stage.unique("old"), stage.unique("late")
    stage.create_topics(old, late)
    sinks = {"old": trace(old)}
    worker = stage.start(stage.write(stage.configuration(sinks)))
    stage.produce(synthetic(7, 3_000, poison_rate=0.01))
    stage.wait_until_drained("old", "dead_letter")
    worker.stop_cleanly()

    # Slow enough to be looked at while it catches up.
    sinks["late"] = trace(late, catch_up_max_events_per_s=1_000, batch=small_batch(100))
    config = stage.write(stage.configuration(sinks))
    worker = stage.start(config)
    with stage.load(8, per_s=300, poison_rate=0.01) as load:
        starts = worker.wait_for("lane started on a partition", count=stage.partitions, sink="late")
        assert {(line.fields["origin"], line.fields["cursor"]) for line in starts} == {("start_at", 0)}
        behind = eventually(lambda: late_behind_old_live(worker), within_s=20, what="late catching up, old live")
        assert sum(behind["late"].cursors.values()) < sum(behind["old"].cursors.values())
        worker.wait_for("lane is live again", sink="late")
        load.wait_for(2_200)
    stage.wait_until_drained("old", "late", "dead_letter")
    assert not worker.lines("lane catches up from the log", sink="old"), "the old sink was bothered"
    worker.stop_cleanly()

    broker.exec_tool("kafka-consumer-groups.sh", "--delete", "--group", f"{stage.group}.late")
    worker = stage.start(config)
    starts = worker.wait_for("lane started on a partition", count=stage.partitions, sink="late")
    assert {line.fields["origin"] for line in starts} == {"ledger"}
    assert all(line.fields["cursor"] > 0 for line in starts), "it began anew"
    stage.produce(synthetic(9, 500))
    stage.wait_until_drained("old", "late", "dead_letter")
    worker.stop_cleanly()

    # From the ledger's last mark to the lost cursor at most: marks come once a second.
    proof = prove(config, duplicates=True)
    assert proof.duplicates["old"] == 0


def late_behind_old_live(worker: WorkerProcess) -> dict[str, LaneView] | None:
    lanes = worker.snapshot()
    return lanes if lanes["late"].state == "catching_up" and lanes["old"].state == "healthy" else None
