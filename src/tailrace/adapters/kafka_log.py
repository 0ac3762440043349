"""One lane's own view of the events log: its cursor in a group without members, and a reader for when it is behind.

Two consumers, the reader only while there is something to catch up: the answer to a commit comes through a poll, and
behind a reader's messages it would come late, or read ahead more than anybody counts. Neither ever subscribes, so
nothing fences the commits; that is why a lane commits only after the workers' group, which is fenced, has accepted one.
AdminClient would do the same and is not used: after a coordinator outage its group calls abort the process.
"""

from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from tailrace.adapters.cursor_metadata import from_metadata, to_metadata
from tailrace.adapters.kafka_fetch import READER, Positions, close_by, listen, receive
from tailrace.runtime.clock import Clock, Deadline
from tailrace.runtime.ports import Log, Polled, StoredCursor

NO_OFFSET = -1001
"""librdkafka's OFFSET_INVALID: the group has no committed offset."""

COMMIT_POLL_S = 0.02
"""The result of a commit arrives through a poll; a commit takes about a millisecond."""


def log_properties(cursor_group: str) -> dict[str, str | int | float | bool]:
    """What a lane's consumer needs beside the cluster's own properties."""
    return {
        **READER,
        "group.id": cursor_group,
        # Not a session, as nobody joins: it is how long a commit may be under way, and so how long a close can take
        # when the coordinator is away.
        "session.timeout.ms": 6_000,
    }


class KafkaLaneLog:
    """Cursor store and log reader of one lane. The lane's thread alone."""

    def __init__(
        self, make_consumer: Callable[[Callable[..., None]], Consumer], topic: str, clock: Clock, logger: Log
    ) -> None:
        self._make_consumer = make_consumer
        self._consumer = make_consumer(self._on_commit)
        self._reader: Consumer | None = None
        self._topic = topic
        self._clock = clock
        self._logger = logger
        self._positions = Positions()
        self._reading: set[int] = set()
        self._results: list[tuple[dict[int, int], str | None]] = []
        self._refused: str | None = None

    def load(self, partitions: Sequence[int], timeout_s: float) -> Mapping[int, StoredCursor] | None:
        committed = self._committed_offsets(partitions, timeout_s)
        if committed is None:
            return None
        return {
            place.partition: from_metadata(place.offset, place.metadata or "")
            for place in committed
            if place.offset != NO_OFFSET
        }

    def partitions(self, timeout_s: float) -> Sequence[int] | None:
        try:
            topic = self._consumer.list_topics(self._topic, timeout=timeout_s).topics.get(self._topic)
        except KafkaException:
            return None
        return None if topic is None or topic.error is not None else sorted(topic.partitions)

    def known_elsewhere(self, timeout_s: float) -> bool | None:
        partitions = self.partitions(timeout_s)
        committed = None if partitions is None else self._committed_offsets(partitions, timeout_s)
        return None if committed is None else any(place.offset != NO_OFFSET for place in committed)

    def _committed_offsets(self, partitions: Sequence[int], timeout_s: float) -> list[TopicPartition] | None:
        try:
            places = self._consumer.committed([TopicPartition(self._topic, p) for p in partitions], timeout=timeout_s)
        except KafkaException:
            return None
        return None if any(place.error is not None for place in places) else places

    def commit(self, cursors: Mapping[int, StoredCursor], timeout_s: float) -> bool:
        places = [TopicPartition(self._topic, p, c.next_offset, to_metadata(c)) for p, c in cursors.items()]
        wanted = {p: c.next_offset for p, c in cursors.items()}
        deadline = Deadline.after(self._clock, timeout_s)
        self._results.clear()
        try:
            # A synchronous commit has no time-out and would hold the lane for as long as the coordinator is away.
            self._consumer.commit(offsets=places, asynchronous=True)
        except KafkaException:
            return False
        while not deadline.passed:
            for offsets, refusal in self._results:
                # An answer to an earlier commit that was given up is about other offsets.
                if offsets == wanted:
                    self._note(refusal)
                    return refusal is None
            self._consumer.poll(COMMIT_POLL_S)
        return False

    def _note(self, refusal: str | None) -> None:
        """Log a refusal once, until a commit is taken or refused for another reason."""
        if refusal is not None and refusal != self._refused:
            self._logger.event("cursor commit refused", level="warning", detail=refusal)
        self._refused = refusal

    def log_range(self, partition: int, timeout_s: float) -> tuple[int, int] | None:
        try:
            found = self._consumer.get_watermark_offsets(
                TopicPartition(self._topic, partition), timeout=timeout_s, cached=False
            )
        except KafkaException:
            return None
        return int(found[0]), int(found[1])

    def read_from(self, positions: Mapping[int, int]) -> None:
        self._positions.forget(self._reading)
        self._reading = set(positions)
        for partition, offset in positions.items():
            self._positions.begin(partition, offset)
        if positions:
            if self._reader is None:
                self._reader = self._make_consumer(_ignore)
            self._reader.assign([TopicPartition(self._topic, p, offset) for p, offset in positions.items()])
        elif self._reader is not None:
            reader, self._reader = self._reader, None
            reader.close()

    def read(self, max_events: int, timeout_s: float) -> Sequence[Polled]:
        if self._reader is None:
            return []
        return self._positions.group(receive(self._reader, max_events, timeout_s))

    def tend(self) -> None:
        """Listen to the client, which otherwise keeps every log line of an outage for the next commit."""
        listen(self._consumer)

    def close(self, deadline: Deadline) -> None:
        if self._reader is not None:
            self._reader.close()
        close_by(self._consumer, deadline)

    def _on_commit(self, error: KafkaError | None, places: list[TopicPartition]) -> None:
        refusals = [error, *(place.error for place in places)]
        refusal = next((refused.name() for refused in refusals if refused is not None), None)
        self._results.append(({place.partition: place.offset for place in places}, refusal))


def _ignore(error: KafkaError | None, places: list[TopicPartition]) -> None:
    """A reader commits nothing."""
