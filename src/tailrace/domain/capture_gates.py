"""Whether raw content may travel: seven gates, and all of them have to be open.

    gate             open when
    ---------------  ---------------------------------------------------------------------------
    policy_mode      the policy's mode is raw content
    policy_complete  the policy leaves nothing out: see `ContentCapturePolicy.allows_raw_content`
    source           whoever holds the content permits it
    sink             the sink's own mode is raw content
    retention        the content may still be kept
    sample           the run is in the sample
    byte_limit       there is something to send, and not more than the policy's limit

*Raw* names a mode without a gate behind it. It never means unredacted: redaction comes before, and whoever asks here
has only redacted bytes to count. Source: docs/PRIVACY.md, The capture decision.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from tailrace.domain.fields import Checked, Count
from tailrace.domain.json_form import ALWAYS_WRITTEN
from tailrace.domain.privacy import ContentCaptureMode
from tailrace.domain.refs import PolicyRef
from tailrace.domain.sinks import SinkSpec

NOT_RAW: Final = "no raw content was asked for"
RAW_ALLOWED: Final = "every gate for raw content is open"
RAW_DENIED: Final = "a gate for raw content is closed"


class CaptureGate(StrEnum):
    """What can keep raw content back, in the order in which decisions name it."""

    POLICY_MODE = "policy_mode"
    POLICY_COMPLETE = "policy_complete"
    SOURCE = "source"
    SINK = "sink"
    RETENTION = "retention"
    SAMPLE = "sample"
    BYTE_LIMIT = "byte_limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentCapturePolicy(Checked):
    """A rule about content; made without further words it lets nothing through.

    The three `…_required` flags are demands the policy makes: raw content under a policy that does not even demand
    redaction, retention and sampling is refused.
    """

    policy_ref: PolicyRef
    mode: ContentCaptureMode = ContentCaptureMode.OFF
    source_permits_content: bool = False
    sink_permits_content: bool = False
    redaction_required: bool = True
    retention_required: bool = True
    sampling_required: bool = True
    byte_limit: Count = 0  # bytes of one event's redacted content

    @classmethod
    def safe_defaults(cls, policy_ref: PolicyRef) -> "ContentCapturePolicy":
        """Off, with every demand made and every permission withheld."""
        return cls(policy_ref=policy_ref)

    @property
    def allows_raw_content(self) -> bool:
        """Whether the policy is complete: raw mode, both permissions, all three demands, and a limit above zero."""
        return (
            self.mode.captures_raw_content
            and self.source_permits_content
            and self.sink_permits_content
            and self.redaction_required
            and self.retention_required
            and self.sampling_required
            and self.byte_limit > 0
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentCaptureRequest(Checked):
    """The question: may this much content go to this sink in this mode, as things stand now."""

    policy: ContentCapturePolicy
    sink: SinkSpec
    requested_mode: ContentCaptureMode
    source_permits_content: bool
    retention_active: bool
    deterministic_sample_included: bool
    requested_bytes: Count
    redaction_policy_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentCaptureDecision(Checked):
    """The answer. `allowed` says whether what was asked for is granted, `effective_mode` what is granted.

    `reason` is a constant sentence. `closed_gates` names, in the order of `CaptureGate`, every gate that raw content
    would have met closed, whatever was asked for: empty exactly when raw content could have been granted.
    """

    allowed: bool
    requested_mode: ContentCaptureMode
    effective_mode: ContentCaptureMode
    reason: str
    redaction_policy_id: str
    policy_refs: tuple[PolicyRef, ...] = field(default=(), metadata=ALWAYS_WRITTEN)
    closed_gates: tuple[CaptureGate, ...] = ()


_OPENS: Final[tuple[tuple[CaptureGate, Callable[[ContentCaptureRequest], bool]], ...]] = (
    (CaptureGate.POLICY_MODE, lambda request: request.policy.mode.captures_raw_content),
    (CaptureGate.POLICY_COMPLETE, lambda request: request.policy.allows_raw_content),
    (CaptureGate.SOURCE, lambda request: request.source_permits_content),
    (CaptureGate.SINK, lambda request: request.sink.content_capture.captures_raw_content),
    (CaptureGate.RETENTION, lambda request: request.retention_active),
    (CaptureGate.SAMPLE, lambda request: request.deterministic_sample_included),
    (CaptureGate.BYTE_LIMIT, lambda request: 0 < request.requested_bytes <= request.policy.byte_limit),
)


def closed_gates(request: ContentCaptureRequest) -> tuple[CaptureGate, ...]:
    """The gates that keep raw content back, in the order of `CaptureGate`. Pure; any thread."""
    return tuple(gate for gate, is_open in _OPENS if not is_open(request))


def evaluate_content_capture(request: ContentCaptureRequest) -> ContentCaptureDecision:
    """Raw content if all seven gates are open, else the redacted summary; any other mode as it was asked for.

    This is the gates' answer alone, for an agent process that asks it about its own content. It grants a mode without
    raw content even where the policy or the sink is narrower: comparing those is `decide_capture`'s part. Pure; any
    thread. Source: docs/PRIVACY.md, The capture decision.
    """
    closed = closed_gates(request)
    if not request.requested_mode.captures_raw_content:
        allowed, effective, reason = True, request.requested_mode, NOT_RAW
    elif not closed:
        allowed, effective, reason = True, ContentCaptureMode.RAW_CONTENT, RAW_ALLOWED
    else:
        allowed, effective, reason = False, ContentCaptureMode.REDACTED_SUMMARY, RAW_DENIED
    return ContentCaptureDecision(
        allowed=allowed,
        requested_mode=request.requested_mode,
        effective_mode=effective,
        reason=reason,
        redaction_policy_id=request.redaction_policy_id,
        policy_refs=(request.policy.policy_ref,),
        closed_gates=closed,
    )
