"""A writer schema whose values could cost more than their bytes is refused before anything is read with it."""

import json
from typing import Any

import pytest

from tailrace.codec.safety import MAX_NODES, MAX_SCHEMA_BYTES, Unsafe, UnsafeRule, find_unsafe
from tailrace.codec.schema_tree import MAX_DEPTH, parse_tree
from tailrace.codec.schemas import RefusedSchema, WriterSchema, admit


def record(name: str, **fields: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": key, "type": type_} for key, type_ in fields.items()]}


def array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


EMPTY = record("Empty")
NOTHING = {"type": "fixed", "name": "Nothing", "size": 0}

UNSAFE: list[tuple[Any, UnsafeRule, str]] = [
    (record("Node", next=["null", "Node"]), UnsafeRule.RECURSIVE, "next"),
    (record("Node", children=array("Node")), UnsafeRule.RECURSIVE, "children[]"),
    (record("Node", children={"type": "map", "values": "Node"}), UnsafeRule.RECURSIVE, "children{}"),
    (record("A", b=record("B", a=["null", "A"])), UnsafeRule.RECURSIVE, "b.a"),
    (array("null"), UnsafeRule.ZERO_WIDTH_ITEMS, "[]"),
    (array(EMPTY), UnsafeRule.ZERO_WIDTH_ITEMS, "[]"),
    (array(NOTHING), UnsafeRule.ZERO_WIDTH_ITEMS, "[]"),
    (record("R", x=array(record("Hollow", a="null", b=EMPTY, c=NOTHING))), UnsafeRule.ZERO_WIDTH_ITEMS, "x[]"),
    (record("R", x=["null", array("null")]), UnsafeRule.ZERO_WIDTH_ITEMS, "x[]"),
    (record("R", x={"type": "map", "values": array("null")}), UnsafeRule.ZERO_WIDTH_ITEMS, "x{}[]"),
    (array(array("null")), UnsafeRule.ZERO_WIDTH_ITEMS, "[][]"),
]

SAFE: list[Any] = [
    "null",
    {"type": "map", "values": "null"},  # every entry has a key, and a key has a length
    array(["null", "string"]),  # a union has an index
    array(record("Narrow", a="null", b="boolean")),
    array({"type": "enum", "name": "E", "symbols": ["ONLY"]}),
    record("Twice", a=record("Inner", x="int"), b="Inner"),
    record("R", a=EMPTY, b="null"),  # no bytes, but only once
]


@pytest.mark.parametrize(("schema", "rule", "path"), UNSAFE)
def test_unsafe_schemas_are_refused_with_rule_and_place(schema: Any, rule: UnsafeRule, path: str) -> None:
    assert find_unsafe(parse_tree(schema)) == Unsafe(rule, path)
    assert isinstance(admit(json.dumps(schema), "x"), RefusedSchema)


@pytest.mark.parametrize("schema", SAFE)
def test_what_only_looks_like_it_is_read(schema: Any) -> None:
    assert find_unsafe(parse_tree(schema)) is None
    assert isinstance(admit(json.dumps(schema), "x"), WriterSchema)


def nested(levels: int) -> Any:
    schema: Any = "int"
    for _ in range(levels):
        schema = array(schema)
    return schema


def test_depth_is_bounded() -> None:
    """As deep as allowed is fine; one more, and a depth that no JSON parser survives, are refused."""
    assert isinstance(admit(json.dumps(nested(MAX_DEPTH)), "x"), WriterSchema)
    for levels in (MAX_DEPTH + 1, 500):
        refused = admit(json.dumps(nested(levels)), "x")
        assert isinstance(refused, RefusedSchema)
        assert refused.unsafe.rule is UnsafeRule.TOO_DEEP
    text = '{"type":"array","items":' * 10_000 + '"int"' + "}" * 10_000
    refused = admit(text, "x")
    assert isinstance(refused, RefusedSchema)
    assert refused.unsafe.rule is UnsafeRule.TOO_DEEP


def test_the_number_of_types_is_bounded_after_names_are_replaced() -> None:
    """Thirty small records, each using the next one twice, are a billion types; they are counted, not walked."""
    fields: Any = "int"
    for level in range(30):
        fields = record(f"R{level}", a=fields, b="int" if level == 0 else f"R{level - 1}")
    refused = admit(json.dumps(fields), "x")
    assert isinstance(refused, RefusedSchema)
    assert refused.unsafe == Unsafe(UnsafeRule.TOO_LARGE, "")


def test_a_wide_schema_is_bounded_too() -> None:
    fields = {f"f{index}": "int" for index in range(MAX_NODES)}
    assert isinstance(admit(json.dumps(record("Wide", **dict(list(fields.items())[:5_000]))), "x"), WriterSchema)
    assert find_unsafe(parse_tree(record("Wide", **fields))) == Unsafe(UnsafeRule.TOO_LARGE, "")


def test_the_text_is_bounded_before_it_is_parsed() -> None:
    text = json.dumps({"type": "int", "doc": "x" * MAX_SCHEMA_BYTES})
    assert admit(text, "x") == RefusedSchema(b"", Unsafe(UnsafeRule.TOO_LARGE, ""), "x")
