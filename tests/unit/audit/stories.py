"""Histories of a worker, written down by playing its lanes: events, what sinks hold, ledger, dead letters, cursors.

A lane's life begins with a lane start at its cursor, sends what its sink wants from there on, writes gaps for what it
gives up, and ends cleanly or in a crash, after which the next life begins at the cursor and sends again. The bytes are
the worker's own (projector, ledger encoding), the story around them is invented here, so an audit that agrees with a
story agrees with the worker's formats too.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

from fastavro import parse_schema, schemaless_reader

from tailrace.audit import (
    AuditOptions,
    AuditPlan,
    AuditReport,
    Cluster,
    DeadLetterPlan,
    FileDestination,
    KafkaDestination,
    NoDestination,
    Selection,
    SinkPlan,
    audit,
)
from tailrace.audit.evidence import FileRead, Line, Message, PartitionRead
from tailrace.codec.ledger import LedgerCodec
from tailrace.codec.reference_projector import ReferenceProjector
from tailrace.codec.schemas import SchemaStore
from tailrace.domain.kinds import FailureKind, ProjectionKind, SinkKind
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
from tailrace.domain.projected import ProjectedRecord, Undecodable
from tailrace.synthetic.chance import Chance
from tailrace.synthetic.events import SyntheticEvents

TOPIC = "agent.events"
LETTERS = "dead_letter"
MAX_EVENT_BYTES = 64 * 1024

Unit = tuple[int, int, str]
"""Source partition, offset and kind; the kind of a dead letter is `event`."""


@cache
def store() -> SchemaStore:
    return SchemaStore()


@cache
def _projector() -> ReferenceProjector:
    return ReferenceProjector(TOPIC, store(), max_event_bytes=MAX_EVENT_BYTES)


@cache
def _project(partition: int, message: Message) -> tuple[ProjectedRecord, ...] | Undecodable:
    return _projector().project(partition, message.offset, message.key, message.value)


@cache
def _codec() -> LedgerCodec:
    return LedgerCodec(store())


@cache
def record_schema() -> Any:
    return parse_schema(without_logical_types(store().telemetry_record.json))


def without_logical_types(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: without_logical_types(value) for key, value in schema.items() if key != "logicalType"}
    return [without_logical_types(one) for one in schema] if isinstance(schema, list) else schema


def record_of(value: bytes) -> dict[str, Any]:
    """A framed telemetry record as a dictionary."""
    decoded: Any = schemaless_reader(BytesIO(value[10:]), record_schema(), None)
    assert isinstance(decoded, dict)
    return decoded


@dataclass(slots=True)
class Arrived:
    """One record in a sink."""

    unit: Unit
    sink_partition: int
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)
    refused: bool = False


@dataclass(slots=True)
class Written:
    """One record of the health topic: an entry, and the bytes to write if they are not the entry's own."""

    entry: LedgerEntry
    key: bytes | None = None
    value: bytes | None = None
    health_partition: int = 0


@dataclass(slots=True)
class SinkStory:
    plan: SinkPlan
    kind: SinkKind
    partitions: int
    records: list[Arrived] = field(default_factory=list)
    lows: dict[int, int] = field(default_factory=dict)
    files_complete: bool = True
    no_files: bool = False
    torn: bytes = b""

    def of(self, partition: int) -> list[Arrived]:
        return [record for record in self.records if record.sink_partition == partition]


