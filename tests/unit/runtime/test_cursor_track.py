"""A cursor moves forward, and only over what the ledger has; what is on its way to the ledger is taken back in time."""

from collections.abc import Iterable

import pytest

from tailrace.domain.kinds import FailureKind, SinkKind
from tailrace.domain.ledger import (
    CursorOrigin,
    ExportMark,
    Gap,
    GapRun,
    LaneIdentity,
    LaneStarted,
    LedgerEntry,
)
from tailrace.runtime.cursor_track import ClearedCursor, CursorTrack
from tailrace.runtime.ports import StoredCursor
from tests.unit.runtime.fakes import FakeTicket

LANE = LaneIdentity(sink_id="a", sink_kind=SinkKind.TEST, start_id="start")


def start(partition: int = 0, cursor: int = 10) -> LaneStarted:
    return LaneStarted(
        lane=LANE,
        topic="agent.events",
        partition=partition,
        cursor=cursor,
        cursor_origin=CursorOrigin.COMMITTED,
        config_digest="digest",
        projector_version=1,
    )


def gap(offset: int, partition: int = 0) -> Gap:
    return Gap(
        lane=LANE,
        topic="agent.events",
        partition=partition,
        reason=FailureKind.OVERFLOW,
        detail="buffer_full",
        runs=(GapRun(offset, offset, ()),),
        records=1,
    )


def mark(next_offset: int, partition: int = 0) -> ExportMark:
    return ExportMark(
        lane=LANE,
        topic="agent.events",
        partition=partition,
        next_offset=next_offset,
        export_seq=0,
        newest_event_time_us=None,
        exported=0,
        filtered=0,
        dropped=(),
    )


class CrampedLedger:
    """Takes as many entries as it has room for, and acknowledges when it is told to."""

    def __init__(self, room: int = 1_000) -> None:
        self.room = room
        self.refusals = 0  # of the next entries, before somebody has made room again
        self.taken: list[tuple[LedgerEntry, FakeTicket]] = []

    def submit(self, entry: LedgerEntry) -> FakeTicket | None:
        if self.room == 0 or self.refusals > 0:
            self.refusals -= 1
            return None
        self.room -= 1
        self.taken.append((entry, FakeTicket()))
        return self.taken[-1][1]

    @property
    def entries(self) -> list[LedgerEntry]:
        return [entry for entry, _ in self.taken]

    def acknowledge(self, *entries: LedgerEntry) -> None:
        """These entries, or everything that was taken."""
        for entry, ticket in self.taken:
            if not entries or entry in entries:
                ticket.acknowledged = True

    @property
    def withdrawn(self) -> list[LedgerEntry]:
        return [entry for entry, ticket in self.taken if ticket.withdrawn]


def tracked(
    cursor: int = 10, *, partitions: Iterable[int] = (0,), room: int = 1_000, started: bool = True
) -> tuple[CursorTrack, CrampedLedger]:
    """A track whose lane starts are acknowledged, or not yet."""
    ledger = CrampedLedger()
    track = CursorTrack(ledger)
    for partition in partitions:
        track.begin(partition, 1, StoredCursor(cursor, 5, 2, "topic-id"), [start(partition, cursor)])
    if started:
        track.pump()
        ledger.acknowledge()
        assert track.pump() == {}
        ledger.taken.clear()
    ledger.room = room
    return track, ledger


def cursors(track: CursorTrack) -> dict[int, int]:
    return {partition: cleared.next_offset for partition, cleared in track.cleared().items()}


