"""A worker's memory over a million events or five, one of its three sinks stalled from the first event to the last.

    python -m bench.memory --quick             a million events
    python -m bench.memory --full              five million; about 4 GB of disk for the broker
    python -m bench.memory                     a million; the broker refuses the sink's topic: a producer per attempt
    python -m bench.memory --stall missing     the sink's topic does not exist; each attempt lasts its time-out
    python -m bench.memory --stall scripted    a sink without a destination that never takes anything
    python -m bench.memory --let-go            after a third a healthy lane is let go, and reads the rest from the log

Exit code 0 only if, after the first 200 000 events, the resident memory never rises by more than 10 MiB, always stays
below what `tailrace validate` prints, the stalled sink got nothing, and the two others got every record exactly once.
A lane that is let go, which on a busy machine happens unasked, may take memory for its reader once (`bench.growth`).
One that was let go on purpose may have sent part of two batches twice.
"""

import argparse
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.backlog import Backlog, fill
from bench.child import Child, Line, python
from bench.closed_topic import close_topic, open_topic
from bench.cluster import cluster
from bench.configuration import SINK_IDS, Names, create_events_topic, create_topics, write
from bench.growth import MIB, Claim, Look, Stretch, growth_claims, stretches
from bench.results import Result, Row, provenance, save
from bench.topics import Arrivals, arrivals, cursors, ranges, records_in
from tailrace.settings import Settings
from tailrace.settings.budget import PROJECTIONS_PER_EVENT
from tests.kafka.broker import Kafka

SIZES = {"quick": 1_000_000, "full": 5_000_000}

LOOK_S = 2.0
START_TIMEOUT_S = 60.0
SAMPLE_TIMEOUT_S = 5.0
STALLED = "stalled"
HEALTHY = SINK_IDS[:2]


class LetGo:
    """Keeps one lane from exporting as soon as a third of the events are in, until it is let go and reads the log."""

    def __init__(self, bootstrap: str, sink_id: str, topic: str, events: int) -> None:
        self._bootstrap = bootstrap
        self._sink_id = sink_id
        self._topic = topic
        self._events = events
        self._closed = False
        self._done = False

    def __call__(self, look: Look) -> None:
        if not self._closed and look.events >= self._events // 3:
            close_topic(self._bootstrap, self._topic)
            self._closed = True
        # With nothing more to come its buffer may have room for the rest, and nobody lets it go.
        elif self._closed and not self._done and (look.behind([self._sink_id]) or look.events >= self._events):
            self.end()
            self._done = True

    def end(self) -> None:
        open_topic(self._bootstrap, self._topic)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = parser.add_mutually_exclusive_group()
    for name, events in SIZES.items():
        sizes.add_argument(f"--{name}", dest="size", action="store_const", const=name, help=f"{events} events")
    parser.add_argument("--events", type=int, help="instead of the size's own number; the figures are not kept then")
    parser.add_argument("--stall", choices=("refused", "missing", "scripted"), default="refused")
    parser.add_argument("--let-go", action="store_true", help=f"after a third, let {HEALTHY[0]} read the log by itself")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--within-s", type=float, default=3_600.0, help="give up when the worker takes longer")
    arguments = parser.parse_args()
    size: str = arguments.size or "quick"
    made = provenance()
    with cluster() as kafka:
        folder = Path(tempfile.mkdtemp(prefix="tailrace-bench-"))
        print(f"the worker's log is in {folder} until all is well", flush=True)
        backlog, looks, claims = _run(kafka, folder, arguments, arguments.events or SIZES[size])
    rows = _rows(looks, backlog)
    _print_rows(rows)
    if arguments.events is None:
        scenario = "memory-let-go" if arguments.let_go else "memory"
        save(Result(scenario, size, _parameters(rows, backlog, claims), made, [rows]))
    for claim in claims:
        print(f"{'ok  ' if claim.holds else 'FAIL'} {claim.text}")
    if not all(claim.holds for claim in claims):
        raise SystemExit(1)
    shutil.rmtree(folder)


