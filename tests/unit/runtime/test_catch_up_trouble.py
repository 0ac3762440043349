"""A lane that reads the log itself meets the log's troubles itself, and neither skips nor sticks over them."""

from tailrace.domain.kinds import FailureKind
from tailrace.domain.ledger import Gap
from tailrace.runtime.feed import Mode
from tests.unit.runtime.fakes import POISON, PROGRESS, FakeTopic
from tests.unit.runtime.stage import Scale, Stage, StagedLane


def behind(*, partitions: int = 1, events: int = 30, scale: Scale | None = None) -> tuple[Stage, StagedLane]:
    """A lane at the log's beginning, which has to read these events itself: the intake is at their end."""
    stage = Stage(("a",), topic=FakeTopic(partitions), scale=scale)
    staged = stage.lanes["a"]
    for partition in stage.topic.partitions:
        stage.topic.append(partition, *[PROGRESS] * events)
        staged.stored(partition, 0)
        staged.feed.begin(partition, events)
    staged.lane.assign(stage.topic.partitions, 1)
    return stage, staged


def lane_turns(stage: Stage, staged: StagedLane, times: int) -> None:
    for _ in range(times):
        staged.turn()
        stage.clock.passes(0.1)


def lost(staged: StagedLane) -> list[tuple[FailureKind, int, int]]:
    return [
        (entry.reason, run.first_offset, run.last_offset)
        for entry in staged.ledger.entries
        if isinstance(entry, Gap)
        for run in entry.runs
    ]


class TestRetention:
    def test_what_retention_took_while_the_lane_was_behind_is_a_gap(self) -> None:
        """From its position to the log's beginning, and then on from there."""
        stage, staged = behind()
        lane_turns(stage, staged, 1)
        stage.topic.retain_from(0, 20)
        lane_turns(stage, staged, 40)
        read = staged.sink.offsets(0)
        assert read[-10:] == list(range(20, 30))
        assert lost(staged) == [(FailureKind.RETENTION_LOST, read[-11] + 1, 19)]
        assert staged.lane.cleared()[0].next_offset == 30

    def test_a_log_whose_range_cannot_be_learned_is_read_again_until_it_can(self) -> None:
        """The client reports a position out of range once; asked nothing, that partition would never be read again."""
        stage, staged = behind()
        lane_turns(stage, staged, 1)
        stage.topic.retain_from(0, 20)
        log_range = stage.topic.log_range
        stage.topic.log_range = lambda partition: None  # type: ignore[method-assign]
        lane_turns(stage, staged, 20)
        asked = len(staged.log.assigned_at)
        assert asked > 5
        stage.topic.log_range = log_range  # type: ignore[method-assign]
        lane_turns(stage, staged, 40)
        assert staged.sink.offsets(0)[-10:] == list(range(20, 30))
        assert staged.feed.standing(0, 1) == (Mode.LIVE, 30)

    def test_a_log_that_ends_before_the_position_halts_the_lane_there(self) -> None:
        """The topic was made anew under it; nothing that it reads there is what it has not sent yet."""
        stage, staged = behind(partitions=2)
        staged.sink.moods.clear()
        lane_turns(stage, staged, 2)
        stage.topic._events[0].clear()
        lane_turns(stage, staged, 60)
        (halted,) = stage.logger.said("lane halted")
        assert (halted["partition"], halted["reason"]) == (0, "cursor_beyond_log_end")
        assert staged.sink.offsets(1) == list(range(30))


class TestDamage:
    def test_damage_is_read_again_before_it_is_believed(self) -> None:
        """A flipped bit on the way is not in the log."""
        stage, staged = behind()
        stage.topic.damaged.add((0, 12))
        while len(staged.sink.offsets(0)) < 12:
            lane_turns(stage, staged, 1)
        assert len(staged.log.assigned_at) == 1, "the damage was met once"
        stage.topic.damaged.clear()
        lane_turns(stage, staged, 40)
        assert staged.sink.offsets(0) == list(range(30))
        assert not stage.logger.said("lane halted")

    def test_damage_that_stays_halts_the_lane_there_and_nowhere_else(self) -> None:
        """Loudly, with the cursor in front of it: nothing behind it may be sent as if nothing were missing."""
        stage, staged = behind(partitions=2)
        stage.topic.damaged.add((0, 12))
        lane_turns(stage, staged, 60)
        assert staged.sink.offsets(0) == list(range(12))
        assert staged.sink.offsets(1) == list(range(30))
        assert staged.lane.cleared()[0].next_offset == 12
        (halted,) = stage.logger.said("lane halted")
        assert (halted["partition"], halted["reason"], halted["level"]) == (0, "log_damaged", "error")
        assert staged.feed.standing(0, 1) == (Mode.HALTED, 12)


class TestPoison:
    def test_a_lane_that_is_behind_does_not_read_past_a_halt(self) -> None:
        """A partition that was halted for a flood of poison is halted for all: no lane may eat its way through it."""
        stage = Stage(("a", "b"), scale=Scale(poison_limit=3, capacity=40, patience_s=0.5))
        slow = stage.lanes["b"]
        stage.source.assign(0)
        stage.turn(5)
        slow.stuck = True
        stage.topic.append(0, *[PROGRESS] * 100)
        stage.turn(300)
        assert slow.feed.standing(0, 1) == (Mode.CATCHING_UP, 0), "it was too slow for its neighbour"
        stage.topic.append(0, POISON, POISON, POISON, *[PROGRESS] * 50)
        stage.turn(50)
        assert stage.logger.said("partition halted")
        slow.stuck = False
        stage.turn(1_000)
        for staged in stage.lanes.values():
            assert staged.sink.offsets(0) == list(range(100))
            assert staged.cursors == {0: 103}
