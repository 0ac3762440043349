"""Ledger entries to the bytes of the health topic and back.

An entry's key puts everything about one sink and source partition into one partition of the health topic, in order. Its
id depends on nothing but the entry: writing the same one again gives the same record, so a retry is recognised.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final
from zlib import crc32

from fastavro import parse_schema, schemaless_reader, schemaless_writer

from tailrace.codec.encoding import encode_long, encode_string
from tailrace.codec.framing import SingleObject, recognise, single_object_frame
from tailrace.codec.schemas import SchemaStore, WriterSchema
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

_SCHEMA_VERSION: Final = 1

_FRAME_BYTES: Final = 10  # of the single-object encoding
_ID_BEGINS: Final = b"telemetry."
_ID_WITHIN_BYTES: Final = 13  # the version's varint, up to two bytes of length, and what the id begins with
_LONGEST_LABELLED_BYTES: Final = 100  # what the id begins with, a sink's id of 63 characters, the longest label

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NotALedgerEntry:
    """A record of the health topic that holds no ledger entry this version can read; `why` is a constant word.

    - `no_value`, `unframed`, `unknown_schema`: not written by a tailrace this store knows;
    - `malformed`: the bytes do not fit their schema to the last;
    - `another_payload`: well formed, but of a kind that is no `LedgerEntry`, or newer than this version;
    - `unknown_symbol`: an entry with a reason, kind or origin newer than this version.
    """

    why: str


def ledger_key(group: str, sink_id: str, topic: str, partition: int) -> bytes:
    """The key of every entry about a group's sink and one source partition: `group|sink|topic|partition`.

    No name holds a `|`. The group comes first, so that a reader can pass over those of others by their keys alone.
    """
    return f"{group}|{sink_id}|{topic}|{partition}".encode()


def entry_label(value: bytes) -> str | None:
    """The payload that an entry names in its id, found without decoding it; None for what is no entry of a worker.

    A ledger of a week holds far more than anybody wants to know of it, and decoding is what reading it takes its time
    for. Only the first two fields are relied on, and that no sink id of a worker holds a dot.
    """
    begin = value.find(_ID_BEGINS, _FRAME_BYTES, _FRAME_BYTES + _ID_WITHIN_BYTES)
    parts = value[begin : begin + _LONGEST_LABELLED_BYTES].split(b".", 3) if begin >= 0 else []
    label = parts[2].decode("ascii", "replace") if len(parts) == 4 else ""
    return label if label in _READERS else None


class LedgerCodec:
    """Writes with the current health schema and reads every version the store knows. Any thread."""

    def __init__(self, schemas: SchemaStore) -> None:
        self._schemas = schemas
        self._frame = single_object_frame(schemas.health_record)
        self._current = _parsed(schemas.health_record)
        self._writers: dict[bytes, Any] = {}  # by fingerprint, parsed when first met

    def encode(self, entry: LedgerEntry) -> tuple[bytes, bytes]:
        """Key and value of the entry's record.

        The id is `telemetry.<sink id>.<label>.<partition>.<first offset>.<start id>.<checksum>`: the checksum tells
        apart what one lane writes about one offset, such as two gaps with different reasons.
        """
        label, first_offset, payload = _payload(entry)
        lane = entry.lane
        record_id = f"telemetry.{lane.sink_id}.{label}.{entry.partition}.{first_offset}.{lane.start_id}"
        fields: dict[str, Any] = {
            "schema_version": _SCHEMA_VERSION,
            "record_id": record_id,
            "lane": {
                "sink_id": lane.sink_id,
                "sink_kind": lane.sink_kind.value,
                "start_id": lane.start_id,
                "group": lane.group,
                "topic": entry.topic,
                "partition": entry.partition,
            },
            "payload_kind": label,
            label: payload,
        }
        body = self._write(fields)
        # The whole id goes in place of the begun one: to write everything again for it would take as long again, which
        # at one unreadable event in a hundred was more than any other step of a lane but producing [measured].
        begun, whole = _head(record_id), _head(f"{record_id}.{crc32(body):08x}")
        key = ledger_key(lane.group, lane.sink_id, entry.topic, entry.partition)
        return key, self._frame + whole + body[len(begun) :]

    def decode(self, value: bytes | None) -> LedgerEntry | NotALedgerEntry:
        """The entry in a record's value; never raises, whatever the bytes."""
        if value is None:
            return NotALedgerEntry("no_value")
        frame = recognise(value)
        if not isinstance(frame, SingleObject):
            return NotALedgerEntry("unframed")
        writer = self._schemas.writer(frame.fingerprint)
        if not isinstance(writer, WriterSchema):
            return NotALedgerEntry("unknown_schema")
        body = BytesIO(value[frame.body_start :])
        try:
            fields: Any = schemaless_reader(body, self._writer(writer), self._current)
        except Exception:  # noqa: BLE001 - fastavro raises whatever comes: EOFError, IndexError, UnicodeDecodeError, …
            return NotALedgerEntry("malformed")
        if body.read(1):
            return NotALedgerEntry("malformed")
        return _entry(fields)

    def _writer(self, schema: WriterSchema) -> Any:
        if schema.fingerprint not in self._writers:
            self._writers[schema.fingerprint] = _parsed(schema)
        return self._writers[schema.fingerprint]

    def _write(self, fields: Fields) -> bytes:
        out = BytesIO()
        # Strict about unknown keys, so that a typo is no silent loss; defaults fill in what an entry does not have.
        schemaless_writer(out, self._current, fields, strict_allow_default=True)
        return out.getvalue()


