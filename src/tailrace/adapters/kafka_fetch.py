"""Reading batches off a confluent-kafka consumer, and grouping them as the runtime wants them."""

import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import cast

from confluent_kafka import Consumer, KafkaError, Message

from tailrace.runtime.clock import Deadline
from tailrace.runtime.ports import Damaged, Events, Fetched, OutOfRange, Polled

# librdkafka's own error for a position the log does not have while `auto.offset.reset` is `error`.
OUT_OF_RANGE = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})  # noqa: SLF001

PARTITION_END = KafkaError._PARTITION_EOF  # noqa: SLF001 - librdkafka's own name
"""Not an error: the reader is at the end of the partition, as far as committed records go."""

DAMAGED = frozenset(
    {
        KafkaError._BAD_MSG,  # noqa: SLF001
        KafkaError._BAD_COMPRESSION,  # noqa: SLF001
        KafkaError._NOT_IMPLEMENTED,  # noqa: SLF001
        KafkaError._UNDERFLOW,  # noqa: SLF001
        KafkaError.INVALID_MSG,
        KafkaError.MSG_SIZE_TOO_LARGE,
    }
)
"""Errors about what stands in the log. The client reports one per record set and goes on with the next set."""

MOST_ERRORS_AT_ONCE = 100
"""A client whose brokers are all away reports a few a second; the bound is for one that does not stop."""

READER: Mapping[str, str | int | bool] = {
    # Any other value jumps over what retention took, or back to the start of a topic made anew, without a word.
    "auto.offset.reset": "error",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "isolation.level": "read_committed",
    # The one statement about an end that belongs to what was delivered before it: position() may still be that of an
    # earlier assignment right after a new one [measured: with assign(), until the first record].
    "enable.partition.eof": True,
    # A flipped bit decodes without an error in four of ten cases; Avro has no checksum of its own.
    "check.crcs": True,
}
"""What every consumer of the events topic is made with."""


def receive(consumer: Consumer, max_messages: int, timeout_s: float) -> list[Message]:
    """Messages that are there, waiting at most `timeout_s` for the first of them only.

    A batch call alone would wait for the whole batch or the whole time-out: either latency or small batches.
    """
    first = consumer.poll(timeout_s)
    if first is None:
        return []
    return [first, *(consumer.consume(max_messages - 1, 0.0) if max_messages > 1 else [])]


def listen(consumer: Consumer) -> None:
    """Take what a consumer without partitions has to say: log lines, results of commits, errors.

    Each error ends a poll; more of them than one look takes are left for the next.
    """
    for _ in range(MOST_ERRORS_AT_ONCE):
        if consumer.poll(0) is None:
            return


def close_by(consumer: Consumer, deadline: Deadline) -> bool:
    """Close the consumer, and stop waiting for that at `deadline`; whether it is closed.

    Closing waits for commits under way, and with the coordinator gone these take a session time-out to fail: longer
    than any shutdown may take. The thread is a daemon, because ending with the process is all that is left for it.
    """
    closer = threading.Thread(target=consumer.close, name="consumer-closer", daemon=True)
    closer.start()
    closer.join(max(0.1, deadline.remaining_s()))
    return not closer.is_alive()


class Positions:
    """Where the next fetch of each partition begins, as offers have to follow on each other without a hole."""

    def __init__(self) -> None:
        self._next: dict[int, int] = {}
        self._stopped: set[int] = set()

    def begin(self, partition: int, offset: int) -> None:
        self._next[partition] = offset
        self._stopped.discard(partition)

    def next_of(self, partition: int) -> int:
        """Where the next fetch of a begun partition begins."""
        return self._next[partition]

    def forget(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            self._next.pop(partition, None)

    def group(self, messages: Sequence[Message]) -> list[Polled]:
        """Sort messages by partition; those of a partition that was not begun are dropped. Trouble comes last.

        Where a partition ends, the fetch ends with it, markers and aborted records behind the last event included: a
        log that ends in them would hold a cursor back for as long as nothing else is written to it. In between they
        are passed with the next event (docs/DESIGN.md, Live and catching up). Behind trouble nothing is taken.
        """
        found: dict[int, _Found] = {}
        for partition, run in groupby(messages, Message.partition):
            if partition is not None and partition in self._next and partition not in self._stopped:
                found.setdefault(partition, _Found(partition, self._next[partition])).add(list(run))
        grouped: list[Polled] = []
        for partition, of_partition in found.items():
            if of_partition.end > self._next[partition]:
                grouped.append(Fetched(partition, self._next[partition], of_partition.end, of_partition.events))
                self._next[partition] = of_partition.end
        trouble = [of_partition.trouble for of_partition in found.values() if of_partition.trouble is not None]
        # The client goes on behind damage with the next fetch; until somebody begins anew, that is not ours to take.
        self._stopped.update([met.partition for met in trouble])
        return [*grouped, *trouble]


class _Found:
    """What a batch of messages holds of one partition: from `begin` to `end`, and the trouble behind it, if any."""

    def __init__(self, partition: int, begin: int) -> None:
        self._partition = partition
        self._begin = begin
        self.end = begin
        self.events = Events.none()
        self.trouble: OutOfRange | Damaged | None = None

    def add(self, run: list[Message]) -> None:
        """Take these, which follow on each other; behind trouble nothing is taken."""
        if self.trouble is None and not any(map(Message.error, run)):
            self._take(run)
            return
        for message in run:
            error = message.error()
            if self.trouble is not None:
                return
            if error is None:
                self._take([message])
            else:
                self._meet(error.code(), _offset(message))

    def _take(self, run: list[Message]) -> None:
        # By columns, which is a call each and no object: a named tuple per event took four times as long [measured].
        # A message that is read has an offset, and without a deserializer its key and value are bytes.
        events = Events(
            cast("list[int]", list(map(Message.offset, run))),
            [timestamp_ms for _, timestamp_ms in map(Message.timestamp, run)],
            cast("list[bytes | None]", list(map(Message.key, run))),
            cast("list[bytes | None]", list(map(Message.value, run))),
        )
        if events.offsets[0] < self._begin:
            events = events.part(bisect_left(events.offsets, self._begin))
        if events.offsets:
            self.events.extend(events)
            self.end = events.offsets[-1] + 1

    def _meet(self, code: int, offset: int) -> None:
        if code in OUT_OF_RANGE:
            self.trouble = OutOfRange(self._partition)
        elif code in DAMAGED:
            self.trouble = Damaged(self._partition, max(offset, self._begin))
        elif code == PARTITION_END:
            self.end = max(self.end, offset)


def _offset(message: Message) -> int:
    offset = message.offset()
    return -1 if offset is None else offset
