"""Whom the timing of skipped conversations favours: nobody."""

from collections import Counter
from functools import partial

from bench.skipped import RUNS, SIZES_BYTES, least_us, variant


def calls_of_a_turn() -> list[str]:
    calls: list[str] = []
    least_us({size: partial(calls.append, size) for size in SIZES_BYTES}, partial(calls.append, "forget"))
    return calls


def test_each_runs_untimed_just_before_it_is_timed() -> None:
    calls = calls_of_a_turn()
    assert len(calls) == 3 * RUNS * len(SIZES_BYTES)
    assert calls[0::3] == calls[2::3]


def test_what_makes_events_far_comes_between_the_two() -> None:
    assert set(calls_of_a_turn()[1::3]) == {"forget"}


def test_each_comes_first_as_often_as_any_other() -> None:
    first = Counter(calls_of_a_turn()[:: 3 * len(SIZES_BYTES)])
    assert first == dict.fromkeys(SIZES_BYTES, RUNS // len(SIZES_BYTES))


def test_a_row_without_a_conversation_is_named_by_its_kind_alone() -> None:
    assert [variant("turn_started", size) for size in SIZES_BYTES] == [
        "turn_started",
        "turn_started, 0.3 KB",
        "turn_started, 3 KB",
        "turn_started, 100 KB",
        "turn_started, 100 KB with instructions",
    ]
