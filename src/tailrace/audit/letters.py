"""Dead letters: of events that nobody could read, and of records that one sink refused for ever.

Several groups of workers may write theirs to one topic; each letter says in a header whose it is.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tailrace.audit.arrivals import DIGEST_BYTES, Arrivals
from tailrace.audit.evidence import Message, PartitionRead
from tailrace.audit.findings import FindingCode, Findings
from tailrace.audit.plan import DeadLetterPlan
from tailrace.audit.rules import WHOLE_EVENT, unit

_CONNECT_NAMES = ("topic", "partition", "offset", "stage")
_UNDECODABLE_STAGE = "VALUE_CONVERTER"  # Kafka Connect's word for a record that could not be read


def letter_digest(event_value: bytes | None) -> bytes:
    """Stands for the event that a dead letter is about."""
    return hashlib.sha256(event_value or b"").digest()[:DIGEST_BYTES]


@dataclass(slots=True)
class Letters:
    """`undecodable` are the exports of the dead-letter lane; `refused` holds (sink id, partition, offset)."""

    undecodable: Arrivals = field(default_factory=Arrivals)
    refused: set[tuple[str, int, int]] = field(default_factory=set)
    trimmed: bool = False

    def refused_by(self, sink_id: str, partition: int) -> frozenset[int]:
        """The offsets of this partition at which the sink refused a record."""
        return frozenset(offset for owner, source, offset in self.refused if (owner, source) == (sink_id, partition))

    def refused_elsewhere(self, sink_id: str, partition: int) -> bool:
        """Whether the sink refused a record of another partition."""
        return any(owner == sink_id and source != partition for owner, source, _ in self.refused)


def read_letters(
    reads: Iterator[PartitionRead], plan: DeadLetterPlan, events_topic: str, group: str, findings: Findings
) -> Letters:
    """Take in the group's letters by their headers, and the digest each has of its event."""
    letters = Letters()
    for read in reads:
        for message in read.messages:
            headers = dict(message.headers)
            if headers.get("tailrace.group", group.encode()) != group.encode():
                continue
            try:
                origin = _origin(headers, events_topic)
            except (KeyError, ValueError):
                where = f"partition {read.partition} offset {message.offset}"
                findings.add(FindingCode.LETTER_WITHOUT_ORIGIN, plan.lane_id, example=where)
                continue
            if origin.sink_id is not None:
                letters.refused.add((origin.sink_id, origin.partition, origin.offset))
                continue
            number, content = unit(origin.offset, WHOLE_EVENT), _stated_digest(message, plan)
            letters.undecodable.add(origin.partition, number, read.partition, message.offset, content)
        if read.low > 0:
            letters.trimmed = True
            letters.undecodable.trimmed_partitions.add(read.partition)
    return letters


@dataclass(frozen=True, slots=True)
class _Origin:
    """The event a letter is about, and the sink that refused a record of it; None: nobody could read the event."""

    partition: int
    offset: int
    sink_id: str | None


def _origin(headers: Mapping[str, bytes | None], events_topic: str) -> _Origin:
    """Raises KeyError or ValueError where the headers do not say, or say another events topic."""
    topic, partition, offset, stage, _ = (
        (headers[name] or b"").decode()
        for name in (*(f"__connect.errors.{name}" for name in _CONNECT_NAMES), "tailrace.group")
    )
    refused = stage != _UNDECODABLE_STAGE
    sink_id = (headers["tailrace.sink"] or b"").decode() if refused else None
    origin = _Origin(int(partition), int(offset), sink_id)
    if topic != events_topic or origin.partition < 0 or origin.offset < 0:
        raise ValueError
    return origin


def _stated_digest(message: Message, plan: DeadLetterPlan) -> bytes:
    """The digest of the event by what the letter says; of nothing sensible when it says nothing sensible."""
    if plan.raw:
        return letter_digest(message.value)
    try:
        return bytes.fromhex(json.loads(message.value or b"")["value_sha256"])[:DIGEST_BYTES].ljust(DIGEST_BYTES)
    except (ValueError, KeyError, TypeError):
        return bytes(DIGEST_BYTES)
