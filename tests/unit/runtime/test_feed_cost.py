"""What a full lane costs the intake, and a large gap book a cursor: steps are counted, not time."""

from dataclasses import replace

from tailrace.domain.gap_book import WHOLE_EVENT, GapBook
from tailrace.domain.kinds import FailureKind, OverflowPolicy, ProjectionKind
from tailrace.domain.projected import ProjectedRecord
from tailrace.domain.selection import Selection
from tailrace.runtime.feed import Feed, Verdict
from tailrace.runtime.offers import Offer, RecordSorting, Sorted
from tests.unit.runtime.fakes import offer, projected
from tests.unit.runtime.stage import feed_of


class CountingSorting(RecordSorting):
    def __init__(self) -> None:
        super().__init__(Selection())
        self.sorted = 0

    def sort(self, offer: Offer) -> Sorted:
        self.sorted += offer.size
        return super().sort(offer)


class CountingRecords(list[ProjectedRecord]):
    """Records of an offer that count how often somebody passes over them."""

    passes = 0

    def __iter__(self):  # type: ignore[no-untyped-def]  # noqa: ANN204
        self.passes += 1
        return super().__iter__()


class CountingOffset(int):
    """An offset that counts how often any is compared."""

    compared = 0

    def _count(self) -> None:
        CountingOffset.compared += 1

    def __lt__(self, other: int) -> bool:
        self._count()
        return int(self) < int(other)

    def __ge__(self, other: int) -> bool:
        self._count()
        return int(self) >= int(other)

    def __gt__(self, other: int) -> bool:
        self._count()
        return int(self) > int(other)

    __hash__ = int.__hash__


def full_lane(policy: OverflowPolicy = OverflowPolicy.REPLAY_FROM_LOG) -> tuple[Feed, CountingSorting]:
    """Live at 100 with no room for ten more."""
    sorting = CountingSorting()
    feed = feed_of(sorting, capacity=105, policy=policy)
    feed.begin(0, 0)
    feed.attach(0, 1, 0, 0.0)
    assert feed.offer(offer(0, 0, 100), 0.0) is Verdict.TAKEN
    sorting.sorted = 0
    return feed, sorting


def counted(made: Offer) -> tuple[Offer, CountingRecords]:
    records = CountingRecords(made.records.items)
    return replace(made, records=replace(made.records, items=records)), records


class TestHeldOffers:
    def test_an_offer_is_sorted_once_however_often_it_is_tried(self) -> None:
        """At every ring of a full lane it is tried again, under the lane's lock: ten times per offer on a backlog."""
        feed, sorting = full_lane()
        held, records = counted(offer(0, 100, 110))
        for _ in range(50):
            assert feed.offer(held, 0.0) is Verdict.HELD
        assert sorting.sorted == 10
        assert records.passes == 1, "it was weighed when it was made, and asked once for content"
        feed.take(100, 10**6)
        feed.acknowledge(50)
        assert feed.offer(held, 0.0) is Verdict.TAKEN
        assert sorting.sorted == 10
        assert records.passes == 1, "and it entered as it was"
        assert feed.statistics().buffered_records == 60

    def test_an_offer_that_is_shed_in_the_end_is_not_sorted_again(self) -> None:
        """Losing patience with a sink that drops costs no more than having it."""
        feed, sorting = full_lane(OverflowPolicy.DROP_NON_TERMINAL_PROGRESS)
        held = offer(0, 100, 110)
        assert feed.offer(held, 0.0) is Verdict.HELD
        assert feed.shed(held, 0.0) is Verdict.TAKEN
        assert sorting.sorted == 10

    def test_another_offer_is_sorted_for_itself(self) -> None:
        """Partitions, and offers that look alike, do not share what was made of one of them."""
        feed, sorting = full_lane()
        assert feed.offer(offer(0, 100, 110), 0.0) is Verdict.HELD
        assert feed.offer(offer(0, 100, 110), 0.0) is Verdict.HELD
        assert sorting.sorted == 20

    def test_a_place_that_moved_sorts_anew(self) -> None:
        """What lies below its position is skipped, so the same offer brings less than it did before."""
        feed, sorting = full_lane()
        held = offer(0, 100, 110)
        assert feed.offer(held, 0.0) is Verdict.HELD
        feed.lost_ahead(0, 107, "log_start_moved")
        assert feed.offer(held, 0.0) is Verdict.TAKEN
        assert sorting.sorted == 13
        assert feed.statistics().buffered_records == 103
        assert feed.statistics().positions == {0: 110}

    def test_a_lane_that_is_too_far_ahead_of_its_cursor_sorts_nothing(self) -> None:
        """It could not take any of it."""
        sorting = CountingSorting()
        feed = feed_of(sorting, capacity=1_000, max_ahead_records=50)
        feed.begin(0, 0)
        feed.attach(0, 1, 0, 0.0)
        assert feed.offer(offer(0, 0, 50), 0.0) is Verdict.TAKEN
        sorting.sorted = 0
        assert feed.offer(offer(0, 50, 60), 0.0) is Verdict.HELD
        assert sorting.sorted == 0

    def test_how_far_a_lane_may_be_ahead_is_for_all_its_partitions_together(self) -> None:
        """The memory for what it notes is budgeted once for the lane, however many partitions it has."""
        feed = feed_of(capacity=1_000, max_ahead_records=50)
        for partition in (0, 1, 2):
            feed.begin(partition, 0)
            feed.attach(partition, 1, 0, 0.0)
        assert feed.offer(offer(0, 0, 30), 0.0) is Verdict.TAKEN
        assert feed.offer(offer(1, 0, 20), 0.0) is Verdict.TAKEN
        assert feed.offer(offer(1, 20, 30), 0.0) is Verdict.HELD
        assert feed.shed(offer(1, 20, 30), 0.0) is Verdict.HELD
        feed.detach(2, 0.0)
        assert feed.log_positions() == {}
        feed.cursor_at(0, 1, 20)
        assert feed.log_positions() == {2: 0}

    def test_what_was_tried_is_let_go_when_the_offer_is_taken(self) -> None:
        """An offer of some megabytes is not kept for as long as the partition has nothing new."""
        feed, _ = full_lane()
        held = offer(0, 100, 110)
        assert feed.offer(held, 0.0) is Verdict.HELD
        feed.take(100, 10**6)
        feed.acknowledge(100)
        assert feed.offer(held, 0.0) is Verdict.TAKEN
        assert feed._standing.places[0].tried is None

    def test_a_lane_that_detaches_keeps_nothing_of_the_offer_that_had_no_room(self) -> None:
        """Its sink may be down for hours, and the offer has the content of others' events with it."""
        for revoked in (False, True):
            feed, _ = full_lane()
            assert feed.offer(offer(0, 100, 110), 0.0) is Verdict.HELD
            assert feed._standing.places[0].tried is not None
            if revoked:
                feed.revoke([0])
            else:
                feed.detach(0, 0.0)
            assert feed._standing.places[0].tried is None


