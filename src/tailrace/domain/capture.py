"""From an event's content to what a capture store decided about it, in two steps without time or thread.

    EventContent ──prepare_content──> PreparedContent ──capture_prepared──> Captured
                   allow-list, then      redacted          one bundle,
                   redaction, once                         one attempt

Both happen once per event, whatever the number of sinks, and only if some sink may get content; what each sink's record
may hold of it is `capture_record`'s part. Only `EventContent` holds what was not redacted, and nothing keeps it
(docs/PRIVACY.md, The way of a prompt).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tailrace.domain.capture_policy import ContentSource
from tailrace.domain.capture_store import (
    CaptureFailed,
    CaptureKind,
    CaptureResult,
    CaptureStore,
    Inline,
    Omit,
    PayloadBundle,
    Reference,
    StoreProblem,
)
from tailrace.domain.content_form import Allowed, Unreadable, allowed_instructions, allowed_messages
from tailrace.domain.payload import PayloadRedactor, RedactedPart, redact_part


@dataclass(frozen=True, slots=True, kw_only=True)
class EventContent:
    """The content field of an event as it was decoded: the one value that holds text nobody has redacted."""

    capture_kind: CaptureKind
    thread_id: str
    turn_number: int
    span_is_recording: bool
    system_instructions: bytes | None = field(default=None, repr=False)
    input_messages: bytes = field(repr=False)
    output_messages: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """Which model was called; empty where the event does not tell, None if no model answered."""

    provider_name: str = ""
    provider_id: str = ""
    request_model: str = ""
    response_model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventToCapture:
    """What a lane that captures has to know of an event: whom it is about, what was said, and to which model.

    `redaction_policy_id` is the event's own, which its records name as long as they hold no content.
    """

    source: ContentSource
    content: EventContent = field(repr=False)
    call: ModelCall
    redaction_policy_id: str


class OmitReason(StrEnum):
    """Why a part is not on a record; all that a record tells of it."""

    UNREADABLE = "unreadable"
    REDACTION_FAILED = "redaction_failed"
    PART_LIMIT = "part_limit"
    STORE_OMITS = "store_omits"
    STORE_FAILED = "store_failed"
    NOT_GRANTED = "not_granted"
    PAYLOADS_OFF = "payloads_off"
    NOT_ATTESTED = "not_attested"
    NOOP_REDACTOR = "noop_redactor"
    SINK_REFUSED = "sink_refused"


@dataclass(frozen=True, slots=True)
class RefusedPart:
    """A part that never became redacted bytes, or too many of them."""

    reason: OmitReason


Part = RedactedPart | RefusedPart


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedContent:
    """An event's content after its one pass through the redactor.

    `parts_left_out` counts message parts that the allow-list did not let through.
    """

    capture_kind: CaptureKind
    thread_id: str
    turn_number: int
    span_is_recording: bool
    redactor_is_noop: bool
    parts_left_out: int
    system_instructions: Part | None
    input_messages: Part
    output_messages: Part

    @property
    def parts(self) -> tuple[Part, ...]:
        """Those that the event has, in the order of the record."""
        instructions = () if self.system_instructions is None else (self.system_instructions,)
        return (*instructions, self.input_messages, self.output_messages)

    def bytes_within(self, part_limit_bytes: int) -> int:
        """What all parts within the limit have together: the size that the byte gate asks about."""
        sizes = (part.size_bytes for part in self.parts if isinstance(part, RedactedPart))
        return sum(size for size in sizes if size <= part_limit_bytes)


@dataclass(frozen=True, slots=True)
class AttestedOverNoop:
    """A store vouches for a redactor that masks nothing: all it calls inline stays omitted.

    Worth one warning per store; saying it once only is the caller's part. `store` is the name of its class.
    """

    store: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """One attempt of one store. `result` is a CaptureFailed if it failed: worth a log line, and holds no content."""

    capture_id: str
    content: PreparedContent
    result: CaptureResult | CaptureFailed
    attested: bool
    warning: AttestedOverNoop | None


def prepare_content(content: EventContent, store: CaptureStore) -> PreparedContent:
    """Every part through the allow-list and then once through the store's redactor.

    What fails on the way is refused alone, with the reason. Never raises for what a redactor does.
    """
    redactor, is_noop = _redactor_of(store)
    instructions = None if content.system_instructions is None else allowed_instructions(content.system_instructions)
    inputs, outputs = allowed_messages(content.input_messages), allowed_messages(content.output_messages)
    return PreparedContent(
        capture_kind=content.capture_kind,
        thread_id=content.thread_id,
        turn_number=content.turn_number,
        span_is_recording=content.span_is_recording,
        redactor_is_noop=is_noop,
        parts_left_out=sum(
            part.parts_left_out for part in (instructions, inputs, outputs) if isinstance(part, Allowed)
        ),
        system_instructions=None if instructions is None else _redacted(instructions, redactor),
        input_messages=_redacted(inputs, redactor),
        output_messages=_redacted(outputs, redactor),
    )


def capture_prepared(
    store: CaptureStore,
    prepared: PreparedContent,
    call: ModelCall,
    *,
    part_limit_bytes: int,
    new_capture_id: Callable[[], str],
) -> Captured:
    """One attempt at capturing. The store gets the parts within the limit: the widest that any sink has.

    Never raises for what the store does: whatever goes wrong there leaves every part out.
    """
    content = _parts_within(prepared, part_limit_bytes)
    capture_id = new_capture_id()
    bundle = PayloadBundle(
        capture_id=capture_id,
        capture_kind=content.capture_kind,
        thread_id=content.thread_id,
        turn_number=content.turn_number,
        provider_name=call.provider_name,
        provider_id=call.provider_id,
        span_is_recording=content.span_is_recording,
        request_model=call.request_model,
        response_model=call.response_model,
        system_instructions=_if_redacted(content.system_instructions),
        input_messages=_if_redacted(content.input_messages),
        output_messages=_if_redacted(content.output_messages),
    )
    result, attested = _answer_of(store, bundle)
    over_noop = attested and content.redactor_is_noop
    return Captured(
        capture_id=capture_id,
        content=content,
        result=result,
        attested=attested,
        warning=AttestedOverNoop(type(store).__name__) if over_noop else None,
    )


def capture_skipped(
    prepared: PreparedContent, problem: StoreProblem, *, part_limit_bytes: int, new_capture_id: Callable[[], str]
) -> Captured:
    """An attempt at a store that is not asked, because it failed with `problem` a moment ago."""
    content = _parts_within(prepared, part_limit_bytes)
    return Captured(
        capture_id=new_capture_id(), content=content, result=CaptureFailed(problem), attested=False, warning=None
    )


def _parts_within(prepared: PreparedContent, limit_bytes: int) -> PreparedContent:
    instructions = prepared.system_instructions
    return replace(
        prepared,
        system_instructions=None if instructions is None else _within(instructions, limit_bytes),
        input_messages=_within(prepared.input_messages, limit_bytes),
        output_messages=_within(prepared.output_messages, limit_bytes),
    )


def _answer_of(store: CaptureStore, bundle: PayloadBundle) -> tuple[CaptureResult | CaptureFailed, bool]:
    try:
        answer: object = store.capture(bundle)
        attested: object = store.acknowledge_pii_redaction()
    except Exception as error:  # noqa: BLE001 - a store may be anybody's, and its failure must cost its parts only
        return CaptureFailed(StoreProblem.RAISED, type(error).__name__), False
    match answer:
        case CaptureFailed():
            return answer, False
        case CaptureResult(
            system_instructions=Inline() | Reference() | Omit(),
            input_messages=Inline() | Reference() | Omit(),
            output_messages=Inline() | Reference() | Omit(),
        ):
            return answer, attested is True
        case _:
            return CaptureFailed(StoreProblem.NO_ANSWER), False


def _redactor_of(store: CaptureStore) -> tuple[PayloadRedactor | None, bool]:
    """The store's redactor and whether it masks nothing, asked once; none counts as one that masks nothing."""
    try:
        redactor = store.redactor()
        masks = redactor.is_noop is False
    except Exception:  # noqa: BLE001 - without a redactor nothing is redacted, and so nothing passes
        return None, True
    return redactor, not masks


def _redacted(sieved: Allowed | Unreadable, redactor: PayloadRedactor | None) -> Part:
    if isinstance(sieved, Unreadable):
        return RefusedPart(OmitReason.UNREADABLE)
    part = None if redactor is None else redact_part(sieved.value, redactor)
    return part if isinstance(part, RedactedPart) else RefusedPart(OmitReason.REDACTION_FAILED)


def _within(part: Part, limit_bytes: int) -> Part:
    too_large = isinstance(part, RedactedPart) and part.size_bytes > limit_bytes
    return RefusedPart(OmitReason.PART_LIMIT) if too_large else part


def _if_redacted(part: Part | None) -> RedactedPart | None:
    return part if isinstance(part, RedactedPart) else None
