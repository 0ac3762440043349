"""One sink's isolated path: a thread that takes a batch, exports it, moves the cursor, and starts again.

What other threads ask of a lane arrives as messages it serves between batches; the one thing they may do at once is
`interrupt` it, so that a sink that hangs cannot hold up a revocation or a shutdown past their deadline.
"""

import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tailrace.domain.projected import LaneItem
from tailrace.runtime.attachment import Assigned, Attachment
from tailrace.runtime.catch_up import CatchUp
from tailrace.runtime.clock import Clock, Deadline
from tailrace.runtime.cursor_track import ClearedCursor, CursorTrack
from tailrace.runtime.exporter import Exporter
from tailrace.runtime.failures import place_of
from tailrace.runtime.feed import Feed
from tailrace.runtime.lane_records import LaneRecords
from tailrace.runtime.ports import LaneLog, Log
from tailrace.runtime.retry import Backoff
from tailrace.runtime.sink_port import Sink
from tailrace.runtime.statistics import LaneSnapshot

IDLE_WAIT_S = 0.5
"""An idle lane looks around this often, for marks that are due and tickets nobody rang for; rings cut it short."""

TEND_EVERY_S = 1.0
"""How often sink and log may do what is due between batches; it takes microseconds."""

FAILURES_WITH_READER = 5
"""So many exports in a row may fail, some seconds, before a lane that catches up lets go of its reader."""

LEDGER_WAIT_S = 0.02
"""While cursors wait for the ledger. A ledger write takes a few milliseconds; looking more often only costs CPU."""

BUFFER_TURNS_PER_READ = 4
"""Batches from the buffer between two reads of the log, when a lane is live on one partition and behind on another:
live partitions keep four fifths of the lane, and one that is behind still gets on."""

ATTACH_REST = 4.0
"""Times as long as an attachment took that did not learn everything, the lane does other things before it tries again.
A partition without a leader takes the whole look-up time, and may be without one for hours: a fifth of the lane's time
goes into it at most, and it is found within half a minute of its leader's return."""

LONGEST_ATTACH_REST_S = 30.0
"""An attachment that met a stopped process took hours by the clock; that says nothing about the next one."""

COMMIT_TIMEOUT_S = 5.0
"""A cursor commit is a round trip to the coordinator; longer means it moved, and the next round commits more."""

READ_TIMEOUT_S = 0.1
"""How long a read of the log waits for its first event when there is nothing else to do."""


@dataclass(frozen=True, slots=True)
class LaneRhythm:
    """How a lane paces itself; times in monotonic seconds. A batch of so many records, or bytes, is worth sending."""

    batch_records: int
    batch_bytes: int
    linger_s: float


@dataclass(frozen=True, slots=True)
class LaneParts:
    """What a lane is made of. All of it is the lane thread's alone, but for the feed and the track."""

    feed: Feed
    track: CursorTrack
    exporter: Exporter
    catch_up: CatchUp
    attachment: Attachment
    records: LaneRecords
    log: LaneLog
    sink: Sink[LaneItem]


