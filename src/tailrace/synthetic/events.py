"""A stream of framed events from many runs at once, with as much poison among them as asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import count, islice
from typing import Any

from fastavro import parse_schema, schemaless_writer

from tailrace.codec.framing import single_object_frame
from tailrace.codec.schemas import SchemaStore
from tailrace.domain.errors import InvalidField
from tailrace.domain.projected import UndecodableReason
from tailrace.synthetic.chance import Chance
from tailrace.synthetic.runs import EventFields, Run

EPOCH_US = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z, where a stream's clock starts unless told otherwise: its bytes depend on the seed alone."""


POISONS = (
    UndecodableReason.NULL_VALUE,
    UndecodableReason.UNKNOWN_SCHEMA,
    UndecodableReason.TRUNCATED,
    UndecodableReason.TRAILING_BYTES,
    UndecodableReason.MISPLACED_USAGE,
)
"""What can be wrong with an event on purpose, named as whoever meets it has to name it."""


@dataclass(frozen=True, slots=True)
class SyntheticEvent:
    """One event as a producer sends it; `poison` is None for a good one."""

    key: bytes
    value: bytes | None
    poison: UndecodableReason | None


class SyntheticEvents:
    """An endless iterator over the events of invented runs, `active_runs` of them taking turns at random.

    The same arguments give the same bytes on every machine. Events of one run come in order, with rising `event_seq`.
    Poison stands *between* them, as extra records under the key of some run, so that no run misses an event because of
    it. Not thread-safe; give each thread a seed of its own.

    `seed` also marks every run id, so that streams of different seeds never share one. `poison_rate` is the share of
    records that are poison, from 0 to below 1. `content` adds conversation texts to most completed model calls.
    `min_event_bytes` pads smaller good events with a tag, which no sink gets. `start_time_us` is the first timestamp;
    from there the stream's clock goes on by 5 ms per event on average.

    Raises InvalidField for a share or a number of runs out of range.
    """

    def __init__(
        self,
        *,
        seed: int,
        active_runs: int = 16,
        poison_rate: float = 0.0,
        content: bool = False,
        min_event_bytes: int = 0,
        start_time_us: int = EPOCH_US,
        schemas: SchemaStore | None = None,
    ) -> None:
        if active_runs < 1:
            raise InvalidField("active_runs", "must be at least 1")
        if not 0 <= poison_rate < 1:
            raise InvalidField("poison_rate", "must be from 0 to below 1")
        schema = (schemas or SchemaStore()).agent_event
        self._frame = single_object_frame(schema)
        self._avro: Any = parse_schema(schema.json)  # type: ignore[arg-type]
        self._chance = Chance(f"tailrace {seed}")
        self._seed = seed
        self._run_numbers = count(1)
        self._content = content
        self._poison_rate = poison_rate
        self._min_event_bytes = min_event_bytes
        self._time_us = start_time_us
        self._buffer = BytesIO()
        self._held: EventFields | None = None
        self._scripts = [self._next_script() for _ in range(active_runs)]

    def __iter__(self) -> Iterator[SyntheticEvent]:
        return self

    def __next__(self) -> SyntheticEvent:
        fields = self._held or self._next_fields()
        key = str(fields["run_id"]).encode()
        if self._poison_rate and self._chance.happens(self._poison_rate):
            self._held = fields
            poison = self._chance.one_of(POISONS)
            return SyntheticEvent(key, self._poisoned(fields, poison), poison)
        self._held = None
        return SyntheticEvent(key, self._padded(fields), None)

    def take(self, records: int) -> Iterator[SyntheticEvent]:
        """The next `records` of them, poison included."""
        return islice(self, records)

    def _next_fields(self) -> EventFields:
        """The next event of a run picked at random; a run that has ended makes way for a new one."""
        slot = self._chance.between(0, len(self._scripts) - 1)
        fields = next(self._scripts[slot], None)
        while fields is None:
            self._scripts[slot] = self._next_script()
            fields = next(self._scripts[slot], None)
        self._time_us += self._chance.between(200, 9_800)
        fields["timestamp"] = self._time_us
        fields["recorded_at"] = self._time_us + self._chance.between(10, 900)
        if fields.get("terminal"):
            fields["started_at"] = self._time_us - self._chance.between(1_000, 30_000_000)
        return fields

    def _next_script(self) -> Iterator[EventFields]:
        run_id = f"run-{self._seed}-{next(self._run_numbers):06d}"
        return Run(chance=self._chance, run_id=run_id, content=self._content).script()

    def _padded(self, fields: EventFields) -> bytes:
        value = self._encode(fields)
        missing_bytes = self._min_event_bytes - len(value)
        if missing_bytes <= 0:
            return value
        tags = fields.get("tags", [])
        assert isinstance(tags, list)
        return self._encode({**fields, "tags": [*tags, "x" * missing_bytes]})

    def _poisoned(self, fields: EventFields, poison: UndecodableReason) -> bytes | None:
        match poison:
            case UndecodableReason.NULL_VALUE:
                return None
            case UndecodableReason.UNKNOWN_SCHEMA:
                good = self._encode(fields)
                return good[:2] + bytes.fromhex(self._chance.hex_digits(16)) + good[10:]
            case UndecodableReason.TRUNCATED:
                good = self._encode(fields)
                return good[: self._chance.between(len(self._frame), len(good) - 1)]
            case UndecodableReason.TRAILING_BYTES:
                return self._encode(fields) + bytes(self._chance.between(1, 8))
            case _:
                # The one poison that decodes: the rules refuse it (docs/DESIGN.md, Which projections an event yields).
                return self._encode({**fields, "event_family": "tool", "usage": {"input_tokens": 1}})

    def _encode(self, fields: EventFields) -> bytes:
        self._buffer.seek(0)
        self._buffer.truncate()
        self._buffer.write(self._frame)
        schemaless_writer(self._buffer, self._avro, fields)
        return self._buffer.getvalue()
