"""A worker out among canaries: sinks that fail, records that nobody can read, a kill in the middle, a restart."""

import json
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from confluent_kafka import Producer

from tests.canary.canaries import PLAIN
from tests.canary.events import MAX_EVENT_BYTES, Group, Sent, Sowing, sow
from tests.canary.everything import Places, command_place, cursor_place, file_places, gathered, topic_places
from tests.kafka.broker import Kafka
from tests.kafka.sink_records import sink_records
from tests.kafka.stage import Stage
from tests.kafka.waiting import eventually
from tests.kafka.worker_process import WorkerProcess

PARTITIONS = 2
SEED = 20_261

EXPLAINED = frozenset(
    (group, category)
    for group, category in (
        (Group.ORDINARY, PLAIN),
        (Group.ORDINARY, "email"),
        (Group.SECRET, PLAIN),
        (Group.CHILD, PLAIN),
        (Group.POISON, PLAIN),
    )
)
"""Of which events an operator asks what would become of them."""

TROUBLE = ("retry:0.1", "accept", *("refuse",) * 3, "accept", *("refuse",) * 3)
"""What a sink does that is out for a moment and takes some records not at all, with content or without: those become
dead letters."""


USUAL_PROGRAM = ("tailrace",)


@dataclass(frozen=True, slots=True)
class Configured:
    """One configuration: its sinks by their ids, and sections beside them. Topics and paths are filled in.

    A worker that is `killed` sees the first half of the events, dies, and comes back; the others begin with all of it.
    `program` is the module that is run, and what goes before the command.
    """

    name: str
    sinks: Mapping[str, Mapping[str, Any]]
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    killed: bool = False
    program: Sequence[str] = USUAL_PROGRAM

    def with_sections(self, sections: Mapping[str, Mapping[str, Any]]) -> Self:
        return replace(self, sections={**self.sections, **sections})


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that left under one configuration.

    `records` are those of each Kafka sink, by its id; `said` are the names of its log's lines, in their order.
    """

    places: Places
    records: Mapping[str, Sequence[Mapping[str, Any]]]
    audit_findings: frozenset[str]
    said: Sequence[str]


class Outing:
    """One worker with its own group, topics and folder, on an events topic that it shares with others."""

    def __init__(self, kafka: Kafka, folder: Path, events_topic: str, configured: Configured) -> None:
        folder.mkdir(parents=True)
        run = uuid.uuid4().hex[:8]
        self.configured = configured
        self.stage = Stage(kafka, folder, lambda purpose: f"canary.{run}.{purpose}", partitions=PARTITIONS)
        self.stage.events_topic = events_topic
        self.topics = {
            sink: self.stage.unique(sink) for sink, keys in configured.sinks.items() if keys["kind"] == "durable_trace"
        }
        for topic in (self.stage.health_topic, self.stage.dead_letter_topic, *self.topics.values()):
            kafka.create_topic(topic, 1)
        self.config = self.stage.write(self._configuration())

    def _configuration(self) -> dict[str, Any]:
        sinks: dict[str, dict[str, Any]] = {}
        for sink, keys in self.configured.sinks.items():
            sinks[sink] = dict(keys)
            if sink in self.topics:
                sinks[sink]["topic"] = self.topics[sink]
            if keys["kind"] == "local_diagnostic":
                sinks[sink]["path"] = str(self.stage.folder / sink / "lines.jsonl")
        tree = self.stage.configuration(sinks, events={"max_event_bytes": MAX_EVENT_BYTES, "poison_limit": 0})
        for name, keys in self.configured.sections.items():
            tree[name] = {**tree.get(name, {}), **keys}
        store = tree.get("capture", {}).get("store", {})
        if "url" in store:
            tree["capture"]["store"] = {**store, "url": store["url"].format(folder=self.stage.folder)}
        return tree

    @property
    def lanes(self) -> tuple[str, ...]:
        return (*self.configured.sinks, "dead_letter")

    # ------------------------------------------------------------------------------------------------------- phases

    def go_out(self) -> None:
        log = self.stage.folder / f"worker-{len(self.stage.workers) + 1}.log"
        self.stage.workers.append(WorkerProcess(self.config, log, program=self.configured.program))

    def die_at_work(self) -> None:
        """`kill -9` once something of this worker's has arrived somewhere and been committed."""
        worker = self.stage.workers[-1]
        worker.wait_for("reading a partition")
        some = next(iter(self.topics))
        eventually(lambda: any(self.stage.cursors(some).values()), within_s=30, what="a first cursor")
        worker.kill()

    def come_home(self) -> None:
        self.stage.wait_until_drained(*self.lanes)
        self.stage.workers[-1].stop_cleanly()

    def end(self) -> None:
        self.stage.end_all()

    # ------------------------------------------------------------------------------------------------- what is left

    def outcome(self, explained: Sequence[bytes] = ()) -> Outcome:
        """All of it; `explained` are events that `privacy explain` is asked about."""
        stage, config = self.stage, str(self.config)
        bootstrap = stage.kafka.bootstrap
        groups = [stage.group, *(f"{stage.group}.{lane}" for lane in self.lanes)]
        findings, audit = _audit(config)
        places = [
            *(place for sink, topic in self.topics.items() for place in topic_places(bootstrap, f"sink {sink}", topic)),
            *topic_places(bootstrap, "health", stage.health_topic),
            *topic_places(bootstrap, "dead letters", stage.dead_letter_topic),
            *file_places(stage.folder),
            ("cursors", cursor_place(bootstrap, groups, stage.events_topic, PARTITIONS)),
            ("audit", audit),
            ("cursors show", command_place("cursors", "show", "-c", config)[1]),
            ("cursors show --json", command_place("cursors", "show", "-c", config, "--json")[1]),
            ("validate", command_place("validate", "-c", config, "--offline")[1]),
            ("privacy explain", command_place("privacy", "explain", "-c", config)[1]),
            *(("privacy explain --event", said) for said in self._explained(explained)),
        ]
        said = [line.event for worker in stage.workers for line in worker.lines()]
        records = {
            sink: [record.event for record in sink_records(bootstrap, topic)] for sink, topic in self.topics.items()
        }
        return Outcome(gathered(places), records, findings, said)

    def _explained(self, events: Sequence[bytes]) -> Iterator[bytes]:
        with (
            tempfile.TemporaryDirectory() as elsewhere
        ):  # what is put into the folder would count as written by a worker
            file = Path(elsewhere) / "event.avro"
            for event in events:
                file.write_bytes(event)
                for form in ((), ("--json",)):
                    yield command_place("privacy", "explain", "-c", str(self.config), "--event", str(file), *form)[1]


