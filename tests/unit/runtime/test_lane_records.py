"""What a lane says of itself is exact, is said once, and survives a ledger that has no room for it now."""

from collections.abc import Sequence

import pytest

from tailrace.domain.gap_book import Missed
from tailrace.domain.kinds import FailureKind, OverflowPolicy, ProjectionKind, SinkKind
from tailrace.domain.ledger import (
    CursorOrigin,
    ExportMark,
    Gap,
    GapRun,
    LaneIdentity,
    LaneStarted,
    SinkFailed,
    SinkRecovered,
)
from tailrace.domain.projected import LaneItem
from tailrace.domain.selection import Selection
from tailrace.domain.sink_state import SinkState
from tailrace.runtime.attachment import LaneFacts
from tailrace.runtime.cursor_track import CursorTrack
from tailrace.runtime.exporter import Attempt, Failure, WrittenOff
from tailrace.runtime.feed import Feed
from tailrace.runtime.lane_records import RUNS_PER_GAP, UNWRITTEN_ENTRIES, Intervals, LaneRecords
from tailrace.runtime.offers import Offer, RecordSorting
from tailrace.runtime.place import Step
from tailrace.runtime.ports import StoredCursor
from tests.unit.runtime.fakes import POISON, PROGRESS, TERMINAL, THREE, FakeClock, FakeLedger, FakeLog, offer, projected
from tests.unit.runtime.stage import feed_of

MARK_S, REMINDER_S = 10.0, 60.0
LANE = LaneIdentity(sink_id="a", sink_kind=SinkKind.TEST, start_id="start")
TERMINALS_ONLY = RecordSorting(Selection(kinds=frozenset({ProjectionKind.RUN_TERMINAL})))


def item(offset: int, value: bytes = PROGRESS, partition: int = 0) -> LaneItem:
    made = projected(partition, offset, value)
    assert isinstance(made, tuple)
    return made[0]


def failed(offset: int, detail: str = "down", value: bytes = PROGRESS, partition: int = 0) -> Attempt:
    failure = Failure(item(offset, value, partition), FailureKind.SINK_UNAVAILABLE, detail, None)
    return Attempt(failure=failure)


def arrived(last: int, partition: int = 0) -> Attempt:
    return Attempt(exported=1, last=item(last, partition=partition))


class Recorded:
    """A lane's records beside its feed and its track, without the lane."""

    def __init__(
        self,
        *partitions: int,
        feed: Feed | None = None,
        topic_id: str | None = "topic-id",
        loaded: StoredCursor | None = None,
    ) -> None:
        self.clock, self.ledger, self.logger = FakeClock(), FakeLedger(), FakeLog()
        self.feed = feed or feed_of(capacity=1_000)
        self.track = CursorTrack(self.ledger)
        self.records = LaneRecords(
            facts=LaneFacts(LANE, "agent.events", topic_id, "digest", 1, "earliest"),
            feed=self.feed,
            track=self.track,
            ledger=self.ledger,
            intervals=Intervals(MARK_S, REMINDER_S),
            clock=self.clock,
            logger=self.logger,
        )
        for partition in partitions:
            self.stand(partition, loaded or StoredCursor(0, 0, 0, None))
        self.move_cursors()

    def stand(self, partition: int, loaded: StoredCursor) -> None:
        start = LaneStarted(
            lane=LANE,
            topic="agent.events",
            partition=partition,
            cursor=loaded.next_offset,
            cursor_origin=CursorOrigin.COMMITTED,
            config_digest="digest",
            projector_version=1,
        )
        self.feed.begin(partition, loaded.next_offset)
        self.track.begin(partition, 1, loaded, [start])
        self.feed.attach(partition, 1, loaded.next_offset, self.clock.now_s())

    def export(self, what: Offer, records: int = 1_000) -> None:
        """The intake offers this, and that many records of what waits arrive."""
        self.feed.offer(what, self.clock.now_s())
        batch = self.feed.take(records, 1_000_000)
        self.feed.acknowledge(len(batch))
        self.feed.give_back()
        self.move_cursors()

    def move_cursors(self) -> None:
        for step in self.feed.settle():
            self.track.add(step.partition, step.tag, step.cursor, self.records.gaps(step))
        self.track.pump()
        for partition, cleared in self.track.pump().items():
            self.feed.cursor_at(partition, cleared.tag, cleared.next_offset)
        for partition, cleared in self.track.cleared().items():
            self.feed.cursor_at(partition, cleared.tag, cleared.next_offset)

    def healthy(self) -> "Recorded":
        self.records.follow_feed()
        assert self.records.state is SinkState.HEALTHY
        return self

    def follow(self) -> SinkState:
        self.records.follow_feed()
        return self.records.state

    def marks(self) -> list[ExportMark]:
        return [entry for entry in self.ledger.entries if isinstance(entry, ExportMark)]

    def news(self) -> list[SinkFailed | SinkRecovered]:
        """What is in the ledger of this sink's health, after the lane has looked."""
        self.records.marks_due()
        return [entry for entry in self.ledger.entries if isinstance(entry, SinkFailed | SinkRecovered)]

    def states(self, *attempts: Attempt) -> list[SinkState]:
        """The state after each."""
        found = []
        for attempt in attempts:
            self.records.attempted(attempt)
            found.append(self.records.state)
        return found


