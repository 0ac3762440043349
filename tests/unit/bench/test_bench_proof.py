"""No run counts unless right: what is compared sees every difference but that of order."""

import random

import pytest

from bench.proof import summary_of

RECORDS = [(f"run-{number % 3}".encode(), f"record {number}".encode()) for number in range(20)]


def test_order_does_not_matter() -> None:
    shuffled = random.Random(3).sample(RECORDS, len(RECORDS))
    assert shuffled != RECORDS
    assert summary_of(shuffled) == summary_of(RECORDS)


@pytest.mark.parametrize(
    "other",
    [
        RECORDS[1:],
        [*RECORDS, RECORDS[0]],
        [RECORDS[1], *RECORDS[1:]],
        [(RECORDS[0][0], RECORDS[0][1] + b" "), *RECORDS[1:]],
        [(RECORDS[0][0] + RECORDS[0][1][:1], RECORDS[0][1][1:]), *RECORDS[1:]],
        [(b"", RECORDS[0][1]), *RECORDS[1:]],
    ],
    ids=["one lost", "one twice", "one in another's place", "a byte more", "a byte moved into the key", "no key"],
)
def test_every_other_difference_does(other: list[tuple[bytes, bytes]]) -> None:
    assert summary_of(other) != summary_of(RECORDS)


def test_a_form_decides_what_of_a_value_is_compared() -> None:
    spaced = [(key, value.replace(b" ", b"  ")) for key, value in RECORDS]
    without_spaces = {"form": lambda value: value.replace(b" ", b"")}
    assert summary_of(spaced, **without_spaces).digest == summary_of(RECORDS, **without_spaces).digest
    assert summary_of(spaced).digest != summary_of(RECORDS).digest


def test_records_and_their_bytes_are_counted() -> None:
    summary = summary_of([(b"k", b"abc"), (b"k", b"defgh")])
    assert (summary.records, summary.value_bytes) == (2, 8)
