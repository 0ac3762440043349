"""The stage in front of a sink that may get content: decides at export, captures, and puts the answer on the record.

    record without an event ─────────────────────────────────────────────────────────────> as it is
    record with one ── verdict now ── closed ──> another tail, which says why ───────────> without content
                           │ open
                           v
                allow-list, redaction, once ── verdict with the size ── capture store ──> with what it was granted

Everything here runs on the lane's own thread, so that a store that is slow or dead holds up the lanes that capture and
no other. A lane without content has no such stage, and what the intake projected leaves as it is (docs/PRIVACY.md, The
way of a prompt).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from tailrace.domain.capture import Captured, EventToCapture, capture_prepared, prepare_content
from tailrace.domain.capture_policy import SinkContentPolicy
from tailrace.domain.capture_record import ContentOnRecord, content_on_record
from tailrace.domain.capture_store import CaptureStore
from tailrace.domain.capture_verdict import CaptureVerdict, decide_capture
from tailrace.domain.projected import LaneItem, ProjectedRecord
from tailrace.domain.sinks import SinkSpec
from tailrace.runtime.capture_news import CaptureNews
from tailrace.runtime.clock import Clock, Deadline
from tailrace.runtime.ports import Accepted, ExportOutcome, Interrupt, Interrupted, Refused, Sink


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


class CurrentInterrupt:
    """Whether the export under way is given up, for a store that waits. One lane's thread sets it, any may ask."""

    def __init__(self) -> None:
        self._interrupt: Interrupt | None = None

    def follow(self, interrupt: Interrupt) -> None:
        self._interrupt = interrupt

    def is_set(self) -> bool:
        return self._interrupt is not None and self._interrupt.is_set()


@dataclass(slots=True)
class _Piece:
    """Records that go to the sink together, as they came and as they leave."""

    came: list[LaneItem] = field(default_factory=list)
    leave: list[LaneItem] = field(default_factory=list)
    size_bytes: int = 0

    def add(self, came: LaneItem, leaves: LaneItem) -> None:
        self.came.append(came)
        self.leave.append(leaves)
        self.size_bytes += leaves.size_bytes


class ContentStage:
    """A sink in front of another one, by whose records content leaves. Implements the port `Sink`; the lane's thread.

    A record never waits, and is never lost, for its content's sake: whatever goes wrong with the content, the record
    goes on without it, and says why where that is known. One that the sink refuses with content it gets without.
    Records leave in pieces of about `piece_bytes`, since content can make a batch many times as large as it waited.
    """

    def __init__(
        self,
        sink: Sink[LaneItem],
        terms: ContentTerms,
        tools: CaptureTools,
        *,
        piece_bytes: int,
        interrupt: CurrentInterrupt,
        clock: Clock,
        news: CaptureNews,
    ) -> None:
        self._sink = sink
        self._terms = terms
        self._tools = tools
        self._piece_bytes = piece_bytes
        self._interrupt = interrupt
        self._clock = clock
        self._news = news

    def export(self, batch: Sequence[LaneItem], interrupt: Interrupt) -> ExportOutcome:
        self._interrupt.follow(interrupt)
        accepted = 0
        for piece in self._pieces(batch):
            # What a store answered after the caller gave up is no answer, and the batch comes again.
            if interrupt.is_set():
                return Interrupted(accepted)
            outcome = self._send(piece, interrupt)
            if not isinstance(outcome, Accepted):
                return replace(outcome, accepted_records=accepted + outcome.accepted_records)
            accepted += len(piece.came)
        return Interrupted(accepted) if accepted < len(batch) else Accepted()

    def abandon(self) -> None:
        self._sink.abandon()

    def close(self, deadline: Deadline) -> None:
        self._news.sum_up()
        self._sink.close(deadline)

    def _pieces(self, batch: Sequence[LaneItem]) -> Iterator[_Piece]:
        piece = _Piece()
        for item in batch:
            leaves = item
            if isinstance(item, ProjectedRecord) and item.event is not None:
                if self._interrupt.is_set():
                    return
                leaves = self._decided(item, item.event)
            if piece.came and piece.size_bytes + leaves.size_bytes > self._piece_bytes:
                yield piece
                piece = _Piece()
            piece.add(item, leaves)
        yield piece

    def _send(self, piece: _Piece, interrupt: Interrupt) -> ExportOutcome:
        """Export a piece; a record that is refused alone is tried once more as it came, without content."""
        sent = 0
        while True:
            outcome = self._sink.export(piece.leave[sent:], interrupt)
            if isinstance(outcome, Accepted):
                return outcome
            sent += outcome.accepted_records
            outcome = replace(outcome, accepted_records=sent)
            if not isinstance(outcome, Refused) or outcome.suspect_records > 1:
                return outcome
            if piece.leave[sent] is piece.came[sent]:
                return outcome
            self._news.refused_with_content()
            piece.leave[sent] = piece.came[sent]

    # ------------------------------------------------------------------------------------------------ one record

    def _decided(self, record: ProjectedRecord, event: bytes) -> ProjectedRecord:
        to_capture = self._tools.events.read(event)
        if to_capture is None:
            self._news.unreadable()
            return record
        # One byte: if it would get nothing even then, nobody looks at the content.
        verdict = self._verdict(to_capture, requested_bytes=1)
        content = None
        if verdict.carries_content:
            verdict, content = self._captured(to_capture, verdict)
        tail = self._tools.tails.tail(verdict, content, to_capture)
        value = record.prefix + tail
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
        size_bytes = prepared.bytes_within(permitted.part_limit_bytes)
        verdict = self._verdict(event, requested_bytes=size_bytes)
        if not verdict.carries_content:
            return verdict, None
        captured: Captured = capture_prepared(
            self._tools.store,
            prepared,
            event.call,
            part_limit_bytes=verdict.part_limit_bytes,
            new_capture_id=self._tools.new_capture_id,
        )
        self._news.captured(captured)
        # A store may take its time, and the window may have closed in between.
        if not verdict.still_open(self._clock.wall_us()):
            return self._verdict(event, requested_bytes=size_bytes), None
        content = content_on_record(captured, verdict, payloads_allowed=self._terms.payloads_allowed)
        self._news.granted(content)
        return verdict, content
