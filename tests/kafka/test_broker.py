"""The test broker is a real Kafka, and the facts of the real one that the design stands on hold for it."""

import re
import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from tests.kafka.broker import Kafka, KafkaBroker, ToolError

DEADLINE_S = 30.0


def consumer(kafka: Kafka, group: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "group.id": group,
            "isolation.level": "read_committed",
            "auto.offset.reset": "error",
            "enable.auto.commit": False,
        }
    )


def produce(kafka: Kafka, topic: str, values: list[bytes]) -> None:
    refused: list[object] = []
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "acks": "all"})
    for value in values:
        producer.produce(
            topic, value, partition=0, on_delivery=lambda error, _: refused.append(error) if error else None
        )
    assert producer.flush(DEADLINE_S) == 0
    assert refused == []


def read(reader: Consumer, count: int) -> list[Message]:
    messages: list[Message] = []
    deadline_s = time.monotonic() + DEADLINE_S
    while len(messages) < count and time.monotonic() < deadline_s:
        messages += reader.consume(count - len(messages), timeout=0.2)
    assert [message.error() for message in messages] == [None] * count
    return messages


def cursor_once_the_coordinator_is_back(reader: Consumer, topic: str) -> TopicPartition:
    """The cursor on partition 0. The client passes on at once that a broker does not know its groups again yet."""
    end = time.monotonic() + DEADLINE_S
    while True:
        try:
            return reader.committed([TopicPartition(topic, 0)], timeout=DEADLINE_S)[0]
        except KafkaException as error:
            if time.monotonic() > end or error.args[0].code() != KafkaError.NOT_COORDINATOR:
                raise
            time.sleep(0.2)


@pytest.fixture
def open_consumer(kafka: Kafka) -> Iterator[Callable[[str], Consumer]]:
    opened: list[Consumer] = []

    def open_one(group: str) -> Consumer:
        opened.append(consumer(kafka, group))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


def test_what_is_produced_is_consumed(
    kafka: Kafka, unique: Callable[[str], str], open_consumer: Callable[[str], Consumer]
) -> None:
    """Values come back once each, in order, at consecutive offsets."""
    topic = unique("events")
    kafka.create_topic(topic)
    values = [f"value {number}".encode() for number in range(100)]
    produce(kafka, topic, values)
    reader = open_consumer(unique("group"))
    reader.assign([TopicPartition(topic, 0, 0)])

    messages = read(reader, 100)

    assert [message.value() for message in messages] == values
    assert [message.offset() for message in messages] == list(range(100))


def test_a_consumer_that_never_joined_keeps_a_cursor_with_metadata(
    broker: KafkaBroker, unique: Callable[[str], str], open_consumer: Callable[[str], Consumer]
) -> None:
    """Another consumer reads offset and metadata, and Kafka's own tool shows the lag."""
    topic, group = unique("events"), unique("cursors")
    broker.create_topic(topic)
    produce(broker, topic, [b"x"] * 10)

    open_consumer(group).commit(offsets=[TopicPartition(topic, 0, 4, "seq=7 é")], asynchronous=False)
    (cursor,) = open_consumer(group).committed([TopicPartition(topic, 0)], timeout=DEADLINE_S)

    assert (cursor.offset, cursor.metadata) == (4, "seq=7 é")
    described = broker.exec_tool("kafka-consumer-groups.sh", "--describe", "--group", group)
    columns = next(line.split() for line in described.splitlines() if re.match(rf"{re.escape(group)}\s", line))
    # GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG
    assert columns[1:6] == [topic, "0", "4", "10", "6"]


@pytest.mark.slow
def test_a_killed_broker_comes_back_with_its_data_on_its_port(
    broker: KafkaBroker, unique: Callable[[str], str], open_consumer: Callable[[str], Consumer]
) -> None:
    """A client from before the kill reads the records and the cursor from after it."""
    topic, group = unique("events"), unique("cursors")
    broker.create_topic(topic)
    produce(broker, topic, [b"before"] * 5)
    reader = open_consumer(group)
    reader.commit(offsets=[TopicPartition(topic, 0, 3, "kept")], asynchronous=False)

    broker.stop_hard()
    try:
        assert broker.get_wrapped_container().wait()["StatusCode"] == 137  # the kill was one
    finally:
        broker.start_again()
    produce(broker, topic, [b"after"])

    cursor = cursor_once_the_coordinator_is_back(reader, topic)
    assert (cursor.offset, cursor.metadata) == (3, "kept")
    reader.assign([cursor])
    assert [message.value() for message in read(reader, 3)] == [b"before", b"before", b"after"]