class TestLaneStart:
    def test_a_lane_has_no_cursor_to_speak_of_before_its_start_is_acknowledged(self) -> None:
        """Handed in is not enough."""
        track, ledger = tracked(started=False)
        assert cursors(track) == {}
        track.pump()
        assert ledger.entries == [start()]
        assert cursors(track) == {}
        ledger.acknowledge()
        assert track.pump() == {}, "it stands where it was loaded"
        assert track.cleared() == {0: ClearedCursor(1, 10)}

    def test_no_cursor_moves_before_its_start_is_acknowledged(self) -> None:
        """A gap of the start before would otherwise count for what this one exports."""
        track, ledger = tracked(started=False)
        track.add(0, 1, 15, [])
        track.add(0, 1, 20, [gap(17)])
        track.pump()
        assert ledger.entries == [start(), gap(17)], "though nothing behind it has to wait for being written"
        ledger.acknowledge(gap(17))
        assert track.pump() == {}
        ledger.acknowledge(start())
        assert track.pump() == {0: ClearedCursor(1, 20)}

    def test_partitions_start_each_by_itself(self) -> None:
        """One that is not acknowledged yet is missing from what may be committed, and no other is."""
        track, ledger = tracked(partitions=(0, 1), started=False)
        track.pump()
        ledger.acknowledge(start(1))
        track.pump()
        assert cursors(track) == {1: 10}

    def test_a_partition_that_comes_back_begins_where_it_is_loaded_now(self) -> None:
        """Under the tag of its new assignment, and with a lane start of its own."""
        track, ledger = tracked()
        track.add(0, 1, 50, [])
        track.pump()
        track.begin(0, 2, StoredCursor(40, 1, 1, None), [start(cursor=40)])
        assert cursors(track) == {}
        assert track.loaded(0) == StoredCursor(40, 1, 1, None)
        assert track.commits([0]) == {0: 40}
        track.pump()
        ledger.acknowledge()
        track.pump()
        assert track.cleared() == {0: ClearedCursor(2, 40)}

    def test_where_it_was_loaded_is_remembered_with_what_was_counted_by_then(self) -> None:
        """The counts of a sink go on over restarts; of a partition that is not tracked nothing is known."""
        track, _ = tracked()
        track.add(0, 1, 50, [])
        track.pump()
        assert track.loaded(0) == StoredCursor(10, 5, 2, "topic-id")
        assert track.loaded(7) is None


class TestSteps:
    def test_a_step_over_nothing_missed_is_cleared_at_once(self) -> None:
        """All of it was exported or filtered, and the ledger has nothing to say to that."""
        track, ledger = tracked()
        track.add(0, 1, 15, [])
        assert cursors(track) == {0: 10}, "though not before somebody looks"
        assert track.pump() == {0: ClearedCursor(1, 15)}
        assert cursors(track) == {0: 15}
        assert track.pump() == {}, "and it moves once"
        assert ledger.entries == []

    def test_a_step_waits_for_every_gap_that_it_passes(self) -> None:
        """A crash in between would lose an event that nobody ever hears of."""
        track, ledger = tracked()
        track.add(0, 1, 15, [gap(11), gap(13)])
        for acknowledged in (None, gap(13)):
            if acknowledged is not None:
                ledger.acknowledge(acknowledged)
            assert track.pump() == {}
            assert cursors(track) == {0: 10}
        ledger.acknowledge(gap(11))
        assert track.pump() == {0: ClearedCursor(1, 15)}

    def test_a_step_waits_for_the_ones_before_it(self) -> None:
        """Whatever it needs itself: below its cursor lies what they pass."""
        track, ledger = tracked()
        track.add(0, 1, 15, [gap(11)])
        track.add(0, 1, 20, [])
        track.add(0, 1, 25, [gap(22)])
        track.pump()
        ledger.acknowledge(gap(22))
        assert track.pump() == {}
        ledger.acknowledge(gap(11))
        assert track.pump() == {0: ClearedCursor(1, 25)}, "and then all of them are passed in one"

    def test_a_cleared_step_does_not_wait_for_the_ones_behind_it(self) -> None:
        """The cursor is as far as it may be at any time."""
        track, ledger = tracked()
        track.add(0, 1, 15, [gap(11)])
        track.add(0, 1, 20, [gap(16)])
        track.pump()
        ledger.acknowledge(gap(11))
        assert track.pump() == {0: ClearedCursor(1, 15)}

    def test_one_partition_that_waits_holds_no_other(self) -> None:
        """Each has a cursor of its own."""
        track, _ = tracked(partitions=(0, 1))
        track.add(0, 1, 15, [gap(11)])
        track.add(1, 1, 15, [])
        assert track.pump() == {1: ClearedCursor(1, 15)}
        assert cursors(track) == {0: 10, 1: 15}

    def test_a_cursor_never_moves_back(self) -> None:
        """Whatever it is told."""
        track, _ = tracked()
        track.add(0, 1, 20, [])
        track.add(0, 1, 15, [])
        track.add(0, 1, 5, [])
        assert track.pump() == {0: ClearedCursor(1, 20)}
        assert cursors(track) == {0: 20}
        track.add(0, 1, 15, [])
        assert track.pump() == {}

    @pytest.mark.parametrize(("partition", "tag"), [(0, 2), (0, 0), (7, 1)])
    def test_a_step_of_another_assignment_is_ignored_with_all_it_missed(self, partition: int, tag: int) -> None:
        """It is about what was taken then, and the partition may have been somebody else's in between."""
        track, ledger = tracked()
        track.add(partition, tag, 15, [gap(11, partition)])
        assert track.pump() == {}
        assert ledger.entries == []
        assert not track.waiting()


