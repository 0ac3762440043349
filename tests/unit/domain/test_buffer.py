"""The buffer's rules one by one: docs/DESIGN.md, The buffer, B1 to B4, and what a worker's lane needs besides."""

from dataclasses import dataclass

import pytest

from tailrace.domain.buffer import (
    Admitted,
    AdmittedBySacrifice,
    BufferLimits,
    Coalesced,
    OfferOutcome,
    ProgressDropped,
    RoomNeeded,
    SinkBuffer,
    SinkMarkedFailed,
    TerminalLost,
    dropped_by,
)
from tailrace.domain.errors import ContractBroken, InvalidField
from tailrace.domain.kinds import OverflowPolicy, ProjectionKind
from tailrace.domain.projected import LaneItem, Undecodable, UndecodableReason, record_of

DROP = OverflowPolicy.DROP_NON_TERMINAL_PROGRESS
COALESCE = OverflowPolicy.COALESCE_PROGRESS_BY_RUN
FAIL = OverflowPolicy.FAIL_SINK_NOT_RUN
REPLAY = OverflowPolicy.REPLAY_FROM_LOG
SHEDDING = (DROP, COALESCE, FAIL)


@dataclass(frozen=True)
class Item:
    name: str
    terminal_preserved: bool = False
    run_key: str = "run"
    size_bytes: int = 0
    event: int = 0


def progress(name: str, run_key: str = "run", size_bytes: int = 0, event: int = 0) -> Item:
    return Item(name, False, run_key, size_bytes, event)


def terminal(name: str, size_bytes: int = 0, event: int = 0) -> Item:
    return Item(name, True, "run", size_bytes, event)


def buffer(
    policy: OverflowPolicy,
    capacity_records: int,
    reserve_records: int,
    capacity_bytes: int | None = None,
    reserve_bytes: int | None = None,
) -> SinkBuffer[Item]:
    limits = BufferLimits(capacity_records, reserve_records, capacity_bytes, reserve_bytes)
    return SinkBuffer(limits, policy, lambda item: item.event or item.name)


def names(held: SinkBuffer[Item]) -> str:
    return " ".join(item.name for item in held)


class TestLimits:
    def test_agreed_takes_the_smaller_capacity_and_the_larger_reserve(self) -> None:
        """B1, for records and for bytes."""
        assert BufferLimits.agreed(BufferLimits(10, 2, 100, 5), BufferLimits(64, 4, 80, 9)) == BufferLimits(
            10, 4, 80, 9
        )

    def test_agreed_caps_the_reserve_by_the_capacity(self) -> None:
        """B1: a reserve larger than the buffer is the buffer."""
        limits = BufferLimits.agreed(BufferLimits(2, 1, 10, 1), BufferLimits(64, 4, 20, 15))
        assert limits == BufferLimits(2, 2, 10, 10)
        assert (limits.progress_records, limits.progress_bytes) == (0, 0)

    @pytest.mark.parametrize("other", [BufferLimits(9, 1), BufferLimits(9, 1, 50, 5)])
    def test_agreed_leaves_bytes_to_the_side_that_bounds_them(self, other: BufferLimits) -> None:
        """In process nobody bounds bytes; a worker does."""
        agreed = BufferLimits.agreed(other, BufferLimits(8, 2))
        assert (agreed.capacity_bytes, agreed.reserve_bytes) == (other.capacity_bytes, other.reserve_bytes)

    def test_reserve_above_the_capacity_leaves_progress_nothing(self) -> None:
        """A share is never negative."""
        limits = BufferLimits(2, 9, 10, 90)
        assert (limits.progress_records, limits.progress_bytes) == (0, 0)
        assert BufferLimits(2, 1).progress_bytes is None

    @pytest.mark.parametrize(
        ("values", "field"),
        [
            ((0, 1), "capacity_records"),
            ((1, 0), "reserve_records"),
            ((1, 1, 0, 1), "capacity_bytes"),
            ((1, 1, 1, 0), "reserve_bytes"),
            ((1, 1, 5), "reserve_bytes"),
            ((1, 1, None, 5), "reserve_bytes"),
        ],
    )
    def test_limits_of_zero_or_half_a_byte_bound_are_refused(self, values: tuple[int, int], field: str) -> None:
        """B1: all above zero."""
        with pytest.raises(InvalidField) as refusal:
            BufferLimits(*values)
        assert refusal.value.field == field


