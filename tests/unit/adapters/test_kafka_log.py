"""A lane's own consumer: what its answers mean, how long it may be waited for, and that it misses no trouble."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from tailrace.adapters.kafka_fetch import MOST_ERRORS_AT_ONCE
from tailrace.adapters.kafka_log import NO_OFFSET, KafkaLaneLog
from tailrace.runtime.catch_up import CatchUp
from tailrace.runtime.clock import Deadline, SystemClock
from tailrace.runtime.ports import StoredCursor
from tests.unit.runtime.fakes import FakeClock, FakeLog, FakeProjector
from tests.unit.runtime.stage import feed_of, pace_without_limit

TOPIC = "agent.events"

Answer = tuple[int | None, dict[int, int], dict[int, int]]
"""The request's error, the offsets it speaks of, and the errors of single partitions."""


@dataclass
class FakeTopicMetadata:
    partitions: dict[int, None]
    error: KafkaError | None = None


@dataclass
class FakeMetadata:
    topics: dict[str, FakeTopicMetadata]


@dataclass
class FakeConsumer:
    """A consumer of librdkafka as far as a lane's log uses one. Answers to commits come with the next poll."""

    on_commit: Callable[..., None]
    clock: FakeClock
    committed_offsets: dict[int, TopicPartition] = field(default_factory=dict)
    answers: deque[Answer] = field(default_factory=deque)
    messages: deque[Message] = field(default_factory=deque)
    down: int | None = None
    closed: bool = False
    assigned: list[dict[int, int]] = field(default_factory=list)
    asked: list[list[tuple[int, int, str]]] = field(default_factory=list)
    metadata: FakeMetadata = field(default_factory=lambda: FakeMetadata({TOPIC: FakeTopicMetadata({0: None, 1: None})}))

    def _trouble(self) -> None:
        if self.down is not None:
            raise KafkaException(KafkaError(self.down))

    def committed(self, places: Sequence[TopicPartition], timeout: float) -> list[TopicPartition]:
        self._trouble()
        return [self.committed_offsets.get(p.partition, TopicPartition(TOPIC, p.partition, NO_OFFSET)) for p in places]

    def list_topics(self, topic: str, timeout: float) -> FakeMetadata:
        self._trouble()
        return self.metadata

    def get_watermark_offsets(self, place: TopicPartition, timeout: float, cached: bool) -> tuple[int, int]:
        self._trouble()
        return 3, 17

    def commit(self, offsets: Sequence[TopicPartition], asynchronous: bool) -> None:
        assert asynchronous
        self._trouble()
        self.asked.append([(p.partition, p.offset, p.metadata or "") for p in offsets])

    def poll(self, timeout: float) -> Message | None:
        if self.messages:
            return self.messages.popleft()
        if not self.answers:
            self.clock.passes(timeout)
            return None
        code, offsets, refused = self.answers.popleft()
        places = [TopicPartition(TOPIC, p, offset) for p, offset in offsets.items()]
        error = None if code is None else KafkaError(code)
        self.on_commit(
            error, [Place(p, KafkaError(refused[p.partition])) if p.partition in refused else p for p in places]
        )
        return None

    def consume(self, num_messages: int, timeout: float) -> list[Message]:
        return [self.messages.popleft() for _ in range(min(num_messages, len(self.messages)))]

    def assign(self, places: Sequence[TopicPartition]) -> None:
        self.assigned.append({p.partition: p.offset for p in places})

    def close(self) -> None:
        self.closed = True


class Place:
    """A partition in an answer, with an error of its own, which cannot be set from Python."""

    def __init__(self, place: TopicPartition, error: KafkaError) -> None:
        self.partition, self.offset, self.error = place.partition, place.offset, error


class Rig:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.logger = FakeLog()
        self.made: list[FakeConsumer] = []
        self.log = KafkaLaneLog(self._make, TOPIC, self.clock, self.logger)

    def _make(self, on_commit: Callable[..., None]) -> Consumer:
        self.made.append(FakeConsumer(on_commit, self.clock))
        return cast("Consumer", self.made[-1])

    @property
    def cursors(self) -> FakeConsumer:
        return self.made[0]

    @property
    def reader(self) -> FakeConsumer:
        return self.made[-1]

    def commit(self, *answers: Answer, cursors: dict[int, int] | None = None) -> tuple[bool, float]:
        """Whether Kafka confirmed, and how long that took."""
        self.cursors.answers.extend(answers)
        began_s = self.clock.now_s()
        stored = {p: StoredCursor(offset, 40, 2, "topic-id") for p, offset in (cursors or {0: 5}).items()}
        return self.log.commit(stored, 5.0), self.clock.now_s() - began_s


