"""A lane that reads the log itself leaves time to live neighbours, and takes all there is without any."""

import pytest

from tailrace.runtime.catch_up import CatchUp
from tailrace.runtime.catch_up_pace import BURST_S, LEAST_S, READING_SHARE, CatchUpPace, RateLimit, ShareLimit
from tailrace.runtime.intake import POLL_S
from tailrace.runtime.pressure import BUSY_CORES, IDLE_SHARE, WINDOW_S, Pressure
from tests.unit.runtime.fakes import PROGRESS, FakeClock, FakeProcessor, FakeProjector
from tests.unit.runtime.stage import Scale, Stage, feed_of

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
        share = ShareLimit(Pressure(stage.clock, processor), processor, lambda: 1)
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


def test_a_read_waits_until_it_is_worth_it() -> None:
    """Who reads what is allowed as soon as it is, reads single events, and each costs as much as hundreds."""
    limit = RateLimit(PER_S)
    limit.spend(int(limit.allowance(0.0)))
    looks = [number / 64 for number in range(1, 65)]  # two events come between two looks
    taken = []
    for at_s in looks:
        if allowed := limit.allowance(at_s):
            limit.spend(allowed)
            taken.append(allowed)
    assert taken == [8] * 16
    assert PER_S * LEAST_S <= 8 < PER_S * LEAST_S + 2


def test_less_than_an_event_a_second_reads_one_now_and_then() -> None:
    limit = RateLimit(0.5)
    assert limit.allowance(0.0) == 1
    limit.spend(1)
    assert [limit.allowance(at_s) for at_s in (1.0, 1.9, 2.0)] == [0, 0, 1]


ROUND_S = 0.125  # a binary fraction, too


class Busy:
    """A worker's intake and a lane that catches up, on a machine whose processor time a test has pass."""

    def __init__(self, lanes_behind: int = 1) -> None:
        self.clock = FakeClock()
        self.processor = FakeProcessor()
        self.pressure = Pressure(self.clock, self.processor)
        self.live = True
        share = ShareLimit(self.pressure, self.processor, lambda: lanes_behind)
        self.pace = CatchUpPace(RateLimit(1e9), share, lambda: self.live, self.clock)

    def works(self, seconds: float, cores: float = 1.5, idle: float = 0.0) -> None:
        """The intake has eight rounds a second, a share of each idle, and the worker uses so much."""
        for _ in range(round(seconds / ROUND_S)):
            self.clock.passes(ROUND_S)
            self.processor.used_by_process_s += ROUND_S * cores
            self.pressure.idle(ROUND_S * idle)
            self.pressure.look()

    def reads(self, thread_s: float = 0.01) -> int:
        """The lane reads what it may of a hundred events, which takes so much processor time if it is any."""
        allowed = self.pace.allowance(100)
        if allowed:
            self.processor.used_by_thread_s += thread_s
            self.pace.spend(allowed)
        return allowed

    def until_it_reads(self) -> float:
        """Seconds of work until the lane may read again."""
        for rounds in range(100_000):
            if self.reads():
                return rounds * ROUND_S
            self.works(ROUND_S)
        raise AssertionError("it never reads again")


class TestPressure:
    def test_live_events_to_spare_and_no_time_to_spare(self) -> None:
        busy = Busy()
        assert not busy.pressure.high, "nothing is known yet"
        busy.works(WINDOW_S - ROUND_S)
        assert not busy.pressure.high
        busy.works(ROUND_S)
        assert busy.pressure.high

    @pytest.mark.parametrize(
        ("cores", "idle"),
        [
            (BUSY_CORES * 0.9, 0.0),  # slow sinks hold the intake: there is time
            (1.5, IDLE_SHARE),  # whoever uses the time, the live events get what they need
        ],
    )
    def test_one_sign_alone_is_none(self, cores: float, idle: float) -> None:
        busy = Busy()
        busy.works(WINDOW_S)
        busy.works(WINDOW_S, cores, idle)
        assert not busy.pressure.high

    def test_a_little_idleness_is_none(self) -> None:
        busy = Busy()
        busy.works(WINDOW_S, BUSY_CORES * 1.1, IDLE_SHARE * 0.9)
        assert busy.pressure.high

    def test_an_answer_is_about_all_the_time_since_the_last(self) -> None:
        """A round of two seconds, in a hand-over say, with a window's worth of work in it is an idle one."""
        busy = Busy()
        busy.clock.passes(4 * WINDOW_S)
        busy.processor.used_by_process_s += WINDOW_S
        busy.pressure.look()
        assert not busy.pressure.high


