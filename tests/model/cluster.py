"""What outlives a crash: the events log, the group, committed cursors, sinks, health and dead-letter topics.

Everything that happens here is told to the `Proof`, which keeps its own books.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tailrace.domain.kinds import ProjectionKind
from tailrace.domain.ledger import LedgerEntry
from tailrace.runtime.ports import Event, GroupOffset, RefusedRecord, StoredCursor
from tests.model.proof import Key, Proof, Slot

SHAPES: tuple[Slot | None, ...] = (
    Slot((ProjectionKind.PROGRESS,)),
    Slot((ProjectionKind.PROGRESS,)),
    Slot((ProjectionKind.PROGRESS,), size=9),
    Slot((ProjectionKind.USAGE,)),
    Slot((ProjectionKind.RUN_TERMINAL,)),
    Slot((ProjectionKind.USAGE, ProjectionKind.COST_ESTIMATE)),
    Slot((ProjectionKind.RUN_TERMINAL, ProjectionKind.USAGE)),
    Slot((ProjectionKind.RUN_TERMINAL, ProjectionKind.USAGE, ProjectionKind.COST_ESTIMATE), size=30),
    Slot((), undecodable=True),
    None,  # a transaction marker, or a record of an aborted transaction
)


@dataclass
class PartitionLog:
    """One partition of the events topic; a slot per offset."""

    slots: list[Slot | None] = field(default_factory=list)
    start: int = 0

    @property
    def end(self) -> int:
        return len(self.slots)

    @property
    def end_of_events(self) -> int:
        """Behind the last event; what follows is invisible to a reader until the next event comes."""
        last = max((offset for offset, slot in enumerate(self.slots) if slot is not None), default=-1)
        return max(self.start, last + 1)

    def read(self, position: int, max_events: int, *, sees_markers: bool) -> tuple[list[Event], int]:
        """Events from `position` on, and the reader's position after them; markers behind the last may be seen."""
        events: list[Event] = []
        to_offset = position
        for offset in range(position, self.end):
            if self.slots[offset] is None:
                if events and sees_markers:
                    to_offset = offset + 1
                continue
            if len(events) == max_events:
                break
            events.append(Event(offset, 1_000 + offset, b"", b""))
            to_offset = offset + 1
        return events, to_offset


@dataclass(frozen=True)
class News:
    """What the group tells its member with the next poll."""

    what: str  # assigned, revoked, lost
    partitions: tuple[int, ...]


@dataclass
class Ticketed:
    """A record that waits to be written, and the flag its owner looks at."""

    acknowledged: bool = False


@dataclass
class Topic[T]:
    """An output topic as one process writes it: queued, then written, then acknowledged, in order."""

    capacity: int
    on_written: Callable[[T], None]
    on_acknowledged: Callable[[T], None]
    queued: deque[tuple[T, Ticketed]] = field(default_factory=deque)
    written: deque[tuple[T, Ticketed]] = field(default_factory=deque)

    def submit(self, record: T) -> Ticketed | None:
        if len(self.queued) + len(self.written) >= self.capacity:
            return None
        ticket = Ticketed()
        self.queued.append((record, ticket))
        return ticket

    def write(self, records: int) -> None:
        for _ in range(min(records, len(self.queued))):
            self.written.append(self.queued.popleft())
            self.on_written(self.written[-1][0])

    def acknowledge(self, records: int) -> None:
        for _ in range(min(records, len(self.written))):
            record, ticket = self.written.popleft()
            self.on_acknowledged(record)
            ticket.acknowledged = True

    def crash(self) -> None:
        """What was not written never will be; what was is there, although nobody heard of it."""
        self.queued.clear()
        self.written.clear()


@dataclass
class SinkWorld:
    """How one sink behaves from now on."""

    down: bool = False
    hangs: bool = False
    moods: deque[int] = field(default_factory=deque)
    refused: set[tuple[int, Key]] = field(default_factory=set)


class Cluster:
    def __init__(self, partitions: int, sinks: Sequence[str], proof: Proof, ledger_capacity: int) -> None:
        self.proof = proof
        self.logs = proof.logs
        assert len(self.logs) == partitions
        self.sinks = {sink_id: SinkWorld() for sink_id in sinks}
        self.cursors: dict[str, dict[int, StoredCursor]] = {sink_id: {} for sink_id in sinks}
        self.group: dict[int, GroupOffset] = {}
        self.ours: set[int] = set()  # partitions the group has given to our process, as the group sees it
        self.held: set[int] = set()  # partitions our process has been told of, and has not handed back
        self.news: deque[News] = deque()
        self.health: Topic[LedgerEntry] = Topic(ledger_capacity, proof.entry_written, proof.entry_acknowledged)
        self.letters: Topic[RefusedRecord] = Topic(4, lambda _: None, proof.letter_acknowledged)
        self.answers: deque[tuple[dict[int, GroupOffset], bool]] = deque()
        self.refuse_group_commits = 0
        self.fail_lane_commits = 0
        self.fail_lookups = 0
        self.refused_commits = 0

    # ------------------------------------------------------------------------------------------------- the group

    def assign(self, partitions: Sequence[int]) -> None:
        new = tuple(p for p in partitions if p not in self.ours)
        if new:
            self.ours.update(new)
            self.news.append(News("assigned", new))

    def take_away(self, partitions: Sequence[int], *, lost: bool) -> None:
        gone = tuple(p for p in partitions if p in self.ours)
        if gone:
            self.ours.difference_update(gone)
            self.news.append(News("lost" if lost else "revoked", gone))

    def commit_group(self, offsets: dict[int, GroupOffset]) -> bool:
        """Fenced by membership: refused if any of the partitions is not the committer's."""
        if self.refuse_group_commits or not set(offsets) <= self.held:
            self.refuse_group_commits = max(0, self.refuse_group_commits - 1)
            self.refused_commits += 1
            return False
        self.group.update(offsets)
        self.proof.group_committed({partition: offset.next_offset for partition, offset in offsets.items()})
        return True

    # ------------------------------------------------------------------------------------------- cursors, memberless

    def commit_cursors(self, sink_id: str, cursors: dict[int, StoredCursor]) -> bool:
        if self.fail_lane_commits % 3 == 1:  # it never arrived
            self.fail_lane_commits //= 3
            self.refused_commits += 1
            return False
        self.cursors[sink_id].update(cursors)
        for partition, cursor in cursors.items():
            self.proof.cursor_committed(sink_id, partition, cursor.next_offset)
        if self.fail_lane_commits % 3 == 2:  # it arrived, the answer did not
            self.fail_lane_commits //= 3
            self.refused_commits += 1
            return False
        return True

    # --------------------------------------------------------------------------------------------------- a crash

    def crash(self) -> None:
        self.health.crash()
        self.letters.crash()
        self.answers.clear()
        self.news.clear()
        self.ours.clear()
        for partition in range(len(self.logs)):
            self.proof.process_gone(partition)
        self.held.clear()
