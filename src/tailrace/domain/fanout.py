"""The synchronous fan-out for use inside an agent process: record once, drain each sink on its own.

No Kafka, no thread, no clock. Recording never waits for a sink and never fails because of one; draining one sink
touches no other.
"""

from tailrace.domain.buffer import (
    Admitted,
    AdmittedBySacrifice,
    BufferLimits,
    Coalesced,
    OfferOutcome,
    ProgressDropped,
    RoomNeeded,
    SinkBuffer,
    SinkMarkedFailed,
    TerminalLost,
    dropped_by,
)
from tailrace.domain.cursors import ExportCursor
from tailrace.domain.errors import ConfigurationNeeded, ContractBroken, MissingField
from tailrace.domain.fanout_config import DrainReport, FanoutConfig, FanoutReport
from tailrace.domain.kinds import FailureKind, OverflowPolicy
from tailrace.domain.projections import Projection
from tailrace.domain.records import RecordPayload, SinkFailureRecord, SinkRecoveryRecord, TelemetryRecord, record_about
from tailrace.domain.sink_state import Signal, SinkState, step
from tailrace.domain.sinks import Acknowledgement, Sink, SinkError, SinkSpec

MADE_ROOM = "kept a terminal-preserved projection at the cost of queued progress"
TERMINAL_LOST = "a terminal-preserved projection found no room and no progress to make way"
PROGRESS_DROPPED = "progress found no room in the sink's buffer and was dropped"
SINK_FAILED_BY_OVERFLOW = "progress found no room and the sink is marked failed; the run goes on"
RECOVERED = "the sink took an export again after a failure"
UNSAFE_REPLAY = "the sink cannot tell a replayed projection from a new one"


class TelemetryFanout:
    """Carries every recorded projection to every registered sink, each through a bounded buffer of its own.

    Not thread-safe: one thread at a time. A sink may call `try_record` while it exports. Source: docs/DESIGN.md, The
    buffer, B1 to B7.
    """

    def __init__(self, config: FanoutConfig | None = None) -> None:
        """Without a configuration it has the safe defaults.

        Raises ConfigurationNeeded if the overflow policy is `replay_from_log`: there is no log in an agent process.
        """
        self._config = FanoutConfig.safe_defaults() if config is None else config
        if self._config.overflow is OverflowPolicy.REPLAY_FROM_LOG:
            raise ConfigurationNeeded("overflow", "replay_from_log needs a log to read again, which only a worker has")
        self._sinks: dict[str, _SinkPath] = {}

    @classmethod
    def safe_defaults(cls) -> "TelemetryFanout":
        return cls()

    def register_sink(self, sink: Sink) -> None:
        """Give `sink` every projection recorded from now on.

        A sink registered before under the same id is replaced, together with its buffer, its cursor and its counts.
        Raises MissingField if the sink id is empty.
        """
        spec = sink.spec
        if not spec.sink_id:
            raise MissingField("telemetry.sink_id")
        self._sinks[spec.sink_id] = _SinkPath(sink, spec, self._config)
        self._sinks = dict(sorted(self._sinks.items()))

    def try_record(self, projection: Projection) -> FanoutReport:
        """Offer a projection to every sink, in the order of their ids; what that cost is in the report.

        Raw content is taken away for a sink unless both the sink and the projection grant raw content.
        """
        enqueued = dropped = 0
        records: list[TelemetryRecord] = []
        for path in self._sinks.values():
            outcome = path.enqueue(within_grant(projection, path.spec), records)
            enqueued += _is_in(outcome)
            dropped += len(dropped_by(outcome, projection))
        return FanoutReport(enqueued=enqueued, dropped=dropped, records=tuple(records))

    def drain_sink(self, sink_id: str) -> DrainReport:
        """Export what waits for a sink, in order, until nothing waits or the sink refuses one, which stays in front.

        Raises ConfigurationNeeded if no such sink is registered, and ContractBroken if the sink itself, while it
        exports, asks to be drained.
        """
        path = self._sinks.get(sink_id)
        if path is None:
            raise ConfigurationNeeded("sink", "is not registered")
        return path.drain()

    def queued_for_sink(self, sink_id: str) -> tuple[Projection, ...]:
        """What waits for a sink, the oldest first; empty if no such sink is registered."""
        path = self._sinks.get(sink_id)
        return () if path is None else tuple(path.buffer)

    def sink_queue_len(self, sink_id: str) -> int | None:
        """How many projections wait for a sink; None if no such sink is registered."""
        path = self._sinks.get(sink_id)
        return None if path is None else len(path.buffer)

    def sink_state(self, sink_id: str) -> SinkState | None:
        """Whether a sink is healthy or failed; None if no such sink is registered."""
        path = self._sinks.get(sink_id)
        return None if path is None else path.state


def within_grant(projection: Projection, spec: SinkSpec) -> Projection:
    """The projection as far as a sink may have it: raw content only where the sink and the projection both grant it."""
    if projection.raw_content is None:
        return projection
    if spec.content_capture.captures_raw_content and projection.content_capture.captures_raw_content:
        return projection
    return projection.without_raw_content()


