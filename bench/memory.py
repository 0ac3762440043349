"""A worker's memory over a million events or five, one of its three sinks stalled from the first event to the last.

    python -m bench.memory --quick             a million events
    python -m bench.memory --full              five million; about 4 GB of disk for the broker
    python -m bench.memory                     a million; the broker refuses the sink's topic: a producer per attempt
    python -m bench.memory --stall missing     the sink's topic does not exist; each attempt lasts its time-out
    python -m bench.memory --stall scripted    a sink without a destination that never takes anything

Exit code 0 only if, after the first 200 000 events, the resident memory never rises by more than 10 MiB, always stays
below what `tailrace validate` prints, the stalled sink got nothing, and the two others got every record exactly once.
"""

import argparse
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.backlog import Backlog, fill
from bench.child import Child, python
from bench.closed_topic import close_topic, open_topic
from bench.cluster import cluster
from bench.configuration import SINK_IDS, Names, create_events_topic, create_topics, write
from bench.results import Result, Row, provenance, save
from bench.topics import Arrivals, arrivals, cursors, ranges, records_in
from tailrace.settings import Settings
from tests.kafka.broker import Kafka

MIB = 2**20

SIZES = {"quick": 1_000_000, "full": 5_000_000}

GROWTH_LIMIT_BYTES = 10 * MIB
SETTLED_EVENTS = 200_000
"""Buffers, queues and the allocator's pools have their size by then; a shorter run says nothing about growth."""

LOOK_S = 2.0
START_TIMEOUT_S = 60.0
STALLED = "stalled"
HEALTHY = SINK_IDS[:2]


@dataclass(frozen=True, slots=True)
class Look:
    """The worker at one moment, by its own account and by the system's."""

    at_s: float
    events: int
    rss_bytes: int
    lanes: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that has to be true of the run, and what shows whether it is."""

    holds: bool
    text: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = parser.add_mutually_exclusive_group()
    for name, events in SIZES.items():
        sizes.add_argument(f"--{name}", dest="size", action="store_const", const=name, help=f"{events} events")
    parser.add_argument("--events", type=int, help="instead of the size's own number; the figures are not kept then")
    parser.add_argument("--stall", choices=("refused", "missing", "scripted"), default="refused")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--within-s", type=float, default=3_600.0, help="give up when the worker takes longer")
    arguments = parser.parse_args()
    size: str = arguments.size or "quick"
    made = provenance()
    with cluster() as kafka, tempfile.TemporaryDirectory(prefix="tailrace-bench-") as folder:
        names = Names.fresh()
        file = Path(folder) / "tailrace.yaml"
        settings = write(file, kafka, names, _sinks(names, arguments.stall))
        create_events_topic(kafka, names)
        create_topics(kafka, names, HEALTHY)
        _stall(kafka, names, arguments.stall)
        budget_bytes = _printed_budget_bytes(file)
        backlog = fill(settings, arguments.events or SIZES[size], arguments.seed)
        print(
            f"{backlog.events} events, {backlog.event_bytes / MIB:.0f} MiB, {backlog.poison} of them poison", flush=True
        )
        child = Child(python("tailrace", "run", "--config", str(file)), Path(folder) / "worker.log")
        try:
            looks = _watch(child, settings, backlog, arguments.within_s)
            failures = child.lines("sink failed")
            recoveries = child.lines("sink recovered")
            ended = child.end()
        finally:
            child.discard()
            if arguments.stall == "refused":
                open_topic(kafka.bootstrap, names.sink(STALLED))
        # The system's own peak is brought up to date now and then only, and can lie below what was seen.
        peak_bytes = max(ended.peak_rss_bytes, *(sample.rss_bytes for sample in child.samples))
        claims = _memory_claims(looks, budget_bytes, peak_bytes)
        claims.append(Claim(ended.code == 0, f"the worker stopped with exit code {ended.code}"))
        failed = [line.fields["detail"] for line in failures if line.fields["sink"] == STALLED]
        claims.append(
            Claim(bool(failed) and not recoveries, f"{STALLED} failed ({', '.join(failed)}) and never recovered")
        )
        claims += _export_claims(kafka, settings, names, backlog, looks[-1])
    rows = _rows(looks, backlog)
    _print_rows(rows)
    if arguments.events is None:
        save(_result(size, made, rows, backlog, claims))
    for claim in claims:
        print(f"{'ok  ' if claim.holds else 'FAIL'} {claim.text}")
    raise SystemExit(0 if all(claim.holds for claim in claims) else 1)


def _sinks(names: Names, stall: str) -> dict[str, dict[str, Any]]:
    sinks = {sink_id: {"kind": "durable_trace", "topic": names.sink(sink_id)} for sink_id in (*HEALTHY, STALLED)}
    if stall == "scripted":
        return {**sinks, STALLED: {"kind": "test", "script": ["retry"], "repeat": True}}
    return sinks


def _stall(kafka: Kafka, names: Names, stall: str) -> None:
    if stall == "refused":
        kafka.create_topic(names.sink(STALLED), 4)
        close_topic(kafka.bootstrap, names.sink(STALLED))


def _printed_budget_bytes(file: Path) -> float:
    """The sum that the command prints for an operator."""
    command = [sys.executable, "-m", "tailrace", "validate", "--config", str(file), "--offline"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"in all\s+([\d.]+)", printed)
    if found is None:
        raise SystemExit(f"no sum in what validate printed:\n{printed}")
    return float(found[1]) * MIB


def _watch(child: Child, settings: Settings, backlog: Backlog, within_s: float) -> list[Look]:
    """Look at the worker every two seconds until the healthy sinks' cursors are at the end of the log."""
    child.wait_for("reading a partition", START_TIMEOUT_S)
    looks: list[Look] = []
    give_up_s = time.monotonic() + within_s
    while not looks or not _drained(looks[-1], backlog):
        if time.monotonic() > give_up_s:
            raise SystemExit(f"the healthy sinks were not done within {within_s} s; {settings.events.topic} stays")
        time.sleep(LOOK_S)
        looks.append(_look(child, len(looks)))
        if len(looks) % 30 == 0:
            print(f"  {looks[-1].events} events, {looks[-1].rss_bytes / MIB:.1f} MiB", flush=True)
    return looks


