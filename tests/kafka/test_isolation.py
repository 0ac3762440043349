"""One sink's trouble is its own: one that refuses or hangs neither moves nor stops nor slows the cursor of another."""

from collections.abc import Iterator

import pytest

from tests.kafka.broker import KafkaBroker
from tests.kafka.proof import prove
from tests.kafka.stage import Stage, trace
from tests.kafka.tools import allow_writes, group_lags, refuse_writes
from tests.kafka.waiting import eventually

SINKS = ("steady", "refused", "stalled")


@pytest.fixture
def elsewhere(broker: KafkaBroker) -> Iterator[KafkaBroker]:
    """A second cluster, for the sink that is not on the cluster of the events."""
    del broker  # it decides whether there can be containers at all
    with KafkaBroker() as another:
        yield another


def test_a_stalled_and_a_refused_sink_fall_behind_alone_and_both_complete_once_they_are_healed(
    stage: Stage, broker: KafkaBroker, elsewhere: KafkaBroker
) -> None:
    """Kafka's own tool shows the lag of those two only; afterwards nothing is missing and what worked has no copies."""
    topics = {sink: stage.unique(sink) for sink in SINKS}
    stage.create_topics(topics["steady"], topics["refused"])
    elsewhere.create_topic(topics["stalled"], 3)
    stalled = trace(topics["stalled"], delivery_timeout_ms=1_000, kafka={"bootstrap_servers": elsewhere.bootstrap})
    config = stage.write(
        stage.configuration(
            {"steady": trace(topics["steady"]), "refused": trace(topics["refused"]), "stalled": stalled}
        )
    )
    worker = stage.start(config)
    with stage.load(4, per_s=800, poison_rate=0.01) as load:
        eventually(
            lambda: all(any(stage.cursors(sink).values()) for sink in SINKS), within_s=30, what="three moving cursors"
        )
        elsewhere.pause()
        try:
            refuse_writes(broker, topics["refused"])
            worker.wait_for("sink failed", sink="refused", detail="TOPIC_AUTHORIZATION_FAILED")
            worker.wait_for("sink failed", sink="stalled", detail="delivery_timeout")
            load.wait_for_more(1_500)
            load.wait_for(5_200)
            load.stop()
            stage.wait_until_drained("steady", "dead_letter")
            lags = group_lags(broker, stage.group)
        finally:
            elsewhere.unpause()
    assert {group: sum(lag.values()) > 0 for group, lag in lags.items()} == {
        stage.group: True,  # what the group commits is the lowest cursor of all
        f"{stage.group}.steady": False,
        f"{stage.group}.dead_letter": False,
        f"{stage.group}.refused": True,
        f"{stage.group}.stalled": True,
    }
    allow_writes(broker, topics["refused"])
    stage.wait_until_drained(*SINKS)
    worker.wait_for("sink recovered", sink="refused")
    worker.wait_for("sink recovered", sink="stalled")
    worker.stop_cleanly()

    proof = prove(config, duplicates=True)
    assert proof.duplicates["steady"] == 0
    assert {line.fields["sink"] for line in worker.lines("sink failed")} == {"refused", "stalled"}