def test_the_position_passes_what_a_committed_reader_never_sees(
    kafka: Kafka, unique: Callable[[str], str], open_consumer: Callable[[str], Consumer]
) -> None:
    """Once nothing is queued, position() is past the last marker, where "last offset + 1" never gets."""
    topic = unique("events")
    kafka.create_topic(topic)
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": unique("writer")})
    producer.init_transactions(DEADLINE_S)
    for records, committed in ((10, True), (5, False), (5, True), (3, False)):
        producer.begin_transaction()
        for _ in range(records):
            producer.produce(topic, b"x", partition=0)
        producer.flush(DEADLINE_S)  # an abort drops what was not sent yet, and its offsets would not exist
        (producer.commit_transaction if committed else producer.abort_transaction)(DEADLINE_S)
    reader = open_consumer(unique("group"))
    reader.assign([TopicPartition(topic, 0, 0)])

    offsets = [message.offset() for message in read(reader, 15)]
    exact = reader.position([TopicPartition(topic, 0)])[0].offset
    deadline_s = time.monotonic() + DEADLINE_S
    while (settled := reader.position([TopicPartition(topic, 0)])[0].offset) < 27 and time.monotonic() < deadline_s:
        assert reader.consume(1, timeout=0.1) == []

    # 0-9, marker 10, 11-15 and marker 16 aborted, 17-21, marker 22, 23-25 and marker 26 aborted.
    assert offsets == [*range(10), *range(17, 22)]
    assert exact in (22, 27)
    assert settled == 27


def test_a_paused_broker_answers_nothing_and_then_goes_on(
    broker: KafkaBroker, unique: Callable[[str], str], open_consumer: Callable[[str], Consumer]
) -> None:
    """A record produced during the pause is delivered after it."""
    topic = unique("events")
    broker.create_topic(topic)
    reader = open_consumer(unique("group"))
    reader.assign([TopicPartition(topic, 0, 0)])
    producer = Producer({"bootstrap.servers": broker.bootstrap, "acks": "all"})
    producer.list_topics(topic, timeout=DEADLINE_S)

    broker.pause()
    try:
        producer.produce(topic, b"during", partition=0)
        assert producer.flush(1.0) == 1
    finally:
        broker.unpause()

    assert producer.flush(DEADLINE_S) == 0
    assert [message.value() for message in read(reader, 1)] == [b"during"]


def test_rules_of_access_can_be_set_on_one_topic(broker: KafkaBroker, unique: Callable[[str], str]) -> None:
    """A write that a rule denies is refused; topics without a rule stay open."""
    denied, free = unique("denied"), unique("free")
    broker.create_topic(denied)
    broker.create_topic(free)
    broker.exec_tool(
        "kafka-acls.sh", "--add", "--deny-principal", "User:ANONYMOUS", "--operation", "Write", "--topic", denied
    )
    outcomes: dict[str, str] = {}

    def remember(error: object, message: Message) -> None:
        outcomes[str(message.topic())] = str(error)

    producer = Producer({"bootstrap.servers": broker.bootstrap})
    for topic in (denied, free):
        producer.produce(topic, b"x", partition=0, on_delivery=remember)
    producer.flush(DEADLINE_S)

    assert "TOPIC_AUTHORIZATION_FAILED" in outcomes[denied]
    assert outcomes[free] == "None"


def test_a_tool_that_fails_is_an_error(broker: KafkaBroker, unique: Callable[[str], str]) -> None:
    """The exit code of Kafka's own tool is not lost on the way."""
    with pytest.raises(ToolError) as failure:
        broker.exec_tool("kafka-topics.sh", "--describe", "--topic", unique("missing"))
    assert failure.value.exit_code != 0
    assert "does not exist" in failure.value.output
