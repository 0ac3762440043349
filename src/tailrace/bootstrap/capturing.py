"""What a worker captures content with: one redactor, and for each lane that captures a store and a stage."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, assert_never

from tailrace.adapters.reference_store import ReferenceStore
from tailrace.codec.event_content import ContentReader
from tailrace.codec.record_tail import TailEncoder
from tailrace.codec.schemas import SchemaStore
from tailrace.domain.capture_store import CaptureStore, InlineStore, OmitStore
from tailrace.domain.errors import ConfigurationNeeded, InvalidField
from tailrace.domain.payload import PayloadRedactor
from tailrace.domain.projected import LaneItem
from tailrace.redaction.custom import CustomPattern
from tailrace.redaction.redactor import usual_redactor
from tailrace.runtime.capture_news import CaptureNews
from tailrace.runtime.clock import Clock
from tailrace.runtime.content_stage import ContentStage, CurrentInterrupt
from tailrace.runtime.ports import Log
from tailrace.runtime.record_content import CaptureTools, ContentTerms
from tailrace.runtime.sink_port import Sink
from tailrace.settings import Settings
from tailrace.settings.capture import (
    InlineStoreSettings,
    OmitStoreSettings,
    RedactionSettings,
    ReferenceStoreSettings,
    StoreSettings,
)

PATTERNS_KEY: Final = "capture.redaction.patterns"


def make_redactor(redaction: RedactionSettings) -> PayloadRedactor:
    """Everything that tailrace masks, and what the operator adds. Raises ConfigurationNeeded, naming the key."""
    patterns = []
    for place, written in enumerate(redaction.patterns):
        try:
            patterns.append(CustomPattern(written.category, written.pattern))
        except InvalidField as refused:
            raise ConfigurationNeeded(f"{PATTERNS_KEY}.{place}", refused.problem) from None
    return usual_redactor(patterns, redaction.sensitive_keys)


def make_store(store: StoreSettings, redactor: PayloadRedactor, given_up: Callable[[], bool]) -> CaptureStore:
    """The store of one lane. Raises ConfigurationNeeded if it cannot be made as it is configured."""
    match store:
        case OmitStoreSettings():
            return OmitStore()
        case InlineStoreSettings():
            return InlineStore(redactor)
        case ReferenceStoreSettings():
            return ReferenceStore(
                store.url,
                name=store.name,
                redactor=redactor,
                bound_s=store.bound_s,
                plain_http=store.plain_http,
                given_up=given_up,
            )
        case _:
            assert_never(store)


def capturing_refusal(settings: Settings) -> ConfigurationNeeded | None:
    """Why no worker can capture as these settings say; None if nothing stands in the way. Stores nothing."""
    if not settings.captures:
        return None
    try:
        make_store(settings.capture.store, make_redactor(settings.capture.redaction), lambda: False)
    except ConfigurationNeeded as refusal:
        return refusal
    return None


@dataclass(frozen=True, slots=True)
class Capturing:
    """Puts stages in front of the sinks that may get content."""

    settings: Settings
    schemas: SchemaStore
    redactor: PayloadRedactor | None
    clock: Clock
    logger: Log

    @classmethod
    def of(cls, settings: Settings, schemas: SchemaStore, clock: Clock, logger: Log) -> "Capturing":
        """Raises ConfigurationNeeded for a pattern that is none; makes no redactor that nobody would use."""
        redactor = make_redactor(settings.capture.redaction) if settings.captures else None
        return cls(settings, schemas, redactor, clock, logger)

    def before(self, sink_id: str, sink: Sink[LaneItem]) -> Sink[LaneItem]:
        """`sink` with its stage in front; `sink` itself where it is to get no content."""
        policy = self.settings.content_policy(sink_id)
        if policy is None or self.redactor is None:
            return sink
        interrupt = CurrentInterrupt()
        store = make_store(self.settings.capture.store, self.redactor, interrupt.is_set)
        return ContentStage(
            sink,
            ContentTerms(
                sink=self.settings.sink_spec(sink_id),
                policy=policy,
                payloads_allowed=self.settings.capture.payloads,
            ),
            CaptureTools(
                store=store,
                events=ContentReader(self.schemas, identifiers=self.settings.identifiers.policy),
                tails=TailEncoder(self.schemas),
                new_capture_id=lambda: uuid.uuid4().hex,
            ),
            piece_bytes=self.settings.sinks[sink_id].batch.bytes,
            interrupt=interrupt,
            clock=self.clock,
            news=CaptureNews(sink_id, self.clock, self.logger),
        )
