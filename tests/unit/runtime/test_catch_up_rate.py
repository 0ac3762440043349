"""A lane that reads the log itself leaves time to live neighbours, and takes all there is without any."""

import pytest

from tailrace.runtime.catch_up import CatchUp
from tailrace.runtime.catch_up_pace import BURST_S, READING_SHARE, CatchUpPace, RateLimit, ShareLimit
from tailrace.runtime.pressure import BUSY_CORES, FRESH_S, WINDOW_S, Pressure
from tests.unit.runtime.fakes import PROGRESS, FakeClock, FakeProcessor, FakeProjector
from tests.unit.runtime.stage import QUARTER, Scale, Stage, feed_of

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
        processor = FakeProcessor()
        share = ShareLimit(Pressure(stage.clock, processor), processor)
        feed = feed_of()
        feed.begin(0, EVENTS)
        feed.attach(0, 1, 0, 0.0)
        self.catch_up = CatchUp(
            log=stage.lanes["a"].log,
            projector=FakeProjector(),
            feed=feed,
            pace=CatchUpPace(RateLimit(PER_S), share, lambda: self.neighbour_live, stage.clock),
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


POLL_EVERY_S = 0.125  # a binary fraction, too


class Busy:
    """A worker's intake and a lane that catches up, on a machine whose processor time a test has pass."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.processor = FakeProcessor()
        self.pressure = Pressure(self.clock, self.processor)
        self.live = True
        share = ShareLimit(self.pressure, self.processor)
        self.pace = CatchUpPace(RateLimit(1e9), share, lambda: self.live, self.clock)

    def works(self, seconds: float, cores: float = 1.5, *, events: int = 1_000, full: bool = True) -> None:
        """The intake polls eight times a second, and the worker uses so much."""
        for _ in range(round(seconds / POLL_EVERY_S)):
            self.clock.passes(POLL_EVERY_S)
            self.processor.used_by_process_s += POLL_EVERY_S * cores
            self.pressure.polled(events, full=full)

    def reads(self, thread_s: float = 0.01) -> int:
        """The lane reads what it may of a hundred events, which takes so much processor time if it is any."""
        allowed = self.pace.allowance(100)
        if allowed:
            self.processor.used_by_thread_s += thread_s
            self.pace.spend(allowed)
        return allowed


class TestPressure:
    def test_live_events_to_spare_and_no_time_to_spare(self) -> None:
        busy = Busy()
        assert not busy.pressure.high(), "nothing is known yet"
        busy.works(WINDOW_S)
        assert busy.pressure.high()

    @pytest.mark.parametrize(
        ("cores", "events", "full"),
        [
            (BUSY_CORES * 0.9, 1_000, True),  # slow sinks hold the intake: there is time
            (1.5, 40, False),  # whoever uses the time, the live events get what they need
            (1.5, 0, False),
        ],
    )
    def test_one_sign_alone_is_none(self, cores: float, events: int, full: bool) -> None:
        busy = Busy()
        busy.works(WINDOW_S)
        busy.works(WINDOW_S, cores, events=events, full=full)
        assert not busy.pressure.high()

    @pytest.mark.parametrize(("full_polls", "high"), [(1, False), (2, True)])
    def test_half_the_events_have_to_come_in_full_polls(self, full_polls: int, high: bool) -> None:
        """A client that fetches beside a busy worker does not always have a whole poll's worth."""
        busy = Busy()
        for number in range(4):
            busy.works(WINDOW_S / 4, full=number < full_polls)
        assert busy.pressure.high() is high

    def test_an_intake_that_polls_no_more_waits_for_sinks_and_not_for_time(self) -> None:
        busy = Busy()
        busy.works(WINDOW_S)
        busy.clock.passes(FRESH_S)
        assert not busy.pressure.high()


class TestShare:
    def test_under_pressure_reading_takes_its_share_of_the_workers_time(self) -> None:
        """Whatever a read takes: on a machine at half its speed, half as many are read."""
        for read_s in (0.1, 0.2):
            busy = Busy()
            busy.works(WINDOW_S)
            used_s, reads = busy.processor.used_by_process_s, 0
            for _ in range(1_000):
                busy.works(POLL_EVERY_S)
                reads += busy.reads(read_s) > 0
            assert reads * read_s == pytest.approx(
                READING_SHARE * (busy.processor.used_by_process_s - used_s), rel=0.05
            )

    def test_there_is_progress_however_slow_the_machine(self) -> None:
        """A read that is owed for a minute is followed by another one."""
        busy = Busy()
        busy.works(WINDOW_S)
        reads = 0
        for _ in range(1_600):
            busy.works(POLL_EVERY_S, cores=1.0)
            reads += busy.reads(1.5) > 0
        assert reads == 4

    def test_without_pressure_nothing_holds_a_lane_and_nothing_is_owed_later(self) -> None:
        busy = Busy()
        assert [busy.reads(9.0) for _ in range(10)] == [100] * 10
        busy.works(WINDOW_S)
        assert busy.reads() == 0, "the last of them was read under pressure, as it were"
        busy.works(WINDOW_S, full=False)
        assert busy.reads(9.0) == 100

    def test_alone_nothing_holds_it_even_under_pressure(self) -> None:
        busy = Busy()
        busy.works(WINDOW_S)
        busy.live = False
        assert [busy.reads(9.0) for _ in range(3)] == [100] * 3


def test_the_intake_tells_of_every_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many events it brought, and whether that was all that a poll may bring."""
    told: list[tuple[int, bool]] = []
    monkeypatch.setattr(Pressure, "polled", lambda _, events, *, full: told.append((events, full)))
    stage = Stage(("a",), scale=Scale(capacity=1_000, offer=QUARTER))
    most = QUARTER.records
    stage.topic.append(0, *[PROGRESS] * (most + 3))
    stage.source.assign(0)
    stage.until_idle()
    assert [poll for poll in told if poll[0]] == [(most, True), (3, False)]
    assert (0, False) in told
