"""What a batch that arrives in pieces does to cursors, whether its records came together or singly."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tailrace.domain.batch import LEAST_TOGETHER
from tailrace.domain.kinds import EventFamily, OverflowPolicy
from tailrace.domain.load import Load, column
from tailrace.domain.projected import ProjectedRecord
from tailrace.domain.selection import Selection
from tailrace.runtime.feed import Feed, Verdict
from tailrace.runtime.offers import DeadLetterSorting, Offer, RecordSorting
from tests.unit.runtime.fakes import POISON, THREE, offer
from tests.unit.runtime.stage import feed_of

MANY = 2 * LEAST_TOGETHER


class WatchedRecords(list[ProjectedRecord]):
    """Records that count how many of them anybody got hold of."""

    seen = 0

    def __getitem__(self, place):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204
        found = super().__getitem__(place)
        self.seen += len(found) if isinstance(place, slice) else 1
        return found

    def __iter__(self):  # type: ignore[no-untyped-def]  # noqa: ANN204
        self.seen += len(self)
        return super().__iter__()


def feed_with(offers: Sequence[Offer], policy: OverflowPolicy = OverflowPolicy.REPLAY_FROM_LOG) -> Feed:
    feed = feed_of(capacity=10_000, policy=policy)
    for partition in {each.partition for each in offers}:
        feed.begin(partition, 0)
        feed.attach(partition, 1, 0, 0.0)
    for each in offers:
        assert feed.offer(each, 0.0) is Verdict.TAKEN
    return feed


def cursors(feed: Feed) -> dict[int, int]:
    return {step.partition: step.cursor for step in feed.settle()}


class TestPieces:
    @pytest.mark.parametrize("policy", [OverflowPolicy.REPLAY_FROM_LOG, OverflowPolicy.DROP_NON_TERMINAL_PROGRESS])
    @pytest.mark.parametrize("events", [2, MANY])
    def test_half_an_event_holds_back_the_cursor_of_its_own_partition_only(
        self, events: int, policy: OverflowPolicy
    ) -> None:
        """Its neighbour is done: a hand-over at that moment must not send the neighbour's last event again."""
        more = offer(0, events, 2 * events)  # so that the first partition's place goes on holding something
        feed = feed_with([offer(0, 0, events), offer(1, 0, events, THREE), more], policy)
        assert len(feed.take(4 * events, 10**9)) == 4 * events
        feed.acknowledge(events + 4)
        assert cursors(feed) == {0: events, 1: 1}
        feed.acknowledge(2)
        assert cursors(feed) == {1: 2}
        feed.give_back()
        left = [(1, 2)] * 3 if events > 2 else [(0, events), (0, events + 1)]
        assert [(record.partition, record.offset) for record in feed.take(3, 10**9)] == left

    @pytest.mark.parametrize("policy", [OverflowPolicy.REPLAY_FROM_LOG, OverflowPolicy.DROP_NON_TERMINAL_PROGRESS])
    @pytest.mark.parametrize("events", [3, MANY])
    def test_partitions_that_take_turns_each_get_their_own(self, events: int, policy: OverflowPolicy) -> None:
        """Singly or together, in one batch: what is between two runs of a partition belongs to another one."""
        turns = [offer(partition, n * events, (n + 1) * events) for n in range(3) for partition in (0, 1, 2)]
        feed = feed_with(turns, policy)
        batch = feed.take(10_000, 10**9)
        assert [record.partition for record in batch] == [each.partition for each in turns for _ in range(events)]
        assert feed.under_way([2])
        feed.acknowledge(4 * events + 1)
        assert cursors(feed) == {0: 2 * events, 1: events + 1, 2: events}
        feed.acknowledge(3 * events - 1)
        assert cursors(feed) == {0: 3 * events, 1: 2 * events, 2: 2 * events}
        assert not feed.at_rest([1])
        feed.acknowledge(2 * events)
        assert cursors(feed) == {1: 3 * events, 2: 3 * events}
        assert not feed.under_way([0, 1, 2])

    def test_what_goes_through_a_lane_together_is_not_looked_at(self) -> None:
        """Taken, sent from columns, acknowledged: a look at each record would take longer than all of that."""
        made = offer(0, 0, 5_000)
        records = WatchedRecords(made.records.items)
        feed = feed_with([replace(made, records=replace(made.records, items=records))])
        collected = records.seen  # whether any has content
        batches = 0
        while batch := feed.take(1_000, 10**9):
            keys = column(batch, "key")
            assert len(keys) == len(batch)
            feed.acknowledge(len(batch))
            feed.give_back()
            batches += 1
        assert batches == 5
        assert cursors(feed) == {0: 5_000}
        assert records.seen - collected <= 5_000 + 10 * batches, "once for the column of keys, and where batches end"


class TestContent:
    """Of content nothing stays in memory because something else of its offer has not left yet."""

    def with_events(self) -> Offer:
        made = offer(0, 0, MANY)
        carrying = [record._replace(event=b"what was said") for record in made.records.items]
        return replace(made, records=Load.of(carrying))

    def test_records_with_their_events_stand_singly_and_others_stay_together(self) -> None:
        chosen = Selection(families=frozenset({EventFamily("model")}))
        for selection in (Selection(), chosen):
            assert RecordSorting(selection).sort(self.with_events()).load.loose
            assert not RecordSorting(selection, captures=False).sort(self.with_events()).load.loose
            assert not RecordSorting(selection).sort(offer(0, 0, MANY)).load.loose

    def test_letters_stand_singly(self) -> None:
        """They have the raw event with them, whatever is made of it in the end."""
        assert DeadLetterSorting().sort(offer(0, 0, MANY, POISON)).load.loose
