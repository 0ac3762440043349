"""A lane divides its time: between what it can attach and what it cannot, and between its buffer and the log."""

from itertools import pairwise

import pytest

from tailrace.domain.kinds import FailureKind
from tailrace.runtime.attachment import LOOKUP_TIMEOUT_S
from tailrace.runtime.feed import Mode, Verdict
from tailrace.runtime.lane import (
    ATTACH_REST,
    BUFFER_TURNS_PER_READ,
    FAILURES_WITH_READER,
    LONGEST_ATTACH_REST_S,
    TEND_EVERY_S,
)
from tailrace.runtime.retry import LONGEST_DELAY_S
from tailrace.runtime.sink_port import Retriable
from tests.unit.runtime.fakes import PROGRESS, FakeTopic, offer
from tests.unit.runtime.stage import Scale, Stage, StagedLane, feed_of

BATCH = 10


class Both:
    """A lane that is behind on partition 0, and live on partition 1 with a buffer that is never empty."""

    def __init__(self, events_behind: int = 400, capacity: int = 201) -> None:
        self.stage = Stage(("a",), topic=FakeTopic(2), scale=Scale(capacity=capacity, batch_records=BATCH))
        self.staged: StagedLane = self.stage.lanes["a"]
        self.stage.topic.append(0, *[PROGRESS] * events_behind)
        self.staged.feed.begin(0, events_behind)
        self.staged.feed.begin(1, 0)
        self.offered = 0
        self.staged.lane.assign([0, 1], 1)
        self.staged.lane._serve_messages()
        self.fill()

    def fill(self) -> None:
        """The intake offers until the buffer is full."""
        while self.staged.feed.statistics().buffered_records < 200:
            self.staged.feed.offer(offer(1, self.offered, self.offered + BATCH), self.stage.clock.now_s())
            self.offered += BATCH

    def batches(self, turns: int) -> list[int]:
        """The partition of each batch that these turns export."""
        for _ in range(turns):
            self.staged.turn()
            self.fill()
        return [partition for partition, _ in self.staged.sink.arrived[::BATCH]]


class TestBufferAndLog:
    def test_the_log_is_read_after_as_many_batches_of_a_buffer_that_is_never_empty(self) -> None:
        """A partition that is behind would otherwise stay there for as long as another one is busy."""
        assert BUFFER_TURNS_PER_READ == 4
        assert Both().batches(20) == [1, 1, 1, 1, 0] * 4

    def test_both_get_on_in_order_and_without_a_hole(self) -> None:
        """Whose turn it is changes nothing about what is sent."""
        both = Both()
        both.batches(100)
        assert both.staged.sink.offsets(0) == list(range(200))
        assert both.staged.sink.offsets(1) == list(range(800))

    def test_what_was_read_is_exported_before_the_log_is_read_again(self) -> None:
        """One read is one batch: memory holds no more of the log than that."""
        both = Both()
        for turn in range(1, 41):
            both.batches(1)
            read = both.staged.feed.statistics().positions[0]
            assert read - len(both.staged.sink.offsets(0)) <= BATCH, f"after turn {turn}"

    @pytest.mark.parametrize("turns", [1, 200])
    def test_a_sink_that_is_down_lets_no_more_of_the_log_into_memory(self, turns: int) -> None:
        """Its buffer has its turns first, though they come to nothing; and then there is one batch of the log."""
        both = Both()
        both.staged.sink.down = Retriable(0, FailureKind.SINK_UNAVAILABLE, "down")
        for _ in range(turns):
            both.batches(1)
            both.stage.clock.passes(1.0)
        assert both.staged.feed.statistics().positions[0] == (0 if turns == 1 else BATCH)

    def test_a_partition_that_has_caught_up_takes_no_turns_any_more(self) -> None:
        """The buffer then has the whole lane."""
        both = Both(events_behind=2 * BATCH, capacity=400)
        assert both.batches(10) == [1, 1, 1, 1, 0] * 2
        assert both.staged.feed.standing(0, 1) == (Mode.LIVE, 2 * BATCH)
        assert both.batches(20)[10:] == [1] * 20

    def test_an_empty_buffer_leaves_the_lane_to_the_log(self) -> None:
        """Waiting for turns that nobody takes would only make it later."""
        stage = Stage(("a",), scale=Scale(batch_records=BATCH))
        staged = stage.lanes["a"]
        stage.topic.append(0, *[PROGRESS] * 100)
        staged.feed.begin(0, 100)
        staged.lane.assign([0], 1)
        staged.turn(1 + 2 * 10)
        assert staged.sink.offsets(0) == list(range(100))


