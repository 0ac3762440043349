"""Everything one test on a real Kafka works with: its topics, its configuration, its workers, and what came of it."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from tailrace.synthetic import SyntheticEvent, SyntheticEvents
from tests.kafka.broker import Kafka
from tests.kafka.committed import committed_places
from tests.kafka.waiting import eventually
from tests.kafka.worker_process import WorkerProcess

ACTIVE_RUNS = 64
"""Runs taking turns in a test's events: enough that every partition always has some."""

SESSION_TIMEOUT_S = 6
"""The shortest a broker accepts of its own accord; what a killed worker costs its successor."""

PRODUCE_SLICE_S = 0.02

ANY_PARTITION = -1
"""librdkafka's word for: by the key."""

DRAIN_TIMEOUT_S = 60.0


@cache
def synthetic(
    seed: int, records: int, *, poison_rate: float = 0.0, content: bool = False
) -> tuple[SyntheticEvent, ...]:
    """The first `records` events of a seed. Remembered: making them costs more than sending them."""
    made = SyntheticEvents(seed=seed, active_runs=ACTIVE_RUNS, poison_rate=poison_rate, content=content)
    return tuple(made.take(records))


class Stage:
    """Names and makes what one test needs; `start` starts a worker, and the fixture ends what is still running."""

    def __init__(self, kafka: Kafka, folder: Path, unique: Callable[[str], str], *, partitions: int = 4) -> None:
        self.kafka = kafka
        self.folder = folder
        self.unique = unique
        self.partitions = partitions
        self.events_topic = unique("events")
        self.health_topic = unique("health")
        self.dead_letter_topic = unique("dead")
        self.group = unique("workers")
        self.workers: list[WorkerProcess] = []
        self._readers: dict[str, Consumer] = {}

    # ----------------------------------------------------------------------------------------------------- the setting

    def create_topics(self, *sink_topics: str, letters: bool = True, **of_events: str | int) -> None:
        """The events topic, with this configuration, the worker's own topics, and these."""
        self.kafka.create_topic(self.events_topic, self.partitions, **of_events)
        self.kafka.create_topic(self.health_topic, 2)
        if letters:
            self.kafka.create_topic(self.dead_letter_topic, 2)
        for topic in sink_topics:
            self.kafka.create_topic(topic, 3)

    def configuration(
        self, sinks: Mapping[str, Mapping[str, Any]], *, letters: bool = True, **sections: Mapping[str, Any]
    ) -> dict[str, Any]:
        """A configuration with small sizes and short intervals, so that faults bite within seconds.

        `sections` are added to the sections of the same name, key by key.
        """
        tree: dict[str, Any] = {
            "kafka": {"bootstrap_servers": self.kafka.bootstrap},
            "events": {
                "topic": self.events_topic,
                "group": self.group,
                "session_timeout_ms": 1_000 * SESSION_TIMEOUT_S,
                "max_event_bytes": 16_384,
                "fetch_kbytes": 1_024,
            },
            "health": {"topic": self.health_topic, "mark_interval_s": 1.0},
            "worker": {"shutdown_deadline_s": 2.5, "commit_interval_ms": 200, "detach_after_ms": 500},
            "sinks": {sink: {"buffer": small_buffer(), "batch": small_batch(), **keys} for sink, keys in sinks.items()},
        }
        if letters:
            tree["dead_letter"] = {"topic": self.dead_letter_topic}
        for name, keys in sections.items():
            tree[name] = {**tree.get(name, {}), **keys}
        return tree

    def write(self, configuration: Mapping[str, Any], name: str = "tailrace.yaml") -> Path:
        file = self.folder / name
        file.write_text(yaml.safe_dump(configuration), encoding="utf-8")
        return file

    def start(self, config: Path, *arguments: str, wait: bool = True) -> WorkerProcess:
        """A worker on this configuration; with `wait`, once it has begun to work."""
        worker = WorkerProcess(config, self.folder / f"worker-{len(self.workers) + 1}.log", *arguments)
        self.workers.append(worker)
        if wait:
            worker.wait_for("worker started")
        return worker

    def end_all(self) -> None:
        for worker in self.workers:
            worker.end()
        for reader in self._readers.values():
            reader.close()

    # --------------------------------------------------------------------------------------------------------- events

    def produce(self, events: Iterable[SyntheticEvent], *, partition: int | None = None) -> list[tuple[int, int]]:
        """Send these as fast as it goes, all to one partition if one is given; where each of them is now."""
        to = ANY_PARTITION if partition is None else partition
        producer = Producer({"bootstrap.servers": self.kafka.bootstrap, "linger.ms": 5})
        places: dict[int, tuple[int, int]] = {}
        for number, event in enumerate(events):
            producer.produce(
                self.events_topic, event.value, event.key, to, on_delivery=partial(_note_place, places, number)
            )
            producer.poll(0)
        assert producer.flush(30) == 0, "events were not produced in time"
        return [places[number] for number in sorted(places)]

    @contextmanager
    def load(self, seed: int, *, per_s: int, poison_rate: float = 0.0) -> Iterator["Load"]:
        """Events on their way into the topic at this rate, for as long as the block lasts."""
        events = SyntheticEvents(seed=seed, active_runs=ACTIVE_RUNS, poison_rate=poison_rate)
        load = Load(self.kafka.bootstrap, self.events_topic, events, per_s)
        load.start()
        try:
            yield load
        finally:
            load.stop()

    # ------------------------------------------------------------------------------------------------------ looking on

    def cursors(self, sink: str) -> dict[int, int]:
        """The sink's committed offsets, as any consumer of its group sees them; partitions without one left out."""
        return self.committed(f"{self.group}.{sink}")

    def committed(self, group: str) -> dict[int, int]:
        places = [TopicPartition(self.events_topic, partition) for partition in range(self.partitions)]
        found = committed_places(self._reader(group), places)
        assert all(place.error is None for place in found)
        return {place.partition: place.offset for place in found if place.offset >= 0}

    def ends(self, topic: str | None = None, partitions: int | None = None) -> dict[int, int]:
        """The next offset of every partition."""
        reader = self._reader(self.group)
        found: dict[int, int] = {}
        for partition in range(partitions or self.partitions):
            place = TopicPartition(topic or self.events_topic, partition)
            found[partition] = reader.get_watermark_offsets(place, timeout=10, cached=False)[1]
        return found

    def wait_until_drained(
        self, *sinks: str, ends: Mapping[int, int] | None = None, within_s: float = DRAIN_TIMEOUT_S
    ) -> None:
        """Every cursor of these sinks is at the end of the log, or at `ends`, and a worker is there that brought it."""
        wanted = dict(ends or self.ends())

        def drained() -> bool:
            return all(self.cursors(sink) == wanted for sink in sinks)

        def dead() -> str | None:
            return None if any(worker.running for worker in self.workers) else "no worker is running"

        try:
            eventually(drained, within_s=within_s, what=f"cursors of {sinks} at {wanted}", gone_wrong=dead)
        except AssertionError as late:
            where = {sink: self.cursors(sink) for sink in sinks}
            logs = "\n".join(worker.tail() for worker in self.workers[-2:])
            raise AssertionError(f"{late}; they are at {where}\n{logs}") from None

    def _reader(self, group: str) -> Consumer:
        if group not in self._readers:
            self._readers[group] = Consumer(
                {
                    "bootstrap.servers": self.kafka.bootstrap,
                    "group.id": group,
                    "isolation.level": "read_committed",
                    "reconnect.backoff.max.ms": 500,
                }
            )
        return self._readers[group]


