"""The intake's consumer: a member of the workers' group that is told where to begin, and never guesses."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from tailrace.adapters.kafka_fetch import OUT_OF_RANGE, PARTITION_END, READER, Positions, close_by, receive
from tailrace.runtime.clock import Deadline
from tailrace.runtime.ports import AssignmentListener, GroupOffset, Log, Polled

__all__ = ["KafkaEventSource", "source_properties"]

NO_OFFSET = -1001
"""librdkafka's OFFSET_INVALID: the group has no committed offset."""

HEARTBEATS_PER_SESSION = 12
"""Far above the three that Kafka's documentation asks for, so that one lost packet never costs the membership; at the
default session of 45 s a heartbeat every 3 s, which is the client's own default."""


def source_properties(group: str, session_timeout_ms: int) -> dict[str, str | int | float | bool]:
    """What the intake's consumer needs beside the cluster's own properties."""
    return {
        **READER,
        "group.id": group,
        "session.timeout.ms": session_timeout_ms,
        # Members learn of a rebalance from their next heartbeat, and a cooperative one takes two rounds: with the
        # client's own 3 s, partitions on the move stood still for up to 6 s. [measured: 5 s, now below 1.5 s]
        "heartbeat.interval.ms": min(3_000, session_timeout_ms // HEARTBEATS_PER_SESSION),
        # A partition that stays with its worker is not stopped while another one moves.
        "partition.assignment.strategy": "cooperative-sticky",
        # Longest time between polls. A hand-over, a look-up and a slow projection together stay far below this.
        "max.poll.interval.ms": max(300_000, 2 * session_timeout_ms),
    }


class KafkaEventSource:
    """Reads the events topic as a member of the group. One thread owns it; callbacks come on that thread."""

    def __init__(self, make_consumer: Callable[[Callable[..., None]], Consumer], topic: str, logger: Log) -> None:
        self._consumer = make_consumer(self._on_commit)
        self._topic = topic
        self._logger = logger
        self._positions = Positions()
        self._listener: AssignmentListener | None = None
        self._results: deque[tuple[Mapping[int, GroupOffset], bool]] = deque()
        self._begun: set[int] = set()
        self._trouble: str | None = None

    def subscribe(self, listener: AssignmentListener) -> None:
        self._listener = listener
        self._consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def poll(self, max_events: int, timeout_s: float) -> Sequence[Polled]:
        messages = receive(self._consumer, max_events, timeout_s)
        self._report_trouble(messages)
        return self._positions.group(messages)

    def _report_trouble(self, messages: Sequence[Message]) -> None:
        """Log an error the client reports, once until another one comes: it repeats what it goes on to retry."""
        if messages and not any(map(Message.error, messages)):
            self._trouble = None
            return
        for message in messages:
            error = message.error()
            if error is None:
                self._trouble = None
            elif error.code() not in (*OUT_OF_RANGE, PARTITION_END) and error.name() != self._trouble:
                self._trouble = error.name()
                self._logger.event("events cannot be read for now", level="warning", detail=error.name())

    def begin(self, partition: int, offset: int) -> None:
        # Not by seek: a partition whose position is out of range cannot be sought any more, only assigned again. That
        # is right behind the poll that said so; see `resume` for what a longer wait would risk.
        if partition in self._begun:
            self._consumer.incremental_unassign([TopicPartition(self._topic, partition)])
        place = TopicPartition(self._topic, partition, offset)
        self._consumer.incremental_assign([place])
        # A pause outlives both a revocation and an assignment.
        self._consumer.resume([place])
        self._begun.add(partition)
        self._positions.begin(partition, offset)

    def pause(self, partitions: Sequence[int]) -> None:
        self._consumer.pause(self._places([p for p in partitions if p in self._begun]))

    def resume(self, partitions: Sequence[int]) -> None:
        # Not by assigning anew, although that starts faster than the client's wake-up, which can take a second. While
        # offers were held nothing was polled, so a revocation may be waiting for its callback: librdkafka takes any
        # unassignment for the answer to it and joins again without the partitions, and the callback, which comes after
        # that, hands over with a commit that is refused. [measured: 5 hand-overs of 5]
        self._consumer.resume(self._places([p for p in partitions if p in self._begun]))

    def group_offsets(self, partitions: Sequence[int], timeout_s: float) -> Mapping[int, GroupOffset] | None:
        try:
            committed = self._consumer.committed(self._places(partitions), timeout=timeout_s)
        except KafkaException:
            return None
        if any(place.error is not None for place in committed):
            return None
        return {c.partition: GroupOffset(c.offset, c.metadata or "") for c in committed if c.offset != NO_OFFSET}

    def commit(self, offsets: Mapping[int, GroupOffset]) -> None:
        try:
            self._consumer.commit(offsets=self._commits(offsets), asynchronous=True)
        except KafkaException:
            self._results.append((dict(offsets), False))

    def commit_results(self) -> Sequence[tuple[Mapping[int, GroupOffset], bool]]:
        results = list(self._results)
        self._results.clear()
        return results

    def commit_now(self, offsets: Mapping[int, GroupOffset], deadline: Deadline) -> bool:
        # The call itself has no time-out: with the coordinator away it lasts until that is back, and then reports the
        # success of a membership that was over long before. [measured: 101 s] So the coordinator is asked something
        # first, with a time-out. A thread of its own is no way out: while this one is in the callback of a rebalance, a
        # commit from elsewhere gets no answer. [measured]
        try:
            self._consumer.committed(self._places(list(offsets)), timeout=max(0.1, deadline.remaining_s()))
            committed = self._consumer.commit(offsets=self._commits(offsets), asynchronous=False)
        except KafkaException as refusal:
            self._logger.event("group commit refused", level="warning", detail=refusal.args[0].name())
            return False
        return all(place.error is None for place in committed or []) and not deadline.passed

    def start_offset(self, partition: int, timeout_s: float) -> int | None:
        try:
            found = self._consumer.get_watermark_offsets(
                TopicPartition(self._topic, partition), timeout=timeout_s, cached=False
            )
        except KafkaException:
            return None
        return int(found[0])

    def close(self, deadline: Deadline) -> None:
        close_by(self._consumer, deadline)

    # ---------------------------------------------------------------------------- called by librdkafka within poll

    def _on_assign(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        # Acknowledged with nothing: where to begin is known only once the lanes have their cursors. Assigning now
        # and pausing does not do, because a fetch may start in between and kill a partition whose log begins later.
        consumer.incremental_assign([])
        if places:
            self._told().assigned([place.partition for place in places])

    def _on_revoke(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        self._told().revoked([place.partition for place in places])
        self._let_go(consumer, places)

    def _on_lost(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        self._told().lost([place.partition for place in places])
        self._let_go(consumer, places)

    def _let_go(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        consumer.incremental_unassign([place for place in places if place.partition in self._begun])
        self._begun.difference_update(place.partition for place in places)
        self._positions.forget(place.partition for place in places)

    def _on_commit(self, error: KafkaError | None, places: list[TopicPartition]) -> None:
        offsets = {place.partition: GroupOffset(place.offset, place.metadata or "") for place in places}
        refused = error is not None or any(place.error is not None for place in places)
        if error is not None:
            self._logger.event("group commit refused", level="warning", detail=error.name())
        self._results.append((offsets, not refused))

    def _told(self) -> AssignmentListener:
        if self._listener is None:
            raise AssertionError("callbacks come only after subscribe")
        return self._listener

    def _places(self, partitions: Sequence[int]) -> list[TopicPartition]:
        return [TopicPartition(self._topic, partition) for partition in partitions]

    def _commits(self, offsets: Mapping[int, GroupOffset]) -> list[TopicPartition]:
        return [TopicPartition(self._topic, p, o.next_offset, o.metadata) for p, o in offsets.items()]
