"""A seat: its state machine, and how long it stays empty."""

import pytest

from tailrace.domain.errors import IllegalSignal
from tailrace.runtime import seat_state
from tailrace.runtime.seat import REFUSED, Next, Patience, Seat
from tailrace.runtime.seat_state import SEAT_TRANSITIONS, SeatSignal, SeatState, seat_step
from tests.unit.state_table import assert_picture_and_table_agree, edges

PATIENCE = Patience(first_wait_s=1.0, longest_wait_s=10.0, lived_s=60.0, early_ends=6)
KILLED = -9


def working(at_s: float = 0.0) -> Seat:
    seat = Seat(1, PATIENCE)
    seat.started(at_s)
    return seat


def waits_of(seat: Seat, lives_s: list[float]) -> list[float | Next]:
    """What follows from each of these lives, one after the other: the wait, or what came instead."""
    now_s, found = 0.0, list[float | Next]()
    for life_s in lives_s:
        seat.started(now_s)
        now_s += life_s
        follows = seat.ended(KILLED, now_s)
        found.append(seat.wait_s if follows is Next.AGAIN else follows)
        now_s = seat.due_s
    return found


def test_picture_and_table_say_the_same() -> None:
    """Whoever reads the picture knows the machine."""
    assert_picture_and_table_agree(seat_state, SEAT_TRANSITIONS, SeatState, SeatSignal)


def test_every_state_is_reached_and_a_stop_or_an_end_leads_out_of_each_that_has_a_process() -> None:
    """No state is dead wood, and no process is forgotten."""
    found = edges(SEAT_TRANSITIONS)
    assert set(SEAT_TRANSITIONS) == set(SeatState) == {after for _, _, after in found}
    for manned in (SeatState.WORKING, SeatState.DRAINING, SeatState.KILLED):
        assert SeatSignal.ENDED in SEAT_TRANSITIONS[manned]


@pytest.mark.parametrize("state", SeatState)
@pytest.mark.parametrize("signal", SeatSignal)
def test_a_step_follows_the_table_or_raises(state: SeatState, signal: SeatSignal) -> None:
    """What the table does not know is a mistake of the caller."""
    after = SEAT_TRANSITIONS[state].get(signal)
    if after is not None:
        assert seat_step(state, signal) is after
        return
    with pytest.raises(IllegalSignal) as refusal:
        seat_step(state, signal)
    assert (refusal.value.machine, refusal.value.state, refusal.value.signal) == ("seat", state, signal)


def test_a_seat_is_due_from_the_start() -> None:
    """Nobody waits for the first worker."""
    assert Seat(1, PATIENCE).due(0.0)
    assert not working().due(1_000.0)


def test_the_wait_doubles_up_to_its_longest_and_then_nobody_is_sent_any_more() -> None:
    """A worker that dies at once is not restarted for ever."""
    seat = Seat(1, PATIENCE)
    assert waits_of(seat, [0.5] * 6) == [1.0, 2.0, 4.0, 8.0, 10.0, Next.TOO_OFTEN]
    assert seat.state is SeatState.GIVEN_UP
    assert seat.over
    assert not seat.due(1e9)


def test_a_long_life_begins_the_count_anew() -> None:
    """One death a minute is a worker that works, with a cause to look for; six in a row at once are not."""
    assert waits_of(Seat(1, PATIENCE), [1, 1, 1, 60.0, 1, 59.9, 1]) == [1.0, 2.0, 4.0, 1.0, 2.0, 4.0, 8.0]
    assert waits_of(Seat(1, PATIENCE), [60.0] * 50) == [1.0] * 50


def test_an_empty_seat_is_due_when_its_wait_is_over_and_not_before() -> None:
    """The wait counts from the end of the one before."""
    seat = working()
    seat.ended(KILLED, 5.0)
    assert not seat.due(5.99)
    assert seat.due(6.0)


def test_exit_code_2_is_final_at_once() -> None:
    """The next process would read the same configuration."""
    seat = working()
    assert seat.ended(REFUSED, 1.0) is Next.REFUSED
    assert seat.state is SeatState.GIVEN_UP
    assert not seat.clean


def test_an_end_unasked_is_followed_by_another_start_even_with_exit_code_0() -> None:
    """Somebody ended one worker by hand; the operator of all has not asked for fewer."""
    assert working().ended(0, 1.0) is Next.AGAIN


def test_a_start_that_the_system_refuses_counts_as_an_early_end() -> None:
    """No memory for a process now may be memory in a second, but not for ever."""
    seat = Seat(1, PATIENCE)
    found = [seat.start_failed(float(at_s)) for at_s in range(6)]
    assert found == [Next.AGAIN] * 5 + [Next.TOO_OFTEN]
    assert (seat.state, seat.starts) == (SeatState.GIVEN_UP, 0)


@pytest.mark.parametrize(("code", "clean"), [(0, True), (1, False), (KILLED, False), (REFUSED, False)])
def test_a_stop_is_clean_if_the_process_says_so(code: int, clean: bool) -> None:
    """Exit code 0 alone says that all batches were finished and all cursors committed."""
    seat = working()
    seat.stop()
    assert seat.state is SeatState.DRAINING
    assert seat.ended(code, 1.0) is Next.NONE
    assert (seat.over, seat.clean) == (True, clean)


def test_a_seat_that_a_stop_finds_empty_is_as_clean_as_its_last_process() -> None:
    """A stop before the first start leaves nothing undone; one that comes while a dead worker is missed does."""
    never, dead = Seat(1, PATIENCE), working()
    dead.ended(KILLED, 1.0)
    for seat in (never, dead):
        seat.stop()
    assert (never.clean, dead.clean) == (True, False)
    assert (never.over, dead.over) == (True, True)


def test_a_stop_comes_too_late_for_a_seat_that_is_over() -> None:
    """It stays given up, and unclean."""
    seat = working()
    seat.ended(REFUSED, 1.0)
    seat.stop()
    assert (seat.state, seat.clean) == (SeatState.GIVEN_UP, False)


def test_a_huge_patience_does_not_overflow() -> None:
    """The doubling ends at the longest wait, however often it is asked."""
    assert Patience(early_ends=10_000).wait_s(9_999) == 30.0
