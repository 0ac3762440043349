"""Events as tests write them: dictionaries to bytes by fastavro, with every freedom a hostile writer has."""

import json
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.schema import to_parsing_canonical_form
from hypothesis import strategies as st

from tailrace.codec.encoding import encode_value
from tailrace.codec.schema_tree import Record
from tailrace.codec.schemas import SchemaStore, shipped_schema_directory

Event = dict[str, Any]

MINIMAL: Event = {
    "event_id": "event-1",
    "event_seq": 1,
    "event_family": "turn",
    "event_kind": "turn_started",
    "timestamp": 1_700_000_000_000_000,
    "recorded_at": 1_700_000_000_000_500,
    "run_id": "run-1",
    "agent_id": "agent-1",
    "trace_id": "0123456789abcdef0123456789abcdef",
    "span_id": "0123456789abcdef",
    "subject_ref": {"kind": "run", "id": "run-1"},
    "source": {"kind": "host", "id": "host-1"},
}
USAGE = {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120}
COST = {"amount_micros": 1_500, "currency": "EUR", "rate_table_version": "2026-03", "status": "estimated"}


@cache
def store() -> SchemaStore:
    return SchemaStore()


def schema_json(name: str) -> Any:
    """A fresh copy of a shipped schema, free to be changed."""
    return json.loads(_schema_text(name))


@cache
def _schema_text(name: str) -> str:
    return (shipped_schema_directory() / f"{name}.avsc").read_text(encoding="utf-8")


def without_logical_types(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: without_logical_types(value) for key, value in schema.items() if key != "logicalType"}
    return [without_logical_types(one) for one in schema] if isinstance(schema, list) else schema


def parsed(schema: Any) -> Any:
    return _parsed(json.dumps(schema))


@cache
def _parsed(text: str) -> Any:
    return parse_schema(without_logical_types(json.loads(text)))


def frame(schema: Any) -> bytes:
    """Written out here once more, so that a wrong frame in the code is not also expected by its tests."""
    return b"\xc3\x01" + _fingerprint(json.dumps(schema)).to_bytes(8, "little")


@cache
def _fingerprint(text: str) -> int:
    return crc_64_avro(json.loads(text))


def crc_64_avro(schema: Any) -> int:
    """The fingerprint as the specification's appendix computes it, over fastavro's canonical form."""
    empty = 0xC15D213AA4D7A795
    table = []
    for byte in range(256):
        entry = byte
        for _ in range(8):
            entry = (entry >> 1) ^ (empty & -(entry & 1))
        table.append(entry)
    fingerprint = empty
    for byte in to_parsing_canonical_form(schema).encode():
        fingerprint = (fingerprint >> 8) ^ table[(fingerprint ^ byte) & 0xFF]
    return fingerprint


def write(schema: Any, value: Any) -> bytes:
    out = BytesIO()
    schemaless_writer(out, parsed(schema), value, strict_allow_default=True)
    return out.getvalue()


def read(writer: Any, body: bytes, reader: Any | None = None) -> Any:
    """The whole of `body`; fails when bytes are left over."""
    source = BytesIO(body)
    value = schemaless_reader(source, parsed(writer), None if reader is None else parsed(reader))
    assert not source.read(), "bytes are left over"
    return value


def framed(event: Mapping[str, Any], schema: Any | None = None) -> bytes:
    """A whole value, written with `schema` or the shipped event schema."""
    schema = schema or schema_json("agent_event")
    return frame(schema) + write(schema, event)


def spliced(event: Mapping[str, Any], **raw: bytes) -> bytes:
    """A value of the shipped event schema whose named fields are these bytes, whatever they are."""
    tree = store().agent_event.tree
    assert isinstance(tree, Record)
    pieces = [
        raw[field.name] if field.name in raw else encode_value(field.type, event.get(field.name, field.default))
        for field in tree.fields
    ]
    return frame(schema_json("agent_event")) + b"".join(pieces)


def store_with(directory: Path, **schemas: Any) -> SchemaStore:
    """The shipped store with more writer schemas in an extra directory."""
    for name, schema in schemas.items():
        (directory / f"{name}.avsc").write_text(json.dumps(schema), encoding="utf-8")
    return SchemaStore(extra_directories=[directory])


# ------------------------------------------------------------------------------------------------- random values

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1) | st.integers(0, 300),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "bytes": st.binary(max_size=12),
    "string": _TEXT,
}


def values_of(schema: Any, named: dict[str, st.SearchStrategy[Any]] | None = None) -> st.SearchStrategy[Any]:
    """Any value that `schema`, in the plain style of the shipped ones, can hold."""
    named = {} if named is None else named
    match schema:
        case str() if schema in _PRIMITIVES:
            return _PRIMITIVES[schema]
        case str():
            return named[schema.rpartition(".")[2]]
        case list():
            return st.one_of([values_of(branch, named) for branch in schema])
        case {"type": "array", "items": items}:
            return st.lists(values_of(items, named), max_size=3)
        case {"type": "map", "values": values}:
            return st.dictionaries(_TEXT, values_of(values, named), max_size=3)
        case {"type": "enum", "name": name, "symbols": symbols}:
            named[name] = st.sampled_from(symbols)
            return named[name]
        case {"type": "fixed", "name": name, "size": size}:
            named[name] = st.binary(min_size=size, max_size=size)
            return named[name]
        case {"type": "record", "name": name, "fields": fields}:
            named[name] = st.fixed_dictionaries({one["name"]: values_of(one["type"], named) for one in fields})
            return named[name]
        case {"type": inner}:
            return values_of(inner, named)
    raise AssertionError(schema)


def events() -> st.SearchStrategy[Event]:
    """Any event at all, with the kinds and families that the rules tell apart more often than chance would have it."""
    kinds = st.sampled_from(["run_completed", "run_failed", "run_cancelled", "run_timed_out", "turn_started"]) | _TEXT
    families = st.sampled_from(["model", "run", "subagent", "unknown"])
    chosen = st.fixed_dictionaries({}, optional={"event_kind": kinds, "event_family": families, "usage": st.none()})
    return st.builds(lambda event, more: {**event, **more}, values_of(schema_json("agent_event")), chosen)
