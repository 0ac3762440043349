"""The port to a sink inside a process: what a sink declares, is given and answers."""

from dataclasses import dataclass, field, replace
from typing import Protocol

from tailrace.domain.buffer_limits import BufferLimits
from tailrace.domain.cursors import ExportCursor
from tailrace.domain.errors import TelemetryFailure
from tailrace.domain.fields import Checked, PositiveCount
from tailrace.domain.json_form import ALWAYS_WRITTEN
from tailrace.domain.kinds import FailureKind, SinkKind
from tailrace.domain.privacy import ContentCaptureMode
from tailrace.domain.projections import Projection

DEFAULT_CAPACITY_RECORDS = 64
DEFAULT_RESERVE_RECORDS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkSpec(Checked):
    """What a sink declares about itself; the fan-out reads it once, when the sink is registered.

    `requires_idempotent_replay` False means that the sink cannot tell a replayed projection from a new one, and then
    every failure record says so.
    """

    sink_id: str
    sink_kind: SinkKind
    content_capture: ContentCaptureMode = ContentCaptureMode.OFF
    queue_capacity: PositiveCount = DEFAULT_CAPACITY_RECORDS
    terminal_reserve: PositiveCount = DEFAULT_RESERVE_RECORDS
    requires_idempotent_replay: bool = True

    @classmethod
    def safe_local_diagnostic(cls, sink_id: str) -> "SinkSpec":
        """A local diagnostic sink without content: 64 records, 4 of them reserved."""
        return cls(sink_id=sink_id, sink_kind=SinkKind.LOCAL_DIAGNOSTIC)

    @classmethod
    def test(cls, sink_id: str, queue_capacity: int) -> "SinkSpec":
        """A sink for tests without content, one record reserved."""
        return cls(sink_id=sink_id, sink_kind=SinkKind.TEST, queue_capacity=queue_capacity, terminal_reserve=1)

    def with_content_capture(self, mode: ContentCaptureMode) -> "SinkSpec":
        return replace(self, content_capture=mode)

    def with_terminal_reserve(self, records: int) -> "SinkSpec":
        return replace(self, terminal_reserve=records)

    @property
    def limits(self) -> BufferLimits:
        return BufferLimits(self.queue_capacity, self.terminal_reserve)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement(Checked):
    """The sink has the projection; `cursor` becomes the sink's export cursor as it is.

    `accepted_duplicate` says that the sink had it already; it is exported all the same.
    """

    cursor: ExportCursor
    accepted_duplicate: bool

    @classmethod
    def accepted(cls, cursor: ExportCursor) -> "Acknowledgement":
        return cls(cursor=cursor, accepted_duplicate=False)

    @classmethod
    def duplicate(cls, cursor: ExportCursor) -> "Acknowledgement":
        return cls(cursor=cursor, accepted_duplicate=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkError(Checked):
    """The sink does not have the projection. A value, not an exception: it is one of the two expected answers.

    `redacted_summary` goes into health records as it is, so it must hold nothing of the projection's content.
    """

    failure_kind: FailureKind
    redacted_summary: str
    unsafe_pending_reason: str | None = field(default=None, metadata=ALWAYS_WRITTEN)

    @classmethod
    def unavailable(cls, redacted_summary: str) -> "SinkError":
        return cls(failure_kind=FailureKind.SINK_UNAVAILABLE, redacted_summary=redacted_summary)

    @classmethod
    def schema_mismatch(cls, redacted_summary: str) -> "SinkError":
        return cls(failure_kind=FailureKind.SCHEMA_MISMATCH, redacted_summary=redacted_summary)

    def as_exception(self) -> TelemetryFailure:
        """The same as an exception, for a caller whose own contract raises; retry classification repair_needed."""
        return TelemetryFailure("sink", self.redacted_summary)


class Sink(Protocol):
    """Where a fan-out exports to. May do I/O; decides nothing about runs, policies, deliveries or side effects."""

    @property
    def spec(self) -> SinkSpec:
        """What the sink declares about itself."""

    def export(self, projection: Projection, cursor: ExportCursor) -> Acknowledgement | SinkError:
        """Take one projection, whose attempt `cursor` marks.

        Usually answers `Acknowledgement.accepted(cursor.acknowledged(source))` with the projection's own source cursor.
        An exception counts as `SinkError.unavailable`, and its text is not recorded.
        """
