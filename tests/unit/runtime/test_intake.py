"""The intake cuts what it reads to size, reads no more than lanes can use, and passes nothing it could not read."""

from collections.abc import Sequence
from itertools import pairwise

import pytest

from tailrace.domain.kinds import FailureKind
from tailrace.domain.ledger import Gap
from tailrace.domain.projected import LaneItem
from tailrace.runtime.cutting import OfferSize
from tailrace.runtime.offers import Offer
from tailrace.runtime.pacing import Pacing, PendingOffer
from tailrace.runtime.ports import Damaged, OutOfRange
from tests.unit.runtime.fakes import POISON, PROGRESS, TERMINAL, THREE, FakeTopic
from tests.unit.runtime.stage import Scale, Stage


class Accepting(Pacing):
    """Places every offer at once and keeps it."""

    def __init__(self) -> None:
        super().__init__([], 0.0)
        self.offers: list[Offer] = []

    def place(self, pending: PendingOffer, now_s: float) -> bool:
        self.offers.append(pending.offer)
        return True


class Reluctant(Pacing):
    """Places an offer only when that many seconds have passed since the last one was placed."""

    def __init__(self, every_s: float, only: Sequence[int] | None = None) -> None:
        super().__init__([], 0.0)
        self._every_s = every_s
        self._only = only
        self._placed_at_s = 0.0
        self.placed: list[Offer] = []

    def place(self, pending: PendingOffer, now_s: float) -> bool:
        slow = self._only is None or pending.offer.partition in self._only
        if slow and now_s - self._placed_at_s < self._every_s:
            return False
        self._placed_at_s = now_s
        self.placed.append(pending.offer)
        return True


def offers_of(values: Sequence[bytes], size: OfferSize) -> list[Offer]:
    """How these events are cut."""
    pacing = Accepting()
    stage = Stage(scale=Scale(offer=size), pacing=pacing)
    stage.topic.append(0, *values)
    reading(stage, 0)
    while sum(len(offsets(offer)) for offer in pacing.offers) < len(values):
        stage.turn()
    return pacing.offers


def items(offer: Offer) -> list[LaneItem]:
    return [*offer.records.items, *offer.undecodable]


def weight(offer: Offer) -> tuple[int, int]:
    return len(items(offer)), sum(item.size_bytes for item in items(offer))


def offsets(offer: Offer) -> list[int]:
    """Those of its events."""
    return sorted({item.offset for item in items(offer)})


def reading(stage: Stage, *partitions: int) -> Stage:
    """The stage with its lanes attached and the intake at the beginning of these partitions."""
    stage.source.assign(*partitions)
    while not all(stage.assignment.reading(partition) for partition in partitions):
        stage.turn()
    return stage


def gaps(stage: Stage, sink_id: str = "a") -> list[tuple[FailureKind, str, tuple[tuple[int, int], ...]]]:
    entries = stage.lanes[sink_id].ledger.entries
    return [
        (e.reason, e.detail, tuple((run.first_offset, run.last_offset) for run in e.runs))
        for e in entries
        if isinstance(e, Gap)
    ]


class TestOffers:
    @pytest.mark.parametrize(
        ("values", "size"),
        [
            ([TERMINAL, THREE, PROGRESS] * 10, OfferSize(7, 10**6)),
            ([PROGRESS + b"x" * 90] * 20, OfferSize(100, 350)),
            ([THREE, PROGRESS] * 10, OfferSize(5, 10**6)),
        ],
        ids=["by records", "by bytes", "events of several records"],
    )
    def test_no_offer_is_larger_than_both_bounds(self, values: Sequence[bytes], size: OfferSize) -> None:
        """What a poll brings is cut so that no single offer can fill a buffer."""
        cut = offers_of(values, size)
        assert len(cut) > 1
        for offer in cut:
            records, size_bytes = weight(offer)
            assert records <= size.records
            assert size_bytes <= size.bytes

    def test_offers_follow_on_each_other_and_hold_every_event_once(self) -> None:
        """From the end of one to the begin of the next there is no hole, or a lane would detach over it."""
        cut = offers_of([THREE, PROGRESS] * 10, OfferSize(5, 10**6))
        assert [offer.from_offset for offer in cut] == [0, *(offer.to_offset for offer in cut[:-1])]
        assert [offset for offer in cut for offset in offsets(offer)] == list(range(20))
        assert cut[-1].to_offset == 20

    @pytest.mark.parametrize("huge", [PROGRESS + b"x" * 5_000, POISON + b"x" * 5_000], ids=["event", "poison"])
    def test_an_event_larger_than_the_bound_is_offered_alone(self, huge: bytes) -> None:
        """It has to go somewhere, and nothing else is put at risk by its size."""
        cut = offers_of([huge, PROGRESS, PROGRESS, huge, PROGRESS], OfferSize(100, 1_000))
        assert [offsets(offer) for offer in cut] == [[0], [1, 2], [3], [4]]

    def test_an_event_with_more_records_than_the_bound_is_not_split(self) -> None:
        """Its records enter whole or not at all."""
        cut = offers_of([PROGRESS, THREE, PROGRESS], OfferSize(2, 10**6))
        assert [offsets(offer) for offer in cut] == [[0], [1], [2]]


