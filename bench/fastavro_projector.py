"""The projection as a Python team would write it: fastavro to dictionaries, dictionaries to fastavro.

Behind the same port as tailrace's own projectors, with the same rules and, for canonically written events, the same
bytes. It is as fast as this way of working gets: the schemas are parsed once and without their logical types, which
spares it a datetime per timestamp, and what the rules fix is a dictionary made once. It is no oracle, being laxer than
tailrace about broken bytes (`tests/unit/codec/test_codec_projector_strict.py`).
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from io import BytesIO
from typing import Any

from fastavro import parse_schema, schemaless_reader, schemaless_writer

from tailrace.codec.framing import SchemaIds, single_object_frame
from tailrace.codec.record_layout import PROJECTOR_VERSION
from tailrace.codec.reference_projector import DEFAULT_MAX_EVENT_BYTES
from tailrace.codec.schemas import SchemaStore, WriterSchema
from tailrace.domain.kinds import CostStatus, EventFamily, ProjectionKind
from tailrace.domain.projected import (
    Projected,
    ProjectedRecord,
    ProjectorCounts,
    Undecodable,
    UndecodableReason,
    one_by_one,
)
from tailrace.domain.projection_rules import MisplacedUsage, PlannedProjection, plan

_NOT_COPIED = {"schema_version", "destination", "usage", "cost", "content_capture", "content", "source"}
"""What event and record call by the same name although the record's value is another, or depends on the projection."""

_SINGLE_OBJECT_FRAME_BYTES = 10
_TAIL_BYTES_AROUND_POLICY_ID = 3  # content_capture, capture and content take one each when there is no content


