"""One derived telemetry fact of one event, as a value."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from tailrace.domain.cursors import EventCursor, ExportCursor, JournalCursor, SourceCursor
from tailrace.domain.events import CostUnits, UsageUnits
from tailrace.domain.fields import Checked, Count, Identifier, Version
from tailrace.domain.json_form import ALWAYS_WRITTEN
from tailrace.domain.kinds import EventFamily, FailureKind, ProjectionKind, SinkKind, TerminalStatus, UsageScope
from tailrace.domain.privacy import ContentCaptureMode, PrivacyClass, RetentionClass
from tailrace.domain.refs import DestinationRef, EntityRef, PolicyRef, SourceRef

TELEMETRY_SCHEMA_VERSION = 1


class SinkHealthState(StrEnum):
    """What a sink health projection reports; the finer states of a worker's lane are in `sink_state`."""

    HEALTHY = "healthy"
    FAILED = "failed"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkHealth(Checked):
    """How one sink is doing. `dropped_count` is cumulative since the sink was registered."""

    sink_id: str
    sink_kind: SinkKind
    state: SinkHealthState
    failure_kind: FailureKind | None = field(default=None, metadata=ALWAYS_WRITTEN)
    terminal_preserved: bool
    dropped_count: Count
    export_cursor: ExportCursor | None = None
    unsafe_pending_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecord(Checked):
    """The event a projection was derived from."""

    event_family: EventFamily
    event_kind: str
    event_cursor: EventCursor | None = None
    source_cursor: SourceCursor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection(Checked):
    """One telemetry fact, ready for a sink.

    Of usage and cost it holds at most its own amount. `raw_content` reaches a sink only if both the sink and the
    projection grant raw content; the fan-out takes it away otherwise.
    """

    schema_version: Version = TELEMETRY_SCHEMA_VERSION
    projection_id: str
    projection_kind: ProjectionKind
    source_record: SourceRecord
    run_id: Identifier
    agent_id: Identifier
    turn_id: Identifier | None = None
    attempt_id: Identifier | None = None
    event_id: Identifier | None = None
    journal_cursor: JournalCursor | None = None
    trace_id: Identifier | None = None
    span_id: Identifier | None = None
    runtime_package_fingerprint: str
    source: SourceRef
    destination: DestinationRef | None = None
    subject_ref: EntityRef
    policy_refs: tuple[PolicyRef, ...] = ()
    privacy: PrivacyClass
    retention: RetentionClass
    content_capture: ContentCaptureMode = ContentCaptureMode.OFF
    redaction_policy_id: str
    provider_id: str | None = None
    model_id: str | None = None
    tool_name: str | None = None
    usage: UsageUnits | None = None
    usage_scope: UsageScope | None = None
    cost: CostUnits | None = None
    terminal_status: TerminalStatus | None = None
    sink_health: SinkHealth | None = None
    redacted_summary: str
    raw_content: str | None = field(default=None, repr=False)  # content must not reach a log through a repr

    @property
    def terminal_preserved(self) -> bool:
        """Whether overflow may not trade this projection for progress."""
        return self.projection_kind.is_terminal_preserved

    @property
    def run_key(self) -> str:
        """What coalescing groups progress by."""
        return self.run_id

    @property
    def size_bytes(self) -> int:
        """0: a value inside a process is not encoded, and its buffer is bounded by records alone."""
        return 0

    def without_raw_content(self) -> "Projection":
        """The same projection with nothing raw in it; a raw capture mode becomes `redacted_summary`."""
        if self.raw_content is None and not self.content_capture.captures_raw_content:
            return self
        mode = self.content_capture
        return replace(
            self,
            raw_content=None,
            content_capture=ContentCaptureMode.REDACTED_SUMMARY if mode.captures_raw_content else mode,
        )
