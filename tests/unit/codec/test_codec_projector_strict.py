"""Whatever is wrong with an event's bytes, a projector says what and where, and never raises."""

import gc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.domain.kinds import EventFamily
from tailrace.domain.projected import Undecodable, UndecodableReason
from tailrace.synthetic import SyntheticEvents
from tests.unit.codec.both import BothProjectors
from tests.unit.codec.oracle import decoded, expected, is_misplaced, without_summary
from tests.unit.codec.written import (
    COST,
    MINIMAL,
    USAGE,
    Event,
    frame,
    framed,
    read,
    schema_json,
    spliced,
    store,
    store_with,
)

PROJECTOR = BothProjectors("agent.events", store())
FULL: Event = {
    **MINIMAL,
    "event_family": "model",
    "event_kind": "model_message_completed",
    "terminal": True,
    "session_id": "session-1",
    "tags": ["a", "b"],
    "correlation": [{"key": "ticket", "value": "7"}],
    "policy_refs": [{"kind": "privacy", "id": "p"}],
    "destination": {"kind": "user", "id": "u"},
    "journal_cursor": "journal-9",
    "usage": USAGE,
    "cost": COST,
    "started_at": 1,
    "content": {"thread_id": "t", "turn_number": 1, "input_messages": b"[1]", "output_messages": b"[2]"},
}


def verdict(value: bytes | None) -> tuple[str, str]:
    projected = PROJECTOR.project(0, 0, None, value)
    assert isinstance(projected, Undecodable), "the event was taken for a good one"
    return projected.reason.value, projected.field


def test_the_full_event_is_a_good_one() -> None:
    """What the cases below break is whole before."""
    assert isinstance(PROJECTOR.project(0, 0, None, framed(FULL)), tuple)
    assert spliced(FULL) == framed(FULL)


BODY = framed(MINIMAL)[10:]

FRAMES: list[tuple[bytes | None, str]] = [
    (None, "null_value"),
    (b"", "unframed"),
    (BODY, "unframed"),
    (b'{"event_id": "1"}', "unframed"),
    (b"\xc3\x02" + bytes(8) + BODY, "unframed"),
    (b"\xc3", "truncated"),
    (b"\xc3\x01\x00\x00\x00", "truncated"),
    (b"\x00\x00\x00", "truncated"),
    (b"\xc3\x01" + bytes(8) + BODY, "unknown_schema"),
    (b"\x00\x00\x00\x00\x07" + BODY, "unknown_schema"),
    (frame(schema_json("telemetry_record")) + BODY, "schema_mismatch"),
    (frame(schema_json("agent_event")), "truncated"),
]


@pytest.mark.parametrize(("value", "reason"), FRAMES)
def test_a_value_without_a_readable_frame(value: bytes | None, reason: str) -> None:
    assert verdict(value)[0] == reason


def test_every_truncation_is_one() -> None:
    """A value cut after any of its bytes is truncated, never a shorter good event."""
    value = framed(FULL)
    for end in range(2, len(value)):
        assert verdict(value[:end])[0] == "truncated", end


@pytest.mark.parametrize("extra", [b"\x00", b"\x02", b"x" * 100])
def test_trailing_bytes_are_refused(extra: bytes) -> None:
    assert verdict(framed(FULL) + extra) == ("trailing_bytes", "")


ELEVEN = b"\x80" * 10 + b"\x00"
OVER_64_BITS = b"\xff" * 9 + b"\x02"
OVER_32_BITS = b"\x80\x80\x80\x80\x20"  # 2**32 as zig-zag: 2**31, one more than an int holds
UNDER_32_BITS = b"\x81\x80\x80\x80\x10"  # -(2**31) - 1
LENGTH_MINUS_ONE = b"\x01"
LENGTH_2_40 = b"\x80\x80\x80\x80\x80\x80\x01"