class TestCommitting:
    def test_a_confirmed_commit_is_over_at_once(self) -> None:
        """And says beside the offset what only the sink itself knows."""
        rig = Rig()
        assert rig.commit((None, {0: 5, 1: 7}, {}), cursors={0: 5, 1: 7}) == (True, 0.0)
        assert rig.cursors.asked == [
            [(0, 5, "v=1;seq=40;dropped=2;topic=topic-id"), (1, 7, "v=1;seq=40;dropped=2;topic=topic-id")]
        ]

    @pytest.mark.parametrize("code", [KafkaError.UNKNOWN_MEMBER_ID, KafkaError.GROUP_AUTHORIZATION_FAILED])
    def test_a_refused_commit_is_over_at_once_and_told_once(self, code: int) -> None:
        """Waited out, each would cost the lane five seconds of its exports, and no line would say why."""
        rig = Rig()
        for _ in range(3):
            assert rig.commit((code, {0: 5}, {})) == (False, 0.0)
        assert [(f["detail"], f["level"]) for f in rig.logger.said("cursor commit refused")] == [
            (KafkaError(code).name(), "warning")
        ]
        assert rig.commit((None, {0: 5}, {})) == (True, 0.0)
        rig.commit((code, {0: 5}, {}))
        assert len(rig.logger.said("cursor commit refused")) == 2, "it is news again"

    def test_a_commit_that_is_refused_for_one_partition_is_refused(self) -> None:
        """Half a confirmation would let a hand-over go on with a cursor that is not written."""
        rig = Rig()
        answer = (None, {0: 5, 1: 7}, {1: KafkaError.TOPIC_AUTHORIZATION_FAILED})
        assert rig.commit(answer, cursors={0: 5, 1: 7}) == (False, 0.0)

    def test_a_coordinator_that_is_away_costs_the_time_out_and_no_more(self) -> None:
        """A synchronous commit would hold the lane for as long as it is away."""
        confirmed, took_s = Rig().commit()
        assert not confirmed
        assert 5.0 <= took_s < 5.1

    def test_a_late_answer_to_an_earlier_commit_is_no_answer_to_this_one(self) -> None:
        """Its offsets are others."""
        rig = Rig()
        rig.commit(cursors={0: 5})
        confirmed, took_s = rig.commit((None, {0: 5}, {}), cursors={0: 9})
        assert not confirmed
        assert took_s >= 5.0
        assert rig.commit((None, {0: 5}, {}), (None, {0: 9}, {}), cursors={0: 9}) == (True, 0.0)

    def test_a_client_that_will_not_even_ask_is_no_confirmation(self) -> None:
        rig = Rig()
        rig.cursors.down = KafkaError._STATE
        assert rig.commit() == (False, 0.0)


class TestLoading:
    def test_a_partition_without_a_cursor_is_left_out(self) -> None:
        """What no cursor means is not for a consumer to say."""
        rig = Rig()
        rig.cursors.committed_offsets[1] = TopicPartition(TOPIC, 1, 7, "v=1;seq=40;dropped=2;topic=topic-id")
        assert rig.log.load([0, 1], 1.0) == {1: StoredCursor(7, 40, 2, "topic-id")}

    def test_a_cursor_that_was_set_by_hand_counts_from_zero(self) -> None:
        """Somebody moved it with Kafka's own tools, which write no such words."""
        rig = Rig()
        rig.cursors.committed_offsets[0] = TopicPartition(TOPIC, 0, 7)
        assert rig.log.load([0], 1.0) == {0: StoredCursor(7, 0, 0, None)}

    def test_what_cannot_be_learned_is_not_nothing(self) -> None:
        """An empty answer would send the lane to where new sinks begin."""
        rig = Rig()
        rig.cursors.down = KafkaError._TIMED_OUT
        assert rig.log.load([0], 1.0) is None
        assert rig.log.known_elsewhere(1.0) is None
        assert rig.log.partitions(1.0) is None
        assert rig.log.log_range(0, 1.0) is None

    @pytest.mark.parametrize(
        "topic",
        [None, FakeTopicMetadata({}, KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))],
        ids=["gone", "hidden"],
    )
    def test_a_topic_that_does_not_show_itself_is_not_one_without_partitions(
        self, topic: FakeTopicMetadata | None
    ) -> None:
        """Nor is a sink new because of it."""
        rig = Rig()
        rig.cursors.committed_offsets[0] = TopicPartition(TOPIC, 0, 7)
        rig.cursors.metadata = FakeMetadata({} if topic is None else {TOPIC: topic})
        assert rig.log.partitions(1.0) is None
        assert rig.log.known_elsewhere(1.0) is None

    def test_a_sink_is_known_when_any_partition_has_its_cursor(self) -> None:
        rig = Rig()
        assert rig.log.known_elsewhere(1.0) is False
        rig.cursors.committed_offsets[1] = TopicPartition(TOPIC, 1, 0)
        assert rig.log.known_elsewhere(1.0) is True


