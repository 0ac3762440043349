"""One attempt after the other to get a lane's records to its sink: batches, and halving to find a refused record."""

from dataclasses import dataclass, field

from tailrace.domain.batch import Batch
from tailrace.domain.kinds import FailureKind
from tailrace.domain.projected import LaneItem, ProjectedRecord
from tailrace.runtime.cursor_track import CursorTrack
from tailrace.runtime.feed import Feed
from tailrace.runtime.ports import DeadLetters, Interrupt, RefusedRecord
from tailrace.runtime.sink_port import Accepted, Interrupted, Refused, Retriable, Sink


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How much one export carries at most; an event is never split, so a batch may be one event over."""

    records: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Failure:
    """The sink took nothing more at `item`; the same records are tried again later."""

    item: LaneItem
    kind: FailureKind
    detail: str
    retry_after_s: float | None


@dataclass(frozen=True, slots=True)
class WrittenOff:
    """A record that will never be at the sink: a gap now, and a dead letter where those are kept."""

    item: LaneItem
    kind: FailureKind
    detail: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one batch came to. `last` is the last record that arrived; all of it empty: there was nothing to export."""

    exported: int = 0
    last: LaneItem | None = None
    written_off: tuple[WrittenOff, ...] = ()
    failure: Failure | None = None
    gave_up: bool = False

    @property
    def moved(self) -> bool:
        """Whether any record left the feed for good."""
        return bool(self.exported or self.written_off)


@dataclass(slots=True)
class _Progress:
    rest: Batch[LaneItem]
    exported: int = 0
    last: LaneItem | None = None
    written_off: list[WrittenOff] = field(default_factory=list)

    def done(self, failure: Failure | None = None, *, gave_up: bool = False) -> Attempt:
        return Attempt(self.exported, self.last, tuple(self.written_off), failure, gave_up)


class Exporter:
    """Takes batches from a feed and brings them to a sink, in order. The lane's thread alone."""

    def __init__(
        self,
        *,
        sink_id: str,
        sink: Sink[LaneItem],
        feed: Feed,
        track: CursorTrack,
        limits: BatchLimits,
        dead_letters: DeadLetters | None,
    ) -> None:
        self._sink_id = sink_id
        self._sink = sink
        self._feed = feed
        self._track = track
        self._limits = limits
        self._dead_letters = dead_letters

    def attempt(self, interrupt: Interrupt) -> Attempt:
        """Export one batch; a record the sink refuses for ever is found by halving, and written off.

        Whatever happens, the batch is closed when this returns: what did not arrive is back at the front of the feed.
        """
        batch = self._feed.take(self._limits.records, self._limits.bytes)
        if not batch:
            return Attempt()
        try:
            return self._export(_Progress(batch), interrupt)
        finally:
            self._feed.give_back()

    def _export(self, progress: _Progress, interrupt: Interrupt) -> Attempt:
        suspects = 0  # the refused record is among this many at the front; 0: nothing is suspected
        # Refused records come in rows: behind one, the whole rest would be sent only to be searched by halves again.
        # So pieces begin at one record there and double with each that is accepted: a row costs one export a record.
        most = len(progress.rest)
        while progress.rest:
            piece = progress.rest[: max(1, suspects // 2) if suspects else most]
            match self._sink.export(piece, interrupt):
                case Accepted():
                    self._arrived(progress, len(piece))
                    suspects = max(0, suspects - len(piece))
                    most = max(most, 2 * len(piece))
                case Interrupted(accepted_records=accepted):
                    self._arrived(progress, accepted)
                    self._sink.abandon()
                    return progress.done(gave_up=True)
                case Retriable(accepted_records=accepted, failure_kind=kind, detail=detail, retry_after_s=after_s):
                    self._arrived(progress, accepted)
                    return progress.done(Failure(progress.rest[0], kind, detail, after_s))
                case Refused(accepted_records=accepted, suspect_records=suspects, failure_kind=kind, detail=detail):
                    self._arrived(progress, accepted)
                    if suspects == 1:
                        culprit = WrittenOff(progress.rest[0], kind, detail)
                        if not self._write_off(progress, culprit):
                            return progress.done(Failure(culprit.item, kind, "dead_letter_queue_full", None))
                        suspects, most = 0, 1
        return progress.done()

    def _arrived(self, progress: _Progress, records: int) -> None:
        if records:
            self._feed.acknowledge(records)
            progress.exported += records
            progress.last = progress.rest[records - 1]
            progress.rest = progress.rest[records:]

    def _write_off(self, progress: _Progress, culprit: WrittenOff) -> bool:
        item = culprit.item
        if self._dead_letters is not None and isinstance(item, ProjectedRecord):
            ticket = self._dead_letters.submit(RefusedRecord(self._sink_id, item, culprit.detail))
            if ticket is None:
                return False
            # The cursor passes the record only after the letter is durable, as it does for gaps.
            self._track.hold(item.partition, ticket)
        self._feed.write_off(culprit.kind, culprit.detail)
        progress.written_off.append(culprit)
        progress.rest = progress.rest[1:]
        return True