class TestGapBooks:
    def book(self, misses: int) -> GapBook:
        book = GapBook()
        for offset in range(1_000, 1_000 + misses):
            book.add(CountingOffset(offset), (ProjectionKind.PROGRESS,), FailureKind.OVERFLOW, "buffer_full")
            if offset % 7 == 0:
                book.add(CountingOffset(offset), WHOLE_EVENT, FailureKind.UNDECODABLE, "malformed")
        CountingOffset.compared = 0
        return book

    def test_a_cursor_below_every_miss_passes_over_none(self) -> None:
        """The cursor moves many times a second, and below a hundred thousand misses it costs what it does below ten."""
        book = self.book(20_000)
        for cursor in range(1_000):
            assert book.take_below(cursor) == ()
        assert CountingOffset.compared <= 1_000 * 40
        assert len(book) == 20_000 + 20_000 // 7

    def test_stepping_back_above_every_miss_passes_over_none(self) -> None:
        """A lane that detaches forgets what it is going to read again, and looks at nothing else."""
        book = self.book(20_000)
        for _ in range(100):
            book.forget_from(30_000)
        assert CountingOffset.compared <= 100 * 40
        assert len(book) == 20_000 + 20_000 // 7

    def test_a_cursor_passes_over_what_it_hands_out_and_no_more(self) -> None:
        """Few misses at a time out of very many, each of them once."""
        book = self.book(20_000)
        taken = 0
        for cursor in range(1_010, 2_000, 10):
            taken += sum(m.records for m in book.take_below(cursor) if m.reason is FailureKind.OVERFLOW)
        assert taken == 990
        assert CountingOffset.compared <= 99 * 40

    def test_what_was_noted_out_of_order_is_handed_out_in_order(self) -> None:
        """Overflow drops the oldest, or the newest, or another partition's: a book does not choose."""
        book = GapBook()
        for offset in (5, 3, 9, 4, 3, 8, 1):
            book.add(offset, (ProjectionKind.PROGRESS,), FailureKind.OVERFLOW, "buffer_full")
        book.forget_from(9)
        (missed,) = book.take_below(6)
        assert [(run.first_offset, run.last_offset) for run in missed.runs] == [(1, 1), (3, 5)]
        assert missed.records == 4
        assert len(book) == 1


def test_a_lane_that_drops_settles_without_passing_over_what_it_dropped() -> None:
    """A slow sink that sheds: each batch moves the cursor, with tens of thousands of misses above it."""
    feed = feed_of(capacity=100, policy=OverflowPolicy.DROP_NON_TERMINAL_PROGRESS)
    feed.begin(0, 0)
    feed.attach(0, 1, 0, 0.0)
    for first in range(0, 20_000, 1_000):
        events = [projected(0, CountingOffset(o)) for o in range(first, first + 1_000)]
        feed.shed(Offer.of(0, first, first + 1_000, 0, events), 0.0)
    CountingOffset.compared = 0
    for _ in range(8):
        feed.take(10, 10**6)
        feed.acknowledge(10)
        feed.give_back()
        assert len(feed.settle()) == 1
    assert CountingOffset.compared <= 8 * 40
