"""The closed vocabularies that the buffer, the projector, the ledger and the schemas share.

Every symbol is written as it stands on the wire (lower-case snake case); `unknown` is the symbol a reader meets
when a newer producer used one it does not know (docs/DESIGN.md, Schemas).
"""

from enum import StrEnum


class ProjectionKind(StrEnum):
    """What a projection says. All kinds but `PROGRESS` are terminal-preserved: overflow may not trade them away."""

    PROGRESS = "progress"
    RUN_TERMINAL = "run_terminal"
    USAGE = "usage"
    COST_ESTIMATE = "cost_estimate"
    COST_CORRECTION = "cost_correction"
    SINK_HEALTH = "sink_health"
    REPAIR_CURSOR = "repair_cursor"

    @property
    def is_terminal_preserved(self) -> bool:
        return self is not ProjectionKind.PROGRESS


class SinkKind(StrEnum):
    """Which sort of destination a sink is."""

    OPEN_TELEMETRY = "open_telemetry"
    DURABLE_TRACE = "durable_trace"
    LOCAL_DIAGNOSTIC = "local_diagnostic"
    CLI_SUMMARY = "cli_summary"
    TEST = "test"


class FailureKind(StrEnum):
    """Why a sink did not get a projection, as failure records and gaps name it."""

    OVERFLOW = "overflow"
    EXPORT_REJECTED = "export_rejected"
    SERIALIZATION = "serialization"
    SCHEMA_MISMATCH = "schema_mismatch"
    SINK_UNAVAILABLE = "sink_unavailable"
    # The two below are reasons of a worker only: the log no longer held the offsets, or nobody could read the event.
    RETENTION_LOST = "retention_lost"
    UNDECODABLE = "undecodable"


class OverflowPolicy(StrEnum):
    """What a full buffer does with a *progress* projection; what it costs is said per member.

    Terminal-preserved projections follow one rule under every policy but `REPLAY_FROM_LOG`: they push the oldest
    progress out, and are lost only when no progress is left.
    """

    DROP_NON_TERMINAL_PROGRESS = "drop_non_terminal_progress"
    """The newcomer is dropped and recorded; what is queued stays. Costs the newest progress."""

    COALESCE_PROGRESS_BY_RUN = "coalesce_progress_by_run"
    """The oldest queued progress of the same run makes way; costs intermediate progress of busy runs."""

    FAIL_SINK_NOT_RUN = "fail_sink_not_run"
    """As dropping, and the sink is marked failed until an export succeeds; the run is untouched."""

    REPLAY_FROM_LOG = "replay_from_log"
    """Nothing is dropped: the lane detaches and reads the log itself. Costs a second read. Workers only."""


class EventFamily(StrEnum):
    """Which part of an agent run an event speaks of; decides whether it may carry usage."""

    RUN = "run"
    TURN = "turn"
    MESSAGE = "message"
    MODEL = "model"
    TOOL = "tool"
    APPROVAL = "approval"
    HOOK = "hook"
    CONTEXT = "context"
    STREAM_RULE = "stream_rule"
    REALTIME = "realtime"
    ISOLATION = "isolation"
    CHILD_LIFECYCLE = "child_lifecycle"
    AGENT_POOL = "agent_pool"
    SUBAGENT = "subagent"
    EXTENSION = "extension"
    STRUCTURED_OUTPUT = "structured_output"
    OUTPUT = "output"
    OUTPUT_DELIVERY = "output_delivery"
    TELEMETRY = "telemetry"
    RECOVERY = "recovery"
    UNKNOWN = "unknown"


class TerminalStatus(StrEnum):
    """How a run, or the work a usage projection measures, ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    UNKNOWN = "unknown"


class UsageScope(StrEnum):
    """Whether usage was measured once or already contains other records' usage; a sum takes one scope, never both."""

    LEAF = "leaf"
    AGGREGATE = "aggregate"
    UNKNOWN = "unknown"


class CostStatus(StrEnum):
    """How firm an amount is. `CORRECTED` replaces an earlier record, which it names; that one is never rewritten."""

    ESTIMATED = "estimated"
    PROVIDER_REPORTED = "provider_reported"
    CORRECTED = "corrected"
    UNKNOWN = "unknown"
