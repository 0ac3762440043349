"""What outlives a crash: the events log, the group, committed cursors, sinks, health and dead-letter topics.

Everything that happens here is told to the `Proof`, which keeps its own books.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tailrace.domain.kinds import ProjectionKind, SinkKind
from tailrace.domain.ledger import CursorOrigin, ExportMark, Gap, LaneIdentity, LaneStarted, LedgerEntry
from tailrace.runtime.ports import Event, GroupOffset, LedgerMark, RefusedRecord, StoredCursor
from tests.model.proof import Key, PartitionLog, Proof, Slot

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


def read(log: PartitionLog, position: int, max_events: int, *, sees_markers: bool) -> tuple[list[Event], int]:
    """Events from `position` on, and the reader's position after them; markers behind the last may be seen."""
    events: list[Event] = []
    to_offset = position
    for offset in range(position, log.end):
        if log.slots[offset] is None:
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
    withdrawn: bool = False

    def withdraw(self) -> None:
        self.withdrawn = True


T = TypeVar("T")


@dataclass
class Topic(Generic[T]):
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
            queued = self.queued.popleft()
            if not queued[1].withdrawn:
                self.written.append(queued)
                self.on_written(queued[0])

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
class SinkWeather:
    """How one sink behaves from now on."""

    down: bool = False
    hangs: bool = False
    moods: deque[int] = field(default_factory=deque)  # one per export; see `ModelSink`
    refused: set[tuple[int, int, Key]] = field(default_factory=set)  # partition, offset, key: never to be taken


