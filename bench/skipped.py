"""What a conversation that nobody may get costs the projector: the same events with it and without. No Kafka.

Events whose bytes the processor has in its cache, since they were projected just before; and events it has not, since
it wrote more than its caches hold in between. A worker is somewhere between the two: the client has just copied an
event's bytes, and then those of thousands behind it.
"""

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.projection import MIX, in_machine_code, projected, projecting, read, values_by_kind, written
from bench.results import Result, Row, provenance
from bench.turns import SEED, Setting
from tailrace.codec.schemas import SchemaStore
from tailrace.runtime.ports import Projector

NEAR, FAR = "events in the cache", "events far from it"

KINDS = (MIX, "turn_started", "model_message_completed")

INSTRUCTED = "100 KB with instructions"
"""With 3 KB of a system prompt ahead of them: the length of each part is far from the one before."""

SIZES_BYTES: Mapping[str, int] = {"none": 0, "0.3 KB": 300, "3 KB": 3_000, "100 KB": 100_000, INSTRUCTED: 100_000}
INSTRUCTIONS_BYTES: Mapping[str, int] = {INSTRUCTED: 3_000}

EVENTS = 500
"""With 100 KB each, 50 MB: more than a cache has, but of each event only a dozen lines are looked at."""

RUNS = 20
"""Of a turn's runs the least counts: other work on the machine can only add to it."""

WARM_UP_EVENTS = 100

SWEPT_BYTES = 128 << 20
"""Four times the largest cache of the machines that these figures are from."""


def content_skipped(setting: Setting) -> Result:
    """The projector on events of each kind, with conversations of each size, near and far."""
    made = provenance()
    schemas = SchemaStore()
    projector = in_machine_code(schemas)
    values = values_by_kind(schemas, SEED, EVENTS + WARM_UP_EVENTS)
    work = {kind: _by_size(schemas, projector, values[kind][:EVENTS]) for kind in KINDS}
    warm_up = projecting(projector, values[MIX][-WARM_UP_EVENTS:])
    swept = memoryview(bytearray(SWEPT_BYTES))
    half = len(swept) // 2

    def forget() -> None:
        swept[:half] = swept[half:]
        # What the copy put out of the cache beside the events, the projector itself, is back before the clock starts.
        warm_up()

    turns: list[list[Row]] = []
    for turn in range(setting.turns):
        rows: list[Row] = []
        for where, between in ((NEAR, lambda: None), (FAR, forget)):
            for kind, sized in work.items():
                least = least_us(sized, between)
                rows += [Row(where, variant(kind, size), {"cpu_us_per_event": us}) for size, us in least.items()]
        turns.append(rows)
        print(f"content-skipped {turn + 1}/{setting.turns}", flush=True)
    order = [[row.contestant, row.variant] for row in turns[0]]
    parameters = {"rows": order, "turns": len(turns), "seed": SEED, "runs": RUNS, "backlogs": []}
    return Result("content-skipped", setting.size.name, parameters, made, turns)


def variant(kind: str, size: str) -> str:
    return f"{kind}, {size}" if SIZES_BYTES[size] else kind


def least_us(contestants: Mapping[str, Callable[[], None]], forget: Callable[[], None]) -> dict[str, float]:
    """Processor time per event of each, the least of its runs, each of them after a call of `forget`.

    Each begins a round as often as any other, and each has done the same just before: else the first one after a
    collection would pay for it, or if somebody ran ahead of it, that one alone would find its events in the cache.
    """
    names = list(contestants)
    took: dict[str, list[float]] = {name: [] for name in names}
    gc.disable()
    for run in range(RUNS):
        for name in (*names[run % len(names) :], *names[: run % len(names)]):
            contestants[name]()
            forget()
            begun = time.thread_time()
            contestants[name]()
            took[name].append(time.thread_time() - begun)
        gc.collect()
    gc.enable()
    return {name: min(seconds) / EVENTS * 1e6 for name, seconds in took.items()}


def _by_size(schemas: SchemaStore, projector: Projector, values: Sequence[bytes]) -> dict[str, Callable[[], None]]:
    """What projects these events, by the size of the conversation that each has. All give the same records."""
    if len(values) != EVENTS:
        raise SystemExit(f"only {len(values)} of {EVENTS} events are of a kind")
    sized = {name: _with_conversation(schemas, values, name) for name in SIZES_BYTES}
    made = [list(projected(projector, events)) for events in sized.values()]
    if not all(isinstance(records, tuple) for records in made[0]) or any(other != made[0] for other in made):
        raise SystemExit("a conversation changes what is projected")
    return {name: projecting(projector, events) for name, events in sized.items()}


def _with_conversation(schemas: SchemaStore, values: Sequence[bytes], size: str) -> list[bytes]:
    content = _conversation(SIZES_BYTES[size], INSTRUCTIONS_BYTES.get(size)) if SIZES_BYTES[size] else None
    return [written(schemas, {**read(schemas, value), "content": content}) for value in values]


def _conversation(size_bytes: int, instructions_bytes: int | None) -> dict[str, Any]:
    text = '[{"role":"user","parts":[{"type":"text","content":"größer"}]}]'.encode()
    text *= size_bytes // len(text) + 1
    half = text[: size_bytes // 2]
    return {
        "capture_kind": "turn_chat",
        "thread_id": "thread-1",
        "turn_number": 3,
        "span_is_recording": True,
        "system_instructions": None if instructions_bytes is None else text[:instructions_bytes],
        "input_messages": half,
        "output_messages": half,
    }
