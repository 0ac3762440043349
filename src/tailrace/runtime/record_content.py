"""What one record gets of its event's content: the verdict as of now, redaction, one capture, and another tail."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from tailrace.domain.capture import (
    Captured,
    EventToCapture,
    OmitReason,
    PreparedContent,
    capture_prepared,
    capture_skipped,
    prepare_content,
)
from tailrace.domain.capture_policy import SinkContentPolicy
from tailrace.domain.capture_record import ContentOnRecord, content_left_out, content_on_record
from tailrace.domain.capture_store import CaptureStore
from tailrace.domain.capture_verdict import CaptureVerdict, decide_capture
from tailrace.domain.projected import ProjectedRecord
from tailrace.domain.sinks import SinkSpec
from tailrace.runtime.capture_news import CaptureNews
from tailrace.runtime.clock import Clock
from tailrace.runtime.store_pause import StorePause


class EventReader(Protocol):
    """Reads what a capture needs out of an event."""

    def read(self, event: bytes) -> EventToCapture | None:
        """The event's content as it was sent, and what decides about it; None if it has none or cannot be read."""
        ...


class TailWriter(Protocol):
    """Writes the fields of a record that depend on its sink."""

    def tail(self, verdict: CaptureVerdict, content: ContentOnRecord | None, event: EventToCapture) -> bytes:
        """What follows a record's prefix for a sink with this verdict."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentTerms:
    """Under which terms one sink gets content: what it declares, what it is allowed, and the operator's switch."""

    sink: SinkSpec
    policy: SinkContentPolicy
    payloads_allowed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureTools:
    """What a stage works with. The store is the lane's own; `new_capture_id` is asked once per attempt."""

    store: CaptureStore
    events: EventReader
    tails: TailWriter
    new_capture_id: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Granted:
    """What a record has been given, until it has left: it may have to be taken back."""

    verdict: CaptureVerdict
    content: ContentOnRecord = field(repr=False)
    event: EventToCapture


class RecordContent:
    """Decides about one record after the other. The lane's thread; `called_off` says that nobody waits any more."""

    def __init__(
        self,
        terms: ContentTerms,
        tools: CaptureTools,
        *,
        called_off: Callable[[], bool],
        clock: Clock,
        news: CaptureNews,
    ) -> None:
        self._terms = terms
        self._tools = tools
        self._called_off = called_off
        self._clock = clock
        self._news = news
        self._pause = StorePause(clock)

    def decide(self, record: ProjectedRecord, event: bytes) -> tuple[ProjectedRecord, Granted | None]:
        """The record as its sink may have it now, and what it was granted, if anything."""
        to_capture = self._tools.events.read(event)
        if to_capture is None:
            self._news.unreadable()
            return record, None
        # One byte: if it would get nothing even then, nobody looks at the content.
        verdict = self._verdict(to_capture, requested_bytes=1)
        content = None
        if verdict.carries_content:
            verdict, content = self._captured(to_capture, verdict)
        left = self._with_tail(record, verdict, content, to_capture)
        return left, None if content is None else Granted(verdict, content, to_capture)

    def closed_meanwhile(self, record: ProjectedRecord, granted: Granted) -> ProjectedRecord | None:
        """The record without what it was granted, if that may leave no more; None while it still may."""
        if granted.verdict.still_open(self._clock.wall_us()):
            return None
        verdict = self._verdict(granted.event, requested_bytes=1)
        return None if verdict.carries_content else self._with_tail(record, verdict, None, granted.event)

    def refused(self, record: ProjectedRecord, granted: Granted) -> ProjectedRecord:
        """The record with every part left out, because the sink would not take it with them."""
        self._news.refused_with_content()
        content = content_left_out(granted.content, OmitReason.SINK_REFUSED)
        return self._with_tail(record, granted.verdict, content, granted.event)

    def _with_tail(
        self, record: ProjectedRecord, verdict: CaptureVerdict, content: ContentOnRecord | None, event: EventToCapture
    ) -> ProjectedRecord:
        value = record.prefix + self._tools.tails.tail(verdict, content, event)
        return record._replace(value=value, event=None, size_bytes=len(record.key) + len(value))

    def _verdict(self, event: EventToCapture, *, requested_bytes: int) -> CaptureVerdict:
        terms = self._terms
        return decide_capture(
            event.source, terms.sink, terms.policy, now_us=self._clock.wall_us(), requested_bytes=requested_bytes
        )

    def _captured(
        self, event: EventToCapture, permitted: CaptureVerdict
    ) -> tuple[CaptureVerdict, ContentOnRecord | None]:
        prepared = prepare_content(event.content, self._tools.store)
        self._news.prepared(prepared)
        size_bytes = prepared.bytes_within(permitted.part_limit_bytes)
        verdict = self._verdict(event, requested_bytes=size_bytes)
        if not verdict.carries_content:
            return verdict, None
        captured = self._attempt(prepared, event, verdict.part_limit_bytes)
        # A store may take its time, and the window may have closed in between.
        if not verdict.still_open(self._clock.wall_us()):
            return self._verdict(event, requested_bytes=size_bytes), None
        return verdict, content_on_record(captured, verdict, payloads_allowed=self._terms.payloads_allowed)

    def _attempt(self, prepared: PreparedContent, event: EventToCapture, part_limit_bytes: int) -> Captured:
        capture_id = self._tools.new_capture_id
        if (problem := self._pause.problem) is not None:
            return capture_skipped(prepared, problem, part_limit_bytes=part_limit_bytes, new_capture_id=capture_id)
        captured = capture_prepared(
            self._tools.store, prepared, event.call, part_limit_bytes=part_limit_bytes, new_capture_id=capture_id
        )
        if not self._called_off():  # else that is why it failed, and the record comes again
            self._pause.answered(captured.result)
            self._news.captured(captured)
        return captured
