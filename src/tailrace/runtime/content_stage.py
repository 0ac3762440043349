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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from tailrace.domain.projected import LaneItem, ProjectedRecord
from tailrace.runtime.capture_news import CaptureNews
from tailrace.runtime.clock import Clock, Deadline
from tailrace.runtime.ports import Interrupt
from tailrace.runtime.record_content import CaptureTools, ContentTerms, Granted, RecordContent
from tailrace.runtime.sink_port import Accepted, ExportOutcome, Interrupted, Refused, Sink

LONGEST_PIECE_S: Final = 1.0
"""How long the first content of a piece waits for more: what is granted should leave soon, and a slow store must not
keep a whole batch from the sink, and its cursor from moving, until the last capture is done."""


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
    """Records that go to the sink together, as they came and as they leave; by place, what content was granted."""

    begun_s: float
    came: list[LaneItem] = field(default_factory=list)
    leave: list[LaneItem] = field(default_factory=list)
    granted: dict[int, Granted] = field(default_factory=dict)
    size_bytes: int = 0

    def add(self, came: LaneItem, leaves: LaneItem, granted: Granted | None) -> None:
        if granted is not None:
            self.granted[len(self.came)] = granted
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
        self._content = RecordContent(terms, tools, called_off=interrupt.is_set, clock=clock, news=news)
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
            arrived = len(piece.came) if isinstance(outcome, Accepted) else outcome.accepted_records
            self._news.arrived(granted.content for place, granted in piece.granted.items() if place < arrived)
            if not isinstance(outcome, Accepted):
                return replace(outcome, accepted_records=accepted + arrived)
            accepted += arrived
        return Interrupted(accepted) if accepted < len(batch) else Accepted()

    def abandon(self) -> None:
        self._sink.abandon()

    def tend(self) -> None:
        self._sink.tend()

    def close(self, deadline: Deadline) -> None:
        self._news.sum_up()
        self._sink.close(deadline)

    def _pieces(self, batch: Sequence[LaneItem]) -> Iterator[_Piece]:
        """The batch as it leaves, piece by piece; ends early once the caller has given up."""
        piece = _Piece(self._clock.now_s())
        for item in batch:
            if piece.granted and self._clock.now_s() - piece.begun_s >= LONGEST_PIECE_S:
                yield piece
                piece = _Piece(self._clock.now_s())
            leaves, granted = item, None
            if isinstance(item, ProjectedRecord) and item.event is not None:
                if self._interrupt.is_set():
                    return
                leaves, granted = self._content.decide(item, item.event)
            if piece.came and piece.size_bytes + leaves.size_bytes > self._piece_bytes:
                yield piece
                piece = _Piece(self._clock.now_s())
            piece.add(item, leaves, granted)
        yield piece

    def _send(self, piece: _Piece, interrupt: Interrupt) -> ExportOutcome:
        """Export a piece; a record that is refused alone is tried once more without its content."""
        sent = 0
        while True:
            self._take_back(piece, sent)
            outcome = self._sink.export(piece.leave[sent:], interrupt)
            if isinstance(outcome, Accepted):
                return outcome
            sent += outcome.accepted_records
            outcome = replace(outcome, accepted_records=sent)
            if not isinstance(outcome, Refused) or outcome.suspect_records > 1:
                return outcome
            granted, culprit = piece.granted.pop(sent, None), piece.came[sent]
            if granted is None or not isinstance(culprit, ProjectedRecord):
                return outcome
            piece.leave[sent] = self._content.refused(culprit, granted)

    def _take_back(self, piece: _Piece, sent: int) -> None:
        """Take the content off what is about to leave behind the end of its window."""
        for place in [place for place in piece.granted if place >= sent]:
            record = piece.came[place]
            assert isinstance(record, ProjectedRecord)
            closed = self._content.closed_meanwhile(record, piece.granted[place])
            if closed is not None:
                piece.leave[place] = closed
                del piece.granted[place]
