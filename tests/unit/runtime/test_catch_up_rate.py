"""A lane that reads the log itself leaves time to live neighbours, and takes all there is without any."""

from tailrace.runtime.catch_up import BURST_S, CatchUp, RateLimit
from tests.unit.runtime.fakes import PROGRESS, FakeProjector
from tests.unit.runtime.stage import Stage, feed_of

PER_S = 128.0  # times below are binary fractions, so that sums are exact
BURST = int(PER_S * BURST_S)
EVENTS = 1_000


class Reading:
    """A lane at the beginning of a log, whose neighbour is live or not."""

    def __init__(self) -> None:
        stage = Stage(("a",))
        stage.topic.append(0, *[PROGRESS] * EVENTS)
        self.clock = stage.clock
        self.neighbour_live = True
        feed = feed_of()
        feed.begin(0, EVENTS)
        feed.attach(0, 1, 0, 0.0)
        self.catch_up = CatchUp(
            log=stage.lanes["a"].log,
            projector=FakeProjector(),
            feed=feed,
            limit=RateLimit(PER_S),
            neighbours_live=lambda: self.neighbour_live,
            clock=stage.clock,
        )

    def read(self) -> int:
        return self.catch_up.read(EVENTS, 0.0).events


def test_beside_a_live_neighbour_the_limit_holds() -> None:
    reading = Reading()
    assert [reading.read(), reading.read()] == [BURST, 0]
    reading.clock.passes(0.125)
    assert reading.read() == 16


def test_without_a_live_neighbour_all_is_read_at_once() -> None:
    reading = Reading()
    reading.read()
    reading.neighbour_live = False
    assert reading.read() == EVENTS - BURST


def test_a_token_bucket() -> None:
    limit = RateLimit(PER_S)
    assert limit.allowance(10.0) == BURST
    limit.spend(BURST)
    assert limit.allowance(10.0) == 0
    assert limit.allowance(10.125) == 16
    assert limit.allowance(99.0) == BURST, "what was not used does not add up"


def test_what_was_read_without_a_limit_is_not_owed_later() -> None:
    limit = RateLimit(PER_S)
    limit.spend(EVENTS)
    assert limit.allowance(10.0) == BURST
    limit.spend(EVENTS)
    assert limit.allowance(10.125) == 16


def test_less_than_an_event_a_second_reads_one_now_and_then() -> None:
    limit = RateLimit(0.5)
    assert limit.allowance(0.0) == 1
    limit.spend(1)
    assert [limit.allowance(at_s) for at_s in (1.0, 1.9, 2.0)] == [0, 0, 1]
