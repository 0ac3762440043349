"""What one sink's record may hold of a captured event, given what that sink was granted.

    decided      on the record if
    -----------  ---------------------------------------------------------------------------------------------------
    inline       raw content granted, `capture.payloads` on, the store vouches for its redactor, which is no noop
    reference    references granted, or more
    omit         never

and in every case only a part that was redacted and is within the sink's limit (docs/PRIVACY.md, Stores).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import assert_never

from tailrace.domain.capture import Captured, OmitReason, Part, RefusedPart
from tailrace.domain.capture_store import (
    CaptureDecision,
    CaptureFailed,
    CaptureKind,
    CaptureResult,
    Inline,
    Omit,
    Reference,
)
from tailrace.domain.capture_verdict import CaptureVerdict
from tailrace.domain.payload import RedactedPart
from tailrace.domain.privacy import ContentCaptureMode


@dataclass(frozen=True, slots=True)
class InlinePart:
    """The redacted part itself."""

    part: RedactedPart


@dataclass(frozen=True, slots=True)
class ReferencedPart:
    """Where the store keeps the redacted part, and what it weighs there.

    `sha256` is None over a noop redactor: whoever has the digest of a short text can find the text by trying.
    """

    reference: str
    size_bytes: int
    sha256: str | None


@dataclass(frozen=True, slots=True)
class OmittedPart:
    """Nothing of the part but its redacted size, 0 if it was never made, and why: every reason, at least one."""

    reasons: tuple[OmitReason, ...]
    size_bytes: int = 0


PartOnRecord = InlinePart | ReferencedPart | OmittedPart


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentOnRecord:
    """What a sink's record holds of a model call's content. Exists only where the sink was granted content."""

    capture_id: str
    capture_kind: CaptureKind
    thread_id: str
    turn_number: int
    span_is_recording: bool
    system_instructions: PartOnRecord | None
    input_messages: PartOnRecord
    output_messages: PartOnRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordTerms:
    """Under which terms a part may be on a record.

    `mode` is the verdict's effective mode, `payloads_allowed` the operator's switch `capture.payloads`, `attested` the
    store's word for its redactor, `redactor_is_noop` what the redactor says of itself.
    """

    mode: ContentCaptureMode
    part_limit_bytes: int
    payloads_allowed: bool
    attested: bool
    redactor_is_noop: bool


def content_on_record(captured: Captured, verdict: CaptureVerdict, *, payloads_allowed: bool) -> ContentOnRecord | None:
    """What one sink's record may hold; None if its verdict carries no content."""
    if not verdict.carries_content:
        return None
    content, result = captured.content, captured.result
    terms = RecordTerms(
        mode=verdict.decision.effective_mode,
        part_limit_bytes=verdict.part_limit_bytes,
        payloads_allowed=payloads_allowed,
        attested=captured.attested,
        redactor_is_noop=content.redactor_is_noop,
    )

    def placed(part: Part, decision: Callable[[CaptureResult], CaptureDecision]) -> PartOnRecord:
        return part_on_record(result if isinstance(result, CaptureFailed) else decision(result), part, terms)

    instructions = content.system_instructions
    return ContentOnRecord(
        capture_id=captured.capture_id,
        capture_kind=content.capture_kind,
        thread_id=content.thread_id,
        turn_number=content.turn_number,
        span_is_recording=content.span_is_recording,
        system_instructions=None if instructions is None else placed(instructions, lambda of: of.system_instructions),
        input_messages=placed(content.input_messages, lambda of: of.input_messages),
        output_messages=placed(content.output_messages, lambda of: of.output_messages),
    )


def content_left_out(content: ContentOnRecord, reason: OmitReason) -> ContentOnRecord:
    """The same content with every part that was there left out for `reason`; what was out before keeps its reasons."""

    def out(part: PartOnRecord) -> OmittedPart:
        match part:
            case InlinePart(part=redacted):
                return OmittedPart((reason,), redacted.size_bytes)
            case ReferencedPart(size_bytes=size_bytes):
                return OmittedPart((reason,), size_bytes)
            case OmittedPart():
                return part

    instructions = content.system_instructions
    return replace(
        content,
        system_instructions=None if instructions is None else out(instructions),
        input_messages=out(content.input_messages),
        output_messages=out(content.output_messages),
    )


def part_on_record(decision: CaptureDecision | CaptureFailed, part: Part, terms: RecordTerms) -> PartOnRecord:
    """What a record may hold of one part, given what the store decided about it.

    Inline needs raw content granted, the operator's switch, the store's word and a redactor that masks. A reference
    needs references granted. All that keep a part back are named. Pure; any thread. Source: docs/PRIVACY.md, Stores.
    """
    if isinstance(part, RefusedPart):
        return OmittedPart((part.reason,))
    against = []
    if part.size_bytes > terms.part_limit_bytes:
        against.append(OmitReason.PART_LIMIT)
    against += _against(decision, terms)
    if against:
        return OmittedPart(tuple(against), part.size_bytes)
    if isinstance(decision, Reference):
        return ReferencedPart(decision.reference, part.size_bytes, None if terms.redactor_is_noop else part.sha256)
    return InlinePart(part)


def _against(decision: CaptureDecision | CaptureFailed, terms: RecordTerms) -> list[OmitReason]:
    match decision:
        case CaptureFailed():
            return [OmitReason.STORE_FAILED]
        case Omit():
            return [OmitReason.STORE_OMITS]
        case Reference():
            return [] if terms.mode.carries_content else [OmitReason.NOT_GRANTED]
        case Inline():
            needed = {
                OmitReason.NOT_GRANTED: terms.mode.captures_raw_content,
                OmitReason.PAYLOADS_OFF: terms.payloads_allowed,
                OmitReason.NOT_ATTESTED: terms.attested,
                OmitReason.NOOP_REDACTOR: not terms.redactor_is_noop,
            }
            return [reason for reason, given in needed.items() if not given]
        case _:
            assert_never(decision)
