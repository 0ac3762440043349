"""Figures of several turns become one: by the median, and for a ratio by the median of the turns' own ratios."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.results import Refusal, Result, Row, load, newest, percentile, provenance, save


def result_of(*turns: dict[str, float], scenario: str = "one-record", size: str = "quick") -> Result:
    names = list(dict.fromkeys(name for turn in turns for name in turn))
    return Result(
        scenario,
        size,
        {"rows": [[name, ""] for name in names], "backlogs": []},
        {"at": "2026-01-02T03:04:05+00:00", "commit": "abc"},
        [[Row(name, "", {"cpu": value}) for name, value in turn.items()] for turn in turns],
    )


def test_the_median_is_over_turns() -> None:
    result = result_of({"a": 30.0}, {"a": 10.0}, {"a": 11.0})
    assert result.median("a", "cpu") == 11.0


def test_a_ratio_is_taken_within_each_turn() -> None:
    """The machine was ten times slower in the second turn and twice in the third: neither shows."""
    result = result_of({"a": 4.0, "b": 1.0}, {"a": 40.0, "b": 10.0}, {"a": 8.0, "b": 2.0})
    assert result.ratio(("a", ""), ("b", ""), "cpu") == 4.0


def test_a_ratio_is_not_that_of_the_medians() -> None:
    result = result_of({"a": 1.0, "b": 1.0}, {"a": 5.0, "b": 1.0}, {"a": 9.0, "b": 10.0})
    assert result.ratio(("a", ""), ("b", ""), "cpu") == 1.0
    assert result.median("a", "cpu") / result.median("b", "cpu") == 5.0


def test_a_turn_without_one_of_them_is_left_out_of_their_ratio() -> None:
    result = result_of({"a": 6.0, "b": 2.0}, {"a": 100.0})
    assert result.ratio(("a", ""), ("b", ""), "cpu") == 3.0


def test_what_never_ran_has_no_figure() -> None:
    result = result_of({"a": 1.0})
    with pytest.raises(LookupError):
        result.median("b", "cpu")
    with pytest.raises(LookupError):
        result.ratio(("a", ""), ("b", ""), "cpu")


def test_variants_of_one_contestant_are_rows_of_their_own() -> None:
    rows = [Row("a", "1 sink", {"cpu": 1.0}), Row("a", "8 sinks", {"cpu": 5.0})]
    result = Result("sinks", "quick", {"rows": [["a", "1 sink"], ["a", "8 sinks"]], "backlogs": []}, {}, [rows])
    assert result.median("a", "cpu", "8 sinks") == 5.0
    assert result.pairs() == [("a", "1 sink"), ("a", "8 sinks")]


@pytest.mark.parametrize(("share", "value"), [(0.5, 20), (0.99, 40), (1.0, 40), (0.25, 10), (0.26, 20), (0.001, 10)])
def test_a_percentile_is_a_value_that_occurred(share: float, value: int) -> None:
    assert percentile([10, 20, 30, 40], share) == value


@given(st.lists(st.integers(0, 50), min_size=1), st.floats(0.001, 1.0))
def test_enough_values_are_at_or_below_a_percentile_and_not_below_the_next_smaller(
    values: list[int], share: float
) -> None:
    values.sort()
    found = percentile(values, share)
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < share * len(values)


def test_results_come_back_as_they_were_saved(tmp_path: Path) -> None:
    result = Result(
        "sinks",
        "full",
        {"rows": [["a", ""]], "backlogs": [{"events": 5}]},
        {"commit": "abc"},
        [[Row("a", "", {"cpu": 1.5})], []],
        (Refusal("b", "1 sink", "it lost three records"),),
    )
    file = save(result, tmp_path)
    assert load(file) == result
    assert list(tmp_path.rglob("*.json")) == [file]
    assert not list(tmp_path.rglob("*.draft"))


def test_a_size_is_kept_beside_the_others(tmp_path: Path) -> None:
    quick, full = result_of({"a": 1.0}), result_of({"a": 2.0}, size="full")
    save(full, tmp_path)
    save(quick, tmp_path)
    assert newest("one-record", ("full", "quick"), tmp_path) == full
    assert newest("one-record", ("quick",), tmp_path) == quick
    assert newest("one-record", ("tiny",), tmp_path) is None


def test_a_result_says_when_and_on_what_it_was_made_and_names_no_folder() -> None:
    made = provenance(lambda: datetime(2026, 1, 2, tzinfo=UTC))
    assert made["at"] == "2026-01-02T00:00:00+00:00"
    assert made["cores"] >= 1
    assert not [value for value in made.values() if "/" in str(value)]
