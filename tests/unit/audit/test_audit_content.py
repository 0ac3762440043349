"""A sink that may get content is held to its records all the same: only their end may differ, as far as permitted."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tailrace.audit import FindingCode
from tailrace.audit.content import MODES, form_of, permitted_forms
from tailrace.audit.rules import RANKS
from tests.unit.audit.corruptions import rewrite
from tests.unit.audit.stories import Arrived, Story, record_of, story_of
from tests.unit.codec.written import frame, read, schema_json, write

SINKS = ("analytics", "local")
"""One on Kafka, one of JSON lines."""

INLINE = {"disposition": "inline", "size_bytes": 2, "sha256": "0" * 64}
OMITTED = {"disposition": "omitted", "size_bytes": 2, "reason": "payloads_off"}
REFERENCE = {"disposition": "reference", "size_bytes": 2, "sha256": None, "reference": "store:sha256/00/00.json"}


def told(sink_mode: str = "raw_content") -> Story:
    """A true story with content in its events, whose sinks may get as much as `sink_mode`."""
    story = story_of(4, count=120, content=True)
    for sink in story.sinks.values():
        sink.plan = replace(sink.plan, content_mode=sink_mode)
    return story


def with_content(story: Story, sink_id: str, kinds: tuple[str, ...] = ("progress", "run_terminal", "usage")) -> Arrived:
    """The sink's first record of an event that carries content; of these kinds."""
    carrying = {
        (partition, message.offset)
        for partition, messages in story.events.items()
        for message in messages
        if (event := event_of(message.value)) is not None and event["content"] is not None
    }
    found = [one for one in story.sinks[sink_id].records if one.unit[:2] in carrying and one.unit[2] in kinds]
    return min(found, key=lambda one: (one.unit[0], one.unit[1], RANKS[one.unit[2]]))


def event_of(value: bytes | None) -> Any:
    schema = schema_json("agent_event")
    try:
        return None if value is None or not value.startswith(frame(schema)) else read(schema, value[10:])
    except Exception:
        return None


