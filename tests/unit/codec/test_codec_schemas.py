"""The shipped schemas keep the promises that readers, the projector and the next version rely on."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastavro.schema import to_parsing_canonical_form
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.codec.encoding import encode_value
from tailrace.codec.schema_tree import Record, canonical_form, parse_tree
from tailrace.codec.schemas import RefusedSchema, SchemaStore, WriterSchema, admit, fingerprint_of
from tailrace.domain.errors import InvalidField, SchemaInvalid
from tailrace.domain.kinds import (
    CostStatus,
    EventFamily,
    FailureKind,
    ProjectionKind,
    SinkKind,
    TerminalStatus,
    UsageScope,
)
from tailrace.domain.ledger import CursorOrigin
from tests.unit.codec.written import crc_64_avro, schema_json, store, store_with, values_of, write

NAMES = ("agent_event", "telemetry_record", "health_record")


def parts(schema: Any) -> Iterator[Any]:
    """Every dictionary in a schema: types and fields."""
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from parts(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from parts(value)


@pytest.mark.parametrize("name", NAMES)
def test_every_type_and_field_is_documented(name: str) -> None:
    for part in parts(schema_json(name)):
        if "name" in part:
            assert part.get("doc", "").endswith("."), part["name"]


@pytest.mark.parametrize("name", NAMES)
def test_every_enum_reads_what_it_does_not_know_as_unknown(name: str) -> None:
    enums = [part for part in parts(schema_json(name)) if part.get("type") == "enum"]
    assert enums
    for enum in enums:
        assert enum["default"] == "unknown"
        assert enum["symbols"][0] == "unknown"


@pytest.mark.parametrize("name", NAMES)
def test_optional_fields_and_lists_have_their_empty_default(name: str) -> None:
    """So that they can be left out, and one day dropped."""
    for part in parts(schema_json(name)):
        if isinstance(part.get("type"), list):
            assert part["type"][0] == "null"
            assert part["default"] is None
        if isinstance(part.get("type"), dict) and part["type"].get("type") == "array":
            assert part["default"] == []


@pytest.mark.parametrize(
    ("schema", "enum", "vocabulary"),
    [
        ("agent_event", "EventFamily", EventFamily),
        ("agent_event", "CostStatus", CostStatus),
        ("telemetry_record", "ProjectionKind", ProjectionKind),
        ("telemetry_record", "TerminalStatus", TerminalStatus),
        ("telemetry_record", "UsageScope", UsageScope),
        ("health_record", "SinkKind", SinkKind),
        ("health_record", "FailureKind", FailureKind),
        ("health_record", "CursorOrigin", CursorOrigin),
        ("health_record", "ProjectionKind", ProjectionKind),
    ],
)
def test_the_symbols_are_the_words_of_the_code(schema: str, enum: str, vocabulary: Any) -> None:
    """A word added in one place only would be lost on the wire, or fail on its way out."""
    found = next(part for part in parts(schema_json(schema)) if part.get("name") == enum and part["type"] == "enum")
    assert {*found["symbols"]} == {"unknown", *(member.value for member in vocabulary)}


def test_types_that_occur_in_several_schemas_are_one_type() -> None:
    """A name means the same everywhere, symbol order included, so that bytes carry over."""
    forms: dict[str, set[str]] = {}
    for name in NAMES:
        for part in parts(schema_json(name)):
            if part.get("type") in ("enum", "record"):
                inside = part.get("symbols") or [field["name"] for field in part["fields"]]
                forms.setdefault(part["name"], set()).add(" ".join(inside))
    assert [name for name, different in forms.items() if len(different) > 1] == []


def test_fingerprints_are_those_of_the_specification() -> None:
    """Against the specification's own algorithm, and its published value for the schema `"int"`."""
    assert fingerprint_of(parse_tree("int"))[::-1].hex() == "7275d51a3f395c8f"
    for name in NAMES:
        schema = schema_json(name)
        assert fingerprint_of(parse_tree(schema)) == crc_64_avro(schema).to_bytes(8, "little")