class TestOverflow:
    @pytest.mark.parametrize("policy", OverflowPolicy)
    def test_progress_may_not_use_the_reserve_and_terminals_may(self, policy: OverflowPolicy) -> None:
        """B2."""
        held = buffer(policy, 3, 1)
        assert [held.offer(item) for item in (progress("p1"), progress("p2"))] == [Admitted(), Admitted()]
        assert held.offer(progress("p3", "other")) != Admitted()
        assert held.offer(terminal("t1")) == Admitted()
        assert names(held) == "p1 p2 t1"

    @pytest.mark.parametrize("policy", SHEDDING)
    def test_terminal_pushes_out_the_oldest_progress(self, policy: OverflowPolicy) -> None:
        """B3, under every policy that sheds."""
        held = buffer(policy, 3, 1)
        for item in (terminal("t1"), progress("p1"), progress("p2")):
            held.offer(item)
        assert held.offer(terminal("t2")) == AdmittedBySacrifice((progress("p1"),))
        assert names(held) == "t1 p2 t2"

    @pytest.mark.parametrize("policy", SHEDDING)
    def test_terminal_is_lost_when_no_progress_is_queued(self, policy: OverflowPolicy) -> None:
        """B3, at the end of what it can do."""
        held = buffer(policy, 2, 1)
        held.offer(terminal("t1"))
        held.offer(terminal("t2"))
        assert held.offer(terminal("t3")) == TerminalLost(())
        assert names(held) == "t1 t2"

    @pytest.mark.parametrize("policy", SHEDDING)
    def test_progress_in_flight_counts_and_is_never_sacrificed(self, policy: OverflowPolicy) -> None:
        """B2: what the exporter has is out of reach, and still takes room."""
        held = buffer(policy, 2, 1)
        held.offer(progress("p1"))
        held.offer(terminal("t1"))
        held.take(1)
        assert held.progress_len == 1
        assert held.offer(terminal("t2")) == TerminalLost(())
        assert names(held) == "p1 t1"
        held.acknowledge(1)
        assert held.offer(terminal("t3")) == Admitted()

    def test_progress_without_room_meets_the_policy(self) -> None:
        """B4, each policy with its own outcome."""
        for policy, expected in ((DROP, ProgressDropped()), (FAIL, SinkMarkedFailed()), (REPLAY, RoomNeeded())):
            held = buffer(policy, 2, 1)
            held.offer(progress("p1"))
            assert held.offer(progress("p2")) == expected
            assert names(held) == "p1"

    def test_coalescing_replaces_the_oldest_queued_progress_of_the_same_run(self) -> None:
        """B4: the run's newest progress stays, in its place at the back."""
        held = buffer(COALESCE, 5, 1)
        for item in (progress("a1", "a"), progress("b1", "b"), progress("a2", "a"), progress("b2", "b")):
            held.offer(item)
        assert held.offer(progress("b3", "b")) == Coalesced(progress("b1", "b"), admitted=True)
        assert held.offer(progress("b4", "b")) == Coalesced(progress("b2", "b"), admitted=True)
        assert names(held) == "a1 a2 b3 b4"

    def test_coalescing_drops_progress_of_a_run_that_has_none_queued(self) -> None:
        """B4: other runs pay nothing; progress in flight is not queued."""
        held = buffer(COALESCE, 2, 1)
        held.offer(progress("a1", "a"))
        assert held.offer(progress("b1", "b")) == Coalesced(None, admitted=False)
        held.take(1)
        assert held.offer(progress("a2", "a")) == Coalesced(None, admitted=False)
        assert names(held) == "a1"

    def test_coalescing_still_finds_a_run_after_give_back_and_sacrifice(self) -> None:
        """Where a run's progress stands is known through every way it can move."""
        held = buffer(COALESCE, 4, 1)
        for item in (progress("a1", "a"), progress("b1", "b"), progress("a2", "a")):
            held.offer(item)
        held.take(2)
        held.give_back()
        held.offer(terminal("t1"))
        assert held.offer(terminal("t2")) == AdmittedBySacrifice((progress("a1", "a"),))
        assert held.offer(progress("a3", "a")) == Coalesced(progress("a2", "a"), admitted=True)
        assert names(held) == "b1 t1 t2 a3"

    def test_replay_from_log_drops_nothing_of_either_class(self) -> None:
        """B4: the caller detaches instead, and the log has everything."""
        held = buffer(REPLAY, 2, 1)
        held.offer(progress("p1"))
        held.offer(terminal("t1"))
        assert held.offer(terminal("t2")) == RoomNeeded()
        assert held.offer(progress("p2")) == RoomNeeded()
        assert names(held) == "p1 t1"

    def test_everything_dropped_can_be_read_from_the_outcome(self) -> None:
        """A caller that writes gaps needs nothing else."""
        new, old = progress("new"), progress("old")
        cases: list[tuple[OfferOutcome[Item], tuple[Item, ...]]] = [
            (Admitted(), ()),
            (RoomNeeded(), ()),
            (ProgressDropped(), (new,)),
            (SinkMarkedFailed(), (new,)),
            (AdmittedBySacrifice((old,)), (old,)),
            (TerminalLost((old,)), (old, new)),
            (Coalesced(old, admitted=True), (old,)),
            (Coalesced(old, admitted=False), (old, new)),
            (Coalesced(None, admitted=False), (new,)),
        ]
        assert [dropped_by(outcome, new) for outcome, _ in cases] == [dropped for _, dropped in cases]


