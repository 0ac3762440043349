"""The compiled projector against the reference, on random schemas, events and mutations of their bytes.

python -m tests.unit.codec.compiled_cases --cases 5000000 --seed 1     a longer run, on demand
"""

import argparse
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from tailrace.codec.compiled_projector import CompiledProjector
from tailrace.codec.reference_projector import DEFAULT_MAX_EVENT_BYTES, ReferenceProjector
from tailrace.codec.schemas import SchemaStore, shipped_schema_directory
from tailrace.domain.projected import Projected
from tests.unit.codec.evolution import CHANGES, evolved, future_schemas
from tests.unit.codec.spelling import LEGAL, MUTATIONS, SPELLINGS, Speller
from tests.unit.codec.written import frame

TOPIC = "agent.events"
EVENTS_PER_SPELLING = 6
MUTANTS_PER_EVENT = 10
MUTANTS_OF_A_MISMATCH = 0
"""Where nothing can be read at all, there is little to compare."""

SCHEMAS_PER_ROUND = 10

OUTCOME_RECORDS = "records"


@dataclass(slots=True)
class Tally:
    """What was met; `differences` are cases in which the two projectors did not say the same."""

    cases: int = 0
    schemas: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    spellings: Counter[str] = field(default_factory=Counter)
    mutations: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)  # of schemas whose events were taken
    kinds: Counter[str] = field(default_factory=Counter)
    mutants_taken: int = 0
    kept: int = 0  # events with content that their first record brings along
    differences: list[str] = field(default_factory=list)
    disagreements: int = 0
    detours: int = 0  # legal events of known libraries that the function did not take itself
    by_reference: int = 0
    rewritten: int = 0
    native: int = 0  # events that were taken in machine code
    native_left: int = 0  # events with records that it left to others


def run(cases: int, seed: int) -> Tally:
    """At least so many cases; the same seed gives the same ones."""
    tally = Tally()
    chance = Random(seed)
    while tally.cases < cases and len(tally.differences) < 10:
        with TemporaryDirectory() as directory:
            _round(chance, tally, Path(directory))
    return tally


def _round(chance: Random, tally: Tally, directory: Path) -> None:
    """A few writer schemas, evolved from the shipped event or from one of the future."""
    home = shipped_schema_directory()
    if chance.random() < 0.7:
        home = directory / "home"
        home.mkdir()
        future_schemas(home)
    reader = json.loads((home / "agent_event.avsc").read_text())
    names = list(CHANGES)
    writers = []
    for _ in range(SCHEMAS_PER_ROUND):
        writers.append(evolved(chance, reader, names[tally.schemas % len(names)], chance.choice((0, 0, 1, 2, 5))))
        tally.schemas += 1
    for number, (schema, _) in enumerate(writers):
        (directory / f"{number}.avsc").write_text(json.dumps(schema), encoding="utf-8")
    schemas = SchemaStore(home, extra_directories=[directory])
    keep_content = chance.random() < 0.5
    pair = _Pair(
        _ready(CompiledProjector(TOPIC, schemas, keep_content=keep_content, native=True)),
        ReferenceProjector(TOPIC, schemas, keep_content=keep_content),
        tally,
    )
    for schema, changes in writers:
        for spelling in SPELLINGS:
            taken = _events(chance, pair, schema, spelling)
            tally.changes.update(changes if taken else [])
    tally.disagreements += pair.compiled.disagreements
    tally.by_reference += pair.compiled.by_reference
    tally.rewritten += pair.compiled.rewritten


def _events(chance: Random, pair: "_Pair", schema: Any, spelling: str) -> bool:
    tally = pair.tally
    speller = Speller(chance, schema, spelling)
    head = frame(schema)
    mutants = MUTANTS_PER_EVENT
    taken = False
    if (nothing := pair.compare(head)) and not isinstance(nothing, tuple) and nothing.reason == "schema_mismatch":
        mutants = MUTANTS_OF_A_MISMATCH
    for _ in range(EVENTS_PER_SPELLING):
        value = head + speller.value()
        tally.spellings[spelling] += 1
        rewritten = pair.compiled.rewritten
        outcome = pair.compare(value)
        taken = taken or isinstance(outcome, tuple)
        if spelling in LEGAL:
            tally.detours += pair.compiled.rewritten - rewritten
        for _ in range(mutants):
            name = chance.choice(list(MUTATIONS))
            tally.mutations[name] += 1
            mutant = MUTATIONS[name](chance, value)
            tally.mutants_taken += isinstance(pair.compare(mutant), tuple)
    return taken


def _ready(projector: CompiledProjector) -> CompiledProjector:
    assert projector.native is not None
    projector.native.wait()
    return projector


@dataclass(frozen=True, slots=True)
class _Pair:
    compiled: CompiledProjector
    reference: ReferenceProjector
    tally: Tally

    def compare(self, value: bytes) -> Projected:
        tally = self.tally
        offset = 1 << (tally.cases % 62)
        tally.cases += 1
        wanted = self.reference.project(3, offset, b"key", value)
        found = self.compiled.project(3, offset, b"key", value)
        if found != wanted or self.compiled.usage_ignored != self.reference.usage_ignored:
            tally.differences.append(f"{value.hex()}: {found} instead of {wanted}")
        self._compare_native(offset, value, wanted)
        if isinstance(wanted, tuple):
            tally.outcomes[OUTCOME_RECORDS] += 1
            tally.kinds.update(record.kind for record in wanted)
            tally.kept += wanted[0].event is not None
        else:
            tally.outcomes[wanted.reason] += 1
        return wanted

    def _compare_native(self, offset: int, value: bytes, wanted: Projected) -> None:
        """The machine code may leave an event to others, but what it takes it has to take as they do."""
        assert self.compiled.native is not None
        made = self.compiled.native.project(3, [offset], [value], DEFAULT_MAX_EVENT_BYTES)
        if made is not None and made[0] is not None:
            self.tally.native += 1
            if made[0] != wanted:
                self.tally.differences.append(f"{value.hex()}: in machine code {made[0]} instead of {wanted}")
        elif isinstance(wanted, tuple):
            self.tally.native_left += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    tally = run(arguments.cases, arguments.seed)
    print(tally)
    if tally.differences or tally.disagreements or tally.detours:
        raise SystemExit("the projectors differ")


if __name__ == "__main__":
    main()
