"""A lane that captures reads of an event what was written there, and of anything else nothing."""

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.codec.event_content import ContentReader
from tailrace.codec.reference_projector import ReferenceProjector
from tailrace.codec.schemas import RefusedSchema, SchemaStore, WriterSchema, shipped_schema_directory
from tailrace.domain.capture import EventContent, EventToCapture, ModelCall
from tailrace.domain.capture_policy import ContentSource
from tailrace.domain.capture_store import CaptureKind
from tailrace.domain.errors import SchemaInvalid
from tailrace.domain.kinds import EventFamily
from tailrace.domain.privacy import ContentCaptureMode, PrivacyClass, RetentionClass
from tailrace.domain.projected import Undecodable, UndecodableReason
from tailrace.domain.refs import EntityKind, SourceKind
from tests.unit.codec.evolution import future_schemas
from tests.unit.codec.oracle import shown_id
from tests.unit.codec.spelling import MUTATIONS, SPELLINGS, Speller
from tests.unit.codec.written import MINIMAL, Event, events, frame, framed, schema_json, store, store_with, values_of

SAID = b'[{"role":"user","parts":[{"type":"text","content":"words"}]}]'
CONTENT = {
    "capture_kind": "turn_chat",
    "thread_id": "thread-1",
    "turn_number": 3,
    "span_is_recording": True,
    "system_instructions": None,
    "input_messages": SAID,
    "output_messages": b"not even JSON \xff",
}
WITH_CONTENT: Event = {
    **MINIMAL,
    "event_family": "model",
    "privacy": "internal",
    "content_capture": "raw_content",
    "redaction_policy_id": "redaction.event",
    "provider_id": "provider.1",
    "provider_name": "some.provider",
    "model_id": "model.asked",
    "response_model": "model.answered",
    "content": CONTENT,
}


def wanted(event: Event) -> EventToCapture | None:
    """What the reader should say of an event as it was written, in so many words."""
    content = event["content"]
    if content is None:
        return None

    def or_none(symbol: str) -> str | None:
        return None if symbol == "unknown" else symbol

    privacy, mode = or_none(event["privacy"]), or_none(event["content_capture"])
    source, subject = or_none(event["source"]["kind"]), or_none(event["subject_ref"]["kind"])
    return EventToCapture(
        source=ContentSource(
            run_id=event["run_id"],
            agent_id=event["agent_id"],
            family=EventFamily(event["event_family"]),
            privacy=None if privacy is None else PrivacyClass(privacy),
            content_capture=None if mode is None else ContentCaptureMode(mode),
            source_kind=None if source is None else SourceKind(source),
            subject_kind=None if subject is None else EntityKind(subject),
            retention=RetentionClass.RUN_SCOPED,
            event_time_us=event["timestamp"],
        ),
        content=EventContent(
            **{
                **content,
                "capture_kind": CaptureKind(content["capture_kind"]),
                "thread_id": shown_id(content["thread_id"]),
            }
        ),
        call=ModelCall(
            provider_name=shown_id(event["provider_name"] or ""),
            provider_id=shown_id(event["provider_id"] or ""),
            request_model=shown_id(event["model_id"] or ""),
            response_model=None if event["response_model"] is None else shown_id(event["response_model"]),
        ),
        redaction_policy_id=shown_id(event["redaction_policy_id"]),
    )


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_event_is_read_as_it_was_written(data: st.DataObject) -> None:
    """Nulls and unknown symbols included; without content there is nothing to read."""
    event = data.draw(events())
    if data.draw(st.integers(0, 3)):
        branches = next(one["type"] for one in schema_json("agent_event")["fields"] if one["name"] == "content")
        event["content"] = data.draw(values_of(branches[1]))
    assert ContentReader(store()).read(framed(event)) == wanted(event)


def test_an_event_without_content_has_nothing_to_capture() -> None:
    assert ContentReader(store()).read(framed({**MINIMAL, "content": None})) is None


def test_what_an_older_writer_left_out_has_its_default(tmp_path: Path) -> None:
    """Privacy and capture mode are unknown then, and no model is named."""
    older = schema_json("agent_event")
    left_out = {"privacy", "content_capture", "redaction_policy_id"}
    left_out |= {"provider_id", "provider_name", "model_id", "response_model"}
    older["fields"] = [one for one in older["fields"] if one["name"] not in left_out]

    found = ContentReader(store_with(tmp_path, older=older)).read(framed({**MINIMAL, "content": CONTENT}, older))

    assert found is not None
    assert (found.source.privacy, found.source.content_capture, found.redaction_policy_id) == (None, None, "")
    assert found.call == ModelCall()
    assert found.content.input_messages == SAID


