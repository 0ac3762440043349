"""How a value says which schema it was written with: its first bytes.

    C3 01  8 bytes fingerprint, little-endian   body    Avro single-object encoding: written and read
    00     4 bytes id, big-endian               body    Confluent wire format: read

Nothing else is guessed at: a body without a frame could be read with any schema, and sometimes would be.
"""

from dataclasses import dataclass
from typing import Protocol

from tailrace.codec.schemas import RefusedSchema, WriterSchema

_SINGLE_OBJECT = b"\xc3\x01"
_CONFLUENT = b"\x00"
_FINGERPRINT_BYTES = 8
_ID_BYTES = 4

SINGLE_OBJECT_FRAME_BYTES = len(_SINGLE_OBJECT) + _FINGERPRINT_BYTES
CONFLUENT_FRAME_BYTES = len(_CONFLUENT) + _ID_BYTES


@dataclass(frozen=True, slots=True)
class SingleObject:
    """The schema by fingerprint, as its 8 bytes stand on the wire; the body begins at `body_start`."""

    fingerprint: bytes
    body_start: int


@dataclass(frozen=True, slots=True)
class Confluent:
    """The schema by a registry's id; the body begins at `body_start`."""

    schema_id: int
    body_start: int


@dataclass(frozen=True, slots=True)
class CutFrame:
    """The value begins like a frame and ends before the frame does."""


@dataclass(frozen=True, slots=True)
class Unframed:
    """The value begins with neither frame."""


Frame = SingleObject | Confluent | CutFrame | Unframed


def frame_of(value: bytes) -> bytes:
    """What the value begins with, by which its schema is known; a few bytes or none for a value without a frame."""
    return value[: _FRAME_BYTES.get(value[0], 0)] if value else b""


_FRAME_BYTES = {_CONFLUENT[0]: CONFLUENT_FRAME_BYTES, _SINGLE_OBJECT[0]: SINGLE_OBJECT_FRAME_BYTES}


class SchemaIds(Protocol):
    """Finds the schema behind a registry's id. Thread-safe."""

    def schema(self, schema_id: int) -> WriterSchema | RefusedSchema | None:
        """The schema; None when the registry does not know the id."""
        ...


class NoRegistry:
    """The registry of a worker that has none: every id is unknown."""

    def schema(self, schema_id: int) -> WriterSchema | RefusedSchema | None:  # noqa: ARG002 - the port's signature
        return None


def recognise(value: bytes) -> Frame:
    """Which frame `value` begins with. Pure; any thread; never raises."""
    if value.startswith(_SINGLE_OBJECT):
        start = SINGLE_OBJECT_FRAME_BYTES
        return SingleObject(value[len(_SINGLE_OBJECT) : start], start) if len(value) >= start else CutFrame()
    if value.startswith(_CONFLUENT):
        start = CONFLUENT_FRAME_BYTES
        return Confluent(int.from_bytes(value[1:start], "big"), start) if len(value) >= start else CutFrame()
    return CutFrame() if value == _SINGLE_OBJECT[:1] else Unframed()


def single_object_frame(schema: WriterSchema) -> bytes:
    """The 10 bytes that go before a body written with `schema`."""
    return _SINGLE_OBJECT + schema.fingerprint
