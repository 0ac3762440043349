"""What the cluster says of a run from outside the worker: ends, cursors, times, and every record that arrived."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any, cast

from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec
from fastavro import parse_schema, schemaless_reader

from bench.child import Child
from tailrace.codec.framing import single_object_frame
from tailrace.codec.schemas import SchemaStore

ANSWER_TIMEOUT_S = 30.0

LOOK_S = 0.25

READ_S = 0.2

_LOOKED_AT = {"source", "projection_kind"}
_KINDS = ("run_terminal", "usage", "cost_estimate", "cost_correction", "progress")


@contextmanager
def _consumer(bootstrap: str, group: str) -> Iterator[Consumer]:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
    )
    try:
        yield consumer
    finally:
        consumer.close()


def ranges(bootstrap: str, topic: str) -> dict[int, tuple[int, int]]:
    """Per partition, the first offset and the next one to be written; empty if there is no such topic."""
    with _consumer(bootstrap, "bench") as consumer:
        found = consumer.list_topics(timeout=ANSWER_TIMEOUT_S).topics.get(topic)
        return {
            partition: consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=ANSWER_TIMEOUT_S)
            for partition in (found.partitions if found else {})
        }


def records_in(bootstrap: str, topic: str) -> int:
    """Records of a topic that nobody writes to in transactions, and nothing is removed from."""
    return sum(high - low for low, high in ranges(bootstrap, topic).values())


def cursors(bootstrap: str, group: str, topic: str, partitions: Sequence[int]) -> dict[int, int]:
    """The group's committed offsets; partitions without one are left out."""
    with _consumer(bootstrap, group) as consumer:
        places = consumer.committed([TopicPartition(topic, p) for p in partitions], timeout=ANSWER_TIMEOUT_S)
    return {place.partition: place.offset for place in places if place.offset >= 0}


def wait_until_drained(child: Child, bootstrap: str, topic: str, groups: Sequence[str], within_s: float) -> None:
    """Wait until the cursors of these groups are at the end of the log. Ends the measurement if they never are."""
    ends = {partition: high for partition, (_, high) in ranges(bootstrap, topic).items()}
    give_up_s = time.monotonic() + within_s
    for group in groups:
        while cursors(bootstrap, group, topic, sorted(ends)) != ends:
            child.must_run()
            if time.monotonic() > give_up_s:
                raise SystemExit(f"{group} is not at the end of {topic} within {within_s} s")
            time.sleep(LOOK_S)


def wait_for_records(child: Child, bootstrap: str, expected: Mapping[str, int], within_s: float) -> None:
    """Wait until each topic has had this many records appended. Ends the measurement if they never are.

    One request a look, so that watching takes next to nothing from what is watched.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    partitions = [TopicPartition(topic, p) for topic in expected for p in ranges(bootstrap, topic)]
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    give_up_s = time.monotonic() + within_s
    while True:
        answers = admin.list_offsets(dict.fromkeys(partitions, latest))
        found: Counter[str] = Counter()
        for place, answer in answers.items():
            found[place.topic] += answer.result(ANSWER_TIMEOUT_S).offset
        if all(found[topic] >= count for topic, count in expected.items()):
            return
        child.must_run()
        if time.monotonic() > give_up_s:
            raise SystemExit(f"after {within_s} s there are {dict(found)} of {dict(expected)} records")
        time.sleep(LOOK_S)


def end_of(bootstrap: str, topic: str) -> dict[int, int]:
    """Per partition, the next offset to be written."""
    return {partition: high for partition, (_, high) in ranges(bootstrap, topic).items()}


def set_cursors(bootstrap: str, group: str, topic: str, offsets: Mapping[int, int]) -> None:
    """Commit offsets for a group without members, as a sink's cursors that somebody else left there."""
    with _consumer(bootstrap, group) as consumer:
        consumer.commit(offsets=[TopicPartition(topic, p, o) for p, o in offsets.items()], asynchronous=False)


def delete(bootstrap: str, topics: Sequence[str]) -> None:
    """Remove topics of our own; the disk is only needed while a run is judged."""
    admin = AdminClient(
        {"bootstrap.servers": bootstrap, "log_level": 0}
    )  # held until the answers are there: they end with it
    for answer in admin.delete_topics(list(topics)).values():
        answer.result(ANSWER_TIMEOUT_S)


def last_written_s(bootstrap: str, topics: Sequence[str]) -> float:
    """The newest timestamp in these topics, in seconds since the epoch.

    With `message.timestamp.type=LogAppendTime` that is when the broker had the last record.
    """
    newest_ms = 0
    for topic in topics:
        with _consumer(bootstrap, "bench") as consumer:
            for partition, (low, high) in ranges(bootstrap, topic).items():
                if high > low:
                    consumer.assign([TopicPartition(topic, partition, high - 1)])
                    message = consumer.poll(ANSWER_TIMEOUT_S)
                    if message is None or message.error() is not None:
                        raise SystemExit(f"the last record of {topic} could not be read")
                    newest_ms = max(newest_ms, message.timestamp()[1])
    return newest_ms / 1_000


def read(bootstrap: str, topic: str) -> Iterator[Message]:
    """Every record of a topic that nobody writes to any more."""
    with _consumer(bootstrap, "bench") as consumer:
        consumer.assign([TopicPartition(topic, p, low) for p, (low, _) in ranges(bootstrap, topic).items()])
        unread = len(consumer.assignment())
        heard_s = time.monotonic()
        while unread:
            # It waits for as many as it is asked for: at the end of a topic, the whole time.
            messages = consumer.consume(10_000, READ_S)
            if messages:
                heard_s = time.monotonic()
            elif time.monotonic() > heard_s + ANSWER_TIMEOUT_S:
                raise SystemExit(f"{topic} could not be read to its end")
            for message in messages:
                if message.error() is None:
                    yield message
                else:
                    unread -= 1  # the end of a partition


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What a sink's topic holds: source events of which something arrived, distinct records, records in all."""

    events: int
    distinct_records: int
    records: int


def arrivals(bootstrap: str, topic: str, events_topic: str) -> Arrivals:
    """Read a sink's topic to its end and count what it holds of the events topic, each record by its source."""
    seen = {partition: bytearray(high) for partition, (_, high) in ranges(bootstrap, events_topic).items()}
    schema = SchemaStore().telemetry_record
    writer: dict[str, Any] = {**cast("Mapping[str, Any]", schema.json)}
    reader: Any = parse_schema({**writer, "fields": [f for f in writer["fields"] if f["name"] in _LOOKED_AT]}, {})
    parsed: Any = parse_schema(writer, {})
    frame_bytes = len(single_object_frame(schema))
    records = distinct = 0
    for message in read(bootstrap, topic):
        value = message.value()
        assert isinstance(value, bytes)
        record: Any = schemaless_reader(BytesIO(value[frame_bytes:]), parsed, reader)
        source, bit = record["source"], 1 << _KINDS.index(record["projection_kind"])
        of_partition = seen[source["partition"]]
        records += 1
        if not of_partition[source["offset"]] & bit:
            distinct += 1
            of_partition[source["offset"]] |= bit
    events = sum(len(of_partition) - of_partition.count(0) for of_partition in seen.values())
    return Arrivals(events, distinct, records)