class Cluster:
    def __init__(self, sinks: Sequence[str], proof: Proof, ledger_capacity: int) -> None:
        self.proof = proof
        self.logs = proof.logs
        self.sinks = {sink_id: SinkWeather() for sink_id in sinks}
        self.cursors: dict[str, dict[int, StoredCursor]] = {sink_id: {} for sink_id in sinks}
        self.group: dict[int, GroupOffset] = {}
        self.ours: set[int] = set()  # partitions the group has given to our process, as the group sees it
        self.held: set[int] = set()  # partitions our process has been told of, and has not handed back
        self.fenced: set[int] = set()  # partitions that are somebody else's, although our process does not know yet
        self.news: deque[News] = deque()
        self.health: Topic[LedgerEntry] = Topic(ledger_capacity, self._entry_written, proof.entry_acknowledged)
        self.marks: dict[str, dict[int, LedgerMark]] = {}
        self.letters: Topic[RefusedRecord] = Topic(4, lambda _: None, proof.letter_acknowledged)
        self.unanswered: deque[tuple[dict[int, GroupOffset], bool]] = deque()
        self.answers: deque[tuple[dict[int, GroupOffset], bool]] = deque()
        self.group_commits_to_refuse = 0
        self.lane_commit_fates: deque[str] = deque()  # of the next ones: "lost", "unanswered"
        self.lookups_to_fail = 0
        self.commits_gone_wrong = 0

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
            if lost:
                self.fenced.update(gone)

    def let_go(self, partitions: Sequence[int]) -> None:
        """Our process knows by now that these are not its own."""
        for partition in partitions:
            self.proof.let_go[partition] = True

    def hand_over(self, partitions: Sequence[int], *, clean: bool) -> None:
        """These are no longer ours."""
        for partition in partitions:
            self.proof.gone(partition, clean=clean)
        self.held.difference_update(partitions)
        self.fenced.difference_update(partitions)

    def commit_group(self, offsets: Mapping[int, GroupOffset]) -> bool:
        """Fenced by membership: refused if any of the partitions is not the committer's."""
        if self.group_commits_to_refuse or not set(offsets) <= self.held - self.fenced:
            self.group_commits_to_refuse = max(0, self.group_commits_to_refuse - 1)
            self.commits_gone_wrong += 1
            return False
        for partition, offset in offsets.items():
            before = self.group.get(partition)
            self.group[partition] = offset
            self.proof.group_committed(partition, offset.next_offset, None if before is None else before.next_offset)
        return True

    def answer(self) -> None:
        """The answers to group commits are on their way back."""
        self.answers.extend(self.unanswered)
        self.unanswered.clear()

    # ------------------------------------------------------------------------------------------- cursors, memberless

    def commit_cursors(self, sink_id: str, cursors: Mapping[int, StoredCursor]) -> bool:
        fate = self.lane_commit_fates.popleft() if self.lane_commit_fates else "confirmed"
        if fate != "confirmed":
            self.commits_gone_wrong += 1
        if fate != "lost":
            self.cursors[sink_id].update(cursors)
            for partition, cursor in cursors.items():
                self.proof.cursor_committed(sink_id, partition, cursor.next_offset)
        return fate == "confirmed"

    def expire(self, sink_id: str) -> None:
        """Kafka forgets a group without members, or somebody cleans it up.

        A sink the ledger has never heard of is then a new one, of which nothing was promised before.
        """
        if not self.marks.get(sink_id):
            return
        self.proof.seen["cursors expired"] += 1
        for partition in self.cursors[sink_id]:
            self.proof.cursor_expired(sink_id, partition)
        self.cursors[sink_id].clear()

    def _entry_written(self, entry: LedgerEntry, *, ours: bool = True) -> None:
        self.proof.entry_written(entry, ours=ours)
        if isinstance(entry, LaneStarted | ExportMark):
            offset = entry.cursor if isinstance(entry, LaneStarted) else entry.next_offset
            self.marks.setdefault(entry.lane.sink_id, {})[entry.partition] = LedgerMark(offset, "id")

    def lookup_fails(self) -> bool:
        fails = self.lookups_to_fail > 0
        self.lookups_to_fail -= fails
        return fails

    # --------------------------------------------------------------------------------------------------- a crash

    def crash(self) -> None:
        self.health.crash()
        self.letters.crash()
        self.unanswered.clear()
        self.answers.clear()
        self.news.clear()
        self.ours.clear()
        self.hand_over(sorted(self.held), clean=False)
        self.fenced.clear()

    # ------------------------------------------------------------------------------------------- another worker

    def another_worker(self, partition: int, events: int) -> None:
        """While a partition is not ours, somebody else carries on with it, for every sink."""
        if partition in self.held or partition in self.ours or any(partition in news.partitions for news in self.news):
            return
        # Until our process knows that it has lost the partition, what it has handed in may be written behind theirs:
        # a limit of the ledger, not of this model's subject. Once it knows, nothing of it is written any more.
        self.health.write(len(self.health.queued))
        self.proof.assigned(partition)
        self.group.setdefault(partition, GroupOffset(0, ""))
        for sink_id, cursors in self.cursors.items():
            if partition in cursors:
                self._carry_on(sink_id, partition, cursors[partition], events)
        self.proof.gone(partition, clean=True)

    def _carry_on(self, sink_id: str, partition: int, cursor: StoredCursor, events: int) -> None:
        log = self.logs[partition]
        upto = min(log.end_of_events, max(cursor.next_offset, log.start) + events)
        if cursor.next_offset > log.end or upto <= cursor.next_offset:
            return
        lane = LaneIdentity(sink_id=sink_id, sink_kind=SinkKind.TEST, start_id="another")
        gaps = list(self.proof.owed_by_another(sink_id, partition, cursor.next_offset, upto))
        start = LaneStarted(
            lane=lane,
            topic="events",
            partition=partition,
            cursor=cursor.next_offset,
            cursor_origin=CursorOrigin.COMMITTED,
            config_digest="",
            projector_version=1,
        )
        entries: list[LedgerEntry] = [start]
        for reason, run in gaps:
            entries.append(
                Gap(
                    lane=lane,
                    topic="events",
                    partition=partition,
                    reason=reason,
                    detail="",
                    runs=(run,),
                    records=run.records,
                )
            )
        for entry in entries:
            self._entry_written(entry, ours=False)
            self.proof.entry_acknowledged(entry)
        self.proof.group_agrees(partition)
        self.cursors[sink_id][partition] = StoredCursor(upto, 0, 0, "id")
        self.proof.cursor_committed(sink_id, partition, upto)
        self.proof.seen["another worker carried on"] += 1
