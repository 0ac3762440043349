"""The sink a person reads: telemetry records as JSON lines in a local file, one record per line."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from fastavro import parse_schema, schemaless_reader

from tailrace.adapters.rotating_lines import Broken, RotatingLines, TooLong, WriteOutcome, Written
from tailrace.codec.framing import SingleObject, recognise
from tailrace.codec.schemas import SchemaStore, WriterSchema
from tailrace.domain.kinds import FailureKind
from tailrace.domain.projected import ProjectedRecord
from tailrace.runtime.clock import Deadline
from tailrace.runtime.ports import Interrupt
from tailrace.runtime.sink_port import Accepted, ExportOutcome, Interrupted, Refused, Retriable

LINE_TOO_LONG = "line_longer_than_a_file"
NOT_READABLE = "record_not_readable"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The bytes are not a telemetry record of a schema this installation has."""


class RecordReader:
    """Telemetry records back from their bytes, by the schema their frame names. One thread.

    The values are plain: times stay microseconds since the epoch, so that no record is lost to a calendar's end.
    """

    def __init__(self, schemas: SchemaStore) -> None:
        self._schemas = schemas
        self._parsed: dict[bytes, Any] = {}

    def read(self, value: bytes) -> Mapping[str, object] | Unreadable:
        frame = recognise(value)
        if not isinstance(frame, SingleObject):
            return Unreadable()
        schema = self._parsed.get(frame.fingerprint) or self._parse(frame.fingerprint)
        if schema is None:
            return Unreadable()
        body = BytesIO(value)
        body.seek(frame.body_start)
        try:
            record = schemaless_reader(body, schema, None)
        except Exception:  # noqa: BLE001 - what fastavro raises on bytes it cannot read is not of one type
            return Unreadable()
        return record if isinstance(record, dict) and body.tell() == len(value) else Unreadable()

    def _parse(self, fingerprint: bytes) -> Any | None:
        known = self._schemas.writer(fingerprint)
        if not isinstance(known, WriterSchema):
            return None
        parsed = parse_schema(_plain(known.json))
        self._parsed[fingerprint] = parsed
        return parsed


class LocalDiagnosticSink:
    """Writes each record as one line of JSON and has a batch on the disk before it says so. One thread; never raises.

    A full disk, a missing permission or a file in use is `Retriable` with the system's name for it, and leaves no part
    of the failed batch behind. A record whose line alone is longer than a file may be is refused.
    """

    def __init__(self, lines: RotatingLines, reader: RecordReader) -> None:
        self._lines = lines
        self._reader = reader

    def export(self, batch: Sequence[ProjectedRecord], interrupt: Interrupt) -> ExportOutcome:
        if interrupt.is_set():
            return Interrupted(0)
        lines = [self._line(record) for record in batch]
        readable = lines.index(None) if None in lines else len(lines)
        outcome = self._lines.append([line for line in lines[:readable] if line is not None])
        if isinstance(outcome, Written) and readable < len(batch):
            return Refused(readable, 1, FailureKind.SERIALIZATION, NOT_READABLE)
        return _as_export(outcome)

    def abandon(self) -> None:
        """Nothing is ever on its way: what `export` did not write, it cut off."""

    def tend(self) -> None:
        """A file says nothing of itself."""

    def close(self, deadline: Deadline) -> None:
        del deadline  # closing a file waits for nothing
        self._lines.close()

    def _line(self, record: ProjectedRecord) -> bytes | None:
        read = self._reader.read(record.value)
        if isinstance(read, Unreadable):
            return None
        return json.dumps(read, separators=(",", ":"), default=_json_value).encode()


def _as_export(outcome: WriteOutcome) -> ExportOutcome:
    match outcome:
        case Written():
            return Accepted()
        case Broken(lines=lines, code=code):
            return Retriable(lines, FailureKind.SINK_UNAVAILABLE, code)
        case TooLong(lines=lines):
            return Refused(lines, 1, FailureKind.EXPORT_REJECTED, LINE_TOO_LONG)


def _json_value(value: object) -> str:
    assert isinstance(value, bytes), "Avro has no other type that JSON has not"
    return base64.b64encode(value).decode("ascii")


def _plain(schema: Any) -> Any:
    """The schema without logical types."""
    if isinstance(schema, dict):
        return {key: _plain(value) for key, value in schema.items() if key != "logicalType"}
    return [_plain(item) for item in schema] if isinstance(schema, list) else schema
