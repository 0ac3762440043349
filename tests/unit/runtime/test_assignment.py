"""Partitions come and go: nobody commits what is not theirs, the group speaks first, and nobody is held up for long."""

from collections.abc import Sequence

import pytest

from tailrace.domain.kinds import FailureKind
from tailrace.domain.ledger import LaneStarted
from tailrace.domain.projected import LaneItem
from tailrace.runtime.assignment import ATTACH_PATIENCE_S
from tailrace.runtime.clock import Deadline
from tailrace.runtime.feed import Mode
from tailrace.runtime.group_commits import RECOMMIT_S, ROUND_PATIENCE_S
from tailrace.runtime.ports import GroupOffset
from tailrace.runtime.sink_port import Retriable
from tests.unit.runtime.fakes import PROGRESS, FakeTopic
from tests.unit.runtime.stage import Scale, Stage

SHUTDOWN_S = 20.0


def worker(*sinks: str, partitions: int = 1, events: int = 10, scale: Scale | None = None) -> Stage:
    """A worker that reads these partitions, with events in all of them, and has exported and committed them all."""
    stage = Stage(sinks, topic=FakeTopic(partitions), scale=scale)
    stage.source.assign(*stage.topic.partitions)
    for partition in stage.topic.partitions:
        stage.topic.append(partition, *[PROGRESS] * events)
    stage.until_idle()
    stage.story.clear()
    return stage


def exported_uncommitted(stage: Stage, *partitions: int, events: int = 5) -> None:
    """More events, which have reached the sinks while no commit was due."""
    stage.assignment._commits._commit_at_s = stage.clock.now_s() + 1e9
    for partition in partitions:
        stage.topic.append(partition, *[PROGRESS] * events)
    stage.turn(10)


def finish(stage: Stage) -> float:
    """Stop the worker; how many seconds its intake took."""
    began_s = stage.clock.now_s()
    stage.intake.finish(Deadline.after(stage.clock, SHUTDOWN_S))
    return stage.clock.now_s() - began_s


def partitions_of(said: object) -> list[int]:
    assert isinstance(said, dict)
    return list(said)


