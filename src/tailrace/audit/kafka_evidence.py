"""Evidence from Kafka and from files, read with clients that belong to no group and commit nothing."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from tailrace.audit.errors import EvidenceUnreadable
from tailrace.audit.evidence import FileRead, Message, PartitionRead
from tailrace.audit.line_files import line_at, read_lines, streams
from tailrace.audit.plan import AuditPlan, Cluster, FileDestination, KafkaDestination, Property, SinkPlan

REQUEST_TIMEOUT_S = 15.0
"""One question to a cluster; one that just restarted answers within a few seconds."""

STALL_TIMEOUT_S = 30.0
"""A read without any progress for this long is given up: an audit that waits for ever proves nothing either."""

_BATCH = 1_000
_POLL_S = 0.2

_NO_OFFSET = -1001  # librdkafka's OFFSET_INVALID: the group has no committed offset

_READER: Mapping[str, Property] = {
    "auto.offset.reset": "error",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "isolation.level": "read_committed",
    "allow.auto.create.topics": False,
    "check.crcs": True,
    "log.connection.close": False,
    # Topics are read one partition at a time, so more read ahead is more memory and not more speed.
    "queued.max.messages.kbytes": 8_192,
    # The last fetch of a partition waits at its end; the first one of the next partition waits behind it. Measured on
    # the embedded broker: half a second per partition with the client's default of 500 ms.
    "fetch.wait.max.ms": 20,
}

_OUT_OF_RANGE = (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)  # noqa: SLF001 - librdkafka's own code


_HOPELESS = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - librdkafka's own code
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001 - librdkafka's own code
    KafkaError._FATAL,  # noqa: SLF001 - librdkafka's own code
)
"""What waiting does not mend."""


@dataclass(frozen=True, slots=True)
class _Topic:
    consumer: Consumer
    name: str
    partitions: list[int]


class KafkaEvidence:
    """Reads what a plan names. One thread; close it, or use it as a context.

    Every method raises EvidenceUnreadable when a topic is missing, a cluster does not answer, or a read stalls.
    """

    def __init__(self, plan: AuditPlan) -> None:
        self._plan = plan
        self._sinks = {sink.sink_id: sink for sink in plan.sinks}
        self._consumers: dict[str, Consumer] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every client."""
        for consumer in self._consumers.values():
            consumer.close()
        self._consumers.clear()

    # ------------------------------------------------------------------------------------------------- the evidence

    def cursors(self, sink_id: str) -> Mapping[int, int]:
        # A plain consumer and not an AdminClient, whose group calls can abort the process after a coordinator outage.
        group = self._plan.cursor_group(sink_id)
        consumer = Consumer({**self._plan.cluster.properties, **_READER, "group.id": group})
        try:
            topic = _topic(consumer, self._plan.events_topic)
            asked = [TopicPartition(topic.name, partition) for partition in topic.partitions]
            found = consumer.committed(asked, timeout=REQUEST_TIMEOUT_S)
        except KafkaException as error:
            raise _unreadable(f"group {group}", error) from None
        finally:
            consumer.close()
        for place in found:
            if place.error is not None:
                raise EvidenceUnreadable(f"group {group}", place.error.name())
        return {place.partition: place.offset for place in found if place.offset != _NO_OFFSET}

    def health_ends(self) -> Mapping[int, int]:
        topic = self._topic(self._plan.cluster, self._plan.health_topic)
        return {partition: _ends(topic, partition)[1] for partition in topic.partitions}

    def sink_topic(self, sink_id: str) -> Iterator[PartitionRead]:
        destination = self._kafka_destination(sink_id)
        return self._read_topic(destination.cluster or self._plan.cluster, destination.topic)

    def sink_files(self, sink_id: str) -> Iterator[FileRead]:
        for writer, stream in streams(self._file_destination(sink_id)).items():
            yield replace(read_lines(stream), writer=writer)

    def dead_letters(self) -> Iterator[PartitionRead]:
        assert self._plan.dead_letter is not None, "the plan names no dead letters"
        return self._read_topic(self._plan.cluster, self._plan.dead_letter.topic)

    def health(self) -> Iterator[PartitionRead]:
        return self._read_topic(self._plan.cluster, self._plan.health_topic)

    def events(self) -> Iterator[PartitionRead]:
        return self._read_topic(self._plan.cluster, self._plan.events_topic)

    def sink_value(self, sink_id: str, partition: int, place: int) -> bytes | None:
        sink = self._sink(sink_id)
        if isinstance(sink.destination, FileDestination):
            return line_at(streams(sink.destination)[partition], place)
        destination = self._kafka_destination(sink_id)
        # A client of its own: this comes in the middle of reading the events.
        with_own = Consumer({**_reader_properties(destination.cluster or self._plan.cluster)})
        try:
            read = PartitionRead(partition, place, place + 1, iter(()))
            topic = _Topic(with_own, destination.topic, [partition])
            return next((message.value for message in _messages(topic, read)), None)
        finally:
            with_own.close()

    # ------------------------------------------------------------------------------------------------------ reading

    def _read_topic(self, cluster: Cluster, name: str) -> Iterator[PartitionRead]:
        topic = self._topic(cluster, name)
        for partition in topic.partitions:
            low, high = _ends(topic, partition)
            read = PartitionRead(partition, low, high, iter(()))
            if low < high:
                read.messages = _messages(topic, read)
            yield read

    def _topic(self, cluster: Cluster, name: str) -> _Topic:
        key = repr(sorted(cluster.properties.items()))
        if key not in self._consumers:
            self._consumers[key] = Consumer(_reader_properties(cluster))
        try:
            return _topic(self._consumers[key], name)
        except KafkaException as error:
            raise _unreadable(f"topic {name}", error) from None

    def _sink(self, sink_id: str) -> SinkPlan:
        return self._sinks[sink_id]

    def _kafka_destination(self, sink_id: str) -> KafkaDestination:
        letters = self._plan.dead_letter
        if letters is not None and sink_id == letters.lane_id:
            return KafkaDestination(letters.topic)
        destination = self._sink(sink_id).destination
        assert isinstance(destination, KafkaDestination), "only asked of sinks on Kafka"
        return destination

    def _file_destination(self, sink_id: str) -> FileDestination:
        destination = self._sink(sink_id).destination
        assert isinstance(destination, FileDestination), "only asked of sinks in files"
        return destination


