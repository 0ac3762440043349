"""A batch arrives in order and once; what does not arrive waits again in front, or is accounted for."""

from collections.abc import Sequence
from threading import Event

import pytest

from tailrace.domain.kinds import FailureKind, SinkKind
from tailrace.domain.ledger import LaneIdentity
from tailrace.domain.projected import LaneItem
from tailrace.runtime.cursor_track import CursorTrack
from tailrace.runtime.exporter import Attempt, BatchLimits, Exporter
from tailrace.runtime.feed import Feed
from tailrace.runtime.offers import DeadLetterSorting
from tailrace.runtime.ports import Interrupt, RefusedRecord, StoredCursor
from tailrace.runtime.sink_port import Accepted, ExportOutcome, Interrupted, Refused, Retriable
from tests.unit.runtime.fakes import POISON, PROGRESS, THREE, FakeLedger, FakeSink, FakeTicket, Mood, offer, projected
from tests.unit.runtime.stage import feed_of

LANE = LaneIdentity(sink_id="a", sink_kind=SinkKind.TEST, start_id="start")
DOWN = Retriable(0, FailureKind.SINK_UNAVAILABLE, "down")


def answer(outcome: ExportOutcome) -> Mood:
    return lambda batch, interrupt: outcome


class FakeLetters:
    """Takes letters until it is full."""

    def __init__(self, room: int = 100) -> None:
        self.room = room
        self.letters: list[RefusedRecord] = []
        self.tickets: list[FakeTicket] = []

    def submit(self, letter: RefusedRecord) -> FakeTicket | None:
        if len(self.letters) == self.room:
            return None
        self.letters.append(letter)
        self.tickets.append(FakeTicket())
        return self.tickets[-1]


class Choosy(FakeSink):
    """Refuses some offsets for ever, and names the culprit, or only how many records it is among."""

    def __init__(self, *refused: int, names: bool) -> None:
        super().__init__()
        self._refused = set(refused)
        self._names = names

    def export(self, batch: Sequence[LaneItem], interrupt: Interrupt) -> ExportOutcome:
        culprit = next((index for index, item in enumerate(batch) if item.offset in self._refused), None)
        if culprit is not None:
            accepted, suspects = (culprit, 1) if self._names else (0, len(batch))
            self.moods.append(answer(Refused(accepted, suspects, FailureKind.EXPORT_REJECTED, "too_large")))
        return super().export(batch, interrupt)


class Exporting:
    """An exporter over a feed on which eight or more events wait."""

    def __init__(
        self,
        sink: FakeSink | None = None,
        *,
        events: int = 8,
        value: bytes = PROGRESS,
        limits: BatchLimits | None = None,
        letters: FakeLetters | None = None,
        feed: Feed | None = None,
    ) -> None:
        self.sink = sink or FakeSink()
        self.feed = feed or feed_of(capacity=1_000)
        self.track = CursorTrack(FakeLedger())
        self.letters = letters
        self.interrupt = Event()
        self.track.begin(0, 1, StoredCursor(0, 0, 0, None), [])
        self.feed.begin(0, 0)
        self.feed.attach(0, 1, 0, 0.0)
        self.feed.offer(offer(0, 0, events, value), 0.0)
        self._exporter = Exporter(
            sink_id="a",
            sink=self.sink,
            feed=self.feed,
            track=self.track,
            limits=limits or BatchLimits(100, 1_000_000),
            dead_letters=letters,
        )

    def attempt(self, *outcomes: ExportOutcome, mood: Mood | None = None) -> Attempt:
        """Export a batch to a sink that answers like this, and takes everything once it has."""
        self.sink.moods.extend(answer(outcome) for outcome in outcomes)
        if mood is not None:
            self.sink.moods.append(mood)
        return self._exporter.attempt(self.interrupt)

    @property
    def arrived(self) -> list[int]:
        return self.sink.offsets(0)

    @property
    def waiting(self) -> int:
        return self.feed.waiting().records

    def cursor(self) -> int:
        """How far the cursor comes once the ledger has all that it wants."""
        for step in self.feed.settle():
            self.track.add(step.partition, step.tag, step.cursor, [])
        self.track.pump()
        return self.track.cleared()[0].next_offset

    def missed(self) -> list[tuple[FailureKind, str, int, int]]:
        return [
            (missed.reason, missed.detail, run.first_offset, run.last_offset)
            for step in self.feed.settle()
            for missed in step.missed
            for run in missed.runs
        ]


