"""The cluster itself goes away and comes back: workers wait, both the one at work and the one that just starts."""

from tests.kafka.broker import KafkaBroker
from tests.kafka.proof import prove
from tests.kafka.stage import Stage, trace

SINKS = ("analytics", "billing")


def test_a_killed_broker_costs_nothing_and_a_worker_started_meanwhile_waits_for_it(
    stage: Stage, broker: KafkaBroker
) -> None:
    """Under load the broker is killed; a second worker starts before it is back; everything arrives, in order."""
    topics = {sink: stage.unique(sink) for sink in SINKS}
    stage.create_topics(*topics.values())
    config = stage.write(stage.configuration({sink: trace(topic) for sink, topic in topics.items()}))
    first = stage.start(config)
    first.wait_for("reading a partition", count=stage.partitions)

    with stage.load(6, per_s=600, poison_rate=0.01) as load:
        load.wait_for(1_500)
        broker.stop_hard()
        try:
            before = load.sent
            second = stage.start(config, wait=False)
            second.wait_for("waiting for Kafka")
            load.wait_for_more(300)
        finally:
            broker.start_again()
        assert load.sent > before, "nothing was produced while the broker was away"
        second.wait_for("the cluster answers")
        second.wait_for("reading a partition", count=2)
        load.wait_for_more(1_000)
        load.wait_for(5_200)
    stage.wait_until_drained(*SINKS, "dead_letter")
    assert first.lines("kafka client", facility="FAIL"), "the first worker did not notice"
    first.stop_cleanly()
    second.stop_cleanly()

    prove(config, duplicates=True)
