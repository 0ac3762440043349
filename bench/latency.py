"""From an agent's send to a sink's log, at a steady pace: the time between two stamps on every record.

The event carries when its producer took it, the telemetry record when the broker had it (its topic stamps on append);
both clocks are this machine's. What a reader of the sink would add, one fetch, is not in it.
"""

import time
from array import array
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any

from confluent_kafka import Producer
from fastavro import schemaless_reader

from bench.peers.projection import FRAME_BYTES, parsed
from bench.topics import end_of, read
from tailrace.synthetic import SyntheticEvent

FEEDER = {
    "enable.idempotence": True,
    "acks": "all",
    "partitioner": "murmur2_random",
    "compression.type": "lz4",
    # The waiting of the one who sends is in the figure, so it is kept small.
    "linger.ms": 1,
    "log_level": 2,
}

_SOURCE = frozenset({"source"})


def feed(bootstrap: str, topic: str, events: Sequence[SyntheticEvent], rate_per_s: float) -> None:
    """Send the events at this pace; all are there when this returns. Falls behind rather than skip any."""
    producer = Producer({"bootstrap.servers": bootstrap, **FEEDER})
    started_s = time.monotonic()
    for number, event in enumerate(events):
        early_s = started_s + number / rate_per_s - time.monotonic()
        if early_s > 0.001:
            producer.poll(early_s)
        producer.produce(topic, key=event.key, value=event.value)
    while len(producer):
        producer.poll(0.1)


def sent_ms(bootstrap: str, events_topic: str) -> dict[int, "array[int]"]:
    """Per partition, by offset, when the producer took the event, in milliseconds since the epoch."""
    sent = {partition: array("q", bytes(8 * end)) for partition, end in end_of(bootstrap, events_topic).items()}
    for message in read(bootstrap, events_topic):
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        assert offset is not None
        sent[partition][offset] = message.timestamp()[1]
    return sent


def latencies_ms(
    bootstrap: str, sink_topics: Sequence[str], sent: Mapping[int, Sequence[int]], since_ms: int, schema_folder: Any
) -> list[int]:
    """The time that each record of an event sent after `since_ms` took, in milliseconds, sorted."""
    source = SourceReader(schema_folder)
    taken = []
    for topic in sink_topics:
        for message in read(bootstrap, topic):
            value = message.value()
            assert isinstance(value, bytes)
            partition, offset = source.of(value)
            if (at_ms := sent[partition][offset]) >= since_ms:
                taken.append(message.timestamp()[1] - at_ms)
    return sorted(taken)


class SourceReader:
    """Reads of a telemetry record only where its event stands."""

    def __init__(self, schema_folder: Any) -> None:
        self._schema: Any = parsed(schema_folder / "telemetry_record.avsc")[0]
        self._reader: Any = {**self._schema, "fields": list(self._looked_at())}

    def of(self, value: bytes) -> tuple[int, int]:
        record: Any = schemaless_reader(BytesIO(value[FRAME_BYTES:]), self._schema, self._reader)
        return record["source"]["partition"], record["source"]["offset"]

    def _looked_at(self) -> Iterator[Any]:
        return (field for field in self._schema["fields"] if field["name"] in _SOURCE)
