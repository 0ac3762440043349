"""A worker that holds offers when a rebalance comes hands its partitions over with a commit the group accepts."""

import threading
import time
from collections.abc import Callable, Sequence

from confluent_kafka import Consumer, Producer

from tailrace.adapters.kafka_source import KafkaEventSource, source_properties
from tailrace.runtime.clock import Deadline, SystemClock
from tailrace.runtime.ports import GroupOffset
from tests.kafka.broker import Kafka
from tests.kafka.waiting import eventually
from tests.unit.runtime.fakes import FakeLog

PARTITIONS = 4
SESSION_TIMEOUT_MS = 6_000
HELD_S = 0.95
"""As long as an intake goes without a poll while offers are held."""


class Member:
    """Begins what it is assigned at once, and commits what is revoked."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.mine: set[int] = set()
        self.accepted: list[bool] = []
        properties = {"bootstrap.servers": bootstrap, **source_properties(f"{topic}.group", SESSION_TIMEOUT_MS)}

        def consumer(on_commit: Callable[..., None]) -> Consumer:
            return Consumer({**properties, "on_commit": on_commit})

        self.source = KafkaEventSource(consumer, topic, FakeLog())
        self.source.subscribe(self)

    def assigned(self, partitions: Sequence[int]) -> None:
        self.mine.update(partitions)
        for partition in partitions:
            self.source.begin(partition, 0)

    def revoked(self, partitions: Sequence[int]) -> None:
        deadline = Deadline.after(SystemClock(), 5.0)
        self.accepted.append(self.source.commit_now({p: GroupOffset(7, "") for p in partitions}, deadline))
        self.mine.difference_update(partitions)

    def lost(self, partitions: Sequence[int]) -> None:
        self.mine.difference_update(partitions)

    def close(self) -> None:
        self.source.close(Deadline.after(SystemClock(), 10.0))


def test_what_was_held_goes_on_without_answering_the_rebalance(kafka: Kafka, unique: Callable[[str], str]) -> None:
    """Resumed while a revocation waits for its callback: the partitions stay ours until that was called."""
    topic = unique("events")
    kafka.create_topic(topic, PARTITIONS)
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    for number in range(400):
        producer.produce(topic, value=b"event", partition=number % PARTITIONS)
    assert producer.flush(30) == 0
    holding = Member(kafka.bootstrap, topic)
    eventually(
        lambda: holding.source.poll(100, 0.1) is not None and len(holding.mine) == PARTITIONS,
        within_s=30,
        what="all partitions",
    )
    stop = threading.Event()

    def join() -> None:
        joining = Member(kafka.bootstrap, topic)
        while not stop.is_set():
            joining.source.poll(100, 0.1)
        joining.close()

    other = threading.Thread(target=join)
    other.start()
    try:

        def held_and_placed() -> bool:
            until_s = time.monotonic() + HELD_S
            holding.source.pause([0])
            while time.monotonic() < until_s:
                holding.source.resume([0])
                time.sleep(0.05)
            holding.source.poll(1, 0.0)
            return bool(holding.accepted)

        eventually(held_and_placed, within_s=40, what="the hand-over")
        accepted = list(holding.accepted)
    finally:
        stop.set()
        other.join()
        holding.close()
    assert accepted == [True]
