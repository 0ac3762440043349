"""What leaves with content, what leaves without, and that no record is held up or lost for its content's sake."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from threading import Event
from typing import TypeGuard

import pytest

from tailrace import ContentCaptureMode
from tailrace.domain.capture import EventContent, EventToCapture, OmitReason
from tailrace.domain.capture_gates import CaptureGate
from tailrace.domain.capture_policy import ContentSource
from tailrace.domain.capture_record import ContentOnRecord, InlinePart, OmittedPart, PartOnRecord, ReferencedPart
from tailrace.domain.capture_store import (
    CaptureFailed,
    CaptureResult,
    CaptureStore,
    Inline,
    InlineStore,
    OmitStore,
    PayloadBundle,
    Reference,
    StoreProblem,
)
from tailrace.domain.capture_verdict import CaptureVerdict
from tailrace.domain.kinds import FailureKind, ProjectionKind
from tailrace.domain.payload import NOOP_REDACTOR, RedactionFailed
from tailrace.domain.projected import LaneItem, ProjectedRecord, record_of
from tailrace.runtime.capture_news import REPEAT_S, CaptureNews
from tailrace.runtime.clock import Deadline
from tailrace.runtime.content_stage import LONGEST_PIECE_S, ContentStage, CurrentInterrupt
from tailrace.runtime.ports import Interrupt
from tailrace.runtime.record_content import CaptureTools, ContentTerms
from tailrace.runtime.sink_port import Accepted, ExportOutcome, Interrupted, Refused, Retriable
from tailrace.runtime.store_pause import FIRST_PAUSE_S
from tests.unit.domain.capture_samples import NOW_US, OPEN_POLICY, OPEN_SOURCE, RAW, RAW_SINK
from tests.unit.domain.capture_stores import AnsweringRedactor, MarkingRedactor, ScriptedStore
from tests.unit.domain.test_capture import CALL, CONTENT, PROMPT, said
from tests.unit.runtime.fakes import FakeClock, FakeLog

DOWN = Retriable(0, FailureKind.SINK_UNAVAILABLE, "down")
TOO_LARGE = Refused(0, 1, FailureKind.EXPORT_REJECTED, "too_large")


@dataclass(frozen=True, slots=True)
class Written:
    """What the tail of one record was made of."""

    verdict: CaptureVerdict
    content: ContentOnRecord | None


class Events:
    """Events by their bytes; what is not known cannot be read."""

    def __init__(self) -> None:
        self.known: dict[bytes, EventToCapture] = {}
        self.read_events = 0

    def read(self, event: bytes) -> EventToCapture | None:
        self.read_events += 1
        return self.known.get(event)


class Tails:
    """Tails that are a number, by which a test finds what was to be written."""

    def __init__(self) -> None:
        self.written: list[Written] = []

    def tail(self, verdict: CaptureVerdict, content: ContentOnRecord | None, event: EventToCapture) -> bytes:
        del event
        self.written.append(Written(verdict, content))
        return b"tail%d" % (len(self.written) - 1)


class Destination:
    """Takes everything that it has no answer for, and keeps the very records."""

    def __init__(self) -> None:
        self.arrived: list[LaneItem] = []
        self.pieces: list[int] = []
        self.answers: list[Callable[[Sequence[LaneItem]], ExportOutcome]] = []
        self.abandoned = 0
        self.tended = 0
        self.closed = False

    def export(self, batch: Sequence[LaneItem], interrupt: Interrupt) -> ExportOutcome:
        del interrupt
        self.pieces.append(len(batch))
        outcome = self.answers.pop(0)(batch) if self.answers else Accepted()
        self.arrived += batch if isinstance(outcome, Accepted) else batch[: outcome.accepted_records]
        return outcome

    def abandon(self) -> None:
        self.abandoned += 1

    def tend(self) -> None:
        self.tended += 1

    def close(self, deadline: Deadline) -> None:
        del deadline
        self.closed = True


class Staging:
    """A stage whose every side is open, on a clock that stands at the samples' now."""

    def __init__(
        self,
        store: CaptureStore | None = None,
        *,
        mode: ContentCaptureMode = RAW,
        payloads_allowed: bool = True,
        piece_bytes: int = 1_000_000,
    ) -> None:
        self.store = store or InlineStore(MarkingRedactor())
        self.sink = Destination()
        self.events = Events()
        self.tails = Tails()
        self.clock = FakeClock(NOW_US / 1e6)
        self.log = FakeLog()
        self.interrupt = Event()
        self.current = CurrentInterrupt()
        numbers = count(1)
        self.stage = ContentStage(
            self.sink,
            ContentTerms(
                sink=RAW_SINK.with_content_capture(mode), policy=OPEN_POLICY, payloads_allowed=payloads_allowed
            ),
            CaptureTools(
                store=self.store,
                events=self.events,
                tails=self.tails,
                new_capture_id=lambda: f"capture.{next(numbers)}",
            ),
            piece_bytes=piece_bytes,
            interrupt=self.current,
            clock=self.clock,
            news=CaptureNews("a", self.clock, self.log),
        )

    def record(
        self, offset: int, content: EventContent | None = CONTENT, source: ContentSource = OPEN_SOURCE
    ) -> ProjectedRecord:
        """A record whose event the stage can read, if it has content."""
        event = b"event %d" % offset
        if content is not None:
            self.events.known[event] = EventToCapture(
                source=source, content=content, call=CALL, redaction_policy_id="event's own"
            )
        return plain(offset)._replace(event=event if content is not None else None)

    def export(self, *records: LaneItem) -> ExportOutcome:
        return self.stage.export(records, self.interrupt)

    def sent(self) -> list[Written]:
        """What the tails of the records were made of that are at the sink, all of which came with an event."""
        records = [item for item in self.sink.arrived if isinstance(item, ProjectedRecord)]
        return [self.tails.written[int(record.value.removeprefix(b"prefixtail"))] for record in records]


