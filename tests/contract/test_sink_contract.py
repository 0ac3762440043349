"""One set of laws for every sink that keeps what it is given; a new kind of sink joins by one more `Rig`."""

import errno
import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from tailrace.adapters.embedded import EmbeddedBroker
from tailrace.adapters.kafka_shipping import ORDERED_PRODUCER, Shipper
from tailrace.adapters.kafka_sink import DurableTraceSink
from tailrace.adapters.local_diagnostic import LocalDiagnosticSink, RecordReader
from tailrace.adapters.rotating_lines import RotatingLines
from tailrace.codec.reference_projector import ReferenceProjector
from tailrace.codec.schemas import SchemaStore
from tailrace.domain.projected import ProjectedRecord
from tailrace.runtime.clock import Deadline, SystemClock
from tailrace.runtime.sink_port import Accepted, ExportOutcome, Interrupted, Retriable, Sink
from tailrace.synthetic import SyntheticEvents

TOPIC = "telemetry.contract"
CLOCK = SystemClock()
SCHEMAS = SchemaStore()
NEVER = threading.Event()

Name = tuple[int, int, str]  # source partition, source offset, kind


@dataclass(frozen=True)
class Rig:
    """A sink, what is at its destination in order, and how to take the destination away and give it back."""

    sink: Sink[ProjectedRecord]
    arrived: Callable[[], list[Name]]
    take_away: Callable[[], None]
    give_back: Callable[[], None]


def records(count: int) -> list[ProjectedRecord]:
    """The first telemetry records of a seeded stream, all of one source partition."""
    projector = ReferenceProjector("agent.events", SCHEMAS)
    found: list[ProjectedRecord] = []
    for offset, event in enumerate(SyntheticEvents(seed=3, active_runs=4)):
        projected = projector.project(0, offset, event.key, event.value)
        assert isinstance(projected, tuple)
        found.extend(projected)
        if len(found) >= count:
            return found[:count]
    raise AssertionError("the stream of events is endless")


def names(batch: list[ProjectedRecord]) -> list[Name]:
    return [(record.partition, record.offset, record.kind.value) for record in batch]


@pytest.fixture
def durable_trace() -> Iterator[Rig]:
    with EmbeddedBroker({TOPIC: 1}) as broker:
        client = {"bootstrap.servers": broker.bootstrap_servers}
        shipper = Shipper(lambda: Producer({**client, **ORDERED_PRODUCER}), TOPIC, 10.0, CLOCK)

        def arrived() -> list[Name]:
            consumer = Consumer({**client, "group.id": "reader", "auto.offset.reset": "earliest"})
            place = TopicPartition(TOPIC, 0, 0)
            _, high = consumer.get_watermark_offsets(place, timeout=5)
            consumer.assign([place])
            read = [consumer.poll(5) for _ in range(high)]
            consumer.close()
            reader = RecordReader(SCHEMAS)
            values = [message.value() for message in read if message is not None]
            return [_name(reader.read(value)) for value in values if isinstance(value, bytes)]

        yield Rig(
            DurableTraceSink(shipper),
            arrived,
            lambda: broker.refuse_topic(TOPIC, KafkaError.TOPIC_AUTHORIZATION_FAILED),
            lambda: broker.accept_topic(TOPIC),
        )
        shipper.abandon()


@pytest.fixture
def local_diagnostic(tmp_path: Path) -> Iterator[Rig]:
    file = tmp_path / "diagnostic.jsonl"
    full = threading.Event()

    def write(descriptor: int, content: bytes) -> int:
        if full.is_set():
            raise OSError(errno.ENOSPC, "no space")
        return os.write(descriptor, content)

    lines = RotatingLines(file, 64 * 1024 * 1024, 2, first_byte=b"{", write=write)

    def arrived() -> list[Name]:
        return [_name(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]

    yield Rig(LocalDiagnosticSink(lines, RecordReader(SCHEMAS)), arrived, full.set, full.clear)
    lines.close()


def _name(record: object) -> Name:
    assert isinstance(record, dict)
    source = record["source"]
    return source["partition"], source["offset"], record["projection_kind"]


@pytest.fixture(params=[pytest.param("durable_trace", marks=pytest.mark.embedded), "local_diagnostic"])
def rig(request: pytest.FixtureRequest) -> Rig:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Rig)
    return found


