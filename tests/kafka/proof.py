"""The proof at the end of every run here: `tailrace audit`, a process of its own that shares no rules with a worker."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kafka.command import tailrace

FEWEST_EVENTS = 5_000
"""A proof over fewer events proves little: batches, buffers and rotations have to have turned over many times."""


@dataclass(frozen=True, slots=True)
class SinkProof:
    """Where everything went that one sink had to get; `missed` by the reason of the gap."""

    cursors: Mapping[int, int]
    exported: int
    missed: Mapping[str, int]
    duplicates: int
    pending: int
    gone_offsets: int
    unverifiable: int


@dataclass(frozen=True, slots=True)
class Proof:
    """What the audit found, when it all adds up. `notes` are the codes of what is worth knowing and no fault."""

    events: int
    sinks: Mapping[str, SinkProof]
    notes: frozenset[str]

    @property
    def duplicates(self) -> dict[str, int]:
        return {sink: proof.duplicates for sink, proof in self.sinks.items()}


def prove(
    config: Path,
    *,
    complete: bool = True,
    duplicates: bool = False,
    min_events: int = FEWEST_EVENTS,
    canaries: Sequence[str] = (),
    earlier: Sequence[Path] = (),
) -> Proof:
    """Audit everything there is; fails with the audit's own words unless it all adds up.

    `complete`: every sink has to be at the end of the log. `duplicates`: whether any are allowed; those that nothing
    explains never are. `canaries` are texts that must have got nowhere, `earlier` the configurations of before.
    """
    options = ["--json", "--min-events", str(min_events)]
    options += ["--require-complete"] if complete else []
    options += [] if duplicates else ["--expect-no-duplicates"]
    options += [part for text in canaries for part in ("--canary", text)]
    options += [part for file in earlier for part in ("--earlier-config", str(file))]
    ended = tailrace("audit", "--config", str(config), *options)
    assert ended.returncode == 0, f"audit: exit code {ended.returncode}\n{_essence(ended.stdout)}\n{ended.stderr}"
    report = json.loads(ended.stdout)
    sinks = {sink["sink"]: _sink(sink) for sink in report["sinks"]}
    return Proof(report["events"], sinks, frozenset(note["code"] for note in report["notes"]))


def _sink(report: Mapping[str, Any]) -> SinkProof:
    return SinkProof(
        {int(partition): cursor for partition, cursor in report["cursors"].items()},
        report["exported"],
        report["missed"],
        report["duplicates"],
        report["pending"],
        report["gone_offsets"],
        report["unverifiable"],
    )


def _essence(output: str) -> str:
    try:
        report = json.loads(output)
    except ValueError:
        return output
    return json.dumps({key: report[key] for key in ("events", "sinks", "findings", "notes")}, indent=1)