class TestAttaching:
    def test_a_partition_without_a_leader_takes_a_fifth_of_the_lane_at_most(self) -> None:
        """Its look-up takes as long as look-ups may, and then everything else has four times as long."""
        stage = Stage(("a",))
        staged = stage.lanes["a"]
        staged.stored(0, 0)
        stage.topic.offline.add(0)
        staged.lane.assign([0], 1)
        asked_s: list[float] = []
        log_range = stage.topic.log_range

        def asked(partition: int) -> tuple[int, int] | None:
            asked_s.append(stage.clock.now_s())
            return log_range(partition)

        stage.topic.log_range = asked  # type: ignore[method-assign]
        for _ in range(800):
            staged.turn()
            stage.clock.passes(0.1)
        apart_s = [after - before for before, after in pairwise(asked_s)]
        assert apart_s
        assert min(apart_s) >= (1 + ATTACH_REST) * LOOKUP_TIMEOUT_S
        assert max(apart_s) <= (1 + ATTACH_REST) * LOOKUP_TIMEOUT_S + LONGEST_DELAY_S + 0.2

    def test_a_machine_that_was_asleep_in_the_middle_of_it_makes_no_rest_longer(self) -> None:
        """Four times a night would be a day and a half during which a partition that is back is not asked for."""
        stage = Stage(("a",))
        staged = stage.lanes["a"]
        staged.stored(0, 0)
        stage.topic.append(0, *[PROGRESS] * 10)
        staged.feed.begin(0, 10)
        stage.topic.offline.add(0)
        log_range = stage.topic.log_range

        def asleep(partition: int) -> tuple[int, int] | None:
            stage.clock.passes(8 * 3_600.0)
            return log_range(partition)

        stage.topic.log_range = asleep  # type: ignore[method-assign]
        staged.lane.assign([0], 1)
        staged.turn()
        stage.topic.log_range = log_range  # type: ignore[method-assign]
        stage.topic.offline.clear()
        stage.clock.passes(LONGEST_ATTACH_REST_S)
        staged.turn(4)
        assert staged.sink.offsets(0) == list(range(10))


class TestTending:
    """A client that nobody listens to keeps all it has to say, and an outage of Kafka has no bound."""

    @pytest.mark.parametrize("down", [False, True])
    def test_sink_and_log_have_their_turn_every_second_whatever_there_is_to_do(self, down: bool) -> None:
        """An idle lane exports and commits nothing; one whose sink is down does not commit for as long."""
        stage = Stage(("a",), topic=FakeTopic(1))
        staged = stage.lanes["a"]
        staged.sink.down = Retriable(0, FailureKind.SINK_UNAVAILABLE, "away") if down else None
        staged.feed.begin(0, 0)
        staged.lane.assign([0], 1)
        staged.feed.offer(offer(0, 0, 3), stage.clock.now_s())
        for _ in range(100):
            staged.turn()
            stage.clock.passes(TEND_EVERY_S / 10)
        assert len(staged.log.tended_at_s) == staged.sink.tended == pytest.approx(10, abs=1)
        assert min(b - a for a, b in pairwise(staged.log.tended_at_s)) >= TEND_EVERY_S

    def test_a_reader_that_is_not_read_is_let_go_and_reading_goes_on_without_a_hole(self) -> None:
        """What it has read waits in front of a sink that is down, and nobody would listen to its client meanwhile."""
        stage = Stage(("a",), topic=FakeTopic(1), scale=Scale(batch_records=BATCH))
        staged = stage.lanes["a"]
        stage.topic.append(0, *[PROGRESS] * 40)
        staged.feed.begin(0, 40)
        staged.lane.assign([0], 1)
        staged.sink.down = Retriable(0, FailureKind.SINK_UNAVAILABLE, "away")
        let_go_after = 0
        while {} not in staged.log.assigned_at:
            staged.turn()
            stage.clock.passes(LONGEST_DELAY_S)
            let_go_after = len(staged.sink.batches)
        assert let_go_after == FAILURES_WITH_READER
        for _ in range(10):
            staged.turn()
            stage.clock.passes(LONGEST_DELAY_S)
        assert staged.log.assigned_at[-1] == {}, "and stays so"
        staged.sink.down = None
        for _ in range(20):
            staged.turn()
            stage.clock.passes(LONGEST_DELAY_S)
        assert staged.sink.offsets(0) == list(range(40))


