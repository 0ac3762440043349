"""The persisted telemetry record: what an agent process writes down about usage, cost, and the fate of its sinks."""

from dataclasses import dataclass, field
from typing import Annotated

from tailrace.domain.cursors import ExportCursor, SourceCursor
from tailrace.domain.events import CostUnits, UsageUnits
from tailrace.domain.fields import Checked, Count, Identifier, Version
from tailrace.domain.json_form import ALWAYS_WRITTEN, Tagged
from tailrace.domain.kinds import FailureKind, SinkKind
from tailrace.domain.privacy import ContentCaptureMode, PrivacyClass, RetentionClass
from tailrace.domain.projections import TELEMETRY_SCHEMA_VERSION, Projection
from tailrace.domain.refs import PolicyRef


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRecord(Checked):
    """Units consumed, under an id of the caller's accounts."""

    usage_record_id: str
    units: UsageUnits
    provider_id: str | None = None
    model_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRecord(Checked):
    """An amount, under an id of the caller's accounts; `correction_ref` is the cost record that this one replaces."""

    cost_record_id: str
    units: CostUnits
    correction_ref: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkFailureRecord(Checked):
    """One projection did not reach one sink, or made room at another's expense.

    `terminal_preserved` is False only when the projection was terminal-preserved and is lost, or when progress could
    not be exported. `dropped_count` is cumulative over the sink's life. `repair_cursor` is where to read the source
    again. `unsafe_pending_reason` is filled when the sink cannot tell a replayed projection from a new one.
    """

    sink_id: str
    sink_kind: SinkKind
    failure_kind: FailureKind
    terminal_preserved: bool
    dropped_count: Count
    last_acknowledged_cursor: ExportCursor | None = field(default=None, metadata=ALWAYS_WRITTEN)
    repair_cursor: SourceCursor | None = field(default=None, metadata=ALWAYS_WRITTEN)
    unsafe_pending_reason: str | None = field(default=None, metadata=ALWAYS_WRITTEN)
    redacted_summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkRecoveryRecord(Checked):
    """The first export after a failure was acknowledged."""

    sink_id: str
    sink_kind: SinkKind
    export_cursor: ExportCursor
    redacted_summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportCursorRecord(Checked):
    """How far a sink had got."""

    cursor: ExportCursor


RecordPayload = Annotated[
    UsageRecord | CostRecord | SinkFailureRecord | SinkRecoveryRecord | ExportCursorRecord,
    Tagged(
        "type",
        "record",
        {
            "usage": UsageRecord,
            "cost": CostRecord,
            "sink_failed": SinkFailureRecord,
            "sink_recovered": SinkRecoveryRecord,
            "export_cursor": ExportCursorRecord,
        },
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryRecord(Checked):
    """A payload with the lineage and the policies of the projection it speaks of."""

    schema_version: Version = TELEMETRY_SCHEMA_VERSION
    record_id: str
    run_id: Identifier
    agent_id: Identifier
    source_cursor: SourceCursor | None = None
    runtime_package_fingerprint: str
    privacy: PrivacyClass
    retention: RetentionClass
    content_capture: ContentCaptureMode
    redaction_policy_id: str
    policy_refs: tuple[PolicyRef, ...] = ()
    payload: RecordPayload


def record_about(projection: Projection, record_id: str, payload: RecordPayload) -> TelemetryRecord:
    """The record that says `payload` about `projection`, under the projection's own lineage and policies."""
    return TelemetryRecord(
        record_id=record_id,
        run_id=projection.run_id,
        agent_id=projection.agent_id,
        source_cursor=projection.source_record.source_cursor,
        runtime_package_fingerprint=projection.runtime_package_fingerprint,
        privacy=projection.privacy,
        retention=projection.retention,
        content_capture=projection.content_capture,
        redaction_policy_id=projection.redaction_policy_id,
        policy_refs=projection.policy_refs,
        payload=payload,
    )
