"""Reading batches off a confluent-kafka consumer, and grouping them as the runtime wants them."""

import threading
from collections.abc import Iterable, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from tailrace.runtime.clock import Deadline
from tailrace.runtime.ports import Event, Fetched, OutOfRange

# librdkafka's own error for a position the log does not have while `auto.offset.reset` is `error`.
OUT_OF_RANGE = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})  # noqa: SLF001

READER: Mapping[str, str | int | bool] = {
    # Any other value jumps over what retention took, or back to the start of a topic made anew, without a word.
    "auto.offset.reset": "error",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "isolation.level": "read_committed",
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

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._next: dict[int, int] = {}

    def begin(self, partition: int, offset: int) -> None:
        self._next[partition] = offset

    def next_of(self, partition: int) -> int:
        """Where the next fetch of a begun partition begins."""
        return self._next[partition]

    def forget(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            self._next.pop(partition, None)

    def group(self, consumer: Consumer, messages: Sequence[Message]) -> list[Fetched | OutOfRange]:
        """Sort messages by partition; those of a partition that was not begun are dropped.

        A fetch ends at the consumer's position, which counts transaction markers and aborted records too, so that a
        cursor can pass them (docs/DESIGN.md, Live and catching up).
        """
        events: dict[int, list[Event]] = {}
        grouped: list[Fetched | OutOfRange] = []
        for message in messages:
            partition = message.partition()
            error = message.error()
            if error is not None:
                if error.code() in OUT_OF_RANGE and partition in self._next:
                    grouped.append(OutOfRange(partition))
            elif partition in self._next and (offset := _offset(message)) >= self._next[partition]:
                _, timestamp_ms = message.timestamp()
                events.setdefault(partition, []).append(
                    Event(offset, timestamp_ms, _bytes(message.key()), _bytes(message.value()))
                )
        for partition, of_one in events.items():
            to_offset = max(of_one[-1].offset + 1, self._position(consumer, partition))
            grouped.append(Fetched(partition, self._next[partition], to_offset, of_one))
            self._next[partition] = to_offset
        return grouped

    def _position(self, consumer: Consumer, partition: int) -> int:
        try:
            return int(consumer.position([TopicPartition(self._topic, partition)])[0].offset)
        except KafkaException:
            return -1  # no longer assigned; the last message's offset is as far as we can tell


def _offset(message: Message) -> int:
    offset = message.offset()
    return -1 if offset is None else offset


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