class _SinkPath:
    """One sink's buffer, cursor, state and counts."""

    def __init__(self, sink: Sink, spec: SinkSpec, config: FanoutConfig) -> None:
        self.spec = spec
        self.state = step(SinkState.STARTING, Signal.STARTED)
        self.buffer: SinkBuffer[Projection] = SinkBuffer(
            BufferLimits.agreed(spec.limits, config.limits), config.overflow
        )
        self._sink = sink
        self._cursor = ExportCursor(sink_id=spec.sink_id)
        self._dropped_count = 0
        self._records_made = 0

    def enqueue(self, projection: Projection, records: list[TelemetryRecord]) -> OfferOutcome[Projection]:
        outcome = self.buffer.offer(projection)
        self._dropped_count += len(dropped_by(outcome, projection))
        match outcome:
            case Admitted() | Coalesced():
                pass
            case AdmittedBySacrifice():
                records.append(self._overflow_record(projection, MADE_ROOM, terminal_preserved=True))
            case TerminalLost():
                records.append(self._overflow_record(projection, TERMINAL_LOST, terminal_preserved=False))
            case ProgressDropped():
                records.append(self._overflow_record(projection, PROGRESS_DROPPED, terminal_preserved=True))
            case SinkMarkedFailed():
                self.state = step(self.state, Signal.OVERFLOWED)
                records.append(self._overflow_record(projection, SINK_FAILED_BY_OVERFLOW, terminal_preserved=True))
            case RoomNeeded():
                raise AssertionError("a fan-out with a log to replay from was refused when it was made")
        return outcome

    def drain(self) -> DrainReport:
        if self.buffer.in_flight:
            raise ContractBroken("drain_sink", "this sink is being drained already")
        exported = 0
        records: list[TelemetryRecord] = []
        while batch := self.buffer.take(1):
            (projection,) = batch
            match self._export(projection):
                case Acknowledgement(cursor=cursor):
                    self._cursor = cursor
                    self.buffer.acknowledge(1)
                    exported += 1
                    self.state = step(self.state, Signal.EXPORT_SUCCEEDED)
                    if self.state is SinkState.RECOVERED:
                        records.append(self._recovery_record(projection))
                        self.state = step(self.state, Signal.RECOVERY_REPORTED)
                case SinkError() as error:
                    self.buffer.give_back()
                    self.state = step(self.state, Signal.EXPORT_FAILED)
                    records.append(
                        self._failure_record(
                            projection, error.failure_kind, error.redacted_summary, projection.terminal_preserved
                        )
                    )
                    break
        return DrainReport(exported=exported, records=tuple(records))

    def _export(self, projection: Projection) -> Acknowledgement | SinkError:
        attempt = self._cursor.attempted(projection.source_record.source_cursor)
        try:
            return self._sink.export(projection, attempt)
        except Exception as error:  # noqa: BLE001 - whatever a sink does, the agent process goes on
            # Only the type's name: the text of the exception may hold what was exported.
            return SinkError.unavailable(f"the sink raised {type(error).__name__}")
        except BaseException:
            self.buffer.give_back()
            raise

    def _overflow_record(self, projection: Projection, summary: str, *, terminal_preserved: bool) -> TelemetryRecord:
        return self._failure_record(projection, FailureKind.OVERFLOW, summary, terminal_preserved)

    def _failure_record(
        self,
        projection: Projection,
        kind: FailureKind,
        summary: str,
        terminal_preserved: bool,  # noqa: FBT001 - a field of the record
    ) -> TelemetryRecord:
        payload = SinkFailureRecord(
            sink_id=self.spec.sink_id,
            sink_kind=self.spec.sink_kind,
            failure_kind=kind,
            terminal_preserved=terminal_preserved,
            dropped_count=self._dropped_count,
            last_acknowledged_cursor=self._cursor,
            repair_cursor=projection.source_record.source_cursor,
            unsafe_pending_reason=None if self.spec.requires_idempotent_replay else UNSAFE_REPLAY,
            redacted_summary=summary,
        )
        return self._record(projection, "sink_failed", payload)

    def _recovery_record(self, projection: Projection) -> TelemetryRecord:
        payload = SinkRecoveryRecord(
            sink_id=self.spec.sink_id,
            sink_kind=self.spec.sink_kind,
            export_cursor=self._cursor,
            redacted_summary=RECOVERED,
        )
        return self._record(projection, "sink_recovered", payload)

    def _record(self, projection: Projection, label: str, payload: RecordPayload) -> TelemetryRecord:
        self._records_made += 1
        return record_about(projection, f"telemetry.{self.spec.sink_id}.{label}.{self._records_made}", payload)


def _is_in(outcome: OfferOutcome[Projection]) -> bool:
    match outcome:
        case Admitted() | AdmittedBySacrifice():
            return True
        case Coalesced(admitted=admitted):
            return admitted
        case _:
            return False
