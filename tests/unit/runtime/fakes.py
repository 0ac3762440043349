"""The runtime's ports by hand: nothing has a thread, and time passes only where somebody waits."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from tailrace.domain.kinds import ProjectionKind
from tailrace.domain.ledger import LedgerEntry
from tailrace.domain.projected import (
    LaneItem,
    Projected,
    ProjectorCounts,
    Undecodable,
    UndecodableReason,
    one_by_one,
    record_of,
)
from tailrace.runtime.clock import Deadline
from tailrace.runtime.offers import Offer
from tailrace.runtime.ports import (
    AssignmentListener,
    Damaged,
    Event,
    Events,
    Fetched,
    GroupOffset,
    Interrupt,
    LedgerMark,
    OutOfRange,
    Polled,
    StoredCursor,
)
from tailrace.runtime.signal import Signal
from tailrace.runtime.sink_port import Accepted, ExportOutcome

PROGRESS = b"progress"
TERMINAL = b"terminal"
THREE = b"three"
POISON = b"?"
"""What an event's value says of its projections; more bytes behind the word make it larger."""

KINDS: Mapping[bytes, tuple[ProjectionKind, ...]] = {
    PROGRESS: (ProjectionKind.PROGRESS,),
    TERMINAL: (ProjectionKind.RUN_TERMINAL,),
    THREE: (ProjectionKind.RUN_TERMINAL, ProjectionKind.USAGE, ProjectionKind.COST_ESTIMATE),
}

Told = tuple[str, object]
"""One entry of a story: what happened, and with what."""


class FakeClock:
    def __init__(self, at_s: float = 100.0) -> None:
        self.at_s = at_s

    def now_s(self) -> float:
        return self.at_s

    def wall_us(self) -> int:
        return int(self.at_s * 1e6)

    def passes(self, seconds: float) -> None:
        self.at_s += seconds


class FakeProcessor:
    """Processor time as a test has it pass; none by itself."""

    def __init__(self) -> None:
        self.used_by_process_s = 7.0
        self.used_by_thread_s = 3.0

    def process_s(self) -> float:
        return self.used_by_process_s

    def thread_s(self) -> float:
        return self.used_by_thread_s


class Doorbell(Signal):
    """A signal whose waiter does not sleep: the time it would have waited passes, and others get on meanwhile."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock
        self.meanwhile: Callable[[], None] = lambda: None

    def wait_beyond(self, count: int, timeout_s: float) -> bool:
        self._clock.passes(timeout_s)
        self.meanwhile()
        return self.count() > count


class Unheard(Signal):
    """A signal that nobody waits for: the lane's turn ends where it would have slept."""

    def wait_beyond(self, count: int, timeout_s: float) -> bool:
        return self.count() > count


