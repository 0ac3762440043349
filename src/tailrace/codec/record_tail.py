"""The end of a record for a sink whose operator has set a content mode: what was decided, and what was granted.

    prefix, the same for every sink │ content_capture │ capture │ redaction_policy_id │ content

Only what the domain calls redacted ever gets here: parts are bytes of a `RedactedPart`, or are not there at all
(docs/PRIVACY.md, The way of a prompt).
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, assert_never

from tailrace.codec.encoding import encode_value
from tailrace.codec.record_layout import FIRST_TAIL_FIELD
from tailrace.codec.schemas import TELEMETRY_RECORD, SchemaStore, record_tree
from tailrace.domain.capture import EventToCapture
from tailrace.domain.capture_gates import ContentCaptureDecision
from tailrace.domain.capture_policy import Axis
from tailrace.domain.capture_record import ContentOnRecord, InlinePart, OmittedPart, PartOnRecord, ReferencedPart
from tailrace.domain.capture_verdict import CaptureVerdict
from tailrace.domain.errors import InvalidField, SchemaInvalid
from tailrace.domain.sampling import SampleOutcome

_SAMPLED_BY: Final = "run_id"  # the only field that samples are drawn by (`domain/sampling.py`)

_TAIL: Final = (FIRST_TAIL_FIELD, "capture", "redaction_policy_id", "content")


_KEPT_DECISIONS: Final = 256
"""A sink has few different decisions, one per combination of caps and gates; encoding one takes 40 us [measured]."""


class TailEncoder:
    """Writes the fields of a record that depend on its sink. Any thread.

    Raises SchemaInvalid from the constructor when the record does not end with the fields it knows: schemas and this
    version of the code do not belong together.
    """

    def __init__(self, schemas: SchemaStore) -> None:
        record = record_tree(schemas.telemetry_record, TELEMETRY_RECORD)
        fields = record.fields[[field.name for field in record.fields].index(FIRST_TAIL_FIELD) :]
        if tuple(field.name for field in fields) != _TAIL:
            raise SchemaInvalid(TELEMETRY_RECORD, FIRST_TAIL_FIELD, "not_the_tail_this_version_knows")
        self._types = {field.name: field.type for field in fields}
        self._capture = lru_cache(_KEPT_DECISIONS)(self._encode_capture)

    def tail(self, verdict: CaptureVerdict, content: ContentOnRecord | None, event: EventToCapture) -> bytes:
        """What follows the record's prefix, canonical: the decision whatever it was, and the content if there is any.

        The redaction named is the verdict's where content is on the record, else the event's own. Raises InvalidField
        if there is content although the verdict grants none, or of a sort that it does not grant.
        """
        if content is not None:
            _refuse_ungranted(content, verdict)
        decision = verdict.decision
        redaction_policy_id = event.redaction_policy_id if content is None else decision.redaction_policy_id
        return b"".join(
            (
                self._encode(FIRST_TAIL_FIELD, decision.effective_mode.value),
                self._capture(decision, verdict.sample, verdict.narrowed_by),
                self._encode("redaction_policy_id", redaction_policy_id),
                self._encode("content", None if content is None else _content(content)),
            )
        )

    def _encode(self, name: str, value: object) -> bytes:
        return encode_value(self._types[name], value, name)

    def _encode_capture(
        self, decision: ContentCaptureDecision, sample: SampleOutcome, narrowed_by: tuple[Axis, ...]
    ) -> bytes:
        capture = {
            "requested": decision.requested_mode.value,
            "effective": decision.effective_mode.value,
            "reason": decision.reason,
            "policy_refs": [{"kind": ref.kind.value, "id": ref.id} for ref in decision.policy_refs],
            "sample_rate": sample.rate,
            "sample_key": _SAMPLED_BY,
            "allowed": decision.allowed,
            "redaction_policy_id": decision.redaction_policy_id,
            "closed_gates": [gate.value for gate in decision.closed_gates],
            "narrowed_by": [axis.value for axis in narrowed_by],
            "sample_included": sample.included,
            "sample_key_name": sample.key_name,
        }
        return self._encode("capture", capture)


def _refuse_ungranted(content: ContentOnRecord, verdict: CaptureVerdict) -> None:
    """The last place before bytes that leave: whoever decides has decided before, and this is the second look."""
    granted = verdict.decision.effective_mode
    for part in (content.system_instructions, content.input_messages, content.output_messages):
        if isinstance(part, InlinePart) and not granted.captures_raw_content:
            raise InvalidField("content", "is inline without a grant of raw content")
    if not granted.carries_content:
        raise InvalidField("content", "is there without a grant")


def _content(content: ContentOnRecord) -> Mapping[str, object]:
    instructions = content.system_instructions
    return {
        "capture_id": content.capture_id,
        "capture_kind": content.capture_kind.value,
        "thread_id": content.thread_id,
        "turn_number": content.turn_number,
        "span_is_recording": content.span_is_recording,
        "system_instructions": None if instructions is None else _part(instructions),
        "input_messages": _part(content.input_messages),
        "output_messages": _part(content.output_messages),
    }


def _part(part: PartOnRecord) -> Mapping[str, object]:
    match part:
        case InlinePart(redacted):
            return {
                "disposition": "inline",
                "size_bytes": redacted.size_bytes,
                "sha256": redacted.sha256,
                "inline_bytes": redacted.encoded,
            }
        case ReferencedPart(reference, size_bytes, sha256):
            return {"disposition": "reference", "size_bytes": size_bytes, "sha256": sha256, "reference": reference}
        case OmittedPart(reasons, size_bytes):
            reason = ",".join(reasons)
            return {"disposition": "omitted", "size_bytes": size_bytes, "reason": reason}
        case _:
            assert_never(part)
