"""What a worker has done, as numbers that can be sent, added up, and written down at the end of a run."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tailrace.runtime.ports import Log
from tailrace.runtime.statistics import WorkerSnapshot


@dataclass(frozen=True, slots=True)
class SinkTally:
    """Records that one sink got, did not want, and did not get, each of the last in the ledger."""

    exported: int = 0
    filtered: int = 0
    dropped: int = 0

    def __add__(self, other: "SinkTally") -> "SinkTally":
        return SinkTally(self.exported + other.exported, self.filtered + other.filtered, self.dropped + other.dropped)


@dataclass(frozen=True, slots=True)
class WorkReport:
    """Counts since a worker's start; `sinks` has every lane by its sink id. Reports of several workers add up."""

    events: int = 0
    undecodable: int = 0
    sinks: Mapping[str, SinkTally] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(cls, snapshot: WorkerSnapshot) -> "WorkReport":
        sinks = {lane.sink_id: SinkTally(lane.exported, lane.filtered, lane.dropped) for lane in snapshot.lanes}
        return cls(snapshot.consumed_events, snapshot.undecodable_events, MappingProxyType(sinks))

    @classmethod
    def total(cls, reports: Iterable["WorkReport"]) -> "WorkReport":
        """The sum over workers, or over the lives of one."""
        events = undecodable = 0
        sinks: dict[str, SinkTally] = {}
        for report in reports:
            events += report.events
            undecodable += report.undecodable
            for sink_id, tally in report.sinks.items():
                sinks[sink_id] = sinks.get(sink_id, SinkTally()) + tally
        return cls(events, undecodable, MappingProxyType(dict(sorted(sinks.items()))))

    def to_line(self) -> bytes:
        """The report as one line of JSON, its line end included."""
        sinks = {sink_id: [tally.exported, tally.filtered, tally.dropped] for sink_id, tally in self.sinks.items()}
        form = {"events": self.events, "undecodable": self.undecodable, "sinks": sinks}
        return json.dumps(form, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "WorkReport | None":
        """What `to_line` wrote; None for anything else, such as a line that a library printed."""
        try:
            form = json.loads(line)
            sinks = {str(sink_id): SinkTally(*map(int, counts)) for sink_id, counts in form["sinks"].items()}
            return cls(int(form["events"]), int(form["undecodable"]), MappingProxyType(sinks))
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What one worker came to from its first start to its last end.

    `exit_code` is that of its last process, negative for the signal that ended it. `cpu_s` is processor time, user and
    system, of all its processes.
    """

    number: int
    report: WorkReport
    restarts: int
    cpu_s: float
    exit_code: int


def log_lives(lives: Iterable[Life], logger: Log) -> None:
    """A line per worker and one per worker and sink, for `tailrace run --workers N`."""
    for life in lives:
        for sink_id, tally in life.report.sinks.items():
            logger.event(
                "sink summary",
                worker=life.number,
                sink=sink_id,
                exported=tally.exported,
                filtered=tally.filtered,
                dropped=tally.dropped,
            )
        logger.event(
            "worker summary",
            worker=life.number,
            events=life.report.events,
            undecodable=life.report.undecodable,
            restarts=life.restarts,
            cpu_s=round(life.cpu_s, 2),
            exit_code=life.exit_code,
        )


def log_run(
    report: WorkReport, *, workers: int, restarts: int, cpu_s: float, elapsed_s: float, exit_code: int, logger: Log
) -> None:
    """The last lines of every run: one per sink, one over all. `report` is the sum over the workers."""
    for sink_id, tally in report.sinks.items():
        logger.event(
            "sink summary", sink=sink_id, exported=tally.exported, filtered=tally.filtered, dropped=tally.dropped
        )
    logger.event(
        "run summary",
        workers=workers,
        events=report.events,
        undecodable=report.undecodable,
        restarts=restarts,
        cpu_s=round(cpu_s, 2),
        elapsed_s=round(elapsed_s, 2),
        exit_code=exit_code,
    )
