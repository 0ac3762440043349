"""Events written with another version of the event schema are read as this version, by the rules of Avro."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tailrace.codec.schemas import SchemaStore, shipped_schema_directory
from tailrace.domain.projected import Undecodable
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
    store_with,
    values_of,
    without_logical_types,
)

Schema = dict[str, Any]
Change = Callable[[Schema], None]


def field(schema: Schema, name: str) -> Schema:
    found: Schema = next(one for one in schema["fields"] if one["name"] == name)
    return found


def drop(name: str) -> Change:
    return lambda schema: schema["fields"].remove(field(schema, name))


def retype(name: str, type_: Any) -> Change:
    def change(schema: Schema) -> None:
        field(schema, name)["type"] = type_
        field(schema, name).pop("default", None)

    return change


def add(position: int, type_: Any) -> Change:
    return lambda schema: schema["fields"].insert(position, {"name": "brand_new", "type": type_})


def reverse_fields(schema: Schema) -> None:
    """The other way round; names move to where they are used first now."""
    inline: dict[str, Any] = {}

    def collect(tree: Any) -> None:
        if isinstance(tree, dict):
            if "name" in tree and "type" in tree and tree["type"] in ("record", "enum"):
                inline[tree["name"]] = tree
            for value in tree.values():
                collect(value)
        elif isinstance(tree, list):
            for value in tree:
                collect(value)

    collect(json.loads(json.dumps(schema["fields"])))
    placed: set[str] = set()

    def place(tree: Any) -> Any:
        if isinstance(tree, str) and tree in inline and tree not in placed:
            return place(json.loads(json.dumps(inline[tree])))
        if isinstance(tree, list):
            return [place(one) for one in tree]
        if isinstance(tree, dict):
            if tree.get("type") in ("record", "enum"):
                if tree["name"] in placed:
                    return tree["name"]
                placed.add(tree["name"])
            kept = dict(tree)
            for key in ("fields", "items", "type"):
                if key in kept:
                    kept[key] = (
                        [{**one, "type": place(one["type"])} for one in kept[key]]
                        if key == "fields"
                        else place(kept[key])
                    )
            return kept
        return tree

    schema["fields"] = [{**one, "type": place(one["type"])} for one in reversed(schema["fields"])]


def more_symbols(schema: Schema) -> None:
    """A newer producer: unknown families, and every index shifted."""
    family = field(schema, "event_family")["type"]
    family["symbols"] = ["quantum", *reversed(family["symbols"]), "telepathy"]


def swapped_unions(schema: Schema) -> None:
    for one in schema["fields"]:
        if isinstance(one["type"], list):
            one["type"] = one["type"][::-1]
            one.pop("default", None)


def smaller_numbers(schema: Schema) -> None:
    field(schema, "event_seq")["type"] = "int"
    field(schema, "timestamp")["type"] = "int"
    for one in field(schema, "usage")["type"][1]["fields"]:
        one["type"] = ["null", "int"]


def without_namespace(schema: Schema) -> None:
    schema["namespace"] = "elsewhere"


BLOB = {"type": "fixed", "name": "Blob", "size": 3}
WIDE = {
    "type": "record",
    "name": "Wide",
    "fields": [
        {"name": "map", "type": {"type": "map", "values": {"type": "array", "items": "double"}}},
        {"name": "blob", "type": BLOB},
        {"name": "choice", "type": ["float", "string", "Blob", "boolean", "null"]},
    ],
}

CHANGES: dict[str, Change] = {
    "nothing but reordered": reverse_fields,
    "a field less": drop("tool_name"),
    "usage not there yet": drop("usage"),
    "content not there yet": drop("content"),
    "an enum not there yet": drop("privacy"),
    "a list not there yet": drop("policy_refs"),
    "a new field in front": add(0, "string"),
    "a new field at the end": add(1_000, ["null", "bytes"]),
    "a new field of every type": add(20, WIDE),
    "more symbols": more_symbols,
    "unions the other way round": swapped_unions,
    "three branches": retype("session_id", ["bytes", "null", "string"]),
    "smaller numbers": smaller_numbers,
    "text as bytes": retype("finish_reason", ["null", "bytes"]),
    "always there": retype("model_id", "string"),
    "may be missing": retype("agent_id", ["null", "string"]),
    "another namespace": without_namespace,
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_version_is_read_as_avro_resolves_it(name: str, tmp_path: Path) -> None:
    """Random events of the other version give the records of what fastavro resolves them to, or the same refusal."""
    writer = schema_json("agent_event")
    CHANGES[name](writer)
    projector = BothProjectors("agent.events", store_with(tmp_path, other=writer))
    reader = schema_json("agent_event")
    taken = 0

    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(values_of(writer))
    def check(event: Event) -> None:
        nonlocal taken
        value = framed(event, writer)
        projected = projector.project(1, 2, None, value)
        try:
            resolved = read(writer, value[10:], reader)
        except Exception:
            assert isinstance(projected, Undecodable)
            assert projected.reason in {"schema_mismatch", "malformed"}
            return
        if is_misplaced(resolved):
            assert isinstance(projected, Undecodable)
            assert projected.reason == "misplaced_usage"
            return
        assert isinstance(projected, tuple), projected
        wanted = [without_summary(one) for one in expected(resolved, "agent.events", 1, 2)]
        assert [without_summary(decoded(record)) for record in projected] == wanted
        taken += 1

    check()
    assert taken >= 1, "none of the events could be read"


def project(writer: Schema, event: Event, schemas: SchemaStore) -> Any:
    return BothProjectors("agent.events", schemas).project(0, 0, None, framed(event, writer))


def test_all_released_versions_and_the_current_one_agree(tmp_path: Path) -> None:
    """The same event written with each version in the baseline gives the same records."""
    event = {**MINIMAL, "event_family": "model", "usage": USAGE, "cost": COST}
    current = project(schema_json("agent_event"), event, SchemaStore())
    assert isinstance(current, tuple)
    released = sorted((shipped_schema_directory() / "baseline").glob("agent_event.*.avsc"))
    assert released
    for file in released:
        assert project(json.loads(file.read_text(encoding="utf-8")), event, SchemaStore()) == current


def test_a_symbol_nobody_knows_becomes_unknown(tmp_path: Path) -> None:
    writer = schema_json("agent_event")
    more_symbols(writer)
    records = project(writer, {**MINIMAL, "event_family": "telepathy"}, store_with(tmp_path, newer=writer))
    assert isinstance(records, tuple)
    assert records[0].family == "unknown"
    assert decoded(records[0])["event_family"] == "unknown"


def test_an_alias_finds_a_renamed_field_and_type(tmp_path: Path) -> None:
    """Our own schema renames; old events still arrive in the new field."""
    home = tmp_path / "home"
    (home / "baseline").mkdir(parents=True)
    old = schema_json("agent_event")
    field(old, "tool_name")["name"] = "tool"
    field(old, "usage")["type"][1]["name"] = "Consumption"
    new = schema_json("agent_event")
    field(new, "tool_name")["aliases"] = ["tool"]
    field(new, "usage")["type"][1]["aliases"] = ["Consumption"]
    record = schema_json("telemetry_record")
    field(record, "usage")["type"][1]["aliases"] = ["Consumption"]
    for name, schema in (
        ("agent_event", new),
        ("telemetry_record", record),
        ("health_record", schema_json("health_record")),
        ("baseline/agent_event.v0", old),
    ):
        (home / f"{name}.avsc").write_text(json.dumps(schema), encoding="utf-8")
    event = {**MINIMAL, "event_family": "model", "tool": "search", "usage": USAGE}
    records = project(old, event, SchemaStore(home))
    assert isinstance(records, tuple)
    assert decoded(records[0])["tool_name"] == "search"
    assert decoded(records[0])["usage"]["input_tokens"] == 100


UNREADABLE: dict[str, tuple[Change, str]] = {
    "a required field is missing": (drop("event_id"), "event_id"),
    "another type": (retype("event_seq", "string"), "event_seq"),
    "narrower": (retype("schema_version", "long"), "schema_version"),
    "milliseconds": (retype("timestamp", {"type": "long", "logicalType": "timestamp-millis"}), "timestamp"),
    "another record's name": (lambda schema: schema.update(name="SomethingElse"), ""),
    "no branch fits": (retype("session_id", ["long", "boolean"]), "session_id"),
    "deep inside": (
        lambda schema: field(schema, "subject_ref")["type"]["fields"][1].update(type="boolean"),
        "subject_ref.id",
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_version_that_cannot_be_resolved_is_a_mismatch(name: str, tmp_path: Path) -> None:
    """Decided for the schema, whatever its events hold, and said with the field that is in the way."""
    change, path = UNREADABLE[name]
    writer = schema_json("agent_event")
    change(writer)
    schemas = store_with(tmp_path, other=writer)
    projected = BothProjectors("agent.events", schemas).project(0, 0, None, frame(writer) + b"any body at all")
    assert isinstance(projected, Undecodable)
    assert (projected.reason.value, projected.field) == ("schema_mismatch", path)


def test_a_value_that_the_reader_cannot_hold_is_a_mismatch_of_that_event(tmp_path: Path) -> None:
    """The schema resolves, this event does not: null where ours needs a string."""
    writer = schema_json("agent_event")
    field(writer, "agent_id")["type"] = ["null", "string"]
    schemas = store_with(tmp_path, other=writer)
    assert isinstance(project(writer, {**MINIMAL, "agent_id": "a"}, schemas), tuple)
    projected = project(writer, {**MINIMAL, "agent_id": None}, schemas)
    assert isinstance(projected, Undecodable)
    assert (projected.reason.value, projected.field) == ("schema_mismatch", "agent_id")


def test_an_optional_record_that_does_not_resolve_costs_only_the_events_that_have_it(tmp_path: Path) -> None:
    """The null branch resolves, so events without usage are read; those with it are not."""
    writer = schema_json("agent_event")
    field(writer, "usage")["type"][1]["fields"][0]["type"] = ["null", "string"]
    schemas = store_with(tmp_path, other=writer)
    event = {**MINIMAL, "event_family": "model"}
    assert isinstance(project(writer, event, schemas), tuple)
    projected = project(writer, {**event, "usage": {"input_tokens": "many"}}, schemas)
    assert isinstance(projected, Undecodable)
    assert (projected.reason.value, projected.field) == ("schema_mismatch", "usage.input_tokens")


def test_the_frame_of_a_registry_leads_to_the_same_records(tmp_path: Path) -> None:
    """Confluent's id instead of the fingerprint: same event, same bytes out; an id nobody knows is unknown."""
    schemas = SchemaStore()

    class OneSchema:
        def schema(self, schema_id: int) -> Any:
            return schemas.agent_event if schema_id == 0x01020304 else None

    projector = BothProjectors("agent.events", schemas, ids=OneSchema())
    value = framed(MINIMAL)
    by_id = projector.project(0, 0, None, b"\x00\x01\x02\x03\x04" + value[10:])
    assert isinstance(by_id, tuple)
    assert by_id == projector.project(0, 0, None, value)
    unknown = projector.project(0, 0, None, b"\x00\x04\x03\x02\x01" + value[10:])
    assert isinstance(unknown, Undecodable)
    assert unknown.reason == "unknown_schema"


def test_the_oracle_sees_the_other_version() -> None:
    """A change really changes the bytes, or the agreement above would say nothing."""
    for name, change in CHANGES.items():
        writer = schema_json("agent_event")
        change(writer)
        assert without_logical_types(writer) != without_logical_types(schema_json("agent_event")), name