class FastavroProjector:
    """As `tailrace.codec.reference_projector.ReferenceProjector`, by fastavro; single-object frames only."""

    def __init__(
        self,
        events_topic: str,
        schemas: SchemaStore,
        *,
        ids: SchemaIds | None = None,  # noqa: ARG002 - the port's constructor; no bench has a registry
        max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES,
    ) -> None:
        self._topic = events_topic
        self._max_event_bytes = max_event_bytes
        self._event = _parsed(schemas.agent_event)
        self._record = _parsed(schemas.telemetry_record)
        self._frame = single_object_frame(schemas.telemetry_record)
        self._writers = {
            single_object_frame(schema): None if schema == schemas.agent_event else _parsed(schema)
            for schema in schemas.known.values()
            if isinstance(schema, WriterSchema)
        }
        named = {field["name"] for field in self._event["fields"]} - _NOT_COPIED
        self._copied = [field["name"] for field in self._record["fields"] if field["name"] in named]
        self._fixed: dict[PlannedProjection, dict[str, object]] = {}
        self._usage_ignored = 0

    @property
    def usage_ignored(self) -> int:
        return self._usage_ignored

    def counts(self) -> ProjectorCounts:
        return ProjectorCounts(usage_ignored=self._usage_ignored)

    def project_all(
        self, partition: int, offsets: Sequence[int], keys: Sequence[bytes | None], values: Sequence[bytes | None]
    ) -> Sequence[Projected]:
        return one_by_one(self.project, partition, offsets, keys, values)

    def project(self, partition: int, offset: int, key: bytes | None, value: bytes | None) -> Projected:
        reason = UndecodableReason.MALFORMED
        try:
            if value is None:
                reason = UndecodableReason.NULL_VALUE
            elif len(value) > self._max_event_bytes:
                reason = UndecodableReason.OVERSIZE
            elif value[:_SINGLE_OBJECT_FRAME_BYTES] not in self._writers:
                reason = UndecodableReason.UNKNOWN_SCHEMA
            else:
                event = self._decode(value)
                if not isinstance(event, UndecodableReason):
                    return self._records(event, partition, offset)
                reason = event
        except (EOFError, IndexError):
            reason = UndecodableReason.TRUNCATED
        except (ValueError, LookupError, TypeError):
            pass
        digest = sha256(value or b"").hexdigest()
        field = "usage" if reason is UndecodableReason.MISPLACED_USAGE else ""
        return Undecodable(partition, offset, reason, field, digest, key, value)

    def _decode(self, value: bytes) -> dict[str, Any] | UndecodableReason:
        source = BytesIO(value)
        source.seek(_SINGLE_OBJECT_FRAME_BYTES)
        writer = self._writers[value[:_SINGLE_OBJECT_FRAME_BYTES]]
        if writer is None:
            event: dict[str, Any] = schemaless_reader(source, self._event)  # type: ignore[assignment]
        else:
            event = schemaless_reader(source, writer, self._event)  # type: ignore[assignment]
        if source.tell() != len(value):
            return UndecodableReason.TRAILING_BYTES
        if event["usage"] is not None and event["event_family"] not in {"model", "run", "subagent", "unknown"}:
            return UndecodableReason.MISPLACED_USAGE
        return event

    def _records(self, event: dict[str, Any], partition: int, offset: int) -> tuple[ProjectedRecord, ...]:
        cost = event["cost"]
        outcome = plan(
            EventFamily(event["event_family"]),
            event["event_kind"],
            terminal=event["terminal"],
            has_usage=event["usage"] is not None,
            cost_status=None if cost is None else CostStatus(cost["status"]),
        )
        assert not isinstance(outcome, MisplacedUsage)
        self._usage_ignored += outcome.usage_ignored
        shared = {name: event[name] for name in self._copied}
        shared["source_ref"] = event["source"]
        shared["source"] = {"topic": self._topic, "partition": partition, "offset": offset}
        shared["event_cursor"] = {"scope": "run", "event_id": event["event_id"], "event_seq": event["event_seq"]}
        key = event["run_id"].encode()
        tail_bytes = _TAIL_BYTES_AROUND_POLICY_ID + _text_bytes(event["redaction_policy_id"])
        made = []
        for projection in outcome.projections:
            record = {
                **shared,
                **self._fixed_fields(projection),
                "projection_id": projection.projection_id(event["event_id"]),
                "source_cursor": self._source_cursor(projection, event, partition, offset),
                "usage": event["usage"] if projection.carries_usage else None,
                "cost": cost if projection.carries_cost else None,
            }
            out = BytesIO()
            out.write(self._frame)
            schemaless_writer(out, self._record, record)
            value = out.getvalue()
            made.append(
                ProjectedRecord(
                    partition,
                    offset,
                    projection.kind,
                    projection.kind.is_terminal_preserved,
                    event["run_id"],
                    event["event_family"],
                    event["agent_id"],
                    key,
                    value,
                    len(value) - tail_bytes,
                    len(key) + len(value),
                )
            )
        return tuple(made)

    def _source_cursor(
        self, projection: PlannedProjection, event: Mapping[str, Any], partition: int, offset: int
    ) -> dict[str, object]:
        if event["journal_cursor"] is not None:
            return {"type": "journal", "cursor": event["journal_cursor"]}
        if projection.kind is ProjectionKind.USAGE:
            return {"type": "event", "cursor": event["event_id"], "event_seq": event["event_seq"]}
        return {"type": "archive", "cursor": f"{self._topic}/{partition}/{offset}"}

    def _fixed_fields(self, projection: PlannedProjection) -> dict[str, object]:
        fields = self._fixed.get(projection)
        if fields is None:
            fields = self._fixed[projection] = {
                "schema_version": 1,
                "projector_version": PROJECTOR_VERSION,
                "projection_kind": projection.kind.value,
                "retention": "run_scoped",
                "destination": {"kind": "telemetry", "id": projection.destination_id},
                "terminal_status": projection.terminal_status and projection.terminal_status.value,
                "usage_scope": projection.usage_scope and projection.usage_scope.value,
                "sink_health": None,
                "redacted_summary": projection.summary,
                "content_capture": "off",
                "capture": None,
                "content": None,
            }
        return fields


def _parsed(schema: WriterSchema) -> Any:
    return parse_schema(_without_logical_types(schema.json))


def _without_logical_types(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _without_logical_types(value) for key, value in schema.items() if key != "logicalType"}
    return [_without_logical_types(one) for one in schema] if isinstance(schema, list) else schema


def _text_bytes(text: str) -> int:
    size = len(text.encode())
    return size + (((size << 1).bit_length() + 6) // 7 or 1)