def _head(record_id: str) -> bytes:
    """The first two fields of every entry."""
    return encode_long(_SCHEMA_VERSION) + encode_string(record_id)


def _parsed(schema: WriterSchema) -> Any:
    """As fastavro takes it, without logical types: times stay microseconds, also those a datetime cannot hold."""
    return parse_schema(_without_logical_types(schema.json))


def _without_logical_types(json: Any) -> Any:
    match json:
        case dict():
            return {key: _without_logical_types(value) for key, value in json.items() if key != "logicalType"}
        case list():
            return [_without_logical_types(value) for value in json]
        case _:
            return json


def _payload(entry: LedgerEntry) -> tuple[str, int, dict[str, Any]]:
    """The payload's kind, the first offset it speaks of, and its fields."""
    match entry:
        case Gap():
            first_offset = entry.runs[0].first_offset if entry.runs else 0
            runs = [
                {"first_offset": run.first_offset, "last_offset": run.last_offset, "kinds": [*map(str, run.kinds)]}
                for run in entry.runs
            ]
            fields = {"reason": entry.reason.value, "detail": entry.detail, "runs": runs, "records": entry.records}
            return "gap", first_offset, fields
        case LaneStarted():
            return (
                "lane_started",
                entry.cursor,
                {
                    "cursor": entry.cursor,
                    "cursor_origin": entry.cursor_origin.value,
                    "config_digest": entry.config_digest,
                    "projector_version": entry.projector_version,
                    "topic_id": entry.topic_id,
                },
            )
        case ExportMark():
            return (
                "export_cursor",
                entry.next_offset,
                {
                    "next_offset": entry.next_offset,
                    "export_seq": entry.export_seq,
                    "newest_event_time": entry.newest_event_time_us,
                    "exported": entry.exported,
                    "filtered": entry.filtered,
                    "dropped": [{"reason": reason.value, "records": records} for reason, records in entry.dropped],
                },
            )
        case SinkFailed():
            return (
                "sink_failed",
                entry.offset,
                {
                    "failure_kind": entry.failure_kind.value,
                    "terminal_preserved": entry.terminal_preserved,
                    "dropped_count": entry.dropped_count,
                    "offset": entry.offset,
                    "last_acknowledged_offset": entry.last_acknowledged_offset,
                    "detail": entry.detail,
                    "reminder": entry.reminder,
                },
            )
        case SinkRecovered():
            return "sink_recovered", entry.offset, {"offset": entry.offset, "failed_for_ms": entry.failed_for_ms}


def _entry(fields: Fields) -> LedgerEntry | NotALedgerEntry:
    label = fields["payload_kind"]
    read = _READERS.get(label)
    if read is None or fields["lane"] is None or fields[label] is None:
        return NotALedgerEntry("another_payload")
    if fields[label].get("offset", 0) is None:  # the form of an in-process fan-out, which knows no offsets
        return NotALedgerEntry("another_payload")
    try:
        lane = fields["lane"]
        identity = LaneIdentity(
            sink_id=lane["sink_id"],
            sink_kind=SinkKind(lane["sink_kind"]),
            start_id=lane["start_id"],
            group=lane["group"],
        )
        return read({"lane": identity, "topic": lane["topic"], "partition": lane["partition"]}, fields[label])
    except ValueError:  # an enum symbol that a newer schema has, read as `unknown`
        return NotALedgerEntry("unknown_symbol")


def _gap(place: Fields, payload: Fields) -> LedgerEntry:
    runs = tuple(
        GapRun(run["first_offset"], run["last_offset"], tuple(map(ProjectionKind, run["kinds"])))
        for run in payload["runs"]
    )
    return Gap(
        **place, reason=FailureKind(payload["reason"]), detail=payload["detail"], runs=runs, records=payload["records"]
    )


def _lane_started(place: Fields, payload: Fields) -> LedgerEntry:
    return LaneStarted(
        **place,
        cursor=payload["cursor"],
        cursor_origin=CursorOrigin(payload["cursor_origin"]),
        config_digest=payload["config_digest"],
        projector_version=payload["projector_version"],
        topic_id=payload["topic_id"],
    )


def _export_mark(place: Fields, payload: Fields) -> LedgerEntry:
    return ExportMark(
        **place,
        next_offset=payload["next_offset"],
        export_seq=payload["export_seq"],
        newest_event_time_us=payload["newest_event_time"],
        exported=payload["exported"],
        filtered=payload["filtered"],
        dropped=tuple((FailureKind(count["reason"]), count["records"]) for count in payload["dropped"]),
    )


def _sink_failed(place: Fields, payload: Fields) -> LedgerEntry:
    return SinkFailed(
        **place,
        offset=payload["offset"],
        failure_kind=FailureKind(payload["failure_kind"]),
        terminal_preserved=payload["terminal_preserved"],
        dropped_count=payload["dropped_count"],
        last_acknowledged_offset=payload["last_acknowledged_offset"],
        detail=payload["detail"],
        reminder=payload["reminder"],
    )


def _sink_recovered(place: Fields, payload: Fields) -> LedgerEntry:
    return SinkRecovered(**place, offset=payload["offset"], failed_for_ms=payload["failed_for_ms"])


_READERS = {
    "gap": _gap,
    "lane_started": _lane_started,
    "export_cursor": _export_mark,
    "sink_failed": _sink_failed,
    "sink_recovered": _sink_recovered,
}