class TestHandingOver:
    def test_the_group_commits_before_any_lane(self) -> None:
        """Only the group is fenced by membership; a lane that wrote first could undo what a new owner committed."""
        stage = worker("a", "b")
        exported_uncommitted(stage, 0)
        stage.source.revoke(0)
        stage.turn()
        assert stage.story == [("group", {0: 15}), ("cursors a", {0: 15}), ("cursors b", {0: 15})]

    def test_no_lane_commits_when_the_group_was_refused(self) -> None:
        """Refused means that somebody else owns the partition already."""
        stage = worker("a", "b")
        exported_uncommitted(stage, 0)
        stage.source.accepts = False
        stage.source.revoke(0)
        stage.turn(5)
        assert stage.story == [("group", {0: 15})]
        assert stage.lanes["a"].cursors == {0: 10}

    def test_a_stopping_worker_commits_in_the_same_order_and_leaves_last(self) -> None:
        """A clean stop leaves no duplicates: every cursor stands behind the last export before others may take over."""
        stage = worker("a", "b", partitions=2)
        exported_uncommitted(stage, 0, 1)
        took_s = finish(stage)
        words = [word for word, _ in stage.story if word != "pause"]
        assert words == ["group", "cursors a", "cursors b", "leave"]
        assert stage.lanes["a"].cursors == stage.lanes["b"].cursors == {0: 15, 1: 15}
        assert took_s < 1

    def test_a_stopping_worker_whose_group_refuses_commits_no_cursor(self) -> None:
        """It was fenced while it stopped; what it exported last is sent again by the new owner."""
        stage = worker("a")
        exported_uncommitted(stage, 0)
        stage.source.accepts = False
        finish(stage)
        assert stage.told("cursors a") == []

    def test_lost_partitions_commit_nothing(self) -> None:
        """Somebody else may have them already: neither the group nor any lane says a word about them."""
        stage = worker("a", "b", partitions=2)
        exported_uncommitted(stage, 0, 1)
        stage.source.lose(0)
        stage.turn(5)
        finish(stage)
        spoken_of = {p for _, said in stage.told("group", "cursors a", "cursors b") for p in partitions_of(said)}
        assert spoken_of == {1}

    def test_what_is_under_way_of_a_lost_partition_is_called_off(self) -> None:
        """The new owner may be writing already; what we still send would land behind it."""
        stage = worker("a", partitions=2)
        staged = stage.lanes["a"]
        stage.topic.append(0, *[PROGRESS] * 5)
        staged.stuck = True
        stage.turn(5)
        staged.hang_in_an_export()
        stage.source.lose(1)
        stage.turn()
        assert not staged.lane._interrupt.is_set()
        stage.source.lose(0)
        stage.turn()
        assert staged.lane._interrupt.is_set()

    def test_a_lane_between_two_batches_takes_nothing_more_of_a_lost_partition(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It has nothing under way to call off, and its thread may take the next batch at any moment from there."""
        stage = worker("a")
        staged = stage.lanes["a"]
        stage.topic.append(0, *[PROGRESS] * 5)
        staged.stuck = True
        stage.turn(5)
        waited = staged.feed.waiting().records
        taken: list[LaneItem] = []
        interrupt = staged.lane.interrupt

        def interrupt_then_take(partitions: Sequence[int]) -> None:
            interrupt(partitions)
            taken.extend(staged.feed.take(10, 1_000_000))

        monkeypatch.setattr(staged.lane, "interrupt", interrupt_then_take)
        stage.source.lose(0)
        stage.turn()
        assert waited == 5
        assert taken == []

    def test_a_revocation_while_the_worker_stops_leaves_no_cursor_behind(self) -> None:
        """A new worker joins while this one waits for its last commit: what it keeps is written down all the same."""
        stage = worker("a", "b", partitions=2)
        exported_uncommitted(stage, 0, 1)
        stage.source.revoke(1)
        took_s = finish(stage)
        assert stage.lanes["a"].cursors == stage.lanes["b"].cursors == {0: 15, 1: 15}
        assert took_s < 1

    def test_a_late_lane_does_not_hold_up_the_others(self) -> None:
        """Its sink hangs: it is interrupted and left behind, and the others' cursors are where their exports are."""
        stage = worker("a", "b")
        stuck, other = stage.lanes["b"], stage.lanes["a"]
        stuck.stuck = True
        stage.topic.append(0, *[PROGRESS] * 5)
        stage.turn(5)
        stuck.hang_in_an_export()
        began_s = stage.clock.now_s()
        stage.source.revoke(0)
        stage.turn()
        assert stage.clock.now_s() - began_s <= Scale().drain_s + 0.2
        assert other.cursors == {0: 15}
        assert stuck.cursors == {0: 10}
        assert stuck.lane._interrupt.is_set()

    def test_a_commit_of_a_lane_that_fails_once_is_tried_again(self) -> None:
        """A hand-over grants once: given up after the first try, everything since the last commit would come again."""
        stage = worker("a")
        exported_uncommitted(stage, 0)
        stage.lanes["a"].log.refuses_next = 1
        took_s = finish(stage)
        assert stage.lanes["a"].cursors == {0: 15}
        assert took_s < 2

    def test_a_stop_that_committed_nothing_says_so_and_does_not_wait_for_what_cannot_come(self) -> None:
        """The group has refused, so no lane was granted anything: leaving it at once is all that is left to do."""
        stage = worker("a")
        exported_uncommitted(stage, 0)
        stage.source.accepts = False
        began_s = stage.clock.now_s()
        assert not stage.intake.finish(Deadline.after(stage.clock, SHUTDOWN_S))
        assert stage.clock.now_s() - began_s < 1
        assert stage.lanes["a"].cursors == {0: 10}
        assert [line["level"] for line in stage.logger.said("partitions handed over")] == ["warning"]

    def test_a_stop_that_committed_everything_says_so(self) -> None:
        """Nothing comes twice, which is what a clean end promises."""
        stage = worker("a", "b")
        exported_uncommitted(stage, 0)
        assert stage.intake.finish(Deadline.after(stage.clock, SHUTDOWN_S))
        (line,) = stage.logger.said("partitions handed over")
        assert line.get("level", "info") == "info"

    def test_a_revocation_whose_commit_was_refused_says_so(self) -> None:
        """What it would have covered comes again from the new owner; nobody should have to guess why."""
        stage = worker("a")
        exported_uncommitted(stage, 0)
        stage.source.accepts = False
        stage.source.revoke(0)
        stage.turn()
        (line,) = stage.logger.said("partitions handed over")
        assert line["level"] == "warning"

    def test_a_crashed_lane_is_not_waited_for(self) -> None:
        """Its thread is gone: the worker stops over it, and the others' cursors do not pay for it with their time."""
        stage = worker("a", "b")
        broken = stage.lanes["b"]
        broken.stuck = True
        stage.topic.append(0, *[PROGRESS] * 5)
        stage.turn(5)
        broken.hang_in_an_export()
        broken.lane._crash = RuntimeError()
        took_s = finish(stage)
        assert stage.lanes["a"].cursors == {0: 15}
        assert took_s < 1


class TestBeginning:
    def test_nobody_commits_while_loading(self) -> None:
        """Before the lanes stand there is nothing to say, and repeating an old word could set somebody back."""
        stage = Stage(("a", "b"), topic=FakeTopic(2))
        stage.topic.append(0, *[PROGRESS] * 5)
        for staged in stage.lanes.values():
            staged.log.blind = True
        stage.source.assign(0, 1)
        stage.turn(100)
        assert stage.story == []

    def test_a_cursor_moves_only_after_the_lane_start_is_in_the_ledger(self) -> None:
        """An audit has to know which selection and projector were in force for what lies above it."""
        stage = Stage()
        staged = stage.lanes["a"]
        staged.ledger.prompt = False
        stage.topic.append(0, *[PROGRESS] * 5)
        stage.source.assign(0)
        stage.turn(50)
        assert staged.sink.offsets(0) == list(range(5))
        assert staged.cursors == {0: 0}, "where it starts is written down, and nothing beyond"
        assert isinstance(staged.ledger.entries[0], LaneStarted)
        staged.ledger.acknowledge()
        stage.until_idle()
        assert staged.cursors == {0: 5}

    def test_reading_begins_at_the_lowest_of_the_lanes_near_the_furthest(self) -> None:
        """One read serves those that are close; one far behind catches up by itself and drags nobody back."""
        stage = Stage(("near", "far", "first"), scale=Scale(near_records=30))
        stage.topic.append(0, *[PROGRESS] * 200)
        for sink_id, cursor in (("near", 175), ("far", 100), ("first", 200)):
            stage.lanes[sink_id].stored(0, cursor)
        stage.source.assign(0)
        stage.turn(2)
        assert stage.told("begin") == [("begin", (0, 175))]
        standing = {sink_id: staged.feed.standing(0, 1) for sink_id, staged in stage.lanes.items()}
        assert {sink_id: place and place[0] for sink_id, place in standing.items()} == {
            "near": Mode.LIVE,
            "far": Mode.CATCHING_UP,
            "first": Mode.LIVE,
        }
        stage.until_idle()
        assert stage.lanes["far"].sink.offsets(0) == list(range(100, 200))
        assert stage.lanes["near"].sink.offsets(0) == list(range(175, 200))
        assert stage.lanes["first"].sink.offsets(0) == []

    def test_a_lane_that_is_late_to_attach_is_waited_for_a_while_and_then_joins_by_catching_up(self) -> None:
        """One sink in the middle of a slow export does not keep the others from starting."""
        stage = Stage(("a", "late"))
        stage.topic.append(0, *[PROGRESS] * 10)
        stage.lanes["late"].stuck = True
        stage.source.assign(0)
        began_s = stage.clock.now_s()
        while not stage.told("begin"):
            stage.turn()
        assert ATTACH_PATIENCE_S <= stage.clock.now_s() - began_s < ATTACH_PATIENCE_S + 0.5
        stage.until_idle()
        assert stage.lanes["a"].sink.offsets(0) == list(range(10))
        stage.lanes["late"].stuck = False
        stage.until_idle()
        assert stage.lanes["late"].sink.offsets(0) == list(range(10))

    def test_a_late_lane_does_not_keep_the_others_cursors_in_a_new_group(self) -> None:
        """The group has no word of its own yet: the first one lets those commit that do stand."""
        stage = Stage(("a", "late"))
        stage.topic.append(0, *[PROGRESS] * 10)
        stage.lanes["late"].stuck = True
        stage.source.assign(0)
        stage.turn(100)
        assert stage.lanes["a"].cursors == {0: 10}

    def test_the_group_repeats_its_word_while_a_lane_has_no_cursor(self) -> None:
        """That lane could be anywhere, so the group's lag must not claim that it is gone."""
        stage = Stage(("a", "late"))
        stage.topic.append(0, *[PROGRESS] * 10)
        stage.lanes["a"].stored(0, 4)
        stage.source.group[0] = GroupOffset(2, "")
        stage.lanes["late"].stuck = True
        stage.source.assign(0)
        stage.turn(100)
        assert stage.told("group")
        assert all(said == {0: 2} for _, said in stage.told("group"))
        assert stage.lanes["a"].cursors == {0: 10}


class TestCommitting:
    def test_the_group_commits_the_lowest_cursor_of_all_lanes(self) -> None:
        """Stock tools then see the lag of the sink that is furthest behind."""
        stage = worker("a", "b")
        stage.lanes["b"].stuck = True
        stage.topic.append(0, *[PROGRESS] * 5)
        stage.turn(50)
        assert stage.source.group[0].next_offset == 10
        assert stage.lanes["a"].cursors == {0: 15}

    def test_a_refused_round_grants_nothing(self) -> None:
        """The lanes' cursors wait until the group is ours again."""
        stage = worker("a")
        stage.source.accepts = False
        stage.topic.append(0, *[PROGRESS] * 5)
        stage.turn(50)
        assert stage.told("cursors a") == []
        stage.source.accepts = True
        stage.turn(50)
        assert stage.lanes["a"].cursors == {0: 15}

    def test_one_round_is_under_way_at_a_time(self) -> None:
        """An answer can then only be to the last question."""
        stage = worker("a")
        stage.source.answers = False
        for _ in range(5):
            stage.topic.append(0, PROGRESS)
            stage.turn(30)
        assert len(stage.told("group")) == 1

    def test_a_round_that_is_never_answered_is_given_up(self) -> None:
        """It was lost with an earlier membership; cursors must not stand still for ever over it."""
        stage = worker("a")
        stage.source.answers = False
        stage.topic.append(0, PROGRESS)
        stage.turn(30)
        stage.source.answers = True
        stage.topic.append(0, PROGRESS)
        stage.clock.passes(ROUND_PATIENCE_S)
        stage.turn(30)
        assert stage.lanes["a"].cursors == {0: 12}

    def test_an_answer_to_a_round_that_was_given_up_grants_nothing(self) -> None:
        """What it spoke of may have been handed over and come back since."""
        stage = worker("a")
        stage.source.answers = False
        stage.topic.append(0, PROGRESS)
        stage.turn(30)
        stage.topic.append(0, PROGRESS)
        stage.turn(30)
        stage.clock.passes(ROUND_PATIENCE_S)
        stage.turn(1)
        first, _second = stage.source.unanswered
        stage.source.unanswered[:] = [first]
        stage.source.answer()
        stage.turn(5)
        assert stage.told("cursors a") == []

    def test_an_answer_that_outlives_its_assignment_grants_nothing(self) -> None:
        """The partition left and came back while the answer was on its way: another worker has been at it."""
        stage = worker("a")
        staged = stage.lanes["a"]
        stage.source.answers = False
        stage.topic.append(0, *[PROGRESS] * 5)
        stage.turn(30)
        stage.source.lose(0)
        stage.turn(2)
        staged.stored(0, 12)  # what the other worker wrote
        stage.source.assign(0)
        staged.sink.down = Retriable(0, FailureKind.SINK_UNAVAILABLE, "down")
        stage.turn(2)
        stage.source.answer()
        stage.turn(5)
        assert staged.cursors == {0: 12}
        assert stage.told("cursors a") == []

    def test_a_cursor_whose_commit_failed_is_granted_again_although_nothing_moves(self) -> None:
        """A coordinator that was moving at that moment must not leave the last records of a quiet day to be doubled."""
        stage = worker("a")
        stage.lanes["a"].log.refuses = True
        stage.topic.append(0, PROGRESS)
        stage.turn(50)
        assert stage.lanes["a"].cursors == {0: 10}
        stage.lanes["a"].log.refuses = False
        stage.turn(50)
        assert stage.lanes["a"].cursors == {0: 11}

    def test_idle_cursors_are_committed_again_before_kafka_forgets_them(self) -> None:
        """A group without members keeps its offsets for a week after the last commit, also of an idle one."""
        stage = worker("a", "b")
        stage.turn(50)
        assert stage.story == []
        stage.clock.passes(RECOMMIT_S)
        stage.turn(50)
        assert stage.story == [("group", {0: 10}), ("cursors a", {0: 10}), ("cursors b", {0: 10})]

    def test_a_halted_partition_keeps_its_cursor_in_the_commits(self) -> None:
        """It stands still for as long as nobody looks at it, which may be longer than Kafka keeps an offset."""
        stage = worker("a", partitions=2)
        stage.assignment.halt(0, 10, "reason")
        stage.clock.passes(RECOMMIT_S)
        stage.turn(50)
        assert stage.told("group") == [("group", {0: 10, 1: 10})]
