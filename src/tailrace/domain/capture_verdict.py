"""What one sink may have of one event's content: policies, gates, retention, sample and size brought together.

Asked twice for an event with content. Before anything is parsed, with one byte: if no sink would get even that, nobody
looks at the content. Then with the bytes that redaction left. A record that waits in a buffer takes its verdict along;
`CaptureVerdict.still_open` says at export whether it holds (docs/PRIVACY.md, The way of a prompt).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tailrace.domain.capture_gates import (
    NOT_RAW,
    RAW_ALLOWED,
    CaptureGate,
    ContentCaptureDecision,
    ContentCapturePolicy,
    ContentCaptureRequest,
    evaluate_content_capture,
)
from tailrace.domain.capture_policy import Axis, ContentSource, MatchedCaps, SinkContentPolicy, matched_caps
from tailrace.domain.privacy import ContentCaptureMode, narrowest
from tailrace.domain.retention import is_open
from tailrace.domain.sampling import SampleOutcome
from tailrace.domain.sinks import SinkSpec

NARROWED: Final = "the event or a policy is narrower than what the sink was to get"
CLOSED: Final = "retention, sample, size or policy keeps content back"

# What a reference needs as much as raw content does: text kept elsewhere is kept all the same.
_GATES_OF_CONTENT: Final = frozenset((CaptureGate.RETENTION, CaptureGate.SAMPLE, CaptureGate.BYTE_LIMIT))


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureVerdict:
    """The decision for one sink and event, and what it rests on.

    `decision.requested_mode` is what the sink was to get, `decision.effective_mode` what it gets. Where the event's own
    mode or a cap is narrower than what the sink was to get, `narrowed_by` names the narrowest of them, all if several
    are equally narrow. Parts above `part_limit_bytes` are left out. `closes_at_us` is when the retention window closes,
    None without a window.
    """

    decision: ContentCaptureDecision
    sample: SampleOutcome
    narrowed_by: tuple[Axis, ...]
    part_limit_bytes: int
    event_time_us: int
    closes_at_us: int | None

    @property
    def carries_content(self) -> bool:
        """Whether the sink may get texts, or references to them."""
        return self.decision.effective_mode.carries_content

    def still_open(self, now_us: int) -> bool:
        """Whether content granted before may still leave at `now_us`, microseconds since 1970-01-01T00:00:00Z."""
        return self.carries_content and is_open(self.closes_at_us, self.event_time_us, now_us)


def decide_capture(
    source: ContentSource, sink: SinkSpec, policy: SinkContentPolicy, *, now_us: int, requested_bytes: int
) -> CaptureVerdict:
    """What `sink` may have of an event's content at `now_us`.

    The effective mode is never wider than the narrowest of the event's own mode, the sink's and every cap that
    matches. Raw content needs all seven gates on top of that; references need the gates of retention, sample and size,
    and a complete policy; what fails falls back to the redacted summary or less. `requested_bytes` counts the redacted
    parts within the part limit. Pure; any thread. Source: docs/PRIVACY.md, The capture decision.
    """
    matched = matched_caps(policy, source)
    modes = {Axis.EVENT: source.permitted_mode, **matched.modes}
    widest = narrowest(sink.content_capture, *modes.values())
    sample = policy.sampling.outcome(source.run_id)
    closes_at_us = policy.retention.closes_at_us(source.retention, source.event_time_us)
    gated = evaluate_content_capture(
        ContentCaptureRequest(
            policy=_as_gates_see_it(policy, matched, source, sink, has_window=closes_at_us is not None),
            sink=sink,
            requested_mode=widest,
            source_permits_content=source.permitted_mode.captures_raw_content,
            retention_active=is_open(closes_at_us, source.event_time_us, now_us),
            deterministic_sample_included=sample.included,
            requested_bytes=requested_bytes,
            redaction_policy_id=policy.redaction_policy_id,
        )
    )
    effective = gated.effective_mode
    if effective.carries_content and (_GATES_OF_CONTENT & set(gated.closed_gates) or not policy.redaction_policy_id):
        effective = ContentCaptureMode.REDACTED_SUMMARY
    decision = ContentCaptureDecision(
        allowed=effective is sink.content_capture,
        requested_mode=sink.content_capture,
        effective_mode=effective,
        reason=_reason(sink.content_capture, widest, effective),
        redaction_policy_id=policy.redaction_policy_id,
        policy_refs=matched.policy_refs,
        closed_gates=gated.closed_gates,
    )
    return CaptureVerdict(
        decision=decision,
        sample=sample,
        narrowed_by=_narrowest_axes(modes, widest) if widest is not sink.content_capture else (),
        part_limit_bytes=matched.cap.part_limit_bytes,
        event_time_us=source.event_time_us,
        closes_at_us=closes_at_us,
    )


def may_get_content(source: ContentSource, sink: SinkSpec, policy: SinkContentPolicy, *, now_us: int) -> bool:
    """Whether the sink could get content of this event if the content were small: if not, nobody need parse it."""
    return decide_capture(source, sink, policy, now_us=now_us, requested_bytes=1).carries_content


def _as_gates_see_it(
    policy: SinkContentPolicy, matched: MatchedCaps, source: ContentSource, sink: SinkSpec, *, has_window: bool
) -> ContentCapturePolicy:
    """All caps that match as one policy; complete only if redaction, retention and sample are really configured."""
    return ContentCapturePolicy(
        policy_ref=policy.policy_ref,
        mode=matched.cap.mode,
        source_permits_content=source.permitted_mode.captures_raw_content,
        sink_permits_content=sink.content_capture.captures_raw_content,
        redaction_required=bool(policy.redaction_policy_id),
        retention_required=has_window,
        sampling_required=policy.sampling.rate > 0,
        byte_limit=matched.cap.event_limit_bytes,
    )


def _narrowest_axes(modes: Mapping[Axis, ContentCaptureMode], widest: ContentCaptureMode) -> tuple[Axis, ...]:
    return tuple(axis for axis, mode in modes.items() if mode is widest)


def _reason(asked: ContentCaptureMode, widest: ContentCaptureMode, effective: ContentCaptureMode) -> str:
    if effective is not widest:
        return CLOSED
    if effective is not asked:
        return NARROWED
    return RAW_ALLOWED if effective.captures_raw_content else NOT_RAW
