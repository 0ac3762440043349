"""What failed is tried again later and later, never at once, never at the same moment as everybody else."""

import pytest

from tailrace.runtime.retry import FIRST_DELAY_S, LONGEST_DELAY_S, SHORTEST_DELAY_S, Backoff

DRAWS = 2_000


def delays(failures_before: int) -> list[float]:
    """Many draws of the delay that follows as many failures and one more."""
    return [Backoff(failures_before).next_delay_s() for _ in range(DRAWS)]


@pytest.mark.parametrize(
    ("failure", "at_most_s"),
    [(1, FIRST_DELAY_S), (2, 2 * FIRST_DELAY_S), (4, 8 * FIRST_DELAY_S), (5, 16 * FIRST_DELAY_S)],
)
def test_each_failure_doubles_the_longest_delay_that_may_follow(failure: int, at_most_s: float) -> None:
    """Drawn from all of the time up to there: a thousandth of what is allowed at either end is never enough."""
    drawn = delays(failure - 1)
    assert max(drawn) <= at_most_s
    assert max(drawn) > 0.9 * at_most_s
    assert min(drawn) < max(SHORTEST_DELAY_S, 0.1 * at_most_s) + 1e-9


@pytest.mark.parametrize("failures", [6, 20, 100_000])
def test_no_delay_is_longer_than_the_longest(failures: int) -> None:
    """A sink that came back after a day is found as soon as one that was away for a minute."""
    drawn = delays(failures - 1)
    assert 0.9 * LONGEST_DELAY_S < max(drawn) <= LONGEST_DELAY_S


def test_no_delay_is_shorter_than_the_shortest() -> None:
    """A run of draws next to zero would be a busy loop against a sink that is down; a quarter of them would be."""
    drawn = delays(0)
    assert min(drawn) == SHORTEST_DELAY_S
    assert 0.15 * DRAWS < drawn.count(SHORTEST_DELAY_S) < 0.35 * DRAWS


def test_failures_are_counted_until_one_attempt_succeeds() -> None:
    """The next outage begins with a short delay again."""
    backoff = Backoff()
    for _ in range(10):
        backoff.next_delay_s()
    assert backoff.failures == 10
    backoff.succeeded()
    assert backoff.failures == 0
    assert backoff.next_delay_s() <= FIRST_DELAY_S
    assert backoff.failures == 1


@pytest.mark.parametrize("asked_s", [FIRST_DELAY_S, 30.0])
def test_a_delay_that_the_other_side_asks_for_is_kept(asked_s: float) -> None:
    """Also one that is longer than any of ours: it knows best."""
    assert Backoff().next_delay_s(asked_s) == asked_s


@pytest.mark.parametrize("asked_s", [0.0, 0.001])
def test_a_delay_that_the_other_side_asks_for_makes_ours_no_shorter(asked_s: float) -> None:
    """Ours is what keeps a hundred workers from coming back at the same moment."""
    drawn = [Backoff(4).next_delay_s(asked_s) for _ in range(DRAWS)]
    assert min(drawn) >= SHORTEST_DELAY_S
    assert max(drawn) > 8 * FIRST_DELAY_S
