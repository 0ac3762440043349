"""What was encoded is decoded to the same, whatever its type."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.codec.decoding import decode_value
from tailrace.codec.reference_walker import Walk
from tailrace.codec.schema_tree import parse_tree
from tailrace.domain.errors import SchemaInvalid
from tests.unit.codec.written import read, schema_json, values_of, without_logical_types, write

EVERY_TYPE: Any = {
    "type": "record",
    "name": "Every",
    "fields": [
        {"name": name, "type": name}
        for name in ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
    ]
    + [
        {"name": "symbol", "type": {"type": "enum", "name": "E", "symbols": ["unknown", "B"], "default": "unknown"}},
        {"name": "digest", "type": {"type": "fixed", "name": "F", "size": 4}},
        {"name": "list", "type": {"type": "array", "items": ["null", "string"]}},
        {"name": "lists", "type": {"type": "array", "items": {"type": "array", "items": "long"}}},
        {"name": "map", "type": {"type": "map", "values": {"type": "map", "values": "bytes"}}},
        {"name": "last", "type": ["null", "int"]},
    ],
}


@settings(max_examples=60, deadline=None)
@given(st.data())
@pytest.mark.parametrize("schema", [EVERY_TYPE, schema_json("telemetry_record"), schema_json("agent_event")])
def test_canonical_bytes_give_what_fastavro_makes_of_them(schema: Any, data: st.DataObject) -> None:
    """Every type, and the shipped schemas; the walk ends behind the value."""
    body = write(schema, data.draw(values_of(schema)))
    walk = Walk(b"before" + body + b"after", len(b"before"))
    assert decode_value(parse_tree(without_logical_types(schema)), walk) == read(schema, body)
    assert walk.data[walk.position :] == b"after"


def test_a_recursive_schema_is_refused() -> None:
    tree = parse_tree({"type": "record", "name": "R", "fields": [{"name": "r", "type": ["null", "R"]}]})
    with pytest.raises(SchemaInvalid):
        decode_value(tree, Walk(b"\x02\x00", 0))