@pytest.mark.parametrize(
    ("field", "symbol", "attribute", "expected"),
    [
        ("event_family", "telepathy", "family", EventFamily.UNKNOWN),
        ("privacy", "cosmic", "privacy", None),
        ("content_capture", "everything", "content_capture", None),
        ("source", "dream", "source_kind", None),
        ("subject_ref", "dream", "subject_kind", None),
    ],
)
def test_a_symbol_of_a_newer_writer_is_unknown(
    field: str, symbol: str, attribute: str, expected: object, tmp_path: Path
) -> None:
    """Whoever decides about content takes what is unknown for the worst."""
    newer = schema_json("agent_event")
    declared = next(one for one in newer["fields"] if one["name"] == field)["type"]
    nested = declared["type"] == "record"
    (declared["fields"][0]["type"] if nested else declared)["symbols"].append(symbol)
    event = {**WITH_CONTENT, field: {"kind": symbol, "id": "one"} if nested else symbol}

    found = ContentReader(store_with(tmp_path, newer=newer)).read(framed(event, newer))

    assert found is not None
    assert getattr(found.source, attribute) is expected


class OneId:
    """A registry that knows one id."""

    def __init__(self, schema: WriterSchema) -> None:
        self._schema = schema

    def schema(self, schema_id: int) -> WriterSchema | RefusedSchema | None:
        return self._schema if schema_id == 7 else None


def test_events_are_found_by_a_registry_s_id_too() -> None:
    body = framed(WITH_CONTENT)[10:]
    reader = ContentReader(store(), OneId(store().agent_event))
    assert reader.read(b"\x00\x00\x00\x00\x07" + body) == reader.read(framed(WITH_CONTENT)) is not None
    assert reader.read(b"\x00\x00\x00\x00\x08" + body) is None
    assert ContentReader(store()).read(b"\x00\x00\x00\x00\x07" + body) is None


def test_no_value_with_anything_cut_or_added_is_read() -> None:
    """At every place; a reader that guessed would take somebody else's bytes for content."""
    value = framed(WITH_CONTENT)
    reader = ContentReader(store())
    assert reader.read(value) is not None
    assert [size for size in range(len(value)) if reader.read(value[:size]) is not None] == []
    assert reader.read(value + b"\x00") is None


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_it_reads_exactly_what_the_projector_reads(spelling: str, tmp_path: Path) -> None:
    """Any spelling and mutation, under a future schema too: the same run and agent, or neither says anything."""
    chance = Random(11)
    home = tmp_path / "home"
    home.mkdir()
    future_schemas(home)
    read = 0
    for directory in (shipped_schema_directory(), home):
        schemas = SchemaStore(directory)
        schema = json.loads((directory / "agent_event.avsc").read_text())
        reader, projector = ContentReader(schemas), ReferenceProjector("agent.events", schemas)
        speller = Speller(chance, schema, spelling)
        for _ in range(60):
            value = frame(schema) + speller.value()
            mutants = [MUTATIONS[name](chance, value) for name in chance.choices(list(MUTATIONS), k=4)]
            for one in (value, *mutants):
                found, records = reader.read(one), projector.project(0, 0, None, one)
                if found is not None and isinstance(records, tuple):
                    read += 1
                    assert shown_id(found.source.run_id) == records[0].run_key
                    assert found.source.agent_id == records[0].agent_id
                    assert found.source.family == records[0].family
                elif isinstance(records, Undecodable):
                    assert found is None or records.reason is UndecodableReason.MISPLACED_USAGE
    assert read > 5


def test_what_it_read_shows_no_content() -> None:
    """Not in a traceback and not in a log line."""
    shown = repr(ContentReader(store()).read(framed(WITH_CONTENT)))
    assert "run-1" in shown
    assert "words" not in shown


def test_an_event_schema_without_content_is_refused(tmp_path: Path) -> None:
    """Better at the start than at the first event."""
    for file in shipped_schema_directory().glob("*.avsc"):
        schema = schema_json(file.stem)
        schema["fields"] = [one for one in schema["fields"] if file.stem != "agent_event" or one["name"] != "content"]
        (tmp_path / file.name).write_text(json.dumps(schema), encoding="utf-8")
    with pytest.raises(SchemaInvalid) as raised:
        ContentReader(SchemaStore(tmp_path))
    assert raised.value.path == "content"