class TestABatch:
    def test_what_arrived_has_left_the_feed(self) -> None:
        """And the cursor may pass it."""
        exporting = Exporting()
        attempt = exporting.attempt()
        assert (attempt.exported, attempt.failure, attempt.gave_up, attempt.written_off) == (8, None, False, ())
        assert attempt.last is not None
        assert attempt.last.offset == 7
        assert attempt.moved
        assert exporting.arrived == list(range(8))
        assert (exporting.waiting, exporting.cursor()) == (0, 8)

    def test_with_nothing_to_export_the_sink_is_left_alone(self) -> None:
        """And nothing is said of it."""
        exporting = Exporting(events=0)
        attempt = exporting.attempt()
        assert attempt == Attempt()
        assert not attempt.moved
        assert exporting.sink.batches == []

    def test_a_batch_is_no_larger_than_its_limits_and_splits_no_event(self) -> None:
        """By records as by bytes; an event that is larger goes alone."""
        one = projected(0, 0, THREE)
        assert isinstance(one, tuple)
        by_records = Exporting(value=THREE, limits=BatchLimits(6, 1_000_000))
        by_bytes = Exporting(value=THREE, limits=BatchLimits(100, 6 * one[0].size_bytes))
        for exporting in (by_records, by_bytes):
            while exporting.waiting:
                exporting.attempt()
            assert exporting.sink.batches == [6, 6, 6, 6]
        alone = Exporting(value=THREE, limits=BatchLimits(2, 1_000_000))
        alone.attempt()
        assert alone.sink.batches == [3]

    def test_a_bug_in_the_sink_leaves_no_batch_open(self) -> None:
        """The records wait again, in front, for whoever comes next."""
        exporting = Exporting()

        def broken(batch: Sequence[LaneItem], interrupt: Interrupt) -> ExportOutcome:
            raise ValueError

        with pytest.raises(ValueError, match=r"^$"):
            exporting.attempt(mood=broken)
        assert not exporting.feed.under_way([0])
        exporting.attempt()
        assert exporting.arrived == list(range(8))


class TestATemporaryFailure:
    @pytest.mark.parametrize("accepted", [0, 1, 5, 7])
    def test_what_was_taken_is_not_sent_again_and_the_rest_is(self, accepted: int) -> None:
        """From the first record that the sink does not have."""
        exporting = Exporting()
        attempt = exporting.attempt(Retriable(accepted, FailureKind.SINK_UNAVAILABLE, "down", 7.5))
        assert attempt.exported == accepted
        assert attempt.moved is (accepted > 0)
        assert (attempt.last.offset if attempt.last else -1) == accepted - 1
        assert attempt.failure is not None
        assert attempt.failure.item.offset == accepted
        assert (attempt.failure.kind, attempt.failure.detail) == (FailureKind.SINK_UNAVAILABLE, "down")
        assert attempt.failure.retry_after_s == 7.5
        assert exporting.cursor() == accepted
        exporting.attempt()
        assert exporting.arrived == list(range(8))
        assert exporting.sink.batches == [8, 8 - accepted]

    def test_it_is_not_tried_again_at_once(self) -> None:
        """How long to wait is the lane's to say."""
        exporting = Exporting()
        exporting.attempt(DOWN)
        assert exporting.sink.batches == [8]

    def test_nothing_is_missed_over_it(self) -> None:
        """However often."""
        exporting = Exporting(letters=FakeLetters())
        for _ in range(5):
            exporting.attempt(DOWN)
        assert exporting.missed() == []
        assert exporting.letters is not None
        assert exporting.letters.letters == []