def deliver(rig: Rig, batch: list[ProjectedRecord]) -> None:
    """Export as a lane does: again from the first record that is not there, until all are."""
    for _ in range(100):
        outcome: ExportOutcome = rig.sink.export(batch, NEVER)
        if isinstance(outcome, Accepted):
            return
        assert isinstance(outcome, Retriable)
        batch = batch[outcome.accepted_records :]
        NEVER.wait(0.05)
    raise AssertionError("the sink did not come back")


def test_what_is_accepted_is_there_once_and_in_order(rig: Rig) -> None:
    """`Accepted` means the whole batch, in the order given."""
    batch = records(300)

    for piece in (batch[:100], batch[100:101], batch[101:]):
        assert rig.sink.export(piece, NEVER) == Accepted()

    assert rig.arrived() == names(batch)


def test_a_destination_that_is_away_is_retriable_and_says_how_far_it_got(rig: Rig) -> None:
    """What was accepted before is counted, and the code is a constant word."""
    before, after = records(20)[:10], records(20)[10:]
    assert rig.sink.export(before, NEVER) == Accepted()
    rig.take_away()

    outcome = rig.sink.export(after, NEVER)

    assert isinstance(outcome, Retriable)
    assert 0 <= outcome.accepted_records < len(after)
    assert outcome.detail.replace("_", "").isalnum()
    rig.give_back()
    assert rig.arrived()[: len(before)] == names(before)


def test_order_survives_an_outage(rig: Rig) -> None:
    """First occurrences stay in order when the same records are tried again after the destination came back."""
    batch = records(200)
    deliver(rig, batch[:50])
    rig.take_away()
    assert isinstance(rig.sink.export(batch[50:150], NEVER), Retriable)
    rig.give_back()

    deliver(rig, batch[50:150])
    deliver(rig, batch[150:])

    assert list(dict.fromkeys(rig.arrived())) == names(batch)


def test_an_interrupt_ends_an_export_and_leaves_the_sink_usable(rig: Rig) -> None:
    """A caller that has given up gets an answer at once, and the next export works."""
    batch = records(30)
    given_up = threading.Event()
    given_up.set()

    outcome = rig.sink.export(batch, given_up)

    accepted = len(batch) if isinstance(outcome, Accepted) else getattr(outcome, "accepted_records", None)
    assert isinstance(outcome, Accepted | Interrupted)
    rig.sink.abandon()
    assert isinstance(accepted, int)
    deliver(rig, batch[accepted:])
    assert list(dict.fromkeys(rig.arrived())) == names(batch)


def test_closing_twice_is_closing_once(rig: Rig) -> None:
    """A shutdown that is repeated does nothing new, and what was accepted stays."""
    batch = records(5)
    deliver(rig, batch)

    rig.sink.close(Deadline.after(CLOCK, 5))
    rig.sink.close(Deadline.after(CLOCK, 5))

    assert rig.arrived() == names(batch)


def test_tending_changes_nothing_whenever_it_comes(rig: Rig) -> None:
    """Before there is anything to send, between batches, while the destination is away, and after the end."""
    batch = records(20)
    rig.sink.tend()
    deliver(rig, batch[:10])
    rig.sink.tend()
    rig.take_away()
    assert isinstance(rig.sink.export(batch[10:], NEVER), Retriable)
    rig.sink.tend()
    rig.give_back()
    rig.sink.tend()
    deliver(rig, batch[10:])
    assert list(dict.fromkeys(rig.arrived())) == names(batch)
    rig.sink.close(Deadline.after(CLOCK, 5))
    rig.sink.tend()
