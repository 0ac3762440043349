"""A record with another tail is a whole record, and says of its content exactly what was decided."""

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.codec.record_tail import TailEncoder
from tailrace.codec.reference_projector import ReferenceProjector
from tailrace.codec.schemas import SchemaStore
from tailrace.domain.capture import EventContent, EventToCapture, ModelCall, OmitReason
from tailrace.domain.capture_policy import Axis, SinkContentPolicy
from tailrace.domain.capture_record import ContentOnRecord, InlinePart, OmittedPart, PartOnRecord, ReferencedPart
from tailrace.domain.capture_store import CaptureKind
from tailrace.domain.capture_verdict import CaptureVerdict, decide_capture
from tailrace.domain.errors import InvalidField, SchemaInvalid
from tailrace.domain.payload import RedactedPart
from tailrace.domain.privacy import ContentCaptureMode
from tailrace.domain.projected import ProjectedRecord
from tailrace.domain.refs import PolicyKind
from tailrace.domain.sampling import SampleKey, SampleRule
from tests.unit.codec.oracle import decoded
from tests.unit.codec.written import MINIMAL, framed, schema_json, store, store_with
from tests.unit.domain.capture_samples import (
    KEY,
    NOW_US,
    OPEN_POLICY,
    OPEN_SOURCE,
    RAW_SINK,
    ref,
    wild_policies,
    wild_sources,
)

EVENT_REDACTION = "redaction.of.the.event"
TAIL = ("content_capture", "capture", "redaction_policy_id", "content")

EVENT = EventToCapture(
    source=OPEN_SOURCE,
    content=EventContent(
        capture_kind=CaptureKind.TURN_CHAT,
        thread_id="thread-1",
        turn_number=3,
        span_is_recording=True,
        input_messages=b"raw words",
        output_messages=b"raw words",
    ),
    call=ModelCall(),
    redaction_policy_id=EVENT_REDACTION,
)
PART = RedactedPart(b'[{"role":"user","parts":[]}]')
OMITTED = OmittedPart((OmitReason.STORE_OMITS,), 28)


def projected() -> ProjectedRecord:
    records = ReferenceProjector("agent.events", store()).project(
        3, 4, None, framed({**MINIMAL, "redaction_policy_id": EVENT_REDACTION})
    )
    assert isinstance(records, tuple)
    return records[0]


RECORD = projected()
BEFORE = {name: value for name, value in decoded(RECORD).items() if name not in TAIL}


def with_tail(verdict: CaptureVerdict, content: ContentOnRecord | None) -> Any:
    """The whole record as fastavro reads it to the last byte, after the shared fields were found unchanged."""
    value = RECORD.prefix + TailEncoder(store()).tail(verdict, content, EVENT)
    fields = decoded(RECORD._replace(value=value))
    assert {name: value for name, value in fields.items() if name not in TAIL} == BEFORE
    assert tuple(name for name in fields if name in TAIL) == TAIL
    return fields


def verdict_of(policy: SinkContentPolicy = OPEN_POLICY, *, size_bytes: int = 1, **source: Any) -> CaptureVerdict:
    return decide_capture(replace(OPEN_SOURCE, **source), RAW_SINK, policy, now_us=NOW_US, requested_bytes=size_bytes)


def in_mode(mode: ContentCaptureMode) -> CaptureVerdict:
    verdict = verdict_of()
    return replace(verdict, decision=replace(verdict.decision, effective_mode=mode))


def content_of(
    *,
    instructions: PartOnRecord | None = None,
    inputs: PartOnRecord = OMITTED,
    outputs: PartOnRecord = OMITTED,
    kind: CaptureKind = CaptureKind.TURN_CHAT,
) -> ContentOnRecord:
    return ContentOnRecord(
        capture_id="capture-1",
        capture_kind=kind,
        thread_id="thread-1",
        turn_number=3,
        span_is_recording=True,
        system_instructions=instructions,
        input_messages=inputs,
        output_messages=outputs,
    )


# ------------------------------------------------------------------------------------------------ the decision


def test_a_granted_decision_is_told_whole() -> None:
    """Every field of it, as an analytics engineer reads it."""
    policy = replace(OPEN_POLICY, sampling=SampleRule(0.999999, SampleKey("sample.2026", b"k" * 32)))
    fields = with_tail(verdict_of(policy), None)
    assert fields["content_capture"] == "raw_content"
    assert fields["capture"] == {
        "requested": "raw_content",
        "effective": "raw_content",
        "reason": "every gate for raw content is open",
        "policy_refs": [{"kind": "privacy", "id": "policy.sink"}],
        "sample_rate": 0.999999,
        "sample_key": "run_id",
        "allowed": True,
        "redaction_policy_id": "redaction.1",
        "closed_gates": [],
        "narrowed_by": [],
        "sample_included": True,
        "sample_key_name": "sample.2026",
    }


