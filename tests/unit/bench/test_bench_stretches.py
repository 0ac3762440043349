"""What is measured of a stretch, and that neither kind of event always comes first."""

from bench.content import WITH_CONTENT, WITHOUT_CONTENT
from bench.stretches import LEFT_OUT, PAIRS, figures_of, pair_of_kinds, window

EVENTS = 200_000


def test_each_kind_comes_first_as_often_and_next_to_the_other() -> None:
    pairs = [tuple(pair_of_kinds(number)) for number in range(PAIRS)]
    assert {frozenset(pair) for pair in pairs} == {frozenset({WITHOUT_CONTENT, WITH_CONTENT})}
    assert [pair[0] for pair in pairs].count(WITH_CONTENT) == PAIRS / 2


def test_a_window_lies_within_its_stretch_and_away_from_its_ends() -> None:
    for number in (0, 1, 7):
        first, last = window(number, EVENTS)
        assert first - number * EVENTS == LEFT_OUT
        assert (number + 1) * EVENTS - last == LEFT_OUT
        assert first < last


def test_figures_are_of_what_came_in_between() -> None:
    """A record every two seconds, and a processor that is busy a quarter of the time, half of that with the client."""
    figures = figures_of(lambda at_s: (at_s / 4, at_s / 8), lambda count: 2.0 * count, 20, 60)
    assert figures == {"events_per_s": 0.5, "cpu_us_per_event": 0.5e6, "own_cpu_us_per_event": 0.25e6}