class TestShare:
    @pytest.mark.parametrize("lanes_behind", [1, 3])
    @pytest.mark.parametrize("read_s", [0.1, 0.2])
    def test_under_pressure_reading_takes_its_share_of_the_workers_time(self, read_s: float, lanes_behind: int) -> None:
        """Whatever a read takes: on a machine at half its speed, half as many are read. Who shares gets a part."""
        busy = Busy(lanes_behind)
        busy.works(WINDOW_S)
        used_s, reads = busy.processor.used_by_process_s, 0
        for _ in range(9_000):
            busy.works(ROUND_S)
            reads += busy.reads(read_s) > 0
        earned_s = READING_SHARE * (busy.processor.used_by_process_s - used_s) / lanes_behind
        assert reads * read_s == pytest.approx(earned_s, rel=0.05)

    def test_there_is_progress_however_slow_the_machine(self) -> None:
        """A read that is owed for a minute is followed by another one."""
        busy = Busy()
        busy.works(WINDOW_S)
        reads = 0
        read_s, rounds = 1.5, 3_200
        for _ in range(rounds):
            busy.works(ROUND_S, cores=1.0)
            reads += busy.reads(read_s) > 0
        assert reads == 1 + int(rounds * ROUND_S * READING_SHARE / read_s) >= 3

    def test_what_was_earned_while_nothing_was_owed_is_not_kept(self) -> None:
        busy = Busy()
        busy.works(100.0)
        assert busy.reads(0.1) > 0
        assert busy.until_it_reads() == pytest.approx(0.1 / (READING_SHARE * 1.5), abs=ROUND_S)

    def test_without_pressure_nothing_holds_a_lane(self) -> None:
        busy = Busy()
        assert [busy.reads(9.0) for _ in range(10)] == [100] * 10
        busy.works(WINDOW_S, idle=1.0)
        assert busy.reads(9.0) == 100

    def test_alone_nothing_holds_it_even_under_pressure_and_of_all_that_it_owes_its_last_read(self) -> None:
        """Else a lane that had the log to itself for a minute would stand for many as soon as a neighbour is live."""
        busy = Busy()
        busy.works(WINDOW_S)
        busy.live = False
        assert [busy.reads(0.1) for _ in range(30)] == [100] * 30
        busy.live = True
        assert busy.until_it_reads() == pytest.approx(0.1 / (READING_SHARE * 1.5), abs=ROUND_S)


class Watched(Pressure):
    """Remembers what the intake told."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.clock, FakeProcessor())
        self.idle_s: list[float] = []
        self.looks = 0

    def idle(self, seconds: float) -> None:
        self.idle_s.append(seconds)

    def look(self) -> None:
        self.looks += 1


class TestIntake:
    def test_it_tells_how_long_it_waited_for_events_and_only_then(self) -> None:
        stage = Stage(("a",))
        pressure = stage.intake._pressure = Watched(stage)
        stage.source.assign(0)
        stage.until_idle()
        waited = len(pressure.idle_s)
        assert pressure.idle_s == pytest.approx([POLL_S] * waited)
        assert waited
        stage.topic.append(0, *[PROGRESS] * 60)
        stage.intake.turn()
        assert len(pressure.idle_s) == waited, "there were events at once"

    def test_waiting_for_room_is_no_idleness(self) -> None:
        """Lanes may be short of time themselves; that the intake polls meanwhile, paused, changes nothing."""
        stage = Stage(("a",), scale=Scale(capacity=100, patience_s=1e9))
        stage.source.assign(0)
        stage.until_idle()
        stage.lanes["a"].stuck = True
        stage.topic.append(0, *[PROGRESS] * 600)
        stage.intake.turn()
        pressure = stage.intake._pressure = Watched(stage)
        for _ in range(400):
            stage.intake.turn()
        assert stage.source.paused, "it has polled, to stay a member"
        assert pressure.idle_s == []
        assert pressure.looks == 400
