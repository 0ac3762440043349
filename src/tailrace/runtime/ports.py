"""What the runtime asks of the world, as contracts. Adapters implement them; tests implement them by hand.

No port raises for an expected outcome: those are the closed unions below. An adapter translates its library's errors
at its own edge, so no Kafka error code reaches the runtime (docs/DESIGN.md, Layers).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from tailrace.domain.ledger import LedgerEntry
from tailrace.domain.projected import Projected, ProjectedRecord, ProjectorCounts
from tailrace.runtime.clock import Deadline


class Interrupt(Protocol):
    """Tells a waiting adapter that its caller no longer wants the result. Thread-safe."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds; True as soon as the caller has given up."""
        ...


# ---------------------------------------------------------------------------------------------------- events in


class Event(NamedTuple):
    """One record of the events topic, as bytes."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Events:
    """Records of the events topic in offset order, as columns of equal length.

    There is nothing a worker handles more of, and an object for each would take longer than reading it.
    """

    offsets: list[int]
    timestamps_ms: list[int]
    keys: list[bytes | None]
    values: list[bytes | None]

    @classmethod
    def none(cls) -> "Events":
        return cls([], [], [], [])

    @classmethod
    def of(cls, events: Iterable[Event]) -> "Events":
        """These events, one by one."""
        columns = cls.none()
        for event in events:
            columns.offsets.append(event.offset)
            columns.timestamps_ms.append(event.timestamp_ms)
            columns.keys.append(event.key)
            columns.values.append(event.value)
        return columns

    def extend(self, more: "Events") -> None:
        """Add events that follow on these."""
        self.offsets.extend(more.offsets)
        self.timestamps_ms.extend(more.timestamps_ms)
        self.keys.extend(more.keys)
        self.values.extend(more.values)

    def part(self, first: int, end: int | None = None) -> "Events":
        """A part of them; `first` and `end` as in a slice."""
        return Events(
            self.offsets[first:end], self.timestamps_ms[first:end], self.keys[first:end], self.values[first:end]
        )

    def __len__(self) -> int:
        return len(self.offsets)

    def __iter__(self) -> Iterator[Event]:
        """Each as a value of its own."""
        return map(Event, self.offsets, self.timestamps_ms, self.keys, self.values)


@dataclass(frozen=True, slots=True)
class Fetched:
    """Consecutive events of one partition.

    `from_offset` is where the previous fetch of this partition ended, `to_offset` the reader's position after this one.
    Offsets in between that are not in `events` hold no event (transaction markers, aborted records).
    """

    partition: int
    from_offset: int
    to_offset: int
    events: Events


@dataclass(frozen=True, slots=True)
class OutOfRange:
    """The log no longer, or not yet, has the position asked for on this partition; reading it has stopped."""

    partition: int


@dataclass(frozen=True, slots=True)
class Damaged:
    """The log has something at `offset` that cannot be read as records, such as a set that fails its checksum.

    Reading this partition has to begin anew: the client would go on behind it, and its events would be passed over.
    """

    partition: int
    offset: int


Polled = Fetched | OutOfRange | Damaged
"""What a reader brings. Trouble comes after what was read before it."""


class AssignmentListener(Protocol):
    """What a source calls from within `poll` and `close`, on the thread that called them."""

    def assigned(self, partitions: Sequence[int]) -> None:
        """These partitions are ours now, paused: nothing is read of them before `EventSource.begin`."""
        ...

    def revoked(self, partitions: Sequence[int]) -> None:
        """These partitions are ours until this returns; what is to be committed must be committed by then."""
        ...

    def lost(self, partitions: Sequence[int]) -> None:
        """Somebody else may already have these partitions; nothing may be committed for them."""
        ...


@dataclass(frozen=True, slots=True)
class GroupOffset:
    """What the consumer group itself has committed on a partition."""

    next_offset: int
    metadata: str


class EventSource(Protocol):
    """A member of the group that reads events. Every method on the one thread that owns it."""

    def subscribe(self, listener: AssignmentListener) -> None: ...

    def poll(self, max_events: int, timeout_s: float) -> Sequence[Polled]:
        """Up to `max_events` events, grouped by partition; serves the listener. Empty after `timeout_s` without any."""
        ...

    def begin(self, partition: int, offset: int) -> None:
        """Read `partition` from `offset` on; also moves a partition that is being read already."""
        ...

    def pause(self, partitions: Sequence[int]) -> None: ...

    def resume(self, partitions: Sequence[int]) -> None: ...

    def group_offsets(self, partitions: Sequence[int], timeout_s: float) -> Mapping[int, GroupOffset] | None:
        """What the group committed, partitions without a commit left out; None if it could not be learned in time."""
        ...

    def commit(self, offsets: Mapping[int, GroupOffset]) -> None:
        """Begin to commit; the result comes from `commit_results` of a later `poll`."""
        ...

    def commit_results(self) -> Sequence[tuple[Mapping[int, GroupOffset], bool]]:
        """What earlier `commit` calls came to since the last call: the offsets and whether the group took them."""
        ...

    def commit_now(self, offsets: Mapping[int, GroupOffset], deadline: Deadline) -> bool:
        """Commit and wait; for revocations, where the membership still holds.

        False if the group refused or had not answered by `deadline`; the commit may be accepted even then.
        """
        ...

    def start_offset(self, partition: int, timeout_s: float) -> int | None:
        """The first offset the log still has; None if it could not be learned in time."""
        ...

    def close(self, deadline: Deadline) -> None:
        """Leave the group, by `deadline` even if it does not answer. Calls `revoked` for what is still assigned."""
        ...


# ------------------------------------------------------------------------------------------- cursors and the log


@dataclass(frozen=True, slots=True)
class StoredCursor:
    """A sink's committed cursor on one partition, with what its metadata string carries."""

    next_offset: int
    export_seq: int
    dropped: int
    topic_id: str | None


