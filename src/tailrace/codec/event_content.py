"""What a capture needs of an event: its content, and what decides who may get it.

The one place of a worker where the content of an event becomes a value. Only the lane of a sink that may get content
asks for it; the intake never does (docs/PRIVACY.md, The way of a prompt).
"""

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any, Final, TypeVar

from tailrace.codec.decoding import decode_value
from tailrace.codec.event_steps import EventSteps
from tailrace.codec.framing import SchemaIds
from tailrace.codec.reference_walker import Walk, WalkError
from tailrace.codec.schemas import AGENT_EVENT, SchemaStore
from tailrace.domain.capture import EventContent, EventToCapture, ModelCall
from tailrace.domain.capture_policy import ContentSource
from tailrace.domain.capture_store import CaptureKind
from tailrace.domain.errors import SchemaInvalid
from tailrace.domain.identifiers import IdentifierKind, IdentifierPolicy
from tailrace.domain.kinds import EventFamily
from tailrace.domain.privacy import ContentCaptureMode, PrivacyClass, RetentionClass
from tailrace.domain.refs import EntityKind, SourceKind

Symbol = TypeVar("Symbol", bound=StrEnum)

_ABOUT: Final = """
    event_family timestamp run_id agent_id subject_ref source privacy content_capture redaction_policy_id
    provider_id provider_name model_id response_model
""".split()  # noqa: SIM905 - a dozen names read better as prose

_RETENTION: Final = RetentionClass.RUN_SCOPED  # what every record says of itself (`record_layout`)

_ABSENT: Final = b"\x00"  # the null branch, first in every optional field


class ContentReader:
    """Reads events as strictly as the projectors do, from any schema that they read; never raises. Any thread.

    What a record or a store gets of it has its ids as `identifiers` lets them leave; what only decides (run and agent
    of the source) is as the event has it.

    `ids` finds schemas by a registry's id. Raises SchemaInvalid from the constructor when the event schema lacks a
    field that it asks for: schemas and this version of the code do not belong together.
    """

    def __init__(
        self, schemas: SchemaStore, ids: SchemaIds | None = None, *, identifiers: IdentifierPolicy | None = None
    ) -> None:
        self._identifiers = identifiers or IdentifierPolicy()
        self._steps = EventSteps(schemas, ids)
        self._fields = {field.name: (place, field.type) for place, field in enumerate(self._steps.event.fields)}
        missing = sorted({*_ABOUT, "content"} - self._fields.keys())
        if missing:
            raise SchemaInvalid(AGENT_EVENT, missing[0], "missing")

    def read(self, event: bytes) -> EventToCapture | None:
        """The content of an event in its frame, and what decides about it; None if it has none or cannot be read.

        A symbol that this version does not know is None, or the `unknown` of its enum; times are microseconds since
        1970-01-01T00:00:00Z, and the event's own is its `timestamp`. Nothing of the content itself is looked at.
        """
        try:
            step, body_start = self._steps.step_for(event)
            walk = Walk(event, body_start)
            pieces = step.read_fields(walk)
        except WalkError:
            return None
        place, tree = self._fields["content"]
        if walk.position != len(event) or pieces[place] == _ABSENT:
            return None
        about = {name: self._value(name, pieces) for name in _ABOUT}
        shown = self._identifiers.identifier
        content = _content(decode_value(tree, Walk(pieces[place], 0)))
        answered = about["response_model"]
        return EventToCapture(
            source=_source(about),
            content=replace(content, thread_id=shown(IdentifierKind.THREAD, content.thread_id)),
            call=ModelCall(
                provider_name=shown(IdentifierKind.PROVIDER_NAME, about["provider_name"] or ""),
                provider_id=shown(IdentifierKind.PROVIDER, about["provider_id"] or ""),
                request_model=shown(IdentifierKind.MODEL, about["model_id"] or ""),
                response_model=None if answered is None else shown(IdentifierKind.MODEL, answered),
            ),
            redaction_policy_id=shown(IdentifierKind.REDACTION_POLICY, about["redaction_policy_id"]),
        )

    def _value(self, name: str, pieces: list[bytes]) -> Any:
        place, tree = self._fields[name]
        return decode_value(tree, Walk(pieces[place], 0))


def _source(event: Mapping[str, Any]) -> ContentSource:
    return ContentSource(
        run_id=event["run_id"],
        agent_id=event["agent_id"],
        family=_known(EventFamily, event["event_family"]) or EventFamily.UNKNOWN,
        privacy=_known(PrivacyClass, event["privacy"]),
        content_capture=_known(ContentCaptureMode, event["content_capture"]),
        source_kind=_known(SourceKind, event["source"]["kind"]),
        subject_kind=_known(EntityKind, event["subject_ref"]["kind"]),
        retention=_RETENTION,
        event_time_us=event["timestamp"],
    )


def _content(content: Mapping[str, Any]) -> EventContent:
    return EventContent(
        capture_kind=_known(CaptureKind, content["capture_kind"]) or CaptureKind.UNKNOWN,
        thread_id=content["thread_id"],
        turn_number=content["turn_number"],
        span_is_recording=content["span_is_recording"],
        system_instructions=content["system_instructions"],
        input_messages=content["input_messages"],
        output_messages=content["output_messages"],
    )


def _known(symbols: type[Symbol], symbol: str) -> Symbol | None:
    try:
        return symbols(symbol)
    except ValueError:
        return None
