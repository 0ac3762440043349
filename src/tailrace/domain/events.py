"""The agent event as a value, for use inside an agent process.

A worker never builds it: there the bytes of the event go straight to the bytes of its telemetry records
(docs/DESIGN.md, Speed). Both take the same facts to the same rules.
"""

from dataclasses import dataclass

from tailrace.domain.cursors import EventCursor, EventStreamScope, JournalCursor
from tailrace.domain.fields import Checked, Count, Identifier, Version
from tailrace.domain.kinds import CostStatus, EventFamily
from tailrace.domain.privacy import ContentCaptureMode, DeliverySemantics, PrivacyClass
from tailrace.domain.refs import CorrelationEntry, DestinationRef, EntityRef, PolicyRef, SourceRef

EVENT_SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageUnits(Checked):
    """What was consumed. None means not measured, which is not zero.

    `input_tokens` includes the cached ones and `output_tokens` the reasoning ones, so the parts never add to the whole.
    """

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    total_tokens: Count | None = None
    cache_read_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    reasoning_tokens: Count | None = None
    bytes: Count | None = None
    media_duration_ms: Count | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CostUnits(Checked):
    """An amount of money, how it was reckoned and how firm it is."""

    amount_micros: Count  # millionths of the currency unit
    currency: str
    rate_table_version: str
    estimate_status: CostStatus
    corrects: str | None = None  # id of the cost record this one replaces; only with status corrected


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFacts(Checked):
    """What the event measured, none of it content; every part may be missing."""

    provider_id: str | None = None
    provider_name: str | None = None
    model_id: str | None = None
    response_model: str | None = None
    tool_name: str | None = None
    usage: UsageUnits | None = None
    cost: CostUnits | None = None
    started_at_us: int | None = None  # microseconds since 1970-01-01T00:00:00Z
    finish_reason: str | None = None
    error_type: str | None = None


@dataclass(frozen=True, slots=True)
class CausalRef(Checked):
    """Why an event happened."""

    subject_ref: EntityRef
    event_id: Identifier | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentEvent(Checked):
    """One thing that happened in an agent run. Times are microseconds since 1970-01-01T00:00:00Z.

    `event_kind` is an open set, such as `run_completed` or `model_stream_delta`: a kind this version has never heard
    of flows like any other. `terminal` is the producer's word that the thing the event speaks of has ended.
    """

    schema_version: Version = EVENT_SCHEMA_VERSION
    event_id: Identifier
    event_seq: Count
    event_family: EventFamily
    event_kind: str
    terminal: bool = False
    payload_schema_version: Version = 1
    timestamp_us: int
    recorded_at_us: int
    run_id: Identifier
    session_id: Identifier | None = None
    agent_id: Identifier
    turn_id: Identifier | None = None
    attempt_id: Identifier | None = None
    message_id: Identifier | None = None
    context_item_id: Identifier | None = None
    trace_id: Identifier
    span_id: Identifier
    parent_event_id: Identifier | None = None
    parent_span_id: Identifier | None = None
    subject_ref: EntityRef
    related_refs: tuple[EntityRef, ...] = ()
    causal_refs: tuple[CausalRef, ...] = ()
    correlation: tuple[CorrelationEntry, ...] = ()
    tags: tuple[str, ...] = ()
    source: SourceRef
    destination: DestinationRef | None = None
    policy_refs: tuple[PolicyRef, ...] = ()
    journal_cursor: JournalCursor | None = None
    delivery_semantics: DeliverySemantics = DeliverySemantics.BEST_EFFORT_LIVE
    privacy: PrivacyClass
    content_capture: ContentCaptureMode = ContentCaptureMode.OFF
    redaction_policy_id: str
    runtime_package_fingerprint: str
    facts: EventFacts = EventFacts()

    def cursor(self, scope: EventStreamScope) -> EventCursor:
        """Where this event stands in the stream of `scope`."""
        return EventCursor(
            scope=scope, event_seq=self.event_seq, event_id=self.event_id, journal_cursor=self.journal_cursor
        )
