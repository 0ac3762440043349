"""A batch for two partitions with two leaders: a refusal by one of them is found, and costs the other nothing."""

import threading
from collections import Counter
from functools import partial

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from tailrace.adapters.embedded import ApiKey, EmbeddedBroker
from tailrace.adapters.kafka_shipping import ORDERED_PRODUCER, Arrived, Shipment, Shipper, Unwanted
from tailrace.runtime.clock import SystemClock
from tests.embedded.conftest import StartBroker

INVALID_RECORD = 87
TOPIC = "telemetry.a"


def keys(broker: EmbeddedBroker) -> list[bytes]:
    """A key that lands on partition 0, and one that lands on 1."""
    producer = Producer(
        {"bootstrap.servers": broker.bootstrap_servers, "partitioner": "murmur2_random", "linger.ms": 0, "log_level": 0}
    )
    landed: dict[int | None, bytes] = {}

    def note(key: bytes, _error: KafkaError | None, message: Message) -> None:
        landed[message.partition()] = key

    for number in range(20):
        producer.produce(TOPIC, key=b"%d" % number, on_delivery=partial(note, b"%d" % number))
    producer.flush(10)
    return [landed[0], landed[1]]


def values(broker: EmbeddedBroker) -> Counter[bytes]:
    """What is in the topic, and how often."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "r", "enable.partition.eof": True})
    consumer.assign([TopicPartition(TOPIC, 0, 0), TopicPartition(TOPIC, 1, 0)])
    found: Counter[bytes] = Counter()
    ended = 0
    while ended < 2:
        message = consumer.poll(5)
        assert message is not None
        ended += message.error() is not None
        value = message.value()
        if message.error() is None and isinstance(value, bytes):
            found[value] += 1
    consumer.close()
    return found


def test_what_is_said_to_have_arrived_is_there_once_and_the_first_that_is_not_is_not(start_broker: StartBroker) -> None:
    """One leader refuses before the slower one has answered: what is on its way there is waited for, and counted."""
    broker = start_broker(brokers=3)
    broker.create_topic(TOPIC, 2)
    broker.set_leader(TOPIC, 0, 1)
    broker.set_leader(TOPIC, 1, 2)
    fast, slow = keys(broker)
    client = {"bootstrap.servers": broker.bootstrap_servers, "log_level": 0, **ORDERED_PRODUCER}
    shipper = Shipper(lambda: Producer(client), TOPIC, 10.0, SystemClock())
    never = threading.Event()
    broker.rtt_ms(150, 2)
    for attempt in range(10):
        assert shipper.ship([Shipment(fast, None), Shipment(slow, None)], never) == Arrived(), "both are connected"
        broker.push_errors(ApiKey.PRODUCE, INVALID_RECORD)
        outcome = shipper.ship([Shipment(slow, b"slow %d" % attempt), Shipment(fast, b"fast %d" % attempt)], never)
        assert isinstance(outcome, Unwanted)
        if outcome.arrived + outcome.suspects == 2:
            break  # else the request that took the error was the slow leader's
    else:
        raise AssertionError("the fast leader never refused anything")
    shipper.abandon()
    broker.rtt_ms(0, 2)
    arrived = values(broker)
    assert arrived[b"slow %d" % attempt] == outcome.arrived
    assert arrived[b"fast %d" % attempt] == 0