class TestWhileOffersWait:
    def test_a_poll_comes_at_least_every_second(self) -> None:
        """Rebalances and the results of commits come from polls, so they must not wait until all offers are placed."""
        stage = Stage(scale=Scale(offer=OfferSize(200, 10)), pacing=Reluctant(0.9))  # one fetch is 200 offers
        stage.topic.append(0, *[PROGRESS] * 200)
        reading(stage, 0)
        until_s = stage.clock.now_s() + 30
        while stage.clock.now_s() < until_s:
            stage.turn()
        polled = [at_s for at_s in stage.source.polled_at_s if at_s > until_s - 30]
        assert max(later - earlier for earlier, later in pairwise(polled)) < 1.1

    def test_what_waits_does_not_grow_with_the_number_of_partitions(self) -> None:
        """With every lane full for minutes, less than three fetches are held, whether of one partition or of fifty."""
        stage = Stage(topic=FakeTopic(50), scale=Scale(offer=OfferSize(20, 10**6)), pacing=Reluctant(1e9))
        for partition in stage.topic.partitions:
            stage.topic.append(partition, *[PROGRESS] * 40)
        reading(stage, *stage.topic.partitions)
        stage.turn(2_000)
        assert 20 <= len(stage.projector.projected) < 60

    def test_one_stuck_partition_does_not_stop_the_others(self) -> None:
        """The others go on at their own pace for as long as it takes."""
        pacing = Reluctant(1e9, only=[0])
        stage = Stage(topic=FakeTopic(3), scale=Scale(offer=OfferSize(50, 10**6)), pacing=pacing)
        for partition in stage.topic.partitions:
            stage.topic.append(partition, *[PROGRESS] * 10)
        reading(stage, 0, 1, 2)
        for _ in range(20):
            stage.topic.append(1, PROGRESS)
            stage.topic.append(2, PROGRESS)
            stage.turn(100)
        assert {p: stage.source.position(p) for p in (0, 1, 2)} == {0: 10, 1: 30, 2: 30}
        placed = [offset for offer in pacing.placed if offer.partition == 1 for offset in offsets(offer)]
        assert placed == list(range(30))
        assert stage.told("pause") == [("pause", (0,))]

    def test_offers_of_a_revoked_partition_are_dropped(self) -> None:
        """After a hand-over nothing of the partition may enter a lane, or another worker's events would be doubled."""
        pacing = Reluctant(1_000.0)
        stage = Stage(topic=FakeTopic(2), pacing=pacing)
        stage.topic.append(0, *[PROGRESS] * 5)
        reading(stage, 0, 1)
        while not stage.projector.projected:
            stage.turn()
        stage.source.revoke(0)
        stage.turn(100)
        stage.clock.passes(1_000.0)
        stage.turn(10)
        assert pacing.placed == []


class TestPoison:
    def test_a_flood_halts_its_partition_and_no_other(self) -> None:
        """As many in a row as the limit says, and that partition stands still, loudly; the others flow."""
        stage = Stage(topic=FakeTopic(2), scale=Scale(poison_limit=3))
        stage.topic.append(0, PROGRESS, POISON, PROGRESS, POISON, POISON, POISON, PROGRESS)
        stage.topic.append(1, *[PROGRESS] * 10)
        reading(stage, 0, 1).until_idle()
        stage.topic.append(1, PROGRESS)
        stage.until_idle()
        staged = stage.lanes["a"]
        assert staged.sink.offsets(0) == [0, 2]
        assert staged.sink.offsets(1) == list(range(11))
        assert staged.cursors == {0: 6, 1: 11}
        (halted,) = stage.logger.said("partition halted")
        assert (halted["partition"], halted["offset"], halted["level"]) == (0, 5, "error")

    def test_a_run_of_poison_is_counted_across_a_restart(self) -> None:
        """A crash loop on a poisoned partition would otherwise eat its way through, one limit at a time."""
        topic = FakeTopic()
        first = Stage(topic=topic, scale=Scale(poison_limit=5))
        topic.append(0, PROGRESS, POISON, POISON, POISON)
        reading(first, 0).until_idle()
        assert first.lanes["a"].cursors == {0: 4}

        second = Stage(topic=topic, scale=Scale(poison_limit=5))
        second.source.group = dict(first.source.group)
        second.lanes["a"].stored(0, 4)
        topic.append(0, POISON, POISON, POISON, PROGRESS)
        reading(second, 0).until_idle()
        assert second.lanes["a"].cursors == {0: 6}
        assert [line["offset"] for line in second.logger.said("partition halted")] == [5]

    def test_a_halted_partition_is_not_resumed_when_its_held_offers_find_room(self) -> None:
        """A lane that was full for some seconds takes what was read before the limit, and not one event behind it."""
        stage = Stage(scale=Scale(poison_limit=3, capacity=11, offer=OfferSize(100, 10**6)))
        staged = stage.lanes["a"]
        reading(stage, 0)
        staged.stuck = True
        stage.topic.append(0, *[PROGRESS] * 10)
        stage.turn(3)
        stage.topic.append(0, PROGRESS, POISON, POISON, POISON, PROGRESS, PROGRESS)
        stage.turn(300)
        assert stage.logger.said("partition halted")
        assert 0 in stage.source.paused
        staged.stuck = False
        stage.until_idle()
        stage.topic.append(0, PROGRESS)
        stage.until_idle()
        assert 0 in stage.source.paused
        assert staged.sink.offsets(0) == list(range(11))
        assert staged.cursors == {0: 14}


