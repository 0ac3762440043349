"""An event that carries content travels beside its first record, as it came, and only if the projector was told to."""

from random import Random
from typing import Any

import pytest

from tailrace.codec.compiled_identifiers import Guards
from tailrace.codec.compiled_source import Source, SourceWriter
from tailrace.codec.event_content import ContentReader
from tailrace.codec.record_layout import RecordLayout
from tailrace.codec.reference_resolution import Mismatch, resolve_record
from tailrace.codec.schemas import AGENT_EVENT, record_tree
from tailrace.domain.identifiers import IdentifierPolicy
from tailrace.domain.projected import ProjectedRecord
from tests.golden.compiled_sources import recorded, schemas
from tests.golden.projector_cases import names
from tests.unit.codec.both import BothProjectors
from tests.unit.codec.spelling import BLOCKS, CANONICAL, LONG_VARINTS, Speller
from tests.unit.codec.test_codec_no_content import CANARY, with_content
from tests.unit.codec.written import COST, MINIMAL, USAGE, frame, framed, schema_json, store, store_with

CONTENT = {"thread_id": "t", "turn_number": 0, "input_messages": b"[]", "output_messages": b"[]"}


def both(**more: Any) -> BothProjectors:
    return BothProjectors("agent.events", store(), keep_content=True, **more)


def records_of(projectors: BothProjectors, value: bytes) -> tuple[ProjectedRecord, ...]:
    projected = projectors.project(1, 2, b"key", value)
    assert isinstance(projected, tuple)
    return projected


def test_the_first_record_has_the_event_and_no_other_has() -> None:
    """Of an event that yields three; each is otherwise what it is without content."""
    event = {**MINIMAL, "event_family": "run", "event_kind": "run_completed", "usage": USAGE, "cost": COST}
    value = framed({**event, "content": CONTENT})
    records = records_of(both(), value)
    plain = records_of(BothProjectors("agent.events", store()), value)
    assert [record.event for record in records] == [value, None, None]
    assert [one.size_bytes - other.size_bytes for one, other in zip(records, plain, strict=True)] == [len(value), 0, 0]
    assert [record._replace(event=None, size_bytes=0) for record in records] == [
        record._replace(size_bytes=0) for record in plain
    ]


def test_an_event_without_content_stays_behind() -> None:
    assert [record.event for record in records_of(both(), framed({**MINIMAL, "content": None}))] == [None]


@pytest.mark.parametrize("name", names())
def test_a_projector_that_was_not_told_keeps_no_event(name: str) -> None:
    """Whatever the event permits; and no record's bytes hold anything of it in either case."""
    value = with_content(name, "raw_content")
    for keep_content in (False, True):
        projected = BothProjectors("agent.events", store(), keep_content=keep_content).project(0, 1, None, value)
        for place, record in enumerate(projected if isinstance(projected, tuple) else ()):
            assert record.event == (value if keep_content and place == 0 else None)
            assert CANARY.encode() not in record.value + record.key


@pytest.mark.parametrize("spelling", [CANONICAL, BLOCKS, LONG_VARINTS])
def test_the_event_is_as_it_came_however_it_was_written(spelling: str) -> None:
    """Arrays in several blocks and long varints are written anew for records; what a lane reads is what was sent."""
    schema = schema_json("agent_event")
    speller = Speller(Random(5), schema, spelling)
    projectors, reader = both(), ContentReader(store())
    kept = 0
    for _ in range(80):
        value = frame(schema) + speller.value()
        projected = projectors.project(0, 1, None, value)
        if isinstance(projected, tuple):
            event = projected[0].event
            assert (event is None) == (reader.read(value) is None)
            assert event in {None, value}
            kept += event is not None
    assert kept > 10


@pytest.mark.parametrize("content_type", ["required", "other way round", "not written"])
def test_content_is_found_in_whatever_place_a_writer_has_for_it(content_type: str, tmp_path: Any) -> None:
    """A writer's union may be in another order, or none; what counts is what its value means to a reader."""
    schema = schema_json("agent_event")
    field = next(one for one in schema["fields"] if one["name"] == "content")
    null, record = field["type"]
    event = {**MINIMAL, "content": {**CONTENT, "capture_kind": "turn_chat", "span_is_recording": True}}
    empty: dict[str, Any] | None = {**MINIMAL, "content": None}
    match content_type:
        case "required":
            field["type"], empty = record, None
            del field["default"]
        case "other way round":
            field["type"] = [record, null]
            del field["default"]
        case _:
            schema["fields"].remove(field)
            event, empty = MINIMAL, None
    projectors = BothProjectors("agent.events", store_with(tmp_path, other=schema), keep_content=True)
    value = framed(event, schema)
    assert records_of(projectors, value)[0].event == (None if content_type == "not written" else value)
    if empty is not None:
        assert records_of(projectors, framed(empty, schema))[0].event is None


def test_without_content_the_function_is_the_one_that_is_golden() -> None:
    """Keeping content is another variant: the default one has not a byte of it."""
    shipped = store()
    event = record_tree(shipped.agent_event, AGENT_EVENT)
    step = resolve_record(event, event)
    assert not isinstance(step, Mismatch)
    texts = {}
    for keep_content in (False, True):
        writer = SourceWriter(RecordLayout("events", shipped), event, lambda: None, keep_content=keep_content)
        source = writer.write(step, 10, Guards.of(RecordLayout("events", shipped), event, IdentifierPolicy()))
        assert isinstance(source, Source)
        texts[keep_content] = source.text
    assert texts[False] in recorded(schemas()[-1]).read_text(encoding="utf-8")
    assert "came" not in texts[False]
    assert len(texts[True].splitlines()) - len(texts[False].splitlines()) <= 6
