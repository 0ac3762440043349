"""An offer goes to whoever has room; the others are waited for as long as that holds up nobody, and no longer."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tailrace.domain.kinds import OverflowPolicy
from tailrace.runtime import pacing as pacing_module
from tailrace.runtime.feed import Feed, Mode, Verdict
from tailrace.runtime.offers import Offer
from tailrace.runtime.pacing import (
    HICCUP_S,
    HICCUPS_APART_S,
    WAITED_FOR_RECORDS_PER_S,
    Pacing,
    PendingOffer,
    Receiver,
)
from tests.unit.runtime.fakes import TERMINAL, offer
from tests.unit.runtime.stage import feed_of

PATIENCE_S = 2.0
CAPACITY = 10
NOW_S = 100.0
GRACE_S = 5 / WAITED_FOR_RECORDS_PER_S + 1e-6  # for an offer of five records; sums of floats are not exact


@dataclass
class Lane:
    """A lane with room for ten records, as pacing sees it. Unless it is `new`, its sink has taken something before."""

    sink_id: str
    sheds: bool = False
    paces: bool = True
    max_ahead_records: int = 1_000_000
    new: bool = False
    feed: Feed = field(init=False)
    exported: list[int] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    def __post_init__(self) -> None:
        policy = OverflowPolicy.DROP_NON_TERMINAL_PROGRESS if self.sheds else OverflowPolicy.REPLAY_FROM_LOG
        self.feed = feed_of(capacity=CAPACITY, policy=policy, max_ahead_records=self.max_ahead_records)
        if not self.new:
            self._take_something()
        self.feed.offer = self._counted(self.feed.offer)  # type: ignore[method-assign, assignment]
        self.feed.shed = self._counted(self.feed.shed)  # type: ignore[method-assign, assignment]

    def _take_something(self) -> None:
        self.feed.begin(1, 0)
        self.feed.attach(1, 1, 0, 0.0)
        assert self.feed.offer(offer(1, 0, 1, TERMINAL), 0.0) is Verdict.TAKEN
        self.export()
        self.exported.clear()
        self.feed.forget([1])

    def _counted(self, brings: Callable[[Offer, float], Verdict]) -> Callable[[Offer, float], Verdict]:
        def counting(offer: Offer, now_s: float) -> Verdict:
            verdict = brings(offer, now_s)
            self.verdicts.append(verdict)
            return verdict

        return counting

    def stand(self, cursor: int = 0) -> None:
        self.feed.attach(0, 1, cursor, 0.0)

    def export(self, records: int = 1_000) -> None:
        """Its sink takes this many of what waits."""
        batch = self.feed.take(records, 1_000_000)
        self.exported.extend(item.offset for item in batch)
        self.feed.acknowledge(len(batch))
        self.feed.give_back()

    @property
    def mode(self) -> Mode | None:
        standing = self.feed.standing(0, 1)
        return None if standing is None else standing[0]

    @property
    def waiting(self) -> int:
        return self.feed.statistics().buffered_records


def events(first: int, end: int) -> Offer:
    return offer(0, first, end, TERMINAL)


class Paced:
    """Lanes that are live at 0, and the pacing in front of them."""

    def __init__(self, *lanes: Lane, live: bool = True) -> None:
        self.pacing = Pacing([Receiver(a.sink_id, a.feed, a.sheds, a.paces) for a in lanes], PATIENCE_S)
        for lane in lanes:
            lane.feed.begin(0, 0)
            if live:
                lane.stand()

    def place(self, pending: PendingOffer, now_s: float = NOW_S) -> bool:
        return self.pacing.place(pending, now_s)

    def place_when_dry(self, pending: PendingOffer, dry_at_s: float) -> bool:
        """Somebody is found dry now, and still is when its neighbours have had the time that they are given."""
        assert not self.place(pending, dry_at_s)
        return self.place(pending, dry_at_s + GRACE_S)

    def fill(self, *lanes: Lane) -> None:
        """These take ten records, which is all that they have room for."""
        for lane in lanes:
            lane.feed.offer(events(0, CAPACITY), 0.0)


def pending(first: int = CAPACITY, end: int = CAPACITY + 5) -> PendingOffer:
    return PendingOffer(events(first, end), NOW_S)


class TestWhoeverHasRoom:
    def test_an_offer_is_placed_once_every_lane_has_it(self) -> None:
        """All had room, so nothing is left to wait for."""
        lanes = [Lane("a"), Lane("b")]
        assert Paced(*lanes).place(pending(0, 5))
        assert [lane.waiting for lane in lanes] == [5, 5]

    def test_who_has_room_gets_the_offer_at_once_and_the_others_as_soon_as_they_have(self) -> None:
        """And nobody gets it twice."""
        fast, slow = Lane("fast"), Lane("slow")
        paced, next_one = Paced(fast, slow), pending()
        paced.fill(fast, slow)
        fast.export()
        assert not paced.place(next_one)
        assert (fast.waiting, slow.waiting) == (5, CAPACITY)
        slow.export()
        assert paced.place(next_one, NOW_S + 0.1)
        assert (fast.waiting, slow.waiting) == (5, 5)
        assert fast.verdicts == [Verdict.TAKEN] * 2, "the first ten, and these"
        assert slow.verdicts == [Verdict.TAKEN, Verdict.HELD, Verdict.TAKEN]
        assert [lane.mode for lane in (fast, slow)] == [Mode.LIVE, Mode.LIVE]

    def test_a_lane_that_is_not_attached_yet_reads_the_log_by_itself(self) -> None:
        """Nobody waits for it: it takes note of how far it has to read."""
        here, late = Lane("here"), Lane("late")
        paced = Paced(here, late, live=False)
        here.stand()
        assert paced.place(pending(0, 5))
        late.stand()
        assert late.mode is Mode.CATCHING_UP


class TestNobodyIsLive:
    @pytest.mark.parametrize("attached", [True, False], ids=["all are behind", "none is attached"])
    def test_the_offer_waits(self, attached: bool) -> None:
        """Going on would only run away from those that read the log, and nobody would take it."""
        lane = Lane("a")
        paced, first = Paced(lane, live=False), pending(20, 25)
        if attached:
            lane.feed.begin(0, 20)
            lane.stand()
            assert lane.mode is Mode.CATCHING_UP
        assert not paced.place(first)
        assert not paced.place(first, NOW_S + 1_000.0)
        assert first.served == set()

    def test_a_lane_whose_pace_does_not_count_is_not_enough(self) -> None:
        """A dead-letter lane swallows everything at once: it would run away with the intake."""
        letters, lane = Lane("letters", paces=False), Lane("a")
        paced, first = Paced(letters, lane, live=False), pending(0, 5)
        letters.stand()
        assert not paced.place(first)
        assert letters.waiting == 0
        lane.stand()
        assert paced.place(first)


class TestEverybodyIsFull:
    @pytest.mark.parametrize("sheds", [True, False])
    def test_to_a_lane_with_nobody_beside_it_a_full_buffer_is_backpressure(self, sheds: bool) -> None:
        """It never sheds and never detaches for want of room, whatever its policy and however long it takes."""
        lane = Lane("a", sheds=sheds)
        paced, next_one = Paced(lane), pending()
        paced.fill(lane)
        for hours in range(10):
            assert not paced.place(next_one, NOW_S + 3_600.0 * hours)
        assert (lane.mode, lane.waiting, lane.feed.statistics().dropped) == (Mode.LIVE, CAPACITY, 0)
        lane.export()
        assert paced.place(next_one, NOW_S + 3_600.0 * 10)

    def test_several_that_are_all_full_are_all_waited_for(self) -> None:
        """No lane could use the next offer, so nobody is held up."""
        lanes = [Lane("a"), Lane("b", sheds=True)]
        paced, next_one = Paced(*lanes), pending()
        paced.fill(*lanes)
        assert not paced.place(next_one)
        assert not paced.place(next_one, NOW_S + 3_600.0)
        assert [lane.mode for lane in lanes] == [Mode.LIVE, Mode.LIVE]
        assert next_one.wanted_since_s is None

    def test_a_dead_letter_lane_that_has_taken_it_holds_nobody_to_it(self) -> None:
        """It is past every offer at once: measured by it, every other lane would be slow."""
        letters, lane = Lane("letters", paces=False), Lane("a")
        paced, next_one = Paced(letters, lane), pending()
        paced.fill(letters, lane)
        letters.export()
        assert not paced.place(next_one)
        letters.export()
        assert not paced.place(next_one, NOW_S + 3_600.0)
        assert next_one.served == {"letters"}
        assert letters.mode is Mode.LIVE
        assert lane.mode is Mode.LIVE


class Contest(Paced):
    """A fast lane that has taken the offer, and a slow one that is full."""

    def __init__(self, *, sheds: bool = False, max_ahead_records: int = 1_000_000) -> None:
        self.fast = Lane("fast")
        self.slow = Lane("slow", sheds=sheds, max_ahead_records=max_ahead_records)
        super().__init__(self.fast, self.slow)
        self.fill(self.fast, self.slow)
        self.fast.export()
        self.next_one = pending()
        assert not self.place(self.next_one)


@pytest.fixture
def without_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """No lane is waited for through a hiccup: what is left is the pace that lanes have to keep up with all along."""
    monkeypatch.setattr(pacing_module, "HICCUP_S", 0.0)


@pytest.mark.usefixtures("without_grace")
class TestPatience:
    def test_a_full_lane_keeps_its_claim_until_the_patience_is_over(self) -> None:
        """From the moment at which one that is past it first waited for the next."""
        contest = Contest()
        assert not contest.place(contest.next_one, NOW_S + PATIENCE_S - 0.001)
        modes = [contest.slow.mode]
        assert contest.place(contest.next_one, NOW_S + PATIENCE_S)
        assert [*modes, contest.slow.mode] == [Mode.LIVE, Mode.CATCHING_UP]

    def test_a_full_lane_loses_its_claim_soon_after_one_that_is_past_it_ran_dry(self) -> None:
        """That one has nothing to do any more, and waits only for this: as long as a fast enough lane would need."""
        contest = Contest()
        contest.fast.export(4)
        assert not contest.place(contest.next_one, NOW_S + 0.1)
        contest.fast.export(1)
        assert not contest.place(contest.next_one, NOW_S + 0.2)
        assert not contest.place(contest.next_one, NOW_S + 0.2 + 0.9 * GRACE_S)
        modes = [contest.slow.mode]
        assert contest.place(contest.next_one, NOW_S + 0.2 + GRACE_S)
        assert [*modes, contest.slow.mode] == [Mode.LIVE, Mode.CATCHING_UP]

    def test_a_full_lane_that_makes_room_while_another_is_dry_keeps_its_claim(self) -> None:
        """Two that are equally fast take turns at being ahead."""
        contest = Contest()
        contest.fast.export()
        assert not contest.place(contest.next_one, NOW_S + 0.1)
        contest.slow.export(5)
        assert contest.place(contest.next_one, NOW_S + 0.1 + GRACE_S)
        assert contest.slow.mode is Mode.LIVE

    def test_being_dry_counts_from_the_last_time_it_had_work(self) -> None:
        """Another partition's offer may have come in between."""
        contest = Contest()
        contest.fast.export()
        assert not contest.place(contest.next_one, NOW_S + 0.1)
        contest.fast.feed.begin(1, 0)
        contest.fast.feed.attach(1, 1, 0, 0.0)
        contest.fast.feed.offer(offer(1, 0, 5, TERMINAL), NOW_S)
        assert not contest.place(contest.next_one, NOW_S + 0.2)
        contest.fast.export()
        assert contest.place_when_dry(contest.next_one, NOW_S + 0.3)

    def test_a_larger_offer_gives_more_time(self) -> None:
        """Room for twice as many records takes twice as long to make."""
        fast, slow = Lane("fast"), Lane("slow")
        paced, next_one = Paced(fast, slow), pending(CAPACITY, CAPACITY + 10)
        paced.fill(fast, slow)
        fast.export()
        assert not paced.place(next_one)
        fast.export()
        assert not paced.place_when_dry(next_one, NOW_S + 0.1)
        assert paced.place(next_one, NOW_S + 0.1 + 2 * GRACE_S)

    def test_a_lane_whose_sink_has_taken_nothing_yet_loses_its_claim_to_patience_only(self) -> None:
        """It may be connecting, and meanwhile a neighbour runs dry that was a second faster at that."""
        fast, new, slow = Lane("fast"), Lane("new", new=True), Lane("slow")
        paced, next_one = Paced(fast, new, slow), pending()
        paced.fill(fast, new, slow)
        fast.export()
        assert not paced.place(next_one)
        fast.export()
        assert not paced.place_when_dry(next_one, NOW_S + 0.1)
        assert not paced.place(next_one, NOW_S + PATIENCE_S - 0.001)
        assert [lane.mode for lane in (new, slow)] == [Mode.LIVE, Mode.CATCHING_UP]
        assert paced.place(next_one, NOW_S + PATIENCE_S)
        assert new.mode is Mode.CATCHING_UP

    def test_a_lane_is_new_until_its_sink_has_taken_its_first_record(self) -> None:
        """From then on it is as fast as it is."""
        fast, slow = Lane("fast"), Lane("slow", new=True)
        paced, next_one = Paced(fast, slow), pending()
        paced.fill(fast, slow)
        fast.export()
        assert not paced.place(next_one)
        fast.export()
        assert not paced.place_when_dry(next_one, NOW_S + 0.1)
        slow.export(1)
        assert paced.place(next_one, NOW_S + 0.1 + GRACE_S)
        assert slow.mode is Mode.CATCHING_UP

    def test_one_of_several_that_runs_dry_is_enough(self) -> None:
        """The fastest sets the pace."""
        fast, medium, slow = Lane("fast"), Lane("medium"), Lane("slow")
        paced, next_one = Paced(fast, medium, slow), pending()
        paced.fill(fast, medium, slow)
        fast.export()
        medium.export()
        assert not paced.place(next_one)
        fast.export()
        assert paced.place_when_dry(next_one, NOW_S + 0.1)
        assert [lane.mode for lane in (fast, medium, slow)] == [Mode.LIVE, Mode.LIVE, Mode.CATCHING_UP]

    def test_time_in_which_nobody_was_past_it_does_not_count(self) -> None:
        """All were full for an hour; that says nothing of who is slower."""
        fast, slow = Lane("fast"), Lane("slow")
        paced, next_one = Paced(fast, slow), pending()
        paced.fill(fast, slow)
        assert not paced.place(next_one)
        fast.export()
        later_s = NOW_S + 3_600.0
        assert not paced.place(next_one, later_s)
        assert not paced.place(next_one, later_s + PATIENCE_S - 0.001)
        assert paced.place(next_one, later_s + PATIENCE_S)

    def test_one_that_is_past_it_and_falls_behind_holds_nobody_to_it_any_more(self) -> None:
        """It reads the log now; when somebody else is past it, the patience begins anew."""
        fast, medium, slow = Lane("fast"), Lane("medium"), Lane("slow")
        paced, next_one = Paced(fast, medium, slow), pending()
        paced.fill(fast, medium, slow)
        fast.export()
        assert not paced.place(next_one)
        fast.feed.detach(0, NOW_S)
        assert not paced.place(next_one, NOW_S + 3_600.0)
        assert [lane.mode for lane in (medium, slow)] == [Mode.LIVE, Mode.LIVE]
        medium.export()
        assert not paced.place(next_one, NOW_S + 3_601.0)
        assert paced.place(next_one, NOW_S + 3_601.0 + PATIENCE_S)
        assert slow.mode is Mode.CATCHING_UP

    def test_one_that_read_as_far_from_the_log_and_is_live_again_wants_the_next_as_much(self) -> None:
        """It never took the offer, and is past it all the same."""
        reader, slow = Lane("reader"), Lane("slow")
        paced, next_one = Paced(reader, slow), pending()
        paced.fill(slow)
        reader.feed.detach(0, 0.0)
        assert not paced.place(next_one)
        assert not paced.place(next_one, NOW_S + 3_600.0), "it only took note of it, and reads on"
        assert reader.feed.enter_from_log(events(0, CAPACITY + 5), NOW_S + 3_600.0)
        assert not paced.place(next_one, NOW_S + 3_600.0), "it has work"
        reader.export()
        assert paced.place_when_dry(next_one, NOW_S + 3_600.1)
        assert slow.mode is Mode.CATCHING_UP

    def test_without_patience_a_full_lane_loses_its_claim_at_once(self) -> None:
        """An operator may want that no lane ever waits for another."""
        fast, slow = Lane("fast"), Lane("slow")
        paced = Paced(fast, slow)
        paced.pacing = Pacing([Receiver(a.sink_id, a.feed, a.sheds, a.paces) for a in (fast, slow)], 0.0)
        paced.fill(fast, slow)
        fast.export()
        assert paced.place(pending())


