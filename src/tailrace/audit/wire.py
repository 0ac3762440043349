"""Framed Avro as an audit reads it: few lines of its own, so that a defect of the codec cannot hide in both.

C3 01  8 bytes CRC-64-AVRO of the writer schema, little-endian  body      (Avro single-object encoding)
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
from fastavro.schema import to_parsing_canonical_form

from tailrace.audit.errors import PlanInvalid

FRAME = b"\xc3\x01"
FRAME_BYTES = 10

_EMPTY = 0xC15D213AA4D7A795  # CRC-64-AVRO of nothing (Avro specification, Schema Fingerprints)


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        remainder = byte
        for _ in range(8):
            remainder = (remainder >> 1) ^ (_EMPTY if remainder & 1 else 0)
        table.append(remainder)
    return tuple(table)


_TABLE = _crc_table()


def fingerprint(schema: Any) -> bytes:
    """The 8 bytes that name a schema on the wire."""
    crc = _EMPTY
    for byte in to_parsing_canonical_form(schema).encode():
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc.to_bytes(8, "little")


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema as fastavro takes it, without logical types: times stay microseconds, also after the year 9999."""

    name: str
    fingerprint: bytes
    parsed: Any
    safe: bool

    def decode(self, body: bytes, reader: "Schema | None" = None) -> dict[str, Any] | None:
        """The value whose bytes are exactly `body`, resolved to `reader`; None when it is not one."""
        stream = BytesIO(body)
        try:
            value = fastavro.schemaless_reader(stream, self.parsed, None if reader is None else reader.parsed)
        except Exception:  # noqa: BLE001 - fastavro raises whatever comes: EOFError, IndexError, UnicodeDecodeError, …
            return None
        return value if isinstance(value, dict) and stream.tell() == len(body) else None

    def encode(self, value: Mapping[str, Any]) -> bytes:
        """Canonical bytes: fastavro writes shortest varints and one block per array."""
        stream = BytesIO()
        fastavro.schemaless_writer(stream, self.parsed, dict(value))
        return stream.getvalue()


@dataclass(frozen=True, slots=True)
class Framed:
    """A value taken apart; `schema` is None when nobody here knows its fingerprint."""

    schema: Schema | None
    body: bytes


class Schemas:
    """The schemas an audit can read with. Raises PlanInvalid for a directory without tailrace's three."""

    def __init__(self, directories: Iterable[Path] = ()) -> None:
        places = tuple(directories) or (shipped_directory(), shipped_directory() / "baseline")
        self._known: dict[bytes, Schema] = {}
        by_file: dict[str, Schema] = {}
        for file in (file for place in places for file in sorted(place.glob("*.avsc"))):
            schema = _load(file)
            self._known.setdefault(schema.fingerprint, schema)
            by_file.setdefault(file.stem, schema)
        try:
            self.event = by_file["agent_event"]
            self.record = by_file["telemetry_record"]
            self.health = by_file["health_record"]
        except KeyError as missing:
            raise PlanInvalid("schema_directories", f"no directory holds {missing.args[0]}.avsc") from None

    def take_apart(self, value: bytes) -> Framed | None:
        """Schema and body of a framed value; None when the value has no whole frame."""
        if len(value) < FRAME_BYTES or not value.startswith(FRAME):
            return None
        return Framed(self._known.get(value[len(FRAME) : FRAME_BYTES]), value[FRAME_BYTES:])

    def decode(self, value: bytes | None, reader: Schema) -> dict[str, Any] | None:
        """A framed value as `reader` has it; None when it cannot be read to the last byte."""
        framed = None if value is None else self.take_apart(value)
        if framed is None or framed.schema is None:
            return None
        return framed.schema.decode(framed.body, None if framed.schema is reader else reader)


def shipped_directory() -> Path:
    """Where tailrace's schemas are: inside an installed wheel, or at the root of a source checkout."""
    package = Path(__file__).resolve().parent.parent
    for candidate in (package / "schemas", package.parent.parent / "schemas"):
        if (candidate / "agent_event.avsc").is_file():
            return candidate
    raise PlanInvalid("schema_directories", "tailrace's own schemas are not installed; name a directory")


def _load(file: Path) -> Schema:
    try:
        return _schema(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, KeyError, fastavro.schema.SchemaParseException) as error:
        raise PlanInvalid("schema_directories", f"{file} is no Avro record schema ({type(error).__name__})") from None


@cache
def _schema(text: str) -> Schema:
    """The schema of a text; kept, because a process that audits often would spend its time on parsing the same six."""
    written = json.loads(text)
    parsed = fastavro.parse_schema(_plain(written))
    return Schema(str(written["name"]), fingerprint(written), parsed, safe=_is_safe(written))


def _plain(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _plain(part) for key, part in schema.items() if key != "logicalType"}
    return [_plain(part) for part in schema] if isinstance(schema, list) else schema


def _is_safe(schema: Any) -> bool:
    """Whether values cost no more than their bytes: no recursion, no array of items without bytes."""
    return all(_step_is_safe(part, open_names) for part, open_names in _parts(schema, frozenset()))


def _parts(schema: Any, open_names: frozenset[str]) -> Iterator[tuple[Any, frozenset[str]]]:
    yield schema, open_names
    if isinstance(schema, list):
        for branch in schema:
            yield from _parts(branch, open_names)
    elif isinstance(schema, dict):
        inside = open_names | {schema["name"]} if schema.get("type") == "record" else open_names
        for field in schema.get("fields", ()):
            yield from _parts(field["type"], inside)
        for key in ("items", "values"):
            if key in schema:
                yield from _parts(schema[key], open_names)
        if isinstance(schema.get("type"), (dict, list)):
            yield from _parts(schema["type"], open_names)


def _step_is_safe(schema: Any, open_names: frozenset[str]) -> bool:
    if isinstance(schema, str):
        return schema.rpartition(".")[2] not in open_names
    return not (isinstance(schema, dict) and schema.get("type") == "array" and _has_no_bytes(schema["items"]))


def _has_no_bytes(schema: Any) -> bool:
    if isinstance(schema, dict):
        if schema.get("type") == "record":
            return all(_has_no_bytes(field["type"]) for field in schema.get("fields", ()))
        return schema.get("type") == "null" or (schema.get("type") == "fixed" and schema.get("size") == 0)
    return bool(schema == "null")
