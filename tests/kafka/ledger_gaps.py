"""What the ledger says a sink did not get, offset by offset."""

from tailrace.codec.ledger import LedgerCodec
from tailrace.codec.schemas import SchemaStore
from tailrace.domain.kinds import FailureKind
from tailrace.domain.ledger import Gap
from tests.kafka.sink_records import read_topic


def missed_offsets(bootstrap: str, health_topic: str, sink: str, reason: FailureKind) -> dict[int, list[int]]:
    """By partition, every offset of every gap with this reason; one that is stated twice is there twice."""
    codec = LedgerCodec(SchemaStore())
    missed: dict[int, list[int]] = {}
    for message in read_topic(bootstrap, health_topic):
        value = message.value()
        assert isinstance(value, bytes)
        entry = codec.decode(value)
        if isinstance(entry, Gap) and entry.lane.sink_id == sink and entry.reason is reason:
            offsets = missed.setdefault(entry.partition, [])
            for run in entry.runs:
                offsets.extend(range(run.first_offset, run.last_offset + 1))
    return missed