class TestAFullLedger:
    def test_what_it_has_no_room_for_is_handed_in_later_once_and_in_order(self) -> None:
        """A reader of the ledger sees the gaps of a partition as they were met."""
        track, ledger = tracked(room=2)
        gaps = [gap(offset) for offset in (11, 12, 13, 16, 17)]
        track.add(0, 1, 15, gaps[:3])
        track.add(0, 1, 20, gaps[3:])
        track.pump()
        assert ledger.entries == gaps[:2]
        track.pump()
        assert ledger.entries == gaps[:2]
        ledger.room = 2
        track.pump()
        assert ledger.entries == gaps[:4]
        ledger.room = 100
        track.pump()
        track.pump()
        assert ledger.entries == gaps

    def test_room_that_comes_while_it_is_handed_in_lets_nothing_overtake(self) -> None:
        """The ledger writes on another thread: the next entry might find room where this one found none."""
        track, ledger = tracked()
        ledger.refusals = 1
        track.add(0, 1, 15, [gap(11)])
        track.add(0, 1, 20, [gap(16)])
        track.pump()
        assert ledger.entries == []
        track.pump()
        assert ledger.entries == [gap(11), gap(16)]

    def test_a_step_waits_also_for_what_could_not_be_handed_in(self) -> None:
        """That all which was handed in is acknowledged says nothing of the rest."""
        track, ledger = tracked(room=1)
        track.add(0, 1, 15, [gap(11), gap(12)])
        track.pump()
        ledger.acknowledge()
        assert track.pump() == {}
        ledger.room = 1
        assert track.pump() == {}
        ledger.acknowledge()
        assert track.pump() == {0: ClearedCursor(1, 15)}

    def test_a_partition_whose_gaps_find_no_room_keeps_no_cleared_cursor_back(self) -> None:
        """Of another one, that needs nothing written."""
        track, _ = tracked(partitions=(0, 1), room=0)
        track.add(0, 1, 15, [gap(11)])
        track.add(1, 1, 15, [])
        assert track.pump() == {1: ClearedCursor(1, 15)}


class TestHeldTickets:
    def test_the_next_step_waits_for_the_ticket_and_the_one_after_does_not(self) -> None:
        """It is the letter of a record that lies below that step."""
        track, _ = tracked()
        letter = FakeTicket()
        track.hold(0, letter)
        track.add(0, 1, 15, [])
        assert track.pump() == {}
        letter.acknowledged = True
        assert track.pump() == {0: ClearedCursor(1, 15)}
        track.add(0, 1, 20, [])
        assert track.pump() == {0: ClearedCursor(1, 20)}

    def test_it_waits_for_all_of_them_and_for_its_gaps(self) -> None:
        """A batch may have had several records that were refused."""
        track, ledger = tracked()
        letters = [FakeTicket(), FakeTicket()]
        for letter in letters:
            track.hold(0, letter)
        track.add(0, 1, 15, [gap(11)])
        track.pump()
        ledger.acknowledge()
        assert track.pump() == {}
        letters[1].acknowledged = True
        assert track.pump() == {}
        letters[0].acknowledged = True
        assert track.pump() == {0: ClearedCursor(1, 15)}

    def test_a_step_that_was_there_before_does_not_wait(self) -> None:
        """The record lies behind it."""
        track, _ = tracked()
        track.add(0, 1, 15, [])
        track.hold(0, FakeTicket())
        assert track.pump() == {0: ClearedCursor(1, 15)}

    def test_no_other_partition_waits(self) -> None:
        """And one that is not ours any more has no step to hold."""
        track, _ = tracked(partitions=(0, 1))
        track.hold(0, FakeTicket())
        track.hold(7, FakeTicket())
        track.add(1, 1, 15, [])
        assert track.pump() == {1: ClearedCursor(1, 15)}

    def test_a_step_of_another_assignment_takes_no_ticket_with_it(self) -> None:
        """The next one of this assignment still waits for it."""
        track, _ = tracked()
        track.hold(0, FakeTicket())
        track.add(0, 2, 15, [])
        track.add(0, 1, 15, [])
        assert track.pump() == {}