class TestAnInterrupt:
    @pytest.mark.parametrize("accepted", [0, 3])
    def test_the_sink_forgets_what_is_on_its_way_and_the_lane_does_not(self, accepted: int) -> None:
        """What is not known to be there goes again."""
        exporting = Exporting()
        attempt = exporting.attempt(Interrupted(accepted))
        assert (attempt.exported, attempt.gave_up, attempt.failure) == (accepted, True, None)
        assert exporting.sink.abandoned == 1
        exporting.attempt()
        assert exporting.arrived == list(range(8))

    def test_the_sink_is_handed_the_lanes_interrupt(self) -> None:
        """Or nobody could reach it while it waits."""
        exporting = Exporting()
        seen: list[Interrupt] = []

        def mood(batch: Sequence[LaneItem], interrupt: Interrupt) -> ExportOutcome:
            seen.append(interrupt)
            return Accepted()

        exporting.attempt(mood=mood)
        assert seen == [exporting.interrupt]

    def test_nothing_else_makes_the_sink_forget(self) -> None:
        """It has answered for every record itself."""
        exporting = Exporting(Choosy(3, names=True))
        exporting.attempt()
        exporting.attempt(DOWN)
        assert exporting.sink.abandoned == 0


class TestARefusedRecord:
    @pytest.mark.parametrize("names", [True, False], ids=["culprit named", "culprit among all"])
    @pytest.mark.parametrize("refused", [(0,), (3,), (7,), (0, 7), (3, 4), (1, 3, 6), tuple(range(8))])
    def test_it_is_found_and_written_off_and_all_others_arrive(self, refused: tuple[int, ...], names: bool) -> None:
        """In one attempt, in order and once."""
        exporting = Exporting(Choosy(*refused, names=names), letters=FakeLetters())
        attempt = exporting.attempt()
        there = [offset for offset in range(8) if offset not in refused]
        assert exporting.arrived == there
        assert attempt.exported == len(there)
        assert (attempt.last.offset if attempt.last else None) == (there[-1] if there else None)
        assert attempt.failure is None
        assert attempt.moved
        assert [(off.item.offset, off.kind, off.detail) for off in attempt.written_off] == [
            (offset, FailureKind.EXPORT_REJECTED, "too_large") for offset in refused
        ]
        assert exporting.letters is not None
        assert [(letter.sink_id, letter.record.offset, letter.detail) for letter in exporting.letters.letters] == [
            ("a", offset, "too_large") for offset in refused
        ]
        assert exporting.waiting == 0

    def test_it_is_a_gap_with_the_sinks_own_reason(self) -> None:
        """Exactly that record."""
        exporting = Exporting(Choosy(3, names=False))
        exporting.attempt()
        assert exporting.missed() == [(FailureKind.EXPORT_REJECTED, "too_large", 3, 3)]

    def test_it_is_found_by_halving_and_the_rest_goes_in_growing_pieces(self) -> None:
        """Two to the power of the pieces, and not one by one: a batch may have thousands."""
        exporting = Exporting(Choosy(5, names=False), events=20)
        exporting.attempt()
        assert exporting.sink.batches == [20, 10, 5, 2, 1, 1, 2, 4, 7]

    def test_a_row_of_them_takes_one_export_each(self) -> None:
        """A sink that has come to refuse everything is not sent the whole rest over and over."""
        exporting = Exporting(Choosy(*range(2, 18), names=False), events=20)
        attempt = exporting.attempt()
        assert [off.item.offset for off in attempt.written_off] == list(range(2, 18))
        assert exporting.sink.batches == [20, 10, 5, 2, 1, *[1] * 15, 1, 1]
        assert exporting.arrived == [0, 1, 18, 19]

    def test_what_was_not_suspected_is_not_taken_apart(self) -> None:
        """The sink says that it is among the next two after the first four."""
        exporting = Exporting()
        exporting.attempt(
            Refused(4, 2, FailureKind.EXPORT_REJECTED, "too_large"),
            Accepted(),
            Refused(0, 1, FailureKind.EXPORT_REJECTED, "too_large"),
        )
        assert exporting.sink.batches == [8, 1, 1, 1, 1]
        assert exporting.arrived == [0, 1, 2, 3, 4, 6, 7]

    def test_a_suspicion_that_comes_to_nothing_ends(self) -> None:
        """Every piece was taken after all; the rest goes as a whole."""
        exporting = Exporting()
        attempt = exporting.attempt(Refused(0, 4, FailureKind.EXPORT_REJECTED, "too_large"))
        assert exporting.sink.batches == [8, 2, 1, 1, 4]
        assert (attempt.exported, attempt.written_off) == (8, ())

    def test_a_sink_that_goes_down_on_the_way_keeps_what_it_has(self) -> None:
        """And what was written off stays so; the rest waits."""
        exporting = Exporting()
        attempt = exporting.attempt(Refused(3, 1, FailureKind.EXPORT_REJECTED, "too_large"), DOWN)
        assert (attempt.exported, len(attempt.written_off)) == (3, 1)
        assert attempt.failure is not None
        assert attempt.failure.item.offset == 4
        exporting.attempt()
        assert exporting.arrived == [0, 1, 2, 4, 5, 6, 7]

    def test_a_record_that_is_written_off_is_a_move_though_nothing_arrived(self) -> None:
        """The lane has got on, and need not wait for anything."""
        exporting = Exporting(Choosy(0, names=True), events=1)
        assert exporting.attempt().moved