class TestGaps:
    def test_each_reason_is_an_entry_with_all_that_was_missed_for_it(self) -> None:
        """Nothing is rounded and nothing is merged."""
        runs = (GapRun(4, 6, (ProjectionKind.USAGE, ProjectionKind.PROGRESS)), GapRun(9, 9, ()))
        missed = (
            Missed(FailureKind.OVERFLOW, "buffer_full", runs, 7),
            Missed(FailureKind.UNDECODABLE, "malformed", (GapRun(7, 8, ()),), 2),
        )
        gaps = list(Recorded().records.gaps(Step(3, 1, 10, missed, None)))
        assert [(gap.lane, gap.topic, gap.partition) for gap in gaps] == [(LANE, "agent.events", 3)] * 2
        assert [(gap.reason, gap.detail, gap.runs, gap.records) for gap in gaps] == [
            (FailureKind.OVERFLOW, "buffer_full", runs, 7),
            (FailureKind.UNDECODABLE, "malformed", (GapRun(7, 8, ()),), 2),
        ]

    def test_a_step_that_missed_nothing_has_nothing_to_say(self) -> None:
        """Its cursor waits for nothing."""
        assert list(Recorded().records.gaps(Step(3, 1, 10, (), None))) == []

    @pytest.mark.parametrize(
        ("runs", "sizes"),
        [
            (RUNS_PER_GAP, [RUNS_PER_GAP]),
            (RUNS_PER_GAP + 1, [RUNS_PER_GAP, 1]),
            (2 * RUNS_PER_GAP + 7, [RUNS_PER_GAP] * 2 + [7]),
        ],
    )
    def test_what_is_too_much_for_one_entry_goes_into_several(self, runs: int, sizes: list[int]) -> None:
        """Each says how many records it is about, and together they are what was missed."""
        every_other = tuple(GapRun(3 * n, 3 * n + n % 2, ()) for n in range(runs))
        missed = Missed(FailureKind.OVERFLOW, "buffer_full", every_other, sum(run.records for run in every_other))
        gaps = list(Recorded().records.gaps(Step(0, 1, 3 * runs, (missed,), None)))
        assert [len(gap.runs) for gap in gaps] == sizes
        assert [run for gap in gaps for run in gap.runs] == list(every_other)
        assert [gap.records for gap in gaps] == [sum(run.records for run in gap.runs) for gap in gaps]


