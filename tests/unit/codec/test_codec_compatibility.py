"""A change that some reader or some old record could not survive is named, and nothing else is."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tailrace.codec.compatibility import find_breaks, main
from tailrace.codec.schema_tree import parse_tree
from tailrace.codec.schemas import shipped_schema_directory
from tests.unit.codec.written import parsed, read, schema_json, values_of, write

Schema = dict[str, Any]


def record(*fields: Any, name: str = "R", **more: Any) -> Schema:
    return {"type": "record", "name": name, "fields": list(fields), **more}


def field(name: str, type_: Any, *default: Any, **more: Any) -> Schema:
    return {"name": name, "type": type_, **({"default": default[0]} if default else {}), **more}


def enum(*symbols: str, **more: Any) -> Schema:
    return {"type": "enum", "name": "E", "symbols": list(symbols), **more}


def micros(unit: str) -> Schema:
    return {"type": "long", "logicalType": f"timestamp-{unit}"}


X = field("x", "int")

# old, new, breaks of old data read as new, breaks of new data read as old: each as "path rule".
CHANGES: list[tuple[str, Any, Any, list[str], list[str]]] = [
    ("nothing", record(X), record(X), [], []),
    ("docs only", record(X), record({**X, "doc": "!"}, doc="?"), [], []),
    ("a field with default more", record(X), record(X, field("y", "int", 0)), [], []),
    ("a field without default more", record(X), record(X, field("y", "int")), ["y field_default"], []),
    ("a field with default less", record(X, field("y", "int", 0)), record(X), [], []),
    ("a field without default less", record(X, field("y", "int")), record(X), [], ["y field_default"]),
    ("reordered", record(X, field("y", "string")), record(field("y", "string"), X), [], []),
    ("renamed", record(field("a", "int", 0)), record(field("b", "int", 0)), [], []),
    (
        "renamed without defaults",
        record(field("a", "int")),
        record(field("b", "int")),
        ["b field_default"],
        ["a field_default"],
    ),
    (
        "renamed with alias",
        record(field("a", "int")),
        record(field("b", "int", aliases=["a"])),
        [],
        ["a field_default"],
    ),
    ("wider", record(field("x", "int")), record(field("x", "long")), [], ["x type"]),
    ("narrower", record(field("x", "double")), record(field("x", "float")), ["x type"], []),
    ("text to bytes", record(field("x", "string")), record(field("x", "bytes")), [], ["x type"]),
    ("another type", record(field("x", "string")), record(field("x", "long")), ["x type"], ["x type"]),
    ("made optional", record(field("x", "int")), record(field("x", ["null", "int"])), [], ["x type"]),
    ("made required", record(field("x", ["null", "int"])), record(field("x", "int")), ["x type"], []),
    (
        "a branch more",
        record(field("x", ["null", "int"])),
        record(field("x", ["null", "int", "string"])),
        [],
        ["x union_branch"],
    ),
    ("branches swapped", record(field("x", ["null", "int"])), record(field("x", ["int", "null"])), [], []),
    (
        "a symbol more, with default",
        enum("unknown", "A", default="unknown"),
        enum("unknown", "A", "B", default="unknown"),
        [],
        [],
    ),
    ("a symbol more, no default", enum("A"), enum("A", "B"), [], [" enum_symbol"]),
    (
        "a symbol less, with default",
        enum("unknown", "A", default="unknown"),
        enum("unknown", default="unknown"),
        [],
        [],
    ),
    ("a symbol less, no default", enum("A", "B"), enum("A"), [" enum_symbol"], []),
    ("default given up", enum("A", "B", default="A"), enum("A"), [" enum_symbol"], []),
    ("symbols reordered", enum("A", "B"), enum("B", "A"), [], []),
    ("another name", record(X), record(X, name="S"), [" name"], [" name"]),
    ("another name with alias", record(X), record(X, name="S", aliases=["R"]), [], [" name"]),
    ("another namespace", record(X), record(X, namespace="other"), [], []),
    ("record to map", record(X), {"type": "map", "values": "int"}, [" type"], [" type"]),
    (
        "fixed resized",
        {"type": "fixed", "name": "F", "size": 4},
        {"type": "fixed", "name": "F", "size": 8},
        [" fixed_size"],
        [" fixed_size"],
    ),
    (
        "unit of time",
        record(field("t", micros("millis"))),
        record(field("t", micros("micros"))),
        ["t logical_type"],
        ["t logical_type"],
    ),
    ("unit of time said", record(field("t", "long")), record(field("t", micros("micros"))), [], []),
    (
        "inside an optional record in a list",
        record(field("l", {"type": "array", "items": ["null", record(X, name="I")]})),
        record(field("l", {"type": "array", "items": ["null", record(X, field("y", "int"), name="I")]})),
        ["l[].y field_default"],
        [],
    ),
    (
        "inside a map",
        record(field("m", {"type": "map", "values": "long"})),
        record(field("m", {"type": "map", "values": "int"})),
        ["m{} type"],
        [],
    ),
    (
        "two breaks at once",
        record(field("a", "int"), field("b", enum("A"))),
        record(field("a", "string"), field("b", enum("B"))),
        ["a type", "b enum_symbol"],
        ["a type", "b enum_symbol"],
    ),
]


def breaks(writer: Any, reader: Any) -> list[str]:
    return [f"{found.path} {found.rule}" for found in find_breaks(parse_tree(writer), parse_tree(reader))]


@pytest.mark.parametrize(
    ("old", "new", "backward", "forward"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES]
)
def test_exactly_what_breaks_is_found(old: Any, new: Any, backward: list[str], forward: list[str]) -> None:
    assert breaks(old, new) == backward, "old data read with the new schema"
    assert breaks(new, old) == forward, "new data read with the old schema"


@pytest.mark.parametrize(
    ("old", "new", "backward", "forward"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES]
)
def test_fastavro_agrees(old: Any, new: Any, backward: list[str], forward: list[str]) -> None:
    """Without a break every random value is read; with one, some value is not, units of time left aside."""
    assert_readable(old, new, expected=not [one for one in backward if "logical_type" not in one])
    assert_readable(new, old, expected=not [one for one in forward if "logical_type" not in one])


def assert_readable(writer: Any, reader: Any, *, expected: bool) -> None:
    failed = 0

    @settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(values_of(writer))
    def check(value: Any) -> None:
        nonlocal failed
        body = write(writer, value)
        try:
            read(writer, body, reader)
        except Exception:
            failed += 1
            assert not expected

    parsed(writer)
    check()
    assert expected or failed


# ------------------------------------------------------------------------------------------------- the command


def run(directory: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main([str(directory)])
    return code, capsys.readouterr().out


@pytest.fixture
def schemas(tmp_path: Path) -> Path:
    """A copy of what is shipped, free to be broken."""
    return Path(shutil.copytree(shipped_schema_directory(), tmp_path / "schemas"))


def change(directory: Path, name: str, edit: Callable[[Schema], Any]) -> None:
    schema = schema_json(name)
    edit(schema)
    (directory / f"{name}.avsc").write_text(json.dumps(schema), encoding="utf-8")


def test_what_is_shipped_is_compatible(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(shipped_schema_directory(), capsys) == (0, "schemas: FULL_TRANSITIVE compatible\n")


def test_a_break_is_told_with_schema_path_rule_and_version(schemas: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(schemas, "agent_event", lambda schema: schema["fields"].append(field("due", "long")))
    code, out = run(schemas, capsys)
    assert code == 1
    told = "agent_event.avsc: due: [field_default] has no default for when it is not written, so agent_event.v1.avsc "
    assert out == told + "data cannot be read any more\nschemas: 1 problem(s)\n"


def test_the_other_direction_is_told_too(schemas: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(schemas, "health_record", lambda schema: schema["fields"].pop(1))
    code, out = run(schemas, capsys)
    assert code == 1
    assert "record_id: [field_default]" in out
    assert "so readers with health_record.v1.avsc cannot read new data" in out


def test_every_released_version_counts(schemas: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Transitive: compatible with the newest is not enough."""
    oldest = schema_json("agent_event")
    oldest["fields"].append(field("shape", "string"))
    (schemas / "baseline" / "agent_event.v0.avsc").write_text(json.dumps(oldest), encoding="utf-8")
    code, out = run(schemas, capsys)
    assert code == 1
    assert "shape: [field_default]" in out
    assert "agent_event.v0.avsc" in out


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda schema: schema["fields"].append(field("e", enum("A", "B"), "A")), "e: [enum_unknown] tailrace.v1.E"),
        (lambda schema: schema["fields"][0].update(default="one"), "schema_version: [default] the default is no int"),
        (
            lambda schema: schema["fields"].append(field("n", {"type": "array", "items": "null"}, [])),
            "[zero_width_items] unsafe to read with, at n[]",
        ),
        (lambda schema: schema["fields"][0].update(type="nonsense"), "undefined_name at schema_version"),
    ],
)
def test_faults_of_a_schema_itself_are_told(
    edit: Callable[[Schema], Any], told: str, schemas: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(schemas, "agent_event", edit)
    code, out = run(schemas, capsys)
    assert code == 1
    assert "agent_event.avsc" in out
    assert told in out


def test_a_schema_without_baseline_is_not_waved_through(schemas: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for released in (schemas / "baseline").glob("telemetry_record.*.avsc"):
        released.unlink()
    code, out = run(schemas, capsys)
    assert code == 1
    assert "telemetry_record.avsc: there is no baseline" in out


def test_an_empty_directory_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, capsys)[0] == 1


def test_without_a_directory_it_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main([])
    assert raised.value.code == 2
