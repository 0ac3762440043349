"""The events of a measurement: seeded, distinct, and in the topic before anything is measured."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, cast

from fastavro import parse_schema, schemaless_reader

from tailrace.adapters.event_producer import produce_events
from tailrace.codec.framing import single_object_frame
from tailrace.codec.schemas import SchemaStore
from tailrace.runtime.clock import SystemClock
from tailrace.settings import Settings
from tailrace.synthetic import SyntheticEvent, SyntheticEvents

POISON_RATE = 0.01
"""As in the demonstration."""

ACTIVE_RUNS = 64
"""Runs that take turns: enough that every partition always has some."""

PROGRESS_EVENTS = 100_000

_ENDINGS = {"run_completed", "run_failed", "run_cancelled", "run_timed_out"}
_COUNTED = {"model", "run", "subagent"}
_LOOKED_AT = {"event_family", "event_kind", "terminal", "usage", "cost"}


@dataclass(slots=True)
class Backlog:
    """What is in the events topic, and what every sink without a selection has to get of it."""

    events: int = 0
    poison: int = 0
    records: int = 0
    event_bytes: int = 0

    @property
    def good_events(self) -> int:
        return self.events - self.poison


@dataclass(slots=True)
class Filling:
    """Events on their way into the topic, counted as they pass."""

    seed: int
    backlog: Backlog = field(default_factory=Backlog)

    def events(self, count: int) -> Iterator[SyntheticEvent]:
        schemas = SchemaStore()
        expected = ExpectedRecords(schemas)
        source = SyntheticEvents(seed=self.seed, active_runs=ACTIVE_RUNS, poison_rate=POISON_RATE, schemas=schemas)
        for event in source.take(count):
            self.backlog.events += 1
            self.backlog.event_bytes += len(event.value or b"")
            if event.poison is None and event.value is not None:
                self.backlog.records += expected.of(event.value)
            else:
                self.backlog.poison += 1
            yield event


class ExpectedRecords:
    """How many telemetry records an event yields, counted without the worker's projector."""

    def __init__(self, schemas: SchemaStore) -> None:
        schema = schemas.agent_event
        writer: dict[str, Any] = {**cast("Mapping[str, Any]", schema.json)}
        reader = {**writer, "fields": [f for f in writer["fields"] if f["name"] in _LOOKED_AT]}
        self._frame_bytes = len(single_object_frame(schema))
        self._writer: Any = parse_schema(writer, named_schemas={})
        self._reader: Any = parse_schema(reader, named_schemas={})

    def of(self, value: bytes) -> int:
        event: Any = schemaless_reader(BytesIO(value[self._frame_bytes :]), self._writer, self._reader)
        ends = event["event_kind"] in _ENDINGS or (event["event_family"] == "run" and event["terminal"])
        uses = event["usage"] is not None and event["event_family"] in _COUNTED
        return max(1, ends + uses + (event["cost"] is not None))


def fill(settings: Settings, events: int, seed: int) -> Backlog:
    """Put this many events into the events topic; all are there when this returns."""
    filling = Filling(seed)
    announced = 0

    def announce(sent: int) -> None:
        nonlocal announced
        if sent - announced >= PROGRESS_EVENTS:
            announced = sent
            print(f"  {sent} events sent", flush=True)

    produced = produce_events(
        settings.kafka,
        settings.events.topic,
        filling.events(events),
        rate_per_s=None,
        clock=SystemClock(),
        stop=threading.Event(),
        on_progress=announce,
    )
    if produced.acknowledged != events:
        raise SystemExit(f"only {produced.acknowledged} of {events} events are in the topic: {produced.failed}")
    return filling.backlog
