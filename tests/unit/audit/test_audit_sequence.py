"""Order and repetition: which stretches may go back, and what is found when one may not."""

import pytest

from tailrace.audit.rules import offset_of, unit
from tailrace.audit.sequence import Causes, Examined, examine

Place = tuple[int, int]


def run(*offsets: int, causes: Causes | None = None) -> Examined:
    return examine([unit(offset, 4) for offset in offsets], causes or Causes())


def offsets(units: list[int]) -> list[int]:
    return [offset_of(number) for number in units]


def test_rising_offsets_need_no_cause() -> None:
    assert run(0, 1, 5, 9) == Examined()


def test_records_of_one_event_rise_in_the_order_of_their_kinds() -> None:
    assert examine([unit(3, 0), unit(3, 1), unit(3, 2)], Causes()) == Examined()
    assert offsets(examine([unit(3, 1), unit(3, 0)], Causes()).late) == [3]


def test_a_repeat_without_a_cause_is_unexplained() -> None:
    found = run(0, 1, 1, 2)
    assert (offsets(found.repeats), offsets(found.unexplained)) == ([1], [1])


def test_a_whole_stretch_without_a_cause_is_unexplained() -> None:
    assert offsets(run(0, 1, 2, 3, 1, 2, 3, 4).unexplained) == [1, 2, 3]


def test_a_restart_explains_going_back_to_its_cursor() -> None:
    found = run(0, 1, 2, 3, 2, 3, 4, causes=Causes(restart_cursors=[2]))
    assert (offsets(found.repeats), found.unexplained, found.late) == ([2, 3], [], [])


def test_a_restart_does_not_explain_going_back_further() -> None:
    assert offsets(run(0, 1, 2, 3, 1, 2, 3, causes=Causes(restart_cursors=[2])).unexplained) == [1, 2, 3]


def test_each_restart_explains_one_stretch() -> None:
    twice = (0, 1, 2, 1, 2, 1, 2, 3)
    assert run(*twice, causes=Causes(restart_cursors=[1, 1])).unexplained == []
    assert offsets(run(*twice, causes=Causes(restart_cursors=[1])).unexplained) == [1, 2]


def test_the_latest_restart_that_fits_is_used_so_that_an_earlier_one_is_left() -> None:
    assert run(0, 1, 2, 3, 4, 3, 4, 1, 2, 3, causes=Causes(restart_cursors=[1, 3])).unexplained == []


def test_a_zombie_and_its_successor_may_be_shuffled() -> None:
    """The zombie goes on with 5, 6, 7 while the new lane sends 3, 4, 5 and so on."""
    assert run(0, 1, 2, 3, 4, 3, 5, 4, 6, 5, 6, 7, 7, 8, causes=Causes(restart_cursors=[3])).unexplained == []


def test_a_late_first_occurrence_is_found() -> None:
    assert offsets(run(0, 2, 1, 3).late) == [1]


def test_a_block_that_overtook_another_is_found() -> None:
    """One refused message set was overtaken by the one behind it: 10 to 13 stand before 0 to 3."""
    assert offsets(run(10, 11, 12, 13, 0, 1, 2, 3).late) == [0, 1, 2, 3]


def test_a_late_record_of_a_restarted_lane_is_told_apart() -> None:
    """The first lane dropped 1 and crashed before it could say so; the next one sends it."""
    found = run(0, 2, 3, 0, 1, 2, 3, causes=Causes(restart_cursors=[0]))
    assert (found.late, offsets(found.late_after_restart)) == ([], [1])


@pytest.mark.parametrize("failed_at", [3, 4])
def test_a_failure_explains_going_back_to_the_first_record_from_there_on(failed_at: int) -> None:
    """What of the batch went to this sink partition arrived, and is sent again; 3 itself may be elsewhere."""
    assert run(1, 2, 4, 6, 4, 6, 7, causes=Causes(failed=[(failed_at, failed_at)])).unexplained == []


@pytest.mark.parametrize("failed_at", [2, 5])
def test_a_failure_somewhere_else_explains_nothing(failed_at: int) -> None:
    assert run(1, 2, 4, 6, 4, 6, 7, causes=Causes(failed=[(failed_at, failed_at)])).unexplained != []


def test_a_failure_may_be_met_again_and_again() -> None:
    assert run(1, 2, 3, 2, 3, 2, 3, 4, causes=Causes(failed=[(2, 2)])).unexplained == []


@pytest.mark.parametrize("refused_at", [3, 5, 7])
def test_a_refusal_explains_a_batch_sent_in_halves(refused_at: int) -> None:
    """The refused record is not in the sink; it was somewhere between the record before and the one after the batch."""
    assert run(0, 2, 4, 6, 4, 6, 8, causes=Causes(refused=[(refused_at, refused_at)])).unexplained == []


@pytest.mark.parametrize("refused_at", [1, 9])
def test_a_refusal_in_another_batch_explains_nothing(refused_at: int) -> None:
    assert run(0, 2, 4, 6, 4, 6, 8, causes=Causes(refused=[(refused_at, refused_at)])).unexplained != []


def test_a_failure_on_another_source_partition_explains_repeats_here() -> None:
    """One batch holds records of several partitions, and the ledger names only the one that failed."""
    assert run(1, 2, 1, 2, 3, causes=Causes(elsewhere=True)).unexplained == []


def test_a_sink_that_drops_may_resume_anywhere_after_a_failure() -> None:
    """Life one sent 3 and 4, life two dropped both and met its failure at 2: what it meets again is 5."""
    told = Causes(restart_cursors=[2], failed=[(2, 2)])
    assert run(3, 4, 5, 5, 6, causes=told).unexplained == []
    assert run(3, 4, 5, 5, 5, 6, causes=Causes(failed=[(2, 2)])).unexplained != []
    assert run(3, 4, 5, 5, 5, 6, causes=Causes(failed=[(2, 2)], may_drop=True)).unexplained == []


def test_every_step_back_is_reported_with_how_far_the_sink_had_come() -> None:
    (stretch,) = run(0, 1, 2, 3, 1, 2, causes=Causes(restart_cursors=[1])).stretches
    assert (offset_of(stretch.first), offset_of(stretch.reached)) == (1, 3)
