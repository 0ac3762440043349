"""What an event has to yield, by the audit's own statement of the rules."""

from typing import Any

import pytest

from tailrace.audit.rules import Expected, Position, expected_records, name_of, offset_of, unit
from tailrace.audit.verdicts import Judge, Readable
from tailrace.audit.wire import FRAME_BYTES, Schemas
from tailrace.codec.reference_projector import ReferenceProjector
from tailrace.domain.projected import Undecodable
from tests.unit.audit.stories import TOPIC, events_of, store

PLACE = Position(TOPIC, 2, 77)
USAGE = {"input_tokens": 1}
COST = {"amount_micros": 5, "currency": "EUR", "rate_table_version": "1", "status": "estimated", "corrects": None}


def event(**facts: Any) -> dict[str, Any]:
    """A readable event with these facts."""
    schemas = Schemas()
    value = events_of(3, 5, 1, 0.0).events[0][0].value
    decoded = schemas.decode(value, schemas.event)
    assert decoded is not None
    plain = {"event_family": "turn", "event_kind": "turn_started", "terminal": False, "usage": None, "cost": None}
    return {**decoded, **plain, "event_id": "e-1", "event_seq": 9, "journal_cursor": None, **facts}


def yielded(**facts: Any) -> list[Expected]:
    records = expected_records(event(**facts), PLACE)
    assert records is not None
    return records


def kinds(**facts: Any) -> list[tuple[str, str | None, str | None]]:
    return [
        (one.record["projection_kind"], one.record["terminal_status"], one.record["usage_scope"])
        for one in yielded(**facts)
    ]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, [("progress", None, None)]),
        ({"event_kind": "run_completed"}, [("run_terminal", "completed", None)]),
        ({"event_kind": "run_failed"}, [("run_terminal", "failed", None)]),
        ({"event_kind": "run_cancelled"}, [("run_terminal", "cancelled", None)]),
        ({"event_kind": "run_timed_out"}, [("run_terminal", "timed_out", None)]),
        ({"event_family": "run", "event_kind": "run_expired", "terminal": True}, [("run_terminal", "unknown", None)]),
        ({"event_family": "run", "event_kind": "run_expired"}, [("progress", None, None)]),
        ({"event_family": "tool", "event_kind": "tool_completed", "terminal": True}, [("progress", None, None)]),
        ({"event_family": "model", "usage": USAGE}, [("usage", "completed", "leaf")]),
        ({"event_family": "run", "usage": USAGE}, [("usage", "completed", "aggregate")]),
        ({"event_family": "subagent", "usage": USAGE}, [("usage", "completed", "aggregate")]),
        ({"event_family": "unknown", "usage": USAGE}, [("progress", None, None)]),
        ({"cost": COST}, [("cost_estimate", None, None)]),
        ({"cost": {**COST, "status": "provider_reported"}}, [("cost_estimate", None, None)]),
        ({"cost": {**COST, "status": "unknown"}}, [("cost_estimate", None, None)]),
        ({"cost": {**COST, "status": "corrected"}}, [("cost_correction", None, None)]),
        (
            {"event_family": "run", "event_kind": "run_completed", "usage": USAGE, "cost": COST},
            [("run_terminal", "completed", None), ("usage", "completed", "aggregate"), ("cost_estimate", None, None)],
        ),
    ],
)
def test_facts_decide_the_projections_in_order(facts: dict[str, Any], expected: list[tuple[str, str, str]]) -> None:
    assert kinds(**facts) == expected


@pytest.mark.parametrize("family", ["turn", "message", "tool", "telemetry", "recovery"])
def test_usage_in_another_family_makes_an_event_unreadable(family: str) -> None:
    assert expected_records(event(event_family=family, usage=USAGE), PLACE) is None


def test_each_amount_stands_in_exactly_one_record() -> None:
    records = yielded(event_family="run", event_kind="run_completed", usage=USAGE, cost=COST)
    assert [one.record["usage"] for one in records] == [None, USAGE, None]
    assert [one.record["cost"] for one in records] == [None, None, COST]


def test_ids_and_destinations_follow_the_kind() -> None:
    records = yielded(event_family="run", event_kind="run_completed", usage=USAGE, cost=COST)
    assert [one.record["projection_id"] for one in records] == [
        "telemetry.terminal.e-1",
        "telemetry.usage.e-1",
        "telemetry.cost.e-1",
    ]
    assert [one.record["destination"]["id"].rpartition(".")[2] for one in records] == ["terminal", "usage", "cost"]


def test_the_source_cursor_is_the_journal_then_the_event_then_the_place_on_kafka() -> None:
    records = yielded(event_family="model", usage=USAGE, cost=COST)
    assert [one.record["source_cursor"] for one in records] == [
        {"type": "event", "cursor": "e-1", "event_seq": 9},
        {"type": "archive", "cursor": f"{TOPIC}/2/77", "event_seq": None},
    ]
    journal = yielded(event_family="model", usage=USAGE, cost=COST, journal_cursor="j-5")
    assert {str(one.record["source_cursor"]) for one in journal} == {
        "{'type': 'journal', 'cursor': 'j-5', 'event_seq': None}"
    }


def test_no_record_holds_content_tags_or_correlation() -> None:
    content = {"thread_id": "t", "turn_number": 0, "input_messages": b"secret", "output_messages": b"secret"}
    (record,) = yielded(content=content, tags=["secret"], correlation=[{"key": "secret", "value": "secret"}])
    assert record.record["content"] is None
    assert "secret" not in str(record.record)


def test_the_worker_and_the_audit_agree_byte_for_byte() -> None:
    """The one place where both are asked about the same events, poison included."""
    schemas = Schemas()
    projector = ReferenceProjector(TOPIC, store(), max_event_bytes=64 * 1024)
    judge = Judge(schemas, TOPIC, 64 * 1024)
    readable = 0
    for message in events_of(11, 1_500, 1, 0.1).events[0]:
        projected = projector.project(0, message.offset, message.key, message.value)
        verdict = judge.judge(0, message.offset, message.value)
        if isinstance(verdict, Readable):
            readable += 1
            assert not isinstance(projected, Undecodable)
            ours = [schemas.record.encode(one.record) for one in verdict.expected]
            assert ours == [record.value[FRAME_BYTES:] for record in projected]
        else:
            assert isinstance(projected, Undecodable)
    assert readable > 1_000


def test_units_sort_by_offset_and_then_by_the_order_within_an_event() -> None:
    assert unit(4, 1) < unit(4, 2) < unit(5, 0)
    assert offset_of(unit(123_456_789_012, 7)) == 123_456_789_012
    assert name_of(unit(12, 1)) == "12:usage"