def plain(offset: int) -> ProjectedRecord:
    return record_of(
        partition=0,
        offset=offset,
        kind=ProjectionKind.PROGRESS,
        run_key="run",
        family="model",
        agent_id="agent",
        key=b"run",
        prefix=b"prefix",
        tail=b"none",
    )


def answering(*outcomes: ExportOutcome) -> list[Callable[[Sequence[LaneItem]], ExportOutcome]]:
    return [lambda _, outcome=outcome: outcome for outcome in outcomes]  # type: ignore[misc]


def test_a_record_without_content_passes_as_the_very_same_object() -> None:
    staging = Staging()
    records = [staging.record(offset, content=None) for offset in range(3)]
    assert staging.export(*records) == Accepted()
    assert all(left is came for left, came in zip(staging.sink.arrived, records, strict=True))
    assert staging.events.read_events == 0


def test_content_leaves_redacted_on_the_record_and_the_event_stays_behind() -> None:
    """Every side open: the prefix as it was, another tail, and nothing of the raw event goes to the sink."""
    staging = Staging()
    assert staging.export(staging.record(0)) == Accepted()
    (left,) = staging.sink.arrived
    assert isinstance(left, ProjectedRecord)
    assert (left.value, left.event) == (b"prefixtail0", None)
    assert left.size_bytes == len(left.key) + len(left.value)
    (written,) = staging.tails.written
    assert written.verdict.decision.effective_mode is RAW
    assert written.content is not None
    assert isinstance(written.content.output_messages, InlinePart)
    (message,) = json.loads(written.content.output_messages.part.encoded)
    assert message["parts"] == [{"type": "<text>", "content": f"<{PROMPT}>"}]


@pytest.mark.parametrize("mode", [mode for mode in ContentCaptureMode if not mode.carries_content])
def test_a_mode_without_content_is_told_and_nothing_is_parsed(mode: ContentCaptureMode) -> None:
    redactor = MarkingRedactor()
    staging = Staging(InlineStore(redactor), mode=mode)
    staging.export(staging.record(0))
    (written,) = staging.tails.written
    assert (written.verdict.decision.effective_mode, written.content) == (mode, None)
    assert redactor.asked == 0


def test_what_holds_is_what_holds_at_export_and_not_what_held_before() -> None:
    """The same record, exported again behind the end of its window, as by a lane that catches up."""
    staging = Staging()
    record = staging.record(0)
    staging.export(record)
    staging.clock.passes(3_600)
    staging.export(record)
    first, second = staging.tails.written
    assert first.content is not None
    assert second.content is None
    assert second.verdict.decision.closed_gates == (CaptureGate.RETENTION,)


