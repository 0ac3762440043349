"""Offers wait in order, partitions stand still only when that lasts, and memory holds one offer's worth and no more."""

from collections.abc import Callable

import pytest

from tailrace.runtime.pacing import Pacing, PendingOffer
from tailrace.runtime.pending import POLL_WITHIN_S, PendingOffers
from tests.unit.runtime.fakes import offer

MOST_RECORDS = 20


class Gate(Pacing):
    """Lets through what it is told to; knows what came to it."""

    def __init__(self) -> None:
        super().__init__((), 0.0)
        self.shut: set[int] = set()
        self.lets_through = 1_000
        self.placed: list[tuple[int, int]] = []

    def place(self, pending: PendingOffer, now_s: float) -> bool:
        partition = pending.offer.partition
        if partition in self.shut or self.lets_through == 0:
            return False
        self.lets_through -= 1
        self.placed.append((partition, pending.offer.from_offset))
        return True


class Reader:
    """What pausing and resuming comes to, and how often it was asked for."""

    def __init__(self, *partitions: int) -> None:
        self.gate = Gate()
        self.reading = list(partitions)
        self.halted: set[int] = set()
        self.paused: set[int] = set()
        self.asked: list[tuple[str, list[int]]] = []
        self.offers = PendingOffers(self.gate, MOST_RECORDS, self._pause, self._resume)

    def _pause(self, partitions: list[int]) -> None:
        self.asked.append(("pause", partitions))
        self.paused.update(partitions)

    def _resume(self, partitions: list[int]) -> None:
        self.asked.append(("resume", partitions))
        self.paused.difference_update(partitions)

    def add(self, partition: int, *firsts: int, records: int = 5, now_s: float = 0.0) -> list[PendingOffer]:
        made = [PendingOffer(offer(partition, first, first + records), now_s) for first in firsts]
        self.offers.add(partition, made)
        return made

    def before_poll(self, now_s: float) -> None:
        self.offers.pause_held(self.reading, now_s)

    def after_placing(self) -> None:
        self.offers.resume_placed(self.halted.__contains__)

    def held(self, *partitions: int, now_s: float = 0.0) -> None:
        """These have offers that nobody takes."""
        self.gate.shut.update(partitions)
        for partition in partitions:
            self.add(partition, 0)
        self.offers.place(now_s)


def only(*partitions: int) -> Callable[[int], bool]:
    return set(partitions).__contains__


class TestPlacing:
    def test_offers_of_a_partition_are_placed_in_order(self) -> None:
        """Also those of a later poll come behind what waits."""
        reader = Reader(0)
        reader.add(0, 0, 5)
        reader.add(0, 10)
        reader.offers.place(0.0)
        assert reader.gate.placed == [(0, 0), (0, 5), (0, 10)]
        assert len(reader.offers) == 0

    def test_an_offer_that_is_held_keeps_those_behind_it(self) -> None:
        """A lane that took the later one first would fall behind over the earlier one."""
        reader = Reader(0)
        reader.add(0, 0, 5, 10)
        reader.gate.lets_through = 1
        reader.offers.place(0.0)
        reader.offers.place(0.1)
        assert reader.gate.placed == [(0, 0)]
        reader.gate.lets_through = 1_000
        reader.offers.place(0.2)
        assert reader.gate.placed == [(0, 0), (0, 5), (0, 10)]

    def test_an_offer_that_is_held_keeps_no_other_partition(self) -> None:
        """What nobody has room for here may be taken there."""
        reader = Reader(0, 1)
        reader.gate.shut.add(0)
        reader.add(0, 0)
        reader.add(1, 0)
        reader.offers.place(0.0)
        assert reader.gate.placed == [(1, 0)]
        assert (0 in reader.offers, 1 in reader.offers, len(reader.offers)) == (True, False, 1)

    def test_an_offer_has_waited_since_it_came_to_the_front(self) -> None:
        """Before that, no lane could have had it."""
        reader = Reader(0)
        first, second, third = reader.add(0, 0, 5, 10, now_s=1.0)
        reader.gate.lets_through = 1
        reader.offers.place(7.0)
        assert [first.since_s, second.since_s, third.since_s] == [1.0, 7.0, 1.0]

    def test_nothing_waits_where_everything_is_placed(self) -> None:
        """The next poll may wait for its events as long as it likes."""
        reader = Reader(0)
        waiting = [reader.offers.waiting]
        reader.add(0, 0)
        waiting.append(reader.offers.waiting)
        reader.offers.place(0.0)
        waiting.append(reader.offers.waiting)
        assert waiting == [False, True, False]

    def test_its_length_is_the_number_of_partitions_that_wait(self) -> None:
        """However many offers of each."""
        reader = Reader(0, 1)
        reader.add(0, 0, 5, 10)
        reader.add(1, 0)
        assert len(reader.offers) == 2


