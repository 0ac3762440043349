"""Events per second and processor time per event of one worker on a backlog, beside a null pipeline's.

    python -m bench.throughput                 100 000 events, three turns

A turn is a worker with three Kafka sinks, one with a single sink, and the null pipeline with three, on the same events,
so that what else the machine does meets all of them. Each is a process of its own whose processor time is read from
/proc between its first read and the last record it wrote; the broker's is not in it.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median

from bench.backlog import Backlog, fill
from bench.child import Child
from bench.cluster import cluster
from bench.configuration import SINK_IDS, Names, create_events_topic, create_topics, write
from bench.topics import last_written_s, read, records_in, wait_until_drained
from tailrace.settings import Settings
from tests.kafka.broker import Kafka

START_TIMEOUT_S = 60.0
DRAIN_TIMEOUT_S = 600.0

NULL_RUNS = 3

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

    def __init__(self, kafka: Kafka, folder: Path) -> None:
        self._kafka = kafka
        self._folder = folder
        self._names = Names.fresh()
        self._runs = 0
        create_events_topic(kafka, self._names)

    def fill(self, events: int, seed: int) -> Backlog:
        return fill(self._configured(self._names.again(0), SINK_IDS)[1], events, seed)

    def worker(
        self,
        backlog: Backlog,
        sink_ids: tuple[str, ...],
        module: str = "tailrace",
        arguments: Callable[[Path], list[str]] = lambda config: ["run", "--config", str(config)],
    ) -> tuple[Run, float]:
        """One run of a worker over the whole backlog, and the mean size of what it wrote."""
        names = self._next_names(sink_ids)
        file, settings = self._configured(names, sink_ids)
        groups = [settings.cursor_group(sink_id) for sink_id in settings.sinks]
        run = self._measured(
            Child(module, arguments(file), self._log(names)),
            names,
            sink_ids,
            backlog,
            lambda child: wait_until_drained(child, self._kafka.bootstrap, names.events, groups, DRAIN_TIMEOUT_S),
        )
        written = islice(read(self._kafka.bootstrap, names.sink(sink_ids[0])), SAMPLED_RECORDS)
        sizes = [len(message.value() or b"") for message in written]
        return run, sum(sizes) / len(sizes)

    def null_pipeline(self, backlog: Backlog, sink_ids: tuple[str, ...], value_bytes: int) -> Run:
        """The null pipeline over the whole backlog, three times: the run of median processor time.

        One takes a second or two, which is short enough for a neighbour's burst of work to double it.
        """
        runs = [self._null_run(backlog, sink_ids, value_bytes) for _ in range(NULL_RUNS)]
        return sorted(runs, key=lambda run: run.cpu_s)[NULL_RUNS // 2]

    def _null_run(self, backlog: Backlog, sink_ids: tuple[str, ...], value_bytes: int) -> Run:
        names = self._next_names(sink_ids)
        file, _ = self._configured(names, sink_ids)
        sizes = ["--events", backlog.events, "--records", backlog.records, "--value-bytes", value_bytes]
        return self._measured(
            Child("bench.null_pipeline", ["--config", str(file), *map(str, sizes)], self._log(names)),
            names,
            sink_ids,
            backlog,
            lambda child: child.wait_for("all written", DRAIN_TIMEOUT_S),
        )

    def _measured(
        self,
        child: Child,
        names: Names,
        sink_ids: tuple[str, ...],
        backlog: Backlog,
        drained: Callable[[Child], object],
    ) -> Run:
        try:
            begun_s = child.wait_for("reading a partition", START_TIMEOUT_S)[0].at_s
            drained(child)
            topics = [names.sink(sink_id) for sink_id in sink_ids]
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

    def _next_names(self, sink_ids: tuple[str, ...]) -> Names:
        self._runs += 1
        names = self._names.again(self._runs)
        create_topics(self._kafka, names, sink_ids)
        return names

    def _configured(self, names: Names, sink_ids: tuple[str, ...]) -> tuple[Path, Settings]:
        file = self._folder / f"{names.run}.yaml"
        sinks = {sink_id: {"kind": "durable_trace", "topic": names.sink(sink_id)} for sink_id in sink_ids}
        return file, write(file, self._kafka, names, sinks)

    def _log(self, names: Names) -> Path:
        return self._folder / f"{names.run}.log"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=3, help="medians over these are printed")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    turns: list[Turn] = []
    with cluster() as kafka, tempfile.TemporaryDirectory(prefix="tailrace-bench-") as folder:
        bench = Bench(kafka, Path(folder))
        backlog = bench.fill(arguments.events, arguments.seed)
        print(
            f"{backlog.events} events of {backlog.event_bytes / backlog.events:.0f} bytes, {backlog.poison} of them "
            f"poison; {backlog.records} records for each sink",
            flush=True,
        )
        for _ in range(arguments.turns):
            worker, value_bytes = bench.worker(backlog, SINK_IDS)
            one_sink, _ = bench.worker(backlog, SINK_IDS[:1])
            turns.append(Turn(worker, one_sink, bench.null_pipeline(backlog, SINK_IDS, round(value_bytes))))
            print("  " + ", ".join(f"{name} {_brief(run)}" for name, run in turns[-1].rows().items()), flush=True)
    print(f"\nmedians of {len(turns)} turns; telemetry records of {value_bytes:.0f} bytes\n")
    _report(turns)


@dataclass(frozen=True, slots=True)
class Turn:
    """Runs close to each other in time, so that a ratio between them owes little to the machine's mood."""

    worker: Run
    one_sink: Run
    null: Run

    def rows(self) -> dict[str, Run]:
        return {"worker, three sinks": self.worker, "worker, one sink": self.one_sink, "null pipeline": self.null}


def _brief(run: Run) -> str:
    return f"{run.events_per_s:.0f}/s {run.us_per_event(run.cpu_s):.1f} us"


def _report(turns: Sequence[Turn]) -> None:
    print("| | events/s | CPU us/event | of it librdkafka's threads | start to end, CPU s | peak RSS MiB |")
    print("|---|---:|---:|---:|---:|---:|")
    for name in turns[0].rows():
        runs = [turn.rows()[name] for turn in turns]
        print(
            f"| {name} | {median(run.events_per_s for run in runs):.0f} "
            f"| {median(run.us_per_event(run.cpu_s) for run in runs):.1f} "
            f"| {median(run.us_per_event(run.client_cpu_s) for run in runs):.1f} "
            f"| {median(run.whole_life_cpu_s for run in runs):.1f} "
            f"| {median(run.peak_rss_bytes for run in runs) / 2**20:.0f} |"
        )
    slower = median(turn.null.events_per_s / turn.worker.events_per_s for turn in turns)
    dearer = median(turn.worker.cpu_s / turn.null.cpu_s for turn in turns)
    a_sink = median((turn.worker.cpu_s / turn.one_sink.cpu_s - 1) / (len(SINK_IDS) - 1) for turn in turns)
    print(f"\nworker to null pipeline, median of turns: {dearer:.1f} times the CPU, 1/{slower:.1f} of the events/s")
    print(f"a further sink adds {a_sink:.0%} to the CPU of a worker with one")


if __name__ == "__main__":
    main()
