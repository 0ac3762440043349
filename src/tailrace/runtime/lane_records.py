"""What a lane tells the world: ledger entries, health transitions, export marks, cursor metadata, log lines."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tailrace.domain.kinds import FailureKind, SinkKind
from tailrace.domain.ledger import (
    ExportMark,
    Gap,
    LedgerEntry,
    SinkFailed,
    SinkRecovered,
)
from tailrace.domain.projected import LaneItem
from tailrace.domain.sink_state import Signal, SinkState, step
from tailrace.runtime.attachment import LaneFacts
from tailrace.runtime.clock import Clock
from tailrace.runtime.cursor_track import CursorTrack
from tailrace.runtime.exporter import Attempt, Failure
from tailrace.runtime.feed import Feed, Mode, Step
from tailrace.runtime.ports import Ledger, Log, StoredCursor

RUNS_PER_GAP = 500
"""Gap runs per ledger entry. A run takes some 20 bytes encoded, so an entry stays far below any broker's limit."""

UNWRITTEN_ENTRIES = 256
"""Health transitions kept while the ledger is full. They are news, not proof: beyond this the oldest is dropped."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """How often a lane repeats itself, in monotonic seconds."""

    mark_s: float
    reminder_s: float


class LaneRecords:
    """Keeps one lane's state and writes down what happens to it. The lane's thread alone, but for the attributes."""

    def __init__(
        self,
        *,
        facts: LaneFacts,
        feed: Feed,
        track: CursorTrack,
        ledger: Ledger,
        intervals: Intervals,
        clock: Clock,
        logger: Log,
    ) -> None:
        self._facts = facts
        self._feed = feed
        self._track = track
        self._ledger = ledger
        self._intervals = intervals
        self._clock = clock
        self._logger = logger
        self._unwritten: deque[LedgerEntry] = deque(maxlen=UNWRITTEN_ENTRIES)
        self._failed_since_s: float | None = None
        self._reminded_at_s = 0.0
        self._marked_at_s = clock.now_s()
        self._last_acknowledged: int | None = None
        self._failure: Failure | None = None
        self.state = SinkState.STARTING
        self.failed_exports = 0
        self.last_failure: str | None = None

    @property
    def kind(self) -> SinkKind:
        return self._facts.identity.sink_kind

    # ----------------------------------------------------------------------------------------------- for the cursors

    def gaps(self, step: Step) -> Iterator[Gap]:
        """The ledger entries that a step's cursor has to wait for."""
        for missed in step.missed:
            for first in range(0, len(missed.runs), RUNS_PER_GAP):
                runs = missed.runs[first : first + RUNS_PER_GAP]
                yield Gap(
                    lane=self._facts.identity,
                    topic=self._facts.topic,
                    partition=step.partition,
                    reason=missed.reason,
                    detail=missed.detail,
                    runs=runs,
                    records=sum(run.records for run in runs),
                )

    def stored(self, cursors: Mapping[int, int]) -> dict[int, StoredCursor]:
        """Cursors with the metadata they are committed with: counts since the sink first met the partition."""
        counts = {c.partition: c for c in self._feed.counts()}
        stored: dict[int, StoredCursor] = {}
        for partition, cursor in cursors.items():
            loaded = self._track.loaded(partition)
            count = counts.get(partition)
            if loaded is not None and count is not None:
                stored[partition] = StoredCursor(
                    cursor,
                    loaded.export_seq + count.exported,
                    loaded.dropped + sum(n for _, n in count.dropped),
                    # An id that could not be asked for at this start must not erase the one an earlier start wrote.
                    self._facts.topic_id or loaded.topic_id,
                )
        return stored

    def marks_due(self) -> None:
        """Write the periodic export marks, and whatever the ledger had no room for before."""
        now_s = self._clock.now_s()
        if now_s - self._marked_at_s >= self._intervals.mark_s:
            self._marked_at_s = now_s
            self._write_marks()
        self._remind(now_s)
        while self._unwritten and self._ledger.submit(self._unwritten[0]) is not None:
            self._unwritten.popleft()

    def _write_marks(self) -> None:
        for count in self._feed.counts():
            if count.mode is Mode.HALTED:
                continue  # its cursor makes no sense here, or is somebody else's to speak of
            loaded = self._track.loaded(count.partition)
            newest_ms = count.newest_timestamp_ms
            # A mark is repeated every few seconds: when the ledger is full it is left out, not kept.
            self._track.mark(
                count.partition,
                ExportMark(
                    lane=self._facts.identity,
                    topic=self._facts.topic,
                    partition=count.partition,
                    next_offset=count.cursor,
                    export_seq=count.exported + (loaded.export_seq if loaded else 0),
                    newest_event_time_us=None if newest_ms is None else newest_ms * 1_000,
                    exported=count.exported,
                    filtered=count.filtered,
                    dropped=count.dropped,
                ),
            )

    # ------------------------------------------------------------------------------------------------ for the state

    def follow_feed(self) -> None:
        """Let the state follow where the feed stands: reading the log on any partition is catching up."""
        statistics = self._feed.statistics()
        if self.state is SinkState.STARTING and (statistics.live or statistics.catching_up):
            self._signal(Signal.STARTED)
        if statistics.catching_up and self.state is SinkState.HEALTHY:
            self._signal(Signal.DETACHED)
            self._logger.event("lane catches up from the log", sink=self._facts.identity.sink_id)
        elif not statistics.catching_up and self.state is SinkState.CATCHING_UP:
            self._signal(Signal.CAUGHT_UP)
            self._logger.event("lane is live again", sink=self._facts.identity.sink_id)

    def attempted(self, attempt: Attempt) -> None:
        """Take note of what a batch came to; only a change of state, or a reminder, is written down."""
        for written_off in attempt.written_off:
            self._logger.event(
                "record refused for ever by its sink",
                level="warning",
                sink=self._facts.identity.sink_id,
                partition=written_off.item.partition,
                offset=written_off.item.offset,
                failure=written_off.kind.value,
                detail=written_off.detail,
            )
        if attempt.last is not None:
            self._last_acknowledged = attempt.last.offset
            self._exported(attempt.last)
        if attempt.failure is not None:
            self.failed_exports += 1
            self._failed(attempt.failure, Signal.EXPORT_FAILED)

    def _exported(self, last: LaneItem) -> None:
        if self._failed_since_s is None:
            return
        failed_for_ms = int((self._clock.now_s() - self._failed_since_s) * 1_000)
        self._failed_since_s = None
        self._signal(Signal.EXPORT_SUCCEEDED)
        self._signal(Signal.DETACHED if self._feed.statistics().catching_up else Signal.RECOVERY_REPORTED)
        self._unwritten.append(
            SinkRecovered(
                lane=self._facts.identity,
                topic=self._facts.topic,
                partition=last.partition,
                offset=last.offset,
                failed_for_ms=failed_for_ms,
            )
        )
        self._logger.event("sink recovered", sink=self._facts.identity.sink_id, failed_for_ms=failed_for_ms)

    def overflowed(self, item: LaneItem) -> None:
        """The buffer overflowed under `fail_sink_not_run`: the sink counts as failed until an export works."""
        self._failed(Failure(item, FailureKind.OVERFLOW, "buffer_full", None), Signal.OVERFLOWED)

    def _failed(self, failure: Failure, signal: Signal) -> None:
        self.last_failure = failure.detail
        self._failure = failure
        if self._failed_since_s is not None:
            return
        now_s = self._clock.now_s()
        self._failed_since_s = self._reminded_at_s = now_s
        self._signal(signal)
        self._write_failure(failure, reminder=False)
        self._logger.event(
            "sink failed",
            level="warning",
            sink=self._facts.identity.sink_id,
            partition=failure.item.partition,
            offset=failure.item.offset,
            failure=failure.kind.value,
            detail=failure.detail,
        )

    def _remind(self, now_s: float) -> None:
        overdue = now_s - self._reminded_at_s >= self._intervals.reminder_s
        if self._failed_since_s is not None and self._failure is not None and overdue:
            self._reminded_at_s = now_s
            self._write_failure(self._failure, reminder=True)

    def _write_failure(self, failure: Failure, *, reminder: bool) -> None:
        self._unwritten.append(
            SinkFailed(
                lane=self._facts.identity,
                topic=self._facts.topic,
                partition=failure.item.partition,
                offset=failure.item.offset,
                failure_kind=failure.kind,
                terminal_preserved=failure.item.terminal_preserved,
                dropped_count=self._feed.statistics().dropped,
                last_acknowledged_offset=self._last_acknowledged,
                detail=failure.detail,
                reminder=reminder,
            )
        )

    def stopping(self) -> None:
        self._signal(Signal.STOP)

    def stopped(self) -> None:
        self._signal(Signal.DRAINED)

    def _signal(self, signal: Signal) -> None:
        self.state = step(self.state, signal)
