"""A projector, compiled or not, and an independent reading of the same event give the same records."""

import hashlib
from itertools import islice

import pytest
from hypothesis import given, settings

from tailrace.domain.kinds import ProjectionKind
from tailrace.domain.projected import ProjectedRecord, Undecodable, UndecodableReason
from tailrace.runtime.ports import Projector
from tailrace.synthetic import SyntheticEvents
from tests.unit.codec.both import BothProjectors
from tests.unit.codec.oracle import decoded, expected, is_misplaced, without_summary
from tests.unit.codec.written import COST, MINIMAL, USAGE, Event, events, framed, read, schema_json, store

TOPIC = "agent.events"
PROJECTOR = BothProjectors(TOPIC, store())


def test_fits_the_port() -> None:
    projector: Projector = PROJECTOR
    assert [type(one) for one in projector.project_all(0, [0], [None], [None])] == [Undecodable]


@settings(max_examples=300, deadline=None)
@given(events())
def test_any_event_gives_the_records_that_the_rules_say(event: Event) -> None:
    """Whatever the fields hold: same records in the same order, or misplaced usage."""
    value = framed(event)
    projected = PROJECTOR.project(3, 2**40, b"key", value)
    if is_misplaced(event):
        assert isinstance(projected, Undecodable)
        assert (projected.reason, projected.field) == (UndecodableReason.MISPLACED_USAGE, "usage")
        return
    assert isinstance(projected, tuple)
    wanted = [without_summary(one) for one in expected(event, TOPIC, 3, 2**40)]
    assert [without_summary(decoded(record)) for record in projected] == wanted
    for record in projected:
        assert_envelope(record, event)


def assert_envelope(record: ProjectedRecord, event: Event) -> None:
    """What travels beside the bytes says the same as the bytes."""
    fields = decoded(record)
    assert (record.partition, record.offset) == (fields["source"]["partition"], fields["source"]["offset"])
    assert record.kind.value == fields["projection_kind"]
    assert record.terminal_preserved == (record.kind is not ProjectionKind.PROGRESS)
    assert record.run_key == fields["run_id"]
    assert record.key == fields["run_id"].encode()
    assert record.family == event["event_family"]
    assert record.agent_id == event["agent_id"]


def test_synthetic_events_agree_and_poison_is_named() -> None:
    """2 000 realistic events with poison: good ones as expected, bad ones by the reason they were made with."""
    seen: set[str] = set()
    stream = SyntheticEvents(seed=11, poison_rate=0.05, content=True)
    for offset, event in enumerate(stream.take(2_000)):
        projected = PROJECTOR.project(0, offset, event.key, event.value)
        if isinstance(projected, Undecodable):
            assert projected.reason == event.poison
            seen.add(projected.reason)
            continue
        assert event.poison is None
        assert event.value is not None
        fields = read(schema_json("agent_event"), event.value[10:])
        wanted = [without_summary(one) for one in expected(fields, TOPIC, 0, offset)]
        assert [without_summary(decoded(record)) for record in projected] == wanted
        seen.update(record.kind for record in projected)
    assert len(seen) == 10, "five kinds of record and five kinds of poison"


def test_an_undecodable_event_keeps_its_coordinates_digest_and_bytes() -> None:
    """Enough for a dead letter, and for telling two apart without looking at them."""
    value = framed(MINIMAL)[:-1]
    projected = PROJECTOR.project(4, 99, b"key", value)
    digest = hashlib.sha256(value).hexdigest()
    assert projected == Undecodable(4, 99, UndecodableReason.TRUNCATED, "content", digest, b"key", value)
    nothing = PROJECTOR.project(4, 100, None, None)
    assert isinstance(nothing, Undecodable)
    assert nothing.value_sha256 == hashlib.sha256(b"").hexdigest()


def test_a_null_key_is_no_fault() -> None:
    """Records are keyed by the run id that the event states, whatever Kafka's key was."""
    with_key, without = (
        PROJECTOR.project(0, 0, b"other", framed(MINIMAL)),
        PROJECTOR.project(0, 0, None, framed(MINIMAL)),
    )
    assert with_key == without
    assert isinstance(without, tuple)
    assert without[0].key == b"run-1"


def test_no_content_tag_or_correlation_reaches_a_record() -> None:
    """The allow-list: what is not in the record's schema is in none of its bytes, summaries included."""
    secret = {
        "tags": ["canary-tag"],
        "correlation": [{"key": "canary-key", "value": "canary-value"}],
        "related_refs": [{"kind": "run", "id": "canary-related"}],
        "causal_refs": [{"subject_ref": {"kind": "run", "id": "canary-cause"}, "reason": "canary-reason"}],
        "destination": {"kind": "tool", "id": "canary-destination"},
        "context_item_id": "canary-context",
        "content": {
            "capture_kind": "turn_chat",
            "thread_id": "canary-thread",
            "turn_number": 1,
            "system_instructions": b"canary-system",
            "input_messages": b"canary-input",
            "output_messages": b"canary-output",
        },
    }
    event = {**MINIMAL, "event_family": "run", "event_kind": "run_completed", "usage": USAGE, "cost": COST, **secret}
    projected = PROJECTOR.project(0, 0, b"canary-kafka-key", framed(event))
    assert isinstance(projected, tuple)
    assert [record.kind.value for record in projected] == ["run_terminal", "usage", "cost_estimate"]
    for record in projected:
        assert b"canary" not in record.key + record.value


def test_each_amount_stands_in_one_record() -> None:
    """A sum over records counts usage and cost once."""
    event = {**MINIMAL, "event_family": "run", "event_kind": "run_completed", "usage": USAGE, "cost": COST}
    projected = PROJECTOR.project(0, 0, None, framed(event))
    assert isinstance(projected, tuple)
    records = [decoded(record) for record in projected]
    assert [record["usage"] is not None for record in records] == [False, True, False]
    assert [record["cost"] is not None for record in records] == [False, False, True]


def test_usage_of_an_unknown_family_is_ignored_and_counted() -> None:
    """A newer producer's family is no fault of its event."""
    projector = BothProjectors(TOPIC, store())
    projected = projector.project(0, 0, None, framed({**MINIMAL, "event_family": "unknown", "usage": USAGE}))
    assert isinstance(projected, tuple)
    assert [record.kind for record in projected] == [ProjectionKind.PROGRESS]
    assert decoded(projected[0])["usage"] is None
    assert projector.usage_ignored == 1


@pytest.mark.parametrize("size_bytes", [1_000, 1_000_000])
def test_size_is_bounded_before_anything_is_read(size_bytes: int) -> None:
    """One byte over is oversize, even where the value would also be malformed; the bound itself is fine."""
    value = framed({**MINIMAL, "tags": ["x" * size_bytes]})
    assert isinstance(BothProjectors(TOPIC, store(), max_event_bytes=len(value)).project(0, 0, None, value), tuple)
    projected = BothProjectors(TOPIC, store(), max_event_bytes=len(value) - 1).project(0, 0, None, value)
    assert isinstance(projected, Undecodable)
    assert projected.reason is UndecodableReason.OVERSIZE


def test_projecting_again_gives_the_same_bytes() -> None:
    """Twice through one projector and once through a fresh one: no state shows."""
    values = [event.value for event in islice(SyntheticEvents(seed=3), 50)]
    first = [PROJECTOR.project(0, offset, None, value) for offset, value in enumerate(values)]
    again = [PROJECTOR.project(0, offset, None, value) for offset, value in enumerate(values)]
    fresh = BothProjectors(TOPIC, store())
    assert first == again == [fresh.project(0, offset, None, value) for offset, value in enumerate(values)]
