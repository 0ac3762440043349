"""How a fan-out is configured, and what its two operations report."""

from dataclasses import dataclass
from enum import StrEnum

from tailrace.domain.buffer_limits import BufferLimits
from tailrace.domain.fields import Checked, Count, PositiveCount
from tailrace.domain.kinds import OverflowPolicy
from tailrace.domain.records import TelemetryRecord
from tailrace.domain.sinks import DEFAULT_CAPACITY_RECORDS, DEFAULT_RESERVE_RECORDS


class SinkIsolation(StrEnum):
    """How sinks are kept apart. There is one way: each has its own buffer, cursor and state."""

    ISOLATE_EACH_SINK = "isolate_each_sink"


@dataclass(frozen=True, slots=True, kw_only=True)
class FanoutConfig(Checked):
    """What the fan-out allows every sink; a sink's own spec may only be stricter (docs/DESIGN.md, The buffer, B1)."""

    queue_capacity: PositiveCount  # records
    terminal_reserve: PositiveCount  # records of that which progress may not use
    overflow: OverflowPolicy
    sink_isolation: SinkIsolation = SinkIsolation.ISOLATE_EACH_SINK

    @classmethod
    def safe_defaults(cls) -> "FanoutConfig":
        """64 records per sink, 4 of them reserved; progress that does not fit is dropped and recorded."""
        return cls(
            queue_capacity=DEFAULT_CAPACITY_RECORDS,
            terminal_reserve=DEFAULT_RESERVE_RECORDS,
            overflow=OverflowPolicy.DROP_NON_TERMINAL_PROGRESS,
        )

    @classmethod
    def tiny_for_tests(cls) -> "FanoutConfig":
        """2 records per sink, 1 of them reserved: overflow after one record of progress."""
        return cls(queue_capacity=2, terminal_reserve=1, overflow=OverflowPolicy.DROP_NON_TERMINAL_PROGRESS)

    @property
    def limits(self) -> BufferLimits:
        return BufferLimits(self.queue_capacity, self.terminal_reserve)


@dataclass(frozen=True, slots=True, kw_only=True)
class FanoutReport(Checked):
    """What recording one projection did, summed over the sinks."""

    enqueued: Count = 0
    dropped: Count = 0  # projections that will not reach a sink: the recorded one, and any that made room for it
    records: tuple[TelemetryRecord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainReport(Checked):
    """What draining one sink did."""

    exported: Count = 0
    records: tuple[TelemetryRecord, ...] = ()
