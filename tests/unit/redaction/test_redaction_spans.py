"""The laws of merging and masking."""

from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tailrace.redaction.categories import Category
from tailrace.redaction.spans import Span, masked, merge, over_whole_masks
from tests.unit.redaction.unhurried import UNHURRIED

TEXT = "abcdefghijklmnopqrstuvwxyz"


@st.composite
def spans(draw: st.DrawFn, text: str = TEXT) -> Span:
    start = draw(st.integers(0, len(text) - 1))
    end = draw(st.integers(start + 1, len(text)))
    return Span(start, end, draw(st.sampled_from(["zebra", "own", *Category])))


WITH_MASKS = "ab[REDACTED:a]cd[REDACTED:own][REDACTED:b]e]"
MASKS = (range(2, 14), range(16, 30), range(30, 42))

SPANS = st.lists(spans(), max_size=12)


@UNHURRIED
@given(SPANS)
def test_merged_spans_cover_what_the_given_ones_did_and_are_apart(given_spans: list[Span]) -> None:
    """No character more, none less, none twice."""
    merged = merge(given_spans)

    assert {place for span in merged for place in range(span.start, span.end)} == {
        place for span in given_spans for place in range(span.start, span.end)
    }
    assert all(one.end <= other.start for one, other in pairwise(merged))


@UNHURRIED
@given(SPANS, st.randoms())
def test_the_order_of_finding_does_not_matter(given_spans: list[Span], chance: Random) -> None:
    """Two detectors may run in either order."""
    shuffled = list(given_spans)
    chance.shuffle(shuffled)

    assert merge(shuffled) == merge(given_spans)


@UNHURRIED
@given(SPANS, SPANS)
def test_merging_in_steps_is_merging_at_once(some: list[Span], others: list[Span]) -> None:
    """And merging again changes nothing."""
    assert merge([*merge(some), *others]) == merge([*some, *others])
    assert merge(merge(some)) == merge(some)


def test_the_category_that_comes_first_names_the_mask() -> None:
    """Operators' own come last, by name."""
    assert merge([Span(0, 4, "own"), Span(3, 8, Category.CPF), Span(7, 9, Category.JWT)]) == (Span(0, 9, Category.JWT),)
    assert merge([Span(0, 4, "b"), Span(2, 5, "a")]) == (Span(0, 5, "a"),)


def test_spans_that_touch_stay_two() -> None:
    """They are two finds, and two masks."""
    assert masked(TEXT, merge([Span(0, 2, "a"), Span(2, 4, "a"), Span(25, 26, "b")])) == (
        "[REDACTED:a][REDACTED:a]" + TEXT[4:25] + "[REDACTED:b]"
    )


@UNHURRIED
@given(st.lists(spans(WITH_MASKS), max_size=12))
def test_a_mask_is_covered_whole_or_not_at_all(given_spans: list[Span]) -> None:
    """What was covered stays so, and nothing else but the rest of the masks is."""
    merged = merge(given_spans)
    covered = {place for span in merged for place in range(span.start, span.end)}
    whole = over_whole_masks(WITH_MASKS, merged)

    assert {place for span in whole for place in range(span.start, span.end)} == covered.union(
        *(mask for mask in MASKS if not covered.isdisjoint(mask))
    )
    assert all(one.end <= other.start for one, other in pairwise(whole))
    assert over_whole_masks(WITH_MASKS, whole) == whole


def test_spans_that_only_touch_a_mask_stay_as_they_are() -> None:
    """They hold no part of it, and neither does a text without one."""
    beside = (Span(0, 2, "a"), Span(14, 16, "b"), Span(42, 44, "a"))
    assert over_whole_masks(WITH_MASKS, beside) == beside
    assert over_whole_masks(TEXT, beside[:2]) == beside[:2]
