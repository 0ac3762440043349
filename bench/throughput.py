"""One worker on a backlog of the demonstration's events, poison included: what `bench.steps` looks into.

How tailrace compares with others is measured by `bench.compare`.
"""

from collections.abc import Callable
from itertools import islice
from pathlib import Path

from bench.backlog import Backlog, fill
from bench.child import Child, python
from bench.configuration import SINK_IDS, Names, create_events_topic, create_topics, write
from bench.measured import Run
from bench.topics import last_written_s, read, records_in, wait_until_drained
from tailrace.settings import Settings
from tests.kafka.broker import Kafka

__all__ = ["Bench", "Run"]

START_TIMEOUT_S = 60.0
DRAIN_TIMEOUT_S = 600.0

SAMPLED_RECORDS = 5_000
"""Telemetry records whose sizes give the mean that is returned."""


class Bench:
    """Runs workers on one backlog."""

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
        self._runs += 1
        names = self._names.again(self._runs)
        create_topics(self._kafka, names, sink_ids)
        file, settings = self._configured(names, sink_ids)
        groups = [settings.cursor_group(sink_id) for sink_id in settings.sinks]
        topics = [names.sink(sink_id) for sink_id in sink_ids]
        log = self._folder / f"{names.run}.log"
        child = Child(python(module, *arguments(file)), log)
        try:
            begun_s = child.wait_for("reading a partition", START_TIMEOUT_S)[0].at_s
            wait_until_drained(child, self._kafka.bootstrap, names.events, groups, DRAIN_TIMEOUT_S)
            finished_s = last_written_s(self._kafka.bootstrap, topics)
            ended = child.end()
        finally:
            child.discard()
        if ended.code != 0:
            raise SystemExit(f"the process under measurement ended with {ended.code}; see {log}")
        for topic in topics:
            if (found := records_in(self._kafka.bootstrap, topic)) != backlog.records:
                raise SystemExit(f"{topic} holds {found} records instead of {backlog.records}")
        (cpu_before_s, client_before_s), (cpu_s, client_s) = child.cpu_at_s(begun_s), child.cpu_at_s(finished_s)
        run = Run(
            backlog.events,
            finished_s - begun_s,
            cpu_s - cpu_before_s,
            client_s - client_before_s,
            ended.cpu_s,
            ended.peak_rss_bytes,
        )
        written = islice(read(self._kafka.bootstrap, topics[0]), SAMPLED_RECORDS)
        sizes = [len(message.value() or b"") for message in written]
        return run, sum(sizes) / len(sizes)

    def _configured(self, names: Names, sink_ids: tuple[str, ...]) -> tuple[Path, Settings]:
        file = self._folder / f"{names.run}.yaml"
        sinks = {sink_id: {"kind": "durable_trace", "topic": names.sink(sink_id)} for sink_id in sink_ids}
        return file, write(file, self._kafka, names, sinks)
