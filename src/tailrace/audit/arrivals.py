"""What a sink holds, in compact columns: one row per record, in the order in which a reader of the sink meets them."""

import hashlib
import json
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tailrace.audit.content import form_of
from tailrace.audit.evidence import FileRead, PartitionRead
from tailrace.audit.findings import FindingCode, Findings, NoteCode
from tailrace.audit.rules import RANKS, unit
from tailrace.audit.wire import FRAME_BYTES, Schemas

DIGEST_BYTES = 16


def digest(content: bytes) -> bytes:
    """Stands for a record's bytes, so that 100 000 records cost megabytes and not hundreds of them."""
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()


def json_form(record: Mapping[str, Any]) -> bytes:
    """One spelling per record, whatever the order of its keys."""
    return json.dumps(record, sort_keys=True, separators=(",", ":")).encode()


@dataclass(slots=True)
class Column:
    """The records of one source partition in one sink partition (or file stream), in order of arrival."""

    units: "array[int]" = field(default_factory=lambda: array("q"))
    places: "array[int]" = field(default_factory=lambda: array("q"))
    digests: bytearray = field(default_factory=bytearray)

    def add(self, number: int, place: int, content: bytes) -> None:
        self.units.append(number)
        self.places.append(place)
        self.digests += content

    def digest(self, row: int) -> bytes:
        return bytes(self.digests[row * DIGEST_BYTES : (row + 1) * DIGEST_BYTES])

    def without(self, number: int) -> "Column":
        """The same rows but for those of one unit."""
        kept = Column()
        for row, found in enumerate(self.units):
            if found != number:
                kept.add(found, self.places[row], self.digest(row))
        return kept


@dataclass(slots=True)
class Arrivals:
    """Everything one sink holds, by source partition and then by sink partition.

    `floors` are the oldest units still there per source partition, where the sink itself has removed older ones; a
    source partition that is not in it has nothing left that could be checked. None: nothing was removed.
    """

    columns: dict[int, dict[int, Column]] = field(default_factory=dict)
    trimmed_partitions: set[int] = field(default_factory=set)

    def add(self, source_partition: int, number: int, sink_partition: int, place: int, content: bytes) -> None:
        self.columns.setdefault(source_partition, {}).setdefault(sink_partition, Column()).add(number, place, content)

    def of(self, source_partition: int) -> Mapping[int, Column]:
        return self.columns.get(source_partition, {})

    def floor(self, source_partition: int, out_of_turn: int) -> int:
        """The unit below which a missing record proves nothing, because the sink has removed what was there.

        The oldest record left tells how far the sink had come, and all below it may have been removed. It may be an old
        one that came late, though, behind much newer ones that have been removed; so of the first `out_of_turn`
        records, at least one, the highest counts. Where a trimmed sink partition has nothing left of this source
        partition, everything may have been removed.
        """
        floor = 0
        for sink_partition in self.trimmed_partitions:
            column = self.of(source_partition).get(sink_partition)
            if column is None:
                return 1 << 62
            floor = max(floor, *column.units[:out_of_turn])
        return floor

    def forget(self, source_partition: int, number: int) -> bool:
        """Drop every copy of one record; whether there was one."""
        columns = self.columns.get(source_partition, {})
        holding = [sink_partition for sink_partition, column in columns.items() if number in column.units]
        for sink_partition in holding:
            columns[sink_partition] = columns[sink_partition].without(number)
        return bool(holding)


class RecordIndexer:
    """Enters a sink's telemetry records into arrivals, and finds what is wrong with a record on its own."""

    def __init__(self, sink_id: str, events_topic: str, schemas: Schemas, findings: Findings) -> None:
        self._sink_id = sink_id
        self._events_topic = events_topic
        self._schemas = schemas
        self._findings = findings
        self._partition_of_run: dict[str, int] = {}
        self.arrivals = Arrivals()

    def read_topic(self, reads: Iterator[PartitionRead]) -> Arrivals:
        """Take in a Kafka sink."""
        current = self._schemas.record
        for read in reads:
            for message in read.messages:
                where = f"partition {read.partition} offset {message.offset}"
                record = self._schemas.decode(message.value, current)
                if record is None or message.value is None:
                    self._unreadable(where)
                    continue
                if message.key != record["run_id"].encode():
                    self._findings.add(FindingCode.WRONG_KEY, self._sink_id, example=where)
                home = self._partition_of_run.setdefault(record["run_id"], read.partition)
                if home != read.partition:
                    self._findings.add(FindingCode.RUN_SPLIT, self._sink_id, example=where)
                # A record of an older schema is compared as what it resolves to.
                body = form_of(record) or message.value[FRAME_BYTES:]
                if message.value[2:FRAME_BYTES] != current.fingerprint and record["capture"] is None:
                    body = current.encode(record)
                self._enter(record, read.partition, message.offset, digest(body), where)
            if read.low > 0:
                self.arrivals.trimmed_partitions.add(read.partition)
        return self.arrivals

    def read_files(self, reads: Iterator[FileRead], notes: Findings) -> Arrivals:
        """Take in JSON lines; the stream of each writer is what a sink partition is in a topic."""
        for files in reads:
            self._read_stream(files, notes)
        return self.arrivals

    def _read_stream(self, files: FileRead, notes: Findings) -> None:
        """A last line without its end is one that a crash, or a running worker, left torn."""
        for row, line in enumerate(files.lines):
            where = f"{line.place} line {line.number}"
            if not line.whole:
                notes.add(NoteCode.TORN_LINE, self._sink_id, example=where)
                continue
            try:
                record = json.loads(line.text)
            except ValueError:
                self._unreadable(where)
                continue
            if not isinstance(record, dict):
                self._unreadable(where)
                continue
            self._enter(record, files.writer, row, digest(form_of(record) or json_form(record)), where)
        if not files.complete:
            self.arrivals.trimmed_partitions.add(files.writer)
            notes.add(NoteCode.FILES_ROTATED_AWAY, self._sink_id)

    def _enter(self, record: Mapping[str, Any], sink_partition: int, place: int, content: bytes, where: str) -> None:
        try:
            source = record["source"]
            partition, offset, rank = source["partition"], source["offset"], RANKS[record["projection_kind"]]
            if source["topic"] != self._events_topic or not (partition >= 0 and offset >= 0):
                raise ValueError  # noqa: TRY301 - one way out for every reason why it is no record of this topic
            self.arrivals.add(partition, unit(offset, rank), sink_partition, place, content)
        except (KeyError, TypeError, ValueError, OverflowError):
            self._unreadable(where)

    def _unreadable(self, where: str) -> None:
        self._findings.add(FindingCode.UNREADABLE_RECORD, self._sink_id, example=where)