def event(partition: int, offset: int) -> Message:
    return Message(TOPIC, partition, offset, b"run", b"progress", None, None, (1, 1_000 + offset))


def trouble(partition: int, offset: int, code: int) -> Message:
    return Message(TOPIC, partition, offset, None, None, None, KafkaError(code))


class TestReading:
    def test_a_reader_is_there_only_while_there_is_something_to_catch_up(self) -> None:
        """A second consumer costs connections and memory, and nearly all lanes are live nearly always."""
        rig = Rig()
        assert rig.log.read(10, 1.0) == []
        rig.log.read_from({})
        assert len(rig.made) == 1
        rig.log.read_from({0: 4})
        assert len(rig.made) == 2
        assert rig.reader.assigned == [{0: 4}]
        reader = rig.reader
        rig.log.read_from({})
        assert reader.closed
        assert rig.log.read(10, 1.0) == []

    def test_what_is_no_longer_wanted_is_not_brought(self) -> None:
        """The client may still have messages of an assignment that was replaced."""
        rig = Rig()
        rig.log.read_from({0: 4, 1: 4})
        rig.log.read_from({1: 4})
        rig.reader.messages.extend([event(0, 4), event(1, 4)])
        assert [part.partition for part in rig.log.read(10, 1.0)] == [1]

    @pytest.mark.parametrize(
        "code", [KafkaError._AUTO_OFFSET_RESET, KafkaError._BAD_MSG], ids=["out of range", "damaged"]
    )
    def test_a_partition_with_trouble_is_assigned_again(self, code: int) -> None:
        """Told in the same poll as its last events, and with nothing to be learned of the log at that moment."""
        rig = Rig()
        feed = feed_of()
        feed.begin(0, 50)
        feed.attach(0, 1, 0, 0.0)
        catch_up = CatchUp(
            log=rig.log,
            projector=FakeProjector(),
            feed=feed,
            pace=pace_without_limit(rig.clock),
            clock=rig.clock,
        )
        catch_up.follow()
        rig.reader.messages.extend([event(0, 0), event(0, 1), trouble(0, 2, code), event(0, 30)])
        catch_up.read(10, 1.0)
        catch_up.read(10, 1.0)
        assert rig.reader.assigned == [{0: 0}, {0: 2}]
        rig.reader.messages.append(event(0, 2))
        catch_up.read(10, 1.0)
        assert [item.offset for item in feed.take(10, 10**6)] == [0, 1, 2]

    def test_closing_closes_both(self) -> None:
        rig = Rig()
        rig.log.read_from({0: 4})
        rig.log.close(Deadline.after(SystemClock(), 10.0))
        assert [consumer.closed for consumer in rig.made] == [True, True]


class TestListening:
    def test_everything_a_client_has_to_say_is_taken_at_once(self) -> None:
        """Each error ends a poll: one poll a look would fall behind a client that has two to report."""
        rig = Rig()
        rig.cursors.messages.extend([cast("Message", object())] * 7)
        rig.log.tend()
        assert not rig.cursors.messages

    def test_a_client_that_does_not_stop_holds_nobody_up(self) -> None:
        """What is left comes with the next look."""
        rig = Rig()
        rig.cursors.messages.extend([cast("Message", object())] * (MOST_ERRORS_AT_ONCE + 5))
        rig.log.tend()
        assert len(rig.cursors.messages) == 5

    def test_an_answer_that_is_heard_between_two_commits_is_not_taken_for_the_next_ones(self) -> None:
        """The first was given up and refused later; the second has the same offsets, and is taken."""
        rig = Rig()
        assert not rig.commit()[0]
        rig.cursors.answers.append((KafkaError.UNKNOWN_MEMBER_ID, {0: 5}, {}))
        rig.log.tend()
        assert rig.commit((None, {0: 5}, {}))[0]
