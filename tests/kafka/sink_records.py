"""What a topic holds, read by a consumer that has nothing to do with the worker's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, Message, TopicPartition

from tailrace.adapters.local_diagnostic import RecordReader, Unreadable
from tailrace.codec.schemas import SchemaStore

READ_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class SinkRecord:
    """One telemetry record: where it lies, and which event and projection it is."""

    partition: int
    offset: int
    source_partition: int
    source_offset: int
    kind: str
    event: Mapping[str, Any]

    @property
    def source(self) -> tuple[int, int]:
        return self.source_partition, self.source_offset


class TopicReader:
    """Reads a topic from its start to its end of the moment, and on each further call what has come since."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._topic = topic
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "reading-in-tests",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "enable.auto.commit": False,
                # At the end of a partition the broker would wait this long for more before it says so.
                "fetch.wait.max.ms": 5,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )
        found = self._consumer.list_topics(topic, timeout=READ_TIMEOUT_S).topics[topic]
        self._next = {
            partition: self._consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=READ_TIMEOUT_S)[0]
            for partition in found.partitions
        }

    def more(self) -> Iterator[Message]:
        """Each partition in order, without what was aborted."""
        self._consumer.assign([TopicPartition(self._topic, partition, at) for partition, at in self._next.items()])
        unread = set(self._next)
        while unread:
            message = self._consumer.poll(READ_TIMEOUT_S)
            assert message is not None, f"{self._topic} could not be read to its end"
            partition, offset = message.partition(), message.offset()
            assert partition is not None
            assert offset is not None
            if message.error() is None:
                self._next[partition] = offset + 1
                yield message
            else:
                self._next[partition] = offset  # the end that was reached
                unread.discard(partition)

    def close(self) -> None:
        self._consumer.close()


def read_topic(bootstrap: str, topic: str) -> list[Message]:
    """Every record of a topic up to its end."""
    reader = TopicReader(bootstrap, topic)
    try:
        return list(reader.more())
    finally:
        reader.close()


class SinkReader:
    """The telemetry records of a sink's topic, in the same way."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._messages = TopicReader(bootstrap, topic)
        self._reader = RecordReader(SchemaStore())

    def more(self) -> Iterator[SinkRecord]:
        for message in self._messages.more():
            value = message.value()
            assert isinstance(value, bytes)
            record = self._reader.read(value)
            assert not isinstance(record, Unreadable), "the sink holds something else than telemetry records"
            yield _record(message, record)

    def close(self) -> None:
        self._messages.close()


def sink_records(bootstrap: str, topic: str) -> list[SinkRecord]:
    """Every telemetry record of a sink's topic."""
    reader = SinkReader(bootstrap, topic)
    try:
        return list(reader.more())
    finally:
        reader.close()


def _record(message: Message, record: Mapping[str, Any]) -> SinkRecord:
    source = record["source"]
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    return SinkRecord(partition, offset, source["partition"], source["offset"], record["projection_kind"], record)
