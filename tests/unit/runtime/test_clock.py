"""Time is asked of one clock, and everything that has to be done together shares one budget of it."""

import time

import pytest

from tailrace.runtime.clock import Deadline, SystemClock
from tests.unit.runtime.fakes import FakeClock


class TestSystemClock:
    def test_its_seconds_are_those_that_never_go_back(self) -> None:
        """Somebody who sets the machine's clock must not end every wait, or none."""
        before = time.monotonic()
        now_s = SystemClock().now_s()
        assert before <= now_s <= time.monotonic()

    def test_its_wall_time_is_in_microseconds_since_the_epoch(self) -> None:
        """As records and the ledger have it."""
        before = time.time_ns()
        wall_us = SystemClock().wall_us()
        assert before // 1_000 <= wall_us <= time.time_ns() // 1_000


class TestDeadline:
    def test_each_step_gets_what_the_ones_before_it_left_over(self) -> None:
        """So the sum of all steps cannot exceed the budget, however many there are."""
        clock = FakeClock()
        deadline = Deadline.after(clock, 10.0)
        left = [deadline.remaining_s()]
        for spent_s in (4.0, 5.0):
            clock.passes(spent_s)
            left.append(deadline.remaining_s())
        assert left == [10.0, 6.0, 1.0]

    def test_nothing_is_left_once_the_moment_has_passed(self) -> None:
        """A negative wait would be an error, or for ever, where it is handed on."""
        clock = FakeClock()
        deadline = Deadline.after(clock, 10.0)
        clock.passes(10.5)
        assert deadline.remaining_s() == 0.0
        assert deadline.passed

    @pytest.mark.parametrize(("after_s", "passed"), [(0.0, False), (9.5, False), (10.0, True), (20.0, True)])
    def test_it_has_passed_from_the_moment_itself_on(self, after_s: float, passed: bool) -> None:
        """Where nothing is left, there is nothing left to wait for: the two never contradict each other."""
        clock = FakeClock()
        deadline = Deadline.after(clock, 10.0)
        clock.passes(after_s)
        assert deadline.passed is passed
        assert (deadline.remaining_s() == 0.0) is passed

    def test_a_budget_that_is_used_up_before_it_begins_has_passed(self) -> None:
        """Shares are taken of what is left, and that may be nothing."""
        assert Deadline.after(FakeClock(), 0.0).passed
