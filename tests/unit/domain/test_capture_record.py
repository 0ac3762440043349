"""What a record may hold of a captured event: docs/PRIVACY.md, Stores."""

from dataclasses import replace
from itertools import product

import pytest

from tailrace import ContentCaptureMode
from tailrace.domain.capture import OmitReason, RefusedPart
from tailrace.domain.capture_record import (
    ContentOnRecord,
    InlinePart,
    OmittedPart,
    PartOnRecord,
    RecordTerms,
    ReferencedPart,
    content_on_record,
    part_on_record,
)
from tailrace.domain.capture_store import CaptureFailed, CaptureResult, Inline, Omit, Reference, StoreProblem
from tailrace.domain.capture_verdict import CaptureVerdict, decide_capture
from tailrace.domain.payload import RedactedPart
from tests.unit.domain.capture_samples import EVENT_LIMIT, NOW_US, OPEN_POLICY, OPEN_SOURCE, RAW, RAW_SINK
from tests.unit.domain.capture_stores import MarkingRedactor, ScriptedStore
from tests.unit.domain.test_capture import CONTENT, PROMPT, attempt

REFS = ContentCaptureMode.PAYLOAD_REFS
PART = RedactedPart(b'["redacted"]')
OPEN = RecordTerms(
    mode=RAW, part_limit_bytes=PART.size_bytes, payloads_allowed=True, attested=True, redactor_is_noop=False
)


def verdict(mode: ContentCaptureMode = RAW) -> CaptureVerdict:
    sink = RAW_SINK.with_content_capture(mode)
    return decide_capture(OPEN_SOURCE, sink, OPEN_POLICY, now_us=NOW_US, requested_bytes=EVENT_LIMIT)


def test_every_combination_of_decision_mode_switch_word_and_redactor() -> None:
    """320 cases: inline needs all four, a reference its mode alone, and what keeps a part back is named."""
    asked = inlined = referenced = 0
    decisions: list[Inline | Reference | Omit | CaptureFailed] = [Inline(), Reference("s3://b/1"), Omit()]
    decisions.append(CaptureFailed(StoreProblem.UNAVAILABLE))
    cases = [(decision, mode) for decision in decisions for mode in ContentCaptureMode]
    for decision, mode in cases:
        for switch, attested, noop, fits in product((False, True), repeat=4):
            terms = RecordTerms(
                mode=mode,
                part_limit_bytes=PART.size_bytes if fits else PART.size_bytes - 1,
                payloads_allowed=switch,
                attested=attested,
                redactor_is_noop=noop,
            )
            reasons = set() if fits else {OmitReason.PART_LIMIT}
            if isinstance(decision, Inline):
                reasons |= set() if mode.value == "raw_content" else {OmitReason.NOT_GRANTED}
                reasons |= set() if switch else {OmitReason.PAYLOADS_OFF}
                reasons |= set() if attested else {OmitReason.NOT_ATTESTED}
                reasons |= {OmitReason.NOOP_REDACTOR} if noop else set()
            elif isinstance(decision, Reference):
                reasons |= set() if mode.value in ("payload_refs", "raw_content") else {OmitReason.NOT_GRANTED}
            else:
                reasons |= {OmitReason.STORE_OMITS if isinstance(decision, Omit) else OmitReason.STORE_FAILED}
            placed = part_on_record(decision, PART, terms)
            asked += 1
            match placed:
                case OmittedPart():
                    assert set(placed.reasons) == reasons != set()
                    assert len(placed.reasons) == len(reasons)
                    assert placed.size_bytes == PART.size_bytes
                case ReferencedPart():
                    assert (reasons, placed.reference) == (set(), "s3://b/1")
                    assert placed.size_bytes == PART.size_bytes
                    assert placed.sha256 == (None if noop else PART.sha256)
                    referenced += 1
                case InlinePart():
                    assert (reasons, placed.part) == (set(), PART)
                    inlined += 1
    assert (asked, inlined, referenced) == (320, 1, 2 * 8)


@pytest.mark.parametrize("reason", [OmitReason.UNREADABLE, OmitReason.REDACTION_FAILED, OmitReason.PART_LIMIT])
@pytest.mark.parametrize("decision", [Inline(), Reference("s3://b/1"), Omit()])
def test_part_that_was_refused_stays_out_whatever_the_store_says(
    reason: OmitReason, decision: Inline | Reference | Omit
) -> None:
    """A store that answers for a part it never had is not believed."""
    assert part_on_record(decision, RefusedPart(reason), OPEN) == OmittedPart((reason,))


