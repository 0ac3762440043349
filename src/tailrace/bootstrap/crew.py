"""Several workers as one command: starts and supervises them, obeys signals, one exit code, one summary."""

import time
from collections.abc import Callable, Sequence

from tailrace.adapters.logs import StructuredLog
from tailrace.adapters.worker_process import start_worker_process
from tailrace.bootstrap.signals import children_are_awaited, snapshot_requests, stopping_on_signals
from tailrace.runtime.clock import SystemClock
from tailrace.runtime.crew import Crew, CrewPlan
from tailrace.runtime.failures import place_of
from tailrace.runtime.seat import Patience
from tailrace.runtime.stop import LOOK_S, Stop
from tailrace.runtime.work_report import WorkReport, log_lives, log_run


def run_crew(size: int, command: Callable[[int], Sequence[str]], shutdown_s: float, logger: StructuredLog) -> int:
    """Run the workers 1 to `size`, each the process of `command(number)`, until SIGTERM or SIGINT.

    Returns 0 if all drained cleanly, 2 if each of them said with that code that the configuration is wrong, and 1
    otherwise; the log says what happened. A worker has `shutdown_s` to drain. To be called on the main thread of a
    process that has no Kafka client.
    """
    children_are_awaited()
    stop, clock = Stop(), SystemClock()
    begun_s = clock.now_s()
    crew = Crew(
        size,
        lambda number: start_worker_process(command(number)),
        CrewPlan(Patience(), shutdown_s),
        clock=clock,
        logger=logger,
    )
    with stopping_on_signals(stop):
        try:
            _supervise(crew, stop)
        except Exception as error:  # noqa: BLE001 - its text may hold anything; its place cannot
            # The workers notice by themselves: their lifelines end with this process.
            logger.event("supervisor crashed", level="error", error=type(error).__name__, detail=place_of(error))
            return 1
        lives = list(crew.lives())
        log_lives(lives, logger)
        log_run(
            WorkReport.total(life.report for life in lives),
            workers=size,
            restarts=sum(life.restarts for life in lives),
            cpu_s=sum(life.cpu_s for life in lives) + time.process_time(),
            elapsed_s=clock.now_s() - begun_s,
            exit_code=crew.exit_code,
            logger=logger,
        )
        return crew.exit_code


def _supervise(crew: Crew, stop: Stop) -> None:
    snapshots = snapshot_requests()
    while not crew.over:
        if stop.is_set():
            crew.stop()
        if snapshots.is_set():
            snapshots.clear()
            crew.ask_snapshots()
        crew.turn()
        # Not `stop.wait`, which returns at once from the stop on, while the workers still drain.
        time.sleep(LOOK_S)
