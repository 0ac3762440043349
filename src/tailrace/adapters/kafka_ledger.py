"""The ledger on the health topic: written through a journal, read back when a cursor has gone missing."""

import threading
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition

from tailrace.adapters.kafka_cluster import Properties
from tailrace.adapters.kafka_fetch import READER, receive
from tailrace.adapters.kafka_journal import Journal, JournalTicket
from tailrace.adapters.kafka_shipping import Shipment
from tailrace.adapters.kafka_sink import refused_letter
from tailrace.codec.ledger import LedgerCodec, NotALedgerEntry
from tailrace.domain.ledger import ExportMark, LaneStarted, LedgerEntry
from tailrace.runtime.clock import Clock, Deadline
from tailrace.runtime.ports import Interrupt, LedgerMark, RefusedRecord

READ_BACK_S = 60.0
"""Longest read of the whole ledger. It happens only when a cursor is missing, and is tried again after that."""

FRESH_FOR_S = 10.0
"""One read serves every lane that starts within this: a new worker asks once per sink, all at the same moment."""

METADATA_TIMEOUT_S = 5.0
"""One question to the cluster while reading back."""


Marks = dict[str, dict[int, LedgerMark]]
"""By sink id and partition."""


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

    def __init__(self, journal: Journal, events_topic: str, *, raw: bool) -> None:
        self._journal = journal
        self._events_topic = events_topic
        self._raw = raw

    def submit(self, letter: RefusedRecord) -> JournalTicket | None:
        return self._journal.submit(refused_letter(self._events_topic, letter, raw=self._raw))


class KafkaLedgerHistory:
    """The last place of every sink that the ledger knows. Thread-safe; one thread reads, the others wait for it."""

    def __init__(
        self,
        *,
        properties: Properties,
        health_topic: str,
        events_topic: str,
        codec: LedgerCodec,
        stop: Interrupt,
        clock: Clock,
    ) -> None:
        self._properties = properties
        self._health_topic = health_topic
        self._events_topic = events_topic
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
        consumer = Consumer({**self._properties, **READER, "group.id": "tailrace-ledger-reader"})
        try:
            return self._read_all(consumer, Deadline.after(self._clock, READ_BACK_S))
        except KafkaException:
            return None
        finally:
            consumer.close()

    def _read_all(self, consumer: Consumer, deadline: Deadline) -> Marks | None:
        topic = consumer.list_topics(self._health_topic, timeout=METADATA_TIMEOUT_S).topics.get(self._health_topic)
        if topic is None or topic.error is not None or not topic.partitions:
            return None  # not the same as an empty ledger: a sink that starts at the end would skip what it missed
        ends: dict[int, int] = {}
        starts: list[TopicPartition] = []
        for partition in topic.partitions:
            place = TopicPartition(self._health_topic, partition)
            low, high = consumer.get_watermark_offsets(place, timeout=METADATA_TIMEOUT_S, cached=False)
            if low < high:
                ends[partition] = high
                starts.append(TopicPartition(self._health_topic, partition, low))
        consumer.assign(starts)
        marks: Marks = {}
        while ends and not deadline.passed and not self._stop.is_set():
            for message in receive(consumer, 1_000, 0.5):
                if message.error() is None:
                    self._note(marks, message.value())
            for place in consumer.position([TopicPartition(self._health_topic, p) for p in ends]):
                if place.offset >= ends[place.partition]:
                    del ends[place.partition]
        return None if ends else marks

    def _note(self, marks: Marks, value: str | bytes | None) -> None:
        entry = self._codec.decode(value.encode() if isinstance(value, str) else value)
        match entry:
            case NotALedgerEntry():
                return  # somebody else's record; the audit reports it, a start does not depend on it
            case LaneStarted() if entry.topic == self._events_topic:
                mark = LedgerMark(entry.cursor, entry.topic_id)
                marks.setdefault(entry.lane.sink_id, {})[entry.partition] = mark
            case ExportMark() if entry.topic == self._events_topic:
                # The lane that writes marks has said before in which topic it is.
                of_sink = marks.setdefault(entry.lane.sink_id, {})
                before = of_sink.get(entry.partition)
                topic_id = None if before is None else before.topic_id
                of_sink[entry.partition] = LedgerMark(entry.next_offset, topic_id)
            case _:
                return