@pytest.mark.parametrize(
    "schema",
    [
        "string",
        ["null", "long"],
        {"type": "map", "values": {"type": "array", "items": "bytes"}},
        {"type": "fixed", "name": "F", "namespace": "a.b", "size": 4, "logicalType": "decimal"},
        {
            "type": "record",
            "name": "a.b.R",
            "aliases": ["Old"],
            "doc": "gone",
            "fields": [
                {"name": "x", "type": {"type": "enum", "name": "E", "symbols": ["A", "B"], "default": "A"}},
                {"name": "y", "type": ["null", "E"], "default": None, "order": "ignore"},
                {"name": "z", "type": {"type": "record", "name": "c.I", "fields": [{"name": "e", "type": "a.b.E"}]}},
                {"name": "s", "type": {"type": "long", "logicalType": "timestamp-micros"}},
                {"name": "again", "type": ["null", "R"]},
            ],
        },
        *(schema_json(name) for name in NAMES),
    ],
)
def test_the_canonical_form_is_fastavros(schema: Any) -> None:
    ours, theirs = json.loads(canonical_form(parse_tree(schema))), json.loads(to_parsing_canonical_form(schema))
    assert ours == theirs
    assert crc_64_avro(schema).to_bytes(8, "little") == fingerprint_of(parse_tree(schema)), "also the order of keys"


def test_a_default_that_does_not_fit_is_no_reason_to_refuse_a_writer() -> None:
    """Defaults are the reader's business; other producers' schemas come as they are."""
    schema = schema_json("agent_event")
    schema["fields"][0]["default"] = "not a number"
    assert isinstance(admit(json.dumps(schema), "somebody"), WriterSchema)


INVALID: list[tuple[Any, str, str]] = [
    ("nonsense", "", "undefined_name"),
    (17, "", "not_a_schema"),
    ({"type": "record", "name": "R"}, "", "record_without_fields"),
    ({"type": "record", "name": "R", "fields": [{"type": "int"}]}, "", "field_without_name"),
    ({"type": "record", "name": "1R", "fields": []}, "", "bad_name"),
    ({"type": "record", "name": "R", "fields": [{"name": "a b", "type": "int"}]}, "", "bad_name"),
    ({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}] * 2}, "", "duplicate_field"),
    ({"type": "record", "name": "R", "fields": [{"name": "a", "type": "Missing"}]}, "a", "undefined_name"),
    ({"type": "record", "name": "R", "fields": [], "aliases": "x"}, "", "bad_aliases"),
    ({"type": "enum", "name": "E", "symbols": []}, "", "bad_symbols"),
    ({"type": "enum", "name": "E", "symbols": ["A", "A"]}, "", "bad_symbols"),
    ({"type": "enum", "name": "E", "symbols": ["A"], "default": "B"}, "", "bad_symbols"),
    ({"type": "enum", "name": "E", "symbols": ["a-b"]}, "", "bad_symbols"),
    ({"type": "fixed", "name": "F", "size": -1}, "", "bad_size"),
    ({"type": "fixed", "name": "F"}, "", "bad_size"),
    (["null", "null"], "", "ambiguous_union"),
    ([], "", "ambiguous_union"),
    ([{"type": "array", "items": "int"}, {"type": "array", "items": "long"}], "", "ambiguous_union"),
    ({"type": "array"}, "[]", "not_a_schema"),
    (
        {
            "type": "record",
            "name": "R",
            "fields": [
                {"name": "a", "type": {"type": "fixed", "name": "F", "size": 1}},
                {"name": "b", "type": {"type": "fixed", "name": "F", "size": 2}},
            ],
        },
        "b",
        "name_defined_twice",
    ),
]


