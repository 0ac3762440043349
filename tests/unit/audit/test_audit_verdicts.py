"""Which events nobody can read, and which a strict reader may refuse although fastavro reads them."""

from typing import Any

import pytest

from tailrace.audit.verdicts import Judge, Readable, Unreadable, _ints_fit
from tailrace.audit.wire import Schemas
from tests.unit.audit.stories import TOPIC, events_of

SCHEMAS = Schemas()
JUDGE = Judge(SCHEMAS, TOPIC, 64 * 1024)
FRAME = b"\xc3\x01" + SCHEMAS.event.fingerprint


def event(**facts: Any) -> dict[str, Any]:
    value = events_of(3, 5, 1, 0.0).events[0][0].value
    decoded = SCHEMAS.decode(value, SCHEMAS.event)
    assert decoded is not None
    return {**decoded, "tags": ["a", "b"], **facts}


def framed(**facts: Any) -> bytes:
    return FRAME + SCHEMAS.event.encode(event(**facts))


GOOD = framed()


def test_an_event_of_the_largest_size_is_readable() -> None:
    room = 64 * 1024 - len(framed(tags=["x"])) - 2  # a longer text needs two more bytes for its length
    largest = framed(tags=["x" * (room + 1)])
    assert len(largest) == 64 * 1024
    assert isinstance(JUDGE.judge(0, 0, largest), Readable)
    assert isinstance(JUDGE.judge(0, 0, framed(tags=["x" * (room + 2)])), Unreadable)


def test_a_canonical_event_is_readable_beyond_doubt() -> None:
    assert isinstance(JUDGE.judge(0, 0, GOOD), Readable)
    assert not JUDGE.is_doubtful(GOOD)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        GOOD[:-1],
        GOOD + b"\x00",
        GOOD[:2] + bytes(8) + GOOD[10:],
        b"\x00\x00\x00\x00\x01" + GOOD[10:],
        framed(tags=["x" * 64 * 1024]),
        framed(event_family="tool", usage={"input_tokens": 1}),
        b"\xc3\x01" + SCHEMAS.record.fingerprint + GOOD[10:],
        b"\xc3\x01" + SCHEMAS.health.fingerprint + GOOD[10:],
    ],
    ids=[
        *("null", "empty", "cut", "trailing", "unknown schema", "confluent frame", "oversize", "misplaced usage"),
        *("a record's schema", "a health record's schema"),
    ],
)
def test_poison_is_unreadable(value: bytes | None) -> None:
    assert isinstance(JUDGE.judge(0, 0, value), Unreadable)


def _replaced(old: bytes, new: bytes, **facts: Any) -> bytes:
    value = framed(**facts)
    assert value.count(old) == 1, "the place to change has to be found once"
    return value.replace(old, new)


def _after(text: str, **facts: Any) -> tuple[bytes, int]:
    """The value, and where the bytes behind a text in it begin."""
    value = framed(**facts)
    return value, value.index(text.encode()) + len(text)


def _boolean_two() -> bytes:
    value, place = _after("some_kind", event_kind="some_kind", terminal=True)
    assert value[place] == 1
    return value[:place] + b"\x02" + value[place + 1 :]


def _enum_minus_one() -> bytes:
    value, place = _after("some_kind", event_kind="some_kind")
    kind = place - len("some_kind") - 2  # before the text stand its length and, before that, the family's index
    return value[:kind] + b"\x01" + value[kind + 1 :]


def _long_varint() -> bytes:
    value = framed(schema_version=1)
    assert value[10:11] == b"\x02"
    return value[:10] + b"\x82\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00" + value[11:]


def _int_beyond_32_bits() -> bytes:
    return framed(schema_version=1 << 33)


def _two_blocks() -> bytes:
    # [a, b] in one block: count 2, items, 0. In two: count 1, item, count 1, item, 0.
    return _replaced(b"\x04\x02Q\x02Z\x00", b"\x02\x02Q\x02\x02Z\x00", tags=["Q", "Z"])


@pytest.mark.parametrize(
    "value",
    [_boolean_two(), _enum_minus_one(), _long_varint(), _int_beyond_32_bits(), _two_blocks()],
    ids=["boolean two", "enum minus one", "eleven-byte varint", "int beyond 32 bits", "array in two blocks"],
)
def test_what_fastavro_is_lax_about_is_readable_and_doubtful(value: bytes) -> None:
    assert isinstance(JUDGE.judge(0, 0, value), Readable)
    assert JUDGE.is_doubtful(value)


def test_ints_inside_optional_records_and_arrays_are_looked_at() -> None:
    inner = {"type": "record", "name": "R", "fields": [{"name": "n", "type": "int"}]}
    schema = {"type": "record", "name": "Q", "fields": [{"name": "r", "type": ["null", inner]}]}
    array = {"type": "array", "items": "int"}
    mapping = {"type": "map", "values": {"type": "int"}}
    for small, large in (({"r": {"n": 1}}, {"r": {"n": 1 << 31}}), ({"r": None}, {"r": {"n": -(1 << 31) - 1}})):
        assert _ints_fit(schema, small)
        assert not _ints_fit(schema, large)
    assert _ints_fit(array, [1, 2])
    assert not _ints_fit(array, [1, 1 << 31])
    assert _ints_fit(mapping, {"a": (1 << 31) - 1})
    assert not _ints_fit(mapping, {"a": 1 << 31})
    assert _ints_fit("long", 1 << 40)
