"""Dead letters: of events that nobody could read, and of records that one sink refused for ever."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from tailrace.audit.arrivals import DIGEST_BYTES, Arrivals
from tailrace.audit.evidence import Message, PartitionRead
from tailrace.audit.findings import FindingCode, Findings
from tailrace.audit.plan import DeadLetterPlan
from tailrace.audit.rules import WHOLE_EVENT, unit

_UNDECODABLE_STAGE = b"VALUE_CONVERTER"  # Kafka Connect's word for a record that could not be read
_SINK_CLASS = "tailrace.sink."  # before the id of the sink that refused a record


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
    reads: Iterator[PartitionRead], plan: DeadLetterPlan, events_topic: str, findings: Findings
) -> Letters:
    """Take in the dead-letter topic by its headers, and the digest each letter has of its event."""
    letters = Letters()
    for read in reads:
        for message in read.messages:
            where = f"partition {read.partition} offset {message.offset}"
            headers = dict(message.headers)
            try:
                topic = (headers["__connect.errors.topic"] or b"").decode()
                partition = int(headers["__connect.errors.partition"] or b"")
                offset = int(headers["__connect.errors.offset"] or b"")
                stage, class_name = headers["__connect.errors.stage"], headers["__connect.errors.class.name"]
            except (KeyError, ValueError):
                findings.add(FindingCode.LETTER_WITHOUT_ORIGIN, plan.lane_id, example=where)
                continue
            if topic != events_topic or not (partition >= 0 and offset >= 0):
                findings.add(FindingCode.LETTER_WITHOUT_ORIGIN, plan.lane_id, example=where)
            elif stage == _UNDECODABLE_STAGE:
                content = _stated_digest(message, plan)
                letters.undecodable.add(partition, unit(offset, WHOLE_EVENT), read.partition, message.offset, content)
            else:
                sink_id = (class_name or b"").decode(errors="replace").removeprefix(_SINK_CLASS)
                letters.refused.add((sink_id, partition, offset))
        if read.low > 0:
            letters.trimmed = True
            letters.undecodable.trimmed_partitions.add(read.partition)
    return letters


def _stated_digest(message: Message, plan: DeadLetterPlan) -> bytes:
    """The digest of the event by what the letter says; of nothing sensible when it says nothing sensible."""
    if plan.raw:
        return letter_digest(message.value)
    try:
        return bytes.fromhex(json.loads(message.value or b"")["value_sha256"])[:DIGEST_BYTES].ljust(DIGEST_BYTES)
    except (ValueError, KeyError, TypeError):
        return bytes(DIGEST_BYTES)