def test_a_window_that_closes_while_the_store_takes_its_time_keeps_content_back() -> None:
    def slow(_: PayloadBundle) -> CaptureResult:
        staging.clock.passes(3_600)
        return CaptureResult.all_parts(Inline())

    staging = Staging(ScriptedStore(slow, redactor=MarkingRedactor(), attests=True))
    staging.export(staging.record(0))
    (written,) = staging.tails.written
    assert written.content is None
    assert CaptureGate.RETENTION in written.verdict.decision.closed_gates


def test_content_granted_leaves_soon_or_not_at_all() -> None:
    """A store that takes its time must not carry what was granted first beyond its window: pieces are sent by age, too,
    and what has closed by then is taken back."""

    def slow(_: PayloadBundle) -> CaptureResult:
        staging.clock.passes(LONGEST_PIECE_S * 0.9)
        return CaptureResult.all_parts(Inline())

    staging = Staging(ScriptedStore(slow, redactor=MarkingRedactor(), attests=True))
    staging.clock.passes(3_600 - 3.0)
    records = [staging.record(offset) for offset in range(6)]
    assert staging.export(*records) == Accepted()
    assert staging.sink.pieces == [2, 2, 2]
    sent = staging.sent()
    assert [written.content is not None for written in sent] == [True, True, False, False, False, False]


def test_content_is_taken_back_when_its_window_closes_before_the_next_try() -> None:
    """Between two tries of one piece: the sink takes the first record, refuses the second, and time passes."""
    staging = Staging()

    def refuse_later(_: Sequence[LaneItem]) -> ExportOutcome:
        staging.clock.passes(3_600)
        return replace(TOO_LARGE, accepted_records=1)

    staging.sink.answers = [refuse_later]
    assert staging.export(*[staging.record(offset) for offset in range(3)]) == Accepted()
    sent = staging.sent()
    assert [written.content is not None for written in sent][::2] == [True, False]
    assert sent[2].verdict.decision.closed_gates == (CaptureGate.RETENTION,)


def test_content_that_is_too_large_after_redaction_closes_the_gate_of_size() -> None:
    staging = Staging()
    long = [said(letter * 880) for letter in "xyz"]  # each within the part limit, all together above the event's
    instructions = json.dumps([{"type": "text", "content": "z" * 880}]).encode()
    huge = replace(CONTENT, input_messages=long[0], output_messages=long[1], system_instructions=instructions)
    staging.export(staging.record(0, content=huge))
    (written,) = staging.tails.written
    assert written.content is None
    assert written.verdict.decision.closed_gates == (CaptureGate.BYTE_LIMIT,)


@pytest.mark.parametrize(("mode", "payloads"), [(RAW, False), (ContentCaptureMode.PAYLOAD_REFS, True)])
def test_inline_needs_the_switch_and_the_grant(mode: ContentCaptureMode, *, payloads: bool) -> None:
    staging = Staging(mode=mode, payloads_allowed=payloads)
    staging.export(staging.record(0))
    content = staging.tails.written[0].content
    assert content is not None
    assert isinstance(content.input_messages, OmittedPart)
    assert isinstance(content.output_messages, OmittedPart)


def test_each_attempt_is_a_capture_of_its_own() -> None:
    """A batch that comes again is captured again, under another id, since what is granted may have changed."""
    store = ScriptedStore(lambda _: reference(), redactor=MarkingRedactor())
    staging = Staging(store)
    staging.sink.answers = answering(DOWN)
    record = staging.record(0)
    assert staging.export(record) == DOWN
    assert staging.export(record) == Accepted()
    assert [bundle.capture_id for bundle in store.given] == ["capture.1", "capture.2"]
    content = staging.tails.written[1].content
    assert content is not None
    assert isinstance(content.input_messages, ReferencedPart)


def reference() -> CaptureResult:
    kept = Reference("kept:1")
    return CaptureResult(system_instructions=kept, input_messages=kept, output_messages=kept)


# ------------------------------------------------------------------------------------- nothing is lost for its sake


