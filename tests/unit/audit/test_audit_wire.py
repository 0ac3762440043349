"""Framing, fingerprints and which schemas an audit is willing to read with."""

import json
from pathlib import Path
from typing import Any

import pytest
from fastavro.schema import fingerprint as avro_fingerprint
from fastavro.schema import to_parsing_canonical_form

from tailrace.audit import PlanInvalid
from tailrace.audit.wire import FRAME, Schemas, fingerprint, shipped_directory
from tests.unit.audit.stories import events_of

SHIPPED = sorted(shipped_directory().glob("*.avsc"))


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_fingerprint_is_the_little_endian_crc_of_the_canonical_form(file: Path) -> None:
    schema = json.loads(file.read_text())
    assert fingerprint(schema).hex() == avro_fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO")


def test_the_crc_of_a_null_schema_is_the_one_of_the_specification() -> None:
    """Computed with the algorithm printed in the Avro specification; written big-endian there."""
    assert fingerprint("null") == bytes.fromhex("63dd24e7cc258f8a")[::-1]


def _value() -> bytes:
    values = [message.value for message in events_of(3, 5, 1, 0.0).events[0]]
    assert values[0] is not None
    return values[0]


def test_a_value_decodes_to_its_last_byte() -> None:
    schemas = Schemas()
    assert schemas.decode(_value(), schemas.event) is not None


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        FRAME,
        _value()[:9],
        b"\x00" + _value()[1:],
        _value()[:2] + b"\xff" * 8 + _value()[10:],
        _value() + b"\x00",
        _value()[:-1],
    ],
    ids=["null", "empty", "frame only", "cut frame", "other frame", "unknown schema", "trailing byte", "cut body"],
)
def test_anything_else_decodes_to_nothing(value: bytes | None) -> None:
    schemas = Schemas()
    assert schemas.decode(value, schemas.event) is None


def test_times_beyond_the_calendar_stay_numbers() -> None:
    """The year 9999 ends at 253402300799999999; a decoder that makes datetimes refuses what comes after."""
    schemas = Schemas()
    event = schemas.decode(_value(), schemas.event)
    assert event is not None
    late = schemas.event.encode({**event, "timestamp": 300_000_000_000_000_000})
    decoded = schemas.event.decode(late)
    assert decoded is not None
    assert decoded["timestamp"] == 300_000_000_000_000_000


def _record(*fields: Any) -> str:
    named = [{"name": f"f{index}", "type": kind} for index, kind in enumerate(fields)]
    return json.dumps({"type": "record", "name": "AgentEvent", "namespace": "n", "fields": named})


@pytest.mark.parametrize(
    ("schema", "safe"),
    [
        (_record("string"), True),
        (_record({"type": "array", "items": "string"}), True),
        (_record({"type": "array", "items": "null"}), False),
        (_record({"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}), False),
        (_record({"type": "array", "items": {"type": "record", "name": "R", "fields": []}}), False),
        (_record(["null", "AgentEvent"]), False),
        (_record(["null", "n.AgentEvent"]), False),
        (_record({"type": "record", "name": "R", "fields": [{"name": "x", "type": ["null", "R"]}]}), False),
    ],
)
def test_schemas_whose_values_cost_more_than_their_bytes_are_not_read_with(
    tmp_path: Path, schema: str, *, safe: bool
) -> None:
    (tmp_path / "other.avsc").write_text(schema)
    schemas = Schemas([shipped_directory(), tmp_path])
    framed = schemas.take_apart(FRAME + fingerprint(json.loads(schema)) + b"\x00")
    assert framed is not None
    assert framed.schema is not None
    assert framed.schema.safe is safe


def test_a_directory_without_the_three_schemas_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanInvalid, match="agent_event"):
        Schemas([tmp_path])


def test_a_file_that_is_no_schema_is_refused(tmp_path: Path) -> None:
    (tmp_path / "agent_event.avsc").write_text("{")
    with pytest.raises(PlanInvalid, match=r"agent_event\.avsc"):
        Schemas([tmp_path])