class Load:
    """Events on their way into the topic at a steady rate, from a thread of their own, until `stop`."""

    def __init__(self, bootstrap: str, topic: str, events: Iterator[SyntheticEvent], per_s: int) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "linger.ms": 5,
                "enable.idempotence": True,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )
        self._topic = topic
        self._events = events
        self._per_s = per_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")
        self.sent = 0
        self.unreadable: list[tuple[int, int]] = []
        """Where the events are that nobody can decode."""

    def start(self) -> None:
        self._thread.start()

    def wait_for(self, sent: int, *, within_s: float = 60.0) -> None:
        """At least this many events have been sent since the start."""
        eventually(lambda: self.sent >= sent, within_s=within_s, what=f"{sent} events sent")

    def wait_for_more(self, sent: int) -> None:
        """At least this many events have been sent since this call."""
        self.wait_for(self.sent + sent)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        assert self._producer.flush(60) == 0, "events were not produced in time"

    def _run(self) -> None:
        begun_s = time.monotonic()
        while not self._stop.wait(PRODUCE_SLICE_S):
            due = int((time.monotonic() - begun_s) * self._per_s)
            for event in islice(self._events, max(0, due - self.sent)):
                self._send(event)
            self._producer.poll(0)

    def _send(self, event: SyntheticEvent) -> None:
        while True:
            try:
                told = None if event.poison is None else self._note_unreadable
                self._producer.produce(self._topic, event.value, event.key, on_delivery=told)
                break
            except BufferError:
                self._producer.poll(PRODUCE_SLICE_S)
        self.sent += 1

    def _note_unreadable(self, error: KafkaError | None, message: Message) -> None:
        partition, offset = message.partition(), message.offset()
        if error is None and partition is not None and offset is not None:
            self.unreadable.append((partition, offset))


def _note_place(places: dict[int, tuple[int, int]], number: int, error: KafkaError | None, message: Message) -> None:
    partition, offset = message.partition(), message.offset()
    assert error is None, error
    assert partition is not None
    assert offset is not None
    places[number] = (partition, offset)


def small_buffer(records: int = 600) -> dict[str, int]:
    """A lane's buffer that a second of load fills."""
    return {"capacity_records": records, "capacity_bytes": 1_048_576}


def small_batch(records: int = 200, linger_ms: int = 20) -> dict[str, int]:
    return {"records": records, "linger_ms": linger_ms}


def trace(topic: str, **keys: Any) -> dict[str, Any]:
    """The keys of a sink that is a Kafka topic."""
    return {"kind": "durable_trace", "topic": topic, **keys}