def test_a_store_that_fails_costs_the_parts_and_says_so_once_a_minute() -> None:
    """However its failures and answers alternate."""
    answers: list[CaptureResult | CaptureFailed] = []
    store = ScriptedStore(lambda _: answers.pop(0), redactor=MarkingRedactor())
    staging = Staging(store)
    for offset in range(6):
        answers.append(CaptureFailed(StoreProblem.RAISED, "OSError") if offset % 2 == 0 else reference())
        assert staging.export(staging.record(offset)) == Accepted()
    assert [line["failed"] for line in staging.log.said("content was not captured")] == [1]
    assert staging.log.said("content capture works again") == []
    staging.clock.passes(REPEAT_S)
    answers.append(reference())
    staging.export(staging.record(6))
    said_of_it = staging.log.said("content was not captured")
    assert {(line["reason"], line["error"]) for line in said_of_it} == {("raised", "OSError")}
    assert [line["failed"] for line in staging.log.said("content capture works again")] == [3]
    assert len(staging.sink.arrived) == 7


def test_a_store_that_does_not_answer_is_left_alone_for_a_while() -> None:
    """Else every record of a batch would wait its whole bound; and longer each time, until it answers."""
    down = CaptureFailed(StoreProblem.TIMED_OUT)
    answers: list[CaptureResult | CaptureFailed] = [down, down, reference(), reference()]
    store = ScriptedStore(lambda _: answers.pop(0), redactor=MarkingRedactor())
    staging = Staging(store)
    asked = []
    for offset, wait_s in enumerate((0.0, FIRST_PAUSE_S - 1, 1.0, 2 * FIRST_PAUSE_S - 1, 1.0, 0.0)):
        staging.clock.passes(wait_s)
        staging.export(staging.record(offset))
        asked.append(len(store.given))
    assert asked == [1, 1, 2, 2, 3, 4]
    contents = [written.content for written in staging.tails.written]
    reasons = [content.input_messages.reasons for content in contents if content and is_omitted(content.input_messages)]
    assert reasons == [(OmitReason.STORE_FAILED,)] * 4
    assert len(contents) == 6


def is_omitted(part: PartOnRecord) -> TypeGuard[OmittedPart]:
    return isinstance(part, OmittedPart)


def test_content_that_nobody_could_redact_is_told_of() -> None:
    staging = Staging(InlineStore(AnsweringRedactor(lambda _: RedactionFailed("detector"))))
    for offset in range(3):
        staging.export(staging.record(offset))
    assert [line["omitted"] for line in staging.log.said("content could not be redacted")] == [3]
    assert {written.content for written in staging.tails.written} == {None}


def test_a_store_that_raises_with_content_in_its_text_is_logged_without_it() -> None:
    def raising(_: PayloadBundle) -> CaptureResult:
        raise ValueError(PROMPT)

    staging = Staging(ScriptedStore(raising, redactor=MarkingRedactor()))
    staging.export(staging.record(0))
    assert PROMPT not in repr(staging.log.lines)
    assert staging.log.said("content was not captured")[0]["error"] == "ValueError"


def test_a_store_that_vouches_for_a_noop_redactor_is_warned_of_once_and_stays_out() -> None:
    store = ScriptedStore(lambda _: CaptureResult.all_parts(Inline()), redactor=NOOP_REDACTOR, attests=True)
    staging = Staging(store)
    staging.export(staging.record(0), staging.record(1))
    warnings = staging.log.said("a capture store vouches")
    assert [(line["level"], line["detail"]) for line in warnings] == [("warning", "ScriptedStore")]
    for written in staging.tails.written:
        assert written.content is not None
        assert isinstance(written.content.input_messages, OmittedPart)


def test_an_event_that_cannot_be_read_leaves_its_record_as_it_was() -> None:
    staging = Staging()
    record = staging.record(0)
    staging.events.known.clear()
    assert staging.export(record, record) == Accepted()
    assert [item.value for item in staging.sink.arrived if isinstance(item, ProjectedRecord)] == [b"prefixnone"] * 2
    assert len(staging.log.said("content of an event could not be read")) == 1


def test_a_record_that_is_refused_with_content_is_sent_without() -> None:
    staging = Staging()
    staging.sink.answers = [
        lambda batch: replace(TOO_LARGE, accepted_records=next(i for i, r in enumerate(batch) if has_content(r)))
    ]
    records = [staging.record(0, content=None), staging.record(1), staging.record(2, content=None)]
    assert staging.export(*records) == Accepted()
    values = [item.value for item in staging.sink.arrived if isinstance(item, ProjectedRecord)]
    assert values == [b"prefixnone", b"prefixtail1", b"prefixnone"]
    content = staging.tails.written[1].content
    assert content is not None
    assert content.output_messages == OmittedPart((OmitReason.SINK_REFUSED,), len(inlined(staging.tails.written[0])))
    assert staging.tails.written[1].verdict == staging.tails.written[0].verdict
    assert len(staging.log.said("the sink refused a record with content")) == 1