class TestBytes:
    def test_bytes_bound_what_enters_and_progress_has_its_share(self) -> None:
        """The record rules, in bytes."""
        held = buffer(DROP, 100, 1, 10, 4)
        assert held.offer(progress("p1", size_bytes=4)) == Admitted()
        assert held.offer(progress("p2", size_bytes=3)) == ProgressDropped()
        assert held.offer(progress("p3", size_bytes=2)) == Admitted()
        assert held.offer(terminal("t1", size_bytes=4)) == Admitted()
        assert held.size_bytes == 10

    def test_terminal_pushes_out_as_much_progress_as_its_size_needs(self) -> None:
        """B3 in bytes: each is counted, and no more go than must."""
        held = buffer(DROP, 100, 1, 10, 1)
        for name in ("p1", "p2", "p3"):
            held.offer(progress(name, size_bytes=3))
        sacrificed = (progress("p1", size_bytes=3), progress("p2", size_bytes=3))
        assert held.offer(terminal("t1", size_bytes=7)) == AdmittedBySacrifice(sacrificed)
        assert names(held) == "p3 t1"

    def test_progress_dropped_in_vain_is_in_the_outcome(self) -> None:
        """B3: the oldest progress goes until there is room, also when there never will be."""
        held = buffer(DROP, 100, 1, 10, 1)
        held.offer(terminal("t1", size_bytes=5))
        held.offer(progress("p1", size_bytes=3))
        assert held.offer(terminal("t2", size_bytes=6)) == TerminalLost((progress("p1", size_bytes=3),))
        assert names(held) == "t1"

    @pytest.mark.parametrize("policy", OverflowPolicy)
    def test_item_larger_than_the_bound_enters_an_empty_buffer_only(self, policy: OverflowPolicy) -> None:
        """It would wait for ever otherwise."""
        held = buffer(policy, 4, 1, 10, 9)
        large = progress("p1", size_bytes=50)
        assert held.can_ever_fit([large])
        assert held.offer(large) == Admitted()
        assert not held.fits([terminal("t1", size_bytes=1)])
        assert held.fits([])
        held.take(1)
        held.acknowledge(1)
        assert held.size_bytes == 0
        assert held.offer(terminal("t2", size_bytes=50)) == Admitted()


class TestBulk:
    def test_admit_all_lets_in_everything_or_nothing(self) -> None:
        """An event's projections enter whole or not at all."""
        held = buffer(REPLAY, 3, 1)
        assert held.admit_all([progress("p1"), terminal("t1")])
        assert not held.admit_all([terminal("t2"), terminal("t3")])
        assert names(held) == "p1 t1"
        assert held.admit_all([terminal("t2")])

    def test_progress_beyond_its_share_does_not_fit(self) -> None:
        """B2 for many at once."""
        held = buffer(REPLAY, 4, 2)
        assert held.fits([progress("p1"), progress("p2"), terminal("t1")])
        assert not held.fits([progress("p1"), progress("p2"), progress("p3")])

    def test_one_event_may_enter_an_empty_buffer_whatever_its_bytes(self) -> None:
        """Two events may not: they can be let in one after the other."""
        held = buffer(REPLAY, 4, 1, 10, 1)
        event = [terminal("t1", 20, event=1), progress("p1", size_bytes=20, event=1)]
        assert held.fits(event)
        assert held.can_ever_fit(event)
        assert not held.can_ever_fit([*event, terminal("t2", 1, event=2)])
        assert not held.can_ever_fit([terminal("t1", 20, event=1), terminal("t2", 1, event=2)])

    def test_can_ever_fit_does_not_depend_on_what_is_held(self) -> None:
        """Only what can never enter is not worth waiting for."""
        held = buffer(REPLAY, 2, 1)
        held.admit_all([terminal("t1"), terminal("t2")])
        assert not held.fits([progress("p1")])
        assert held.can_ever_fit([progress("p1")])
        assert not held.can_ever_fit([progress("p1"), progress("p2")])
        assert not buffer(REPLAY, 1, 1).can_ever_fit([progress("p1")])


