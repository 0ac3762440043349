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
from typing import Any

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
MIX = "the demonstration's mix"
KINDS = ("turn_started", "model_stream_delta", "tool_completed", "model_message_completed", "run_completed")
PADDED_BYTES = (3_000, 100_000)
EVENTS_PER_CASE = 500


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
    projectors: dict[str, Projector] = {
        "native": in_machine_code(schemas),
        "compiled": CompiledProjector(TOPIC, schemas),
        "fastavro": FastavroProjector(TOPIC, schemas),
        "reference": ReferenceProjector(TOPIC, schemas),
    }
    print("| events | bytes | records | native us | compiled us | fastavro us | reference us | fastavro to native |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for case in _cases(schemas, arguments.seed):
        records = _agree(projectors, case)
        least = _measured({name: projecting(one, case.values) for name, one in projectors.items()}, arguments.turns)
        us = {name: seconds / len(case.values) * 1e6 for name, seconds in least.items()}
        print(
            f"| {case.name} | {case.mean_bytes:.0f} | {records / len(case.values):.2f} "
            f"| {us['native']:.2f} | {us['compiled']:.2f} | {us['fastavro']:.1f} | {us['reference']:.1f} "
            f"| {us['fastavro'] / us['native']:.1f} |",
            flush=True,
        )


def in_machine_code(schemas: SchemaStore) -> CompiledProjector:
    """A projector that has its machine code; where there is none, it would be that of generated Python, unsaid."""
    projector = CompiledProjector(TOPIC, schemas, native=True)
    if projector.native is None or not projector.native.wait() or not projector.native.frames:
        raise SystemExit("no machine code: it needs the extra `native`")
    return projector


def _cases(schemas: SchemaStore, seed: int) -> Iterator[Case]:
    for kind, values in values_by_kind(schemas, seed, EVENTS_PER_CASE).items():
        yield Case(kind, values)
    # Padded by a tag, which no record gets but which is text, so that it has to be valid.
    for size in PADDED_BYTES:
        events = SyntheticEvents(seed=seed, min_event_bytes=size, schemas=schemas)
        yield Case(
            f"the mix, with a tag up to {size} bytes", [one.value or b"" for one in events.take(EVENTS_PER_CASE)]
        )


def values_by_kind(schemas: SchemaStore, seed: int, each: int) -> dict[str, list[bytes]]:
    """So many events of each kind that is measured, and four times as many of the demonstration's mix of them."""
    found: dict[str, list[bytes]] = {kind: [] for kind in KINDS}
    for value in _values(seed, each * 60):
        kind = read(schemas, value)["event_kind"]
        if kind in found and len(found[kind]) < each:
            found[kind].append(value)
    return {MIX: _values(seed, each * 4), **found}


def _values(seed: int, number: int) -> list[bytes]:
    return [event.value or b"" for event in SyntheticEvents(seed=seed).take(number)]


def _agree(projectors: dict[str, Projector], case: Case) -> int:
    """Records in all, the same from each projector: what is not the same work is not compared."""
    records = 0
    made = [projected(one, case.values) for one in projectors.values()]
    for offset, (first, *others) in enumerate(zip(*made, strict=True), FIRST_OFFSET):
        if not isinstance(first, tuple) or any(other != first for other in others):
            raise SystemExit(f"the projectors differ at offset {offset} of '{case.name}'")
        records += len(first)
    return records


def projected(projector: Projector, values: Sequence[bytes]) -> Sequence[Projected]:
    offsets = range(FIRST_OFFSET, FIRST_OFFSET + len(values))
    return projector.project_all(3, offsets, [None] * len(values), values)


def projecting(projector: Projector, values: Sequence[bytes]) -> Callable[[], None]:
    """From bytes to what lanes take: records weighed, their keys and values each as one list."""

    def run() -> None:
        records = Offer.of(3, FIRST_OFFSET, FIRST_OFFSET + len(values), 0, projected(projector, values)).records
        records.column("key")
        records.column("value")

    return run


def _measured(contestants: dict[str, Callable[[], None]], turns: int) -> dict[str, float]:
    """The least processor seconds of each over so many turns."""
    took: dict[str, list[float]] = {name: [] for name in contestants}
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


def read(schemas: SchemaStore, value: bytes) -> Any:
    return schemaless_reader(BytesIO(value[10:]), _parsed(schemas))


def written(schemas: SchemaStore, event: Any) -> bytes:
    out = BytesIO()
    schemaless_writer(out, _parsed(schemas), event)
    return b"\xc3\x01" + schemas.agent_event.fingerprint + out.getvalue()


def _parsed(schemas: SchemaStore) -> Any:
    return parse_schema(schemas.agent_event.json)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
