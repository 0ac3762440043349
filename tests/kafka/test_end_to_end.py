"""The whole way on a real Kafka: events in, records out through three lanes, a clean stop, and nothing left over."""

from tests.kafka.broker import KafkaBroker
from tests.kafka.proof import prove
from tests.kafka.stage import Stage, synthetic, trace
from tests.kafka.tools import group_lags

CONTENT = ("größer", "naïve", "漢字")
"""Words of the conversations in the events, and of nothing else: they must get no further."""

LANES = ("analytics", "billing", "dead_letter", "diagnostic")


def test_every_event_reaches_every_sink_once_and_kafka_shows_one_group_each_without_lag(
    stage: Stage, broker: KafkaBroker
) -> None:
    """Three sinks and the dead letters: nothing twice, no content anywhere, one group per sink at the log's end."""
    analytics, billing = stage.unique("analytics"), stage.unique("billing")
    stage.create_topics(analytics, billing)
    config = stage.write(
        stage.configuration(
            {
                "analytics": trace(analytics),
                "billing": trace(billing, selection={"kinds": ["usage", "cost_estimate", "cost_correction"]}),
                "diagnostic": {"kind": "local_diagnostic", "path": str(stage.folder / "diagnostic.jsonl")},
            }
        )
    )
    worker = stage.start(config)

    events = synthetic(1, 6_000, poison_rate=0.01, content=True)
    assert all(any(word.encode() in (event.value or b"") for event in events) for word in CONTENT)
    stage.produce(events)
    stage.wait_until_drained(*LANES)
    worker.stop_cleanly()

    proof = prove(config, canaries=CONTENT)
    said = worker.log_text()
    assert not any(word in said for word in CONTENT)
    assert proof.events > 5_900
    assert all(sink.cursors == stage.ends() for sink in proof.sinks.values())
    assert 0 < proof.sinks["billing"].exported < proof.sinks["analytics"].exported
    assert proof.sinks["dead_letter"].exported > 0, "no poison, no dead letters"
    assert proof.sinks["analytics"].missed == {"undecodable": proof.sinks["dead_letter"].exported}
    no_lag = dict.fromkeys(range(stage.partitions), 0)
    groups = [stage.group, *(f"{stage.group}.{lane}" for lane in LANES)]
    assert group_lags(broker, stage.group) == dict.fromkeys(groups, no_lag)
