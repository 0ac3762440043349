"""Steps on their way to becoming cursors: each waits until the ledger has what it passes over."""

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tailrace.domain.ledger import LedgerEntry
from tailrace.runtime.ports import Ledger, StoredCursor, Ticket


@dataclass(slots=True)
class _PendingStep:
    cursor: int
    unsubmitted: deque[LedgerEntry]
    tickets: list[Ticket]

    def cleared(self) -> bool:
        return not self.unsubmitted and all(ticket.acknowledged for ticket in self.tickets)


@dataclass(slots=True)
class _Track:
    tag: int
    loaded: StoredCursor
    cursor: int
    committed: int
    steps: deque[_PendingStep] = field(default_factory=deque)
    held_for_next: list[Ticket] = field(default_factory=list)
    marks: list[Ticket] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ClearedCursor:
    """A cursor that may be committed: the ledger has everything below it that was not exported or filtered."""

    tag: int
    next_offset: int


class CursorTrack:
    """The cursors of one lane, per partition, from acknowledged steps to committed offsets.

    A cursor only moves forward, and never below where it was loaded. The lane's thread calls everything; `cleared`,
    `committed` and `quiet` are read by the intake too, so all of it is behind one lock. Nothing here waits.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._tracks: dict[int, _Track] = {}

    def begin(self, partition: int, tag: int, loaded: StoredCursor, entries: Iterable[LedgerEntry]) -> None:
        """Track `partition` from `loaded` on; it moves only after `entries` (the lane start) are acknowledged."""
        with self._lock:
            track = _Track(tag, loaded, loaded.next_offset, loaded.next_offset)
            track.steps.append(_PendingStep(loaded.next_offset, deque(entries), []))
            self._tracks[partition] = track

    def loaded(self, partition: int) -> StoredCursor | None:
        """Where `partition` began under this assignment, with what its metadata counted up to then."""
        with self._lock:
            track = self._tracks.get(partition)
            return None if track is None else track.loaded

    def hold(self, partition: int, ticket: Ticket) -> None:
        """The next step of `partition` also waits for `ticket`."""
        with self._lock:
            track = self._tracks.get(partition)
            if track is not None:
                track.held_for_next.append(ticket)

    def add(self, partition: int, tag: int, cursor: int, entries: Iterable[LedgerEntry]) -> None:
        """`partition` may move to `cursor` once `entries` are acknowledged; ignored under another assignment's tag."""
        with self._lock:
            track = self._tracks.get(partition)
            if track is not None and track.tag == tag:
                track.steps.append(_PendingStep(cursor, deque(entries), track.held_for_next))
                track.held_for_next = []

    def mark(self, partition: int, entry: LedgerEntry) -> None:
        """Let the ledger know where `partition` stands, if there is room; nothing waits for it.

        Left out while the lane start is not acknowledged: standing alone, or in front of it, the mark would say that
        everything below is accounted for, which only the lane start's own cursor makes true.
        """
        with self._lock:
            track = self._tracks.get(partition)
            if track is not None and not self._starting(track) and (ticket := self._ledger.submit(entry)) is not None:
                # A ledger that is stuck for longer than the time between two marks keeps several.
                track.marks = [*(mark for mark in track.marks if not mark.acknowledged), ticket]

    def pump(self) -> dict[int, ClearedCursor]:
        """Hand waiting entries to the ledger, pass every step it has cleared; the cursors that moved."""
        moved: dict[int, ClearedCursor] = {}
        with self._lock:
            for partition, track in self._tracks.items():
                self._submit(track)
                while track.steps and track.steps[0].cleared():
                    cursor = track.steps.popleft().cursor
                    if cursor > track.cursor:
                        track.cursor = cursor
                        moved[partition] = ClearedCursor(track.tag, cursor)
        return moved

    def _submit(self, track: _Track) -> None:
        for step in track.steps:
            while step.unsubmitted:
                ticket = self._ledger.submit(step.unsubmitted[0])
                if ticket is None:
                    return
                step.unsubmitted.popleft()
                step.tickets.append(ticket)

    def waiting(self) -> bool:
        """Whether any step still waits for the ledger."""
        with self._lock:
            return any(track.steps for track in self._tracks.values())

    def quiet(self, partitions: Iterable[int]) -> bool:
        """Whether no step of these partitions waits for the ledger."""
        with self._lock:
            return not any(self._tracks[p].steps for p in partitions if p in self._tracks)

    def cleared(self) -> Mapping[int, ClearedCursor]:
        """The cursors that may be committed now, per partition."""
        with self._lock:
            return {
                partition: ClearedCursor(track.tag, track.cursor)
                for partition, track in self._tracks.items()
                if not self._starting(track)
            }

    @staticmethod
    def _starting(track: _Track) -> bool:
        # The first step is the lane start itself: until it is acknowledged this lane has no cursor to speak of.
        return bool(track.steps) and track.steps[0].cursor == track.cursor

    def due(self, granted: Mapping[int, int]) -> dict[int, int]:
        """Of the granted cursors, those beyond what is committed already.

        A grant of an earlier assignment may come late; it is below what this one has loaded, and nothing ever goes
        back below that.
        """
        with self._lock:
            return {
                partition: min(cursor, track.cursor)
                for partition, cursor in granted.items()
                if (track := self._tracks.get(partition)) is not None
                and cursor > track.committed
                and cursor >= track.loaded.next_offset
            }

    def committed(self, cursors: Mapping[int, int]) -> None:
        """Kafka has these now."""
        with self._lock:
            for partition, cursor in cursors.items():
                if partition in self._tracks:
                    self._tracks[partition].committed = cursor

    def forget_commits(self) -> None:
        """Take every cursor for uncommitted, so that the next grant commits it again."""
        with self._lock:
            for track in self._tracks.values():
                track.committed = -1

    def commits(self, partitions: Iterable[int]) -> Mapping[int, int]:
        """What Kafka has, per partition."""
        with self._lock:
            return {p: self._tracks[p].committed for p in partitions if p in self._tracks}

    def leave(self, partition: int, tag: int) -> None:
        """Forget `partition` if it is still tracked under this assignment."""
        with self._lock:
            if partition in self._tracks and self._tracks[partition].tag == tag:
                del self._tracks[partition]

    def forget(self, partitions: Iterable[int]) -> None:
        with self._lock:
            for partition in partitions:
                track = self._tracks.pop(partition, None)
                if track is None:
                    continue
                # Written after the next owner's lane start, a gap of ours would speak for what that one exports, and a
                # mark of ours for where it stands; a letter of ours would be there twice.
                for ticket in [*track.marks, *track.held_for_next, *(t for step in track.steps for t in step.tickets)]:
                    ticket.withdraw()
