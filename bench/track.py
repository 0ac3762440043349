"""One events topic, and the runs over it: each measured, judged, and removed again."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench.backlog import Backlog, Mix, fill
from bench.child import Child, Ended
from bench.configuration import Names, create_events_topic, create_topics, sink_ids, write
from bench.contestants import SCHEMAS, Contestant, Course
from bench.measured import Run
from bench.proof import Proof
from bench.topics import cursors, delete, end_of, last_written_s, records_in, wait_for_records
from tailrace.settings import Settings
from tests.kafka.broker import Kafka

START_TIMEOUT_S = 60.0
DRAIN_TIMEOUT_S = 900.0

MEMORY_LIMIT_BYTES = 8 * 2**30
"""Eight sinks have a budget above the default limit, which is not what is measured."""


WORKER_ENDS = "worker summary"

LEAST_SHARE = 0.7
"""Of an even share. A worker has two of four partitions, whose numbers of events differ by a tenth; one that joins late
has a fiftieth of the events, or none [seen], and the run is one of a single worker."""


def idle(had: Sequence[int], workers: int, events: int) -> str | None:
    """Why these events per worker are not those of so many that shared the work, or None if they did."""
    if len(had) == workers and min(had) >= LEAST_SHARE * events / workers:
        return None
    told = ", ".join(f"{count:,}" for count in had) or "none"
    return f"its workers had {told} of {events:,} events"


class RunRefusedError(Exception):
    """A run that does not count: it ended badly, or did not deliver what it had to."""


class Track:
    """The events, and what every sink has to get of them."""

    def __init__(
        self,
        kafka: Kafka,
        folder: Path,
        mix: Mix,
        events: int,
        seed: int,
        *,
        events_settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._kafka = kafka
        self._events_settings = events_settings or {}
        self._folder = folder
        self._names = Names.fresh()
        self._runs = 0
        self._backlogs: list[Backlog] = []
        create_events_topic(kafka, self._names)
        self._proof = Proof(kafka.bootstrap, self._names.events, SCHEMAS)
        if events:
            self.fill(mix, events, seed)

    @property
    def events_topic(self) -> str:
        return self._names.events

    def fill(self, mix: Mix, events: int, seed: int) -> None:
        """Append events to the topic."""
        settings = self._written(self._names.again(0), sink_ids(1))[1]
        self._backlogs.append(fill(settings, events, seed, mix))
        self._proof = Proof(self._kafka.bootstrap, self._names.events, SCHEMAS)

    def described(self) -> dict[str, Any]:
        events = sum(backlog.events for backlog in self._backlogs)
        records = sum(backlog.records for backlog in self._backlogs)
        event_bytes = sum(backlog.event_bytes for backlog in self._backlogs)
        return {
            "events": events,
            "records_for_each_sink": records,
            "mean_event_bytes": round(event_bytes / max(1, events)),
            "mean_record_bytes": round(self._proof.expected.value_bytes / max(1, records)),
        }

    def run(self, contestant: Contestant, sinks: int = 3) -> Run:
        """One run over all events. Raises RunRefusedError; whatever was started has ended when this returns."""
        course = self.course(sink_ids(sinks))
        try:
            return self._measured(contestant, course)
        finally:
            self.remove(course)

    def course(self, sinks: tuple[str, ...], of_sinks: Mapping[str, Mapping[str, Any]] | None = None) -> Course:
        """Fresh topics and a configuration for one run; `of_sinks` has what of a sink is not as shipped."""
        self._runs += 1
        names = self._names.again(self._runs)
        create_topics(self._kafka, names, sinks)
        config, settings = self._written(names, sinks, of_sinks or {})
        expected = self._proof.expected
        return Course(
            self._kafka.bootstrap,
            names,
            sinks,
            config,
            settings,
            sum(backlog.events for backlog in self._backlogs),
            expected.records,
            self._folder,
        )

    def remove(self, course: Course) -> None:
        delete(course.bootstrap, [course.names.health, course.names.dead_letters, *course.sink_topics])

    def close(self) -> None:
        delete(self._kafka.bootstrap, [self._names.events])

    @contextmanager
    def started(self, contestant: Contestant, course: Course) -> Iterator[Child]:
        """The contestant, running; it is gone when the block is over, however that ends."""
        process = contestant.process(course)
        child = Child(process.command, self._folder / f"{course.names.run}.log", process.variables)
        try:
            yield child
        finally:
            child.discard()

    def ended(self, contestant: Contestant, child: Child) -> Ended:
        """Stop it as an operator would. Raises RunRefusedError if it does not end well."""
        ended = child.end()
        if ended.code != 0:
            raise RunRefusedError(f"{contestant.name} ended with {ended.code}")
        return ended

    def judge(
        self, contestant: Contestant, course: Course, from_offsets: Mapping[str, Mapping[int, int]] | None = None
    ) -> None:
        """Raises RunRefusedError unless every sink has exactly what it should and every group is at the log's end.

        `from_offsets` has the sinks' topics whose records begin later than with the first event.
        """
        proof = Proof(course.bootstrap, course.names.events, SCHEMAS) if course.events == 0 else self._proof
        ends = end_of(course.bootstrap, course.names.events)
        for group in contestant.groups(course):
            committed = cursors(course.bootstrap, group, course.names.events, sorted(ends))
            if committed != ends:
                raise RunRefusedError(f"{contestant.name} left {group} at {committed}, not at the log's end {ends}")
        for topic in course.sink_topics:
            if contestant.writes_the_records:
                refusal = proof.refusal(topic, (from_offsets or {}).get(topic, {}))
            else:
                found = records_in(course.bootstrap, topic)
                refusal = None if found == course.records else f"{topic} holds {found} records"
            if refusal is not None:
                raise RunRefusedError(f"{contestant.name}: {refusal}")

    def _measured(self, contestant: Contestant, course: Course) -> Run:
        with self.started(contestant, course) as child:
            line = child.wait_for(contestant.begins, START_TIMEOUT_S)[0]
            begun_s = line.seen_s if contestant.stamps_whole_seconds else line.at_s
            wanted = dict.fromkeys(course.sink_topics, course.records)
            wait_for_records(child, course.bootstrap, wanted, DRAIN_TIMEOUT_S)
            finished_s = last_written_s(course.bootstrap, course.sink_topics)
            ended = self.ended(contestant, child)
        self.judge(contestant, course)
        if contestant.workers > 1:
            had = [line.fields["events"] for line in child.lines(WORKER_ENDS)]
            if (refusal := idle(had, contestant.workers, course.events)) is not None:
                raise RunRefusedError(f"{contestant.name}: {refusal}")
        (before_s, client_before_s), (after_s, client_after_s) = child.cpu_at_s(begun_s), child.cpu_at_s(finished_s)
        # Not the system's own peak: that begins with what this process had when it forked, and is of one process only.
        peak_bytes = max(sample.rss_bytes for sample in child.samples)
        return Run(
            course.events,
            finished_s - begun_s,
            after_s - before_s,
            client_after_s - client_before_s,
            ended.cpu_s,
            peak_bytes,
        )

    def _written(
        self, names: Names, sinks: Sequence[str], of_sinks: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
    ) -> tuple[Path, Settings]:
        file = self._folder / f"{names.run}.yaml"
        keys = {sink: {"kind": "durable_trace", "topic": names.sink(sink), **of_sinks.get(sink, {})} for sink in sinks}
        return file, write(
            file, self._kafka, names, keys, {"memory_limit_bytes": MEMORY_LIMIT_BYTES}, events=self._events_settings
        )