@pytest.mark.parametrize(("schema", "path", "rule"), INVALID)
def test_what_is_no_schema_is_named(schema: Any, path: str, rule: str) -> None:
    with pytest.raises(SchemaInvalid) as raised:
        admit(json.dumps(schema), "registry id 7")
    assert (raised.value.schema, raised.value.path, raised.value.rule) == ("registry id 7", path, rule)


def test_text_that_is_no_json_is_named() -> None:
    with pytest.raises(SchemaInvalid) as raised:
        admit("{", "broken.avsc")
    assert (raised.value.schema, raised.value.rule) == ("broken.avsc", "not_json")


# ------------------------------------------------------------------------------------------------------ the store


def test_the_store_knows_current_and_released_versions() -> None:
    schemas = store()
    for schema in (schemas.agent_event, schemas.telemetry_record, schemas.health_record):
        assert schemas.writer(schema.fingerprint) is not None
    assert schemas.writer(bytes(8)) is None
    assert schemas.refused == ()


def test_an_extra_directory_adds_versions(tmp_path: Path) -> None:
    other = schema_json("agent_event")
    other["fields"].pop()
    schemas = store_with(tmp_path, other=other)
    found = schemas.writer(crc_64_avro(other).to_bytes(8, "little"))
    assert isinstance(found, WriterSchema)
    assert found.json == other


def test_a_broken_file_stops_the_start_and_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.avsc"
    broken.write_text('{"type": "record"}', encoding="utf-8")
    with pytest.raises(SchemaInvalid, match=r"broken\.avsc"):
        SchemaStore(extra_directories=[tmp_path])


def test_a_missing_schema_of_ours_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SchemaInvalid, match=r"agent_event\.avsc"):
        SchemaStore(tmp_path)


def test_a_schema_nobody_should_read_with_is_kept_as_refused(tmp_path: Path) -> None:
    """So that its events are told apart from those of a schema nobody has seen."""
    hollow = {"type": "array", "items": "null"}
    schemas = store_with(tmp_path, hollow=hollow)
    found = schemas.writer(crc_64_avro(hollow).to_bytes(8, "little"))
    assert isinstance(found, RefusedSchema)
    assert schemas.refused == (found,)
    assert found.source.endswith("hollow.avsc")


# --------------------------------------------------------------------------------------------------- encoding


@pytest.mark.parametrize("name", NAMES)
def test_values_are_encoded_as_fastavro_does(name: str) -> None:
    """Any value of our three schemas, byte for byte."""
    schema = schema_json(name)
    tree = parse_tree(schema)

    @settings(max_examples=60, deadline=None)
    @given(values_of(schema))
    def check(value: Any) -> None:
        assert encode_value(tree, value) == write(schema, value)

    check()


@given(st.integers(-(2**63), 2**63 - 1))
def test_longs_are_encoded_as_fastavro_does(value: int) -> None:
    assert encode_value(parse_tree("long"), value) == write("long", value)


WRONG: list[tuple[Any, Any]] = [
    ("int", 2**31),
    ("long", 2**63),
    ("long", True),
    ("long", 1.5),
    ("boolean", 1),
    ("string", b"x"),
    ("string", "\ud800"),
    ("bytes", "\u0100"),
    ("null", 0),
    (["null", "long"], "x"),
    ({"type": "enum", "name": "E", "symbols": ["A"]}, "B"),
    ({"type": "array", "items": "long"}, 1),
    ({"type": "fixed", "name": "F", "size": 2}, b"x"),
    ({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}, {}),
    ({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}, {"a": 1, "b": 2}),
]


@pytest.mark.parametrize(("schema", "value"), WRONG)
def test_a_value_that_does_not_fit_is_refused(schema: Any, value: Any) -> None:
    """Nothing is rounded, cut or dropped in silence."""
    with pytest.raises(InvalidField):
        encode_value(parse_tree(schema), value)


def test_the_tree_of_our_own_schemas_is_a_record() -> None:
    for name in NAMES:
        assert isinstance(parse_tree(schema_json(name)), Record)