class TestGrace:
    """A lane that was in time until now is waited for through one hiccup of its broker."""

    def test_a_full_lane_keeps_its_claim_for_a_hiccup_longer(self) -> None:
        """Counted from when it would have lost it."""
        contest = Contest()
        contest.fast.export()
        assert not contest.place_when_dry(contest.next_one, NOW_S)
        assert not contest.place(contest.next_one, NOW_S + GRACE_S + HICCUP_S - 0.001)
        assert contest.place(contest.next_one, NOW_S + GRACE_S + HICCUP_S)
        assert contest.slow.mode is Mode.CATCHING_UP

    def test_and_if_it_makes_room_by_then_nothing_happened(self) -> None:
        """Reading the rest from the log would have taken it many times as long."""
        contest = Contest()
        contest.fast.export()
        assert not contest.place_when_dry(contest.next_one, NOW_S)
        contest.slow.export()
        assert contest.place(contest.next_one, NOW_S + HICCUP_S)
        assert contest.slow.mode is Mode.LIVE

    def test_patience_ends_it(self) -> None:
        """An operator who wants no lane to wait says so by it."""
        contest = Contest()
        assert not contest.place(contest.next_one, NOW_S + PATIENCE_S - 0.1)
        contest.fast.export()
        assert not contest.place_when_dry(contest.next_one, NOW_S + PATIENCE_S - 0.1)
        assert contest.place(contest.next_one, NOW_S + PATIENCE_S)

    def test_each_lane_has_its_own(self) -> None:
        """One that was late a moment ago loses its claim, its neighbour keeps its own."""
        fast, late, in_time = Lane("fast"), Lane("late"), Lane("in time")
        paced, first, then_s = Paced(fast, late, in_time), pending(), NOW_S + 0.5 * HICCUP_S
        paced.fill(fast, late, in_time)
        fast.export()
        in_time.export()
        assert not paced.place(first)
        fast.export()
        assert not paced.place_when_dry(first, NOW_S), "late is late, and waited for"
        late.export()
        assert paced.place(first, then_s)
        assert paced.place(pending(15, 20), then_s), "both are full now"
        fast.export()
        last = pending(20, 25)
        assert not paced.place(last, then_s)
        fast.export()
        assert not paced.place_when_dry(last, then_s + HICCUP_S)
        assert [lane.mode for lane in (late, in_time)] == [Mode.CATCHING_UP, Mode.LIVE]

    @pytest.mark.parametrize(
        ("in_time_s", "loses"), [(HICCUPS_APART_S - 0.1, True), (HICCUPS_APART_S + 0.1, False)], ids=["soon", "later"]
    )
    def test_it_has_the_next_one_after_it_was_in_time_for_long_enough(self, in_time_s: float, loses: bool) -> None:
        """Counted from the last moment in which it was late."""
        contest = Contest()
        contest.fast.export()
        assert not contest.place_when_dry(contest.next_one, NOW_S)
        late_s = NOW_S + 0.8 * HICCUP_S
        assert not contest.place(contest.next_one, late_s)
        contest.slow.export()
        assert contest.place(contest.next_one, late_s)
        assert contest.place(pending(15, 20), late_s), "it is full again"
        contest.fast.export()
        last, dry_s = pending(20, 25), late_s + in_time_s - GRACE_S
        assert not contest.place(last, dry_s)
        contest.fast.export()
        assert contest.place_when_dry(last, dry_s) is loses

    def test_a_lane_that_is_late_all_along_has_one_only(self) -> None:
        """It sheds at each offer from then on, however long that goes on."""
        contest = Contest(sheds=True)
        contest.fast.export()
        assert not contest.place_when_dry(contest.next_one, NOW_S)
        now_s = NOW_S + GRACE_S + HICCUP_S
        assert contest.place(contest.next_one, now_s)
        for first in range(CAPACITY + 5, CAPACITY + 105, 5):
            contest.fast.export()
            now_s += 0.9 * HICCUPS_APART_S
            late = pending(first, first + 5)
            assert not contest.place(late, now_s)
            contest.fast.export()
            assert contest.place_when_dry(late, now_s)

    def test_it_loses_its_claim_on_all_partitions_at_once(self) -> None:
        """Neighbours would otherwise wait for each of them in turn."""
        contest = Contest(sheds=True)
        for lane in (contest.fast, contest.slow):
            lane.feed.begin(1, 0)
            lane.feed.attach(1, 1, 0, 0.0)
        both = [contest.next_one, PendingOffer(offer(1, 0, 5, TERMINAL), NOW_S)]
        contest.place(both[1])
        contest.fast.export()
        assert [contest.place_when_dry(one, NOW_S) for one in both] == [False, False]
        lost_s = NOW_S + GRACE_S + HICCUP_S
        assert [contest.place(one, lost_s) for one in both] == [True, True]


