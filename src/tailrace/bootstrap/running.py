"""A worker as a process: waits for Kafka, obeys signals, ends with an exit code."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tailrace.adapters.kafka_cluster import topic_id, wait_for_cluster
from tailrace.adapters.logs import StructuredLog
from tailrace.bootstrap.assembly import build_worker
from tailrace.codec.schemas import SchemaStore
from tailrace.runtime.clock import SystemClock
from tailrace.runtime.failures import place_of
from tailrace.runtime.statistics import log_snapshot
from tailrace.runtime.stop import Stop
from tailrace.runtime.worker import Worker
from tailrace.settings import Settings


def run_worker(settings: Settings, logger: StructuredLog) -> int:
    """Run a worker until SIGTERM or SIGINT, waiting for Kafka if it is not there yet.

    Returns 0 after a clean stop, and 1 if topics are missing, a part crashed, or the stop was not clean; the log says
    which. To be called on the main thread, since that is where signals arrive.
    """
    stop = Stop()
    with _stopping_on_signals(stop):
        try:
            return _run(settings, stop, logger)
        except Exception as error:  # noqa: BLE001 - the text of an exception may hold what it was about; its place cannot
            logger.event("worker crashed", level="error", error=type(error).__name__, detail=place_of(error))
            return 1


def _run(settings: Settings, stop: Stop, logger: StructuredLog) -> int:
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
    worker = build_worker(
        settings,
        schemas=schemas,
        topic_id=topic_id(settings.kafka.properties(), settings.events.topic, logger),
        stop=stop,
        clock=SystemClock(),
        logger=logger,
    )
    return 0 if worker.run(_snapshot_on_request(worker, logger)).clean else 1


def _snapshot_on_request(worker: Worker, logger: StructuredLog) -> Callable[[], None]:
    """What a worker does between turns: after a SIGUSR1, where the system has it, every lane goes to the log."""
    asked = Stop()

    def answer() -> None:
        # Not in the handler itself: it may interrupt this very thread inside a lock that a snapshot takes.
        if asked.is_set():
            asked.clear()
            log_snapshot(worker.snapshot(), logger)

    if hasattr(signal, "SIGUSR1"):
        signal.signal(signal.SIGUSR1, lambda *_: asked.set())
    return answer


@contextmanager
def _stopping_on_signals(stop: Stop) -> Iterator[None]:
    previous = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in previous:
        signal.signal(number, lambda *_: stop.set())
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
