"""A worker: lanes, the intake that feeds them, and the order in which they start and stop.

Start: journals, so that a lane start can be written down; lanes, so that an assignment finds somebody to attach; the
intake. Stop is the same backwards, within one deadline:

    1. the intake stops reading; batches under way finish, so that a clean stop leaves no duplicates behind
    2. the ledger acknowledges what they missed, so that the cursors may pass it
    3. the group commits, then each lane, while the membership still holds
    4. the intake leaves the group, so that others take over at once and not after a session time-out
    5. lanes close their sinks, journals write what is left, in this order, since lanes still hand in news
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tailrace.domain.projected import ProjectorCounts
from tailrace.runtime.assignment import Assignment
from tailrace.runtime.clock import Clock, Deadline
from tailrace.runtime.intake import Intake
from tailrace.runtime.lane import Lane
from tailrace.runtime.ports import Log
from tailrace.runtime.statistics import WorkerSnapshot
from tailrace.runtime.stop import Stop

LAST_S = 1.0
"""For threads to end that have been told to and have nothing to wait for."""


class Closable(Protocol):
    """A journal, as far as a worker cares."""

    @property
    def name(self) -> str: ...

    @property
    def crash(self) -> BaseException | None: ...

    def start(self) -> None: ...

    def close(self, deadline: Deadline) -> bool: ...


class Watch(Protocol):
    """Looks whether the events topic is still the one that the work began with."""

    @property
    def replaced(self) -> bool: ...

    def start(self) -> None: ...

    def close(self, deadline: Deadline) -> None: ...


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """Everything a worker runs, in the order in which it starts; no `watch` where topics have no identity."""

    journals: Sequence[Closable]
    lanes: Sequence[Lane]
    intake: Intake
    assignment: Assignment
    watch: Watch | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """How a worker ended.

    `crashed`: lanes and journals that died of a bug. `committed`: the cursors cover all that was exported, so that
    nothing comes twice. `in_time`: everything stopped within the deadline.
    """

    crashed: tuple[str, ...]
    committed: bool
    in_time: bool

    @property
    def clean(self) -> bool:
        return self.committed and self.in_time and not self.crashed


class Worker:
    """Runs until told to stop. `run` on one thread, once; `stop` and `snapshot` from any."""

    def __init__(self, parts: WorkerParts, shutdown_s: float, stop: Stop, clock: Clock, logger: Log) -> None:
        self._parts = parts
        self._shutdown_s = shutdown_s
        self._clock = clock
        self._logger = logger
        self._stop = stop

    def stop(self) -> None:
        """Ask `run` to end; it does so within the shutdown deadline. Safe in a signal handler."""
        self._stop.set()

    def run(self, on_turn: Callable[[], None] = lambda: None) -> Finished:
        """Work until `stop`, a crash, or the end of the topic; `on_turn` is called after each round of the intake."""
        for journal in self._parts.journals:
            journal.start()
        for lane in self._parts.lanes:
            lane.start()
        if self._parts.watch is not None:
            self._parts.watch.start()
        self._logger.event("worker started", sinks=[lane.sink_id for lane in self._parts.lanes])
        try:
            self._parts.intake.start()
            while not self._stop.is_set() and not self._crashed() and not self._replaced():
                self._parts.intake.turn()
                on_turn()
        finally:
            finished = self._wind_up(Deadline.after(self._clock, self._shutdown_s))
        return finished

    def _replaced(self) -> bool:
        """Whether offsets mean something else than they did; then no cursor may follow what was read last.

        A worker that starts after this finds the old topic's id in its cursors and in the ledger, and halts.
        """
        watch = self._parts.watch
        if watch is None or not watch.replaced:
            return False
        self._parts.assignment.freeze()
        self._logger.event("the events topic was made anew: its cursors belong to the old one", level="error")
        return True

    def snapshot(self) -> WorkerSnapshot:
        assigned, halted = self._parts.assignment.counts()
        return WorkerSnapshot(
            assigned_partitions=assigned,
            consumed_events=self._parts.intake.consumed_events,
            undecodable_events=self._parts.intake.undecodable_events,
            halted_partitions=halted,
            lanes=tuple(lane.snapshot() for lane in self._parts.lanes),
            projector=self._parts.intake.projector_counts(),
        )

    def _crashed(self) -> tuple[str, ...]:
        lanes = [lane.sink_id for lane in self._parts.lanes if lane.crash is not None]
        return (*lanes, *(journal.name for journal in self._parts.journals if journal.crash is not None))

    def _wind_up(self, deadline: Deadline) -> Finished:
        self._logger.event("worker stops", deadline_s=round(deadline.remaining_s(), 1))
        self._stop.set()
        committed = False
        try:
            committed = self._parts.intake.finish(deadline)
        finally:
            in_time = self._end_threads(deadline)
            finished = Finished(self._crashed(), committed, in_time)
        self._say_what_took_longer(self._parts.intake.projector_counts())
        if finished.clean:
            self._logger.event("worker stopped")
        else:
            self._logger.event(
                "worker stopped, but not cleanly",
                level="error",
                crashed=list(finished.crashed),
                committed=finished.committed,
                in_time=finished.in_time,
            )
        return finished

    def _say_what_took_longer(self, counts: ProjectorCounts) -> None:
        if counts != ProjectorCounts():
            self._logger.event(
                "some events were not projected as usual",
                by_reference=counts.by_reference,
                rewritten=counts.rewritten,
                replaced=counts.replaced,
                usage_ignored=counts.usage_ignored,
                disagreements=counts.disagreements,
            )

    def _end_threads(self, deadline: Deadline) -> bool:
        if self._parts.watch is not None:
            self._parts.watch.close(Deadline.after(self._clock, 0.0))
        for lane in self._parts.lanes:
            lane.stop(deadline)
        # Bounded, and the threads are daemons: a sink that hangs in a library call must not keep the process alive.
        # What is over at the deadline gets one last second, all of it together.
        joined_by = Deadline.after(self._clock, max(LAST_S, deadline.remaining_s()))
        joined = [lane.join(joined_by.remaining_s()) for lane in self._parts.lanes]
        written = [journal.close(deadline) for journal in self._parts.journals]
        return all(joined) and all(written)