@dataclass(slots=True)
class Story:
    """Everything an audit may read. Tests change it and audit again."""

    events: dict[int, list[Message]]
    ends: dict[int, int]
    lows: dict[int, int] = field(default_factory=dict)
    sinks: dict[str, SinkStory] = field(default_factory=dict)
    ledger: list[Written] = field(default_factory=list)
    ledger_low: int = 0
    written_meanwhile: int = 0  # entries at the end of the ledger that came after the audit had begun
    letters: list[Arrived] = field(default_factory=list)
    cursors: dict[str, dict[int, int]] = field(default_factory=dict)
    raw_letters: bool = False
    with_letters: bool = True
    letters_digest: str | None = None
    max_event_bytes: int = MAX_EVENT_BYTES

    @property
    def plan(self) -> AuditPlan:
        return AuditPlan(
            cluster=Cluster({}),
            events_topic=TOPIC,
            group="group",
            health_topic="health",
            sinks=tuple(sink.plan for sink in self.sinks.values()),
            dead_letter=self._letters if self.with_letters else None,
            max_event_bytes=self.max_event_bytes,
        )

    @property
    def _letters(self) -> DeadLetterPlan:
        return DeadLetterPlan(topic="letters", raw=self.raw_letters, config_digest=self.letters_digest)

    def audit(self, options: AuditOptions | None = None) -> AuditReport:
        return audit(self.plan, options or AuditOptions(), StoryEvidence(self))

    def codes(self, options: AuditOptions | None = None) -> set[str]:
        """The codes of everything an audit finds."""
        return {str(finding.code) for finding in self.audit(options).findings}

    def notes(self) -> set[str]:
        return {str(note.code) for note in self.audit().notes}

    def entries(self, sink_id: str, kind: type[LedgerEntry], partition: int | None = None) -> list[Written]:
        return [
            written
            for written in self.ledger
            if isinstance(written.entry, kind)
            and written.entry.lane.sink_id == sink_id
            and partition in (None, written.entry.partition)
        ]

    def find(self, sink_id: str, unit: Unit) -> list[Arrived]:
        return [record for record in self.sinks[sink_id].records if record.unit == unit]


class StoryEvidence:
    """A story as the port of an audit has it."""

    def __init__(self, story: Story) -> None:
        self._story = story

    def cursors(self, sink_id: str) -> Mapping[int, int]:
        return self._story.cursors.get(sink_id, {})

    def health_ends(self) -> Mapping[int, int]:
        return {read.partition: read.high - self._story.written_meanwhile for read in self.health()}

    def sink_topic(self, sink_id: str) -> Iterator[PartitionRead]:
        sink = self._story.sinks[sink_id]
        for partition in range(sink.partitions):
            yield _read(partition, sink.of(partition), sink.lows.get(partition, 0))

    def sink_files(self, sink_id: str) -> Iterator[FileRead]:
        sink = self._story.sinks[sink_id]
        if sink.no_files:
            yield FileRead(complete=True, lines=iter(()), there=False)
            return
        for writer in sorted({record.sink_partition for record in sink.records} | {0}):
            written = [record.value for record in sink.of(writer)]
            lines = [Line("story", number, text, whole=True) for number, text in enumerate(written, 1)]
            if sink.torn and writer == 0:
                lines.append(Line("story", len(lines) + 1, sink.torn, whole=False))
            yield FileRead(sink.files_complete, iter(lines), writer)

    def dead_letters(self) -> Iterator[PartitionRead]:
        yield _read(0, self._story.letters, 0)

    def health(self) -> Iterator[PartitionRead]:
        for partition in sorted({written.health_partition for written in self._story.ledger} | {0}):
            own = [(at, one) for at, one in enumerate(self._story.ledger) if one.health_partition == partition]
            messages = [
                health_message(offset, written)._replace(timestamp_ms=1_000 + at)
                for offset, (at, written) in enumerate(own, self._story.ledger_low)
            ]
            yield PartitionRead(partition, self._story.ledger_low, self._story.ledger_low + len(own), iter(messages))

    def events(self) -> Iterator[PartitionRead]:
        for partition, messages in self._story.events.items():
            low = self._story.lows.get(partition, 0)
            kept = [message for message in messages if message.offset >= low]
            yield PartitionRead(partition, low, self._story.ends[partition], iter(kept))

    def sink_value(self, sink_id: str, partition: int, place: int) -> bytes | None:
        sink = self._story.sinks[sink_id]
        if isinstance(sink.plan.destination, FileDestination):
            return sink.of(partition)[place].value
        return sink.of(partition)[place - sink.lows.get(partition, 0)].value


@cache
def _encoded(entry: LedgerEntry) -> tuple[bytes, bytes]:
    return _codec().encode(entry)


def health_message(offset: int, written: Written) -> Message:
    """A ledger entry as it stands on the health topic."""
    key, value = _encoded(written.entry)
    return Message(offset, written.key or key, value if written.value is None else written.value)


