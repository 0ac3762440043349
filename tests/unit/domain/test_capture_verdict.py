"""Policies and gates brought together: docs/PRIVACY.md, The capture decision."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tailrace import CaptureGate, ContentCaptureMode, RetentionClass, SinkSpec
from tailrace.domain.capture_gates import NOT_RAW, RAW_ALLOWED
from tailrace.domain.capture_policy import Axis, AxisCap, AxisCaps, ContentSource, SinkContentPolicy, matched_caps
from tailrace.domain.capture_verdict import CLOSED, NARROWED, decide_capture, may_get_content
from tailrace.domain.retention import RetentionWindows
from tailrace.domain.sampling import SampleOutcome, SampleRule
from tests.unit.domain.capture_samples import (
    EVENT_LIMIT,
    KEY,
    NOW_US,
    OPEN_POLICY,
    OPEN_SOURCE,
    PART_LIMIT,
    RAW,
    RAW_SINK,
    WIDE,
    WINDOW_S,
    narrowed,
    policies,
    ref,
    sinks,
    sources,
)
from tests.unit.domain.test_capture_policy import naive_caps

OFF = ContentCaptureMode.OFF
SUMMARY = ContentCaptureMode.REDACTED_SUMMARY
REFS = ContentCaptureMode.PAYLOAD_REFS
sizes = st.sampled_from([0, *[1, PART_LIMIT, EVENT_LIMIT] * 3, EVENT_LIMIT + 1])
times = st.sampled_from(
    [NOW_US, NOW_US, NOW_US, NOW_US - 10**10, NOW_US + WINDOW_S * 10**6 - 2, NOW_US + WINDOW_S * 10**6]
)


def with_mode(mode: ContentCaptureMode) -> dict[Axis, tuple[ContentSource, SinkSpec, SinkContentPolicy]]:
    """For each side that has a mode: everything open, and this side alone at `mode`."""
    cap: AxisCaps[Any] = AxisCaps(otherwise=AxisCap(replace(WIDE, mode=mode)))
    return {
        Axis.EVENT: (narrowed(OPEN_SOURCE, content_capture=mode), RAW_SINK, OPEN_POLICY),
        Axis.SINK: (OPEN_SOURCE, RAW_SINK, replace(OPEN_POLICY, cap=replace(WIDE, mode=mode))),
        Axis.AGENT: (OPEN_SOURCE, RAW_SINK, replace(OPEN_POLICY, agents=cap)),
        Axis.FAMILY: (OPEN_SOURCE, RAW_SINK, replace(OPEN_POLICY, families=cap)),
        Axis.PRIVACY: (OPEN_SOURCE, RAW_SINK, replace(OPEN_POLICY, privacy=cap)),
    }


def decide_open(
    *, source: ContentSource = OPEN_SOURCE, policy: SinkContentPolicy = OPEN_POLICY, size: int = EVENT_LIMIT
) -> tuple[ContentCaptureMode, tuple[CaptureGate, ...]]:
    decision = decide_capture(source, RAW_SINK, policy, now_us=NOW_US, requested_bytes=size).decision
    return decision.effective_mode, decision.closed_gates


@settings(max_examples=500)
@given(source=sources, sink=sinks, policy=policies, now_us=times, size=sizes)
def test_nothing_is_ever_wider_than_the_narrowest_side(
    source: ContentSource, sink: SinkSpec, policy: SinkContentPolicy, now_us: int, size: int
) -> None:
    """For any event, sink and policy: no side is overruled, and content needs time, sample, size and redaction."""
    verdict = decide_capture(source, sink, policy, now_us=now_us, requested_bytes=size)
    effective = verdict.decision.effective_mode
    applying = naive_caps(policy, source)
    event_mode = source.content_capture or OFF
    narrowest_side = min(event_mode.width, sink.content_capture.width, *(cap.mode.width for cap in applying))
    window_s = policy.retention.windows_s.get(source.retention)
    in_time = (
        window_s is not None and source.event_time_us - 3 * 10**8 <= now_us < source.event_time_us + window_s * 10**6
    )
    sampled = policy.sampling.outcome(source.run_id).included
    fits = 0 < size <= min(cap.event_limit_bytes for cap in applying)
    may_carry = in_time and sampled and fits and policy.redaction_policy_id != ""
    expected = narrowest_side if may_carry else min(narrowest_side, SUMMARY.width)
    event(f"effective {effective}")
    assert effective.width == expected
    assert verdict.decision.allowed == (effective is sink.content_capture)
    assert verdict.decision.requested_mode is sink.content_capture
    assert verdict.part_limit_bytes == min(cap.part_limit_bytes for cap in applying)
    assert verdict.decision.policy_refs == matched_caps(policy, source).policy_refs
    if effective is RAW:
        assert verdict.decision.closed_gates == ()


@given(source=sources, sink=sinks, policy=policies, now_us=times, size=sizes)
def test_who_may_get_none_gets_none(
    source: ContentSource, sink: SinkSpec, policy: SinkContentPolicy, now_us: int, size: int
) -> None:
    """The question before parsing never says no where the decision after it would grant content."""
    verdict = decide_capture(source, sink, policy, now_us=now_us, requested_bytes=size)
    if verdict.carries_content:
        assert may_get_content(source, sink, policy, now_us=now_us)


@pytest.mark.parametrize("mode", ContentCaptureMode)
@pytest.mark.parametrize("axis", with_mode(RAW))
def test_each_side_alone_sets_the_mode_and_is_named(axis: Axis, mode: ContentCaptureMode) -> None:
    """Everything else wide open, the one narrow side is what the sink gets."""
    source, sink, policy = with_mode(mode)[axis]
    verdict = decide_capture(source, sink, policy, now_us=NOW_US, requested_bytes=EVENT_LIMIT)
    assert verdict.decision.effective_mode is mode
    assert verdict.narrowed_by == (() if mode is RAW else (axis,))
    assert verdict.decision.reason == (RAW_ALLOWED if mode is RAW else NARROWED)
    assert verdict.decision.allowed == (mode is RAW)


@pytest.mark.parametrize("mode", ContentCaptureMode)
def test_sink_gets_what_it_was_to_get_and_no_more(mode: ContentCaptureMode) -> None:
    """Everything else wide open."""
    sink = RAW_SINK.with_content_capture(mode)
    verdict = decide_capture(OPEN_SOURCE, sink, OPEN_POLICY, now_us=NOW_US, requested_bytes=EVENT_LIMIT)
    assert (verdict.decision.allowed, verdict.decision.effective_mode) == (True, mode)
    assert verdict.decision.reason == (RAW_ALLOWED if mode is RAW else NOT_RAW)
    assert verdict.narrowed_by == ()


CLOSING: dict[str, tuple[dict[str, Any], tuple[CaptureGate, ...]]] = {
    "retention over": (
        {"source": narrowed(OPEN_SOURCE, event_time_us=NOW_US - WINDOW_S * 10**6)},
        (CaptureGate.RETENTION,),
    ),
    "no window": (
        {"policy": replace(OPEN_POLICY, retention=RetentionWindows({RetentionClass.DURABLE: 1}))},
        (CaptureGate.POLICY_COMPLETE, CaptureGate.RETENTION),
    ),
    "not sampled": ({"policy": replace(OPEN_POLICY, sampling=SampleRule(1e-9, KEY))}, (CaptureGate.SAMPLE,)),
    "no sample": (
        {"policy": replace(OPEN_POLICY, sampling=SampleRule())},
        (CaptureGate.POLICY_COMPLETE, CaptureGate.SAMPLE),
    ),
    "too large": ({"size": EVENT_LIMIT + 1}, (CaptureGate.BYTE_LIMIT,)),
    "nothing there": ({"size": 0}, (CaptureGate.BYTE_LIMIT,)),
    "redaction unnamed": ({"policy": replace(OPEN_POLICY, redaction_policy_id="")}, (CaptureGate.POLICY_COMPLETE,)),
}


@pytest.mark.parametrize("closing", CLOSING)
@pytest.mark.parametrize("mode", [REFS, RAW])
def test_time_sample_size_and_redaction_hold_for_references_too(closing: str, mode: ContentCaptureMode) -> None:
    """Text that is kept elsewhere is kept all the same: either mode falls back to the redacted summary."""
    changes, gates = CLOSING[closing]
    verdict = decide_capture(
        changes.get("source", OPEN_SOURCE),
        RAW_SINK.with_content_capture(mode),
        changes.get("policy", OPEN_POLICY),
        now_us=NOW_US,
        requested_bytes=changes.get("size", EVENT_LIMIT),
    )
    assert (verdict.decision.allowed, verdict.decision.effective_mode) == (False, SUMMARY)
    assert verdict.decision.reason == CLOSED
    sinks_own = () if mode is RAW else (CaptureGate.POLICY_COMPLETE, CaptureGate.SINK)
    assert set(verdict.decision.closed_gates) == {*gates, *sinks_own}
    assert not verdict.still_open(NOW_US)


@pytest.mark.parametrize("closing", [name for name, (changes, _) in CLOSING.items() if "size" not in changes])
@pytest.mark.parametrize("mode", [REFS, RAW])
def test_question_before_parsing_knows_all_but_the_size(closing: str, mode: ContentCaptureMode) -> None:
    """What will be closed whatever the content is, is closed before anybody looks at it."""
    sink, changes = RAW_SINK.with_content_capture(mode), CLOSING[closing][0]
    source, policy = changes.get("source", OPEN_SOURCE), changes.get("policy", OPEN_POLICY)
    assert may_get_content(OPEN_SOURCE, sink, OPEN_POLICY, now_us=NOW_US)
    assert not may_get_content(source, sink, policy, now_us=NOW_US)


def test_closed_gates_name_the_source_that_does_not_permit() -> None:
    """Also where the mode was narrowed before any gate was asked."""
    assert decide_open(source=narrowed(OPEN_SOURCE, content_capture=REFS)) == (
        REFS,
        (CaptureGate.POLICY_COMPLETE, CaptureGate.SOURCE),
    )
    assert decide_open() == (RAW, ())


def test_queued_content_is_taken_back_when_its_window_closes() -> None:
    """The verdict of this moment holds to the last microsecond of the window, and for no mode without content."""
    verdict = decide_capture(OPEN_SOURCE, RAW_SINK, OPEN_POLICY, now_us=NOW_US, requested_bytes=1)
    closes_at_us = OPEN_SOURCE.event_time_us + WINDOW_S * 10**6
    assert verdict.closes_at_us == closes_at_us
    assert verdict.still_open(closes_at_us - 1)
    assert not verdict.still_open(closes_at_us)
    summary = decide_capture(
        OPEN_SOURCE, RAW_SINK.with_content_capture(SUMMARY), OPEN_POLICY, now_us=NOW_US, requested_bytes=1
    )
    assert not summary.still_open(NOW_US)


def test_verdict_tells_sample_redaction_and_policies() -> None:
    """What goes on the record beside the mode; the key by its name."""
    policy = replace(
        OPEN_POLICY, sampling=SampleRule(1.0, KEY), agents=AxisCaps(otherwise=AxisCap(WIDE, ref("policy.agents")))
    )
    verdict = decide_capture(OPEN_SOURCE, RAW_SINK, policy, now_us=NOW_US, requested_bytes=1)
    assert verdict.sample == SampleOutcome(rate=1.0, key_name="sample.2025", included=True)
    assert verdict.decision.redaction_policy_id == "redaction.1"
    assert verdict.decision.policy_refs == (ref("policy.sink"), ref("policy.agents"))