def _audit(config: str) -> tuple[frozenset[str], bytes]:
    """What the audit found, by the codes of its findings, and all that it said."""
    code, said = command_place("audit", "-c", config, "--json", "--require-complete")
    report, _ = json.JSONDecoder().raw_decode(said.decode())
    found = frozenset(finding["code"] for finding in report["findings"])
    assert bool(code) == bool(found), said.decode()
    return found, said


class Field:
    """An events topic with canaries in it, and workers of any number of configurations on it."""

    def __init__(self, kafka: Kafka, folder: Path) -> None:
        self._kafka = kafka
        self._folder = folder
        self.events_topic = f"canary.{uuid.uuid4().hex[:8]}.events"
        kafka.create_topic(self.events_topic, PARTITIONS)
        self.sowing: Sowing = sow(SEED, time.time_ns() // 1_000)

    def run(self, *configured: Configured) -> dict[str, Outcome]:
        """All of them at once, each killed once and started again; what each of them left, by its name."""
        outings = [Outing(self._kafka, self._folder / each.name, self.events_topic, each) for each in configured]
        try:
            # Poison is at the end: so every other record, at least, is of either half.
            killed = [outing for outing in outings if outing.configured.killed]
            self._produce(self.sowing.records[0::2])
            for outing in killed:
                outing.go_out()
            for outing in killed:
                outing.die_at_work()
            self._produce(self.sowing.records[1::2])
            for outing in outings:
                outing.go_out()
            for outing in outings:
                outing.come_home()
            return {outing.configured.name: outing.outcome(self._explained(outing.configured)) for outing in outings}
        finally:
            for outing in outings:
                outing.end()

    def _explained(self, configured: Configured) -> list[bytes]:
        """What the larger configurations are asked about; none where the worker is another program than is asked."""
        if configured.program != USUAL_PROGRAM or not configured.killed:
            return []
        return [record.value for record in self.sowing.records if record.value and record.sort in EXPLAINED]

    def events(self) -> Places:
        """What was sent, as any reader of the events topic gets it."""
        return dict(topic_places(self._kafka.bootstrap, "events", self.events_topic))

    def _produce(self, records: Sequence[Sent]) -> None:
        producer = Producer({"bootstrap.servers": self._kafka.bootstrap, "linger.ms": 5, "log_level": 0})
        for number, record in enumerate(records):
            producer.produce(
                self.events_topic,
                record.value,
                record.key,
                number % PARTITIONS,
                headers=list(record.headers),
            )
            producer.poll(0)
        assert producer.flush(30) == 0, "events were not produced in time"
