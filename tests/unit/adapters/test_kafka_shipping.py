"""After any failure the shipper knows which messages at the front are there, and nothing behind can still arrive."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import pytest
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from tailrace.adapters.kafka_shipping import (
    POLL_S,
    REFUSED_FOR_EVER,
    SETTLE_S,
    Arrived,
    CalledOff,
    Shipment,
    Shipper,
    Stuck,
    Unwanted,
)
from tests.unit.runtime.fakes import FakeClock

TIMEOUT_S = 10.0
PURGED_QUEUE, PURGED_FLIGHT = KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT
REFUSED = KafkaError.INVALID_MSG

Report = tuple[int, int | None]
"""The index of a message and the error it comes to; None: it arrived."""


@dataclass
class FakeProducer:
    """Holds what it is given until its script says what becomes of it: one step of reports per poll.

    `sent` are the indices whose requests are on their way: a purge of the queue alone leaves them alone. `at_once` are
    refused by the call itself, `capacity` is what the queue holds, `dead` makes purges and polls raise.
    """

    clock: FakeClock
    script: deque[list[Report]] = field(default_factory=deque)
    at_once: dict[int, int] = field(default_factory=dict)
    sent: set[int] = field(default_factory=set)
    capacity: int = 1_000
    dead: bool = False
    arrived: list[bytes | None] = field(default_factory=list)
    headers: list[Sequence[tuple[str, bytes]] | None] = field(default_factory=list)
    purges: list[tuple[bool, bool]] = field(default_factory=list)
    keeps: bool = False  # purged, it says nothing of what it holds
    on_poll: Callable[[], None] = lambda: None
    _held: dict[int, tuple[bytes | None, Callable[..., None]]] = field(default_factory=dict)
    _reports: list[tuple[Callable[..., None], int]] = field(default_factory=list)
    produced: int = 0

    def __len__(self) -> int:
        return len(self._held) + len(self._reports)

    def __bool__(self) -> bool:
        """As the real one: an empty producer is a producer."""
        return True

    def produce(  # noqa: PLR0917 - the client's own order
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int,
        callback: Callable[..., None],
        on_delivery: None = None,
        timestamp: int = 0,
        headers: Sequence[tuple[str, bytes]] | None = None,
    ) -> None:
        assert (partition, on_delivery, timestamp) == (-1, None, 0), "by key, one callback, now"
        if len(self._held) >= self.capacity:
            raise BufferError
        if self.produced in self.at_once:
            raise KafkaException(KafkaError(self.at_once[self.produced]))
        self._held[self.produced] = (value, callback)
        self.headers.append(headers)
        self.produced += 1

    def poll(self, timeout: float) -> int:
        self.on_poll()
        if self._reports:
            self._report(self._reports)
            self._reports = []
        elif self.script:
            self._come_true(self.script.popleft())
        else:
            self.clock.passes(timeout)
        if self.dead:
            raise KafkaException(KafkaError(KafkaError._FATAL))
        return 0

    def _come_true(self, reports: list[Report]) -> None:
        for index, code in reports:
            if index not in self._held:
                continue  # purged meanwhile
            value, on_delivery = self._held.pop(index)
            if code is None:
                self.arrived.append(value)  # only errors are reported
            else:
                self._report([(on_delivery, code)])

    @staticmethod
    def _report(reports: list[tuple[Callable[..., None], int]]) -> None:
        for on_delivery, code in reports:
            on_delivery(KafkaError(code), cast("Message", None))

    def purge(self, in_queue: bool = True, in_flight: bool = True) -> None:
        if self.dead:
            raise KafkaException(KafkaError(KafkaError._FATAL))
        self.purges.append((in_queue, in_flight))
        for index in list(self._held):
            on_its_way = index in self.sent
            if not self.keeps and ((on_its_way and in_flight) or (not on_its_way and in_queue)):
                _, on_delivery = self._held.pop(index)
                self._reports.append((on_delivery, PURGED_FLIGHT if on_its_way else PURGED_QUEUE))


class Rig:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.interrupt = threading.Event()
        self.made: list[FakeProducer] = []
        self.next = FakeProducer(self.clock)
        self.shipper = Shipper(self._make, "topic", TIMEOUT_S, self.clock)

    def _make(self) -> Producer:
        self.made.append(self.next)
        self.next = FakeProducer(self.clock)
        return cast("Producer", self.made[-1])

    def ship(self, records: int) -> object:
        values = [str(index).encode() for index in range(records)]
        return self.shipper.ship_bare([b"key"] * records, values, self.interrupt)


def all_of(first: int, end: int, code: int | None = None) -> list[Report]:
    return [(index, code) for index in range(first, end)]


class TestArriving:
    def test_a_batch_has_arrived_when_the_producer_holds_nothing_and_nothing_failed(self) -> None:
        """Only failures are reported, so silence and an empty producer are the whole proof."""
        rig = Rig()
        rig.next.script.extend([all_of(0, 2), all_of(2, 5)])
        assert rig.ship(5) == Arrived()
        assert rig.made[0].arrived == [b"0", b"1", b"2", b"3", b"4"]
        assert rig.made[0].purges == []

    def test_a_producer_is_kept_from_one_batch_to_the_next(self) -> None:
        """Making one costs connections and a producer id."""
        rig = Rig()
        rig.next.script.append(all_of(0, 3))
        assert rig.ship(3) == Arrived()
        rig.made[0].script.append(all_of(3, 6))
        assert rig.ship(3) == Arrived()
        assert len(rig.made) == 1

    def test_a_producer_that_was_made_before_is_used(self) -> None:
        """It is ready by then; asked again it stays the same."""
        rig = Rig()
        rig.next.script.append(all_of(0, 3))
        rig.shipper.connect()
        rig.shipper.connect()
        assert rig.ship(3) == Arrived()
        assert len(rig.made) == 1

    def test_headers_go_with_their_message(self) -> None:
        """Also behind one that had to wait for room; a message without any gets none."""
        rig = Rig()
        rig.next.capacity = 1
        rig.next.script.extend([all_of(0, 1), all_of(1, 2), all_of(2, 3)])
        batch = [Shipment(b"k", b"0", [("a", b"1")]), Shipment(b"k", None, [("b", b"2")]), Shipment(None, b"2")]
        assert rig.shipper.ship(batch, rig.interrupt) == Arrived()
        assert rig.made[0].headers == [[("a", b"1")], [("b", b"2")], None]

    def test_a_full_queue_is_waited_out(self) -> None:
        """What is still there of this batch is on its way, and makes room as it arrives."""
        rig = Rig()
        rig.next.capacity = 2
        rig.next.script.extend([all_of(0, 1), all_of(1, 3), all_of(3, 4)])
        assert rig.ship(4) == Arrived()


class TestFailing:
    def test_it_resumes_at_the_lowest_index_that_failed(self) -> None:
        """Reports come in any order; what is in front of the lowest one has arrived."""
        rig = Rig()
        rig.next.script.append([(4, KafkaError.REQUEST_TIMED_OUT), (0, None), (2, KafkaError.REQUEST_TIMED_OUT)])
        rig.next.script.append([(1, None), (3, None)])
        rig.next.sent = {1, 3}
        assert rig.ship(5) == Stuck(2, "REQUEST_TIMED_OUT")

    def test_after_any_failure_the_producer_is_broken_up(self) -> None:
        """Without a guarantee a refused set is overtaken by the next, and with it the producer is dead."""
        rig = Rig()
        rig.next.script.append([(0, KafkaError.NOT_LEADER_FOR_PARTITION)])
        assert rig.ship(3) == Stuck(0, "NOT_LEADER_FOR_PARTITION")
        assert len(rig.made[0]) == 0
        assert rig.made[0].arrived == []
        rig.next.script.append(all_of(0, 3))
        assert rig.ship(3) == Arrived()
        assert len(rig.made) == 2

    def test_what_is_queued_behind_a_failure_never_leaves(self) -> None:
        """It would arrive before what failed."""
        rig = Rig()
        rig.next.script.append([(1, KafkaError.REQUEST_TIMED_OUT)])
        rig.next.sent = {0}
        rig.next.script.append(all_of(0, 1))
        assert rig.ship(4) == Stuck(1, "REQUEST_TIMED_OUT")
        assert rig.made[0].arrived == [b"0"]
        assert rig.made[0].purges[0] == (True, False), "the queue first, while answers are awaited"

    def test_nothing_is_produced_behind_a_failure_that_is_known_already(self) -> None:
        """While the queue was full, a message of the same batch failed."""
        rig = Rig()
        rig.next.capacity = 2
        rig.next.script.append([(0, KafkaError.REQUEST_TIMED_OUT)])
        assert rig.ship(5) == Stuck(0, "REQUEST_TIMED_OUT")
        assert rig.made[0].produced == 2

    def test_what_is_on_its_way_when_another_message_fails_is_waited_for_a_round_trip(self) -> None:
        """Taken back, a set for another partition that does arrive would be sent again at every attempt."""
        rig = Rig()
        rig.next.sent = {0, 2}
        rig.next.script.extend([[(1, KafkaError.REQUEST_TIMED_OUT)], [], [], all_of(0, 1), all_of(2, 3)])
        assert rig.ship(3) == Stuck(1, "REQUEST_TIMED_OUT")
        assert rig.made[0].arrived == [b"0", b"2"]

    def test_what_is_not_answered_within_a_round_trip_counts_as_not_there(self) -> None:
        """Nobody knows; it is sent again, which may double it and never loses it."""
        rig = Rig()
        rig.next.sent = {0}
        rig.next.script.append([(1, KafkaError.REQUEST_TIMED_OUT)])
        began_s = rig.clock.now_s()
        assert rig.ship(3) == Stuck(0, "_PURGE_INFLIGHT")
        assert rig.clock.now_s() - began_s <= SETTLE_S + 2 * POLL_S

    def test_a_batch_whose_time_is_up_is_taken_back(self) -> None:
        """Messages have no time-out of their own: one that timed out alone would be passed by those behind it."""
        rig = Rig()
        rig.next.sent = {1, 2}
        rig.next.script.append(all_of(0, 1))
        began_s = rig.clock.now_s()
        assert rig.ship(3) == Stuck(1, "delivery_timeout")
        assert TIMEOUT_S <= rig.clock.now_s() - began_s <= TIMEOUT_S + 2 * POLL_S
        assert len(rig.made[0]) == 0

    def test_a_full_queue_and_a_broker_that_is_away_end_with_the_time_out_too(self) -> None:
        """The loop that waits for room watches the clock as every other one does."""
        rig = Rig()
        rig.next.capacity = 2
        began_s = rig.clock.now_s()
        assert rig.ship(3) == Stuck(0, "delivery_timeout")
        assert rig.clock.now_s() - began_s <= TIMEOUT_S + 2 * POLL_S

    def test_a_dead_producer_is_no_more_than_a_failure(self) -> None:
        """Its own calls raise; its messages are reported all the same, and the next batch gets a new one."""
        rig = Rig()
        rig.next.dead = True
        rig.next.script.append(all_of(0, 3, KafkaError._FATAL))
        assert rig.ship(3) == Stuck(0, "_FATAL")
        rig.next.script.append(all_of(0, 3))
        assert rig.ship(3) == Arrived()


class TestRefusing:
    @pytest.mark.parametrize("code", sorted(REFUSED_FOR_EVER))
    def test_a_message_that_the_client_refuses_is_named(self, code: int) -> None:
        """The call itself says which one, and what is in front of it arrives."""
        rig = Rig()
        rig.next.at_once[2] = code
        rig.next.script.append(all_of(0, 2))
        assert rig.ship(4) == Unwanted(2, 1, KafkaError(code).name())
        assert rig.made[0].arrived == [b"0", b"1"]

    def test_a_set_that_the_broker_refuses_holds_the_culprit(self) -> None:
        """The set's messages report the broker's code, what was queued behind them that it was purged."""
        rig = Rig()
        rig.next.script.append([*all_of(0, 2), *all_of(2, 5, REFUSED)])
        assert rig.ship(9) == Unwanted(2, 3, "INVALID_MSG")

    def test_a_refusal_behind_a_slow_partition_is_found_all_the_same(self) -> None:
        """The first message is on its way to another leader and is not answered in time: the culprit is behind it."""
        rig = Rig()
        rig.next.sent = {0}
        rig.next.script.append([(1, REFUSED)])
        assert rig.ship(3) == Unwanted(0, 2, "INVALID_MSG")

    def test_a_refusal_is_not_hidden_by_a_failure_in_front_of_it(self) -> None:
        """Whatever happened to those before it, another attempt would meet the same refusal."""
        rig = Rig()
        rig.next.script.append([(0, KafkaError.REQUEST_TIMED_OUT), (3, REFUSED), (1, None), (2, None)])
        assert rig.ship(4) == Unwanted(0, 4, "INVALID_MSG")

    @pytest.mark.parametrize(
        "code", [KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._FATAL]
    )
    def test_a_verdict_on_the_topic_or_on_us_is_none_on_a_message(self, code: int) -> None:
        """Nothing is written off for a permission that somebody is about to give back."""
        rig = Rig()
        rig.next.at_once[1] = code
        rig.next.script.append(all_of(0, 1))
        assert rig.ship(3) == Stuck(1, KafkaError(code).name())


class TestCallingOff:
    def test_it_is_noticed_within_one_poll_and_counts_what_arrived(self) -> None:
        """A hand-over waits for it."""
        rig = Rig()
        rig.next.sent = {2, 3}
        rig.next.script.append(all_of(0, 2))
        polls: list[int] = []

        def third_poll() -> None:
            polls.append(1)
            if len(polls) == 3:
                rig.interrupt.set()

        rig.next.on_poll = third_poll
        began_s = rig.clock.now_s()
        assert rig.ship(5) == CalledOff(2)
        assert rig.clock.now_s() - began_s <= 3 * POLL_S
        assert len(rig.made[0]) == 0

    def test_with_a_full_queue_it_is_noticed_too(self) -> None:
        rig = Rig()
        rig.next.capacity = 2
        rig.next.on_poll = rig.interrupt.set
        began_s = rig.clock.now_s()
        assert rig.ship(5) == CalledOff(0)
        assert rig.clock.now_s() - began_s <= 2 * POLL_S

    def test_what_has_all_arrived_cannot_be_called_off(self) -> None:
        """It came too late: the truth is worth more than the wish."""
        rig = Rig()
        rig.next.on_poll = rig.interrupt.set
        rig.next.script.append(all_of(0, 3))
        assert rig.ship(3) == Arrived()

    def test_an_abandoned_producer_holds_nothing_that_could_still_arrive(self) -> None:
        """And the next batch gets another one."""
        rig = Rig()
        rig.next.script.append(all_of(0, 1))
        rig.ship(1)
        rig.shipper.abandon()
        rig.shipper.abandon()
        assert rig.made[0].purges == [(True, True)]
        rig.next.script.append(all_of(0, 1))
        assert rig.ship(1) == Arrived()
        assert len(rig.made) == 2


class TestAProducerThatKeepsItsSecrets:
    """Purged and polled, it still holds messages: whether they arrived, nobody knows, so nothing counts as arrived."""

    def test_at_the_deadline(self) -> None:
        """Only failures are reported, so silence looks like success."""
        rig = Rig()
        rig.next.keeps = True
        assert rig.ship(3) == Stuck(0, "producer_not_drained")

    def test_when_called_off(self) -> None:
        """The batch is the lane's again, as a whole."""
        rig = Rig()
        rig.next.keeps = True
        rig.next.on_poll = rig.interrupt.set
        assert rig.ship(3) == CalledOff(0)

    def test_behind_a_failure(self) -> None:
        """Those in front of the failed one may be among what it holds."""
        rig = Rig()
        rig.next.keeps = True
        rig.next.script.append([(2, KafkaError._TRANSPORT)])
        assert rig.ship(3) == Stuck(0, "producer_not_drained")


class TestListening:
    def test_nobody_is_listened_to_before_there_is_a_producer(self) -> None:
        """Nor is one made for it."""
        rig = Rig()
        rig.shipper.listen()
        assert rig.made == []

    def test_a_dead_producer_is_listened_to_as_well(self) -> None:
        """Its polls raise, which says nothing about the next batch."""
        rig = Rig()
        rig.shipper.connect()
        rig.made[0].dead = True
        polls: list[float] = []
        rig.made[0].on_poll = lambda: polls.append(rig.clock.now_s())
        rig.shipper.listen()
        assert polls == [rig.clock.now_s()], "once, and nothing was waited for"
