"""A client that nobody listens to keeps all that it has to say: for as long as Kafka is away, each part listens to its.

What a client says is passed to its logger by a poll alone, so a line that has come through is one that is not kept.
"""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from confluent_kafka import Consumer, Producer

from tailrace.adapters.kafka_journal import Journal, JournalCapacity
from tailrace.adapters.kafka_log import KafkaLaneLog, log_properties
from tailrace.adapters.kafka_shipping import ORDERED_PRODUCER, Shipper
from tailrace.adapters.kafka_sink import DeadLetterSink, DurableTraceSink
from tailrace.adapters.logs import ClientLogger, StructuredLog, system_now
from tailrace.adapters.topic_identity import TopicIdentity
from tailrace.runtime.clock import Deadline, SystemClock
from tailrace.settings.kafka import KafkaSettings

CLOCK = SystemClock()
NOWHERE = KafkaSettings(bootstrap_servers="127.0.0.1:1").properties()  # type: ignore[call-arg] # the rest has defaults
PATIENCE_S = 15.0


class Heard(StructuredLog):
    """Counts what clients say, and writes nothing."""

    def __init__(self) -> None:
        super().__init__("info", "json", io.StringIO(), system_now)
        self.lines = 0

    def client_line(self, level: str, facility: str, client: str, text: str) -> None:
        del level, facility, client, text
        self.lines += 1


Turn = Callable[[], object]


@contextmanager
def lane_log(heard: Heard) -> Iterator[Turn]:
    client = {**NOWHERE, **log_properties("tailrace.a")}
    log = KafkaLaneLog(
        lambda on_commit: Consumer({**client, "on_commit": on_commit}, logger=ClientLogger(heard)),
        "agent.events",
        CLOCK,
        heard,
    )
    yield log.tend
    log.close(Deadline.after(CLOCK, 5.0))


@contextmanager
def topic_identity(heard: Heard) -> Iterator[Turn]:
    identity = TopicIdentity(NOWHERE, "agent.events", heard)
    yield identity.ask


def shipper(heard: Heard) -> Shipper:
    made = Shipper(
        lambda: Producer({**NOWHERE, **ORDERED_PRODUCER}, logger=ClientLogger(heard)), "agent.records", 5.0, CLOCK
    )
    made.connect()
    return made


@contextmanager
def record_sink(heard: Heard) -> Iterator[Turn]:
    sink = DurableTraceSink(shipper(heard))
    yield sink.tend
    sink.close(Deadline.after(CLOCK, 1.0))


@contextmanager
def letter_sink(heard: Heard) -> Iterator[Turn]:
    sink = DeadLetterSink(shipper(heard), "agent.events", "tailrace", raw=False)
    yield sink.tend
    sink.close(Deadline.after(CLOCK, 1.0))


@contextmanager
def journal(heard: Heard) -> Iterator[Turn]:
    """It has a thread of its own, and nothing to write."""
    idle = Journal("ledger", shipper(heard), JournalCapacity(10, 1_000), lambda: None, heard)
    idle.start()
    yield lambda: None
    assert idle.close(Deadline.after(CLOCK, 1.0))


@pytest.mark.parametrize("part", [lane_log, topic_identity, record_sink, letter_sink, journal])
def test_what_a_client_says_of_an_outage_comes_through_while_nothing_is_asked_of_it(
    part: Callable[[Heard], AbstractContextManager[Turn]],
) -> None:
    """Line upon line: one that came through with the client's own making would not show that somebody listens."""
    heard = Heard()
    with part(heard) as turn:
        give_up_s = time.monotonic() + PATIENCE_S
        while heard.lines < 3 and time.monotonic() < give_up_s:
            turn()
            time.sleep(0.05)
        assert heard.lines >= 3, "before the end, which listens once more"
