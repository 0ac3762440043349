"""References to things an event speaks of: who caused it, where it goes, whom it concerns, which policy applies.

A reference names a thing and never holds it; following one is somebody else's decision. `as_str` of the agent SDK is
plainly `id` here. Defaults are those of the SDK: content refs only, host provided, host policy.
"""

from dataclasses import dataclass
from enum import StrEnum

from tailrace.domain.fields import Checked, Identifier
from tailrace.domain.privacy import PrivacyClass, RetentionClass, TrustClass


class EntityKind(StrEnum):
    RUN = "run"
    TURN = "turn"
    ATTEMPT = "attempt"
    AGENT = "agent"
    AGENT_POOL = "agent_pool"
    TOPIC = "topic"
    EVENT = "event"
    MESSAGE = "message"
    WAKE_CONDITION = "wake_condition"
    CONTEXT_CONTRIBUTION = "context_contribution"
    CONTEXT_ITEM = "context_item"
    CONTEXT_PROJECTION = "context_projection"
    CONTENT = "content"
    ARTIFACT = "artifact"
    CAPABILITY = "capability"
    PACKAGE_SIDECAR = "package_sidecar"
    RUNTIME_PACKAGE = "runtime_package"
    POLICY_DECISION = "policy_decision"
    EFFECT = "effect"
    EFFECT_INTENT = "effect_intent"
    EFFECT_RESULT = "effect_result"
    TOOL_CALL = "tool_call"
    APPROVAL_REQUEST = "approval_request"
    STREAM_RULE = "stream_rule"
    REALTIME_SESSION = "realtime_session"
    HOOK = "hook"
    EXECUTION_ENVIRONMENT = "execution_environment"
    CHILD_ARTIFACT = "child_artifact"
    SUBAGENT_RUN = "subagent_run"
    EXTENSION_ACTION = "extension_action"
    OUTPUT_DELIVERY = "output_delivery"


class SourceKind(StrEnum):
    SDK = "sdk"
    HOST = "host"
    USER = "user"
    SYSTEM = "system"
    DEVELOPER = "developer"
    MEMORY = "memory"
    COMPACTION = "compaction"
    HOOK = "hook"
    EXTENSION = "extension"
    TOOL = "tool"
    REMOTE_CHANNEL = "remote_channel"
    SCHEDULED_TASK = "scheduled_task"
    SUBAGENT = "subagent"
    EXTERNAL_RUNTIME = "external_runtime"
    REPLAY = "replay"


class DestinationKind(StrEnum):
    AGENT = "agent"
    AGENT_POOL = "agent_pool"
    TOPIC = "topic"
    PROVIDER = "provider"
    CONTEXT_PROJECTION = "context_projection"
    JOURNAL = "journal"
    EVENT_STREAM = "event_stream"
    TELEMETRY = "telemetry"
    OUTPUT_SINK = "output_sink"
    HOST = "host"
    USER = "user"
    REMOTE_CHANNEL = "remote_channel"
    TOOL = "tool"
    EXTENSION = "extension"
    SUBAGENT = "subagent"
    EXTERNAL_RUNTIME = "external_runtime"


class PolicyKind(StrEnum):
    APPROVAL = "approval"
    PERMISSION = "permission"
    SANDBOX = "sandbox"
    CONTEXT = "context"
    PRIVACY = "privacy"
    RETENTION = "retention"
    REDACTION = "redaction"
    RUNTIME_PACKAGE = "runtime_package"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class CorrelationEntry(Checked):
    """One key and value that ties an event to something outside, such as a thread of a remote channel."""

    key: Identifier
    value: Identifier


@dataclass(frozen=True, slots=True)
class SourceRef(Checked):
    """Who caused a fact."""

    kind: SourceKind
    id: Identifier
    trust: TrustClass = TrustClass.HOST_PROVIDED
    privacy: PrivacyClass = PrivacyClass.CONTENT_REFS_ONLY
    correlation: tuple[CorrelationEntry, ...] = ()
    redacted_summary: str | None = None


@dataclass(frozen=True, slots=True)
class DestinationRef(Checked):
    """Where a fact is meant to go."""

    kind: DestinationKind
    id: Identifier
    privacy: PrivacyClass = PrivacyClass.CONTENT_REFS_ONLY
    retention: RetentionClass = RetentionClass.HOST_POLICY
    correlation: tuple[CorrelationEntry, ...] = ()
    redacted_summary: str | None = None


@dataclass(frozen=True, slots=True)
class EntityRef(Checked):
    """What a fact is about."""

    kind: EntityKind
    id: Identifier
    source: SourceRef | None = None
    privacy: PrivacyClass = PrivacyClass.CONTENT_REFS_ONLY
    redacted_summary: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyRef(Checked):
    """A policy in force when the fact was made; resolving it is not telemetry's business."""

    kind: PolicyKind
    id: Identifier
    version: str | None = None
