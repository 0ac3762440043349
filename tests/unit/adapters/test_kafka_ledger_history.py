"""Reading the ledger back: an empty answer only ever means that the ledger is empty."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from tailrace.adapters.kafka_ledger import STALLED_S, KafkaLedgerHistory
from tailrace.codec.ledger import LedgerCodec
from tailrace.codec.schemas import SchemaStore
from tailrace.domain.kinds import FailureKind, SinkKind
from tailrace.domain.ledger import (
    CursorOrigin,
    ExportMark,
    Gap,
    GapRun,
    LaneIdentity,
    LaneStarted,
    LedgerEntry,
    SinkFailed,
    SinkRecovered,
)
from tailrace.runtime.ports import LedgerMark
from tests.unit.runtime.fakes import FakeClock

HEALTH, EVENTS, GROUP = "telemetry.health", "agent.events", "tailrace"
CODEC = LedgerCodec(SchemaStore())
LANE = LaneIdentity(sink_id="a", sink_kind=SinkKind.TEST, start_id="s1", group=GROUP)
MANY = 200
"""More entries than anybody keeps of one sink and partition."""


@dataclass
class FakeTopicMetadata:
    partitions: dict[int, None]
    error: KafkaError | None = None


@dataclass
class FakeMetadata:
    topics: dict[str, FakeTopicMetadata]


@dataclass
class FakeConsumer:
    """Over one topic in memory; `stuck_at` is the position that it does not get beyond."""

    clock: FakeClock
    topic: FakeTopicMetadata | None
    log: list[tuple[bytes | None, bytes | None]] = field(default_factory=list)
    stuck_at: int = 1_000_000
    down: bool = False
    closed: bool = False
    at: int = 0
    assigned: bool = False

    def list_topics(self, topic: str, timeout: float) -> FakeMetadata:
        if self.down:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return FakeMetadata({} if self.topic is None else {HEALTH: self.topic})

    def get_watermark_offsets(self, place: TopicPartition, timeout: float, cached: bool) -> tuple[int, int]:
        return 0, len(self.log) if place.partition == 0 else 0

    def assign(self, places: Sequence[TopicPartition]) -> None:
        self.assigned = bool(places)

    def poll(self, timeout: float) -> Message | None:
        if not self.assigned or self.at >= min(self.stuck_at, len(self.log)):
            self.clock.passes(timeout)
            return None
        key, value = self.log[self.at]
        self.at += 1
        return Message(HEALTH, 0, self.at - 1, key, value, None, None, (1, 0))

    def consume(self, num_messages: int, timeout: float) -> list[Message]:
        found: list[Message] = []
        while len(found) < num_messages and (message := self.poll(0.0)) is not None:
            found.append(message)
        return found

    def position(self, places: Sequence[TopicPartition]) -> list[TopicPartition]:
        return [TopicPartition(HEALTH, place.partition, self.at) for place in places]

    def close(self) -> None:
        self.closed = True


def history(consumer: FakeConsumer, stop: threading.Event | None = None) -> KafkaLedgerHistory:
    return KafkaLedgerHistory(
        make_consumer=lambda: cast("Consumer", consumer),
        health_topic=HEALTH,
        events_topic=EVENTS,
        group=GROUP,
        codec=CODEC,
        stop=stop or threading.Event(),
        clock=consumer.clock,
    )


def ledger(*entries: LedgerEntry) -> FakeConsumer:
    topic = FakeTopicMetadata({0: None, 1: None})
    return FakeConsumer(FakeClock(), topic, [CODEC.encode(entry) for entry in entries])


def started(cursor: int) -> LaneStarted:
    return LaneStarted(
        lane=LANE,
        topic=EVENTS,
        partition=3,
        cursor=cursor,
        cursor_origin=CursorOrigin.COMMITTED,
        config_digest="digest",
        projector_version=1,
        topic_id="topic-id",
    )


def mark(next_offset: int) -> ExportMark:
    return ExportMark(
        lane=LANE,
        topic=EVENTS,
        partition=3,
        next_offset=next_offset,
        export_seq=next_offset,
        newest_event_time_us=None,
        exported=next_offset,
        filtered=0,
        dropped=(),
    )


def gap(first_offset: int) -> Gap:
    return Gap(
        lane=LANE,
        topic=EVENTS,
        partition=3,
        reason=FailureKind.UNDECODABLE,
        detail="malformed",
        runs=(GapRun(first_offset, first_offset, ()),),
        records=1,
    )


def trouble(offset: int) -> list[LedgerEntry]:
    failed = SinkFailed(
        lane=LANE,
        topic=EVENTS,
        partition=3,
        offset=offset,
        failure_kind=FailureKind.SINK_UNAVAILABLE,
        terminal_preserved=True,
        dropped_count=0,
        last_acknowledged_offset=None,
        detail="_MSG_TIMED_OUT",
        reminder=True,
    )
    return [failed, SinkRecovered(lane=LANE, topic=EVENTS, partition=3, offset=offset, failed_for_ms=1)]


def hidden(code: int) -> FakeTopicMetadata:
    """As a broker answers about a topic that it cannot or will not speak of: an error, and no partitions."""
    return FakeTopicMetadata({}, KafkaError(code))


@pytest.mark.parametrize(
    "topic",
    [
        None,
        FakeTopicMetadata({}),
        hidden(KafkaError.TOPIC_AUTHORIZATION_FAILED),
        hidden(KafkaError.LEADER_NOT_AVAILABLE),
        hidden(KafkaError.UNKNOWN_TOPIC_OR_PART),
    ],
    ids=["not there", "no partitions", "no permission", "no leader", "unknown"],
)
def test_a_topic_that_shows_no_partitions_is_not_an_empty_ledger(topic: FakeTopicMetadata | None) -> None:
    """Taken for empty, it would send a sink that lost its cursor to the log's end, without a gap."""
    consumer = FakeConsumer(FakeClock(), topic)
    assert history(consumer).last_marks("a") is None
    assert consumer.closed