class TestStored:
    def test_counts_go_on_from_where_the_cursor_was_loaded(self) -> None:
        """They are of the sink's whole life on the partition, whoever ran it."""
        recorded = Recorded(0, loaded=StoredCursor(10, 70, 5, "topic-id"))
        recorded.export(offer(0, 10, 14))
        recorded.export(offer(0, 14, 16, POISON))
        assert recorded.records.stored({0: 15}) == {0: StoredCursor(15, 74, 7, "topic-id")}

    def test_what_a_lane_does_not_stand_on_is_left_out(self) -> None:
        """It has nothing to count there, and no cursor either."""
        recorded = Recorded(0)
        recorded.track.begin(1, 1, StoredCursor(0, 0, 0, None), [])
        recorded.feed.attach(2, 1, 0, 0.0)
        assert set(recorded.records.stored({0: 1, 1: 1, 2: 1, 3: 1})) == {0}

    @pytest.mark.parametrize(
        ("now", "then", "stored"),
        [("new", "old", "new"), ("new", None, "new"), (None, "old", "old"), (None, None, None)],
    )
    def test_a_topic_id_that_was_known_once_is_not_erased(
        self, now: str | None, then: str | None, stored: str | None
    ) -> None:
        """A start that could not ask for it must not make the next one believe in any topic of that name."""
        recorded = Recorded(0, topic_id=now, loaded=StoredCursor(0, 0, 0, then))
        assert recorded.records.stored({0: 1})[0].topic_id == stored


class TestMarks:
    def test_a_mark_is_written_as_often_as_the_settings_say(self) -> None:
        """Counted from the lane's start, and neither at once nor twice."""
        recorded = Recorded(0)
        written = []
        for passes_s in (0.0, MARK_S - 0.001, 0.001, 0.0, MARK_S - 0.001, 0.001):
            recorded.clock.passes(passes_s)
            recorded.records.marks_due()
            written.append(len(recorded.marks()))
        assert written == [0, 0, 1, 1, 1, 2]

    def test_it_says_how_far_the_sink_is_and_what_that_came_to(self) -> None:
        """Exported, filtered, dropped by reason; times in microseconds."""
        recorded = Recorded(0, feed=feed_of(TERMINALS_ONLY), loaded=StoredCursor(10, 70, 5, None))
        recorded.export(offer(0, 10, 13, THREE))
        recorded.export(offer(0, 13, 15, POISON))
        recorded.clock.passes(MARK_S)
        recorded.records.marks_due()
        assert recorded.marks() == [
            ExportMark(
                lane=LANE,
                topic="agent.events",
                partition=0,
                next_offset=15,
                export_seq=73,
                newest_event_time_us=1_015_000,
                exported=3,
                filtered=6,
                dropped=((FailureKind.UNDECODABLE, 2),),
            )
        ]

    def test_it_speaks_of_what_the_ledger_has_cleared_and_of_nothing_beyond(self) -> None:
        """A reader takes everything below it for accounted for."""
        recorded = Recorded(0)
        recorded.export(offer(0, 0, 5))
        recorded.ledger.prompt = False
        recorded.export(offer(0, 5, 9, POISON))
        recorded.clock.passes(MARK_S)
        recorded.records.marks_due()
        assert [mark.next_offset for mark in recorded.marks()] == [5]

    def test_before_the_first_event_no_time_is_the_newest(self) -> None:
        """None is not zero."""
        recorded = Recorded(0)
        recorded.clock.passes(MARK_S)
        recorded.records.marks_due()
        assert [mark.newest_event_time_us for mark in recorded.marks()] == [None]

    def test_every_partition_has_its_own_but_one_that_is_halted(self) -> None:
        """The cursor of that one makes no sense here, or is somebody else's to speak of."""
        recorded = Recorded(0, 1, 2)
        recorded.feed.revoke([1])
        recorded.clock.passes(MARK_S)
        recorded.records.marks_due()
        assert [mark.partition for mark in recorded.marks()] == [0, 2]

    def test_a_mark_that_finds_no_room_is_not_kept(self) -> None:
        """The next one says more, and a ledger that is full has enough to do."""
        recorded = Recorded(0)
        recorded.ledger.full = True
        recorded.clock.passes(MARK_S)
        recorded.records.marks_due()
        recorded.ledger.full = False
        recorded.records.marks_due()
        assert recorded.marks() == []
        recorded.clock.passes(MARK_S)
        recorded.records.marks_due()
        assert len(recorded.marks()) == 1