class FakeLog:
    """Keeps the names and fields of what is reported."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def event(self, name: str, /, *, level: str = "info", **fields: object) -> None:
        self.lines.append((name, {"level": level, **fields}))

    def said(self, start: str) -> list[dict[str, object]]:
        return [fields for name, fields in self.lines if name.startswith(start)]


# --------------------------------------------------------------------------------------------------------------- events


class FakeTopic:
    """The events log. `damaged` offsets cannot be read, `offline` partitions have no leader."""

    def __init__(self, partitions: int = 1) -> None:
        self._events: dict[int, list[Event]] = {p: [] for p in range(partitions)}
        self.start = dict.fromkeys(range(partitions), 0)
        self.damaged: set[tuple[int, int]] = set()
        self.offline: set[int] = set()

    @property
    def partitions(self) -> list[int]:
        return list(self._events)

    def append(self, partition: int, *values: bytes, key: bytes = b"run") -> None:
        log = self._events[partition]
        for value in values:
            log.append(Event(len(log), 1_000 + len(log), key, value))

    def end(self, partition: int) -> int:
        return len(self._events[partition])

    def retain_from(self, partition: int, offset: int) -> None:
        self.start[partition] = offset

    def log_range(self, partition: int) -> tuple[int, int] | None:
        return None if partition in self.offline else (self.start[partition], self.end(partition))

    def read(self, partition: int, position: int, most: int) -> list[Polled]:
        """As a reader brings it: what can be read from `position` on, and then the trouble that ended it, if any."""
        if partition in self.offline:
            return []
        if not self.start[partition] <= position <= self.end(partition):
            return [OutOfRange(partition)]
        broken = min((o for p, o in self.damaged if p == partition and o >= position), default=None)
        end = min(position + most, self.end(partition))
        events = self._events[partition][position : end if broken is None else min(end, broken)]
        found: list[Polled] = []
        if events:
            found.append(Fetched(partition, position, events[-1].offset + 1, Events.of(events)))
        if broken is not None and broken < end:
            found.append(Damaged(partition, broken))
        return found


class FakeProjector:
    """Makes of an event what its value says."""

    def __init__(self) -> None:
        self.projected: list[tuple[int, int]] = []

    def counts(self) -> ProjectorCounts:
        return ProjectorCounts()

    def project_all(
        self, partition: int, offsets: Sequence[int], keys: Sequence[bytes | None], values: Sequence[bytes | None]
    ) -> Sequence[Projected]:
        return one_by_one(self.project, partition, offsets, keys, values)

    def project(self, partition: int, offset: int, key: bytes | None, value: bytes | None) -> Projected:
        self.projected.append((partition, offset))
        return projected(partition, offset, value or b"", key or b"run")


def projected(partition: int, offset: int, value: bytes = PROGRESS, key: bytes = b"run") -> Projected:
    if value.startswith(POISON):
        digest = sha256(value).hexdigest()
        return Undecodable(partition, offset, UndecodableReason.MALFORMED, "", digest, key, value)
    kinds = next(kinds for word, kinds in KINDS.items() if value.startswith(word))
    run = key.decode()
    return tuple(
        record_of(
            partition=partition,
            offset=offset,
            kind=kind,
            run_key=run,
            family="model",
            agent_id="agent",
            key=key,
            prefix=value,
            tail=b"",
        )
        for kind in kinds
    )


def offer(partition: int, first: int, end: int, value: bytes = PROGRESS) -> Offer:
    """Events `first` to below `end`, all alike."""
    events = [projected(partition, o, value) for o in range(first, end)]
    return Offer.of(partition, first, end, 1_000 + end, events)


@dataclass
class _Reading:
    """What a consumer reads, and where: it stops at trouble until it is told where to begin anew."""

    topic: FakeTopic
    positions: dict[int, int] = field(default_factory=dict)
    stopped: set[int] = field(default_factory=set)

    def begin(self, partition: int, offset: int) -> None:
        self.positions[partition] = offset
        self.stopped.discard(partition)

    def read(self, most: int, without: Iterable[int] = ()) -> list[Polled]:
        found: list[Polled] = []
        for partition in [p for p in self.positions if p not in self.stopped and p not in set(without)]:
            parts = self.topic.read(partition, self.positions[partition], most)
            for part in parts:
                if isinstance(part, Fetched):
                    self.positions[partition] = part.to_offset
                    most -= len(part.events)
                else:
                    self.stopped.add(partition)
            found.extend(parts)
            if most <= 0:
                break
        # Trouble comes last, as the port promises.
        return sorted(found, key=lambda part: not isinstance(part, Fetched))


# ---------------------------------------------------------------------------------------------------------- the group


class FakeSource:
    """A member of the group. `news` is served by the next poll; `accepts` is how the group takes commits."""

    def __init__(self, topic: FakeTopic, clock: FakeClock, story: list[Told]) -> None:
        self._reading = _Reading(topic)
        self._topic = topic
        self._clock = clock
        self._story = story
        self._listener: AssignmentListener | None = None
        self._results: list[tuple[Mapping[int, GroupOffset], bool]] = []
        self.news: deque[Callable[[AssignmentListener], None]] = deque()
        self.paused: set[int] = set()
        self.group: dict[int, GroupOffset] = {}
        self.accepts = True
        self.answers = True
        self.unanswered: list[Mapping[int, GroupOffset]] = []
        self.polled_at_s: list[float] = []
        self.troubles: list[OutOfRange | Damaged] = []  # come with the next poll, after what that one read

    # what happens to it

    def assign(self, *partitions: int) -> None:
        self.news.append(lambda listener: listener.assigned(partitions))

    def revoke(self, *partitions: int) -> None:
        def revoked(listener: AssignmentListener) -> None:
            listener.revoked(partitions)
            self._let_go(partitions)

        self.news.append(revoked)

    def lose(self, *partitions: int) -> None:
        def lost(listener: AssignmentListener) -> None:
            listener.lost(partitions)
            self._let_go(partitions)

        self.news.append(lost)

    def answer(self) -> None:
        """The answers that were held back are there with the next look."""
        for offsets in self.unanswered:
            self._decide(offsets)
        self.unanswered.clear()

    def position(self, partition: int) -> int | None:
        return self._reading.positions.get(partition)

    def _let_go(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            self._reading.positions.pop(partition, None)
            self.paused.discard(partition)

    def _decide(self, offsets: Mapping[int, GroupOffset]) -> bool:
        if self.accepts:
            self.group.update(offsets)
        self._results.append((offsets, self.accepts))
        return self.accepts

    # the port

    def subscribe(self, listener: AssignmentListener) -> None:
        self._listener = listener

    def poll(self, max_events: int, timeout_s: float) -> Sequence[Polled]:
        assert self._listener is not None
        self.polled_at_s.append(self._clock.now_s())
        while self.news:
            self.news.popleft()(self._listener)
        found = self._reading.read(max_events, without=self.paused)
        found.extend(self.troubles)
        self._reading.stopped.update(trouble.partition for trouble in self.troubles)
        self.troubles.clear()
        if not found:
            self._clock.passes(timeout_s)
        return found

    def begin(self, partition: int, offset: int) -> None:
        self._story.append(("begin", (partition, offset)))
        self._reading.begin(partition, offset)
        self.paused.discard(partition)

    def pause(self, partitions: Sequence[int]) -> None:
        self._story.append(("pause", tuple(partitions)))
        self.paused.update(partitions)

    def resume(self, partitions: Sequence[int]) -> None:
        self._story.append(("resume", tuple(partitions)))
        self.paused.difference_update(partitions)

    def group_offsets(self, partitions: Sequence[int], timeout_s: float) -> Mapping[int, GroupOffset] | None:
        return {p: self.group[p] for p in partitions if p in self.group}

    def commit(self, offsets: Mapping[int, GroupOffset]) -> None:
        self._story.append(("group", {p: o.next_offset for p, o in offsets.items()}))
        if self.answers:
            self._decide(offsets)
        else:
            self.unanswered.append(offsets)

    def commit_results(self) -> Sequence[tuple[Mapping[int, GroupOffset], bool]]:
        results, self._results = self._results, []
        return results

    def commit_now(self, offsets: Mapping[int, GroupOffset], deadline: Deadline) -> bool:
        self._story.append(("group", {p: o.next_offset for p, o in offsets.items()}))
        accepted = self._decide(offsets)
        self._results.pop()
        return accepted

    def start_offset(self, partition: int, timeout_s: float) -> int | None:
        log_range = self._topic.log_range(partition)
        return None if log_range is None else log_range[0]

    def close(self, deadline: Deadline) -> None:
        self._story.append(("leave", None))


# ---------------------------------------------------------------------------------------------------------- a lane's


class FakeLaneLog:
    """A lane's consumer. `refuses`: cursor commits fail; `blind`: nothing can be learned of the cursors."""

    def __init__(self, sink_id: str, topic: FakeTopic, clock: FakeClock, story: list[Told]) -> None:
        self._sink_id = sink_id
        self._topic = topic
        self._clock = clock
        self._story = story
        self._reading = _Reading(topic)
        self.cursors: dict[int, StoredCursor] = {}
        self.refuses = False
        self.refuses_next = 0
        self.blind = False
        self.meanwhile: Callable[[], None] = lambda: None  # what happens while a range is looked up
        self.looked_up: list[int] = []
        self.assigned_at: list[dict[int, int]] = []
        self.tended_at_s: list[float] = []

    def load(self, partitions: Sequence[int], timeout_s: float) -> Mapping[int, StoredCursor] | None:
        return None if self.blind else {p: self.cursors[p] for p in partitions if p in self.cursors}

    def known_elsewhere(self, timeout_s: float) -> bool | None:
        return None if self.blind else bool(self.cursors)

    def partitions(self, timeout_s: float) -> Sequence[int] | None:
        return self._topic.partitions

    def commit(self, cursors: Mapping[int, StoredCursor], timeout_s: float) -> bool:
        if self.refuses or self.refuses_next > 0:
            self.refuses_next -= 1
            return False
        self._story.append((f"cursors {self._sink_id}", {p: c.next_offset for p, c in cursors.items()}))
        self.cursors.update(cursors)
        return True

    def log_range(self, partition: int, timeout_s: float) -> tuple[int, int] | None:
        self.looked_up.append(partition)
        self.meanwhile()
        found = self._topic.log_range(partition)
        if found is None:
            self._clock.passes(timeout_s)
        return found

    def read_from(self, positions: Mapping[int, int]) -> None:
        self.assigned_at.append(dict(positions))
        self._reading = _Reading(self._topic, dict(positions))

    def read(self, max_events: int, timeout_s: float) -> Sequence[Polled]:
        return self._reading.read(max_events)

    def tend(self) -> None:
        self.tended_at_s.append(self._clock.now_s())

    def close(self, deadline: Deadline) -> None:
        self._story.append((f"close log {self._sink_id}", None))


