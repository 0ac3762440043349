"""A lane sends in order, once, what is its to send, and keeps its time for the partitions that it can serve."""

from collections.abc import Callable, Sequence

import pytest

from tailrace.domain.kinds import FailureKind
from tailrace.domain.ledger import SinkFailed, SinkRecovered
from tailrace.domain.projected import LaneItem
from tailrace.runtime.clock import Deadline
from tailrace.runtime.feed import Mode
from tailrace.runtime.lane import BUFFER_TURNS_PER_READ
from tailrace.runtime.ports import Interrupt
from tailrace.runtime.retry import LONGEST_DELAY_S
from tailrace.runtime.sink_port import Accepted, ExportOutcome, Interrupted, Retriable
from tests.unit.runtime.fakes import POISON, PROGRESS, TERMINAL, FakeTopic, offer
from tests.unit.runtime.stage import Scale, Stage, StagedLane

DOWN = Retriable(0, FailureKind.SINK_UNAVAILABLE, "down")

Mood = Callable[[Sequence[LaneItem], Interrupt], ExportOutcome]


def lane(*, partitions: int = 1, scale: Scale | None = None) -> tuple[Stage, StagedLane]:
    """A lane that stands at the beginning of these partitions, with an intake that reads nothing by itself."""
    stage = Stage(("a",), topic=FakeTopic(partitions), scale=scale)
    staged = stage.lanes["a"]
    staged.lane.assign(stage.topic.partitions, 1)
    staged.turn()
    for partition in stage.topic.partitions:
        staged.feed.begin(partition, 0)
    return stage, staged


def give(staged: StagedLane, stage: Stage, partition: int, records: int) -> None:
    """The intake reads and offers this many events."""
    first = stage.topic.end(partition)
    stage.topic.append(partition, *[PROGRESS] * records)
    staged.feed.offer(offer(partition, first, first + records), stage.clock.now_s())


def meanwhile(*what: Callable[[], None], then: ExportOutcome) -> Mood:
    """An export during which something happens."""

    def mood(batch: Sequence[LaneItem], interrupt: Interrupt) -> ExportOutcome:
        for happens in what:
            happens()
        return then

    return mood


def obedient(batch: Sequence[LaneItem], interrupt: Interrupt) -> ExportOutcome:
    return Interrupted(0) if interrupt.is_set() else Accepted()


def without_repeats(offsets: Sequence[int]) -> list[int]:
    return list(dict.fromkeys(offsets))


class TestOrder:
    @pytest.mark.parametrize(
        "failure", [DOWN, Retriable(4, FailureKind.SINK_UNAVAILABLE, "in part"), Interrupted(0), Interrupted(7)]
    )
    def test_a_failed_batch_is_not_overtaken_by_what_the_lane_reads_from_the_log(self, failure: ExportOutcome) -> None:
        """The intake lost its patience while the batch was under way: the lane reads the log from that batch on."""
        stage, staged = lane()
        staged.sink.moods.append(meanwhile(lambda: staged.feed.detach(0, stage.clock.now_s()), then=failure))
        staged.sink.moods.extend([meanwhile(then=DOWN)] * 8)
        give(staged, stage, 0, 20)
        for _ in range(40):
            staged.turn()
            stage.clock.passes(LONGEST_DELAY_S / 2)
            place = staged.feed.standing(0, 1)
            cursor = staged.feed.statistics().cursors[0]
            assert set(range(cursor)) <= set(staged.sink.offsets(0)), f"passed without an export, at {place}"
        assert without_repeats(staged.sink.offsets(0)) == list(range(20))
        assert staged.sink.offsets(0) == list(range(20)), "and nothing is sent twice"
        assert staged.feed.statistics().cursors == {0: 20}

    def test_a_detached_batch_that_arrives_is_not_read_again(self) -> None:
        """The log is read behind it: what is on its way is as good as sent until it fails."""
        stage, staged = lane()
        staged.sink.moods.append(meanwhile(lambda: staged.feed.detach(0, stage.clock.now_s()), then=Accepted()))
        give(staged, stage, 0, 20)
        for _ in range(10):
            staged.turn()
            stage.clock.passes(1.0)
        assert staged.sink.offsets(0) == list(range(20))
        assert staged.log.assigned_at[0] == {0: 10}

    def test_one_partition_that_is_behind_does_not_take_the_whole_lane(self) -> None:
        """Live partitions and the log take turns, and both get on."""
        stage, staged = lane(partitions=2, scale=Scale(capacity=1_000))
        stage.topic.append(0, *[PROGRESS] * 400)
        staged.feed.begin(0, 400)
        give(staged, stage, 1, 10)
        for _ in range(50):
            give(staged, stage, 1, 10)
            staged.turn()
        behind, live = staged.sink.offsets(0), staged.sink.offsets(1)
        assert behind == list(range(len(behind)))
        assert live == list(range(len(live)))
        assert len(behind) == len(live) / BUFFER_TURNS_PER_READ


