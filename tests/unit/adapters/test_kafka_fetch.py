"""What a consumer brings becomes fetches without a hole between them, or trouble behind which nothing is taken."""

from typing import cast

import pytest
from confluent_kafka import Consumer, KafkaError, Message

from tailrace.adapters.kafka_fetch import DAMAGED, OUT_OF_RANGE, Positions, receive
from tailrace.runtime.ports import Damaged, Fetched, OutOfRange, Polled

END = KafkaError._PARTITION_EOF
BAD = KafkaError._BAD_MSG
GONE = KafkaError._AUTO_OFFSET_RESET


def event(partition: int, offset: int, value: bytes | None = b"v") -> Message:
    return Message("events", partition, offset, b"k", value, None, None, (1, 1_000 + offset))


def trouble(partition: int, offset: int, code: int) -> Message:
    return Message("events", partition, offset, None, None, None, KafkaError(code))


def begun(*places: tuple[int, int]) -> Positions:
    positions = Positions()
    for partition, offset in places:
        positions.begin(partition, offset)
    return positions


def outline(polled: list[Polled]) -> list[tuple[int, int, int, list[int]] | OutOfRange | Damaged]:
    return [
        (p.partition, p.from_offset, p.to_offset, [e.offset for e in p.events]) if isinstance(p, Fetched) else p
        for p in polled
    ]


class TestFetches:
    def test_each_begins_where_the_last_one_of_its_partition_ended(self) -> None:
        """What lies between two events without one belongs to the later fetch, so that offers have no hole."""
        positions = begun((0, 5), (1, 0))
        first = positions.group([event(0, 5), event(1, 0), event(0, 7)])
        second = positions.group([event(0, 11), event(1, 1)])
        assert outline(first) == [(0, 5, 8, [5, 7]), (1, 0, 1, [0])]
        assert outline(second) == [(0, 8, 12, [11]), (1, 1, 2, [1])]

    def test_an_event_comes_as_it_is(self) -> None:
        """Key and value as bytes, whatever they are; the time in milliseconds."""
        positions = begun((0, 0))
        (fetched,) = positions.group([event(0, 0, None), event(0, 1, b"\xff")])
        assert isinstance(fetched, Fetched)
        assert [(e.offset, e.timestamp_ms, e.key, e.value) for e in fetched.events] == [
            (0, 1_000, b"k", None),
            (1, 1_001, b"k", b"\xff"),
        ]

    def test_the_end_of_a_partition_passes_the_markers_in_front_of_it(self) -> None:
        """A log that ends in the marks of a transaction would otherwise hold the cursor back for ever."""
        positions = begun((0, 0), (1, 4))
        assert outline(positions.group([event(0, 0), trouble(0, 3, END), trouble(1, 6, END)])) == [
            (0, 0, 3, [0]),
            (1, 4, 6, []),
        ]
        assert positions.group([trouble(0, 3, END)]) == []

    def test_what_lies_below_the_position_was_read_before(self) -> None:
        """A new assignment may bring a message of the one before it."""
        assert outline(begun((0, 5)).group([event(0, 3), event(0, 4), event(0, 5)])) == [(0, 5, 6, [5])]

    def test_a_partition_that_was_not_begun_or_is_forgotten_brings_nothing(self) -> None:
        """Nobody waits for its events, and their fetch would begin nowhere."""
        positions = begun((0, 0), (1, 0))
        positions.forget([1])
        assert outline(positions.group([event(2, 0), event(1, 0), event(0, 0)])) == [(0, 0, 1, [0])]

    @pytest.mark.parametrize(
        "code", [KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._MAX_POLL_EXCEEDED]
    )
    def test_an_error_of_the_connection_says_nothing_about_the_log(self, code: int) -> None:
        """The client goes on by itself; what came with it is as good as ever."""
        positions = begun((0, 0))
        assert outline(positions.group([event(0, 0), trouble(0, -1001, code), event(0, 1)])) == [(0, 0, 2, [0, 1])]


class TestTrouble:
    @pytest.mark.parametrize("code", sorted(DAMAGED))
    def test_nothing_behind_damage_is_taken(self, code: int) -> None:
        """The client reports one damaged set and goes on with the next; its events would be passed over in silence."""
        positions = begun((0, 0), (1, 0))
        messages = [event(0, 0), event(0, 1), trouble(0, 2, code), event(0, 10), event(1, 0), event(0, 11)]
        assert outline(positions.group(messages)) == [(0, 0, 2, [0, 1]), (1, 0, 1, [0]), Damaged(0, 2)]
        assert positions.next_of(0) == 2

    def test_nothing_behind_damage_is_taken_by_the_next_fetch_either(self) -> None:
        """It may be there before anybody has told the client to begin anew."""
        positions = begun((0, 0), (1, 0))
        positions.group([trouble(0, 0, BAD)])
        assert outline(positions.group([event(0, 10), event(1, 0)])) == [(1, 0, 1, [0])]
        positions.begin(0, 0)
        assert outline(positions.group([event(0, 0)])) == [(0, 0, 1, [0])]

    def test_damage_below_the_position_is_where_reading_stands(self) -> None:
        """A set begins at its base offset, which may have been read with the set before it was damaged."""
        assert outline(begun((0, 7)).group([trouble(0, 3, BAD)])) == [Damaged(0, 7)]

    @pytest.mark.parametrize("code", sorted(OUT_OF_RANGE))
    def test_a_position_out_of_range_comes_after_what_was_read_before_it(self, code: int) -> None:
        """Told first, it would make the same poll's events part of what is lost."""
        positions = begun((0, 0), (1, 0))
        messages = [event(0, 0), event(1, 0), trouble(0, 1, code), event(1, 1)]
        assert outline(positions.group(messages)) == [(0, 0, 1, [0]), (1, 0, 2, [0, 1]), OutOfRange(0)]

    def test_each_trouble_is_told_once(self) -> None:
        """The second word of a client about the same partition adds nothing."""
        positions = begun((0, 0))
        assert outline(positions.group([trouble(0, 0, GONE), trouble(0, 0, GONE)])) == [OutOfRange(0)]


class FakeConsumer:
    """Hands out what is there, and remembers how long it was asked to wait."""

    def __init__(self, *there: Message) -> None:
        self.there = list(there)
        self.waits_s: list[float] = []

    def poll(self, timeout: float) -> Message | None:
        self.waits_s.append(timeout)
        return self.there.pop(0) if self.there else None

    def consume(self, num_messages: int, timeout: float) -> list[Message]:
        self.waits_s.append(timeout)
        taken, self.there = self.there[:num_messages], self.there[num_messages:]
        return taken


class TestReceiving:
    def test_it_waits_for_the_first_message_only(self) -> None:
        """Waiting for a whole batch would be either latency or small batches."""
        consumer = FakeConsumer(*[event(0, offset) for offset in range(10)])
        assert len(receive(cast("Consumer", consumer), 7, 0.5)) == 7
        assert consumer.waits_s == [0.5, 0.0]

    def test_with_nothing_there_it_is_over_after_the_one_wait(self) -> None:
        consumer = FakeConsumer()
        assert receive(cast("Consumer", consumer), 7, 0.5) == []
        assert consumer.waits_s == [0.5]

    def test_one_message_is_one_message(self) -> None:
        """A call for no messages at all is an error of the client's."""
        consumer = FakeConsumer(event(0, 0), event(0, 1))
        assert len(receive(cast("Consumer", consumer), 1, 0.5)) == 1