class TestBatches:
    def test_taken_items_stay_counted_until_acknowledged(self) -> None:
        """Space is freed on acknowledgement, not on reading."""
        held = buffer(DROP, 4, 1, 100, 1)
        for name in ("p1", "p2", "p3"):
            held.offer(progress(name, size_bytes=5))
        assert [item.name for item in held.take(2)] == ["p1", "p2"]
        assert (len(held), held.in_flight, held.size_bytes) == (3, 2, 15)
        held.acknowledge(1)
        assert (len(held), held.in_flight, held.size_bytes) == (2, 1, 10)
        assert names(held) == "p2 p3"

    def test_give_back_restores_the_order(self) -> None:
        """A refused batch is taken again as it was."""
        held = buffer(DROP, 8, 1)
        for item in (terminal("t1"), progress("p1"), terminal("t2"), progress("p2")):
            held.offer(item)
        held.take(1)
        held.take(2)
        held.acknowledge(1)
        assert held.give_back() == 2
        assert [item.name for item in held.take(9)] == ["p1", "t2", "p2"]

    def test_batch_is_bounded_by_records_and_bytes_and_never_empty(self) -> None:
        """The first item goes whatever its size."""
        held: SinkBuffer[Item] = SinkBuffer(BufferLimits(9, 1), DROP)
        for index, size in enumerate((50, 3, 3, 3)):
            held.offer(progress(f"p{index}", size_bytes=size))
        assert [item.name for item in held.take(9, 10)] == ["p0"]
        assert [item.name for item in held.take(2, 10)] == ["p1", "p2"]
        assert [item.name for item in held.take(9, 0)] == ["p3"]
        assert held.take(9, 10) == ()

    def test_batch_is_never_cut_inside_an_event(self) -> None:
        """What one event yields travels together, unless one event alone is more than a batch."""
        held = buffer(REPLAY, 9, 1)
        held.admit_all([terminal("a1", event=1), terminal("b1", event=2), terminal("b2", event=2)])
        assert [item.name for item in held.take(2)] == ["a1"]
        assert [item.name for item in held.take(1)] == ["b1", "b2"]

    @pytest.mark.parametrize("count", [-1, 2])
    def test_acknowledging_more_than_is_in_flight_raises_and_changes_nothing(self, count: int) -> None:
        """A cursor must not pass what nobody has."""
        held = buffer(DROP, 4, 1)
        held.offer(progress("p1"))
        held.offer(progress("p2"))
        held.take(1)
        with pytest.raises(ContractBroken):
            held.acknowledge(count)
        assert (len(held), held.in_flight) == (2, 1)

    def test_batch_of_less_than_one_record_is_refused(self) -> None:
        """It would never end."""
        with pytest.raises(InvalidField):
            buffer(DROP, 4, 1).take(0)


class TestClear:
    @pytest.mark.parametrize("policy", OverflowPolicy)
    def test_clear_removes_matching_queued_items_and_spares_those_in_flight(self, policy: OverflowPolicy) -> None:
        """For a detach or a revocation: what the exporter has may still be acknowledged."""
        held = buffer(policy, 9, 1, 100, 1)
        for item in (progress("a1", "a", 1), progress("b1", "b", 2), terminal("t1", 4), progress("a2", "a", 8)):
            held.offer(item)
        held.take(1)
        assert [item.name for item in held.clear(lambda item: item.run_key == "a")] == ["a2"]
        assert names(held) == "a1 b1 t1"
        assert (held.size_bytes, held.progress_len) == (7, 2)
        assert [item.name for item in held.clear()] == ["b1", "t1"]
        assert names(held) == "a1"

    def test_statistics_are_a_snapshot(self) -> None:
        """What it said stays said."""
        held = buffer(DROP, 4, 1, 100, 1)
        held.offer(progress("p1", size_bytes=3))
        held.offer(terminal("t1", size_bytes=4))
        held.take(1)
        before = held.statistics()
        held.acknowledge(1)
        assert (before.records, before.bytes, before.progress_records, before.progress_bytes) == (2, 7, 1, 3)
        assert (before.in_flight_records, before.in_flight_bytes) == (1, 3)
        assert before.limits == held.limits
        assert held.statistics().records == 1


def test_lane_items_are_buffered_as_they_are() -> None:
    """A worker's lane puts projected records and undecodable events into the same class."""
    held: SinkBuffer[LaneItem] = SinkBuffer(
        BufferLimits(4, 1, 1_000, 100), REPLAY, lambda item: (item.partition, item.offset)
    )
    record = record_of(
        partition=0,
        offset=7,
        kind=ProjectionKind.PROGRESS,
        run_key="run",
        family="model",
        agent_id="agent",
        key=b"run",
        prefix=b"12345",
        tail=b"67",
    )
    letter = Undecodable(0, 8, UndecodableReason.TRUNCATED, "", "00", b"k", b"value")
    assert held.admit_all([record, letter])
    assert held.size_bytes == 10 + 6
    assert held.take(1) == (record,)