FIELDS: list[tuple[str, bytes, str, str]] = [
    # field, its bytes, reason, path
    ("event_seq", ELEVEN, "malformed", "event_seq"),
    ("event_seq", OVER_64_BITS, "malformed", "event_seq"),
    ("schema_version", OVER_32_BITS, "malformed", "schema_version"),
    ("schema_version", UNDER_32_BITS, "malformed", "schema_version"),
    ("schema_version", ELEVEN, "malformed", "schema_version"),
    ("event_family", b"\x01", "malformed", "event_family"),  # enum index -1
    ("event_family", b"\x2a", "malformed", "event_family"),  # enum index 21 of 21
    ("terminal", b"\x02", "malformed", "terminal"),
    ("terminal", b"\xff", "malformed", "terminal"),
    ("session_id", b"\x01", "malformed", "session_id"),  # union index -1
    ("session_id", b"\x04", "malformed", "session_id"),  # union index 2 of 2
    ("event_id", LENGTH_MINUS_ONE, "malformed", "event_id"),
    ("event_id", LENGTH_2_40, "truncated", "event_id"),
    ("event_id", b"\x02\xff", "malformed", "event_id"),  # no UTF-8
    ("event_id", b"\x06\xed\xa0\x80", "malformed", "event_id"),  # a lone surrogate
    ("event_id", b"\x04\xc0\x80", "malformed", "event_id"),  # an overlong NUL
    ("event_id", b"\x08\xf5\x80\x80\x80", "malformed", "event_id"),  # beyond U+10FFFF
    ("event_id", b"\x04\xe2\x82", "malformed", "event_id"),  # a character cut short
    ("tags", b"\x02\x02\xff\x00", "malformed", "tags"),
    ("tags", b"\x01\x06\x02a\x00", "malformed", "tags"),  # a block of one item says 3 bytes, takes 2
    ("tags", b"\x01\x02\x02a\x00", "malformed", "tags"),  # … says 1
    ("tags", b"\x01\x03\x02a\x00", "malformed", "tags"),  # … says -2
    ("policy_refs", b"\x02\x01\x00\x00", "malformed", "policy_refs.kind"),
    ("usage", b"\x02\x01", "malformed", "usage.input_tokens"),
    ("cost", b"\x02\x02\x06EUR\x00\x09\x00", "malformed", "cost.status"),
    ("content", b"\x02\x02\x00\x00\x03", "malformed", "content.span_is_recording"),
    ("subject_ref", b"\x02\x04\xc3\x28", "malformed", "subject_ref.id"),
]


@pytest.mark.parametrize(("field", "raw", "reason", "path"), FIELDS)
def test_a_malformed_field_is_named(field: str, raw: bytes, reason: str, path: str) -> None:
    assert verdict(spliced(FULL, **{field: raw})) == (reason, path)


def test_a_refusal_holds_nothing_of_whoever_asked() -> None:
    """An exception in a cycle with its frames keeps what all callers hold, a whole batch, until the collector looks."""
    refused = [value for value, _ in FRAMES] + [spliced(FULL, **{field: piece}) for field, piece, *_ in FIELDS]
    refused += [framed({**FULL, "event_family": "tool"}), framed(FULL) + b"x", framed(FULL)[:-1]]
    reasons = {verdict(value)[0] for value in refused}
    assert reasons == set(UndecodableReason) - {UndecodableReason.OVERSIZE, UndecodableReason.UNSAFE_SCHEMA}

    gc.collect()
    gc.disable()
    try:
        for value in refused:
            PROJECTOR.project(0, 0, None, value)
        assert gc.collect() == 0, "objects were in cycles"
    finally:
        gc.enable()


def test_a_block_of_two_to_the_63_items_costs_its_bytes() -> None:
    """A count is never believed: the walk ends where the bytes do."""
    assert verdict(spliced(FULL, tags=b"\xff" * 9 + b"\x01" + b"\x00"))[0] in {"truncated", "malformed"}


@pytest.mark.parametrize("family", sorted({*EventFamily} - {"model", "run", "subagent", "unknown"}))
def test_usage_belongs_to_three_families(family: str) -> None:
    """From any other known family it is a failure of the producer, and no projection is made."""
    assert verdict(framed({**MINIMAL, "event_family": family, "usage": {}})) == ("misplaced_usage", "usage")
    kind = {"event_kind": "run_completed", "cost": COST}
    assert verdict(framed({**MINIMAL, **kind, "event_family": family, "usage": USAGE})) == ("misplaced_usage", "usage")


