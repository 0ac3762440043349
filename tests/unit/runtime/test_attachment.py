"""A lane stands where it may, says so in the ledger first, and one partition it knows nothing of stops no other."""

import pytest

from tailrace.domain.kinds import FailureKind
from tailrace.domain.ledger import CursorOrigin, Gap, LaneStarted
from tailrace.runtime.attachment import LOOKUP_TIMEOUT_S, Assigned
from tailrace.runtime.feed import Mode
from tailrace.runtime.ports import LedgerMark, StoredCursor
from tailrace.runtime.starting_point import StartAt
from tests.unit.runtime.fakes import PROGRESS, FakeTopic
from tests.unit.runtime.stage import Scale, Stage, StagedLane


def newcomer(partitions: int = 1, events: int = 10, start_at: StartAt = "earliest") -> tuple[Stage, StagedLane]:
    """A lane that has never been here, over a log with events."""
    stage = Stage(("a",), topic=FakeTopic(partitions), scale=Scale(start_at=start_at))
    for partition in stage.topic.partitions:
        stage.topic.append(partition, *[PROGRESS] * events)
    return stage, stage.lanes["a"]


def attach(staged: StagedLane, *partitions: int) -> set[int]:
    return set(staged.attachment.attach(Assigned(partitions, 1)))


def starts(staged: StagedLane) -> list[tuple[int, int, CursorOrigin]]:
    staged.track.pump()
    entries = staged.ledger.entries
    return [(e.partition, e.cursor, e.cursor_origin) for e in entries if isinstance(e, LaneStarted)]


class TestOneAmongMany:
    @pytest.mark.parametrize("known", [True, False], ids=["a sink that was here before", "a new sink"])
    def test_a_partition_without_a_leader_keeps_the_lane_from_no_other(self, known: bool) -> None:
        """The others are attached at once; that one follows when it is back."""
        stage, staged = newcomer(partitions=4)
        if known:
            for partition in stage.topic.partitions:
                staged.stored(partition, 5)
        stage.topic.offline.add(1)
        assert attach(staged, 0, 1, 2, 3) == {0, 2, 3}
        assert staged.feed.standing(1, 1) is None
        stage.topic.offline.clear()
        assert attach(staged, 1) == {1}

    def test_all_look_ups_together_take_no_longer_than_one(self) -> None:
        """Half the brokers are away, and what is already attached has to be exported meanwhile."""
        stage, staged = newcomer(partitions=20)
        stage.topic.offline.update(range(10))
        for partition in stage.topic.partitions:
            staged.stored(partition, 5)
        began_s = stage.clock.now_s()
        assert attach(staged, *stage.topic.partitions) == set(range(10, 20))
        assert stage.clock.now_s() - began_s <= LOOKUP_TIMEOUT_S + 10 * 0.1

    def test_the_lane_tries_again_for_what_is_left_and_for_nothing_else(self) -> None:
        """With its own patience in between, and the rest is exported and committed in the meantime."""
        stage, staged = newcomer(partitions=2)
        stage.topic.offline.add(0)
        stage.source.assign(0, 1)
        stage.turn(60)
        assert staged.sink.offsets(1) == list(range(10))
        assert staged.cursors[1] == 10
        stage.topic.offline.clear()
        stage.turn(600)
        assert staged.sink.offsets(0) == list(range(10))
        assert sorted(partition for partition, _, _ in starts(staged)) == [0, 1]

    def test_a_partition_that_stays_away_takes_a_fifth_of_the_lane_s_time_at_most(self) -> None:
        """Each look-up for it takes as long as one may, and what else the lane has comes first."""
        stage, staged = newcomer(partitions=2)
        stage.topic.offline.add(0)
        staged.stored(0, 0)
        staged.stored(1, 0)
        stage.source.assign(0, 1)
        began_s = stage.clock.now_s()
        while stage.clock.now_s() - began_s < 500.0:
            stage.turn()
        spent_s = LOOKUP_TIMEOUT_S * staged.log.looked_up.count(0)
        assert 0.1 < spent_s / (stage.clock.now_s() - began_s) <= 0.21
        assert staged.cursors[1] == 10


