"""Any writer's value is read as the reader's schema has it, also where our own schemas do not use the rule yet."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.codec.reference_resolution import Mismatch, resolve
from tailrace.codec.reference_walker import Walk, WalkError
from tailrace.codec.schema_tree import parse_tree
from tests.unit.codec.written import read, values_of, write


def walked(writer: Any, reader: Any, body: bytes) -> bytes:
    """The value's canonical bytes under the reader's schema; every byte of `body` is consumed."""
    step = resolve(parse_tree(writer), parse_tree(reader))
    assert not isinstance(step, Mismatch), step
    walk = Walk(body, 0)
    result = step.read(walk)
    assert walk.position == len(body)
    return result


def array(items: Any) -> Any:
    return {"type": "array", "items": items}


def mapping(values: Any) -> Any:
    return {"type": "map", "values": values}


def record(**fields: Any) -> Any:
    return {"type": "record", "name": "R", "fields": [{"name": name, "type": type_} for name, type_ in fields.items()]}


FIXED = {"type": "fixed", "name": "F", "size": 5}

PAIRS: list[tuple[Any, Any]] = [
    *((one, one) for one in ("null", "boolean", "int", "long", "float", "double", "bytes", "string", FIXED)),
    *(("int", wider) for wider in ("long", "float", "double")),
    *(("long", wider) for wider in ("float", "double")),
    ("float", "double"),
    ("string", "bytes"),
    (mapping("int"), mapping("double")),
    (array(mapping(FIXED)), array(mapping(FIXED))),
    (array(record(x="int", y="string")), array(record(y="string", x="long"))),
    (["null", "int", "string"], ["string", "long", "null"]),
    (["int", "long"], "long"),
    (record(gone=mapping(array("bytes")), x="boolean"), record(x="boolean")),
]


@pytest.mark.parametrize(("writer", "reader"), PAIRS, ids=str)
def test_random_values_arrive_as_fastavro_resolves_them(writer: Any, reader: Any) -> None:
    @settings(max_examples=40, deadline=None)
    @given(values_of(writer))
    def check(value: Any) -> None:
        body = write(writer, value)
        assert walked(writer, reader, body) == write(reader, read(writer, body, reader))

    check()


@pytest.mark.parametrize(
    ("writer", "reader", "value", "expected"),
    [
        ("long", ["double", "long"], 7, b"\x02\x0e"),
        ("int", ["long", "int"], 7, b"\x02\x0e"),
        ("bytes", ["string", "bytes"], b"a", b"\x02\x02a"),
        ("int", ["string", "double", "long"], 1, b"\x02" + bytes(6) + b"\xf0\x3f"),
        ("long", ["null", "float"], 1, b"\x02\x00\x00\x80\x3f"),
    ],
)
def test_a_union_takes_the_same_type_before_a_promotion(writer: Any, reader: Any, value: Any, expected: bytes) -> None:
    """The first branch of the writer's own type, wherever it stands; else the first that it promotes to."""
    assert walked(writer, reader, write(writer, value)) == expected


@pytest.mark.parametrize(
    ("writer", "reader", "path", "rule"),
    [
        ("long", "int", "", "types_differ"),
        ("double", "float", "", "types_differ"),
        ("string", array("string"), "", "types_differ"),
        (array("string"), mapping("string"), "", "types_differ"),
        (array("string"), array("int"), "[]", "types_differ"),
        (mapping("string"), mapping("int"), "{}", "types_differ"),
        (FIXED, {**FIXED, "size": 6}, "", "sizes_differ"),
        (FIXED, {**FIXED, "name": "G"}, "", "names_differ"),
        (record(x="int"), record(x="int", y="int"), "y", "missing_without_default"),
        (record(x=record(x="int") | {"name": "I"}), record(x=record(x="null") | {"name": "I"}), "x.x", "types_differ"),
        (["int", "boolean"], ["string", "null"], "", "no_branch_resolves"),
        ("int", ["string", "null"], "", "no_branch_resolves"),
    ],
)
def test_what_never_resolves_is_named(writer: Any, reader: Any, path: str, rule: str) -> None:
    assert resolve(parse_tree(writer), parse_tree(reader)) == Mismatch(path, rule)


def test_a_default_that_does_not_fit_is_a_mismatch() -> None:
    reader = {"type": "record", "name": "R", "fields": [{"name": "x", "type": "int", "default": "one"}]}
    assert resolve(parse_tree(record()), parse_tree(reader)) == Mismatch("x", "default_does_not_fit")


DEFAULTS: list[tuple[Any, Any, Any]] = [
    ("null", None, None),
    ("boolean", True, True),
    ("long", -5, -5),
    ("double", 1, 1.0),
    ("float", 0.5, 0.5),
    ("string", "ü", "ü"),
    ("bytes", "\u00ff\u0000", b"\xff\x00"),
    (FIXED, "\u00ffabcd", b"\xffabcd"),
    (array("int"), [1, 2], [1, 2]),
    (mapping("int"), {"a": 1}, {"a": 1}),
    (["null", "int"], None, None),
    (["int", "null"], 3, 3),
    ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "B", "B"),
    ({"type": "record", "name": "I", "fields": [{"name": "y", "type": "int", "default": 4}]}, {}, {"y": 4}),
]


@pytest.mark.parametrize(("type_", "default", "value"), DEFAULTS, ids=str)
def test_a_missing_field_has_its_default(type_: Any, default: Any, value: Any) -> None:
    reader = {"type": "record", "name": "R", "fields": [{"name": "x", "type": type_, "default": default}]}
    assert read(reader, walked(record(), reader, b"")) == {"x": value}


def test_an_alias_does_not_take_a_field_that_another_has_by_name() -> None:
    fields = [{"name": "b", "type": "int", "aliases": ["a"], "default": 0}, {"name": "a", "type": "int"}]
    reader = {"type": "record", "name": "R", "fields": fields}
    assert read(reader, walked(record(a="int"), reader, write(record(a="int"), {"a": 9}))) == {"b": 0, "a": 9}


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PAIRS), st.binary(max_size=40))
def test_arbitrary_bytes_stop_the_walk_or_leave_canonical_ones(pair: tuple[Any, Any], body: bytes) -> None:
    """Walking what came out once more changes nothing."""
    writer, reader = pair
    step = resolve(parse_tree(writer), parse_tree(reader))
    assert not isinstance(step, Mismatch)
    try:
        result = step.read(Walk(body, 0))
    except WalkError:
        return
    assert walked(reader, reader, result) == result
