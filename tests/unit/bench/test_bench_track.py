"""A run of two workers counts only if both worked."""

import pytest

from bench.track import idle


@pytest.mark.parametrize("had", [[100_000, 100_000], [70_000, 130_000], [96_100, 103_900]])
def test_workers_that_shared_the_events_count(had: list[int]) -> None:
    assert idle(had, 2, 200_000) is None


@pytest.mark.parametrize(
    ("had", "told"),
    [
        ([200_000, 0], "its workers had 200,000, 0 of 200,000 events"),
        ([4_613, 197_887], "its workers had 4,613, 197,887 of 200,000 events"),
        ([69_999, 130_001], "its workers had 69,999, 130,001 of 200,000 events"),
        ([200_000], "its workers had 200,000 of 200,000 events"),
        ([], "its workers had none of 200,000 events"),
    ],
)
def test_a_worker_without_its_share_is_a_refusal_that_says_who_had_what(had: list[int], told: str) -> None:
    assert idle(had, 2, 200_000) == told