def _read(partition: int, records: list[Arrived], low: int) -> PartitionRead:
    messages = [Message(low + i, record.key, record.value, record.headers) for i, record in enumerate(records)]
    return PartitionRead(partition, low, low + len(messages), iter(messages))


def units_of(story: Story, sink: SinkStory | None) -> list[tuple[Unit, bool]]:
    """Every unit of every event, and whether a sink has to get it; None stands for the lane of the dead letters."""
    units: list[tuple[Unit, bool]] = []
    for partition, messages in story.events.items():
        for message in messages:
            projected = _project(partition, message)
            if isinstance(projected, Undecodable):
                units.append(((partition, message.offset, "event"), True))
                continue
            for record in projected:
                admits = sink is not None and sink.plan.selection.admits(record.kind, record.family, record.agent_id)
                units.append(((partition, message.offset, record.kind.value), admits))
    return units


# ------------------------------------------------------------------------------------------------------ the players


@dataclass(frozen=True, slots=True)
class Temper:
    """How eventful a story is. `lives` counts the lane starts per sink and partition; rates are per record."""

    lives: int = 1
    drops: float = 0.0
    failures: float = 0.0
    refusals: float = 0.0
    stops_early: bool = False
    marks: bool = True


def events_of(
    seed: int, count: int, partitions: int, poison_rate: float, hole_rate: float = 0.05, *, content: bool = False
) -> Story:
    """Events of invented runs, and between them offsets without an event, as transactions leave them."""
    events, ends = _events_of(seed, count, partitions, poison_rate, hole_rate, content=content)
    return Story({partition: list(messages) for partition, messages in events.items()}, dict(ends))


@cache
def _events_of(
    seed: int, count: int, partitions: int, poison_rate: float, hole_rate: float, *, content: bool
) -> tuple[dict[int, list[Message]], dict[int, int]]:
    chance = Chance(f"story events {seed}")
    events: dict[int, list[Message]] = {partition: [] for partition in range(partitions)}
    ends = dict.fromkeys(range(partitions), 0)
    for event in SyntheticEvents(
        seed=seed, active_runs=6, poison_rate=poison_rate, content=content, schemas=store()
    ).take(count):
        partition = _place_of(event.key, partitions)
        while chance.happens(hole_rate):
            ends[partition] += 1
        events[partition].append(Message(ends[partition], event.key, event.value))
        ends[partition] += 1
    return events, ends


def _place_of(key: bytes, partitions: int) -> int:
    return sha256(key).digest()[0] % partitions


def add_sinks(story: Story, temper: Temper, chance: Chance) -> Story:
    """Five sinks of every sort, each played through, and the lane of the dead letters."""
    plans = [
        (SinkPlan(sink_id="analytics", destination=KafkaDestination("analytics")), SinkKind.DURABLE_TRACE),
        (SinkPlan(sink_id="local", destination=FileDestination(Path("local"))), SinkKind.LOCAL_DIAGNOSTIC),
        (SinkPlan(sink_id="blind", destination=NoDestination()), SinkKind.TEST),
        (
            SinkPlan(
                sink_id="billing",
                destination=KafkaDestination("billing"),
                selection=Selection(
                    kinds=frozenset({"usage", "cost_estimate", "cost_correction"}), families=frozenset({"model"})
                ),
            ),
            SinkKind.DURABLE_TRACE,
        ),
    ]
    for plan, kind in plans:
        partitions = 3 if isinstance(plan.destination, KafkaDestination) else 1
        told = replace(plan, may_drop=temper.drops > 0)
        sink = story.sinks[plan.sink_id] = SinkStory(told, kind, partitions)
        story.cursors[plan.sink_id] = {}
        for partition in story.events:
            _Lane(story, sink, partition, temper, chance).play()
    story.cursors[LETTERS] = {}
    for partition in story.events:
        letters = SinkStory(SinkPlan(sink_id=LETTERS, destination=NoDestination()), SinkKind.DURABLE_TRACE, 1)
        calm = replace(temper, drops=0.0, failures=0.0, refusals=0.0)
        _Lane(story, letters, partition, calm, chance).play()
        story.letters.extend(letters.records)
    return story