class TestDue:
    @pytest.mark.parametrize(
        ("granted", "due"),
        [
            (9, {}),  # of an earlier assignment: never back below where this one was loaded
            (10, {}),  # Kafka has it
            (11, {0: 11}),
            (20, {0: 20}),
            (25, {0: 20}),  # no cursor passes what is not cleared, whatever the group says
        ],
    )
    def test_a_grant_is_committed_as_far_as_it_is_new_and_cleared(self, granted: int, due: dict[int, int]) -> None:
        """Loaded at 10, cleared up to 20."""
        track, _ = tracked()
        track.add(0, 1, 20, [])
        track.pump()
        assert track.due({0: granted}) == due

    def test_what_was_committed_is_not_due_again(self) -> None:
        """A grant may be given many times until it is written."""
        track, _ = tracked()
        track.add(0, 1, 20, [])
        track.pump()
        track.committed({0: 15})
        assert track.due({0: 14}) == {}
        assert track.due({0: 15}) == {}
        assert track.due({0: 16}) == {0: 16}
        assert track.commits([0]) == {0: 15}

    def test_what_is_not_tracked_is_not_due(self) -> None:
        """It is somebody else's."""
        track, _ = tracked()
        assert track.due({7: 100}) == {}
        assert track.due({}) == {}

    def test_an_old_commit_is_due_again_with_the_next_grant(self) -> None:
        """Though nothing moved: Kafka forgets what is not committed for a week."""
        track, _ = tracked(partitions=(0, 1))
        track.forget_commits()
        assert track.commits([0, 1]) == {0: -1, 1: -1}, "as if Kafka had nothing"
        assert track.due({0: 10}) == {0: 10}
        track.committed({0: 10})
        assert track.due({0: 10, 1: 10}) == {1: 10}

    def test_not_even_then_is_anything_due_below_where_it_was_loaded(self) -> None:
        """A late grant is as late as ever."""
        track, _ = tracked()
        track.forget_commits()
        assert track.due({0: 9}) == {}

    def test_a_commit_of_what_is_not_tracked_any_more_is_forgotten(self) -> None:
        """The lane was waiting for Kafka's answer while the partition went."""
        track, _ = tracked(partitions=(0, 1))
        track.forget([0])
        track.committed({0: 15, 1: 12})
        assert track.commits([0, 1, 7]) == {1: 12}


class TestWaiting:
    def test_it_waits_from_the_step_until_the_ledger_has_acknowledged(self) -> None:
        """That is for how long a lane looks more often, and a hand-over is not over."""
        track, ledger = tracked(partitions=(0, 1))
        assert (track.waiting(), track.quiet([0, 1])) == (False, True)
        track.add(0, 1, 15, [gap(11)])
        track.pump()
        assert (track.waiting(), track.quiet([0, 1])) == (True, False)
        assert track.quiet([1]), "nothing waits of this one"
        assert track.quiet([7, 1]), "nor of one that is not tracked"
        ledger.acknowledge()
        assert (track.waiting(), track.quiet([0, 1])) == (True, False), "nobody has looked yet"
        track.pump()
        assert (track.waiting(), track.quiet([0, 1])) == (False, True)

    def test_a_lane_start_is_waited_for_as_well(self) -> None:
        """Handed over before, it would be written behind the next owner's."""
        track, _ = tracked(started=False)
        assert track.waiting()
        assert not track.quiet([0])


