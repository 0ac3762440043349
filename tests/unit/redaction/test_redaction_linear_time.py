"""Whatever the text, the work is in proportion to its length: counted, not timed, but for one ratio."""

import dataclasses
import sys
import time
from collections.abc import Callable
from functools import partial
from types import FrameType

import pytest

from tailrace.domain.json_form import JsonValue
from tailrace.domain.payload import RedactedJson, RedactionFailed
from tailrace.redaction import CustomPattern, RedactedText, usual_redactor
from tailrace.redaction.linear import FIRST_REACH_BYTES, Re2Pattern, Searcher, first_match
from tailrace.redaction.redactor import USUAL_DETECTORS
from tailrace.redaction.rule import Rule
from tests.unit.opcodes import opcodes
from tests.unit.redaction.hostile import HOSTILE, repeated

SHORT = 1 << 14
LONG = 1 << 17


class Counted:
    """A searcher that counts what its searches may look at."""

    def __init__(self, inside: Searcher) -> None:
        self.inside = inside
        self.searches = 0
        self.seen_bytes = 0

    def between(self, text: bytes, start: int, limit: int) -> tuple[int, int] | None:
        self.searches += 1
        self.seen_bytes += limit - start
        return self.inside.between(text, start, limit)


def calls(work: Callable[[], object]) -> int:
    """How many functions, Python's own included, are called to do it."""
    count = 0

    def called(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        if event in {"call", "c_call"}:
            count += 1

    sys.setprofile(called)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("piece", HOSTILE)
def test_eight_times_the_text_is_eight_times_the_calls(piece: str) -> None:
    """Nothing in Python goes over the text once for each place in it."""
    redactor = usual_redactor()
    redactor.redact_text("１")  # noqa: RUF001 - the table of look-alikes is made once

    short, long = (calls(partial(redactor.redact_text, repeated(piece, length))) for length in (SHORT // 8, SHORT))

    assert long <= 9 * short + 2000


@pytest.mark.parametrize("piece", HOSTILE)
def test_searches_look_at_a_bounded_multiple_of_the_text(piece: str) -> None:
    """The engine is linear in what one search may look at; this is the sum over all of them."""
    text = b"\x00" + repeated(piece, LONG).encode("latin-1", "replace") + b"\x00"
    for detector in USUAL_DETECTORS:
        assert isinstance(detector, Rule)
        counted = Counted(detector.searcher)
        found = sum(1 for _ in dataclasses.replace(detector, searcher=counted).find(text))
        assert counted.seen_bytes <= 9 * len(text) + FIRST_REACH_BYTES * counted.searches, detector.name
        assert counted.searches <= len(text) + 16, detector.name
        assert found <= counted.searches


@pytest.mark.parametrize("pattern", ["a.*b|a", "(a+)+$", "(a|aa)+b", "a[^b]*b|a", ".*.*.*x|a"])
def test_an_operators_pattern_looks_at_a_bounded_multiple_too(pattern: str) -> None:
    """These take quadratic or exponential time elsewhere: some in one search, some in finding all matches."""
    counted = Counted(Re2Pattern(pattern.encode(), utf8=True))
    text = b"a" * SHORT
    position = 0
    while (match := first_match(counted, text, position)) is not None:
        position = max(match[1], position + 1)

    assert counted.seen_bytes <= 9 * len(text) + FIRST_REACH_BYTES * counted.searches


def test_a_megabyte_takes_about_eight_times_what_an_eighth_takes() -> None:
    """The ratio of processor times, at its best of two; four times as much would still not be quadratic."""
    redactor = usual_redactor((CustomPattern("order", r"ORD-[0-9]{6,12}"),))

    def text_of(each: int) -> str:
        return "\n".join(repeated(piece, each) for piece in HOSTILE)

    def seconds(given: str) -> float:
        best = float("inf")
        for _ in range(2):
            began = time.process_time()
            assert isinstance(redactor.redact_text(given), RedactedText | RedactionFailed)
            best = min(best, time.process_time() - began)
        return best

    megabyte = text_of(1 << 14)
    assert len(megabyte) > 900_000
    assert seconds(megabyte) <= 32 * seconds(text_of(1 << 11))


def test_many_texts_and_many_parts_are_linear_too() -> None:
    """A list of a hundred thousand strings is one scan, not a hundred thousand times a hundred thousand."""
    redactor = usual_redactor()

    def work(parts: int) -> int:
        message: JsonValue = {"role": "user", "parts": [{"type": "text", "content": "1.1.1.1 "} for _ in range(parts)]}
        return calls(partial(redactor.redact_json, [message] * 4))

    assert work(1600) <= 9 * work(200)


def test_keys_that_are_masked_alike_are_linear_too() -> None:
    """Every second key stands where the names of the others would be looked for one after the other."""
    redactor = usual_redactor()

    def work(keys: int) -> int:
        value: JsonValue = {
            **{f"[REDACTED:email]#{number}": 1 for number in range(2 * keys)},
            **{f"a{number}@example.com": 1 for number in range(keys)},
        }
        outcomes: list[RedactedJson | RedactionFailed] = []
        count = opcodes(lambda: outcomes.append(redactor.redact_json(value)))
        (outcome,) = outcomes
        assert isinstance(outcome, RedactedJson)
        assert isinstance(outcome.value, dict)
        assert len(outcome.value) == 3 * keys
        return count

    few = work(200)  # first: what is remembered of keys makes a second look at the same ones cheaper
    assert work(1600) <= 9 * few