class TestWhereItStands:
    def test_a_lane_is_starting_until_it_stands_somewhere(self) -> None:
        """A partition on which it is halted is nowhere."""
        recorded = Recorded()
        states = [recorded.follow()]
        recorded.feed.halt(7, 1, 0)
        states.append(recorded.follow())
        recorded.feed.attach(0, 1, 0, 0.0)
        states.append(recorded.follow())
        assert states == [SinkState.STARTING, SinkState.STARTING, SinkState.HEALTHY]
        assert recorded.logger.lines == []

    def test_a_lane_that_starts_behind_is_catching_up_at_once(self) -> None:
        """Somebody who watches it sees why nothing of now arrives."""
        recorded = Recorded()
        recorded.feed.begin(0, 10)
        recorded.feed.attach(0, 1, 0, 0.0)
        recorded.records.follow_feed()
        assert recorded.records.state is SinkState.CATCHING_UP

    def test_one_partition_that_is_behind_makes_the_lane_catch_up_until_none_is(self) -> None:
        """Each change is a line in the log, and staying the same is none."""
        recorded = Recorded(0, 1).healthy()
        seen = []
        for partition in (0, 1):
            recorded.feed.detach(partition, 100.0)
            seen += [recorded.follow(), recorded.follow()]
        for partition in (0, 1):
            recorded.feed.enter_from_log(offer(partition, 0, 1), 1_000.0)
            seen += [recorded.follow(), recorded.follow()]
        assert seen == [SinkState.CATCHING_UP] * 6 + [SinkState.HEALTHY] * 2
        assert recorded.logger.lines == [
            ("lane catches up from the log", {"level": "info", "sink": "a"}),
            ("lane is live again", {"level": "info", "sink": "a"}),
        ]

    def test_a_failed_sink_stays_failed_wherever_it_stands(self) -> None:
        """Only an export proves that it works."""
        recorded = Recorded(0).healthy()
        recorded.records.attempted(failed(3))
        recorded.feed.detach(0, 100.0)
        recorded.records.follow_feed()
        assert recorded.records.state is SinkState.FAILED
        recorded.feed.enter_from_log(offer(0, 0, 1), 1_000.0)
        recorded.records.follow_feed()
        assert recorded.records.state is SinkState.FAILED
        assert not recorded.logger.said("lane")

    def test_it_stops_in_two_steps(self) -> None:
        """While it finishes, and once it has."""
        recorded = Recorded(0).healthy()
        recorded.records.stopping()
        states = [recorded.records.state]
        recorded.records.stopped()
        assert [*states, recorded.records.state] == [SinkState.STOPPING, SinkState.STOPPED]

    def test_it_is_of_its_sinks_kind(self) -> None:
        """Whoever looks at the lane sees which."""
        assert Recorded().records.kind is SinkKind.TEST


