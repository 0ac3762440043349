"""The ledger on the health topic: written through a journal, read back when a cursor has gone missing."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaException, TopicPartition

from tailrace.adapters.kafka_fetch import READER, receive
from tailrace.adapters.kafka_journal import Journal, JournalTicket
from tailrace.adapters.kafka_shipping import Shipment
from tailrace.adapters.kafka_sink import refused_letter
from tailrace.codec.ledger import LedgerCodec, NotALedgerEntry, entry_label
from tailrace.domain.ledger import ExportMark, Gap, LaneStarted, LedgerEntry
from tailrace.runtime.clock import Clock, Deadline
from tailrace.runtime.ports import Interrupt, LedgerMark, RefusedRecord

STALLED_S = 30.0
"""A read of the ledger that brings nothing for this long is given up, and tried again later. There is no bound on the
whole of it: a week of marks of many sinks takes a while, and giving up what was read would never end."""

PLACES_PER_KEY = 4
"""Lane starts and marks kept per sink and partition while reading. The last one counts; the others are for a worker
that is older than the one before it, and cannot read what that one wrote."""

FRESH_FOR_S = 10.0
"""One read serves every lane that starts within this: a new worker asks once per sink, all at the same moment."""

METADATA_TIMEOUT_S = 5.0
"""One question to the cluster while reading back."""

READ_BACK: Mapping[str, str | int | bool] = {**READER, "group.id": "tailrace-ledger-reader"}
"""What a consumer that reads the ledger back is made with; it never joins that group and commits nothing."""


Marks = dict[str, dict[int, LedgerMark]]
"""By sink id and partition."""


@dataclass(slots=True)
class _Kept:
    """What of one key's entries says where its lane stood; only this is decoded, however many there are.

    `last_start` is kept beside the places, because it alone knows the topic's id, and marks are many. Gaps come in
    floods, and say where a lane stood only if nothing else does: then the first of them is the lowest bound.
    """

    first_gap: bytes | None = None
    last_start: bytes | None = None
    last_places: deque[bytes] = field(default_factory=lambda: deque(maxlen=PLACES_PER_KEY))

    def add(self, value: bytes) -> None:
        match entry_label(value):
            case "gap":
                self.first_gap = self.first_gap or value
            case "sink_failed" | "sink_recovered":
                return
            case label:
                self.last_places.append(value)
                if label == "lane_started":
                    self.last_start = value

    def __iter__(self) -> Iterator[bytes]:
        """So that what comes later says more. A last start that is among the places as well is only read twice."""
        yield from (value for value in (self.first_gap, self.last_start) if value is not None)
        yield from self.last_places


class KafkaLedger:
    """Puts ledger entries on the health topic. Thread-safe; never blocks."""

    def __init__(self, journal: Journal, codec: LedgerCodec) -> None:
        self._journal = journal
        self._codec = codec

    def submit(self, entry: LedgerEntry) -> JournalTicket | None:
        key, value = self._codec.encode(entry)
        return self._journal.submit(Shipment(key, value))


class KafkaRefusedLetters:
    """Puts records that a sink refused for ever on the dead-letter topic. Thread-safe; never blocks."""

    def __init__(self, journal: Journal, events_topic: str, group: str, *, raw: bool) -> None:
        self._journal = journal
        self._events_topic = events_topic
        self._group = group
        self._raw = raw

    def submit(self, letter: RefusedRecord) -> JournalTicket | None:
        return self._journal.submit(refused_letter(self._events_topic, self._group, letter, raw=self._raw))


class KafkaLedgerHistory:
    """The last place of every sink that the ledger knows. Thread-safe; one thread reads, the others wait for it."""

    def __init__(
        self,
        *,
        make_consumer: Callable[[], Consumer],
        health_topic: str,
        events_topic: str,
        group: str,
        codec: LedgerCodec,
        stop: Interrupt,
        clock: Clock,
    ) -> None:
        self._make_consumer = make_consumer
        self._health_topic = health_topic
        self._events_topic = events_topic
        self._group = group
        self._own_keys = f"{group}|".encode()
        self._codec = codec
        self._stop = stop
        self._clock = clock
        self._lock = threading.Lock()
        self._marks: Marks | None = None
        self._read_at_s = 0.0

    def last_marks(self, sink_id: str) -> Mapping[int, LedgerMark] | None:
        with self._lock:
            if self._marks is None or self._clock.now_s() - self._read_at_s > FRESH_FOR_S:
                self._marks = self._read_back()
                self._read_at_s = self._clock.now_s()
            return None if self._marks is None else self._marks.get(sink_id, {})

    def _read_back(self) -> Marks | None:
        consumer = self._make_consumer()
        try:
            kept = self._read_all(consumer)
        except KafkaException:
            return None
        finally:
            consumer.close()
        return None if kept is None else self._marks_of(kept)

    def _read_all(self, consumer: Consumer) -> dict[bytes, _Kept] | None:
        """What counts of this group's keys, from the whole topic; None if it could not be read to its end."""
        topic = consumer.list_topics(self._health_topic, timeout=METADATA_TIMEOUT_S).topics.get(self._health_topic)
        if topic is None or topic.error is not None or not topic.partitions:
            return None  # not the same as an empty ledger: a sink that starts at the end would skip what it missed
        ends = self._assign_all(consumer, list(topic.partitions))
        kept: dict[bytes, _Kept] = {}
        stalled = Deadline.after(self._clock, STALLED_S)
        while ends:
            if stalled.passed or self._stop.is_set():
                return None
            if messages := receive(consumer, 1_000, 0.5):
                stalled = Deadline.after(self._clock, STALLED_S)
            for message in messages:
                key, value = message.key(), message.value()
                if message.error() is not None or not isinstance(key, bytes) or not isinstance(value, bytes):
                    continue
                if key.startswith(self._own_keys):
                    kept.setdefault(key, _Kept()).add(value)
            places = consumer.position([TopicPartition(self._health_topic, p) for p in ends])
            ends = {place.partition: ends[place.partition] for place in places if place.offset < ends[place.partition]}
        return kept

    def _assign_all(self, consumer: Consumer, partitions: Iterable[int]) -> dict[int, int]:
        """Read every partition from its start; where each ends now, empty ones left out."""
        ends: dict[int, int] = {}
        starts: list[TopicPartition] = []
        for partition in partitions:
            place = TopicPartition(self._health_topic, partition)
            low, high = consumer.get_watermark_offsets(place, timeout=METADATA_TIMEOUT_S, cached=False)
            if low < high:
                ends[partition] = high
                starts.append(TopicPartition(self._health_topic, partition, low))
        consumer.assign(starts)
        return ends

    def _marks_of(self, kept: Mapping[bytes, Iterable[bytes]]) -> Marks:
        marks: Marks = {}
        for values in kept.values():
            for value in values:
                self._note(marks, value)
        return marks

    def _note(self, marks: Marks, value: bytes) -> None:
        entry = self._codec.decode(value)
        if isinstance(entry, NotALedgerEntry):
            return  # somebody else's record; the audit reports it, a start does not depend on it
        if entry.topic != self._events_topic or entry.lane.group != self._group:
            return
        of_sink = marks.setdefault(entry.lane.sink_id, {})
        before = of_sink.get(entry.partition)
        # What writes no id was written behind a lane start that did.
        topic_id = None if before is None else before.topic_id
        match entry:
            case LaneStarted():
                of_sink[entry.partition] = LedgerMark(entry.cursor, entry.topic_id)
            case ExportMark():
                of_sink[entry.partition] = LedgerMark(entry.next_offset, topic_id)
            case Gap() if before is None:
                # Its lane was past everything below it when it wrote this: a lower bound until a mark says more.
                of_sink[entry.partition] = LedgerMark(entry.runs[0].first_offset, topic_id)
            case _:
                return