Mood = Callable[[Sequence[LaneItem], Interrupt], ExportOutcome]


class FakeSink:
    """Takes everything, unless a mood for the next export says otherwise; knows what it has, in order."""

    def __init__(self) -> None:
        self.arrived: list[tuple[int, int]] = []
        self.batches: list[int] = []
        self.moods: deque[Mood] = deque()
        self.down: ExportOutcome | None = None
        self.abandoned = 0
        self.tended = 0
        self.closed = False

    def export(self, batch: Sequence[LaneItem], interrupt: Interrupt) -> ExportOutcome:
        self.batches.append(len(batch))
        if self.down is not None:
            return self.down
        outcome = self.moods.popleft()(batch, interrupt) if self.moods else Accepted()
        there = len(batch) if isinstance(outcome, Accepted) else outcome.accepted_records
        self.arrived.extend((item.partition, item.offset) for item in batch[:there])
        return outcome

    def offsets(self, partition: int) -> list[int]:
        return [offset for p, offset in self.arrived if p == partition]

    def abandon(self) -> None:
        self.abandoned += 1

    def tend(self) -> None:
        self.tended += 1

    def close(self, deadline: Deadline) -> None:
        self.closed = True


@dataclass
class FakeTicket:
    acknowledged: bool = False
    withdrawn: bool = False

    def withdraw(self) -> None:
        self.withdrawn = True


class FakeLedger:
    """Acknowledges at once, or keeps its tickets until `acknowledge`; `full` takes nothing."""

    def __init__(self) -> None:
        self.entries: list[LedgerEntry] = []
        self.tickets: list[FakeTicket] = []
        self.prompt = True
        self.full = False

    def submit(self, entry: LedgerEntry) -> FakeTicket | None:
        if self.full:
            return None
        self.entries.append(entry)
        ticket = FakeTicket(self.prompt)
        self.tickets.append(ticket)
        return ticket

    def acknowledge(self) -> None:
        for ticket in self.tickets:
            ticket.acknowledged = True


class FakeHistory:
    def __init__(self) -> None:
        self.marks: dict[str, dict[int, LedgerMark]] | None = {}

    def last_marks(self, sink_id: str) -> Mapping[int, LedgerMark] | None:
        return None if self.marks is None else self.marks.get(sink_id, {})
