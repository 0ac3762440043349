"""The ledger's entries as values: what a sink did not get and why, and the marks an audit needs to decide the rest.

A worker publishes each entry on the health topic, keyed `group|sink|topic|partition`, and holds every cursor back until
the gaps below it are acknowledged there (invariants I1 and I2 in docs/DESIGN.md).
"""

from dataclasses import dataclass
from enum import StrEnum

from tailrace.domain.kinds import FailureKind, ProjectionKind, SinkKind


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneIdentity:
    """Whose entry it is: one sink's lane in one worker start."""

    sink_id: str
    sink_kind: SinkKind
    start_id: str  # unique per worker start and lane; ids of two workers can therefore never collide
    group: str = ""  # the workers' consumer group: two of them may share a health topic and have sinks of one name


@dataclass(frozen=True, slots=True, order=True)
class GapRun:
    """Consecutive offsets that all miss the same kinds, both ends included.

    Empty `kinds` means the whole event: it was undecodable, or its offset was gone from the log.
    """

    first_offset: int
    last_offset: int
    kinds: tuple[ProjectionKind, ...]

    @property
    def records(self) -> int:
        """Projections in the run; for whole events, the number of offsets."""
        return (self.last_offset - self.first_offset + 1) * max(1, len(self.kinds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The exact projections of one partition that one sink did not get, for one reason.

    Never contains a projection that was exported; `RETENTION_LOST` alone is a bare range. Counts only below the cursor
    of the sink's next lane start on that partition: a lane that crashed after this entry and before its cursor moved
    is going to try the same offsets again.
    """

    lane: LaneIdentity
    topic: str
    partition: int
    reason: FailureKind
    detail: str  # an UndecodableReason, or a sink's own refusal code; constant vocabulary, never content
    runs: tuple[GapRun, ...]
    records: int  # projections in the runs; for whole events, the number of offsets


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneStarted:
    """Written, and acknowledged, before a lane first moves its cursor on a partition after an assignment."""

    lane: LaneIdentity
    topic: str
    partition: int
    cursor: int  # next offset to export, as loaded
    cursor_origin: "CursorOrigin"
    config_digest: str
    projector_version: int
    topic_id: str | None = None  # None where the cluster cannot tell


class CursorOrigin(StrEnum):
    """Where a lane's first position on a partition came from."""

    COMMITTED = "committed"
    LEDGER = "ledger"
    NEW_PARTITION = "new_partition"
    START_AT = "start_at"
    RETENTION_LOST = "retention_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportMark:
    """A periodic completeness mark: everything below `next_offset` is exported, filtered or in the ledger.

    Counts are cumulative since the lane's start on this partition.
    """

    lane: LaneIdentity
    topic: str
    partition: int
    next_offset: int
    export_seq: int
    newest_event_time_us: int | None
    exported: int
    filtered: int
    dropped: tuple[tuple[FailureKind, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkFailed:
    """A lane's sink went from working to not working, or still does not work (a periodic reminder)."""

    lane: LaneIdentity
    topic: str
    partition: int  # of the record that met the failure
    offset: int
    failure_kind: FailureKind
    terminal_preserved: bool
    dropped_count: int
    last_acknowledged_offset: int | None
    detail: str
    reminder: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkRecovered:
    """The first export that worked after a failure."""

    lane: LaneIdentity
    topic: str
    partition: int
    offset: int
    failed_for_ms: int


LedgerEntry = Gap | LaneStarted | ExportMark | SinkFailed | SinkRecovered
