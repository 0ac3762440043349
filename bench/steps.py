"""Where a worker's processor time goes, step by step and thread by thread, on a backlog with three Kafka sinks.

python -m bench.steps
"""

import argparse
import json
import tempfile
from collections import defaultdict
from pathlib import Path

from bench.cluster import cluster
from bench.configuration import SINK_IDS
from bench.throughput import Bench, Run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    with cluster() as kafka, tempfile.TemporaryDirectory(prefix="tailrace-bench-") as folder:
        bench = Bench(kafka, Path(folder))
        backlog = bench.fill(arguments.events, arguments.seed)
        result = Path(folder) / "steps.json"
        run, _ = bench.worker(backlog, SINK_IDS, "bench.timed_worker", lambda config: [str(config), str(result)])
        _report(run, [(thread, step, spent_s) for thread, step, spent_s in json.loads(result.read_text())])


def _report(run: Run, spent: list[tuple[str, str, float]]) -> None:
    by_step: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for thread, step, spent_s in spent:
        by_step[step][_sort(thread)] += spent_s
    print(f"{run.events} events at {run.events_per_s:.0f}/s; microseconds of processor time per event\n")
    print("| step | intake | three lanes | dead-letter lane | journals | in all | share |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    whole_us = run.us_per_event(run.cpu_s)
    rows = {step: {sort: run.us_per_event(s) for sort, s in cells.items()} for step, cells in by_step.items()}
    timed_us = sum(sum(cells.values()) for cells in rows.values())
    client_us = run.us_per_event(run.client_cpu_s)
    for step, cells in sorted(rows.items(), key=lambda row: -sum(row[1].values())):
        columns = " | ".join(f"{cells.get(sort, 0.0):.2f}" for sort in ("intake", "lanes", "dead letters", "journals"))
        print(f"| {step} | {columns} | {sum(cells.values()):.2f} | {sum(cells.values()) / whole_us:.1%} |")
    for name, us in (
        ("librdkafka's own threads", client_us),
        ("not in any step", whole_us - timed_us - client_us),
        ("in all", whole_us),
    ):
        print(f"| {name} | | | | | {us:.2f} | {us / whole_us:.1%} |")


def _sort(thread: str) -> str:
    if thread.startswith("journal-"):
        return "journals"
    if thread.startswith("lane-"):
        return "lanes" if thread.removeprefix("lane-") in SINK_IDS else "dead letters"
    return "intake"


if __name__ == "__main__":
    main()