class TestStandingStill:
    def test_a_partition_is_paused_once_its_offer_was_held_for_as_long_as_polls_may_wait(self) -> None:
        """Sooner would throw away what the client has read ahead, at every hiccup."""
        reader = Reader(0, 1)
        reader.held(0, now_s=10.0)
        reader.before_poll(10.0 + POLL_WITHIN_S - 0.001)
        assert reader.paused == set()
        assert reader.offers.waiting
        reader.before_poll(10.0 + POLL_WITHIN_S)
        assert reader.paused == {0}
        assert not reader.offers.waiting, "a poll brings none of it any more"

    def test_it_has_been_held_since_it_was_first_tried_in_vain(self) -> None:
        """However often it is tried after that."""
        reader = Reader(0)
        reader.held(0, now_s=10.0)
        for tenth in range(1, 10):
            reader.offers.place(10.0 + tenth / 10)
        reader.before_poll(11.0)
        assert reader.paused == {0}

    def test_a_partition_that_gets_on_is_not_paused(self) -> None:
        """Slowly is not the same as not at all: each offer that is placed begins the wait anew."""
        reader = Reader(0)
        reader.add(0, 0, 5, 10, records=2)
        reader.gate.lets_through = 0
        reader.offers.place(10.0)
        reader.gate.lets_through = 1
        reader.offers.place(10.9)
        reader.before_poll(11.0)
        assert reader.paused == set()
        reader.before_poll(11.9)
        assert reader.paused == {0}

    def test_an_offer_that_is_held_later_is_not_held_since_the_earlier_one(self) -> None:
        """All was well in between."""
        reader = Reader(0)
        reader.held(0, now_s=10.0)
        reader.gate.shut.clear()
        reader.offers.place(10.5)
        reader.held(0, now_s=10.9)
        reader.before_poll(11.0)
        assert reader.paused == set()

    def test_what_is_paused_is_not_paused_again(self) -> None:
        """Each pause throws away what the client has read ahead."""
        reader = Reader(0, 1)
        reader.held(0)
        reader.before_poll(1.0)
        reader.held(1, now_s=1.0)
        reader.before_poll(2.0)
        reader.before_poll(3.0)
        assert reader.asked == [("pause", [0]), ("pause", [1])]

    def test_it_goes_on_when_everything_of_it_is_placed(self) -> None:
        """Once, and not before."""
        reader = Reader(0, 1)
        reader.held(0, 1)
        reader.before_poll(1.0)
        reader.after_placing()
        assert reader.paused == {0, 1}
        reader.gate.shut = {1}
        reader.offers.place(1.1)
        reader.after_placing()
        reader.after_placing()
        assert reader.paused == {1}
        assert reader.asked == [("pause", [0, 1]), ("resume", [0])]

    def test_a_halted_partition_does_not_go_on(self) -> None:
        """It stands still for another reason; nothing here is to wake it, now or later."""
        reader = Reader(0, 1)
        reader.held(0, 1)
        reader.before_poll(1.0)
        reader.halted.add(0)
        reader.gate.shut.clear()
        reader.offers.place(1.1)
        reader.after_placing()
        assert reader.paused == {0}
        reader.halted.clear()
        reader.after_placing()
        assert reader.paused == {0}


class TestTooMuchWaits:
    def test_everything_stands_still_once_a_whole_offer_waits(self) -> None:
        """Polls then bring callbacks only, and memory stays bounded."""
        reader = Reader(0, 1, 2)
        reader.held(0)
        reader.add(0, 5, 10, 15)
        reader.before_poll(0.1)
        assert reader.paused == {0, 1, 2}

    @pytest.mark.parametrize(("records", "paused"), [(9, set()), (10, {0, 1})])
    def test_what_waits_counts_over_all_partitions(self, records: int, paused: set[int]) -> None:
        """To memory it is all the same whose it is."""
        reader = Reader(0, 1)
        reader.add(0, 0, records=10)
        reader.add(1, 0, records=records)
        reader.before_poll(0.1)
        assert reader.paused == paused

    def test_nobody_goes_on_while_too_much_waits(self) -> None:
        """Not even a partition of which nothing waits; as soon as there is room, it does."""
        reader = Reader(0, 1)
        reader.held(0)
        reader.add(0, 5, 10, 15)
        reader.before_poll(0.1)
        reader.after_placing()
        assert reader.paused == {0, 1}
        reader.gate.shut.clear()
        reader.gate.lets_through = 1
        reader.offers.place(0.2)
        reader.after_placing()
        assert reader.paused == {0}

    def test_who_is_paused_already_is_left_alone(self) -> None:
        """As ever."""
        reader = Reader(0, 1)
        reader.held(0)
        reader.before_poll(1.0)
        reader.add(0, 5, 10, 15)
        reader.before_poll(1.1)
        assert reader.asked == [("pause", [0]), ("pause", [1])]


class TestRevocation:
    def test_what_belongs_to_others_is_forgotten(self) -> None:
        """They read it themselves."""
        reader = Reader(0, 1)
        reader.held(0, 1)
        reader.offers.keep_only(only(1))
        assert (0 in reader.offers, 1 in reader.offers) == (False, True)
        reader.gate.shut.clear()
        reader.offers.place(0.1)
        assert reader.gate.placed == [(1, 0)]

    def test_a_partition_that_comes_back_is_not_paused_for_what_was_held_then(self) -> None:
        """Its wait begins anew."""
        reader = Reader(0)
        reader.held(0)
        reader.offers.keep_only(only())
        reader.held(0, now_s=1.0)
        reader.before_poll(1.5)
        assert reader.paused == set()

    def test_a_partition_that_comes_back_is_paused_anew_if_it_was(self) -> None:
        """The source begins it unpaused, so what was asked of it then is gone."""
        reader = Reader(0)
        reader.held(0)
        reader.before_poll(1.0)
        reader.offers.keep_only(only())
        reader.after_placing()
        assert reader.asked == [("pause", [0])], "and it is not resumed, being somebody else's"
        reader.held(0, now_s=5.0)
        assert reader.offers.waiting
        reader.before_poll(6.0)
        assert reader.asked == [("pause", [0]), ("pause", [0])]