class TestWhereToBegin:
    def test_a_committed_cursor_is_where_the_lane_goes_on(self) -> None:
        """Nothing is written anew, and the lane start says where the cursor came from."""
        stage, staged = newcomer()
        staged.stored(0, 4)
        assert attach(staged, 0) == {0}
        assert staged.feed.standing(0, 1) == (Mode.LIVE, 4)
        assert starts(staged) == [(0, 4, CursorOrigin.COMMITTED)]
        assert stage.story == []

    def test_a_new_cursor_is_written_down_before_the_lane_stands_on_it(self) -> None:
        """Or a crash right after would begin somewhere else the next time."""
        stage, staged = newcomer(start_at="latest")
        staged.log.refuses = True
        assert attach(staged, 0) == set()
        assert staged.feed.standing(0, 1) is None
        assert starts(staged) == []
        staged.log.refuses = False
        stage.topic.append(0, PROGRESS)
        assert attach(staged, 0) == {0}
        assert stage.story == [("cursors a", {0: 11})]
        assert staged.feed.standing(0, 1) == (Mode.LIVE, 11)

    def test_a_cursor_that_cannot_be_written_keeps_no_known_partition_waiting(self) -> None:
        """Only what would have had to be written is tried again."""
        _, staged = newcomer(partitions=2)
        staged.stored(1, 4)
        staged.log.refuses = True
        assert attach(staged, 0, 1) == {1}

    def test_a_new_sink_that_starts_at_the_end_starts_at_every_end(self) -> None:
        """Whoever is assigned the others, now or in an hour, would take them for missed, and export all of them."""
        stage, staged = newcomer(partitions=3, start_at="latest")
        assert attach(staged, 1) == {1}
        assert staged.cursors == {0: 10, 1: 10, 2: 10}
        stage.topic.append(0, PROGRESS)
        assert attach(staged, 0) == {0}
        assert staged.feed.standing(0, 1) == (Mode.LIVE, 10)

    def test_two_workers_that_meet_the_topic_at_once_leave_each_other_s_cursors_alone(self) -> None:
        """The other one has written its start and exports from there; our later end would pass over what it has."""
        stage, staged = newcomer(partitions=2, start_at="latest")

        def the_other_begins() -> None:
            staged.log.cursors.setdefault(1, StoredCursor(10, 0, 0, "topic-id"))
            stage.topic.append(1, PROGRESS)

        staged.log.meanwhile = the_other_begins
        assert attach(staged, 0) == {0}
        assert staged.cursors == {0: 10, 1: 10}
        assert stage.topic.log_range(1) != (0, 10)
        assert stage.story == [("cursors a", {0: 10})]

    def test_a_new_sink_meets_a_partition_that_was_away_as_a_new_sink(self) -> None:
        """It stands on the others by then, and still what `start_at` says to skip is skipped."""
        stage, staged = newcomer(partitions=2, start_at="latest")
        stage.topic.offline.add(0)
        assert attach(staged, 0, 1) == {1}
        stage.topic.offline.clear()
        assert attach(staged, 0) == {0}
        assert starts(staged) == [(1, 10, CursorOrigin.START_AT), (0, 10, CursorOrigin.START_AT)]

    def test_a_partition_that_came_later_begins_at_its_beginning(self) -> None:
        """The sink was there when its first event came, whatever the settings say of sinks that are new."""
        _, staged = newcomer(partitions=2, start_at="latest")
        staged.stored(1, 4)
        assert attach(staged, 0) == {0}
        assert starts(staged) == [(0, 0, CursorOrigin.NEW_PARTITION)]

    def test_a_cursor_that_kafka_forgot_is_taken_from_the_ledger(self) -> None:
        """After an idle week the ledger still knows how far the sink was."""
        stage, staged = newcomer(start_at="latest")
        stage.history.marks = {"a": {0: LedgerMark(7, "topic-id")}}
        assert attach(staged, 0) == {0}
        assert starts(staged) == [(0, 7, CursorOrigin.LEDGER)]
        assert staged.cursors == {0: 7}

    def test_a_ledger_that_cannot_be_read_is_not_an_empty_one(self) -> None:
        """The lane waits for it: a sink that starts at the end would skip everything that it has missed."""
        stage, staged = newcomer(start_at="latest")
        stage.history.marks = None
        assert attach(staged, 0) == set()
        assert staged.cursors == {}
        stage.history.marks = {"a": {0: LedgerMark(7, "topic-id")}}
        assert attach(staged, 0) == {0}
        assert staged.feed.standing(0, 1) == (Mode.LIVE, 7)

    def test_cursors_that_cannot_be_read_are_not_missing_ones(self) -> None:
        """A coordinator that is away says nothing about where the sink was."""
        stage, staged = newcomer()
        staged.stored(0, 4)
        staged.log.blind = True
        assert attach(staged, 0) == set()
        assert stage.story == []


class TestImpossible:
    @pytest.mark.parametrize(
        ("cursor", "topic_id", "reason"),
        [(11, "topic-id", "cursor_beyond_log_end"), (3, "an earlier topic", "topic_replaced")],
    )
    def test_a_cursor_that_does_not_fit_the_topic_halts_the_lane_there_and_nowhere_else(
        self, cursor: int, topic_id: str, reason: str
    ) -> None:
        """Going on from anywhere would skip or repeat; somebody has to say what happened to the topic."""
        stage, staged = newcomer(partitions=2)
        staged.log.cursors[0] = StoredCursor(cursor, 0, 0, topic_id)
        staged.stored(1, 4)
        stage.source.assign(0, 1)
        stage.until_idle()
        assert staged.sink.offsets(0) == []
        assert staged.sink.offsets(1) == list(range(4, 10))
        assert staged.cursors[0] == cursor
        (halted,) = stage.logger.said("lane halted")
        assert (halted["partition"], halted["reason"], halted["level"]) == (0, reason, "error")

    def test_what_retention_took_is_a_gap_and_the_lane_goes_on(self) -> None:
        """From the cursor to the log's beginning, exactly, and loudly."""
        stage, staged = newcomer(events=20)
        stage.topic.retain_from(0, 12)
        staged.stored(0, 5)
        stage.source.assign(0)
        stage.until_idle()
        assert staged.sink.offsets(0) == list(range(12, 20))
        (gap,) = [e for e in staged.ledger.entries if isinstance(e, Gap)]
        assert gap.reason is FailureKind.RETENTION_LOST
        assert [(run.first_offset, run.last_offset) for run in gap.runs] == [(5, 11)]
        assert gap.records == 7
        assert staged.cursors == {0: 20}
        (lost,) = stage.logger.said("events were lost to retention before this sink")
        assert (lost["first_offset"], lost["last_offset"], lost["records"]) == (5, 11, 7)
