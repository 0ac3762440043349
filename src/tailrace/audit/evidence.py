"""What an audit reads, as a port: Kafka and files behind one implementation, lists in memory behind another.

The order in which an audit asks makes it sound beside a running worker: cursors first, then where the ledger ends, the
sinks, the dead letters, the whole ledger, and the events last. So what lies below a cursor was in its sink before the
sink was read, every claim about an event is read before the log's end is looked at, and a restart in the meantime is in
the ledger.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Message(NamedTuple):
    """One record of a topic. `timestamp_ms` is that of the record, -1 where it has none."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()
    timestamp_ms: int = -1


@dataclass(slots=True)
class PartitionRead:
    """One partition, to be read once from `low` to `high`. `low` may rise while reading, when retention is at work."""

    partition: int
    low: int
    high: int
    messages: Iterator[Message]


class Line(NamedTuple):
    """One line of a file; `whole` is False for a last line without its line end."""

    place: str
    number: int
    text: bytes
    whole: bool


@dataclass(frozen=True, slots=True)
class FileRead:
    """The files of one writer as one stream, oldest first. `complete` says that no older file has been removed.

    `writer` tells apart the workers that wrote files of the same sink. Without any file, `there` is False.
    """

    complete: bool
    lines: Iterator[Line]
    writer: int = 0
    there: bool = True


class Evidence(Protocol):
    """Where an audit gets its facts. Every iterator is read to its end before the next method is called.

    Raises EvidenceUnreadable when something cannot be read to its end.
    """

    def cursors(self, sink_id: str) -> Mapping[int, int]:
        """The committed offsets of the sink's group, by events partition; partitions without one are left out."""
        ...

    def health_ends(self) -> Mapping[int, int]:
        """Where each partition of the health topic ends at this moment."""
        ...

    def sink_topic(self, sink_id: str) -> Iterator[PartitionRead]:
        """Every partition of a Kafka sink's topic."""
        ...

    def sink_files(self, sink_id: str) -> Iterator[FileRead]:
        """The streams of a file sink, one per worker that wrote to it."""
        ...

    def dead_letters(self) -> Iterator[PartitionRead]: ...

    def health(self) -> Iterator[PartitionRead]: ...

    def events(self) -> Iterator[PartitionRead]:
        """Every partition of the events topic."""
        ...

    def sink_value(self, sink_id: str, partition: int, place: int) -> bytes | None:
        """The value, or line, that was at this place: a second look, to say how two records differ."""
        ...
