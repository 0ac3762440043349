"""Events per second and processor time per event of one worker on a backlog, beside a null pipeline's.

    python -m bench.throughput                 three Kafka sinks, 100 000 events, three pairs of runs
    python -m bench.throughput --sinks 1       what one lane costs

Both run on the same events, in turns, so that what else the machine does meets both. Each is a process of its own whose
processor time is read from /proc between its first read and the last record it wrote; the broker's is not in it.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.backlog import Backlog, fill
from bench.child import Child
from bench.cluster import cluster
from bench.configuration import SINK_IDS, Names, create_events_topic, create_topics, write
from bench.topics import last_written_s, read, records_in, wait_until_drained
from tests.kafka.broker import Kafka

from tailrace.settings import Settings

START_TIMEOUT_S = 60.0
DRAIN_TIMEOUT_S = 600.0

SAMPLED_RECORDS = 5_000
"""Telemetry records whose sizes give the mean that the null pipeline writes."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run's figures. Processor times are user and system, in seconds; the client's are part of the whole."""

    events: int
    elapsed_s: float
    cpu_s: float
    client_cpu_s: float
    whole_life_cpu_s: float
    peak_rss_bytes: int

    @property
    def events_per_s(self) -> float:
        return self.events / self.elapsed_s

    def us_per_event(self, cpu_s: float) -> float:
        return cpu_s / self.events * 1e6


class Bench:
    """Runs worker and null pipeline on one backlog."""

    def __init__(self, kafka: Kafka, folder: Path, sink_ids: tuple[str, ...]) -> None:
        self._kafka = kafka
        self._folder = folder
        self._sink_ids = sink_ids
        self._names = Names.fresh()
        self._runs = 0
        create_events_topic(kafka, self._names)

    def fill(self, events: int, seed: int) -> Backlog:
        names = self._names.again(0)
        return fill(self._configured(names)[1], events, seed)

    def worker(self, backlog: Backlog) -> tuple[Run, float]:
        """One run of `tailrace run` over the whole backlog, and the mean size of what it wrote."""
        names = self._next_names()
        file, settings = self._configured(names)
        groups = [settings.cursor_group(sink_id) for sink_id in settings.sinks]
        run = self._measured(
            Child("tailrace", ["run", "--config", str(file)], self._log(names)),
            names,
            backlog,
            lambda child: wait_until_drained(child, self._kafka.bootstrap, names.events, groups, DRAIN_TIMEOUT_S),
        )
        sizes = [
            len(m.value() or b"")
            for m, _ in zip(
                read(self._kafka.bootstrap, names.sink(self._sink_ids[0])), range(SAMPLED_RECORDS), strict=False
            )
        ]
        return run, sum(sizes) / len(sizes)

    def null_pipeline(self, backlog: Backlog, value_bytes: int) -> Run:
        """One run of the null pipeline over the whole backlog."""
        names = self._next_names()
        file, _ = self._configured(names)
        sizes = ["--events", backlog.events, "--records", backlog.records, "--value-bytes", value_bytes]
        return self._measured(
            Child("bench.null_pipeline", ["--config", str(file), *map(str, sizes)], self._log(names)),
            names,
            backlog,
            lambda child: child.wait_for("all written", DRAIN_TIMEOUT_S),
        )

    def _measured(self, child: Child, names: Names, backlog: Backlog, drained: Callable[[Child], object]) -> Run:
        try:
            begun_s = child.wait_for("reading a partition", START_TIMEOUT_S)[0].at_s
            drained(child)
            topics = [names.sink(sink_id) for sink_id in self._sink_ids]
            finished_s = last_written_s(self._kafka.bootstrap, topics)
            ended = child.end()
        finally:
            child.discard()
        if ended.code != 0:
            raise SystemExit(f"the process under measurement ended with {ended.code}; see {self._log(names)}")
        for topic in topics:
            if (found := records_in(self._kafka.bootstrap, topic)) != backlog.records:
                raise SystemExit(f"{topic} holds {found} records instead of {backlog.records}")
        (cpu_before_s, client_before_s), (cpu_s, client_s) = child.cpu_at_s(begun_s), child.cpu_at_s(finished_s)
        return Run(
            backlog.events,
            finished_s - begun_s,
            cpu_s - cpu_before_s,
            client_s - client_before_s,
            ended.cpu_s,
            ended.peak_rss_bytes,
        )

    def _next_names(self) -> Names:
        self._runs += 1
        names = self._names.again(self._runs)
        create_topics(self._kafka, names, self._sink_ids)
        return names

    def _configured(self, names: Names) -> tuple[Path, Settings]:
        file = self._folder / f"{names.run}.yaml"
        sinks = {sink_id: {"kind": "durable_trace", "topic": names.sink(sink_id)} for sink_id in self._sink_ids}
        return file, write(file, self._kafka, names, sinks)

    def _log(self, names: Names) -> Path:
        return self._folder / f"{names.run}.log"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--pairs", type=int, default=3, help="runs of each; the medians are printed")
    parser.add_argument("--sinks", type=int, default=3, choices=range(1, len(SINK_IDS) + 1))
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    with cluster() as kafka, tempfile.TemporaryDirectory(prefix="tailrace-bench-") as folder:
        bench = Bench(kafka, Path(folder), SINK_IDS[: arguments.sinks])
        backlog = bench.fill(arguments.events, arguments.seed)
        print(
            f"{backlog.events} events of {backlog.event_bytes / backlog.events:.0f} bytes, {backlog.poison} of them "
            f"poison; {backlog.records} records for each of {arguments.sinks} sinks",
            flush=True,
        )
        workers: list[Run] = []
        nulls: list[Run] = []
        for _ in range(arguments.pairs):
            worker, value_bytes = bench.worker(backlog)
            null = bench.null_pipeline(backlog, round(value_bytes))
            workers.append(worker)
            nulls.append(null)
            print(f"  worker {_brief(worker)}, null pipeline {_brief(null)}", flush=True)
    _report(workers, nulls, round(value_bytes))


def _brief(run: Run) -> str:
    return f"{run.events_per_s:.0f}/s {run.us_per_event(run.cpu_s):.1f} us"


def _report(workers: Sequence[Run], nulls: Sequence[Run], value_bytes: int) -> None:
    print(f"\nmedians of {len(workers)} runs each, in turns; telemetry records of {value_bytes} bytes\n")
    print("| | events/s | CPU us/event | of it librdkafka's threads | start to end, CPU s | peak RSS MiB |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, runs in (("worker", workers), ("null pipeline", nulls)):
        print(
            f"| {name} | {median(run.events_per_s for run in runs):.0f} "
            f"| {median(run.us_per_event(run.cpu_s) for run in runs):.1f} "
            f"| {median(run.us_per_event(run.client_cpu_s) for run in runs):.1f} "
            f"| {median(run.whole_life_cpu_s for run in runs):.1f} "
            f"| {median(run.peak_rss_bytes for run in runs) / 2**20:.0f} |"
        )
    slower = median(n.events_per_s / w.events_per_s for w, n in zip(workers, nulls, strict=True))
    dearer = median(w.cpu_s / n.cpu_s for w, n in zip(workers, nulls, strict=True))
    print(f"| ratio, median of pairs | 1 : {slower:.1f} | {dearer:.1f} | | | |")


if __name__ == "__main__":
    main()
