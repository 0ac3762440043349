"""Which state the late lane is in, and what is measured of a period."""

from itertools import count, islice

import pytest

from bench import beside
from bench.beside import ALONE, BESIDE, LateLane, Period, _judge_states, _periods, figures_of, states
from bench.child import Line
from bench.results import Row
from bench.track import RunRefusedError


class Remembering:
    """A late lane that knows what was done to it."""

    def __init__(self) -> None:
        self.held = False

    def hold(self) -> None:
        assert not self.held
        self.held = True

    def let_go(self) -> None:
        assert self.held
        self.held = False


def test_each_state_comes_first_as_often_and_next_to_the_other() -> None:
    assert list(islice(states(0), 8)) == [ALONE, BESIDE, BESIDE, ALONE] * 2
    assert list(islice(states(1), 8)) == [BESIDE, ALONE, ALONE, BESIDE] * 2
    assert list(islice(states(2), 8)) == list(islice(states(0), 8))


@pytest.mark.parametrize("run", [0, 1])
@pytest.mark.parametrize("periods", range(6))
def test_whole_pairs_that_were_over_in_time_count_and_the_late_lane_is_let_go_at_the_end(
    periods: int, run: int
) -> None:
    late = Remembering()
    seen: list[bool] = []

    def done() -> bool:
        seen.append(late.held)
        return len(seen) > periods

    clock = count()
    found = _periods(late, done, states_in_turn=states(run), period_s=0.0, broker_s=lambda: 0.5 * next(clock))
    assert [period.state for period in found] == list(islice(states(run), periods // 2 * 2))
    assert all(period.broker_s == 0.5 for period in found)
    assert [{True: ALONE, False: BESIDE}[held] for held in seen] == list(islice(states(run), periods + 1))
    assert not late.held


def test_of_a_broker_that_cannot_be_looked_at_nothing_is_said() -> None:
    ends = iter([False, False, True])
    (alone, beside) = _periods(Remembering(), lambda: next(ends), states_in_turn=states(0), period_s=0.0, broker_s=None)
    assert (alone.broker_s, beside.broker_s) == (None, None)
    assert "broker_cores" not in figures_of(Period(ALONE, 0.0, 1.0), lambda _: (0.0, 0.0), [[0.5]], [])


class Saying:
    """A worker whose log says, of every event, that these sinks did."""

    def __init__(self, *sinks: str) -> None:
        self._sinks = sinks
        self.asked: list[tuple[str, int]] = []

    def wait_for(self, event: str, within_s: float, count: int = 1) -> list[Line]:
        self.asked.append((event, count))
        return [Line(0.0, 0.0, event, {"sink": sink}) for sink in self._sinks]


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done to a topic's rules."""
    done: list[str] = []
    monkeypatch.setattr(beside, "close_topic", lambda _, topic: done.append(f"close {topic}"))
    monkeypatch.setattr(beside, "open_topic", lambda _, topic: done.append(f"open {topic}"))
    monkeypatch.setattr(beside, "FEWER_ATTEMPTS_S", 0.0)
    return done


def test_a_late_lane_is_held_and_let_go_once_its_worker_says_so(rules: list[str]) -> None:
    child = Saying("late")
    late = LateLane(child, "", "late", "topic")  # type: ignore[arg-type] # what of it is used
    for _ in range(2):
        late.hold()
        late.let_go()
    assert rules == ["close topic", "open topic"] * 2
    assert child.asked == [("sink failed", 1), ("sink recovered", 1), ("sink failed", 2), ("sink recovered", 2)]


@pytest.mark.parametrize("sinks", [("live",), ("late", "live")])
def test_a_live_sink_that_fails_makes_a_run_count_for_nothing(rules: list[str], sinks: tuple[str, ...]) -> None:
    with pytest.raises(RunRefusedError, match="sink failed"):
        LateLane(Saying(*sinks), "", "late", "topic").hold()  # type: ignore[arg-type] # what of it is used
    assert rules == ["close topic"]


def test_figures_are_of_what_was_written_in_the_period() -> None:
    """Two live lanes, of which one has half as many; a processor that is busy a quarter of the time."""
    fast, slow, late = ([begun + step / per_s for step in range(200)] for begun, per_s in ((5, 8), (5, 4), (9, 2)))
    figures = figures_of(Period(BESIDE, 10.0, 14.0, 3.0), lambda at_s: (at_s / 4, 0.0), [fast, slow], late)
    assert figures == {
        "healthy_events_per_s": 6.0,
        "late_lane_events_per_s": 2.0,
        "cpu_us_per_event": pytest.approx(1e6 / 24),
        "worker_cores": 0.25,
        "broker_cores": 0.75,
    }


@pytest.mark.parametrize(("alone", "beside"), [(0.0, 0.0), (900.0, 4_000.0)])
def test_a_run_does_not_count_whose_late_lane_was_not_what_its_periods_say(alone: float, beside: float) -> None:
    """Not at it beside the others, or at it while it was held back."""
    rows = [
        Row("tailrace", state, {"late_lane_events_per_s": pace})
        for state, pace in ((ALONE, 0.0), (BESIDE, 5_000.0), (BESIDE, beside), (ALONE, alone))
    ]
    with pytest.raises(RunRefusedError):
        _judge_states(rows)
    _judge_states(rows[:2])
