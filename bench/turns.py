"""How a scenario is run: every entry once a turn, and what came of it as a `Result`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException

from bench.contestants import Contestant
from bench.results import Refusal, Result, Row, provenance
from bench.track import RunRefusedError, Track
from tests.kafka.broker import Kafka

SEED = 7


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything. `events` is by scenario."""

    name: str
    turns: int
    events: Mapping[str, int]
    everybody_everywhere: bool


@dataclass(frozen=True, slots=True)
class Setting:
    """What a scenario runs on."""

    kafka: Kafka
    folder: Path
    size: Size
    turns: int
    without: frozenset[str]

    def chosen(self, contestants: Sequence[Contestant]) -> list[Contestant]:
        return [one for one in contestants if one.name not in self.without]


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of every turn."""

    contestant: Contestant
    variant: str
    run: Callable[[], Mapping[str, float]]


def finished(
    setting: Setting,
    scenario: str,
    entries: Sequence[Entry],
    tracks: Sequence[Track],
    more: Mapping[str, Any] | None = None,
) -> Result:
    """Run every entry once a turn, forwards and backwards by turns.

    So nobody always follows the same, and neighbours stay neighbours on a machine whose pace changes within minutes.
    """
    made = provenance()
    turns: list[list[Row]] = []
    refusals: list[Refusal] = []
    for turn in range(setting.turns):
        turns.append([])
        for entry in entries if turn % 2 == 0 else reversed(entries):
            label = f"{scenario} {turn + 1}/{setting.turns}: {entry.contestant.name} {entry.variant}".rstrip()
            try:
                found = entry.run()
            except (RunRefusedError, SystemExit, KafkaException) as refusal:
                refusals.append(Refusal(entry.contestant.name, entry.variant, str(refusal)))
                print(f"{label}: does not count: {refusal}", flush=True)
            else:
                turns[-1].append(Row(entry.contestant.name, entry.variant, found))
                print(f"{label}: " + ", ".join(f"{name} {value:.6g}" for name, value in _told(found)), flush=True)
    for track in tracks:
        track.close()
    parameters = {
        "rows": [[entry.contestant.name, entry.variant] for entry in entries],
        "turns": setting.turns,
        "seed": SEED,
        "backlogs": [track.described() for track in tracks],
        **(more or {}),
    }
    return Result(scenario, setting.size.name, parameters, made, turns, refusals)


_TOLD = ("events_per_s", "cpu_us_per_event", "p50_ms", "p99_ms", "healthy_events_per_s", "late_lane_events_per_s")


def _told(found: Mapping[str, float]) -> list[tuple[str, float]]:
    return [(name, found[name]) for name in _TOLD if name in found]