class TestInterrupts:
    def test_an_interrupt_that_comes_too_late_does_not_tear_the_next_batch(self) -> None:
        """It was about a batch that has just arrived; the next one is of partitions that we keep."""
        stage, staged = lane(partitions=2)
        staged.sink.moods.append(meanwhile(lambda: staged.lane.interrupt([0]), then=Accepted()))
        staged.sink.moods.extend([obedient] * 5)
        give(staged, stage, 0, 10)
        staged.turn()
        give(staged, stage, 1, 10)
        staged.turn(3)
        assert staged.sink.abandoned == 0
        assert staged.sink.offsets(1) == list(range(10))

    def test_an_interrupt_for_partitions_that_are_not_on_their_way_is_none(self) -> None:
        """A hand-over that waits for the ledger must not cost another partition its export."""
        stage, staged = lane(partitions=2)
        staged.sink.moods.extend([meanwhile(lambda: staged.lane.interrupt([1]), then=Accepted()), obedient])
        give(staged, stage, 0, 20)
        staged.lane.interrupt([0, 1])
        assert not staged.lane._interrupt.is_set(), "nothing is on its way at all"
        staged.turn(3)
        assert staged.sink.abandoned == 0
        assert staged.sink.batches == [10, 10]

    def test_an_interrupted_export_is_forgotten_by_the_sink_and_sent_again(self) -> None:
        """What nobody knows the fate of goes again, from the first record that is not known to be there."""
        stage, staged = lane()
        staged.sink.moods.append(meanwhile(lambda: staged.lane.interrupt([0]), then=Interrupted(3)))
        give(staged, stage, 0, 10)
        staged.turn(3)
        assert staged.sink.abandoned == 1
        assert staged.sink.batches == [10, 7]
        assert staged.sink.offsets(0) == list(range(10))


class TestRevocation:
    def test_nothing_of_a_revoked_partition_is_taken(self) -> None:
        """What waits is the next owner's to send."""
        stage, staged = lane(partitions=2)
        give(staged, stage, 0, 10)
        give(staged, stage, 1, 10)
        staged.lane.revoke([0])
        staged.turn(5)
        assert staged.sink.offsets(0) == []
        assert staged.sink.offsets(1) == list(range(10))

    def test_a_batch_under_way_is_not_at_rest_until_its_cursor_may_be_committed(self) -> None:
        """A hand-over in between would leave the last records to be sent twice."""
        stage, staged = lane()
        at_rest: list[bool] = []
        staged.ledger.prompt = False
        staged.sink.moods.append(
            meanwhile(
                lambda: staged.lane.revoke([0]), lambda: at_rest.append(staged.lane.at_rest([0])), then=Accepted()
            )
        )
        give(staged, stage, 0, 10)
        staged.feed.offer(offer(0, 10, 11, POISON), stage.clock.now_s())
        staged.turn()
        at_rest.append(staged.lane.at_rest([0]))
        staged.turn()
        at_rest.append(staged.lane.at_rest([0]))
        staged.ledger.acknowledge()
        staged.turn()
        at_rest.append(staged.lane.at_rest([0]))
        assert at_rest == [False, False, False, True]
        assert staged.lane.cleared()[0].next_offset == 11

    def test_an_assignment_that_is_taken_back_before_the_lane_saw_it_attaches_nothing(self) -> None:
        """The lane was in a slow export meanwhile."""
        stage = Stage(("a",), topic=FakeTopic(2))
        staged = stage.lanes["a"]
        staged.lane.assign([0, 1], 1)
        staged.lane.revoke([0])
        staged.lane.forget([0])
        staged.turn(3)
        assert staged.feed.standing(0, 1) is None
        assert staged.feed.standing(1, 1) == (Mode.LIVE, 0)

    def test_a_grant_for_a_forgotten_partition_is_not_committed(self) -> None:
        """It was given while the partition was ours; writing it now could set the new owner back."""
        stage, staged = lane()
        give(staged, stage, 0, 10)
        staged.turn()
        staged.lane.grant({0: 10})
        staged.lane.forget([0])
        stage.story.clear()
        staged.turn(3)
        assert stage.story == []

    def test_a_grant_does_not_outlive_its_assignment(self) -> None:
        """The partition came back meanwhile: what the group said then says nothing of now."""
        stage, staged = lane()
        give(staged, stage, 0, 10)
        staged.turn()
        staged.lane.grant({0: 10})
        staged.lane.forget([0])
        staged.stored(0, 4)
        staged.lane.assign([0], 2)
        stage.story.clear()
        staged.turn(3)
        assert staged.lane.cleared()[0].next_offset == 4
        assert stage.story == []

    def test_an_acknowledgement_after_the_partition_was_forgotten_changes_nothing(self) -> None:
        """The sink was slow and the hand-over did not wait: the next assignment begins where its cursor says."""
        stage, staged = lane()
        staged.sink.moods.append(
            meanwhile(
                lambda: staged.lane.revoke([0]),
                lambda: staged.lane.forget([0]),
                lambda: staged.lane.assign([0], 2),
                then=Accepted(),
            )
        )
        give(staged, stage, 0, 10)
        staged.turn(2)
        assert staged.feed.standing(0, 1) is None
        assert staged.feed.standing(0, 2) == (Mode.LIVE, 0)
        assert staged.lane.cleared()[0].next_offset == 0