def _reader_properties(cluster: Cluster) -> dict[str, Property]:
    return {**cluster.properties, **_READER, "group.id": f"tailrace-audit-{uuid.uuid4().hex}"}


def _topic(consumer: Consumer, name: str) -> _Topic:
    found = consumer.list_topics(name, timeout=REQUEST_TIMEOUT_S).topics.get(name)
    if found is None or found.error is not None or not found.partitions:
        why = "is not there" if found is None or found.error is None else found.error.name()
        raise EvidenceUnreadable(f"topic {name}", why)
    return _Topic(consumer, name, sorted(found.partitions))


def _ends(topic: _Topic, partition: int) -> tuple[int, int]:
    """The first offset the log has, and the end of what is committed in it."""
    try:
        place = TopicPartition(topic.name, partition)
        low, high = topic.consumer.get_watermark_offsets(place, timeout=REQUEST_TIMEOUT_S, cached=False)
    except KafkaException as error:
        raise _unreadable(f"topic {topic.name} partition {partition}", error) from None
    return int(low), int(high)


def _messages(topic: _Topic, read: PartitionRead) -> Iterator[Message]:
    """Every record from `read.low` to `read.high`; where retention is faster, `read.low` rises and reading goes on."""
    consumer, place = topic.consumer, TopicPartition(topic.name, read.partition, read.low)
    position, idle_s, at_end = read.low, 0.0, False
    try:
        consumer.assign([place])
        while position < read.high and not at_end:
            for message in _batch(consumer):
                if (message.topic(), message.partition()) != (topic.name, read.partition):
                    continue  # a late word about the partition that was read before
                error = message.error()
                if error is not None:
                    at_end = _at_end(topic, read, error, position) or at_end
                elif (record := _record(message)).offset < read.high:
                    yield record
            # The position counts transaction markers, so it also comes to the end of a log that ends with one.
            reached = int(consumer.position([place])[0].offset)
            idle_s = 0.0 if reached > position else idle_s + _POLL_S
            position = max(position, reached)
            if idle_s >= STALL_TIMEOUT_S:
                raise EvidenceUnreadable(_source(topic, read), f"stalled at offset {position} of {read.high}")
    except KafkaException as error:
        raise _unreadable(_source(topic, read), error) from None
    finally:
        consumer.unassign()


def _batch(consumer: Consumer) -> list[KafkaMessage]:
    """What is there, waiting only for the first: a call for a batch waits for all of it, or the whole time-out."""
    first = consumer.poll(_POLL_S)
    return [] if first is None else [first, *consumer.consume(_BATCH, 0.0)]


def _at_end(topic: _Topic, read: PartitionRead, error: KafkaError, position: int) -> bool:
    """What an error in the stream means: the end, a jump over what retention took, no hope, or a wait."""
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's own code
        return True  # also short of `high`: what is behind it belongs to a transaction that is still open
    if error.code() in _OUT_OF_RANGE:
        read.low = max(_ends(topic, read.partition)[0], position)
        topic.consumer.assign([TopicPartition(topic.name, read.partition, read.low)])
    elif error.code() in _HOPELESS:
        raise EvidenceUnreadable(_source(topic, read), error.name())
    return False  # a broker that is away: the stall bounds the wait


def _source(topic: _Topic, read: PartitionRead) -> str:
    return f"topic {topic.name} partition {read.partition}"


def _record(message: KafkaMessage) -> Message:
    offset, headers = message.offset(), message.headers()
    assert offset is not None, "a record that was read has an offset"
    named = headers.items() if isinstance(headers, dict) else headers or ()
    parts = [(name, _bytes(value)) for name, value in named]
    return Message(offset, _bytes(message.key()), _bytes(message.value()), parts, int(message.timestamp()[1]))


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _unreadable(source: str, error: KafkaException) -> EvidenceUnreadable:
    return EvidenceUnreadable(source, str(error.args[0].name()))
