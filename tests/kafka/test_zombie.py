"""A worker that sleeps past its session and wakes up: what it still believes to own harms nobody."""

from tests.kafka.proof import prove
from tests.kafka.stage import Stage, small_batch, trace

SINKS = ("analytics", "lingering")


def test_a_worker_that_wakes_up_after_its_partitions_moved_on_loses_nothing_and_joins_again(stage: Stage) -> None:
    """While it is frozen another takes over; awake again it commits nothing of what it had, and gets its share anew."""
    topics = {sink: stage.unique(sink) for sink in SINKS}
    stage.create_topics(*topics.values())
    config = stage.write(
        stage.configuration(
            {
                "analytics": trace(topics["analytics"]),
                # It always has something unfinished, also at the moment it is frozen.
                "lingering": trace(topics["lingering"], batch=small_batch(500, 300)),
            }
        )
    )
    sleeper = stage.start(config)
    sleeper.wait_for("reading a partition", count=stage.partitions)
    with stage.load(50, per_s=400, poison_rate=0.01) as load:
        load.wait_for(800)
        sleeper.suspend()
        other = stage.start(config)
        other.wait_for("reading a partition", count=stage.partitions)
        load.wait_for_more(400)
        taken_over = {sink: stage.cursors(sink) for sink in SINKS}
        sleeper.resume()
        lost = sleeper.wait_for("partitions lost: nothing was committed for them")
        sleeper.wait_for("reading a partition", count=stage.partitions + 2)
        load.wait_for_more(800)
        load.wait_for(5_200)
    stage.wait_until_drained(*SINKS, "dead_letter")
    sleeper.stop_cleanly()
    other.stop_cleanly()

    assert sorted(p for line in lost for p in line.fields["partitions"]) == list(range(stage.partitions))
    for sink, cursors in taken_over.items():
        now = stage.cursors(sink)
        assert all(now[partition] >= cursor for partition, cursor in cursors.items())
    prove(config, duplicates=True)
