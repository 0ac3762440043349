"""A flood of events that nobody can decode stops loudly, and no restart makes it begin to count anew."""

import pytest

from tailrace.runtime.poison_watch import PoisonWatch


def flood(watch: PoisonWatch, first: int, events: int, partition: int = 0) -> list[bool]:
    return [watch.note(partition, first + index, undecodable=True) for index in range(events)]


class TestTheLimit:
    def test_it_tells_with_the_event_that_reaches_the_limit_and_with_every_one_after(self) -> None:
        """Whoever did not stop at the first is told again."""
        assert flood(PoisonWatch(3), 10, 5) == [False, False, True, True, True]

    def test_a_limit_of_one_tells_at_the_first(self) -> None:
        """Nothing that nobody can decode is to be passed at all."""
        assert flood(PoisonWatch(1), 10, 1) == [True]

    def test_a_limit_of_zero_never_tells(self) -> None:
        """Every one of them is a gap then, and the partition flows."""
        assert not any(flood(PoisonWatch(0), 0, 1_000))

    def test_one_good_event_ends_the_run(self) -> None:
        """It is a flood only if nothing in between makes sense."""
        watch = PoisonWatch(3)
        flood(watch, 10, 2)
        assert not watch.note(0, 12, undecodable=False)
        assert watch.metadata(0) == ""
        assert flood(watch, 13, 3) == [False, False, True]

    def test_offsets_without_an_event_do_not_end_the_run(self) -> None:
        """Between two events lie markers of transactions."""
        watch = PoisonWatch(2)
        assert [watch.note(0, offset, undecodable=True) for offset in (10, 15)] == [False, True]

    def test_partitions_are_counted_each_for_itself(self) -> None:
        """One bad producer writes to some of them, and a good one elsewhere says nothing about it."""
        watch = PoisonWatch(3)
        flood(watch, 10, 2, partition=0)
        assert flood(watch, 10, 2, partition=1) == [False, False]
        watch.note(1, 12, undecodable=False)
        assert flood(watch, 12, 1, partition=0) == [True]

    def test_an_event_that_is_read_again_counts_once(self) -> None:
        """A reader that begins anew meets the same ones, and they are no more than they were."""
        watch = PoisonWatch(3)
        flood(watch, 10, 2)
        assert flood(watch, 10, 2) == [False, False]
        assert watch.note(0, 12, undecodable=True)

    def test_a_run_that_has_reached_the_limit_is_told_of_when_it_is_read_again(self) -> None:
        """Or a partition that was halted for it would flow again after a restart."""
        watch = PoisonWatch(2)
        watch.restore(0, "poison=10:11:2")
        assert watch.note(0, 10, undecodable=True)


class TestAcrossRestarts:
    def test_a_run_goes_on_where_the_earlier_owner_left_it(self) -> None:
        """A crash loop would otherwise eat its way through a poisoned partition, a few events at a time."""
        before, after = PoisonWatch(4), PoisonWatch(4)
        flood(before, 10, 3)
        assert before.metadata(0) == "poison=10:12:3"
        after.restore(0, before.metadata(0))
        assert after.metadata(0) == "poison=10:12:3"
        assert flood(after, 11, 3) == [False, False, True]
        assert after.metadata(0) == "poison=10:13:4"

    def test_the_first_event_counts_also_at_offset_zero(self) -> None:
        """There is none before it."""
        watch = PoisonWatch(5)
        flood(watch, 0, 2)
        assert watch.metadata(0) == "poison=0:1:2"

    def test_without_a_run_there_is_nothing_to_carry(self) -> None:
        """Of a partition that was never met as of one whose events are all good."""
        watch = PoisonWatch(5)
        watch.note(0, 3, undecodable=False)
        assert (watch.metadata(0), watch.metadata(7)) == ("", "")

    def test_the_run_is_found_among_what_else_the_metadata_says(self) -> None:
        """A later version may write more into it."""
        watch = PoisonWatch(5)
        watch.restore(0, "v=2;poison=10:12:3;other=1:2:3")
        assert watch.metadata(0) == "poison=10:12:3"

    @pytest.mark.parametrize(
        "metadata",
        [
            "",
            "poison",
            "poison=",
            "poison=1:2",
            "poison=1:2:3:4",
            "poison=1:2:x",
            "poison=1:-2:3",
            "other=1:2:3",
            ";=;",
        ],
    )
    def test_metadata_that_is_not_ours_carries_nothing(self, metadata: str) -> None:
        """Anybody may write anything there, and a partition must not stop over it, nor a worker."""
        watch = PoisonWatch(1)
        watch.restore(0, metadata)
        assert watch.metadata(0) == ""

    @pytest.mark.parametrize("metadata", ["", "poison=nonsense"])
    def test_what_the_last_owner_committed_is_all_that_counts(self, metadata: str) -> None:
        """What was counted here before the partition went to somebody else is of the past."""
        watch = PoisonWatch(3)
        flood(watch, 10, 2)
        watch.restore(0, metadata)
        assert flood(watch, 30, 3) == [False, False, True]
        assert watch.metadata(0) == "poison=30:32:3"

    def test_a_partition_that_is_handed_over_is_forgotten(self) -> None:
        """And one that was never met can be, too."""
        watch = PoisonWatch(3)
        flood(watch, 10, 2)
        flood(watch, 10, 2, partition=1)
        watch.forget(0)
        watch.forget(7)
        assert watch.metadata(0) == ""
        assert watch.metadata(1) == "poison=10:11:2"