def _look(child: Child, earlier: int) -> Look:
    child.signal(signal.SIGUSR1)
    snapshot = child.wait_for("worker snapshot", START_TIMEOUT_S, earlier + 1)[-1]
    lanes = {line.fields["sink"]: line.fields for line in child.lines("lane snapshot")[-snapshot.fields["lanes"] :]}
    return Look(snapshot.at_s, snapshot.fields["events"], child.samples[-1].rss_bytes, lanes)


def _drained(look: Look, backlog: Backlog) -> bool:
    """Whether the worker itself says so; what arrived is counted afterwards, from outside."""
    return look.events >= backlog.events and all(sum(look.lanes[s]["cursors"]) >= backlog.events for s in HEALTHY)


def _memory_claims(looks: Sequence[Look], budget_bytes: float, peak_bytes: int) -> list[Claim]:
    settled = [look for look in looks if look.events >= SETTLED_EVENTS]
    return [
        _growth_claim(settled)
        if len(settled) > 1
        else Claim(False, f"{looks[-1].events} events are too few to judge growth beyond {SETTLED_EVENTS}"),
        Claim(
            peak_bytes <= budget_bytes,
            f"never more than {peak_bytes / MIB:.1f} MiB; validate prints {budget_bytes / MIB:.1f} MiB",
        ),
    ]


def _growth_claim(settled: Sequence[Look]) -> Claim:
    first, highest_bytes = settled[0], max(look.rss_bytes for look in settled)
    growth_bytes = highest_bytes - first.rss_bytes
    return Claim(
        growth_bytes <= GROWTH_LIMIT_BYTES,
        f"{first.rss_bytes / MIB:.1f} MiB at event {first.events}, at most {highest_bytes / MIB:.1f} MiB in "
        f"{len(settled)} looks from there: {growth_bytes / MIB:+.1f} MiB, limit {GROWTH_LIMIT_BYTES / MIB:.0f}",
    )


def _export_claims(kafka: Kafka, settings: Settings, names: Names, backlog: Backlog, last: Look) -> list[Claim]:
    servers = kafka.bootstrap
    ends = {partition: high for partition, (_, high) in ranges(servers, names.events).items()}
    at = {s: cursors(servers, settings.cursor_group(s), names.events, sorted(ends)) for s in (*HEALTHY, STALLED)}
    written = records_in(servers, names.sink(STALLED))
    exported = last.lanes[STALLED]["exported"]
    letters = records_in(servers, names.dead_letters)
    wanted = Arrivals(backlog.good_events, backlog.records, backlog.records)
    claims = [
        Claim(
            written == 0 and exported == 0 and not any(at[STALLED].values()),
            f"{STALLED}: {exported} records exported, {written} in its topic, cursors {at[STALLED]}",
        ),
        Claim(letters == backlog.poison, f"{letters} dead letters for {backlog.poison} poison events"),
    ]
    for sink_id in HEALTHY:
        got = arrivals(servers, names.sink(sink_id), names.events)
        claims.append(
            Claim(
                got == wanted and at[sink_id] == ends,
                f"{sink_id}: {got.events} of {wanted.events} good events, {got.distinct_records} of "
                f"{wanted.records} records, {got.records - got.distinct_records} duplicates; cursors at the log's end: "
                f"{at[sink_id] == ends}",
            )
        )
    return claims


def _rows(looks: Sequence[Look], backlog: Backlog) -> list[Row]:
    """One per tenth of the events: the memory then, and the highest since the one before."""
    rows: list[Row] = []
    since: list[Look] = []
    line = 0
    for look in looks:
        since.append(look)
        if look.events >= line * backlog.events // 10:
            line = look.events * 10 // backlog.events + 1
            figures = {
                "events": float(look.events),
                "after_s": look.at_s - looks[0].at_s,
                "rss_mib": look.rss_bytes / MIB,
                "highest_mib": max(one.rss_bytes for one in since) / MIB,
            }
            rows.append(Row("tailrace", f"{look.events:,} events", figures))
            since = []
    return rows


def _print_rows(rows: Sequence[Row]) -> None:
    print("\n| events | after s | RSS MiB | highest since MiB |\n|---:|---:|---:|---:|")
    for figures in (row.figures for row in rows):
        after = f"{figures['events']:.0f} | {figures['after_s']:.0f}"
        print(f"| {after} | {figures['rss_mib']:.1f} | {figures['highest_mib']:.1f} |")
    print()


def _result(
    size: str, made: Mapping[str, Any], rows: Sequence[Row], backlog: Backlog, claims: Sequence[Claim]
) -> Result:
    described = {
        "events": backlog.events,
        "records_for_each_sink": backlog.records,
        "mean_event_bytes": round(backlog.mean_event_bytes),
        "mean_record_bytes": 0,
    }
    parameters = {
        "rows": [[row.contestant, row.variant] for row in rows],
        "backlogs": [described],
        "claims": [[claim.holds, claim.text] for claim in claims],
    }
    return Result("memory", size, parameters, made, [rows])


if __name__ == "__main__":
    main()
