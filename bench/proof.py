"""Whether what arrived in a sink's topic is what the events yield: no run counts unless it is.

What is expected is worked out from the events topic by `bench.peers.projection`, which shares nothing with tailrace.
Records are compared as a set, by key and value: partitions and order differ between contestants, and are not judged
here. A contestant whose encoder writes the same record in other bytes is compared again by what its records say.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import Any

from fastavro import schemaless_reader

from bench.peers.projection import FRAME_BYTES, Projection, parsed
from bench.topics import read

Record = tuple[bytes, bytes]
"""Key and value."""

Offsets = tuple[tuple[int, int], ...]
"""Partitions and offsets."""

_MODULUS = 1 << 128


@dataclass(frozen=True, slots=True)
class Summary:
    """How many records, their size, and the sum of their digests, which no order changes."""

    records: int
    value_bytes: int
    digest: str


def summary_of(records: Iterable[Record], form: Callable[[bytes], bytes] = bytes) -> Summary:
    """`form` is what of a value is compared."""
    count = value_bytes = total = 0
    for key, value in records:
        count += 1
        value_bytes += len(value)
        # The key's length goes first, so that no byte can move between key and value unseen.
        whole = len(key).to_bytes(4, "big") + key + form(value)
        total += int.from_bytes(blake2b(whole, digest_size=16).digest(), "big")
    return Summary(count, value_bytes, f"{total % _MODULUS:032x}")


class Proof:
    """What the events of one topic yield, as bytes and as what the records say. Worked out once, when first asked."""

    def __init__(self, bootstrap: str, events_topic: str, schema_folder: Path) -> None:
        self._bootstrap = bootstrap
        self._events_topic = events_topic
        self._schema_folder = schema_folder
        self._schema: Any = parsed(schema_folder / "telemetry_record.avsc")[0]
        self._known: dict[tuple[Offsets, bool], Summary] = {}

    @property
    def expected(self) -> Summary:
        """All records of all events, as bytes."""
        return self._expected((), as_bytes=True)

    def refusal(self, sink_topic: str, from_offsets: Mapping[int, int]) -> str | None:
        """What is wrong with a sink's topic; None if it holds exactly the records of the events from those offsets on.

        A partition that is not named counts from its first event.
        """
        since = tuple(sorted(from_offsets.items()))
        expected = self._expected(since, as_bytes=True)
        found = summary_of(_records(self._bootstrap, sink_topic))
        if found == expected:
            return None
        if found.records != expected.records:
            return f"{sink_topic} holds {found.records} records instead of {expected.records}"
        meaning = summary_of(_records(self._bootstrap, sink_topic), self._meaning)
        if meaning.digest == self._expected(since, as_bytes=False).digest:
            return None
        return f"{sink_topic} holds {found.records} records, as expected, but not the expected ones"

    def _expected(self, since: Offsets, *, as_bytes: bool) -> Summary:
        known = self._known.get((since, as_bytes))
        if known is None:
            records = self._expected_records(dict(since))
            known = summary_of(records) if as_bytes else summary_of(records, self._meaning)
            self._known[since, as_bytes] = known
        return known

    def _expected_records(self, since: Mapping[int, int]) -> Iterator[Record]:
        projection = Projection(self._events_topic, self._schema_folder)
        for message in read(self._bootstrap, self._events_topic):
            key, value = message.key(), message.value()
            partition, offset = message.partition(), message.offset()
            assert isinstance(key, bytes)
            assert value is None or isinstance(value, bytes)
            assert partition is not None
            assert offset is not None
            if offset >= since.get(partition, 0):
                for record in projection.records(value, partition, offset):
                    yield key, record

    def _meaning(self, value: bytes) -> bytes:
        record: Any = schemaless_reader(BytesIO(value[FRAME_BYTES:]), self._schema, None)
        return value[:FRAME_BYTES] + json.dumps(record, sort_keys=True, default=repr).encode()


def _records(bootstrap: str, topic: str) -> Iterator[Record]:
    for message in read(bootstrap, topic):
        key, value = message.key(), message.value()
        assert key is None or isinstance(key, bytes)
        assert value is None or isinstance(value, bytes)
        yield key or b"", value or b""