def test_a_refused_one_names_every_gate_and_what_narrowed_it() -> None:
    """And which rules were asked, the sink's first."""
    named = replace(OPEN_POLICY.agents.otherwise, policy_ref=replace(ref("policy.agent"), kind=PolicyKind.HOST))
    policy = replace(OPEN_POLICY, agents=replace(OPEN_POLICY.agents, named={"agent.1": named}), sampling=SampleRule())
    fields = with_tail(verdict_of(policy, size_bytes=0, content_capture=ContentCaptureMode.METADATA_ONLY), None)
    assert fields["content_capture"] == "metadata_only"
    capture = fields["capture"]
    assert (capture["requested"], capture["effective"], capture["allowed"]) == ("raw_content", "metadata_only", False)
    assert capture["closed_gates"] == ["policy_complete", "source", "sample", "byte_limit"]
    assert capture["narrowed_by"] == ["event"]
    assert (capture["sample_rate"], capture["sample_included"], capture["sample_key_name"]) == (0.0, False, None)
    assert capture["policy_refs"] == [
        {"kind": "privacy", "id": "policy.sink"},
        {"kind": "host", "id": "policy.agent"},
    ]


@pytest.mark.parametrize("mode", ContentCaptureMode)
def test_every_mode_is_told_as_what_was_granted(mode: ContentCaptureMode) -> None:
    fields = with_tail(in_mode(mode), None)
    assert (fields["content_capture"], fields["capture"]["effective"]) == (mode.value, mode.value)
    assert fields["content"] is None


@settings(max_examples=300, deadline=None)
@given(wild_sources, wild_policies, st.sampled_from(ContentCaptureMode), st.sampled_from([0, 1, 999, 5000]))
def test_whatever_was_decided_is_told(source: Any, policy: Any, sink_mode: ContentCaptureMode, size: int) -> None:
    """For any event, policy and sink: the fields of the verdict, one by one."""
    sink = RAW_SINK.with_content_capture(sink_mode)
    verdict = decide_capture(source, sink, policy, now_us=NOW_US, requested_bytes=size)
    capture = with_tail(verdict, None)["capture"]
    decision = verdict.decision
    assert (capture["requested"], capture["effective"]) == (decision.requested_mode, decision.effective_mode)
    assert (capture["allowed"], capture["reason"]) == (decision.allowed, decision.reason)
    assert capture["policy_refs"] == [{"kind": one.kind, "id": one.id} for one in decision.policy_refs]
    assert capture["closed_gates"] == list(decision.closed_gates)
    assert capture["narrowed_by"] == list(verdict.narrowed_by)
    assert set(capture["narrowed_by"]) <= set(Axis)
    assert capture["redaction_policy_id"] == decision.redaction_policy_id
    assert capture["sample_rate"] == verdict.sample.rate
    assert capture["sample_included"] is verdict.sample.included
    assert capture["sample_key_name"] == verdict.sample.key_name


def test_the_key_of_a_sample_is_named_and_never_told() -> None:
    policy = replace(OPEN_POLICY, sampling=SampleRule(0.5, KEY))
    tail = TailEncoder(store()).tail(verdict_of(policy), None, EVENT)
    assert KEY.name.encode() in tail
    assert KEY.secret not in tail


# ------------------------------------------------------------------------------------------------- the content


def test_an_inline_part_is_there_with_size_and_digest() -> None:
    content = with_tail(verdict_of(), content_of(inputs=InlinePart(PART)))["content"]
    assert content["input_messages"] == {
        "disposition": "inline",
        "size_bytes": len(PART.encoded),
        "sha256": sha256(PART.encoded).hexdigest(),
        "reason": "",
        "inline_bytes": PART.encoded,
        "reference": None,
    }


@pytest.mark.parametrize("digest", ["ab" * 32, None])
def test_a_reference_is_there_without_the_part(digest: str | None) -> None:
    """And without a digest where the text could be found by trying."""
    part = ReferencedPart("store:sha256/ab/abcd.json", 77, digest)
    content = with_tail(in_mode(ContentCaptureMode.PAYLOAD_REFS), content_of(instructions=part))["content"]
    assert content["system_instructions"] == {
        "disposition": "reference",
        "size_bytes": 77,
        "sha256": digest,
        "reason": "",
        "inline_bytes": None,
        "reference": "store:sha256/ab/abcd.json",
    }


