"""Processor time of the projection alone: in machine code, by generated Python, by the reference, and by fastavro.

    python -m bench.projection                 a minute
    python -m bench.projection --turns 40

All project the same events in turns, so that what else the machine does meets each of them alike; a figure is the least
of all turns, since other work can only add to it. It is processor time of this thread, without any Kafka.
"""

import argparse
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, TypeVar

from fastavro import parse_schema, schemaless_reader, schemaless_writer

from bench.fastavro_projector import FastavroProjector
from tailrace.codec.compiled_projector import CompiledProjector
from tailrace.codec.reference_projector import ReferenceProjector
from tailrace.codec.schemas import SchemaStore
from tailrace.domain.projected import Projected
from tailrace.runtime.offers import Offer
from tailrace.runtime.ports import Projector
from tailrace.synthetic import SyntheticEvents

TOPIC = "agent.events"
FIRST_OFFSET = 10_000_000
KINDS = ("turn_started", "model_stream_delta", "tool_completed", "model_message_completed", "run_completed")
SIZES_BYTES = (300, 3_000, 100_000)
EVENTS_PER_CASE = 500
CONTENT_EVENTS = 150
"""Fewer, so that a turn does not spend its time on fetching megabytes from memory that a consumer has just written."""

Contestant = TypeVar("Contestant", str, int)


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    values: Sequence[bytes]

    @property
    def mean_bytes(self) -> float:
        return sum(map(len, self.values)) / len(self.values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=15, help="the least of these is printed")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    schemas = SchemaStore()
    native = CompiledProjector(TOPIC, schemas, native=True)
    assert native.native is not None
    native.native.wait()
    projectors: dict[str, Projector] = {
        "native": native,
        "compiled": CompiledProjector(TOPIC, schemas),
        "fastavro": FastavroProjector(TOPIC, schemas),
        "reference": ReferenceProjector(TOPIC, schemas),
    }
    print("| events | bytes | records | native us | compiled us | fastavro us | reference us | fastavro to native |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for case in _cases(schemas, arguments.seed):
        records = _agree(projectors, case)
        least = _measured({name: _projecting(one, case.values) for name, one in projectors.items()}, arguments.turns)
        us = {name: seconds / len(case.values) * 1e6 for name, seconds in least.items()}
        print(
            f"| {case.name} | {case.mean_bytes:.0f} | {records / len(case.values):.2f} "
            f"| {us['native']:.2f} | {us['compiled']:.2f} | {us['fastavro']:.1f} | {us['reference']:.1f} "
            f"| {us['fastavro'] / us['native']:.1f} |",
            flush=True,
        )
    print()
    _content(schemas, projectors["native"], arguments.seed, arguments.turns)


def _cases(schemas: SchemaStore, seed: int) -> Iterator[Case]:
    yield Case("the demonstration's mix", _values(seed, EVENTS_PER_CASE * 4))
    by_kind: dict[str, list[bytes]] = {kind: [] for kind in KINDS}
    for value in _values(seed, EVENTS_PER_CASE * 60):
        kind = _read(schemas, value)["event_kind"]
        if kind in by_kind and len(by_kind[kind]) < EVENTS_PER_CASE:
            by_kind[kind].append(value)
    for kind, values in by_kind.items():
        yield Case(kind, values)
    # Padded by a tag, which no record gets but which is text, so that it has to be valid.
    for size in SIZES_BYTES[1:]:
        events = SyntheticEvents(seed=seed, min_event_bytes=size, schemas=schemas)
        yield Case(
            f"the mix, with a tag up to {size} bytes", [one.value or b"" for one in events.take(EVENTS_PER_CASE)]
        )


def _values(seed: int, number: int) -> list[bytes]:
    return [event.value or b"" for event in SyntheticEvents(seed=seed).take(number)]


def _agree(projectors: dict[str, Projector], case: Case) -> int:
    """Records in all, the same from each projector: what is not the same work is not compared."""
    records = 0
    made = [_projected(one, case.values) for one in projectors.values()]
    for offset, (first, *others) in enumerate(zip(*made, strict=True), FIRST_OFFSET):
        if not isinstance(first, tuple) or any(other != first for other in others):
            raise SystemExit(f"the projectors differ at offset {offset} of '{case.name}'")
        records += len(first)
    return records


def _projected(projector: Projector, values: Sequence[bytes]) -> Sequence[Projected]:
    offsets = range(FIRST_OFFSET, FIRST_OFFSET + len(values))
    return projector.project_all(3, offsets, [None] * len(values), values)


def _projecting(projector: Projector, values: Sequence[bytes]) -> Callable[[], None]:
    """From bytes to what lanes take: records weighed, their keys and values each as one list."""

    def run() -> None:
        records = Offer.of(3, FIRST_OFFSET, FIRST_OFFSET + len(values), 0, _projected(projector, values)).records
        records.column("key")
        records.column("value")

    return run


def _measured(contestants: dict[Contestant, Callable[[], None]], turns: int) -> dict[Contestant, float]:
    """The least processor seconds of each over so many turns."""
    took: dict[Contestant, list[float]] = {name: [] for name in contestants}
    gc.disable()
    for _ in range(turns):
        # Whoever comes first after a collection pays for memory that it gave back.
        next(iter(contestants.values()))()
        for name, run in contestants.items():
            begun = time.thread_time()
            run()
            took[name].append(time.thread_time() - begun)
        gc.collect()
    gc.enable()
    return {name: min(seconds) for name, seconds in took.items()}


def _content(schemas: SchemaStore, projector: Projector, seed: int, turns: int) -> None:
    """What a conversation in the event adds, beside the same events without it."""
    print("| kind | conversation bytes | us with | us without | ratio |")
    print("|---|---:|---:|---:|---:|")
    cases = {case.name: case for case in _cases(schemas, seed)}
    for kind in ("the demonstration's mix", "model_message_completed"):
        events = [_read(schemas, value) for value in cases[kind].values[:CONTENT_EVENTS]]
        contestants = {0: _projecting(projector, [_written(schemas, {**event, "content": None}) for event in events])}
        for size in SIZES_BYTES:
            held = [_written(schemas, {**event, "content": _conversation(size)}) for event in events]
            contestants[size] = _projecting(projector, held)
        least = _measured(contestants, turns * 3)
        us = {size: seconds / len(events) * 1e6 for size, seconds in least.items()}
        for size in SIZES_BYTES:
            print(f"| {kind} | {size} | {us[size]:.2f} | {us[0]:.2f} | {us[size] / us[0]:.2f} |", flush=True)


def _conversation(size_bytes: int) -> dict[str, Any]:
    text = '[{"role":"user","parts":[{"type":"text","content":"größer"}]}]'.encode()
    half = (text * (size_bytes // 2 // len(text) + 1))[: size_bytes // 2]
    return {
        "capture_kind": "turn_chat",
        "thread_id": "thread-1",
        "turn_number": 3,
        "span_is_recording": True,
        "system_instructions": None,
        "input_messages": half,
        "output_messages": half,
    }


def _read(schemas: SchemaStore, value: bytes) -> Any:
    return schemaless_reader(BytesIO(value[10:]), _parsed(schemas))


def _written(schemas: SchemaStore, event: Any) -> bytes:
    out = BytesIO()
    schemaless_writer(out, _parsed(schemas), event)
    return b"\xc3\x01" + schemas.agent_event.fingerprint + out.getvalue()


def _parsed(schemas: SchemaStore) -> Any:
    return parse_schema(schemas.agent_event.json)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