class TestMarks:
    def test_a_mark_is_written_and_nothing_waits_for_it(self) -> None:
        """It tells readers how far the sink is; the cursor stands for itself."""
        track, ledger = tracked()
        track.mark(0, mark(10))
        assert ledger.entries == [mark(10)]
        track.add(0, 1, 15, [])
        assert track.pump() == {0: ClearedCursor(1, 15)}
        assert not track.waiting()

    @pytest.mark.parametrize("handed_in", [True, False])
    def test_a_mark_is_left_out_while_the_lane_start_is_not_acknowledged(self, handed_in: bool) -> None:
        """Alone in the ledger, or in front of it, it would say that all below is accounted for."""
        track, ledger = tracked(started=False)
        if handed_in:
            track.pump()
        before = list(ledger.entries)
        track.mark(0, mark(10))
        assert ledger.entries == before
        track.pump()
        ledger.acknowledge()
        track.pump()
        track.mark(0, mark(10))
        assert ledger.entries[-1] == mark(10)

    def test_a_mark_is_written_while_gaps_wait(self) -> None:
        """It speaks of the cursor, which is in front of them."""
        track, ledger = tracked()
        track.add(0, 1, 15, [gap(11)])
        track.pump()
        track.mark(0, mark(10))
        assert ledger.entries == [gap(11), mark(10)]

    def test_a_mark_that_finds_no_room_is_left_out(self) -> None:
        """The next one says more; and one of a partition that is not tracked is nobody's."""
        track, ledger = tracked(room=0)
        track.mark(0, mark(10))
        ledger.room = 10
        track.mark(7, mark(10, 7))
        track.pump()
        assert ledger.entries == []

    def test_a_mark_is_withdrawn_with_its_partition(self) -> None:
        """Behind the next owner's lane start it would speak for where that one stands."""
        track, ledger = tracked(partitions=(0, 1))
        track.mark(0, mark(10))
        track.mark(1, mark(10, 1))
        track.forget([0])
        assert ledger.withdrawn == [mark(10)]

    def test_a_mark_is_withdrawn_also_if_a_later_one_found_no_room(self) -> None:
        """A ledger that stands still is full, and the last mark waits in it."""
        track, ledger = tracked(room=1)
        track.mark(0, mark(10))
        track.mark(0, mark(12))
        track.forget([0])
        assert ledger.withdrawn == [mark(10)]

    def test_every_mark_that_is_not_written_yet_is_withdrawn(self) -> None:
        """A ledger that stands still for longer than the time between two marks has several."""
        track, ledger = tracked()
        track.mark(0, mark(10))
        track.mark(0, mark(12))
        track.forget([0])
        assert set(ledger.withdrawn) == {mark(10), mark(12)}

    def test_a_mark_that_is_written_is_let_go_of(self) -> None:
        """A lane that runs for a year has written three million of them."""
        track, ledger = tracked()
        track.mark(0, mark(10))
        ledger.acknowledge()
        track.mark(0, mark(12))
        track.forget([0])
        assert ledger.withdrawn == [mark(12)]


class TestForgetting:
    def test_what_waits_for_the_ledger_is_withdrawn(self) -> None:
        """Behind the next owner's lane start, a gap of ours would speak for what that one exports."""
        track, ledger = tracked(partitions=(0, 1), started=False)
        track.add(0, 1, 15, [gap(11), gap(12)])
        track.add(0, 1, 20, [gap(16)])
        track.add(1, 1, 15, [gap(11, 1)])
        track.pump()
        track.forget([0])
        assert ledger.withdrawn == [start(0), gap(11), gap(12), gap(16)]

    def test_a_letter_that_no_step_has_come_to_yet_is_withdrawn_too(self) -> None:
        """The record was written off, and the partition went before the next step."""
        track, _ = tracked(partitions=(0, 1))
        ours, others = FakeTicket(), FakeTicket()
        track.hold(0, ours)
        track.hold(1, others)
        track.forget([0])
        assert (ours.withdrawn, others.withdrawn) == (True, False)

    def test_the_letters_that_a_step_waits_for_are_withdrawn_with_it(self) -> None:
        """The next owner tries those records again, and writes letters of its own."""
        track, _ = tracked()
        letter = FakeTicket()
        track.hold(0, letter)
        track.add(0, 1, 15, [])
        track.forget([0])
        assert letter.withdrawn

    def test_nothing_of_it_is_handed_in_or_cleared_any_more(self) -> None:
        """What had found no room, and what is acknowledged late, is of the past."""
        track, ledger = tracked(partitions=(0, 1), room=1)
        track.add(0, 1, 15, [gap(11), gap(12)])
        track.pump()
        track.forget([7, 0])
        ledger.room = 10
        ledger.acknowledge()
        assert track.pump() == {}
        assert ledger.entries == [gap(11)]
        assert cursors(track) == {1: 10}
        assert track.loaded(0) is None

    @pytest.mark.parametrize(("tag", "left"), [(1, {1: 10}), (2, {0: 10, 1: 10})])
    def test_an_attachment_that_came_too_late_is_undone_unless_the_next_is_there(
        self, tag: int, left: dict[int, int]
    ) -> None:
        """By then the partition may have been assigned to us once more."""
        track, _ = tracked(partitions=(0, 1))
        track.leave(0, tag)
        track.leave(7, tag)
        assert cursors(track) == left