def test_a_topic_without_records_is_one() -> None:
    """The sink is new, and begins where its settings say."""
    assert history(ledger()).last_marks("a") == {}


def test_the_last_mark_counts_however_many_came_before() -> None:
    """A week of marks is read, and only the last of each sink and partition are looked into."""
    consumer = ledger(started(5), *(mark(offset) for offset in range(10, 10 + MANY)))
    assert history(consumer).last_marks("a") == {3: LedgerMark(9 + MANY, "topic-id")}
    assert history(ledger(started(5), mark(9))).last_marks("a") == {3: LedgerMark(9, "topic-id")}


def test_the_last_mark_counts_however_many_gaps_come_behind_it() -> None:
    """A flood of poison, or a sink that fails for a day: a gap says where events are missing, not where to go on."""
    flood: list[LedgerEntry] = [entry for n in range(MANY) for entry in (gap(50 + n), *trouble(50 + n))]
    assert history(ledger(started(5), mark(9), *flood)).last_marks("a") == {3: LedgerMark(9, "topic-id")}
    assert history(ledger(started(5), *flood)).last_marks("a") == {3: LedgerMark(5, "topic-id")}


def test_a_later_lane_start_counts_more_than_the_marks_before_it() -> None:
    """It says where the lane stood when it began, which a cursor that was set back makes lower."""
    again = replace(started(7), topic_id="new-id")
    assert history(ledger(started(5), mark(9), again)).last_marks("a") == {3: LedgerMark(7, "new-id")}
    assert history(ledger(started(5), mark(9), again, mark(8))).last_marks("a") == {3: LedgerMark(8, "new-id")}


def test_the_first_gap_is_all_that_a_shortened_ledger_may_have_left() -> None:
    """Its lane was past everything below it; the later ones would pass over what is between them."""
    assert history(ledger(*(gap(50 + n) for n in range(MANY)))).last_marks("a") == {3: LedgerMark(50, None)}


def test_marks_of_another_group_take_no_room_from_ours() -> None:
    """Two groups may share a health topic, and have sinks of one name on the same events topic."""
    theirs = replace(LANE, group="another")
    crowd = [replace(mark(1_000 + n), lane=theirs) for n in range(MANY)]
    assert history(ledger(started(5), *crowd)).last_marks("a") == {3: LedgerMark(5, "topic-id")}


def test_an_entry_of_a_newer_version_leaves_the_one_before_it() -> None:
    """Its bytes cannot be read here; that is no reason to take the sink for a new one."""
    consumer = ledger(started(5), mark(9))
    key, value = CODEC.encode(mark(12))
    assert value is not None
    consumer.log.append((key, value[:2] + bytes(8) + value[10:]))
    assert history(consumer).last_marks("a") == {3: LedgerMark(9, "topic-id")}


def test_somebody_elses_records_say_nothing() -> None:
    """The topic may be shared, and a start does not depend on who else writes there."""
    consumer = ledger(started(5))
    ours = consumer.log[0][0]
    consumer.log[1:] = [(b"key", b"not a ledger entry"), (None, None), (b"key", None), (ours, b"x"), (ours, None)]
    assert history(consumer).last_marks("a") == {3: LedgerMark(5, "topic-id")}


def test_half_a_ledger_is_none() -> None:
    """The mark that counts may be in the half that did not come."""
    consumer = ledger(started(5), mark(9))
    consumer.stuck_at = 1
    began_s = consumer.clock.now_s()
    assert history(consumer).last_marks("a") is None
    assert STALLED_S <= consumer.clock.now_s() - began_s < STALLED_S + 1


def _down(consumer: FakeConsumer, stop: threading.Event) -> None:
    consumer.down = True


def _stopped(consumer: FakeConsumer, stop: threading.Event) -> None:
    stop.set()


@pytest.mark.parametrize("hindered", [_down, _stopped])
def test_a_reading_that_was_hindered_is_tried_again(
    hindered: Callable[[FakeConsumer, threading.Event], None],
) -> None:
    """Nothing is kept of it, and the next question reads anew."""
    consumer, stop = ledger(started(5)), threading.Event()
    hindered(consumer, stop)
    asked = history(consumer, stop)
    assert asked.last_marks("a") is None
    consumer.down = False
    stop.clear()
    assert asked.last_marks("a") == {3: LedgerMark(5, "topic-id")}