class TestTrouble:
    def test_damage_is_not_passed_over(self) -> None:
        """The client goes on behind a set it cannot read; the cursors must not, or events are gone in silence."""
        stage = Stage(("a", "b"), topic=FakeTopic(2))
        stage.topic.append(0, *[PROGRESS] * 20)
        stage.topic.append(1, *[TERMINAL] * 5)
        stage.topic.damaged.add((0, 12))
        reading(stage, 0, 1).until_idle()
        stage.topic.append(1, TERMINAL)
        stage.until_idle()
        for staged in stage.lanes.values():
            assert staged.sink.offsets(0) == list(range(12))
            assert staged.cursors == {0: 12, 1: 6}
        (halted,) = stage.logger.said("partition halted")
        assert (halted["partition"], halted["offset"], halted["reason"]) == (0, 12, "log_damaged")

    def test_damage_that_was_only_on_the_way_costs_nothing(self) -> None:
        """A flipped bit in a response is not in the log: read once more, it is as it should be."""
        stage = Stage()
        stage.topic.append(0, *[PROGRESS] * 20)
        reading(stage, 0)
        stage.source.troubles.append(Damaged(0, 15))
        stage.until_idle()
        assert stage.lanes["a"].sink.offsets(0) == list(range(20))
        assert gaps(stage) == []
        assert not stage.logger.said("partition halted")

    def test_trouble_waits_for_what_was_read_before_it(self) -> None:
        """Events that were read just before the log lost its beginning reach a lane that is full right now, too."""
        stage = Stage(scale=Scale(capacity=21, offer=OfferSize(10, 10**6)))
        staged = stage.lanes["a"]
        reading(stage, 0)
        staged.stuck = True
        stage.topic.append(0, *[PROGRESS] * 30)
        while len(stage.projector.projected) < 20:
            stage.turn()
        stage.source.troubles.append(OutOfRange(0))
        while len(stage.projector.projected) < 30:
            stage.turn()
        stage.topic.append(0, *[PROGRESS] * 30)
        stage.topic.retain_from(0, 50)
        stage.turn(5)
        staged.stuck = False
        stage.until_idle()
        assert staged.sink.offsets(0) == [*range(30), *range(50, 60)]
        assert gaps(stage) == [(FailureKind.RETENTION_LOST, "log_start_moved", ((30, 49),))]

    def test_a_log_that_ends_before_the_position_halts(self) -> None:
        """The topic was made anew: going on from anywhere would skip or repeat, so somebody has to look."""
        stage = Stage()
        stage.topic.append(0, *[PROGRESS] * 5)
        reading(stage, 0).until_idle()
        stage.source.troubles.append(OutOfRange(0))
        stage.until_idle()
        (halted,) = stage.logger.said("partition halted")
        assert halted["reason"] == "position_beyond_log_end"

    def test_a_log_whose_range_is_unknown_is_asked_again(self) -> None:
        """A leader election in the same moment costs a second look and nothing else."""
        stage = Stage()
        stage.topic.append(0, *[PROGRESS] * 10)
        reading(stage, 0).until_idle()
        stage.topic.append(0, *[PROGRESS] * 10)
        stage.topic.retain_from(0, 15)
        stage.topic.offline.add(0)
        stage.source.troubles.append(OutOfRange(0))
        stage.turn(5)
        stage.topic.offline.clear()
        stage.until_idle()
        assert stage.lanes["a"].feed.statistics().detached == 0, "it stays live and keeps what it has"
        assert stage.lanes["a"].sink.offsets(0) == [*range(10), *range(15, 20)]
        assert gaps(stage) == [(FailureKind.RETENTION_LOST, "log_start_moved", ((10, 14),))]
