"""The capture decision: docs/PRIVACY.md, The capture decision."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace import (
    CaptureGate,
    ContentCaptureDecision,
    ContentCaptureMode,
    ContentCapturePolicy,
    ContentCaptureRequest,
    InvalidField,
    PolicyKind,
    PolicyRef,
    SinkSpec,
    evaluate_content_capture,
    from_json,
    to_json,
    to_jsonable,
)

REF = PolicyRef(PolicyKind.PRIVACY, "policy.raw")
RAW = ContentCaptureMode.RAW_CONTENT
LIMIT = 100
MOST = 2**64 - 1
FLAGS = (
    "source_permits_content",
    "sink_permits_content",
    "redaction_required",
    "retention_required",
    "sampling_required",
)
OPEN_POLICY = ContentCapturePolicy(
    policy_ref=REF, mode=RAW, source_permits_content=True, sink_permits_content=True, byte_limit=LIMIT
)
OPEN_REQUEST = ContentCaptureRequest(
    policy=OPEN_POLICY,
    sink=SinkSpec.test("s.1", 2).with_content_capture(RAW),
    requested_mode=RAW,
    source_permits_content=True,
    retention_active=True,
    deterministic_sample_included=True,
    requested_bytes=LIMIT,
    redaction_policy_id="redaction.1",
)

# One way to close each gate alone. policy_mode cannot close alone: a policy that is not raw is not complete either.
CLOSED_ALONE = {
    CaptureGate.POLICY_COMPLETE: replace(OPEN_REQUEST, policy=replace(OPEN_POLICY, sampling_required=False)),
    CaptureGate.SOURCE: replace(OPEN_REQUEST, source_permits_content=False),
    CaptureGate.SINK: replace(OPEN_REQUEST, sink=SinkSpec.test("s.1", 2)),
    CaptureGate.RETENTION: replace(OPEN_REQUEST, retention_active=False),
    CaptureGate.SAMPLE: replace(OPEN_REQUEST, deterministic_sample_included=False),
    CaptureGate.BYTE_LIMIT: replace(OPEN_REQUEST, requested_bytes=LIMIT + 1),
}


def test_every_combination_of_modes_gates_and_sizes() -> None:
    """32 000 requests: raw is granted exactly where a second reading of the rules, written as a table, grants it."""
    asked = 0
    granted: list[ContentCaptureRequest] = []
    sizes = [(limit, size) for limit in (0, 1, LIMIT, MOST) for size in {0, 1, max(limit - 1, 0), limit, LIMIT + 1}]
    for policy_mode, sink_mode in product(ContentCaptureMode, repeat=2):
        for complete, source, retention, sample in product((False, True), repeat=4):
            for limit, size in sizes:
                policy = replace(OPEN_POLICY, mode=policy_mode, redaction_required=complete, byte_limit=limit)
                sink = SinkSpec.test("s.1", 2).with_content_capture(sink_mode)
                gates = {
                    "policy_mode": policy_mode.value == "raw_content",
                    "policy_complete": policy_mode.value == "raw_content" and complete and limit >= 1,
                    "source": source,
                    "sink": sink_mode.value == "raw_content",
                    "retention": retention,
                    "sample": sample,
                    "byte_limit": size != 0 and not size > limit,
                }
                for requested in ContentCaptureMode:
                    request = ContentCaptureRequest(
                        policy=policy,
                        sink=sink,
                        requested_mode=requested,
                        source_permits_content=source,
                        retention_active=retention,
                        deterministic_sample_included=sample,
                        requested_bytes=size,
                        redaction_policy_id="redaction.1",
                    )
                    asked += 1
                    decision = evaluate_content_capture(request)
                    assert [gate.value for gate in decision.closed_gates] == [
                        g for g, is_open in gates.items() if not is_open
                    ]
                    assert (decision.requested_mode, decision.redaction_policy_id) == (requested, "redaction.1")
                    assert decision.policy_refs == (REF,)
                    if requested is not RAW:
                        assert (decision.allowed, decision.effective_mode) == (True, requested)
                    elif False in gates.values():
                        assert (decision.allowed, decision.effective_mode.value) == (False, "redacted_summary")
                    else:
                        assert (decision.allowed, decision.effective_mode) == (True, RAW)
                        granted.append(request)
    assert asked == 32_000
    assert {(r.policy.byte_limit, r.requested_bytes) for r in granted} == {
        (limit, size) for limit, size in sizes if 0 < size <= limit
    }


@pytest.mark.parametrize("gate", CLOSED_ALONE)
def test_one_closed_gate_is_enough_and_is_named(gate: CaptureGate) -> None:
    """Everything else open, this gate alone turns raw content into the redacted summary."""
    decision = evaluate_content_capture(CLOSED_ALONE[gate])
    assert (decision.allowed, decision.closed_gates) == (False, (gate,))
    assert decision.effective_mode is ContentCaptureMode.REDACTED_SUMMARY


def test_policy_that_is_not_raw_closes_two_gates() -> None:
    """A policy without the mode cannot be complete."""
    request = replace(OPEN_REQUEST, policy=replace(OPEN_POLICY, mode=ContentCaptureMode.PAYLOAD_REFS))
    assert evaluate_content_capture(request).closed_gates == (CaptureGate.POLICY_MODE, CaptureGate.POLICY_COMPLETE)


@pytest.mark.parametrize("missing", [*FLAGS, "byte_limit", "mode"])
def test_policy_that_lacks_anything_is_not_complete(missing: str) -> None:
    """Seven parts, and each of them counts."""
    assert OPEN_POLICY.allows_raw_content
    lacking = {"byte_limit": 0, "mode": ContentCaptureMode.PAYLOAD_REFS}.get(missing, False)
    assert not replace(OPEN_POLICY, **{missing: lacking}).allows_raw_content  # type: ignore[arg-type]


@pytest.mark.parametrize("flags", list(product((False, True), repeat=len(FLAGS))))
def test_policy_is_complete_only_with_every_permission_and_demand(flags: tuple[bool, ...]) -> None:
    """All 32 combinations."""
    policy = replace(OPEN_POLICY, **dict(zip(FLAGS, flags, strict=True)))  # type: ignore[arg-type]
    assert policy.allows_raw_content == (False not in flags)


@pytest.mark.parametrize(
    ("size", "limit", "is_open"),
    [
        (0, 0, False),
        (0, 1, False),
        (1, 0, False),
        (1, 1, True),
        (2, 1, False),
        (MOST, MOST, True),
        (MOST, MOST - 1, False),
    ],
)
def test_byte_gate_at_its_edges(size: int, limit: int, is_open: bool) -> None:
    """Nothing to send is closed too, and the limit itself still passes."""
    request = replace(OPEN_REQUEST, requested_bytes=size, policy=replace(OPEN_POLICY, byte_limit=limit))
    assert (CaptureGate.BYTE_LIMIT not in evaluate_content_capture(request).closed_gates) == is_open


def test_safe_defaults_deny_raw_content() -> None:
    """A policy and a sink that nobody configured grant nothing."""
    request = replace(
        OPEN_REQUEST,
        policy=ContentCapturePolicy.safe_defaults(REF),
        sink=SinkSpec.safe_local_diagnostic("local"),
        source_permits_content=False,
    )
    decision = evaluate_content_capture(request)
    assert not decision.allowed
    assert decision.closed_gates == (
        CaptureGate.POLICY_MODE,
        CaptureGate.POLICY_COMPLETE,
        CaptureGate.SOURCE,
        CaptureGate.SINK,
        CaptureGate.BYTE_LIMIT,
    )


modes = st.sampled_from(ContentCaptureMode)
policies = st.builds(
    ContentCapturePolicy,
    policy_ref=st.just(REF),
    mode=modes,
    byte_limit=st.integers(0, MOST),
    **{flag: st.booleans() for flag in FLAGS},
)
requests = st.builds(
    ContentCaptureRequest,
    policy=policies,
    sink=modes.map(SinkSpec.test("s.1", 2).with_content_capture),
    requested_mode=modes,
    source_permits_content=st.booleans(),
    retention_active=st.booleans(),
    deterministic_sample_included=st.booleans(),
    requested_bytes=st.integers(0, MOST),
    redaction_policy_id=st.text(max_size=8),
)


@given(request=requests)
def test_request_and_decision_survive_json(request: ContentCaptureRequest) -> None:
    """Either side of a process boundary reads what the other wrote."""
    decision = evaluate_content_capture(request)
    assert from_json(ContentCaptureRequest, to_json(request)) == request
    assert from_json(ContentCaptureDecision, to_json(decision)) == decision


def test_json_form_of_a_decision() -> None:
    """The names of the origin's form, and the closed gates only when there are any."""
    denied = to_jsonable(evaluate_content_capture(CLOSED_ALONE[CaptureGate.SOURCE]))
    assert denied == {
        "allowed": False,
        "requested_mode": "raw_content",
        "effective_mode": "redacted_summary",
        "reason": "a gate for raw content is closed",
        "redaction_policy_id": "redaction.1",
        "policy_refs": [{"kind": "privacy", "id": "policy.raw"}],
        "closed_gates": ["source"],
    }
    allowed = to_jsonable(evaluate_content_capture(OPEN_REQUEST))
    assert isinstance(allowed, dict)
    assert "closed_gates" not in allowed
    assert (allowed["allowed"], allowed["effective_mode"]) == (True, "raw_content")


@pytest.mark.parametrize("size", [-1, MOST + 1])
def test_size_out_of_range_is_refused(size: int) -> None:
    """A negative size would pass a limit without being content."""
    with pytest.raises(InvalidField) as refused:
        replace(OPEN_REQUEST, requested_bytes=size)
    assert refused.value.field == "requested_bytes"
