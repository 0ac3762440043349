"""As many records read and written as a worker does, with the same clients, and nothing in between.

What it writes was made before the clock starts: the records of the first events, over and over. Events cut to the size
of a record would be cheaper than any pipeline can have it, since they compress better: 129 bytes a record in the sinks'
topics, where the records themselves take 139, and 1.06 times as many events a second [measured: median of five paired
runs from 0.94 to 1.12, three sinks, records of 526 bytes].

What this costs no pipeline on these clients can save, so a worker's figures are quoted as multiples of it. It does not
decode, project, buffer, account, commit, or wait for acknowledgements between batches. What is left is done as cheaply
as a worker does it: arguments by position, hardly any collections.
"""

import argparse
import json
import signal
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import cycle, islice
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from bench.contestants import SCHEMAS
from bench.peers.projection import Projection
from tailrace.adapters.kafka_fetch import receive
from tailrace.adapters.kafka_shipping import ORDERED_PRODUCER, PREFERRED
from tailrace.adapters.kafka_source import source_properties
from tailrace.bootstrap.collector import rare_collections
from tailrace.settings import Settings, load
from tailrace.settings.budget import intake_properties, sink_producer_properties
from tailrace.settings.sinks import DurableTraceSettings

READ_RECORDS = 5_000
"""What the worker's intake asks for at once: a quarter of the default buffer."""

RECORDS_MADE = 10_000
"""So many different ones come back after megabytes, and a set of records is compressed in blocks of 64 KiB."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--events", type=int, required=True, help="read this many, then stop")
    parser.add_argument("--records", type=int, required=True, help="write this many to each sink's topic")
    parser.add_argument("--queued", type=int, default=100_000, help="the most records that wait in each producer")
    arguments = parser.parse_args()
    # Blocked in every thread, so that the wait at the end is what receives it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    settings, _ = load(arguments.config, {})
    with rare_collections():
        made = _made_before(settings, arguments.events)
        run(settings, arguments.events, arguments.records, made, arguments.queued)
    signal.sigwait({signal.SIGTERM})


def run(settings: Settings, events: int, records: int, made: Sequence[bytes], queued: int) -> None:
    """Read so many events and write so many records to each sink's topic: those that were `made`, in turn."""
    consumer = _consumer_of(settings)
    sinks = [(_producer(settings, sink, queued), sink.topic) for sink in _sinks(settings)]
    producers = [producer for producer, _ in sinks]
    outlets = [(producer.produce, topic) for producer, topic in sinks]
    _say("reading a partition")
    read = written = 0
    values = cycle(made)
    while read < events:
        for message in _received(consumer):
            read += 1
            # Asked for, as whoever does something with it does.
            key, _ = message.key(), message.value()
            # Spread evenly: now and then an event gives two records.
            for value in islice(values, records * read // events - written):
                written += 1
                for produce, topic in outlets:
                    try:
                        produce(topic, value, key)
                    except BufferError:
                        _wait_and_produce(producers, partial(produce, topic, value, key))
        for producer in producers:
            producer.poll(0)
    for producer in producers:
        while len(producer):
            producer.poll(0.05)
    _say("all written")


def _made_before(settings: Settings, events: int) -> list[bytes]:
    """Records of the first events."""
    projection = Projection(settings.events.topic, SCHEMAS)
    consumer = _consumer_of(settings)
    made: list[bytes] = []
    read = 0
    while len(made) < RECORDS_MADE and read < events:
        for message in _received(consumer):
            read += 1
            partition, offset, value = message.partition(), message.offset(), message.value()
            assert partition is not None
            assert offset is not None
            assert value is None or isinstance(value, bytes)
            made += projection.records(value, partition, offset) if len(made) < RECORDS_MADE else []
    consumer.close()
    return made


def _received(consumer: Consumer) -> Iterator[Message]:
    """What one ask of the client brings, ends of partitions left out."""
    for message in receive(consumer, READ_RECORDS, 0.1):
        error = message.error()
        if error is None:
            yield message
        elif error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
            raise SystemExit(error)


def _sinks(settings: Settings) -> Sequence[DurableTraceSettings]:
    return [sink for sink in settings.sinks.values() if isinstance(sink, DurableTraceSettings)]


def _consumer_of(settings: Settings) -> Consumer:
    """A worker's consumer, at the beginning of every partition of the events topic."""
    consumer = Consumer(
        {
            **settings.kafka.properties(),
            **source_properties(settings.events.group, settings.events.session_timeout_ms),
            **intake_properties(settings.events),
        }
    )
    topic = consumer.list_topics(settings.events.topic, timeout=30).topics[settings.events.topic]
    consumer.assign([TopicPartition(settings.events.topic, partition, 0) for partition in topic.partitions])
    return consumer


def _producer(settings: Settings, sink: DurableTraceSettings, queued: int) -> Producer:
    sizes = sink_producer_properties(sink.batch, settings.events)
    # A worker hands over a batch and waits; this does not, so at a worker's bounds it would spend its time on a full
    # queue instead of on records. What goes to the broker is the same.
    room = {"queue.buffering.max.messages": queued, "queue.buffering.max.kbytes": 131_072}
    return Producer({**PREFERRED, **settings.kafka.properties(), **ORDERED_PRODUCER, **sizes, **room, "log_level": 2})


def _wait_and_produce(producers: Sequence[Producer], produce: Callable[[], None]) -> None:
    while True:
        for producer in producers:
            producer.poll(0.01)
        try:
            return produce()
        except BufferError:
            continue


def _say(event: str) -> None:
    print(json.dumps({"at": datetime.now(UTC).isoformat(), "event": event}), flush=True)


if __name__ == "__main__":
    main()
