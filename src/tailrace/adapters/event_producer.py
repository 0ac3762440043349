"""Putting events into a topic, as an agent's side would: keyed, in order per key, at a chosen pace."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from tailrace.runtime.clock import Clock, Deadline
from tailrace.runtime.ports import Interrupt
from tailrace.settings.kafka import KafkaSettings, Property

POLL_S = 0.05
"""The longest wait for room or for the next event's turn; a stop is noticed within it."""

PRODUCER: Mapping[str, Property] = {
    "enable.idempotence": True,
    "acks": "all",
    "partitioner": "murmur2_random",
    "compression.type": "lz4",
    "linger.ms": 20,
    "message.timeout.ms": 30_000,
    "queue.buffering.max.kbytes": 65_536,
    "delivery.report.only.error": True,
    "log_level": 2,
}
"""As a careful producer of events is set up: ordered, complete, and where Java producers would put each key."""


class Sendable(Protocol):
    """One record to send."""

    @property
    def key(self) -> bytes: ...

    @property
    def value(self) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Produced:
    """What became of the events: how many Kafka acknowledged, and how many it did not, by the error's name."""

    acknowledged: int
    failed: Mapping[str, int]


def produce_events(
    cluster: KafkaSettings,
    topic: str,
    events: Iterable[Sendable],
    *,
    rate_per_s: float | None,
    clock: Clock,
    stop: Interrupt,
    on_progress: Callable[[int], None],
) -> Produced:
    """Send the events in order until they end or `stop` is set, and wait for the fate of each that was sent.

    `rate_per_s` None is as fast as Kafka takes them. `on_progress` is told how many were handed over so far, at most
    about twenty times a second.
    """
    run = _Run(cluster, topic, clock, stop, on_progress)
    for event in events:
        if rate_per_s is not None:
            run.wait_for_turn(rate_per_s)
        if stop.is_set() or not run.send(event):
            break
    return run.finish()


class _Run:
    def __init__(
        self, cluster: KafkaSettings, topic: str, clock: Clock, stop: Interrupt, on_progress: Callable[[int], None]
    ) -> None:
        self._producer = Producer({**cluster.properties(), **PRODUCER})
        self._topic = topic
        self._clock = clock
        self._stop = stop
        self._on_progress = on_progress
        self._started_s = clock.now_s()
        self._polled_s = self._started_s
        self._sent = 0
        self._refused_at_once = 0
        self._failed: dict[str, int] = {}

    def wait_for_turn(self, rate_per_s: float) -> None:
        due_s = self._started_s + self._sent / rate_per_s
        while (early_s := due_s - self._clock.now_s()) > 0 and not self._stop.is_set():
            self._poll(min(early_s, POLL_S))

    def send(self, event: Sendable) -> bool:
        """Hand one event over; False if the producer is beyond repair or there is no more time."""
        while not self._stop.is_set():
            try:
                self._producer.produce(self._topic, key=event.key, value=event.value, on_delivery=self._note)
            except BufferError:
                self._poll(POLL_S)
                continue
            except KafkaException as error:
                self._refused_at_once += 1
                self._count(error.args[0].name())
                return not error.args[0].fatal()
            self._sent += 1
            if self._clock.now_s() - self._polled_s >= POLL_S:
                self._poll(0)
            return True
        return False

    def finish(self) -> Produced:
        deadline = Deadline.after(self._clock, 35.0)  # the messages' own time-out, and a little to be told of it
        while len(self._producer) and not deadline.passed:
            self._poll(POLL_S)
        if left := len(self._producer):
            self._failed["unknown"] = left
        self._on_progress(self._sent)
        lost_on_the_way = sum(self._failed.values()) - self._refused_at_once
        return Produced(self._sent - lost_on_the_way, self._failed)

    def _count(self, code: str) -> None:
        self._failed[code] = self._failed.get(code, 0) + 1

    def _note(self, error: KafkaError | None, message: Message) -> None:
        del message
        if error is not None:
            self._count(error.name())

    def _poll(self, wait_s: float) -> None:
        # A dead producer raises here; what it held is reported by the next poll, and the next send says so.
        with suppress(KafkaException):
            self._producer.poll(wait_s)
        self._polled_s = self._clock.now_s()
        self._on_progress(self._sent)