class LaneLog(Protocol):
    """One lane's own view of the events log: its cursor in group `G.<sink_id>`, and a reader for catching up.

    Never joins the group. Every method on the lane's thread alone.
    """

    def load(self, partitions: Sequence[int], timeout_s: float) -> Mapping[int, StoredCursor] | None:
        """Committed cursors, partitions without one left out; None if they could not be learned in time."""
        ...

    def known_elsewhere(self, timeout_s: float) -> bool | None:
        """Whether this sink has a cursor on any partition of the topic; None if it could not be learned in time."""
        ...

    def partitions(self, timeout_s: float) -> Sequence[int] | None:
        """All partitions of the events topic; None if they could not be learned in time."""
        ...

    def commit(self, cursors: Mapping[int, StoredCursor], timeout_s: float) -> bool:
        """Commit and wait at most `timeout_s`; False if Kafka did not confirm all of them in time."""
        ...

    def log_range(self, partition: int, timeout_s: float) -> tuple[int, int] | None:
        """(first offset the log has, next offset to be written); None if they could not be learned in time."""
        ...

    def read_from(self, positions: Mapping[int, int]) -> None:
        """Read exactly these partitions from these offsets on; an empty mapping stops reading."""
        ...

    def read(self, max_events: int, timeout_s: float) -> Sequence[Polled]:
        """Like `EventSource.poll`, for the partitions of `read_from`."""
        ...

    def tend(self) -> None:
        """Do what cannot wait for the next question. Called every second or so; returns at once."""
        ...

    def close(self, deadline: Deadline) -> None:
        """Let go of the cluster, by `deadline` even if a commit is still under way."""
        ...


class Projector(Protocol):
    """Turns events' bytes into their projections. Thread-safe."""

    def project_all(
        self,
        partition: int,
        offsets: Sequence[int],
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
    ) -> Sequence[Projected]:
        """What it makes of each event of these columns, in their order."""
        ...

    def counts(self) -> ProjectorCounts:
        """How many events took it longer than they should; all 0 for one that knows one way only."""
        ...


# -------------------------------------------------------------------------------------------- ledger, dead letters


class Ticket(Protocol):
    """The fate of one record handed to a journal."""

    @property
    def acknowledged(self) -> bool:
        """True once the record is durable; stays True. Thread-safe."""
        ...

    def withdraw(self) -> None:
        """Take the record back if it is not on its way yet: whoever owns the partition now speaks for it."""
        ...


class Ledger(Protocol):
    """Writes entries to the health topic, in the order submitted per sink and partition. Thread-safe; never blocks."""

    def submit(self, entry: LedgerEntry) -> Ticket | None:
        """Queue an entry for writing; None when the queue is full, so that the caller keeps it and tries again."""
        ...


@dataclass(frozen=True, slots=True)
class LedgerMark:
    """How far the ledger knows a sink to be on one partition, and in which topic of that name."""

    next_offset: int
    topic_id: str | None


class LedgerHistory(Protocol):
    """Reads the ledger back, for sinks whose cursors have gone missing."""

    def last_marks(self, sink_id: str) -> Mapping[int, LedgerMark] | None:
        """Per partition, the last the ledger knows of this sink; None if the topic could not be read."""
        ...


@dataclass(frozen=True, slots=True)
class RefusedRecord:
    """A telemetry record that one sink refused for ever, on its way to the dead letters."""

    sink_id: str
    record: ProjectedRecord
    detail: str


class DeadLetters(Protocol):
    """Where records go that a sink refused for ever. Thread-safe; never blocks."""

    def submit(self, letter: RefusedRecord) -> Ticket | None:
        """Queue a letter for writing; None when the queue is full, so that the caller keeps it and tries again."""
        ...


# --------------------------------------------------------------------------------------------------------- logs


class Log(Protocol):
    """One line per life-cycle change: a constant name and fields; never content. Thread-safe."""

    def event(self, name: str, /, *, level: Literal["info", "warning", "error"] = "info", **fields: object) -> None: ...