class TestFailures:
    def test_a_sink_that_is_down_is_probed_and_not_hammered(self) -> None:
        """Within its longest delay it is found again, and until then it is left alone in between."""
        stage, staged = lane()
        staged.sink.down = DOWN
        give(staged, stage, 0, 10)
        for _ in range(6_000):
            staged.turn()
            stage.clock.passes(0.01)
        assert 60 / LONGEST_DELAY_S <= len(staged.sink.batches) <= 100
        staged.sink.down = None
        for _ in range(int(LONGEST_DELAY_S / 0.01) + 2):
            staged.turn()
            stage.clock.passes(0.01)
        assert staged.sink.offsets(0) == list(range(10))

    def test_a_delay_that_the_destination_asks_for_is_kept(self) -> None:
        """It knows best when it wants to hear of us again."""
        stage, staged = lane()
        staged.sink.moods.append(meanwhile(then=Retriable(0, FailureKind.SINK_UNAVAILABLE, "throttled", 30.0)))
        give(staged, stage, 0, 10)
        staged.turn()
        stage.clock.passes(29.5)
        staged.turn()
        assert len(staged.sink.batches) == 1
        stage.clock.passes(0.6)
        staged.turn()
        assert staged.sink.offsets(0) == list(range(10))

    def test_an_outage_is_written_down_once_and_its_end_once(self) -> None:
        """Transitions, not probes: a day of outage is two entries, and reminders as often as the settings say."""
        stage, staged = lane()
        staged.sink.down = DOWN
        give(staged, stage, 0, 10)
        for _ in range(100):
            staged.turn()
            stage.clock.passes(1.0)
        staged.sink.down = None
        for _ in range(10):
            staged.turn()
            stage.clock.passes(1.0)
        kinds = [type(e) for e in staged.ledger.entries if isinstance(e, SinkFailed | SinkRecovered)]
        assert kinds == [SinkFailed, SinkRecovered]
        assert len(stage.logger.said("sink failed")) == len(stage.logger.said("sink recovered")) == 1


class TestCursors:
    def test_nothing_is_committed_that_the_group_did_not_grant(self) -> None:
        """A lane's own commits are fenced by nothing, so it asks none of itself."""
        stage, staged = lane()
        give(staged, stage, 0, 10)
        stage.story.clear()
        staged.turn(10)
        assert stage.story == []
        staged.lane.grant({0: 10})
        staged.turn()
        assert stage.story == [("cursors a", {0: 10})]

    def test_a_grant_beyond_what_is_cleared_commits_what_is_cleared(self) -> None:
        """Whatever the group says, no cursor passes what is not with the sink."""
        stage, staged = lane()
        give(staged, stage, 0, 15)
        staged.turn(2)
        staged.sink.down = DOWN
        staged.turn()
        staged.lane.grant({0: 15})
        staged.turn()
        assert staged.cursors == {0: staged.lane.cleared()[0].next_offset}
        assert staged.cursors[0] <= 15

    def test_a_commit_that_fails_keeps_no_batch_waiting(self) -> None:
        """Its next grant comes with the next round; until then the lane exports."""
        stage, staged = lane()
        staged.log.refuses = True
        staged.lane.grant({0: 5})
        give(staged, stage, 0, 20)
        staged.turn(3)
        assert staged.sink.offsets(0) == list(range(20))


class TestEnds:
    def test_a_lane_that_is_stopped_closes_its_sink_and_then_its_log(self) -> None:
        """Its thread ends after the turn that it is in."""
        stage, staged = lane()
        staged.lane.stop(Deadline.after(stage.clock, 10.0))
        staged.lane._run()
        assert staged.sink.closed
        assert stage.story[-1] == ("close log a", None)
        assert staged.lane.snapshot().state == "stopped"

    def test_a_bug_in_a_sink_ends_the_lane_loudly_and_without_content(self) -> None:
        """The worker sees it and stops; the line says where it was, never what it was about."""
        stage, staged = lane()

        def broken(batch: Sequence[LaneItem], interrupt: Interrupt) -> ExportOutcome:
            raise ValueError("secret content of an event")

        staged.sink.moods.append(broken)
        give(staged, stage, 0, 10)
        staged.lane._run()
        assert isinstance(staged.lane.crash, ValueError)
        (line,) = stage.logger.said("lane crashed")
        assert line["error"] == "ValueError"
        assert "secret" not in repr(stage.logger.lines)
        assert not staged.feed.under_way([0]), "and its batch waits again, for the next start to send"

    def test_terminal_records_that_wait_keep_no_lane_from_stopping(self) -> None:
        """They are in the log, and the next owner reads them there."""
        stage, staged = lane()
        staged.sink.down = DOWN
        staged.feed.offer(offer(0, 0, 10, TERMINAL), stage.clock.now_s())
        staged.turn(2)
        staged.lane.stop(Deadline.after(stage.clock, 10.0))
        staged.lane._run()
        assert staged.lane.crash is None
        assert staged.lane.snapshot().state == "stopped"