def granted(mode: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the end of a record says that was granted this."""
    capture = {"requested": "raw_content", "effective": mode, "policy_refs": [], "reason": "any", "closed_gates": []}
    return {"content_capture": mode, "capture": capture, "content": content}


def parts(part: dict[str, Any]) -> dict[str, Any]:
    return {"thread_id": "t", "turn_number": 0, "input_messages": part, "output_messages": OMITTED}


def audited(sink_id: str, end: dict[str, Any], sink_mode: str = "raw_content") -> set[str]:
    """The codes that an audit finds after one record of the sink has been given this end."""
    story = told(sink_mode)
    rewrite(story, sink_id, with_content(story, sink_id), lambda fields: fields.update(end))
    return story.codes()


@pytest.mark.parametrize("sink_id", SINKS)
@pytest.mark.parametrize("mode", MODES)
def test_a_decision_that_was_permitted_is_no_finding(sink_id: str, mode: str) -> None:
    assert audited(sink_id, granted(mode)) == set()


@pytest.mark.parametrize("sink_id", SINKS)
@pytest.mark.parametrize(
    ("mode", "part"), [("raw_content", INLINE), ("payload_refs", REFERENCE), ("payload_refs", OMITTED)]
)
def test_content_that_was_permitted_is_no_finding(sink_id: str, mode: str, part: dict[str, Any]) -> None:
    """Under the redaction of the sink, which no audit knows."""
    end = {**granted(mode, parts(part)), "redaction_policy_id": "redaction.of.the.sink"}
    assert audited(sink_id, end) == set()


def test_records_without_a_word_about_content_are_as_good() -> None:
    """Written by a worker from before, or of an event that a lane could not read."""
    assert told().codes() == set()


@pytest.mark.parametrize("sink_id", SINKS)
@pytest.mark.parametrize(
    ("end", "sink_mode"),
    [
        (granted("raw_content"), "payload_refs"),
        (granted("metadata_only"), "off"),
        (granted("off"), "off"),
        ({**granted("raw_content"), "content_capture": "off"}, "raw_content"),
        (granted("redacted_summary", parts(OMITTED)), "raw_content"),
        (granted("payload_refs", parts(INLINE)), "raw_content"),
        (granted("payload_refs", {**parts(OMITTED), "system_instructions": INLINE}), "raw_content"),
        ({**granted("off"), "content": parts(OMITTED), "capture": None}, "raw_content"),
        ({**granted("metadata_only"), "redaction_policy_id": "redaction.of.the.sink"}, "raw_content"),
        ({**granted("raw_content", parts(INLINE)), "finish_reason": "another"}, "raw_content"),
        (granted("unknown"), "raw_content"),
    ],
    ids=[
        *("wider than the sink", "a sink without content", "a decision nobody asked for", "two answers"),
        *("content without a grant", "inline without raw", "instructions inline without raw", "content undecided"),
        *("another redaction without content", "another fact", "a mode nobody knows"),
    ],
)
def test_what_was_not_permitted_is_an_altered_record(sink_id: str, end: dict[str, Any], sink_mode: str) -> None:
    """The other fields, the mode that the sink has, and what fits together: each is held to."""
    assert audited(sink_id, end, sink_mode) == {FindingCode.ALTERED}


@pytest.mark.parametrize("permitted", ["off", "unknown", "metadata_only", "payload_refs"])
def test_nothing_is_wider_than_the_event_permits(permitted: str) -> None:
    """Whatever the sink may get; what the event does permit is fine."""
    for mode in MODES:
        story = told()
        record = with_content(story, "analytics")
        messages = story.events[record.unit[0]]
        place = next(index for index, message in enumerate(messages) if message.offset == record.unit[1])
        schema = schema_json("agent_event")
        event = {**event_of(messages[place].value), "content_capture": permitted}
        messages[place] = messages[place]._replace(value=frame(schema) + write(schema, event))
        rewrite(story, "analytics", record, lambda fields, mode=mode: fields.update(granted(mode)))  # type: ignore[misc]
        allowed = MODES.index(mode) <= (MODES.index(permitted) if permitted in MODES else 0)
        assert story.codes() == (set() if allowed else {FindingCode.ALTERED})


def test_what_a_lane_of_an_unknown_configuration_granted_is_no_finding() -> None:
    """A sink's content was turned off, and its records of before are what they were."""
    for digest, found in (("another", set()), ("c", {FindingCode.ALTERED})):
        story = told("off")
        for sink in story.sinks.values():
            sink.plan = replace(sink.plan, config_digest=digest)
        record = with_content(story, "analytics")
        rewrite(story, "analytics", record, lambda fields: fields.update(granted("raw_content")))
        assert story.codes() == found


def test_content_goes_with_the_first_record_of_an_event_only() -> None:
    """On a second one it would be there twice."""
    story = told()
    second = with_content(story, "analytics", ("cost_estimate",))
    rewrite(story, "analytics", second, lambda fields: fields.update(granted("raw_content")))
    assert story.codes() == {FindingCode.ALTERED}


def test_an_event_without_content_has_nothing_to_decide() -> None:
    story = told()
    without = next(
        one
        for one in story.sinks["analytics"].records
        for message in story.events[one.unit[0]]
        if message.offset == one.unit[1] and event_of(message.value)["content"] is None
    )
    rewrite(story, "analytics", without, lambda fields: fields.update(granted("off")))
    assert story.codes() == {FindingCode.ALTERED}


def test_records_of_the_schema_before_stay_what_they_were() -> None:
    """A topic holds both: an update of the worker makes no finding of what was there."""
    story = told()
    released = schema_json("baseline/telemetry_record.v1")
    for place, one in enumerate(story.sinks["analytics"].records):
        if place % 2:
            one.value = frame(released) + write(released, record_of(one.value))
    assert story.codes() == set()


def test_the_form_of_a_record_holds_nothing_of_its_content() -> None:
    """What is kept of a sink for the length of an audit."""
    record = {"run_id": "r", **granted("raw_content", parts({**INLINE, "inline_bytes": b"words"}))}
    form = form_of(record)
    assert form is not None
    assert b"words" not in form
    assert form in set(permitted_forms({"run_id": "r"}, "raw_content"))
    assert json.loads(form)["run_id"] == "r"
