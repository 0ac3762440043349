"""Ledger entries survive the health topic, and what is no entry is told apart from one."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.codec.ledger import LedgerCodec, NotALedgerEntry, entry_label, ledger_key
from tailrace.domain.kinds import FailureKind, ProjectionKind, SinkKind
from tailrace.domain.ledger import (
    CursorOrigin,
    ExportMark,
    Gap,
    GapRun,
    LaneIdentity,
    LaneStarted,
    LedgerEntry,
    SinkFailed,
    SinkRecovered,
)
from tailrace.settings.values import SINK_ID_PATTERN
from tests.unit.codec.written import frame, read, schema_json, store, write

CODEC = LedgerCodec(store())
LANE = LaneIdentity(sink_id="analytics", sink_kind=SinkKind.DURABLE_TRACE, start_id="start-1", group="tailrace")
PLACE: dict[str, Any] = {"lane": LANE, "topic": "agent.events", "partition": 3}

GAP = Gap(
    **PLACE,
    reason=FailureKind.OVERFLOW,
    detail="buffer_full",
    runs=(GapRun(10, 12, (ProjectionKind.PROGRESS,)), GapRun(15, 15, ())),
    records=4,
)
STARTED = LaneStarted(**PLACE, cursor=7, cursor_origin=CursorOrigin.LEDGER, config_digest="abc", projector_version=1)
MARK = ExportMark(
    **PLACE,
    next_offset=20,
    export_seq=9,
    newest_event_time_us=253_402_300_800_000_000,  # the year 10000, which no datetime holds
    exported=5,
    filtered=1,
    dropped=((FailureKind.OVERFLOW, 3), (FailureKind.UNDECODABLE, 1)),
)
FAILED = SinkFailed(
    **PLACE,
    offset=20,
    failure_kind=FailureKind.SINK_UNAVAILABLE,
    terminal_preserved=True,
    dropped_count=2,
    last_acknowledged_offset=None,
    detail="_TRANSPORT",
    reminder=False,
)
RECOVERED = SinkRecovered(**PLACE, offset=21, failed_for_ms=1_500)
ENTRIES: tuple[LedgerEntry, ...] = (GAP, STARTED, MARK, FAILED, RECOVERED)

NUMBERS = st.integers(0, 2**63 - 1)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
LANES = st.builds(LaneIdentity, sink_id=WORDS, sink_kind=st.sampled_from(SinkKind), start_id=WORDS, group=WORDS)
PLACES: dict[str, Any] = {"lane": LANES, "topic": WORDS, "partition": st.integers(0, 2**31 - 1)}
RUNS = st.builds(GapRun, NUMBERS, NUMBERS, st.lists(st.sampled_from(ProjectionKind), max_size=3).map(tuple))
DROPPED = st.lists(st.tuples(st.sampled_from(FailureKind), NUMBERS), max_size=3).map(tuple)
ANY_ENTRY: st.SearchStrategy[LedgerEntry] = st.one_of(
    st.builds(
        Gap,
        **PLACES,
        reason=st.sampled_from(FailureKind),
        detail=WORDS,
        runs=st.lists(RUNS, max_size=5).map(tuple),
        records=NUMBERS,
    ),
    st.builds(
        LaneStarted,
        **PLACES,
        cursor=NUMBERS,
        cursor_origin=st.sampled_from(CursorOrigin),
        config_digest=WORDS,
        projector_version=st.integers(0, 2**31 - 1),
    ),
    st.builds(
        ExportMark,
        **PLACES,
        next_offset=NUMBERS,
        export_seq=NUMBERS,
        newest_event_time_us=st.none() | st.integers(-(2**63), 2**63 - 1),
        exported=NUMBERS,
        filtered=NUMBERS,
        dropped=DROPPED,
    ),
    st.builds(
        SinkFailed,
        **PLACES,
        offset=NUMBERS,
        failure_kind=st.sampled_from(FailureKind),
        terminal_preserved=st.booleans(),
        dropped_count=NUMBERS,
        last_acknowledged_offset=st.none() | NUMBERS,
        detail=WORDS,
        reminder=st.booleans(),
    ),
    st.builds(SinkRecovered, **PLACES, offset=NUMBERS, failed_for_ms=NUMBERS),
)


@settings(deadline=None)
@given(ANY_ENTRY)
def test_any_entry_comes_back_as_it_was(entry: LedgerEntry) -> None:
    key, value = CODEC.encode(entry)
    assert CODEC.decode(value) == entry
    assert key == ledger_key(entry.lane.group, entry.lane.sink_id, entry.topic, entry.partition)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: type(entry).__name__)
def test_the_record_is_one_of_the_health_schema(entry: LedgerEntry) -> None:
    """Framed, readable by anybody with the schema, with exactly the payload that it names, and no content."""
    key, value = CODEC.encode(entry)
    schema = schema_json("health_record")
    assert key == b"tailrace|analytics|agent.events|3"
    assert value.startswith(frame(schema))
    record = read(schema, value[10:])
    payloads = {
        "usage",
        "cost",
        "sink_failed",
        "sink_recovered",
        "export_cursor",
        "gap",
        "gap_repaired",
        "lane_started",
    }
    assert {name for name in payloads if record[name] is not None} == {record["payload_kind"]}
    assert record["content_capture"] == "off"
    assert record["lane"] == {
        "sink_id": "analytics",
        "sink_kind": "durable_trace",
        "start_id": "start-1",
        "group": "tailrace",
        "topic": "agent.events",
        "partition": 3,
    }


@pytest.mark.parametrize(
    ("entry", "start"),
    [
        (GAP, "telemetry.analytics.gap.3.10.start-1."),
        (STARTED, "telemetry.analytics.lane_started.3.7.start-1."),
        (MARK, "telemetry.analytics.export_cursor.3.20.start-1."),
        (FAILED, "telemetry.analytics.sink_failed.3.20.start-1."),
        (RECOVERED, "telemetry.analytics.sink_recovered.3.21.start-1."),
    ],
)
def test_ids_name_sink_label_partition_first_offset_and_start(entry: LedgerEntry, start: str) -> None:
    record = read(schema_json("health_record"), CODEC.encode(entry)[1][10:])
    assert record["record_id"].startswith(start)
    assert write(schema_json("health_record"), record) == CODEC.encode(entry)[1][10:], "as if written in one go"


def test_the_same_entry_has_the_same_id_and_another_one_another() -> None:
    """A retry is recognised; two gaps of one offset with different reasons are not confused."""

    def record_id(**changes: Any) -> str:
        gap = Gap(**{**{name: getattr(GAP, name) for name in GAP.__slots__}, **changes})
        identity: str = read(schema_json("health_record"), CODEC.encode(gap)[1][10:])["record_id"]
        return identity

    assert record_id() == record_id()
    others = [record_id(reason=FailureKind.EXPORT_REJECTED), record_id(detail="other"), record_id(runs=GAP.runs[:1])]
    assert len({record_id(), *others}) == 4


HEALTH = schema_json("health_record")
NEWER = schema_json("health_record")
NEWER["fields"][1]["name"] = "renamed"


def foreign(**fields: Any) -> bytes:
    return frame(HEALTH) + write(HEALTH, {"record_id": "x", **fields})


_LANE = {"sink_id": "s", "sink_kind": "test", "start_id": "1", "group": "", "topic": "t", "partition": 0}
_USAGE: dict[str, Any] = {"usage_record_id": "u", "units": {}, "provider_id": None, "model_id": None}
_GAP = {"reason": "unknown", "records": 1}


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "no_value"),
        (b"", "unframed"),
        (b"\x00\x00\x00\x00\x01x", "unframed"),
        (b"\xc3\x01", "unframed"),
        (frame(NEWER) + b"x", "unknown_schema"),
        (CODEC.encode(GAP)[1][:-1], "malformed"),
        (CODEC.encode(GAP)[1] + b"\x00", "malformed"),
        (frame(HEALTH) + b"\xff" * 30, "malformed"),
        (foreign(payload_kind="usage", usage=_USAGE), "another_payload"),
        (foreign(payload_kind="unknown", lane=_LANE), "another_payload"),
        (foreign(payload_kind="gap", lane=_LANE), "another_payload"),
        (foreign(payload_kind="gap", gap=_GAP), "another_payload"),
        (foreign(payload_kind="gap", gap=_GAP, lane=_LANE), "unknown_symbol"),
        (
            foreign(
                payload_kind="sink_failed",
                sink_failed={"failure_kind": "overflow", "terminal_preserved": True, "dropped_count": 1},
                lane=_LANE,
            ),
            "another_payload",
        ),
    ],
)
def test_what_is_no_entry_is_said_so(value: bytes | None, why: str) -> None:
    assert CODEC.decode(value) == NotALedgerEntry(why)


SINK_IDS = st.from_regex(SINK_ID_PATTERN, fullmatch=True)


@settings(deadline=None)
@given(ANY_ENTRY, SINK_IDS)
def test_what_an_entry_is_can_be_told_without_decoding_it(entry: LedgerEntry, sink_id: str) -> None:
    """Whatever a worker may write: its sink ids hold no dot."""
    _, value = CODEC.encode(replace(entry, lane=replace(entry.lane, sink_id=sink_id)))
    assert entry_label(value) == read(HEALTH, value[10:])["payload_kind"]


@pytest.mark.parametrize(
    "value", [b"", b"telemetry.a.gap.1", frame(HEALTH), foreign(payload_kind="usage", usage=_USAGE)]
)
def test_what_is_no_entry_of_a_worker_has_no_label(value: bytes) -> None:
    assert entry_label(value) is None


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(ENTRIES), st.integers(10, 60), st.binary(max_size=5))
def test_damaged_entries_never_raise(entry: LedgerEntry, place: int, junk: bytes) -> None:
    value = CODEC.encode(entry)[1]
    CODEC.decode(value[:place] + junk + value[place + len(junk) :])