@pytest.mark.parametrize("reason", OmitReason)
def test_an_omitted_part_says_why(reason: OmitReason) -> None:
    content = with_tail(verdict_of(), content_of(outputs=OmittedPart((reason,), 5)))["content"]
    assert content["output_messages"] == {
        "disposition": "omitted",
        "size_bytes": 5,
        "sha256": None,
        "reason": reason.value,
        "inline_bytes": None,
        "reference": None,
    }


def test_several_reasons_are_all_told() -> None:
    reasons = (OmitReason.PART_LIMIT, OmitReason.NOT_GRANTED, OmitReason.PAYLOADS_OFF)
    content = with_tail(verdict_of(), content_of(inputs=OmittedPart(reasons)))["content"]
    assert content["input_messages"]["reason"] == "part_limit,not_granted,payloads_off"


@pytest.mark.parametrize("kind", CaptureKind)
def test_the_model_call_is_named(kind: CaptureKind) -> None:
    content = with_tail(verdict_of(), content_of(kind=kind))["content"]
    named = {name: content[name] for name in ("capture_id", "capture_kind", "thread_id", "turn_number")}
    assert named == {"capture_id": "capture-1", "capture_kind": kind, "thread_id": "thread-1", "turn_number": 3}
    assert content["span_is_recording"] is True
    assert content["system_instructions"] is None


parts = st.one_of(
    st.builds(InlinePart, st.builds(RedactedPart, st.binary(max_size=300))),
    st.builds(
        ReferencedPart,
        st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
        st.integers(0, 2**40),
        st.none() | st.just("0" * 64),
    ),
    st.builds(OmittedPart, st.lists(st.sampled_from(OmitReason), min_size=1, max_size=9).map(tuple), st.integers(0, 9)),
)


@settings(max_examples=200, deadline=None)
@given(st.none() | parts, parts, parts)
def test_any_content_is_a_whole_record(
    instructions: PartOnRecord | None, inputs: PartOnRecord, outputs: PartOnRecord
) -> None:
    """Any mixture of dispositions reads back part by part."""
    content = content_of(instructions=instructions, inputs=inputs, outputs=outputs)
    found = with_tail(verdict_of(), content)["content"]
    for name in ("system_instructions", "input_messages", "output_messages"):
        assert told(found[name]) == getattr(content, name)


def told(part: Any) -> PartOnRecord | None:
    match part:
        case None:
            return None
        case {"disposition": "inline", "inline_bytes": encoded, "reference": None, "reason": ""}:
            return InlinePart(RedactedPart(encoded))
        case {"disposition": "reference", "reference": str() as reference, "inline_bytes": None, "reason": ""}:
            return ReferencedPart(reference, part["size_bytes"], part["sha256"])
        case {"disposition": "omitted", "reference": None, "inline_bytes": None, "sha256": None, "reason": reason}:
            return OmittedPart(tuple(OmitReason(one) for one in reason.split(",")), part["size_bytes"])
    raise AssertionError(part)


def test_the_redaction_named_is_that_of_what_is_there() -> None:
    """The sink's own where content is on the record, the event's elsewhere."""
    assert with_tail(verdict_of(), None)["redaction_policy_id"] == EVENT_REDACTION
    assert with_tail(verdict_of(), content_of())["redaction_policy_id"] == "redaction.1"


@pytest.mark.parametrize(
    ("mode", "part"),
    [
        (ContentCaptureMode.PAYLOAD_REFS, InlinePart(PART)),
        *[(mode, OMITTED) for mode in ContentCaptureMode if not mode.carries_content],
    ],
)
def test_content_that_was_not_granted_becomes_no_bytes(mode: ContentCaptureMode, part: PartOnRecord) -> None:
    """Somebody's mistake before stops here; the error names no content."""
    with pytest.raises(InvalidField) as raised:
        TailEncoder(store()).tail(in_mode(mode), content_of(outputs=part), EVENT)
    assert "words" not in str(raised.value)
    assert raised.value.field == "content"


def test_a_record_schema_with_another_end_is_refused(tmp_path: Any) -> None:
    """A field behind the content that nobody would write would leave every such record unreadable."""
    schema = schema_json("telemetry_record")
    schema["fields"].append({"name": "more", "type": "int", "default": 0})
    store_with(tmp_path, agent_event=schema_json("agent_event"), health_record=schema_json("health_record"))
    store_with(tmp_path, telemetry_record=schema)
    with pytest.raises(SchemaInvalid):
        TailEncoder(SchemaStore(tmp_path))
