"""What each sink's record would hold of one event's content now, by the functions that decide it in a worker.

Nothing is written anywhere: a reference store is stood in for by one that only names what it would keep. What comes out
is redacted, or is not there (docs/PRIVACY.md, The way of a prompt).
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tailrace.adapters.reference_store import reference_to
from tailrace.codec.event_content import ContentReader
from tailrace.codec.reference_projector import ReferenceProjector
from tailrace.codec.schemas import SchemaStore
from tailrace.domain.capture import EventToCapture, capture_prepared, prepare_content
from tailrace.domain.capture_record import ContentOnRecord, content_on_record
from tailrace.domain.capture_store import (
    CaptureResult,
    CaptureStore,
    InlineStore,
    Omit,
    OmitStore,
    PayloadBundle,
    Reference,
)
from tailrace.domain.capture_verdict import CaptureVerdict, decide_capture
from tailrace.domain.payload import PayloadRedactor, RedactedPart
from tailrace.domain.projected import ProjectedRecord, Undecodable
from tailrace.settings import Settings
from tailrace.settings.capture import ReferenceStoreSettings


@dataclass(frozen=True, slots=True)
class NoContent:
    """The event can be read, and carries no content: there is nothing to decide."""


@dataclass(frozen=True, slots=True)
class CarriesContent:
    """An event with content, and the first of its records: the one that content goes with."""

    event: EventToCapture
    record: ProjectedRecord


EventRead = CarriesContent | NoContent | Undecodable


def read_event(value: bytes, settings: Settings, schemas: SchemaStore) -> EventRead:
    """The value of a message as a worker reads it. Never raises; no outcome shows content."""
    identifiers = settings.identifiers.policy
    projector = ReferenceProjector(
        settings.events.topic,
        schemas,
        max_event_bytes=settings.events.max_event_bytes,
        keep_content=True,
        identifiers=identifiers,
    )
    projected = projector.project(0, 0, None, value)
    if isinstance(projected, Undecodable):
        return projected
    first = projected[0]
    event = None if first.event is None else ContentReader(schemas, identifiers=identifiers).read(first.event)
    return NoContent() if event is None else CarriesContent(event, first)


@dataclass(frozen=True, slots=True)
class SinkPreview:
    """The decision for one sink, and what its record would hold; None without content.

    `selected` says whether the sink selects the record that content goes with: if not, it gets none, whatever the
    decision. `parts_left_out` counts message parts that the allow-list keeps back. `kept` has, by reference, the
    redacted parts that a store would keep; none over a redactor that masks nothing, whose parts are raw.
    """

    verdict: CaptureVerdict
    content: ContentOnRecord | None
    parts_left_out: int
    selected: bool
    kept: Mapping[str, RedactedPart] = field(default_factory=lambda: MappingProxyType({}))


def preview(
    found: CarriesContent, settings: Settings, sink_id: str, redactor: PayloadRedactor, now_us: int
) -> SinkPreview | None:
    """What a worker would do for this sink at `now_us`; None for a sink whose mode is off."""
    policy = settings.content_policy(sink_id)
    if policy is None:
        return None
    event, spec = found.event, settings.sink_spec(sink_id)
    selected = settings.sinks[sink_id].selection.rule().admits(found.record)
    verdict = decide_capture(event.source, spec, policy, now_us=now_us, requested_bytes=1)
    if not verdict.carries_content:
        return SinkPreview(verdict, None, 0, selected)
    store = preview_store(settings, redactor)
    prepared = prepare_content(event.content, store)
    size_bytes = prepared.bytes_within(verdict.part_limit_bytes)
    verdict = decide_capture(event.source, spec, policy, now_us=now_us, requested_bytes=size_bytes)
    if not verdict.carries_content:
        return SinkPreview(verdict, None, prepared.parts_left_out, selected)
    captured = capture_prepared(
        store,
        prepared,
        event.call,
        part_limit_bytes=verdict.part_limit_bytes,
        new_capture_id=lambda: uuid.uuid4().hex,
    )
    content = content_on_record(captured, verdict, payloads_allowed=settings.capture.payloads)
    kept = store.kept if isinstance(store, _NamesOnly) and not redactor.is_noop else {}
    return SinkPreview(verdict, content, prepared.parts_left_out, selected, kept)


def preview_store(settings: Settings, redactor: PayloadRedactor) -> CaptureStore:
    """A store that decides as the configured one, and keeps nothing."""
    store = settings.capture.store
    if isinstance(store, ReferenceStoreSettings):
        return _NamesOnly(store.name, redactor)
    return InlineStore(redactor) if store.kind == "inline" else OmitStore()


class _NamesOnly(CaptureStore):
    """Says of every part where a reference store would keep it, and remembers which it was."""

    def __init__(self, name: str, redactor: PayloadRedactor) -> None:
        self._name = name
        self._redactor = redactor
        self.kept: dict[str, RedactedPart] = {}

    def capture(self, bundle: PayloadBundle) -> CaptureResult:
        return CaptureResult(
            system_instructions=self._named(bundle.system_instructions),
            input_messages=self._named(bundle.input_messages),
            output_messages=self._named(bundle.output_messages),
        )

    def redactor(self) -> PayloadRedactor:
        return self._redactor

    def _named(self, part: RedactedPart | None) -> Reference | Omit:
        if part is None:
            return Omit()
        named = reference_to(self._name, part)
        self.kept[named.reference] = part
        return named
