"""The events of a measurement: seeded, distinct, and in the topic before anything is measured."""

import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from multiprocessing import get_context
from random import Random
from typing import Any, cast

from fastavro import parse_schema, schemaless_reader, schemaless_writer

from tailrace.adapters.event_producer import produce_events
from tailrace.codec.framing import single_object_frame
from tailrace.codec.schemas import SchemaStore
from tailrace.runtime.clock import SystemClock
from tailrace.settings import KafkaSettings, Settings
from tailrace.synthetic import SyntheticEvent, SyntheticEvents

POISON_RATE = 0.01
"""As in the demonstration."""

ACTIVE_RUNS = 64
"""Runs that take turns: enough that every partition always has some."""

PROGRESS_EVENTS = 100_000

PARTS = 4
"""Of many events, made side by side. Not one per core, so that a seed gives the same events on every machine."""

FILLED_BY_ONE = 50_000
"""Fewer are there before a second process has started."""

_ENDINGS = {"run_completed", "run_failed", "run_cancelled", "run_timed_out"}
_COUNTED = {"model", "run", "subagent"}
_LOOKED_AT = {"event_family", "event_kind", "terminal", "usage", "cost"}

_WORDS = (
    "report",
    "ledger",
    "table",
    "noon",
    "checked",
    "before",
    "against",
    "three",
    "größer",
    "naïve",
    "漢字",
    "and",
)


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

    @property
    def mean_event_bytes(self) -> float:
        return self.event_bytes / self.events


@dataclass(frozen=True, slots=True)
class Mix:
    """Which events: the demonstration's mix of kinds, or of them only those that yield one record each.

    `content_bytes` above zero gives every event a conversation of about that size, which no sink may get.
    """

    one_record_each: bool = False
    poison_rate: float = 0.0
    content_bytes: int = 0

    def events(self, seed: int) -> Iterator[SyntheticEvent]:
        """An endless stream of them; the same seed gives the same bytes."""
        schemas = SchemaStore()
        expected = ExpectedRecords(schemas)
        conversation = Conversation(schemas, self.content_bytes, seed) if self.content_bytes else None
        source = SyntheticEvents(seed=seed, active_runs=ACTIVE_RUNS, poison_rate=self.poison_rate, schemas=schemas)
        for event in source:
            if event.value is None or event.poison is not None:
                yield event
            elif not self.one_record_each or expected.of(event.value) == 1:
                value = conversation.added_to(event.value) if conversation else event.value
                yield SyntheticEvent(event.key, value, None)


DEMONSTRATION = Mix(poison_rate=POISON_RATE)


class Conversation:
    """Puts a conversation into events, in the GenAI conventions' form: a different one of the same size in each."""

    def __init__(self, schemas: SchemaStore, content_bytes: int, seed: int) -> None:
        self._content_bytes = content_bytes
        self._frame = single_object_frame(schemas.agent_event)
        self._schema: Any = parse_schema(cast("Any", schemas.agent_event.json), named_schemas={})
        # Words at random, as text compresses: a repeated sentence would travel for nothing.
        self._chance = Random(f"{content_bytes} {seed}")
        self._text = " ".join(self._chance.choices(_WORDS, k=content_bytes)).encode()
        self._added = 0

    def added_to(self, value: bytes) -> bytes:
        event: Any = schemaless_reader(BytesIO(value[len(self._frame) :]), self._schema, None)
        self._added += 1
        half = self._content_bytes // 2
        question, answer = (self._chance.randrange(len(self._text) - half) for _ in range(2))
        event["content_capture"] = "raw_content"
        event["content"] = {
            "capture_kind": "turn_chat",
            "thread_id": f"thread-{self._added}",
            "turn_number": self._added,
            "span_is_recording": True,
            "system_instructions": None,
            "input_messages": _said("user", self._text[question : question + half]),
            "output_messages": _said("assistant", self._text[answer : answer + half]),
        }
        out = BytesIO()
        out.write(self._frame)
        schemaless_writer(out, self._schema, event)
        return out.getvalue()


def _said(role: str, text: bytes) -> bytes:
    """A message of exactly the text's size, as much of it as fits into that."""
    frame = _message(role, "")
    whole = text[: max(0, len(text) - len(frame))].decode(errors="ignore")
    message = _message(role, whole)
    return _message(role, whole + "." * (len(text) - len(message)))


def _message(role: str, text: str) -> bytes:
    said = [{"role": role, "parts": [{"type": "text", "content": text}]}]
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


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


def counted(events: Iterable[SyntheticEvent], backlog: Backlog) -> Iterator[SyntheticEvent]:
    """The same events, counted into `backlog` as they pass."""
    expected = ExpectedRecords(SchemaStore())
    for event in events:
        backlog.events += 1
        backlog.event_bytes += len(event.value or b"")
        if event.poison is None and event.value is not None:
            backlog.records += expected.of(event.value)
        else:
            backlog.poison += 1
        yield event


def fill(settings: Settings, events: int, seed: int, mix: Mix = DEMONSTRATION) -> Backlog:
    """Put this many events into the events topic; all are there when this returns.

    Many are made by several processes, each with runs of its own: one makes some five thousand a second.
    """
    if events < FILLED_BY_ONE:
        return _filled(settings.kafka.bootstrap_servers, settings.events.topic, events, seed * PARTS, mix)
    shares = [events // PARTS + (part < events % PARTS) for part in range(PARTS)]
    # Spawned: a forked process would have the threads' locks of a client, and not the threads.
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        where = (settings.kafka.bootstrap_servers, settings.events.topic)
        filling = [pool.submit(_filled, *where, share, seed * PARTS + part, mix) for part, share in enumerate(shares)]
        filled = [part.result() for part in filling]
    return Backlog(
        sum(part.events for part in filled),
        sum(part.poison for part in filled),
        sum(part.records for part in filled),
        sum(part.event_bytes for part in filled),
    )


def _filled(bootstrap: str, topic: str, events: int, seed: int, mix: Mix) -> Backlog:
    backlog = Backlog()
    announced = 0

    def announce(sent: int) -> None:
        nonlocal announced
        if sent - announced >= PROGRESS_EVENTS:
            announced = sent
            print(f"  {sent} events sent", flush=True)

    produced = produce_events(
        KafkaSettings(bootstrap_servers=bootstrap),  # type: ignore[call-arg] # the rest has defaults
        topic,
        counted(islice(mix.events(seed), events), backlog),
        rate_per_s=None,
        clock=SystemClock(),
        stop=threading.Event(),
        on_progress=announce,
    )
    if produced.acknowledged != events:
        raise SystemExit(f"only {produced.acknowledged} of {events} events are in the topic: {produced.failed}")
    return backlog