@pytest.mark.usefixtures("without_grace")
class TestLosingTheClaim:
    def test_a_lane_that_replays_detaches_and_gets_everything_from_the_log(self) -> None:
        """It goes back to the first that waited, and notes how far it has to read."""
        contest = Contest()
        contest.fast.export()
        assert contest.place_when_dry(contest.next_one, NOW_S + 0.1)
        assert contest.slow.feed.standing(0, 1) == (Mode.CATCHING_UP, 0)
        assert contest.slow.feed.statistics().detached == 1
        assert contest.slow.feed.enter_from_log(events(0, CAPACITY + 5), NOW_S + 60.0), "that is as far as it has to"
        assert contest.slow.feed.statistics().dropped == 0

    def test_a_lane_that_sheds_takes_what_fits_and_stays_live(self) -> None:
        """What does not fit is a gap by its policy."""
        contest = Contest(sheds=True)
        contest.slow.export(3)
        contest.fast.export()
        assert contest.place_when_dry(contest.next_one, NOW_S + 0.1)
        assert contest.slow.mode is Mode.LIVE
        contest.slow.export()
        assert contest.slow.exported == [*range(CAPACITY), 10, 11, 12]
        (step,) = contest.slow.feed.settle()
        assert [(run.first_offset, run.last_offset) for missed in step.missed for run in missed.runs] == [(13, 14)]

    def test_a_lane_that_sheds_and_has_run_too_far_ahead_detaches(self) -> None:
        """Its gaps would grow in memory without a bound while its cursor stands."""
        contest = Contest(sheds=True, max_ahead_records=CAPACITY)
        contest.fast.export()
        assert contest.place_when_dry(contest.next_one, NOW_S + 0.1)
        assert contest.slow.mode is Mode.CATCHING_UP
        assert contest.slow.feed.settle() == [], "and nothing is a gap"

    def test_who_has_taken_it_is_not_made_to_detach(self) -> None:
        """Only those are overruled that had no room; to it the offer is not brought again."""
        contest = Contest()
        contest.fast.export()
        assert contest.place_when_dry(contest.next_one, NOW_S + 0.1)
        assert contest.fast.mode is Mode.LIVE
        assert contest.fast.feed.statistics().detached == 0
        assert contest.fast.verdicts == [Verdict.TAKEN] * 2

    def test_all_that_are_full_lose_it_at_once(self) -> None:
        """The one that ran dry would otherwise wait for each of them in turn."""
        fast, slow, slower = Lane("fast"), Lane("slow"), Lane("slower")
        paced, next_one = Paced(fast, slow, slower), pending()
        paced.fill(fast, slow, slower)
        fast.export()
        assert not paced.place(next_one)
        fast.export()
        assert paced.place_when_dry(next_one, NOW_S + 0.1)
        assert [lane.mode for lane in (slow, slower)] == [Mode.CATCHING_UP] * 2
