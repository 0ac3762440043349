"""What a worker shows of itself: frozen snapshots, the same for the live view, the logs and the tests."""

from collections.abc import Mapping
from dataclasses import dataclass

from tailrace.domain.kinds import SinkKind
from tailrace.domain.projected import ProjectorCounts
from tailrace.runtime.ports import Log


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSnapshot:
    """One lane at one moment. Counts are since the worker started; positions are next offsets."""

    sink_id: str
    kind: SinkKind
    state: str
    buffered_records: int
    capacity_records: int
    buffered_bytes: int
    capacity_bytes: int
    live_partitions: int
    catching_up_partitions: int
    exported: int
    filtered: int
    dropped: int
    failed_exports: int
    detached: int  # times a partition went from live to catching up
    lag_records: int  # over all partitions, between the lane's cursor and the newest offset the worker has seen
    cursors: Mapping[int, int]  # per partition, what may be committed
    positions: Mapping[int, int]  # per partition, the next offset to take; what lies in between is on its way
    last_failure: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSnapshot:
    """The intake and every lane at one moment."""

    assigned_partitions: int
    consumed_events: int
    undecodable_events: int
    halted_partitions: int
    lanes: tuple[LaneSnapshot, ...]
    projector: ProjectorCounts = ProjectorCounts()  # noqa: RUF009 - a frozen value


def log_snapshot(snapshot: WorkerSnapshot, logger: Log) -> None:
    """One line per lane and one that ends them, for somebody who has nothing but the process and its log."""
    for lane in snapshot.lanes:
        partitions = sorted(lane.cursors)
        logger.event(
            "lane snapshot",
            sink=lane.sink_id,
            state=lane.state,
            partitions=partitions,
            cursors=[lane.cursors[partition] for partition in partitions],
            positions=[lane.positions[partition] for partition in partitions],
            buffered=lane.buffered_records,
            catching_up=lane.catching_up_partitions,
            lag=lane.lag_records,
            exported=lane.exported,
            dropped=lane.dropped,
        )
    logger.event(
        "worker snapshot",
        lanes=len(snapshot.lanes),
        assigned=snapshot.assigned_partitions,
        halted=snapshot.halted_partitions,
        events=snapshot.consumed_events,
        undecodable=snapshot.undecodable_events,
        by_reference=snapshot.projector.by_reference,
        rewritten=snapshot.projector.rewritten,
        replaced=snapshot.projector.replaced,
        usage_ignored=snapshot.projector.usage_ignored,
        disagreements=snapshot.projector.disagreements,
    )
