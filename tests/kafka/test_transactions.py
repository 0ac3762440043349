"""Events written in transactions: aborted ones never happened, and markers hold up no cursor."""

from confluent_kafka import Producer

from tests.kafka.broker import KafkaBroker
from tests.kafka.proof import prove
from tests.kafka.sink_records import sink_records
from tests.kafka.stage import Stage, synthetic, trace
from tests.kafka.tools import group_lags

TRANSACTION_EVENTS = 100
TRANSACTIONS = 76


def test_aborted_events_are_never_exported_and_no_lag_is_left_behind_a_marker(
    stage: Stage, broker: KafkaBroker
) -> None:
    """Every third transaction is aborted, the last one too; every group ends without lag in Kafka's own tool."""
    topic = stage.unique("analytics")
    stage.create_topics(topic)
    config = stage.write(stage.configuration({"analytics": trace(topic)}))
    worker = stage.start(config)
    producer = Producer(
        {"bootstrap.servers": stage.kafka.bootstrap, "transactional.id": stage.unique("agents"), "linger.ms": 1}
    )
    producer.init_transactions(30)
    aborted_runs: set[bytes] = set()
    committed = 0
    for number in range(TRANSACTIONS):
        producer.begin_transaction()
        aborts = number % 3 == 0
        # Seeds of their own: whose runs those are tells later which transaction a record came from.
        for event in synthetic(1_000 + number, TRANSACTION_EVENTS):
            producer.produce(stage.events_topic, event.value, event.key)
            if aborts:
                aborted_runs.add(event.key)
        assert producer.flush(30) == 0  # what is not sent yet at an abort would leave no trace in the log
        (producer.abort_transaction if aborts else producer.commit_transaction)(30)
        committed += 0 if aborts else TRANSACTION_EVENTS
    assert aborts, "the log does not end with an aborted transaction"

    stage.wait_until_drained("analytics", "dead_letter")
    worker.stop_cleanly()

    exported = {str(record.event["run_id"]).encode() for record in sink_records(broker.bootstrap, topic)}
    assert exported
    assert exported.isdisjoint(aborted_runs)
    proof = prove(config)
    assert proof.events == committed
    lags = group_lags(broker, stage.group)
    assert {group: sum(lag.values()) for group, lag in lags.items()} == {
        stage.group: 0,
        f"{stage.group}.analytics": 0,
        f"{stage.group}.dead_letter": 0,
    }