def inlined(written: Written) -> bytes:
    assert written.content is not None
    assert isinstance(written.content.output_messages, InlinePart)
    return written.content.output_messages.part.encoded


def has_content(item: LaneItem) -> bool:
    return isinstance(item, ProjectedRecord) and item.value.startswith(b"prefixtail")


def test_a_record_that_is_refused_without_content_too_is_refused() -> None:
    staging = Staging()
    staging.sink.answers = answering(replace(TOO_LARGE, accepted_records=1), TOO_LARGE)
    outcome = staging.export(staging.record(0, content=None), staging.record(1))
    assert outcome == replace(TOO_LARGE, accepted_records=1)
    assert staging.sink.pieces == [2, 1]


def test_several_suspects_are_left_to_the_exporter_that_searches_by_halves() -> None:
    staging = Staging()
    suspects = replace(TOO_LARGE, suspect_records=2)
    staging.sink.answers = answering(suspects)
    assert staging.export(staging.record(0), staging.record(1)) == suspects


def test_a_batch_leaves_in_pieces_and_what_arrived_is_counted_over_all_of_them() -> None:
    staging = Staging(piece_bytes=30)
    records = [staging.record(offset) for offset in range(5)]
    staging.sink.answers = answering(Accepted(), replace(DOWN, accepted_records=1))
    assert staging.export(*records) == replace(DOWN, accepted_records=3)
    assert staging.sink.pieces == [2, 2]
    assert len(staging.sink.arrived) == 3


def test_a_record_larger_than_a_piece_goes_alone() -> None:
    staging = Staging(piece_bytes=1)
    assert staging.export(*[staging.record(offset) for offset in range(3)]) == Accepted()
    assert staging.sink.pieces == [1, 1, 1]


# ------------------------------------------------------------------------------------------------------- giving up


def test_an_export_that_is_given_up_during_a_capture_sends_nothing_more() -> None:
    """The store hangs, somebody needs the partition: what came before is counted, the rest comes again."""

    def hanging(bundle: PayloadBundle) -> CaptureResult | CaptureFailed:
        if bundle.capture_id == "capture.4":
            staging.interrupt.set()
            assert staging.current.is_set()
            return CaptureFailed(StoreProblem.TIMED_OUT)
        return reference()

    staging = Staging(ScriptedStore(hanging, redactor=MarkingRedactor()), piece_bytes=30)
    records = [staging.record(offset) for offset in range(6)]
    assert staging.export(*records) == Interrupted(2)
    assert len(staging.sink.arrived) == 2
    # That capture ended because nobody waited: no failure of the store, and no pause for the next export.
    assert staging.log.said("content was not captured") == []
    staging.interrupt.clear()
    staging.export(records[2])
    assert isinstance(staging.store, ScriptedStore)
    assert len(staging.store.given) == 5


def test_an_export_given_up_by_the_sink_is_passed_on() -> None:
    staging = Staging()
    staging.sink.answers = answering(Interrupted(1))
    assert staging.export(staging.record(0), staging.record(1)) == Interrupted(1)


def test_what_is_asked_of_the_stage_reaches_the_sink() -> None:
    staging = Staging(OmitStore())
    staging.export(staging.record(0))
    staging.stage.abandon()
    staging.stage.tend()
    staging.stage.close(Deadline.after(staging.clock, 1.0))
    assert (staging.sink.abandoned, staging.sink.tended, staging.sink.closed) == (1, 1, True)
    (summary,) = staging.log.said("content summary")
    assert (summary["inline"], summary["references"], summary["omitted"], summary["failed"]) == (0, 0, 3, 0)


def test_what_is_summed_up_is_what_arrived() -> None:
    """And not what was tried: two of three tries fail."""
    staging = Staging()
    staging.sink.answers = answering(DOWN, DOWN)
    for _ in range(3):
        staging.export(staging.record(0))
    staging.stage.close(Deadline.after(staging.clock, 1.0))
    assert staging.log.said("content summary")[0]["inline"] == 3
