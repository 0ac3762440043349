"""The projection with fastavro and dictionaries, and nothing of tailrace: the same work for every peer.

Made as cheap as this way of working gets: schemas parsed once, no logical types (which spares a datetime for every
timestamp), what the rules fix in a dictionary made once. A record leaves as bytes, so that a peer that writes it to
three topics encodes it once.
"""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.schema import fingerprint, to_parsing_canonical_form

from bench.peers.task import FIRST_EVENT, Task, say

FRAME_BYTES = 10

STATUS_BY_KIND = {
    "run_completed": "completed",
    "run_failed": "failed",
    "run_cancelled": "cancelled",
    "run_timed_out": "timed_out",
}
SCOPE_BY_FAMILY = {"model": "leaf", "run": "aggregate", "subagent": "aggregate"}
LABELS = {
    "run_terminal": "terminal",
    "usage": "usage",
    "cost_estimate": "cost",
    "cost_correction": "cost",
    "progress": "progress",
}
SUMMARIES = {
    "run_terminal": "how the run ended; holds no content",
    "usage": "what was consumed, in units; holds no prompt, tool or model content",
    "cost_estimate": "a cost as far as it is known; holds no prompt, tool or model content",
    "cost_correction": "a cost that replaces an earlier one; holds no prompt, tool or model content",
    "progress": "a step of the run; holds no content",
}

_DIFFERENT = {"schema_version", "destination", "usage", "cost", "content_capture", "content", "source"}
"""Fields of one name whose values in event and record are not the same."""


class Projection:
    """Turns an event's bytes into the bytes of its records. Single-object frames of the current schemas only."""

    def __init__(self, events_topic: str, schema_folder: Path) -> None:
        self._topic = events_topic
        self._event, self._event_frame = parsed(schema_folder / "agent_event.avsc")
        self._record, self._record_frame = parsed(schema_folder / "telemetry_record.avsc")
        named = {field["name"] for field in self._event["fields"]} - _DIFFERENT
        self._copied = [field["name"] for field in self._record["fields"] if field["name"] in named]
        self._fixed: dict[tuple[str, str | None, str | None], dict[str, Any]] = {}

    def records(self, value: bytes | None, partition: int, offset: int) -> list[bytes]:
        """One to three records. An event that cannot be read has none: a peer of this size skips it."""
        event = self._decoded(value)
        if event is None:
            return []
        shared = {name: event[name] for name in self._copied}
        shared["source_ref"] = event["source"]
        shared["source"] = {"topic": self._topic, "partition": partition, "offset": offset}
        shared["event_cursor"] = {"scope": "run", "event_id": event["event_id"], "event_seq": event["event_seq"]}
        shared["usage"] = shared["cost"] = None
        made = []
        for kind, status, scope in _planned(event):
            record = {**shared, **self._fixed_fields(kind, status, scope)}
            record["projection_id"] = f"telemetry.{LABELS[kind]}.{event['event_id']}"
            record["source_cursor"] = self._source_cursor(kind, event, partition, offset)
            if kind == "usage":
                record["usage"] = event["usage"]
            elif kind.startswith("cost"):
                record["cost"] = event["cost"]
            out = BytesIO()
            out.write(self._record_frame)
            schemaless_writer(out, self._record, record)
            made.append(out.getvalue())
        return made

    def _decoded(self, value: bytes | None) -> dict[str, Any] | None:
        if value is None or value[:FRAME_BYTES] != self._event_frame:
            return None
        source = BytesIO(value)
        source.seek(FRAME_BYTES)
        try:
            event: Any = schemaless_reader(source, self._event, None)
        except (EOFError, IndexError, UnicodeDecodeError):
            return None
        if source.tell() != len(value):
            return None
        misplaced = event["usage"] is not None and event["event_family"] not in SCOPE_BY_FAMILY
        return None if misplaced and event["event_family"] != "unknown" else event

    def _source_cursor(self, kind: str, event: dict[str, Any], partition: int, offset: int) -> dict[str, Any]:
        if event["journal_cursor"] is not None:
            return {"type": "journal", "cursor": event["journal_cursor"]}
        if kind == "usage":
            return {"type": "event", "cursor": event["event_id"], "event_seq": event["event_seq"]}
        return {"type": "archive", "cursor": f"{self._topic}/{partition}/{offset}"}

    def _fixed_fields(self, kind: str, status: str | None, scope: str | None) -> dict[str, Any]:
        fields = self._fixed.get((kind, status, scope))
        if fields is None:
            fields = self._fixed[kind, status, scope] = {
                "schema_version": 1,
                "projector_version": 1,
                "projection_kind": kind,
                "retention": "run_scoped",
                "destination": {"kind": "telemetry", "id": f"destination.telemetry.{LABELS[kind]}"},
                "terminal_status": status,
                "usage_scope": scope,
                "sink_health": None,
                "redacted_summary": SUMMARIES[kind],
                "content_capture": "off",
                "capture": None,
                "content": None,
            }
        return fields


class AnnouncedProjection(Projection):
    """A projection that says when the first event comes."""

    def __init__(self, task: Task) -> None:
        super().__init__(task.events_topic, task.schema_folder)
        self._begun = False

    def records(self, value: bytes | None, partition: int, offset: int) -> list[bytes]:
        if not self._begun:
            self._begun = True
            say(FIRST_EVENT)
        return super().records(value, partition, offset)


def _planned(event: dict[str, Any]) -> list[tuple[str, str | None, str | None]]:
    """Kind, terminal status and usage scope of each record."""
    planned: list[tuple[str, str | None, str | None]] = []
    status = STATUS_BY_KIND.get(event["event_kind"])
    if status is None and event["terminal"] and event["event_family"] == "run":
        status = "unknown"
    if status is not None:
        planned.append(("run_terminal", status, None))
    scope = SCOPE_BY_FAMILY.get(event["event_family"])
    if event["usage"] is not None and scope is not None:
        planned.append(("usage", "completed", scope))
    if event["cost"] is not None:
        corrected = event["cost"]["status"] == "corrected"
        planned.append(("cost_correction" if corrected else "cost_estimate", None, None))
    return planned or [("progress", None, None)]


def parsed(file: Path) -> tuple[Any, bytes]:
    """The schema, and the frame of what is written with it."""
    schema = json.loads(file.read_text(encoding="utf-8"))
    little_endian = bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))
    return parse_schema(_without_logical_types(schema)), b"\xc3\x01" + little_endian


def _without_logical_types(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _without_logical_types(value) for key, value in schema.items() if key != "logicalType"}
    return [_without_logical_types(one) for one in schema] if isinstance(schema, list) else schema