def test_events_of_an_unsafe_writer_schema_are_not_read(tmp_path: Path) -> None:
    """Recursive, and zero-width items: known by fingerprint, and refused by it."""
    recursive = schema_json("agent_event")
    node = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"], "default": None}]}
    recursive["fields"].append({"name": "extra", "type": ["null", node], "default": None})
    hollow = schema_json("agent_event")
    hollow["fields"].append({"name": "extra", "type": {"type": "array", "items": "null"}, "default": []})
    schemas = store_with(tmp_path, recursive=recursive, hollow=hollow)
    projector = BothProjectors("agent.events", schemas)
    for schema, extra in ((recursive, b"\x02" * 100 + b"\x00"), (hollow, b"\x80\x89\x7a\x00")):
        projected = projector.project(0, 0, None, frame(schema) + BODY + extra)
        assert isinstance(projected, Undecodable)
        assert projected.reason is UndecodableReason.UNSAFE_SCHEMA
    assert {one.unsafe.rule.value for one in schemas.refused} == {"recursive", "zero_width_items"}


# -------------------------------------------------------------------------------------------- canonical output

SPELLINGS: list[tuple[str, Any, bytes]] = [
    # field, value, another legal spelling of it
    ("event_seq", 1, b"\x82\x00"),
    ("event_seq", -1, b"\x81\x80\x80\x80\x80\x80\x80\x80\x80\x00"),
    ("schema_version", 1, b"\x82\x80\x80\x80\x80\x00"),
    ("event_id", "ab", b"\x84\x80\x00ab"),
    ("event_family", "model", b"\x88\x00"),
    ("session_id", "s", b"\x82\x00\x02s"),
    ("session_id", None, b"\x80\x00"),
    ("policy_refs", [{"kind": "unknown", "id": "a"}, {"kind": "host", "id": "b"}], b"\x02\x00\x02a\x02\x12\x02b\x00"),
    ("policy_refs", [{"kind": "unknown", "id": "a"}], b"\x01\x06\x00\x02a\x00"),
    ("policy_refs", [{"kind": "unknown", "id": "a"}], b"\x01\x86\x00\x00\x02a\x00"),
    ("policy_refs", [], b"\x80\x80\x00"),
    ("tags", ["a", "b", "c"], b"\x01\x04\x02a\x04\x02b\x02c\x80\x00"),
]


@pytest.mark.parametrize(("field", "value", "spelling"), SPELLINGS)
def test_another_spelling_of_the_same_value_gives_the_same_bytes(field: str, value: Any, spelling: bytes) -> None:
    """Padded varints of at most ten bytes and any block structure are legal, and invisible in what comes out."""
    event = {**FULL, field: value}
    plain = framed(event)
    other = spliced(event, **{field: spelling})
    assert other != plain
    records = PROJECTOR.project(0, 0, None, plain)
    assert isinstance(records, tuple)
    assert PROJECTOR.project(0, 0, None, other) == records


# ------------------------------------------------------------------------------------------------------- fuzzing


GOOD = [framed(FULL), *(event.value or b"" for event in SyntheticEvents(seed=5, content=True).take(80))]


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """A good value with a few bytes changed, inserted, cut out or repeated behind its frame."""
    value = bytearray(draw(st.sampled_from(GOOD)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(10, len(value) - 1))
        size = draw(st.integers(0, 4))
        match draw(st.sampled_from(["flip", "insert", "cut", "repeat"])):
            case "flip":
                value[place] ^= 1 << draw(st.integers(0, 7))
            case "insert":
                value[place:place] = draw(st.binary(min_size=1, max_size=8))
            case "cut":
                del value[place : place + size]
            case "repeat":
                value[place:place] = value[place : place + size]
    return bytes(value)


@settings(max_examples=1_500, deadline=None)
@given(mutations())
def test_mutated_bytes_are_poison_or_an_event_that_others_read_the_same(value: bytes) -> None:
    """Never an exception; and what the strict walk takes, the lax decoder takes for the same event."""
    projected = PROJECTOR.project(0, 0, None, value)
    if isinstance(projected, Undecodable):
        assert projected.value == value
        return
    event = read(schema_json("agent_event"), value[10:])
    assert not is_misplaced(event)
    wanted = [without_summary(one) for one in expected(event, "agent.events", 0, 0)]
    assert [without_summary(decoded(record)) for record in projected] == wanted
    assert PROJECTOR.project(0, 0, None, framed(event)) == projected, "its canonical spelling gives the same bytes"


@settings(max_examples=1_000, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_arbitrary_bytes_never_raise(body: bytes, with_frame: bool) -> None:
    value = frame(schema_json("agent_event")) + body if with_frame else body
    PROJECTOR.project(0, 0, None, value)
