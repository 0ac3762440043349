"""What happens in the demonstration, and when.

    0 s            a worker starts; another process produces agent events of invented runs, some of them poison
    refuse_at_s    the broker begins to refuse one sink's topic: that lane fails, fills up, detaches; the others go on
    accept_at_s    the broker accepts it again: the lane recovers and catches up from the log
    at the end     the worker stops; a third process reads everything back and accounts for every (event, sink)

Nothing of it is staged in the worker: it is the one that `tailrace run` starts, and it learns of the outage from Kafka.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import yaml
from confluent_kafka import KafkaError

from tailrace.adapters.embedded import EmbeddedBroker
from tailrace.adapters.logs import StructuredLog, system_now
from tailrace.bootstrap import EventsTopic, build_worker
from tailrace.codec.schemas import SchemaStore
from tailrace.runtime.clock import SystemClock
from tailrace.runtime.statistics import WorkerSnapshot
from tailrace.runtime.stop import Stop
from tailrace.runtime.worker import Worker
from tailrace.settings import Settings, load
from tailrace.settings.sinks import DurableTraceSettings

View = Callable[[Callable[[], WorkerSnapshot]], AbstractContextManager[Callable[[str], None]]]
"""Shows snapshots for as long as the context is open; the value takes a headline."""

CLOCK = SystemClock()
_NEVER = threading.Event()

EVENTS_TOPIC = "agent.events"
REFUSED_SINK = "archive"
PARTITIONS = 4

STEP_S = 0.1
"""How often the scenario looks at the clock and at the lanes."""

FINISH_WITHIN_S = 60.0
"""Bound on catching up after the last event. It takes a few seconds; a machine that needs longer says so."""


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """How much is produced, how fast, and when the broker refuses a topic; seconds since the first event.

    The embedded broker keeps 5 MiB per partition and forgets the oldest beyond that without a word, so `events` has to
    stay below some 25 000 for the proof to find them all.
    """

    events: int = 9_000
    events_per_s: int = 600
    poison_rate: float = 0.01
    seed: int = 7
    refuse_at_s: float = 3.0
    accept_at_s: float = 9.0
    audit_arguments: tuple[str, ...] = ()


def demo_configuration(bootstrap_servers: str, directory: Path) -> Mapping[str, object]:
    """The demonstration's configuration, as the file of a user would say it.

    Buffers are small, so that six seconds of outage fill one.
    """
    buffer = {"capacity_records": 2_000, "capacity_bytes": 8 * 1024 * 1024}
    return {
        "kafka": {"bootstrap_servers": bootstrap_servers},
        "events": {
            "topic": EVENTS_TOPIC,
            "group": "tailrace-demo",
            "session_timeout_ms": 6_000,
            "max_event_bytes": 64 * 1024,
        },
        "health": {"mark_interval_s": 2},
        "dead_letter": {"topic": "telemetry.dead-letters"},
        "sinks": {
            "analytics": {"kind": "durable_trace", "topic": "telemetry.analytics", "buffer": buffer},
            REFUSED_SINK: {"kind": "durable_trace", "topic": "telemetry.archive", "buffer": buffer},
            "diagnostic": {
                "kind": "local_diagnostic",
                "path": str(directory / "diagnostic.jsonl"),
                "rotate_bytes": 64 * 1024 * 1024,
                "buffer": buffer,
            },
        },
    }


def run_demo(plan: DemoPlan, directory: Path, view: View, say: Callable[[str], None]) -> int:
    """Run the demonstration in `directory`; 0 if every event is exported or accounted for at every sink, else 1.

    Raises EmbeddedBrokerUnavailable where the client library has no mock cluster.
    """
    with EmbeddedBroker() as broker:
        file = directory / "demo.yaml"
        file.write_text(yaml.safe_dump(dict(demo_configuration(broker.bootstrap_servers, directory)), sort_keys=False))
        settings, _ = load(file, {})
        _create_topics(broker, settings)
        with (directory / "worker.log").open("w") as log:
            if not _work(plan, broker, file, _worker(settings, log), view):
                say(f"The worker did not end cleanly; its log is {directory / 'worker.log'}.")
                return 1
        say("The worker has stopped. Another process now reads everything back and accounts for every event and sink:")
        return _audit(file, plan)


def _create_topics(broker: EmbeddedBroker, settings: Settings) -> None:
    broker.create_topic(settings.events.topic, PARTITIONS)
    broker.create_topic(settings.health.topic, 1)
    if settings.dead_letter.topic is not None:
        broker.create_topic(settings.dead_letter.topic, 1)
    for sink in settings.sinks.values():
        if isinstance(sink, DurableTraceSettings):
            broker.create_topic(sink.topic, PARTITIONS)


def _worker(settings: Settings, log: TextIO) -> Worker:
    logger = StructuredLog("info", "json", log, system_now)
    return build_worker(settings, schemas=SchemaStore(), topic=EventsTopic(), stop=Stop(), clock=CLOCK, logger=logger)


def _work(plan: DemoPlan, broker: EmbeddedBroker, file: Path, worker: Worker, view: View) -> bool:
    with (
        _running(worker) as outcome,
        _producing(plan, file) as producer,
        view(worker.snapshot) as headline,
    ):
        _play(plan, broker, producer, worker, headline)
    return all(outcome) and bool(outcome)


@contextmanager
def _running(worker: Worker) -> Iterator[list[bool]]:
    outcome: list[bool] = []
    thread = threading.Thread(target=lambda: outcome.append(worker.run().clean), name="worker")
    thread.start()
    try:
        yield outcome
    finally:
        worker.stop()
        thread.join()


@contextmanager
def _producing(plan: DemoPlan, file: Path) -> Iterator[subprocess.Popen[bytes]]:
    arguments = ["--count", plan.events, "--rate", plan.events_per_s, "--seed", plan.seed]
    arguments += ["--poison-rate", plan.poison_rate]
    producer = _tailrace("events", "produce", "--config", str(file), "--quiet", *map(str, arguments))
    try:
        yield producer
    finally:
        if producer.poll() is None:
            producer.terminate()
        producer.wait()


def _play(
    plan: DemoPlan,
    broker: EmbeddedBroker,
    producer: subprocess.Popen[bytes],
    worker: Worker,
    headline: Callable[[str], None],
) -> None:
    started_s = _first_event(worker, producer)
    topic = "telemetry.archive"
    headline("agent events flow to three sinks")
    _until(lambda: CLOCK.now_s() - started_s >= plan.refuse_at_s)
    broker.refuse_topic(topic, KafkaError.TOPIC_AUTHORIZATION_FAILED)
    headline(f"the broker refuses {topic}: {REFUSED_SINK} fails, the others go on")
    _until(lambda: CLOCK.now_s() - started_s >= plan.accept_at_s)
    broker.accept_topic(topic)
    headline(f"the broker accepts {topic} again: {REFUSED_SINK} recovers and catches up from the log")
    _until(lambda: producer.poll() is not None)
    if producer.returncode != 0:
        return  # it has said on standard error why; the proof will find its events missing
    headline("no more events: the last lanes finish")
    give_up_s = CLOCK.now_s() + FINISH_WITHIN_S
    _until(lambda: _all_there(worker, plan) or CLOCK.now_s() >= give_up_s)


def _first_event(worker: Worker, producer: subprocess.Popen[bytes]) -> float:
    _until(lambda: worker.snapshot().consumed_events > 0 or producer.poll() is not None)
    return CLOCK.now_s()


def _all_there(worker: Worker, plan: DemoPlan) -> bool:
    snapshot = worker.snapshot()
    return snapshot.consumed_events >= plan.events and all(lane.lag_records == 0 for lane in snapshot.lanes)


def _until(fact: Callable[[], bool]) -> None:
    while not fact():
        _NEVER.wait(STEP_S)


def _audit(file: Path, plan: DemoPlan) -> int:
    return _tailrace("audit", "--config", str(file), "--require-complete", *plan.audit_arguments).wait()


def _tailrace(*arguments: str) -> subprocess.Popen[bytes]:
    # The configuration in the file is all there is: a variable of the caller's shell would be an unknown key to some.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAILRACE_")}
    return subprocess.Popen([sys.executable, "-m", "tailrace", *arguments], env=environment)