class TestLingering:
    """Waiting for a fuller batch is worth it while more may come, and only then."""

    def staged(self, waiting: int, *, capacity: int = 100, batch_bytes: int = 1_000_000) -> StagedLane:
        """A live lane that has begun to linger over so many records."""
        scale = Scale(capacity=capacity, batch_records=50, batch_bytes=batch_bytes, linger_s=0.05)
        stage = Stage(("a",), topic=FakeTopic(1), scale=scale)
        staged = stage.lanes["a"]
        staged.feed.begin(0, 0)
        staged.lane.assign([0], 1)
        staged.turn()
        assert staged.feed.offer(offer(0, 0, waiting), stage.clock.now_s()) is Verdict.TAKEN
        staged.turn(3)
        self.stage = stage
        return staged

    def test_a_few_records_wait_for_more_as_long_as_they_may(self) -> None:
        staged = self.staged(49)
        assert staged.sink.offsets(0) == []
        self.stage.clock.passes(0.049)
        staged.turn()
        assert staged.sink.offsets(0) == []
        self.stage.clock.passes(0.002)
        staged.turn()
        assert staged.sink.offsets(0) == list(range(49))

    def test_a_batch_is_full_by_records(self) -> None:
        assert self.staged(50).sink.offsets(0) == list(range(50))

    def test_a_batch_is_full_by_bytes(self) -> None:
        """Of large records it never holds as many as it may."""
        size = offer(0, 0, 1).records.items[0].size_bytes
        assert self.staged(9, batch_bytes=10 * size).sink.offsets(0) == []
        assert self.staged(10, batch_bytes=10 * size).sink.offsets(0) == list(range(10))

    def test_what_waits_is_sent_at_once_when_the_next_offer_has_no_room(self) -> None:
        """However small the buffer is, or its room for progress: nothing more can come before something leaves."""
        staged = self.staged(40, capacity=60)
        rings = staged.feed.work.count()
        for _ in range(5):
            assert staged.feed.offer(offer(0, 40, 65), self.stage.clock.now_s()) is Verdict.HELD
        assert staged.feed.work.count() == rings + 1, "told once"
        staged.turn()
        assert staged.sink.offsets(0) == list(range(40))
        assert staged.feed.offer(offer(0, 40, 65), self.stage.clock.now_s()) is Verdict.TAKEN
        staged.turn(3)
        assert staged.sink.offsets(0) == list(range(40)), "and then it lingers again"

    def test_what_no_offer_waits_for_any_more_lingers(self) -> None:
        """An offer that is held while a batch is on its way has room when that has arrived: it waits for more like any
        other, or full batches and small ones would take turns."""
        staged = self.staged(40, capacity=60)
        assert len(staged.feed.take(50, 10**9)) == 40
        assert staged.feed.offer(offer(0, 40, 65), self.stage.clock.now_s()) is Verdict.HELD
        staged.feed.acknowledge(40)
        staged.feed.give_back()
        assert staged.feed.waiting().pressing
        assert staged.feed.offer(offer(0, 40, 65), self.stage.clock.now_s()) is Verdict.TAKEN
        assert not staged.feed.waiting().pressing
        staged.turn(3)
        assert staged.sink.offsets(0) == []

    def test_a_lane_that_is_too_far_ahead_of_its_cursors_lingers(self) -> None:
        """Taking makes no room there: it waits for the ledger, which wants few large entries, not many small ones."""
        feed = feed_of(capacity=1_000, max_ahead_records=50)
        feed.begin(0, 0)
        feed.attach(0, 1, 0, 0.0)
        assert feed.offer(offer(0, 0, 50), 0.0) is Verdict.TAKEN
        assert feed.offer(offer(0, 50, 60), 0.0) is Verdict.HELD
        assert not feed.waiting().pressing
