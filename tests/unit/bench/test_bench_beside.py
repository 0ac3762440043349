"""Which state the late lane is in, and what is measured of a period."""

from itertools import islice

import pytest

from bench.beside import ALONE, BESIDE, Period, _judge_states, _periods, figures_of, states
from bench.results import Row
from bench.track import RunRefusedError


class FrozenOrNot:
    """A broker that remembers what was done to it."""

    def __init__(self) -> None:
        self.status = "running"
        self.done: list[str] = []

    def reload(self) -> None:
        """What is known is always true here."""

    def pause(self) -> None:
        assert self.status == "running"
        self.status = "paused"
        self.done.append("pause")

    def unpause(self) -> None:
        assert self.status == "paused"
        self.status = "running"
        self.done.append("unpause")


def test_each_state_comes_first_as_often_and_next_to_the_other() -> None:
    assert list(islice(states(0), 8)) == [ALONE, BESIDE, BESIDE, ALONE] * 2
    assert list(islice(states(1), 8)) == [BESIDE, ALONE, ALONE, BESIDE] * 2
    assert list(islice(states(2), 8)) == list(islice(states(0), 8))


@pytest.mark.parametrize("run", [0, 1])
@pytest.mark.parametrize("periods", range(6))
def test_whole_pairs_that_were_over_in_time_count_and_the_late_broker_is_awake_at_the_end(
    periods: int, run: int
) -> None:
    broker = FrozenOrNot()
    seen: list[str] = []

    def done() -> bool:
        seen.append(broker.status)
        return len(seen) > periods

    found = _periods(broker, states(run), 0.0, done)  # type: ignore[arg-type] # what of it is used
    assert [period.state for period in found] == list(islice(states(run), periods // 2 * 2))
    assert [{"paused": ALONE, "running": BESIDE}[status] for status in seen] == list(islice(states(run), periods + 1))
    assert broker.status == "running"


def test_a_broker_is_awake_after_a_failure_too() -> None:
    """Whoever waits for the late lane next would wait for good."""
    broker = FrozenOrNot()

    def fails() -> bool:
        raise SystemExit("the process under measurement ended")

    with pytest.raises(SystemExit):
        _periods(broker, states(0), 0.0, fails)  # type: ignore[arg-type] # what of it is used
    assert broker.done == ["pause", "unpause"]


def test_figures_are_of_what_was_written_in_the_period() -> None:
    """Two live lanes, of which one has half as many; a processor that is busy a quarter of the time."""
    fast, slow, late = ([begun + step / per_s for step in range(200)] for begun, per_s in ((5, 8), (5, 4), (9, 2)))
    figures = figures_of(Period(BESIDE, 10.0, 14.0), lambda at_s: (at_s / 4, 0.0), [fast, slow], late)
    assert figures == {
        "healthy_events_per_s": 6.0,
        "late_lane_events_per_s": 2.0,
        "cpu_us_per_event": pytest.approx(1e6 / 24),
    }


@pytest.mark.parametrize(("alone", "beside"), [(0.0, 0.0), (900.0, 4_000.0)])
def test_a_run_does_not_count_whose_late_lane_was_not_what_its_periods_say(alone: float, beside: float) -> None:
    """Not at it beside the others, or at it while its broker was frozen."""
    rows = [
        Row("tailrace", state, {"late_lane_events_per_s": pace})
        for state, pace in ((ALONE, 0.0), (BESIDE, 5_000.0), (BESIDE, beside), (ALONE, alone))
    ]
    with pytest.raises(RunRefusedError):
        _judge_states(rows)
    _judge_states(rows[:2])