class TestLetters:
    def test_the_cursor_passes_a_record_only_after_its_letter_is_durable(self) -> None:
        """A crash in between would leave neither the record nor the letter."""
        exporting = Exporting(Choosy(3, names=True), letters=FakeLetters())
        exporting.attempt()
        assert exporting.cursor() == 0
        assert exporting.letters is not None
        exporting.letters.tickets[0].acknowledged = True
        assert exporting.cursor() == 8

    def test_a_letter_that_finds_no_room_keeps_its_record_in_front(self) -> None:
        """What came before it has arrived; it is refused again, and written off then."""
        letters = FakeLetters(room=0)
        exporting = Exporting(Choosy(3, names=True), letters=letters)
        attempt = exporting.attempt()
        assert (attempt.exported, attempt.written_off) == (3, ())
        assert attempt.failure is not None
        assert (attempt.failure.item.offset, attempt.failure.detail) == (3, "dead_letter_queue_full")
        assert attempt.failure.kind is FailureKind.EXPORT_REJECTED
        assert exporting.missed() == []
        letters.room = 1
        assert [off.item.offset for off in exporting.attempt().written_off] == [3]
        assert exporting.arrived == [0, 1, 2, 4, 5, 6, 7]

    def test_without_a_place_for_letters_the_gap_is_all_there_is(self) -> None:
        """Nobody asked for them to be kept."""
        exporting = Exporting(Choosy(3, names=True))
        exporting.attempt()
        assert exporting.missed() == [(FailureKind.EXPORT_REJECTED, "too_large", 3, 3)]

    def test_a_letter_that_is_refused_makes_no_letter(self) -> None:
        """The lane of the letters would go on writing of itself for ever."""
        feed = feed_of(DeadLetterSorting(), capacity=100)
        letters = FakeLetters()
        exporting = Exporting(Choosy(3, names=True), value=POISON, feed=feed, letters=letters)
        attempt = exporting.attempt()
        assert [off.item for off in attempt.written_off] == [projected(0, 3, POISON)]
        assert letters.letters == []
        assert exporting.missed() == [(FailureKind.EXPORT_REJECTED, "too_large", 3, 3)]
