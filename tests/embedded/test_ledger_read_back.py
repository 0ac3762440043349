"""Reading the ledger back: what it knows of a sink, and never an empty answer for one that could not be had."""

import threading

import pytest
from confluent_kafka import Consumer, KafkaError, Producer

from tailrace.adapters.embedded import EmbeddedBroker
from tailrace.adapters.kafka_ledger import FRESH_FOR_S, READ_BACK, KafkaLedgerHistory
from tailrace.codec.ledger import LedgerCodec
from tailrace.codec.schemas import SchemaStore
from tailrace.domain.kinds import SinkKind
from tailrace.domain.ledger import CursorOrigin, ExportMark, LaneIdentity, LaneStarted, LedgerEntry
from tailrace.runtime.ports import LedgerMark
from tests.embedded.conftest import StartBroker

HEALTH, EVENTS, GROUP = "telemetry.health", "agent.events", "tailrace"
CODEC = LedgerCodec(SchemaStore())


class SteppingClock:
    """So that each question is asked anew, and nothing is answered from what was read a moment ago."""

    def __init__(self) -> None:
        self._at_s = 0.0

    def now_s(self) -> float:
        self._at_s += 0.001
        return self._at_s

    def wall_us(self) -> int:
        return 0

    def passes(self, seconds: float) -> None:
        self._at_s += seconds


def started(partition: int, cursor: int, *, sink_id: str = "analytics", group: str = GROUP) -> LaneStarted:
    return LaneStarted(
        lane=LaneIdentity(sink_id=sink_id, sink_kind=SinkKind.DURABLE_TRACE, start_id="s1", group=group),
        topic=EVENTS,
        partition=partition,
        cursor=cursor,
        cursor_origin=CursorOrigin.COMMITTED,
        config_digest="digest",
        projector_version=1,
        topic_id="topic-id",
    )


def mark(partition: int, next_offset: int) -> ExportMark:
    return ExportMark(
        lane=started(0, 0).lane,
        topic=EVENTS,
        partition=partition,
        next_offset=next_offset,
        export_seq=next_offset,
        newest_event_time_us=None,
        exported=next_offset,
        filtered=0,
        dropped=(),
    )


def write(broker: EmbeddedBroker, *entries: LedgerEntry) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0, "linger.ms": 0})
    for entry in entries:
        key, value = CODEC.encode(entry)
        producer.produce(HEALTH, key=key, value=value)
    assert producer.flush(10) == 0


def history_of(broker: EmbeddedBroker, clock: SteppingClock | None = None) -> KafkaLedgerHistory:
    client = {"bootstrap.servers": broker.bootstrap_servers, "log_level": 0, "fetch.wait.max.ms": 20}
    return KafkaLedgerHistory(
        make_consumer=lambda: Consumer({**client, **READ_BACK}),
        health_topic=HEALTH,
        events_topic=EVENTS,
        group=GROUP,
        codec=CODEC,
        stop=threading.Event(),
        clock=clock or SteppingClock(),
    )


def test_the_last_word_on_each_partition_counts(start_broker: StartBroker) -> None:
    """A mark after a lane start, or the start of a later lane; other sinks, topics and groups have their own."""
    broker = start_broker({HEALTH: 2})
    write(broker, started(0, 5), mark(0, 40), started(1, 7), started(0, 900, sink_id="other"))
    write(broker, started(0, 800, group="another-group"))
    assert history_of(broker).last_marks("analytics") == {
        0: LedgerMark(40, "topic-id"),
        1: LedgerMark(7, "topic-id"),
    }


def test_an_empty_ledger_knows_nothing(start_broker: StartBroker) -> None:
    """That is an answer: the sink is new, and begins where its settings say."""
    assert history_of(start_broker({HEALTH: 1})).last_marks("analytics") == {}


@pytest.mark.parametrize("code", [KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.LEADER_NOT_AVAILABLE])
def test_a_ledger_that_does_not_show_itself_is_not_an_empty_one(start_broker: StartBroker, code: int) -> None:
    """Taken for empty, it would send a sink that lost its cursor to the log's end, without a gap."""
    broker = start_broker({HEALTH: 1})
    write(broker, started(0, 5))
    history = history_of(broker)
    broker.refuse_topic(HEALTH, code)
    assert history.last_marks("analytics") is None
    broker.accept_topic(HEALTH)
    assert history.last_marks("analytics") == {0: LedgerMark(5, "topic-id")}


def test_lanes_that_start_together_share_one_reading(start_broker: StartBroker) -> None:
    """A new worker asks once per sink, all at the same moment; a little later the ledger is read again."""
    broker, clock = start_broker({HEALTH: 1}), SteppingClock()
    history = history_of(broker, clock)
    write(broker, started(0, 5))
    assert history.last_marks("analytics") == {0: LedgerMark(5, "topic-id")}
    write(broker, mark(0, 40))
    assert history.last_marks("analytics") == {0: LedgerMark(5, "topic-id")}
    clock.passes(FRESH_FOR_S)
    assert history.last_marks("analytics") == {0: LedgerMark(40, "topic-id")}