class TestFailure:
    def test_a_failure_is_written_down_with_where_it_was_and_what_was_lost_by_then(self) -> None:
        """The record that met it, the last one that arrived, and the drops so far."""
        recorded = Recorded(0).healthy()
        recorded.export(offer(0, 0, 4, POISON))
        recorded.records.attempted(arrived(6))
        recorded.records.attempted(failed(7, value=TERMINAL))
        assert recorded.news() == [
            SinkFailed(
                lane=LANE,
                topic="agent.events",
                partition=0,
                offset=7,
                failure_kind=FailureKind.SINK_UNAVAILABLE,
                terminal_preserved=True,
                dropped_count=4,
                last_acknowledged_offset=6,
                detail="down",
                reminder=False,
            )
        ]
        (line,) = recorded.logger.said("sink failed")
        assert line == {
            "level": "warning",
            "sink": "a",
            "partition": 0,
            "offset": 7,
            "failure": "sink_unavailable",
            "detail": "down",
        }

    def test_before_anything_has_arrived_nothing_is_the_last(self) -> None:
        """None is not offset 0; and progress is not terminal."""
        recorded = Recorded(0).healthy()
        recorded.records.attempted(failed(0))
        (news,) = recorded.news()
        assert isinstance(news, SinkFailed)
        assert (news.last_acknowledged_offset, news.terminal_preserved) == (None, False)

    def test_an_outage_is_written_down_once_and_counted_each_time(self) -> None:
        """A day of it is not a day of entries; what is shown is the last that went wrong."""
        recorded = Recorded(0).healthy()
        states = recorded.states(failed(7, "down"), failed(7, "no leader"), failed(7, "timed out"))
        assert states == [SinkState.FAILED] * 3
        assert len(recorded.news()) == len(recorded.logger.said("sink failed")) == 1
        assert (recorded.records.failed_exports, recorded.records.last_failure) == (3, "timed out")

    def test_a_reminder_is_written_as_often_as_the_settings_say(self) -> None:
        """It says what is wrong by then, and that it is one; without a log line of its own."""
        recorded = Recorded(0).healthy()
        recorded.clock.passes(1_000.0)
        recorded.records.attempted(failed(7, "down"))
        written = []
        for passes_s in (0.0, REMINDER_S - 0.001, 0.001, 0.0, REMINDER_S - 0.001, 0.001):
            recorded.clock.passes(passes_s)
            written.append(len(recorded.news()))
            recorded.records.attempted(failed(8, "no leader"))
        assert written == [1, 1, 2, 2, 2, 3]
        first, second, _ = recorded.news()
        assert isinstance(first, SinkFailed)
        assert isinstance(second, SinkFailed)
        assert (first.reminder, first.detail, first.offset) == (False, "down", 7)
        assert (second.reminder, second.detail, second.offset) == (True, "no leader", 8)
        assert len(recorded.logger.said("sink failed")) == 1

    def test_a_sink_that_works_is_not_reminded_of(self) -> None:
        """Neither before its first failure nor after its recovery."""
        recorded = Recorded(0).healthy()
        recorded.clock.passes(REMINDER_S)
        assert recorded.news() == []
        recorded.states(failed(7), arrived(7))
        recorded.clock.passes(10 * REMINDER_S)
        assert [type(news) for news in recorded.news()] == [SinkFailed, SinkRecovered]

    def test_an_overflow_under_the_policy_that_says_so_is_a_failure_of_the_sink(self) -> None:
        """Though no export failed."""
        feed = feed_of(capacity=10, policy=OverflowPolicy.FAIL_SINK_NOT_RUN)
        recorded = Recorded(0, feed=feed).healthy()
        feed.shed(offer(0, 0, 12), 0.0)
        dropped = feed.overflowed()
        assert dropped is not None
        recorded.records.overflowed(dropped)
        assert (recorded.records.state, recorded.records.failed_exports) == (SinkState.FAILED, 0)
        (news,) = recorded.news()
        assert isinstance(news, SinkFailed)
        assert (news.failure_kind, news.detail, news.offset) == (FailureKind.OVERFLOW, "buffer_full", dropped.offset)


