"""A worker as a process: waits for Kafka, obeys signals, ends with an exit code and a summary."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tailrace.adapters.kafka_cluster import wait_for_cluster
from tailrace.adapters.logs import StructuredLog
from tailrace.adapters.supervised import Every, ReportPipe, follow_lifeline
from tailrace.adapters.topic_identity import TopicIdentity, TopicWatch, find_topic_id
from tailrace.bootstrap.assembly import EventsTopic, build_worker
from tailrace.bootstrap.collector import rare_collections
from tailrace.bootstrap.signals import snapshot_requests, stopping_on_signals
from tailrace.codec.schemas import SchemaStore
from tailrace.runtime.clock import Clock, Deadline, SystemClock
from tailrace.runtime.failures import place_of
from tailrace.runtime.statistics import log_snapshot
from tailrace.runtime.stop import Stop
from tailrace.runtime.work_report import WorkReport, log_run
from tailrace.runtime.worker import Worker
from tailrace.settings import Settings

REPORT_INTERVAL_S = 1.0
"""How old the numbers can be that a summary has of a worker that was killed."""

LAST_REPORT_S = 1.0
"""For a supervisor that is alive; a worker does not stay for one that is not."""


class Audience(Protocol):
    """Who is told what a worker does. Called on the thread that runs the worker."""

    def turned(self, worker: Worker) -> None:
        """A round of the intake is over; to be quick."""
        ...

    def ended(self, report: WorkReport, exit_code: int) -> None:
        """The worker has stopped, cleanly or not."""
        ...


@dataclass(frozen=True, slots=True)
class Requests:
    """What signals have asked for so far."""

    stop: Stop
    snapshot: Stop


def run_worker(settings: Settings, logger: StructuredLog) -> int:
    """Run a worker until SIGTERM or SIGINT, waiting for Kafka if it is not there yet.

    Returns 0 after a clean stop, and 1 if topics are missing, a part crashed, or the stop was not clean; the log says
    which, and how much was done. To be called on the main thread, since that is where signals arrive.
    """
    return _run_until_stopped(settings, Stop(), _Log(logger, SystemClock()), logger)


def run_supervised_worker(settings: Settings, number: int, logger: StructuredLog) -> int:
    """The same as one of several: `adapters/worker_process.py` says what its standard input and output are for.

    Files that its sinks write are its own, told apart by `number`.
    """
    stop = Stop()
    follow_lifeline(sys.stdin.fileno(), stop.set, logger)
    supervisor = _Supervisor(ReportPipe(sys.stdout.fileno()), SystemClock())
    return _run_until_stopped(settings.for_worker(number), stop, supervisor, logger)


def _run_until_stopped(settings: Settings, stop: Stop, audience: Audience, logger: StructuredLog) -> int:
    with stopping_on_signals(stop):
        # Before anything waits: a request that comes too early has no lane to speak of, but must not end the process.
        asked = snapshot_requests()
        try:
            return _run(settings, Requests(stop, asked), audience, logger)
        except Exception as error:  # noqa: BLE001 - the text of an exception may hold what it was about; its place cannot
            logger.event("worker crashed", level="error", error=type(error).__name__, detail=place_of(error))
            return 1


def _run(settings: Settings, requests: Requests, audience: Audience, logger: StructuredLog) -> int:
    stop = requests.stop
    schemas = SchemaStore()
    cluster = wait_for_cluster(settings.kafka.properties(), stop, logger)
    if cluster is None:
        return 0
    needed = [settings.events.topic, settings.health.topic]
    needed += [settings.dead_letter.topic] if settings.dead_letter.topic else []
    if missing := cluster.missing(needed):
        logger.event(
            "topics are missing: create them, for instance with 'tailrace topics apply'", level="error", topics=missing
        )
        return 1
    identity = TopicIdentity(settings.kafka.properties(), settings.events.topic, logger)
    topic_id = find_topic_id(identity.ask, stop, logger)
    worker = build_worker(
        settings,
        schemas=schemas,
        topic=EventsTopic(topic_id, TopicWatch(identity.ask, topic_id)),
        stop=stop,
        clock=SystemClock(),
        logger=logger,
    )
    with rare_collections():
        ended = worker.run(_between_turns(worker, requests.snapshot, audience, logger))
    exit_code = 0 if ended.clean else 1
    audience.ended(WorkReport.of(worker.snapshot()), exit_code)
    return exit_code


def _between_turns(worker: Worker, asked: Stop, audience: Audience, logger: StructuredLog) -> Callable[[], None]:
    """What a worker does between turns: after a SIGUSR1 every lane goes to the log."""

    def look() -> None:
        if asked.is_set():
            asked.clear()
            log_snapshot(worker.snapshot(), logger)
        audience.turned(worker)

    return look


class _Log:
    """The audience of a worker that is alone: a summary at the end."""

    def __init__(self, logger: StructuredLog, clock: Clock) -> None:
        self._logger = logger
        self._clock = clock
        self._begun_s = clock.now_s()

    def turned(self, worker: Worker) -> None:
        """Nobody waits for news in between."""

    def ended(self, report: WorkReport, exit_code: int) -> None:
        log_run(
            report,
            workers=1,
            restarts=0,
            cpu_s=time.process_time(),
            elapsed_s=self._clock.now_s() - self._begun_s,
            exit_code=exit_code,
            logger=self._logger,
        )


class _Supervisor:
    """The audience of one of several workers: a report now and then, and one at the end."""

    def __init__(self, reports: ReportPipe, clock: Clock) -> None:
        self._reports = reports
        self._clock = clock
        self._due = Every(REPORT_INTERVAL_S, clock)

    def turned(self, worker: Worker) -> None:
        if self._due.passed():
            self._reports.offer(WorkReport.of(worker.snapshot()).to_line())

    def ended(self, report: WorkReport, exit_code: int) -> None:
        del exit_code  # the system tells it
        self._reports.finish(report.to_line(), Deadline.after(self._clock, LAST_REPORT_S))