def test_each_part_follows_its_own_decision() -> None:
    """One inline, one elsewhere, one left out, with the facts of the call."""
    result = CaptureResult(system_instructions=Omit(), input_messages=Reference("s3://b/1"), output_messages=Inline())
    captured = attempt(ScriptedStore(lambda _: result, redactor=MarkingRedactor(), attests=True))
    record = content_on_record(captured, verdict(), payloads_allowed=True)
    assert record is not None
    assert isinstance(record.system_instructions, OmittedPart)
    assert isinstance(record.input_messages, ReferencedPart)
    assert isinstance(record.output_messages, InlinePart)
    assert record.output_messages.part == captured.content.output_messages
    assert (record.capture_id, record.thread_id, record.turn_number) == ("capture.1", "thread.1", 3)
    assert (record.capture_kind, record.span_is_recording) == (CONTENT.capture_kind, True)


@pytest.mark.parametrize("mode", ContentCaptureMode)
@pytest.mark.parametrize("switch", [False, True])
@pytest.mark.parametrize("attests", [False, True])
@pytest.mark.parametrize("is_noop", [False, True])
def test_text_is_on_a_record_only_with_every_condition_met(
    mode: ContentCaptureMode, switch: bool, attests: bool, is_noop: bool
) -> None:
    """From the event to the record: a store that calls all inline, under every mode, switch, word and redactor."""
    store = ScriptedStore(
        lambda _: CaptureResult.all_parts(Inline()), redactor=MarkingRedactor(is_noop=is_noop), attests=attests
    )
    record = content_on_record(attempt(store), verdict(mode), payloads_allowed=switch)
    assert (record is None) == (not mode.carries_content)
    texts = _texts(record)
    assert (PROMPT in texts) == (mode is RAW and switch and attests and not is_noop)


@pytest.mark.parametrize("mode", ContentCaptureMode)
def test_reference_needs_neither_switch_nor_word(mode: ContentCaptureMode) -> None:
    """Content that stays elsewhere is not on the record; whether its place may be told is the mode's question."""
    result = CaptureResult(
        system_instructions=Reference("s3://b/1"),
        input_messages=Reference("s3://b/2"),
        output_messages=Reference("s3://b/3"),
    )
    record = content_on_record(attempt(ScriptedStore(lambda _: result)), verdict(mode), payloads_allowed=False)
    if mode.carries_content:
        assert record is not None
        parts = (record.system_instructions, record.input_messages, record.output_messages)
        assert [part.reference for part in parts if isinstance(part, ReferencedPart)] == [
            "s3://b/1",
            "s3://b/2",
            "s3://b/3",
        ]
    else:
        assert record is None


def test_part_limit_is_that_of_the_sink() -> None:
    """The store may have got a part because another sink's limit is wider."""
    captured = attempt(
        ScriptedStore(lambda _: CaptureResult.all_parts(Inline()), redactor=MarkingRedactor(), attests=True)
    )
    assert isinstance(captured.content.output_messages, RedactedPart)
    narrow = replace(verdict(), part_limit_bytes=captured.content.output_messages.size_bytes)
    record = content_on_record(captured, narrow, payloads_allowed=True)
    assert record is not None
    assert isinstance(record.output_messages, InlinePart)
    assert record.input_messages == OmittedPart((OmitReason.PART_LIMIT,), _size(captured.content.input_messages))


def test_failed_store_leaves_every_part_out() -> None:
    """With their sizes, and no word of what went wrong beyond that it did."""
    captured = attempt(ScriptedStore(lambda _: CaptureFailed(StoreProblem.UNAVAILABLE), attests=True))
    record = content_on_record(captured, verdict(), payloads_allowed=True)
    assert record is not None
    for part in (record.system_instructions, record.input_messages, record.output_messages):
        assert isinstance(part, OmittedPart)
        assert part.reasons == (OmitReason.STORE_FAILED,)


def test_call_without_instructions_has_none_on_the_record() -> None:
    captured = attempt(
        ScriptedStore(lambda _: CaptureResult.all_parts(Inline())), replace(CONTENT, system_instructions=None)
    )
    record = content_on_record(captured, verdict(), payloads_allowed=True)
    assert record is not None
    assert record.system_instructions is None


def _texts(record: ContentOnRecord | None) -> str:
    parts: tuple[PartOnRecord | None, ...] = ()
    if record is not None:
        parts = (record.system_instructions, record.input_messages, record.output_messages)
    return "".join(part.part.encoded.decode() for part in parts if isinstance(part, InlinePart)) + repr(record)


def _size(part: object) -> int:
    assert isinstance(part, RedactedPart)
    return part.size_bytes
