"""`tailrace schemas explain` prints the function for a schema, or says what stands in the way."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tailrace.cli import app
from tests.unit.codec.written import schema_json


def explain(tmp_path: Path, schema: Any) -> Result:
    file = tmp_path / "writer.avsc"
    file.write_text(schema if isinstance(schema, str) else json.dumps(schema), encoding="utf-8")
    return CliRunner().invoke(app, ["schemas", "explain", str(file)])


def test_the_function_names_every_field_of_the_writer(tmp_path: Path) -> None:
    """In the writer's order, one comment each, and it is Python."""
    schema = schema_json("agent_event")
    result = explain(tmp_path, schema)

    assert result.exit_code == 0
    commented = [line.split()[1].rstrip(":") for line in result.output.splitlines() if line.startswith("    # ")]
    assert [name for name in commented if "." not in name] == [field["name"] for field in schema["fields"]]
    assert "subject_ref.kind" in commented
    compile(result.output, "explained", "exec")


def test_what_differs_from_our_schema_is_said(tmp_path: Path) -> None:
    schema = schema_json("agent_event")
    schema["fields"] = [one for one in schema["fields"] if one["name"] != "tool_name"]
    schema["fields"].insert(0, {"name": "novelty", "type": "string"})
    result = explain(tmp_path, schema)

    assert "# novelty: text; in no record" in result.output
    assert "# tool_name: not written, so its default" in result.output


def test_a_schema_that_is_no_event_names_the_rule(tmp_path: Path) -> None:
    result = explain(tmp_path, schema_json("telemetry_record"))

    assert result.exit_code == 1
    assert result.output == "events written with it cannot be read: names_differ at its root.\n"


def test_a_field_that_does_not_fit_is_named(tmp_path: Path) -> None:
    schema = schema_json("agent_event")
    next(one for one in schema["fields"] if one["name"] == "run_id")["type"] = "double"
    result = explain(tmp_path, schema)

    assert result.exit_code == 1
    assert "types_differ at run_id" in result.output


def test_an_unsafe_schema_is_never_read_with(tmp_path: Path) -> None:
    schema = schema_json("agent_event")
    schema["fields"].append({"name": "again", "type": ["null", "AgentEvent"]})
    result = explain(tmp_path, schema)

    assert result.exit_code == 1
    assert "never read with: recursive at again" in result.output


def test_one_too_large_to_compile_is_read_all_the_same(tmp_path: Path) -> None:
    schema = schema_json("agent_event")
    for number in range(1_900):
        schema["fields"].append({"name": f"f{number}", "type": "int"})
    result = explain(tmp_path, schema)

    assert result.exit_code == 0
    assert "read by the reference projector, which is slower" in result.output


@pytest.mark.parametrize("text", ["", "{", '"nobody"', '{"type": "record"}', "[]"])
def test_a_file_that_is_no_schema_is_a_wrong_argument(tmp_path: Path, text: str) -> None:
    result = explain(tmp_path, text)

    assert result.exit_code == 2
    assert "Give one Avro schema in JSON" in result.stderr


def test_a_file_of_bytes_is_a_wrong_argument(tmp_path: Path) -> None:
    file = tmp_path / "value"
    file.write_bytes(b"\xc3\x01\xff")
    result = CliRunner().invoke(app, ["schemas", "explain", str(file)])

    assert result.exit_code == 2
    assert "Give the schema itself" in result.stderr


def test_a_missing_file_is_a_wrong_argument(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["schemas", "explain", str(tmp_path / "none.avsc")])

    assert result.exit_code == 2
    assert "does not exist" in result.stderr
