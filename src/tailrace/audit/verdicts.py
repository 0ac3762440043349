"""Whether an event can be read at all, and how sure an audit may be of that."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tailrace.audit.identifiers import Identifiers
from tailrace.audit.rules import Expected, Position, expected_records
from tailrace.audit.wire import Schemas

_INT_LIMIT = 1 << 31


@dataclass(frozen=True, slots=True)
class Readable:
    """An event and the records it has to yield."""

    family: str
    agent: str
    expected: list[Expected]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An event that no sink can get; every lane has to account for it.

    `oversize`: it is over the limit of the present configuration, and nobody has looked further.
    """

    oversize: bool = False


class Judge:
    """Says of each event what it is. Pure but for the schemas it was given.

    fastavro is laxer than a projector has to be: it takes a boolean 2, enum index -1, varints of 11 bytes and ints
    beyond 32 bits. So "readable" here is a claim that `is_doubtful` can take back, while "unreadable" is final.
    """

    def __init__(
        self, schemas: Schemas, topic: str, max_event_bytes: int, identifiers: Identifiers | None = None
    ) -> None:
        self._identifiers = identifiers or Identifiers()
        self._schemas = schemas
        self._topic = topic
        self._max_event_bytes = max_event_bytes

    def judge(self, partition: int, offset: int, value: bytes | None) -> Readable | Unreadable:
        """What the event at this place is."""
        if value is None or len(value) > self._max_event_bytes:
            return Unreadable(oversize=value is not None)
        framed = self._schemas.take_apart(value)
        reader = self._schemas.event
        if framed is None or framed.schema is None or not framed.schema.safe:
            return Unreadable()
        if framed.schema.name.rpartition(".")[2] != reader.name.rpartition(".")[2]:
            return Unreadable()
        event = framed.schema.decode(framed.body, None if framed.schema is reader else reader)
        if event is None:
            return Unreadable()
        expected = expected_records(self._identifiers.shown(event), Position(self._topic, partition, offset))
        if expected is None:
            return Unreadable()
        return Readable(event["event_family"], event["agent_id"], expected)

    def is_doubtful(self, value: bytes) -> bool:
        """Whether a strict reader may refuse an event that `judge` found readable.

        Written again, a canonical value gives the same bytes; other bytes were either spelled unusually, which is
        legal, or mean nothing, which fastavro overlooked. Both verdicts then stand.
        """
        framed = self._schemas.take_apart(value)
        if framed is None or framed.schema is None:
            return True
        written = framed.schema.decode(framed.body)
        if written is None:
            return True
        try:
            again = framed.schema.encode(written)
        except Exception:  # noqa: BLE001 - what cannot be written is no value, whatever fastavro calls the reason
            return True
        return again != framed.body or not _ints_fit(framed.schema.parsed, written)


def _ints_fit(schema: Any, value: Any) -> bool:
    """Whether every `int` is one; fastavro reads and writes them as if they were long."""
    if isinstance(schema, list):
        return all(_ints_fit(branch, value) for branch in schema)
    if isinstance(schema, dict):
        if "fields" in schema:
            fields = schema["fields"] if isinstance(value, Mapping) else ()
            return all(_ints_fit(field["type"], value.get(field["name"])) for field in fields)
        if "items" in schema:
            return not isinstance(value, list) or all(_ints_fit(schema["items"], item) for item in value)
        if "values" in schema:
            return not isinstance(value, Mapping) or all(_ints_fit(schema["values"], one) for one in value.values())
        return _ints_fit(schema["type"], value)
    return not (schema == "int" and isinstance(value, int) and not -_INT_LIMIT <= value < _INT_LIMIT)
