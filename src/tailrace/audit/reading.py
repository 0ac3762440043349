"""Reading the sinks, the dead letters and the ledger, each with an eye on bytes that must not be there."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tailrace.audit.arrivals import Arrivals, RecordIndexer
from tailrace.audit.errors import PlanInvalid
from tailrace.audit.evidence import Evidence, FileRead, Line, Message, PartitionRead
from tailrace.audit.findings import FindingCode, NoteCode, Outcome
from tailrace.audit.ledger import Ledger
from tailrace.audit.letters import Letters, read_letters
from tailrace.audit.plan import AuditPlan, FileDestination, KafkaDestination, NoDestination, Omission, SinkPlan
from tailrace.audit.rules import RANK_MASK, UNIT_NAMES, offset_of
from tailrace.audit.wire import Schemas


@dataclass(slots=True)
class Gathered:
    """Everything but the events.

    `arrivals` holds None for a sink that cannot be read back, `no_files` the path of one of which there is no file.
    """

    cursors: dict[str, Mapping[int, int]]
    arrivals: dict[str, Arrivals | None]
    letters: Letters | None
    ledger: Ledger
    no_files: dict[str, Path] = field(default_factory=dict)

    def failed_elsewhere(self, sink_id: str, partition: int) -> bool:
        """Whether the sink failed on, or refused, a record of another partition: one batch holds several."""
        refused = self.letters is not None and self.letters.refused_elsewhere(sink_id, partition)
        return refused or self.ledger.failed_elsewhere(sink_id, partition)


class Gathering:
    """Reads what a plan names, in the order that makes the proof sound; finds what is wrong with a record alone."""

    def __init__(self, plan: AuditPlan, schemas: Schemas, canaries: tuple[bytes, ...], outcome: Outcome) -> None:
        self._plan = plan
        self._schemas = schemas
        self._canaries = spellings(canaries)
        self._no_files: dict[str, Path] = {}
        self._findings = outcome.findings
        self._notes = outcome.notes

    def gather(self, evidence: Evidence, sinks: list[SinkPlan]) -> Gathered:
        """Read cursors, sinks, dead letters and ledger; `sinks` are all lanes, that of the dead letters included."""
        cursors = {sink.sink_id: evidence.cursors(sink.sink_id) for sink in sinks}
        ends = evidence.health_ends()
        arrivals = {sink.sink_id: self._read_sink(evidence, sink) for sink in self._plan.sinks}
        letters = None
        if (dead_letter := self._plan.dead_letter) is not None:
            reads = self._watched(evidence.dead_letters(), dead_letter.lane_id, raw=dead_letter.raw)
            letters = read_letters(reads, dead_letter, self._plan.events_topic, self._plan.group, self._findings)
            arrivals[dead_letter.lane_id] = letters.undecodable
        ledger = Ledger(self._plan.events_topic, self._plan.group, self._schemas, self._findings)
        ledger.read(self._watched(evidence.health(), ""), ends)
        ledger.note({sink.sink_id for sink in sinks}, self._notes)
        return Gathered(cursors, arrivals, letters, ledger, self._no_files)

    def _read_sink(self, evidence: Evidence, sink: SinkPlan) -> Arrivals | None:
        indexer = RecordIndexer(sink.sink_id, self._plan.events_topic, self._schemas, self._findings)
        match sink.destination:
            case KafkaDestination():
                arrivals = indexer.read_topic(self._watched(evidence.sink_topic(sink.sink_id), sink.sink_id))
                if arrivals.trimmed_partitions:
                    self._notes.add(NoteCode.SINK_TRIMMED, sink.sink_id, example=sorted(arrivals.trimmed_partitions))
                return arrivals
            case FileDestination(path=path):
                return indexer.read_files(self._watched_files(evidence, sink.sink_id, path), self._notes)
            case NoDestination():
                return None

    def _watched(self, reads: Iterator[PartitionRead], sink_id: str, *, raw: bool = False) -> Iterator[PartitionRead]:
        """The same reads, watched for canaries; raw dead letters hold what the events hold, on purpose."""
        for read in reads:
            if self._canaries and not raw:
                read.messages = self._watched_messages(read.messages, sink_id, read.partition)
            yield read

    def _watched_messages(self, messages: Iterator[Message], sink_id: str, partition: int) -> Iterator[Message]:
        for message in messages:
            parts = [message.key or b"", message.value or b""]
            parts += [part for name, value in message.headers for part in (name.encode(), value or b"")]
            if any(canary in part for canary in self._canaries for part in parts):
                where = f"partition {partition} offset {message.offset}"
                self._findings.add(FindingCode.CANARY_FOUND, sink_id, example=where)
            yield message

    def _watched_files(self, evidence: Evidence, sink_id: str, path: Path) -> Iterator[FileRead]:
        there = False
        for files in evidence.sink_files(sink_id):
            there = there or files.there
            yield replace(files, lines=self._watched_lines(files.lines, sink_id))
        if not there:
            self._no_files[sink_id] = path

    def _watched_lines(self, lines: Iterator[Line], sink_id: str) -> Iterator[Line]:
        for line in lines:
            if any(canary in line.text for canary in self._canaries):
                self._findings.add(FindingCode.CANARY_FOUND, sink_id, example=f"{line.place} line {line.number}")
            yield line


def spellings(canaries: Iterable[bytes]) -> tuple[bytes, ...]:
    """Each canary as it is, and as JSON may write it: in a line or letter, and in JSON that stands in such a text.

    JSON escapes quotes, backslashes and control characters, and usually everything beyond ASCII.
    """
    found = dict.fromkeys(canaries)
    for _ in range(2):
        for spelled in list(found):
            found.update(dict.fromkeys(_in_json(spelled)))
    return tuple(found)


def _in_json(spelled: bytes) -> Iterator[bytes]:
    try:
        text = spelled.decode()
    except UnicodeDecodeError:
        return  # no text, so in no JSON
    for as_ascii in (True, False):
        yield json.dumps(text, ensure_ascii=as_ascii)[1:-1].encode()


def forget(gathered: Gathered, omission: Omission) -> None:
    """Act as if one record had not been there. Raises PlanInvalid if it was not, so that no test passes for nothing."""
    arrivals = gathered.arrivals.get(omission.sink_id)
    if arrivals is None:
        raise PlanInvalid("omit", f"no records of {omission.sink_id} were read")
    for partition, columns in sorted(arrivals.columns.items()):
        if omission.partition not in (None, partition):
            continue
        cursor = gathered.cursors[omission.sink_id].get(partition, 0)
        fitting = [n for column in columns.values() for n in column.units if _is_meant(n, omission, cursor)]
        if fitting:
            arrivals.forget(partition, min(fitting))
            return
    raise PlanInvalid("omit", f"{omission.sink_id} holds no such record")


def _is_meant(number: int, omission: Omission, cursor: int) -> bool:
    offset = offset_of(number)
    in_place = offset == omission.offset if omission.offset is not None else offset < cursor
    return in_place and omission.kind in (None, UNIT_NAMES[number & RANK_MASK])