class Lane:
    """Runs one sink. `start` once; every other public method may be called by any thread and none waits, but `join`."""

    def __init__(self, sink_id: str, parts: LaneParts, rhythm: LaneRhythm, clock: Clock, logger: Log) -> None:
        self.sink_id = sink_id
        self.feed = parts.feed
        self._parts = parts
        self._rhythm = rhythm
        self._clock = clock
        self._logger = logger
        self._thread = threading.Thread(target=self._run, name=f"lane-{sink_id}", daemon=True)
        self._messages: deque[Assigned] = deque()
        self._grants: dict[int, int] = {}
        self._mail = threading.Lock()
        self._interrupt = threading.Event()
        self._stop_by: Deadline | None = None
        self._ready_at_s = 0.0
        self._attach_at_s = 0.0
        self._buffer_turns = 0
        self._waiting_since_s: float | None = None
        self._commit_at_s = 0.0
        self._tend_at_s = 0.0
        self._export_backoff = Backoff()
        self._commit_backoff = Backoff()
        self._attach_backoff = Backoff()
        self._crash: BaseException | None = None

    # -------------------------------------------------------------------------------------------- from other threads

    def start(self) -> None:
        self._thread.start()

    def assign(self, partitions: Sequence[int], tag: int) -> None:
        """Attach to these partitions as soon as the batch under way is done."""
        with self._mail:
            self._messages.append(Assigned(tuple(partitions), tag))
        self.feed.work.ring()

    def revoke(self, partitions: Sequence[int]) -> None:
        """Take nothing more of these partitions, also not what a queued assignment would attach."""
        wanted = set(partitions)
        with self._mail:
            self._messages = deque(
                Assigned(tuple(p for p in m.partitions if p not in wanted), m.tag) for m in self._messages
            )
        self.feed.revoke(partitions)

    def at_rest(self, partitions: Sequence[int]) -> bool:
        """Whether nothing of these partitions is on its way to the sink or to the ledger."""
        return self.feed.at_rest(partitions) and self._parts.track.quiet(partitions)

    def interrupt(self, partitions: Sequence[int]) -> None:
        """Give up an export under way that has records of these partitions; the sink forgets what it has of it."""
        if self.feed.under_way(partitions):
            self._interrupt.set()
            self.feed.work.ring()

    def call_off(self) -> None:
        """Give up whatever export is under way if there are granted cursors to commit, which have to come first."""
        with self._mail:
            waiting = bool(self._grants)
        if waiting:
            self._interrupt.set()
            self.feed.work.ring()

    def forget(self, partitions: Sequence[int]) -> None:
        """These partitions are no longer ours: whatever is still under way for them changes nothing."""
        self.feed.forget(partitions)
        self._parts.track.forget(partitions)
        with self._mail:
            for partition in partitions:
                self._grants.pop(partition, None)

    def cleared(self) -> Mapping[int, ClearedCursor]:
        """The cursors that may be committed now; a partition that is not attached yet is missing."""
        return self._parts.track.cleared()

    def grant(self, cursors: Mapping[int, int]) -> None:
        """The group accepted a commit of ours, so we still own these partitions: commit up to these cursors."""
        with self._mail:
            self._grants.update(cursors)
        self.feed.work.ring()

    def commit_again(self) -> None:
        """Commit every cursor again with the next grant, although nothing moved: an old commit is about to expire."""
        self._parts.track.forget_commits()

    def committed(self, partitions: Iterable[int]) -> Mapping[int, int]:
        """What Kafka has of this lane's cursors, as far as it confirmed."""
        return self._parts.track.commits(partitions)

    def stop(self, deadline: Deadline) -> None:
        """Finish: give up an export that is still under way, release the sink by `deadline`."""
        self._stop_by = deadline
        self._interrupt.set()
        self.feed.work.ring()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread's end; whether it came in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def snapshot(self) -> LaneSnapshot:
        """How the lane stands, for showing it."""
        statistics = self.feed.statistics()
        records = self._parts.records
        return LaneSnapshot(
            sink_id=self.sink_id,
            kind=records.kind,
            state=records.state.value,
            buffered_records=statistics.buffered_records,
            capacity_records=statistics.limits.capacity_records,
            buffered_bytes=statistics.buffered_bytes,
            capacity_bytes=statistics.limits.capacity_bytes or 0,
            live_partitions=statistics.live,
            catching_up_partitions=statistics.catching_up,
            exported=statistics.exported,
            filtered=statistics.filtered,
            dropped=statistics.dropped,
            failed_exports=records.failed_exports,
            detached=statistics.detached,
            lag_records=statistics.lag_records,
            cursors=statistics.cursors,
            positions=statistics.positions,
            last_failure=records.last_failure,
        )

    @property
    def crash(self) -> BaseException | None:
        """What ended the thread against its will, which is a bug; the worker stops over it."""
        return self._crash

    # --------------------------------------------------------------------------------------------- the lane's thread

    def _run(self) -> None:
        try:
            while self._stop_by is None:
                self._turn()
            self._wind_up(self._stop_by)
        except BaseException as error:  # noqa: BLE001 - a thread has nobody to raise to; the worker asks `crash`
            self._crash = error
            self._logger.event(
                "lane crashed", level="error", sink=self.sink_id, error=type(error).__name__, detail=place_of(error)
            )
            self.feed.room.ring()

    def _turn(self) -> None:
        rings = self.feed.work.count()
        self._serve_messages()
        self._move_cursors()
        self._tend()
        exported = self._export()
        # A full buffer always has a batch to export: without its turn in between, the log would never be read.
        if exported and self._buffer_turns < BUFFER_TURNS_PER_READ:
            return
        if self._read_log() or exported:
            return
        self.feed.work.wait_beyond(rings, self._patience_s())

    def _serve_messages(self) -> None:
        now_s = self._clock.now_s()
        with self._mail:
            message = self._messages[0] if self._messages and now_s >= self._attach_at_s else None
        if message is None:
            return
        attached = self._parts.attachment.attach(message)
        with self._mail:
            # A revocation during the attachment has taken partitions out of the queued message: they were attached
            # although they are not ours any more, and nobody else would let go of them.
            wanted = {p for m in self._messages if m.tag == message.tag for p in m.partitions}
            left = [p for p in message.partitions if p in wanted and p not in attached]
            others = [m for m in self._messages if m.tag != message.tag]
            # What could not be learned goes to the end, so that it does not keep later assignments waiting.
            self._messages = deque([*others, *([Assigned(tuple(left), message.tag)] if left else [])])
        for partition in attached - wanted:
            self.feed.leave(partition, message.tag)
            self._parts.track.leave(partition, message.tag)
        if left:
            done_at_s = self._clock.now_s()
            rest_s = min(LONGEST_ATTACH_REST_S, ATTACH_REST * (done_at_s - now_s))
            self._attach_at_s = done_at_s + max(rest_s, self._attach_backoff.next_delay_s())
        else:
            self._attach_backoff.succeeded()
        self.feed.room.ring()

    def _tend(self) -> None:
        now_s = self._clock.now_s()
        if now_s >= self._tend_at_s:
            self._tend_at_s = now_s + TEND_EVERY_S
            self._parts.sink.tend()
            self._parts.log.tend()

    def _export(self) -> bool:
        now_s = self._clock.now_s()
        if now_s < self._ready_at_s or self._lingering(now_s):
            return False
        # An interrupt is about the export that was under way when it was asked for. Left set by one that came too late,
        # it would tear the next batch, of partitions we keep, out of the sink's hands: duplicates for nothing.
        self._interrupt.clear()
        if self._stop_by is not None:
            return False  # the stop's own interrupt may be what was cleared
        self._buffer_turns += not self.feed.waiting().from_log
        attempt = self._parts.exporter.attempt(self._interrupt)
        if attempt.failure is None:
            self._ready_at_s = 0.0
            self._export_backoff.succeeded()
        else:
            delay_s = self._export_backoff.next_delay_s(attempt.failure.retry_after_s)
            self._ready_at_s = self._clock.now_s() + delay_s
            if self._export_backoff.failures >= FAILURES_WITH_READER:
                # What was read waits in front of the sink, so the reader is not read: for as long as this lasts, nobody
                # would listen to what its client has to say.
                self._parts.catch_up.let_go()
        self._parts.records.attempted(attempt)
        return attempt.moved or attempt.gave_up

    def _lingering(self, now_s: float) -> bool:
        """Whether there is nothing to export, or so little that a fuller batch is worth waiting for."""
        waiting = self.feed.waiting()
        if waiting.records == 0:
            self._waiting_since_s = None
            return True
        if self._waiting_since_s is None:
            self._waiting_since_s = now_s
        full = waiting.records >= self._rhythm.batch_records or waiting.bytes >= self._rhythm.batch_bytes
        # A buffer may have no room for the next offer long before a batch is full: then nothing more comes by waiting.
        at_once = full or waiting.from_log or waiting.pressing
        if not at_once and now_s - self._waiting_since_s < self._rhythm.linger_s:
            return True
        self._waiting_since_s = None
        return False

    def _read_log(self) -> bool:
        """Read the log when nothing waits in front of it, or when the buffer has had its turns."""
        waiting = self.feed.waiting()
        if waiting.from_log or (waiting.records and self._buffer_turns < BUFFER_TURNS_PER_READ):
            return False
        self._buffer_turns = 0
        timeout_s = 0.0 if waiting.records else READ_TIMEOUT_S
        read = self._parts.catch_up.read(self._rhythm.batch_records, timeout_s)
        for partition in read.out_of_range:
            self._parts.attachment.log_moved(partition)
        for partition in read.damaged:
            self._parts.attachment.log_damaged(partition)
        return read.events > 0

    def _move_cursors(self) -> None:
        track = self._parts.track
        for step in self.feed.settle():
            track.add(step.partition, step.tag, step.cursor, self._parts.records.gaps(step))
        for partition, cleared in track.pump().items():
            self.feed.cursor_at(partition, cleared.tag, cleared.next_offset)
        if (dropped := self.feed.overflowed()) is not None:
            self._parts.records.overflowed(dropped)
        self._parts.records.follow_feed()
        self._parts.records.marks_due()
        self._commit_granted(COMMIT_TIMEOUT_S)

    def _commit_granted(self, timeout_s: float) -> None:
        with self._mail:
            granted = dict(self._grants) if self._clock.now_s() >= self._commit_at_s else {}
            if granted:
                self._grants.clear()
        due = self._parts.track.due(granted)
        if not due:
            return
        if self._parts.log.commit(self._parts.records.stored(due), timeout_s):
            self._parts.track.committed(due)
            self._commit_backoff.succeeded()
            self.feed.room.ring()
            return
        # A hand-over grants once: without another try its exports would come again. What was forgotten while we asked
        # is somebody else's by now; it is forgotten by the track first, so that it cannot slip in here.
        with self._mail:
            still = self._parts.track.commits(due)
            self._grants = {p: cursor for p, cursor in due.items() if p in still} | self._grants
        self._commit_at_s = self._clock.now_s() + self._commit_backoff.next_delay_s()

    def _patience_s(self) -> float:
        now_s = self._clock.now_s()
        waits = [IDLE_WAIT_S]
        if self._parts.track.waiting():
            waits.append(LEDGER_WAIT_S)
        if self._commit_at_s > now_s:
            waits.append(self._commit_at_s - now_s)
        if self._ready_at_s > now_s:
            waits.append(self._ready_at_s - now_s)
        if self._waiting_since_s is not None:
            waits.append(max(0.0, self._waiting_since_s + self._rhythm.linger_s - now_s))
        if self._parts.catch_up.active:
            waits.append(READ_TIMEOUT_S)
        return min(waits)

    def _wind_up(self, deadline: Deadline) -> None:
        self._parts.records.stopping()
        self._parts.sink.close(deadline)
        self._parts.log.close(deadline)
        self._parts.records.stopped()