def _run(
    kafka: Kafka, folder: Path, arguments: argparse.Namespace, events: int
) -> tuple[Backlog, list[Look], list[Claim]]:
    """What was in the log, how the worker was while it read that, and what has to be true of it."""
    names = Names.fresh()
    file = folder / "tailrace.yaml"
    settings = write(file, kafka, names, _sinks(names, arguments.stall))
    create_events_topic(kafka, names)
    create_topics(kafka, names, HEALTHY)
    _stall(kafka, names, arguments.stall)
    budget_bytes = _printed_budget_bytes(file)
    backlog = fill(settings, events, arguments.seed)
    print(f"{backlog.events} events, {backlog.event_bytes / MIB:.0f} MiB, {backlog.poison} of them poison", flush=True)
    let_go = LetGo(kafka.bootstrap, HEALTHY[0], names.sink(HEALTHY[0]), events) if arguments.let_go else None
    with ExitStack() as at_the_end:
        # Whoever may not write to a topic may not remove it either.
        if arguments.stall == "refused":
            at_the_end.callback(open_topic, kafka.bootstrap, names.sink(STALLED))
        if let_go is not None:
            at_the_end.callback(let_go.end)
        child = Child(python("tailrace", "run", "--config", str(file)), folder / "worker.log")
        at_the_end.callback(child.discard)
        looks = _watch(child, settings, backlog, arguments.within_s, let_go or _nobody)
        failures, recoveries = child.lines("sink failed"), child.lines("sink recovered")
        ended = child.end()
    # The system's own peak is brought up to date now and then only, and can lie below what was seen.
    peak_bytes = max(ended.peak_rss_bytes, *(sample.rss_bytes for sample in child.samples))
    run = stretches(looks, HEALTHY, backlog.events)
    claims = [*growth_claims(run), *([_let_go_claim(run)] if let_go else []), _budget_claim(peak_bytes, budget_bytes)]
    claims.append(Claim(ended.code == 0, f"the worker stopped with exit code {ended.code}"))
    claims.append(_stalled_claim(failures, recoveries))
    claims += _export_claims(kafka, settings, names, backlog, looks[-1], failed=HEALTHY[:1] if let_go else ())
    return backlog, looks, claims


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


def _watch(
    child: Child, settings: Settings, backlog: Backlog, within_s: float, seen: Callable[[Look], None]
) -> list[Look]:
    """Look at the worker every two seconds until the healthy sinks' cursors are at the end of the log."""
    child.wait_for("reading a partition", START_TIMEOUT_S)
    looks: list[Look] = []
    give_up_s = time.monotonic() + within_s
    while not looks or min(looks[-1].events, looks[-1].through(HEALTHY)) < backlog.events:
        if time.monotonic() > give_up_s:
            raise SystemExit(f"the healthy sinks were not done within {within_s} s; {settings.events.topic} stays")
        time.sleep(LOOK_S)
        looks.append(_look(child, len(looks)))
        seen(looks[-1])
        if len(looks) % 30 == 0:
            print(f"  {looks[-1].through(HEALTHY)} events, {looks[-1].rss_bytes / MIB:.1f} MiB", flush=True)
    return looks


def _nobody(look: Look) -> None:
    """Nobody waits for what was seen."""


def _look(child: Child, earlier: int) -> Look:
    child.signal(signal.SIGUSR1)
    snapshot = child.wait_for("worker snapshot", START_TIMEOUT_S, earlier + 1)[-1]
    if (sample := child.samples[-1]).at_s < snapshot.at_s - SAMPLE_TIMEOUT_S:
        raise SystemExit(f"the worker's memory was last seen {snapshot.at_s - sample.at_s:.0f} s before it said this")
    lanes = {line.fields["sink"]: line.fields for line in child.lines("lane snapshot")[-snapshot.fields["lanes"] :]}
    return Look(snapshot.at_s, snapshot.fields["events"], sample.rss_bytes, lanes)