class TestRecovery:
    def test_the_first_record_that_arrives_ends_the_failure(self) -> None:
        """With how long it took, from the first failure on, in milliseconds."""
        recorded = Recorded(0, 1).healthy()
        recorded.records.attempted(failed(7))
        recorded.clock.passes(2.5)
        recorded.records.attempted(failed(7))
        recorded.clock.passes(1.25)
        assert recorded.states(arrived(9, partition=1), arrived(12)) == [SinkState.HEALTHY] * 2
        assert recorded.news()[1:] == [
            SinkRecovered(lane=LANE, topic="agent.events", partition=1, offset=9, failed_for_ms=3_750)
        ]
        assert recorded.logger.said("sink recovered") == [{"level": "info", "sink": "a", "failed_for_ms": 3_750}]

    def test_what_did_not_fail_does_not_recover(self) -> None:
        """An export that works is no news."""
        recorded = Recorded(0).healthy()
        recorded.states(arrived(1), arrived(2), Attempt(), Attempt(gave_up=True))
        assert recorded.news() == []
        assert recorded.logger.lines == []

    def test_an_attempt_in_which_nothing_arrived_is_no_recovery(self) -> None:
        """A lane that had nothing to export, or gave up, has learned nothing of its sink."""
        recorded = Recorded(0).healthy()
        assert recorded.states(failed(7), Attempt(), Attempt(gave_up=True)) == [SinkState.FAILED] * 3

    def test_a_sink_that_recovers_behind_has_to_catch_up(self) -> None:
        """It works, and what arrives is of then."""
        recorded = Recorded(0).healthy()
        recorded.records.attempted(failed(7))
        recorded.feed.detach(0, 100.0)
        assert recorded.states(arrived(7)) == [SinkState.CATCHING_UP]

    def test_an_attempt_that_arrived_in_part_is_a_recovery_and_then_a_failure(self) -> None:
        """In this order: the sink is failed after it."""
        recorded = Recorded(0).healthy()
        recorded.records.attempted(failed(7))
        in_part = Attempt(exported=2, last=item(8), failure=failed(9).failure)
        assert recorded.states(in_part) == [SinkState.FAILED]
        news = recorded.news()
        assert [type(entry) for entry in news] == [SinkFailed, SinkRecovered, SinkFailed]
        assert isinstance(news[2], SinkFailed)
        assert news[2].last_acknowledged_offset == 8


class TestWrittenOff:
    def test_a_record_that_is_refused_for_ever_is_a_line_without_its_content(self) -> None:
        """Where it is and why; the sink works."""
        recorded = Recorded(0).healthy()
        refused: Sequence[WrittenOff] = [
            WrittenOff(item(offset, PROGRESS + b" and a secret"), FailureKind.EXPORT_REJECTED, "too_large")
            for offset in (3, 5)
        ]
        assert recorded.states(Attempt(written_off=tuple(refused))) == [SinkState.HEALTHY]
        lines = recorded.logger.said("record refused for ever by its sink")
        assert lines[0] == {
            "level": "warning",
            "sink": "a",
            "partition": 0,
            "offset": 3,
            "failure": "export_rejected",
            "detail": "too_large",
        }
        assert [line["offset"] for line in lines] == [3, 5]
        assert "secret" not in repr(recorded.logger.lines)


class TestAFullLedger:
    def test_news_waits_for_room_and_keeps_its_order(self) -> None:
        """It is written once, at the next look after there is some."""
        recorded = Recorded(0).healthy()
        recorded.ledger.full = True
        recorded.states(failed(7), arrived(7), failed(9))
        assert recorded.news() == []
        recorded.ledger.full = False
        assert [type(entry) for entry in recorded.news()] == [SinkFailed, SinkRecovered, SinkFailed]
        assert len(recorded.news()) == 3

    def test_of_more_than_is_kept_the_oldest_goes(self) -> None:
        """It is news, not proof: a sink that flaps for a night must not fill memory."""
        recorded = Recorded(0).healthy()
        recorded.ledger.full = True
        for offset in range(UNWRITTEN_ENTRIES):
            recorded.states(failed(offset), arrived(offset))
        recorded.ledger.full = False
        news = recorded.news()
        assert len(news) == UNWRITTEN_ENTRIES
        assert news[0].offset == UNWRITTEN_ENTRIES // 2
        assert news[-1].offset == UNWRITTEN_ENTRIES - 1

    def test_gaps_are_not_among_the_news(self) -> None:
        """They wait with their cursor, and none is ever dropped."""
        recorded = Recorded(0).healthy()
        recorded.ledger.full = True
        recorded.export(offer(0, 0, 3, POISON))
        recorded.records.marks_due()
        recorded.ledger.full = False
        recorded.move_cursors()
        (gap,) = [entry for entry in recorded.ledger.entries if isinstance(entry, Gap)]
        assert gap.records == 3
