"""tailrace: every agent event is exported or accounted for, per sink.

What an agent process embeds stands here: events, projections and records as values, the rules between them, and the
synchronous fan-out. The worker that carries events from Kafka is started with the command `tailrace`.
"""

from tailrace.domain.authority import AUTHORITY, AuthorityBoundary
from tailrace.domain.buffer import BufferLimits, SinkBuffer
from tailrace.domain.cursors import (
    AgentScope,
    AllEvents,
    ArchiveCursor,
    CostCursor,
    EventCursor,
    ExportCursor,
    FilterScope,
    JournalCursor,
    RunScope,
    UsageCursor,
)
from tailrace.domain.derivation import (
    cost_record,
    projections_from_event,
    sink_health_projection,
    terminal_from_event,
    usage_from_event,
    usage_record,
)
from tailrace.domain.errors import (
    ConfigurationNeeded,
    ContractBroken,
    IllegalSignal,
    InvalidField,
    InvalidJson,
    MissingField,
    RetryClassification,
    TailraceError,
    TelemetryFailure,
)
from tailrace.domain.events import AgentEvent, CausalRef, CostUnits, EventFacts, UsageUnits
from tailrace.domain.fanout import TelemetryFanout
from tailrace.domain.fanout_config import DrainReport, FanoutConfig, FanoutReport, SinkIsolation
from tailrace.domain.json_form import from_json, from_jsonable, to_json, to_jsonable
from tailrace.domain.kinds import (
    CostStatus,
    EventFamily,
    FailureKind,
    OverflowPolicy,
    ProjectionKind,
    SinkKind,
    TerminalStatus,
    UsageScope,
)
from tailrace.domain.privacy import ContentCaptureMode, DeliverySemantics, PrivacyClass, RetentionClass, TrustClass
from tailrace.domain.projections import Projection, SinkHealth, SinkHealthState, SourceRecord
from tailrace.domain.records import (
    CostRecord,
    ExportCursorRecord,
    SinkFailureRecord,
    SinkRecoveryRecord,
    TelemetryRecord,
    UsageRecord,
)
from tailrace.domain.refs import (
    CorrelationEntry,
    DestinationKind,
    DestinationRef,
    EntityKind,
    EntityRef,
    PolicyKind,
    PolicyRef,
    SourceKind,
    SourceRef,
)
from tailrace.domain.sink_state import SinkState
from tailrace.domain.sinks import Acknowledgement, Sink, SinkError, SinkSpec

__all__ = [
    "AUTHORITY",
    "Acknowledgement",
    "AgentEvent",
    "AgentScope",
    "AllEvents",
    "ArchiveCursor",
    "AuthorityBoundary",
    "BufferLimits",
    "CausalRef",
    "ConfigurationNeeded",
    "ContentCaptureMode",
    "ContractBroken",
    "CorrelationEntry",
    "CostCursor",
    "CostRecord",
    "CostStatus",
    "CostUnits",
    "DeliverySemantics",
    "DestinationKind",
    "DestinationRef",
    "DrainReport",
    "EntityKind",
    "EntityRef",
    "EventCursor",
    "EventFacts",
    "EventFamily",
    "ExportCursor",
    "ExportCursorRecord",
    "FailureKind",
    "FanoutConfig",
    "FanoutReport",
    "FilterScope",
    "IllegalSignal",
    "InvalidField",
    "InvalidJson",
    "JournalCursor",
    "MissingField",
    "OverflowPolicy",
    "PolicyKind",
    "PolicyRef",
    "PrivacyClass",
    "Projection",
    "ProjectionKind",
    "RetentionClass",
    "RetryClassification",
    "RunScope",
    "Sink",
    "SinkBuffer",
    "SinkError",
    "SinkFailureRecord",
    "SinkHealth",
    "SinkHealthState",
    "SinkIsolation",
    "SinkKind",
    "SinkRecoveryRecord",
    "SinkSpec",
    "SinkState",
    "SourceKind",
    "SourceRecord",
    "SourceRef",
    "TailraceError",
    "TelemetryFailure",
    "TelemetryFanout",
    "TelemetryRecord",
    "TerminalStatus",
    "TrustClass",
    "UsageCursor",
    "UsageRecord",
    "UsageScope",
    "UsageUnits",
    "cost_record",
    "from_json",
    "from_jsonable",
    "projections_from_event",
    "sink_health_projection",
    "terminal_from_event",
    "to_json",
    "to_jsonable",
    "usage_from_event",
    "usage_record",
]
