"""What a worker shows of itself: frozen snapshots, the same for the live view, the logs and the tests."""

from collections.abc import Mapping
from dataclasses import dataclass

from tailrace.domain.kinds import SinkKind


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
    cursors: Mapping[int, int]
    last_failure: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSnapshot:
    """The intake and every lane at one moment."""

    assigned_partitions: int
    consumed_events: int
    undecodable_events: int
    halted_partitions: int
    lanes: tuple[LaneSnapshot, ...]