def story_of(
    seed: int = 1,
    temper: Temper | None = None,
    *,
    count: int = 120,
    poison_rate: float = 0.08,
    hole_rate: float = 0.05,
    content: bool = False,
) -> Story:
    """A whole story. The same arguments tell the same one."""
    events = events_of(seed, count, partitions=2, poison_rate=poison_rate, hole_rate=hole_rate, content=content)
    return add_sinks(events, temper or Temper(), Chance(f"story {seed}"))


@dataclass(slots=True)
class _Life:
    """What one life of a lane came to, before it is known how far its cursor gets."""

    sends: list[Arrived] = field(default_factory=list)
    misses: list[tuple[int, str | None, FailureKind, str]] = field(default_factory=list)
    filtered: list[int] = field(default_factory=list)


class _Lane:
    """One sink's lane on one partition, over all its lives."""

    def __init__(self, story: Story, sink: SinkStory, partition: int, temper: Temper, chance: Chance) -> None:
        self._story = story
        self._sink = sink
        self._partition = partition
        self._temper = temper
        self._chance = chance
        self._life = 0

    def play(self) -> None:
        cursor, end = 0, self._story.ends[self._partition]
        for life in range(self._temper.lives):
            self._life = life
            last = life == self._temper.lives - 1
            whole = last and not self._temper.stops_early
            self._write(
                LaneStarted, cursor=cursor, cursor_origin=self._origin(), config_digest="c", projector_version=1
            )
            reach = end if whole else self._chance.between(cursor, end)
            begin, cursor = cursor, reach if whole else self._chance.between(cursor, reach)
            lived = self._live(begin, reach)
            self._write_gaps([miss for miss in lived.misses if miss[0] < cursor])
            if self._chance.happens(0.5):
                self._write_gaps([miss for miss in lived.misses if miss[0] >= cursor])
            if self._temper.marks:
                self._write_mark(lived, cursor)
            self._story.cursors[self._sink.plan.sink_id][self._partition] = cursor

    def _origin(self) -> CursorOrigin:
        return CursorOrigin.COMMITTED if self._life else CursorOrigin.START_AT

    def _live(self, begin: int, reach: int) -> _Life:
        life = _Life()
        for message in self._story.events[self._partition]:
            if not begin <= message.offset < reach:
                continue
            projected = _project(self._partition, message)
            if self._sink.plan.sink_id == LETTERS:
                self._letter(life, projected, message)
            elif isinstance(projected, Undecodable):
                life.misses.append((message.offset, None, FailureKind.UNDECODABLE, projected.reason.value))
            else:
                for record in projected:
                    self._decide(life, record)
        self._sink.records.extend(self._delivered(life.sends))
        life.sends = [one for one in life.sends if not one.refused]
        return life

    def _letter(self, life: _Life, projected: tuple[ProjectedRecord, ...] | Undecodable, message: Message) -> None:
        if isinstance(projected, Undecodable):
            unit = (self._partition, message.offset, "event")
            life.sends.append(letter_of(unit, message.value, "VALUE_CONVERTER", "tailrace.projector"))
        else:
            life.filtered.extend([message.offset] * len(projected))

    def _decide(self, life: _Life, record: ProjectedRecord) -> None:
        plan, kind = self._sink.plan, record.kind.value
        if not plan.selection.admits(kind, record.family, record.agent_id):
            life.filtered.append(record.offset)
            return
        if record.kind is ProjectionKind.PROGRESS and self._chance.happens(self._temper.drops):
            life.misses.append((record.offset, kind, FailureKind.OVERFLOW, "buffer_full"))
            return
        value = record.value
        if isinstance(plan.destination, FileDestination):
            value = json.dumps(record_of(value), separators=(",", ":")).encode()
        unit, sink_partition = (record.partition, record.offset, kind), _place_of(record.key, self._sink.partitions)
        refused = self._chance.happens(self._temper.refusals)
        if refused:
            life.misses.append((record.offset, kind, FailureKind.EXPORT_REJECTED, "MSG_SIZE_TOO_LARGE"))
            self._story.letters.append(letter_of(unit, None, "TASK_PUT", f"tailrace.sink.{plan.sink_id}"))
        life.sends.append(Arrived(unit, sink_partition, record.key, value, refused=refused))

    def _delivered(self, sends: list[Arrived]) -> list[Arrived]:
        """The records as they reach the sink: what a failed or refused batch brought to other partitions comes twice.

        After a failure the lane resumes at the failed record; to find a refused one, at the front of its batch.
        """
        delivered: list[Arrived] = []
        found: set[int] = set()
        for index, one in enumerate(sends):
            batch = sends[index : index + 5]
            refused = next((i for i, other in enumerate(batch[:3], index) if other.refused and i not in found), None)
            if refused is not None:
                found.add(refused)
                delivered.extend(_elsewhere(batch, sends[refused]))
            elif not one.refused and self._chance.happens(self._temper.failures):
                delivered.extend(_elsewhere(batch, one))
                self._write_failure(one)
            if not one.refused:
                delivered.append(one)
        return delivered

    def _write_failure(self, met: Arrived) -> None:
        self._write(
            SinkFailed,
            offset=met.unit[1],
            failure_kind=FailureKind.SINK_UNAVAILABLE,
            terminal_preserved=True,
            dropped_count=0,
            last_acknowledged_offset=None,
            detail="_MSG_TIMED_OUT",
            reminder=False,
        )
        self._write(SinkRecovered, offset=met.unit[1], failed_for_ms=100)

    def _write_gaps(self, misses: list[tuple[int, str | None, FailureKind, str]]) -> None:
        for reason in sorted({(miss[2], miss[3]) for miss in misses}):
            kinds: dict[int, set[str]] = {}
            for offset, kind, *_ in (miss for miss in misses if (miss[2], miss[3]) == reason):
                kinds.setdefault(offset, set()).update([] if kind is None else [kind])
            runs = tuple(
                GapRun(offset, offset, tuple(ProjectionKind(kind) for kind in sorted(kinds[offset])))
                for offset in sorted(kinds)
            )
            self._write(Gap, reason=reason[0], detail=reason[1], runs=runs, records=sum(run.records for run in runs))

    def _write_mark(self, life: _Life, cursor: int) -> None:
        dropped: dict[FailureKind, int] = {}
        for offset, _, reason, _ in life.misses:
            if offset < cursor:
                dropped[reason] = dropped.get(reason, 0) + 1
        self._write(
            ExportMark,
            next_offset=cursor,
            export_seq=len(life.sends),
            newest_event_time_us=None,
            exported=len(life.sends),
            filtered=len(life.filtered),
            dropped=tuple(sorted(dropped.items())),
        )

    def _write(self, kind: type[LedgerEntry], **fields: Any) -> None:
        start_id = f"start-{self._sink.plan.sink_id}-{self._partition}-{self._life}"
        lane = LaneIdentity(sink_id=self._sink.plan.sink_id, sink_kind=self._sink.kind, start_id=start_id)
        self._story.ledger.append(Written(kind(lane=lane, topic=TOPIC, partition=self._partition, **fields)))


def _elsewhere(batch: list[Arrived], met: Arrived) -> list[Arrived]:
    """What of a batch arrives although one of its records did not: the rest of other sink partitions."""
    return [replace(one) for one in batch if one.sink_partition != met.sink_partition and not one.refused]


def letter_of(unit: Unit, event_value: bytes | None, stage: str, class_name: str, *, group: str = "group") -> Arrived:
    """A dead letter as the worker writes it, without the raw bytes."""
    partition, offset, _ = unit
    headers: list[tuple[str, bytes | None]] = [
        ("__connect.errors.topic", TOPIC.encode()),
        ("__connect.errors.partition", str(partition).encode()),
        ("__connect.errors.offset", str(offset).encode()),
        ("__connect.errors.stage", stage.encode()),
        ("__connect.errors.class.name", class_name.encode()),
        ("tailrace.group", group.encode()),
    ]
    if stage == "TASK_PUT":
        headers.append(("tailrace.sink", class_name.removeprefix("tailrace.sink.").encode()))
    described = {"offset": offset, "value_sha256": sha256(event_value or b"").hexdigest()}
    return Arrived(unit, 0, f"{TOPIC}|{partition}".encode(), json.dumps(described).encode(), headers)
