"""Both ends of what the intake has read, and what a lane makes of markers that lie between them."""

from tailrace.runtime.feed import Feed, Mode, Verdict
from tailrace.runtime.noted import Noted
from tailrace.runtime.offers import Offer
from tests.unit.runtime.fakes import offer, projected
from tests.unit.runtime.stage import feed_of


def with_markers(first: int, events: int, to_offset: int) -> Offer:
    """Events from `first` on, and behind them markers up to `to_offset`."""
    return Offer.of(0, first, to_offset, 1_000 + to_offset, [projected(0, o) for o in range(first, first + events)])


class TestNoted:
    def test_of_what_lies_before_its_beginning_the_intake_knows_nothing(self) -> None:
        """A lane that stands anywhere below it has to read up to there: there may be events."""
        assert Noted.at(40) == Noted(40, 40)

    def test_an_offer_ends_with_its_position_and_its_events_with_the_last_of_them(self) -> None:
        """Between the two lie markers only."""
        assert Noted.at(40).after(with_markers(40, 5, 50)) == Noted(50, 45)

    def test_an_offer_that_ends_with_an_event_leaves_nothing_between(self) -> None:
        """Both ends are one."""
        assert Noted.at(40).after(offer(0, 40, 45)) == Noted(45, 45)

    def test_markers_alone_move_the_position_and_not_the_end_of_the_events(self) -> None:
        """However many of such reads follow on each other."""
        noted = Noted.at(40).after(offer(0, 40, 45)).after(with_markers(45, 0, 47)).after(with_markers(47, 0, 60))
        assert noted == Noted(60, 45)

    def test_the_next_event_brings_the_ends_together_again(self) -> None:
        """Then a lane has to have read past the markers, too, and it can."""
        noted = Noted.at(40).after(with_markers(40, 5, 60)).after(offer(0, 60, 61))
        assert noted == Noted(61, 61)


def behind(at: int = 10) -> Feed:
    """A lane at 0, with an intake that has begun further on."""
    feed = feed_of()
    feed.begin(0, at)
    assert feed.attach(0, 1, 0, 0.0) is Mode.CATCHING_UP
    return feed


def export_all(feed: Feed) -> list[int]:
    offsets: list[int] = []
    while batch := feed.take(10, 1_000_000):
        offsets.extend(item.offset for item in batch)
        feed.acknowledge(len(batch))
        feed.give_back()
    return offsets


class TestALaneThatHasReadEveryEvent:
    def test_it_is_live_although_markers_lie_between_it_and_the_intake(self) -> None:
        """Its reader learns of those with the next event, which may come tomorrow."""
        feed = behind()
        assert feed.offer(with_markers(10, 5, 25), 0.0) is Verdict.NOTED
        assert feed.enter_from_log(offer(0, 0, 15), 0.0)
        assert feed.is_live(0)

    def test_it_stands_where_the_intake_does_and_takes_the_next_offer(self) -> None:
        """From the markers' end on: that they are passed is no reason to fall behind."""
        feed = behind()
        feed.offer(with_markers(10, 5, 25), 0.0)
        feed.enter_from_log(offer(0, 0, 15), 0.0)
        assert feed.standing(0, 1) == (Mode.LIVE, 25)
        assert feed.offer(offer(0, 25, 30), 0.0) is Verdict.TAKEN
        assert export_all(feed) == [*range(15), *range(25, 30)]

    def test_its_cursor_may_come_as_far_as_the_intake(self) -> None:
        """Or the group would wait for it in front of markers, and show a lag that is none."""
        feed = behind()
        feed.offer(with_markers(10, 5, 25), 0.0)
        feed.enter_from_log(offer(0, 0, 15), 0.0)
        assert feed.settle() == [], "nothing has been exported"
        export_all(feed)
        assert [step.cursor for step in feed.settle()] == [25]
        feed.cursor_at(0, 1, 25)
        assert feed.statistics().lag_records == 0
        assert feed.at_rest([0])

    def test_one_event_that_it_has_not_read_keeps_it_behind(self) -> None:
        """Read is not the same as nearly read."""
        feed = behind()
        feed.offer(with_markers(10, 5, 25), 0.0)
        assert not feed.enter_from_log(offer(0, 0, 14), 0.0)
        assert feed.standing(0, 1) == (Mode.CATCHING_UP, 14)
        assert feed.enter_from_log(offer(0, 14, 15), 0.0)

    def test_a_lane_that_read_further_than_the_intake_does_not_step_back(self) -> None:
        """The reader of either may learn of markers first."""
        feed = behind()
        feed.offer(offer(0, 10, 15), 0.0)
        assert feed.enter_from_log(with_markers(0, 15, 40), 0.0)
        assert feed.standing(0, 1) == (Mode.LIVE, 40)
        assert feed.offer(with_markers(15, 0, 40), 0.0) is Verdict.TAKEN
        assert feed.offer(offer(0, 40, 45), 0.0) is Verdict.TAKEN
        assert export_all(feed) == [*range(15), *range(40, 45)]

    def test_markers_in_front_of_the_first_offer_are_read_like_events(self) -> None:
        """Nobody has read there, so nobody knows that they are markers."""
        feed = behind(at=20)
        assert not feed.enter_from_log(offer(0, 0, 15), 0.0)
        assert feed.enter_from_log(with_markers(15, 0, 20), 0.0)

    def test_it_is_live_as_soon_as_it_has_read_and_not_only_when_all_of_it_is_exported(self) -> None:
        """What is offered meanwhile would always be ahead of it on a busy partition, and it would never be live."""
        feed = behind()
        feed.offer(offer(0, 10, 15), 0.0)
        assert feed.enter_from_log(offer(0, 0, 15), 0.0), "nothing of it has been exported"
        assert feed.offer(offer(0, 15, 20), 0.0) is Verdict.TAKEN
        assert export_all(feed) == list(range(20)), "and what it read itself goes first"

    def test_one_whose_dwell_is_not_over_is_live_once_it_is(self) -> None:
        """There may be nothing more to read by then, and nobody else would look."""
        feed = behind()
        feed.offer(offer(0, 10, 15), 0.0)
        feed.enter_from_log(offer(0, 0, 15), 0.0)
        feed.detach(0, 0.0)
        assert feed.enter_from_log(offer(0, 15, 15), 1.5) is False, "the dwell has doubled"
        assert feed.rejoin(1.5) == ()
        assert feed.rejoin(2.0) == (0,)
        assert feed.rejoin(2.0) == ()
        assert feed.standing(0, 1) == (Mode.LIVE, 15)
