"""The port to a capture store, which decides per part of a model call's content: inline, elsewhere, or not at all.

The values are those of the payload-capture store that this grew out of. Two stores are here because they need nothing:
`OmitStore`, the default, and `InlineStore`. Source: docs/PRIVACY.md, Stores.
"""

from abc import abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Protocol

from tailrace.domain.errors import InvalidField
from tailrace.domain.fields import Checked, Identifier
from tailrace.domain.json_form import NamedCase
from tailrace.domain.payload import NOOP_REDACTOR, PayloadRedactor, RedactedPart


class CaptureKind(StrEnum):
    """Which model call the content belongs to."""

    TURN_CHAT = "turn_chat"
    COMPACTION_CHAT = "compaction_chat"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Inline:
    """Put the redacted part on the record itself."""


@dataclass(frozen=True, slots=True)
class Reference(Checked):
    """The store keeps the part; the record says only where.

    Not empty, at most 512 bytes of UTF-8, no control character: a name for content, and no room to hide it in. It must
    be made only after the part is safely stored. Raises InvalidField for anything else, and for half a surrogate pair,
    which no record could hold.
    """

    reference: Identifier

    def __post_init__(self) -> None:
        Checked.__post_init__(self)
        if any("\ud800" <= character <= "\udfff" for character in self.reference):
            raise InvalidField("reference", "must be text that UTF-8 can hold")


@dataclass(frozen=True, slots=True)
class Omit:
    """Leave the part out."""


CaptureDecision = Annotated[
    Inline | Reference | Omit, NamedCase({"inline": Inline, "reference": Reference, "omit": Omit})
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadBundle:
    """One model call's content as a store sees it: redacted, with what a store needs to file it.

    `capture_id` is unique to the attempt: a capture that is tried again has another one. `turn_number` counts within
    the invocation, from 0. `provider_name` is `gen_ai.provider.name`, `provider_id` the runtime's own id. The parts
    are JSON in the form of the GenAI conventions; None if the call had none, or if one was refused before.
    """

    capture_id: str
    capture_kind: CaptureKind
    thread_id: str
    turn_number: int
    provider_name: str
    provider_id: str
    span_is_recording: bool
    request_model: str
    response_model: str | None
    system_instructions: RedactedPart | None
    input_messages: RedactedPart | None
    output_messages: RedactedPart | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureResult:
    """What the store decided, part by part; what it says of a part it did not get is not looked at."""

    system_instructions: CaptureDecision
    input_messages: CaptureDecision
    output_messages: CaptureDecision

    @classmethod
    def all_parts(cls, decision: Inline | Omit) -> "CaptureResult":
        """The same for all three. A reference names one part, and so cannot be given to all."""
        return cls(system_instructions=decision, input_messages=decision, output_messages=decision)


class StoreProblem(StrEnum):
    """What went wrong in a store; all that anybody is told of it."""

    UNAVAILABLE = "unavailable"
    TIMED_OUT = "timed_out"
    REJECTED = "rejected"
    RAISED = "raised"
    NO_ANSWER = "no_answer"  # what it returned is none of the answers that the port has


@dataclass(frozen=True, slots=True)
class CaptureFailed:
    """The store could not capture: every part is left out. `error_type` names an exception's class, or is empty."""

    problem: StoreProblem
    error_type: str = ""


class CaptureStore(Protocol):
    """Decides about content, and may keep it. Derive from this class to have the two defaults.

    One thread at a time. `capture` may do I/O and must end in bounded time: a lane that captures waits for it.
    """

    @abstractmethod
    def capture(self, bundle: PayloadBundle) -> CaptureResult | CaptureFailed:
        """The decision for each part. Asked also when the producer's span was not recording: the bundle says so.

        An exception counts as a failure; its text is not kept.
        """

    def redactor(self) -> PayloadRedactor:
        """What every part goes through before this store, or anybody else, sees it; the shared noop by default."""
        return NOOP_REDACTOR

    def acknowledge_pii_redaction(self) -> bool:
        """Whether the store vouches for its redactor, so that what it calls inline may be put on records."""
        return False


class OmitStore(CaptureStore):
    """Leaves everything out. The default."""

    def capture(self, bundle: PayloadBundle) -> CaptureResult | CaptureFailed:
        del bundle
        return CaptureResult.all_parts(Omit())


class InlineStore(CaptureStore):
    """Puts everything on the record, as far as the gates let it; keeps nothing itself.

    It vouches for the redactor it was given, unless that is a noop.
    """

    def __init__(self, redactor: PayloadRedactor) -> None:
        self._redactor = redactor

    def capture(self, bundle: PayloadBundle) -> CaptureResult | CaptureFailed:
        del bundle
        return CaptureResult.all_parts(Inline())

    def redactor(self) -> PayloadRedactor:
        return self._redactor

    def acknowledge_pii_redaction(self) -> bool:
        return not self._redactor.is_noop