def _let_go_claim(run: Sequence[Stretch]) -> Claim:
    """A run in which that lane never read beside the intake, or only for a moment, shows nothing of it."""
    beside = [stretch for stretch in run if HEALTHY[0] in stretch.behind and not stretch.intake_at_end]
    judged = any(stretch.judged for stretch in beside)
    return Claim(judged, f"{HEALTHY[0]} was {'' if judged else 'not '}let go for long enough while the intake read")


def _budget_claim(peak_bytes: float, budget_bytes: float) -> Claim:
    return Claim(
        peak_bytes <= budget_bytes,
        f"never more than {peak_bytes / MIB:.1f} MiB; validate prints {budget_bytes / MIB:.1f} MiB",
    )


def _stalled_claim(failures: Sequence[Line], recoveries: Sequence[Line]) -> Claim:
    failed = [line.fields["detail"] for line in failures if line.fields["sink"] == STALLED]
    recovered = [line for line in recoveries if line.fields["sink"] == STALLED]
    return Claim(bool(failed) and not recovered, f"{STALLED} failed ({', '.join(failed)}) and never recovered")


def _export_claims(
    kafka: Kafka, settings: Settings, names: Names, backlog: Backlog, last: Look, *, failed: Collection[str]
) -> list[Claim]:
    """Every record is there, and once. A lane's exports that `failed`, as its topic was closed and perhaps as it was
    opened again, may have got part of those two batches there."""
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
        duplicates = got.records - got.distinct_records
        once = Arrivals(got.events, got.distinct_records, got.distinct_records)
        batch = settings.sinks[sink_id].batch.records + PROJECTIONS_PER_EVENT
        allowed = 2 * batch if sink_id in failed else 0
        claims.append(
            Claim(
                once == wanted and duplicates <= allowed and at[sink_id] == ends,
                f"{sink_id}: {got.events} of {wanted.events} good events, {got.distinct_records} of "
                f"{wanted.records} records, {duplicates} duplicates, limit {allowed}; "
                f"cursors at the log's end: {at[sink_id] == ends}",
            )
        )
    return claims


def _rows(looks: Sequence[Look], backlog: Backlog) -> list[Row]:
    """One per tenth of the events that every healthy lane is through with: the memory then, and the highest since the
    one before."""
    rows: list[Row] = []
    since: list[Look] = []
    line = 0
    for look in looks:
        since.append(look)
        through = look.through(HEALTHY)
        if through >= line * backlog.events // 10:
            line = through * 10 // backlog.events + 1
            figures = {
                "events": float(through),
                "after_s": look.at_s - looks[0].at_s,
                "behind": float(len(look.behind(HEALTHY))),
                "rss_mib": look.rss_bytes / MIB,
                "highest_mib": max(one.rss_bytes for one in since) / MIB,
            }
            rows.append(Row("tailrace", f"{through:,} events", figures))
            since = []
    return rows


def _print_rows(rows: Sequence[Row]) -> None:
    print("\n| events | after s | lanes let go | RSS MiB | highest since MiB |\n|---:|---:|---:|---:|---:|")
    for figures in (row.figures for row in rows):
        after = f"{figures['events']:.0f} | {figures['after_s']:.0f} | {figures['behind']:.0f}"
        print(f"| {after} | {figures['rss_mib']:.1f} | {figures['highest_mib']:.1f} |")
    print()


def _parameters(rows: Sequence[Row], backlog: Backlog, claims: Sequence[Claim]) -> dict[str, Any]:
    described = {
        "events": backlog.events,
        "records_for_each_sink": backlog.records,
        "mean_event_bytes": round(backlog.mean_event_bytes),
        "mean_record_bytes": 0,
    }
    return {
        "rows": [[row.contestant, row.variant] for row in rows],
        "backlogs": [described],
        "claims": [[claim.holds, claim.text] for claim in claims],
    }


if __name__ == "__main__":
    main()
