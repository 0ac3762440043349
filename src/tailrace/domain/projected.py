"""What travels from a projector to the lanes: bytes ready to send, and just enough beside them to decide with.

Nothing downstream of a projector needs the decoded event (docs/DESIGN.md, The way of an event).
"""

from dataclasses import dataclass
from enum import StrEnum

from tailrace.domain.kinds import ProjectionKind


@dataclass(frozen=True, slots=True)
class ProjectedRecord:
    """One projection of one event, encoded once for every sink.

    `partition` and `offset` are the event's place in the events topic. An event yields at most one projection of each
    kind, so (partition, offset, kind) names a projection. `prefix` is the framed Avro value up to the fields that
    depend on the sink, `tail` those fields for a sink that gets no content: `prefix + tail` is a whole record.
    """

    partition: int
    offset: int
    kind: ProjectionKind
    terminal_preserved: bool
    run_key: str  # the run id: groups progress for coalescing, and keys the record on a Kafka sink
    family: str
    agent_id: str
    key: bytes
    prefix: bytes
    tail: bytes

    @property
    def size_bytes(self) -> int:
        """Bytes this record brings to a buffer's byte bound: key and value."""
        return len(self.key) + len(self.prefix) + len(self.tail)


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
    key: bytes | None
    value: bytes | None

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
"""What a lane's buffer holds: telemetry records, or, in the dead-letter lane, the events nobody could read."""
