"""What travels from a projector to the lanes: bytes ready to send, and just enough beside them to decide with.

Nothing downstream of a projector needs the decoded event (docs/DESIGN.md, The way of an event).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from enum import StrEnum
from itertools import repeat
from typing import NamedTuple

from tailrace.domain.kinds import ProjectionKind


class ProjectedRecord(NamedTuple):
    """One projection of one event, encoded once for every sink.

    `partition` and `offset` are the event's place in the events topic. An event yields at most one projection of each
    kind, so (partition, offset, kind) names a projection. `value` is the framed Avro record for a sink that gets no
    content, ready to send; its first `prefix_bytes` bytes are the same for every sink, what follows depends on it.
    `size_bytes` is what the record brings to a buffer's byte bound: key, value and `event`. `record_of` fills it in.

    `event` is the event as it came, only on the first of its records, and only if it carries content and some sink may
    get it: what a sink's own tail is made from, by the lane that sends it (docs/PRIVACY.md, The way of a prompt).
    Nothing that takes `value` alone ever meets content.

    A tuple and no dataclass: without machine code (`domain/record_columns.py`) one is made per event at least, on the
    one thread that everything waits for, and this takes a third of the time of a frozen dataclass [measured].
    """

    partition: int
    offset: int
    kind: ProjectionKind
    terminal_preserved: bool
    run_key: str  # the run id: groups progress for coalescing, and keys the record on a Kafka sink
    family: str
    agent_id: str
    key: bytes
    value: bytes
    prefix_bytes: int
    size_bytes: int
    event: bytes | None = None

    def __repr__(self) -> str:
        """As any tuple with names, but for the event: no traceback or log line may show content nobody redacted."""
        shown = [f"{name}={value!r}" for name, value in zip(self._fields[:-1], self[:-1], strict=True)]
        event = "None" if self.event is None else f"<{len(self.event)} bytes>"
        return f"ProjectedRecord({', '.join(shown)}, event={event})"

    def without_event(self) -> "ProjectedRecord":
        """The record for a sink that gets no content: it keeps, and weighs, no event."""
        if self.event is None:
            return self
        return self._replace(event=None, size_bytes=self.size_bytes - len(self.event))

    @property
    def prefix(self) -> bytes:
        """The part of the value that is the same for every sink."""
        return self.value[: self.prefix_bytes]

    @property
    def tail(self) -> bytes:
        """The part of the value that depends on the sink, as it is for one that gets no content."""
        return self.value[self.prefix_bytes :]


def record_of(
    *,
    partition: int,
    offset: int,
    kind: ProjectionKind,
    run_key: str,
    family: str,
    agent_id: str,
    key: bytes,
    prefix: bytes,
    tail: bytes,
    event: bytes | None = None,
) -> ProjectedRecord:
    """The record of these parts, its sizes and its class of preservation filled in."""
    return ProjectedRecord(
        partition,
        offset,
        kind,
        kind.is_terminal_preserved,
        run_key,
        family,
        agent_id,
        key,
        prefix + tail,
        len(prefix),
        len(key) + len(prefix) + len(tail) + len(event or b""),
        event,
    )


class UndecodableReason(StrEnum):
    """Why an event could not be projected; the reason in ledger gaps and dead letters. Never carries content."""

    NULL_VALUE = "null_value"
    UNFRAMED = "unframed"
    UNKNOWN_SCHEMA = "unknown_schema"
    UNSAFE_SCHEMA = "unsafe_schema"
    SCHEMA_MISMATCH = "schema_mismatch"  # written with a schema, or a symbol or branch of it, that ours cannot take
    TRUNCATED = "truncated"
    TRAILING_BYTES = "trailing_bytes"
    MALFORMED = "malformed"
    OVERSIZE = "oversize"
    MISPLACED_USAGE = "misplaced_usage"


@dataclass(frozen=True, slots=True)
class Undecodable:
    """An event nobody could project: coordinates, size, digest and reason, with the raw bytes for the dead letter.

    `field` is the schema path at which the walk stopped, such as `usage.input_tokens`, or empty. `key` and `value` are
    kept so that a dead-letter lane may store them *if* the operator asked for it; nothing else may look at them.
    """

    partition: int
    offset: int
    reason: UndecodableReason
    field: str
    value_sha256: str  # hex; of the empty string when the value was null
    key: bytes | None = dataclass_field(repr=False)
    value: bytes | None = dataclass_field(repr=False)

    @property
    def terminal_preserved(self) -> bool:
        """True: in a dead-letter lane's buffer a letter is never traded for another one."""
        return True

    @property
    def run_key(self) -> str:
        """Empty: whose run an unreadable event belonged to cannot be known."""
        return ""

    @property
    def size_bytes(self) -> int:
        """Bytes of key and value as they came."""
        return len(self.key or b"") + len(self.value or b"")


Projected = tuple[ProjectedRecord, ...] | Undecodable
"""What a projector makes of one event: its one to three records in rule order, or the reason there are none."""

LaneItem = ProjectedRecord | Undecodable


@dataclass(frozen=True, slots=True)
class ProjectorCounts:
    """Events so far that a projector had to take the long way, which costs some ten times as much, and by-products.

    `by_reference`: their writer schema is out of the compiler's reach. `rewritten`: legal, and not canonical.
    `replaced`: with identifiers that had to be replaced. `usage_ignored`: their usage did not count, because their
    family is newer than this version. `disagreements`: refused by the functions and taken by the reference; anything
    but 0 is a mistake in this code.
    """

    by_reference: int = 0
    rewritten: int = 0
    replaced: int = 0
    usage_ignored: int = 0
    disagreements: int = 0


"""What a lane's buffer holds: telemetry records, or, in the dead-letter lane, the events nobody could read."""


def one_by_one(
    project: Callable[[int, int, bytes | None, bytes | None], Projected],
    partition: int,
    offsets: Sequence[int],
    keys: Sequence[bytes | None],
    values: Sequence[bytes | None],
) -> Sequence[Projected]:
    """What `project` makes of each event of these columns, in their order."""
    return list(map(project, repeat(partition), offsets, keys, values))
