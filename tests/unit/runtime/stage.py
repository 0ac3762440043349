"""A whole worker without threads: the real intake, assignment and lanes over the fakes, turned by hand."""

from collections.abc import Sequence
from dataclasses import dataclass

from tailrace.domain.buffer import BufferLimits, SinkBuffer
from tailrace.domain.kinds import OverflowPolicy, SinkKind
from tailrace.domain.ledger import LaneIdentity
from tailrace.domain.projected import LaneItem
from tailrace.domain.selection import Selection
from tailrace.runtime.assignment import Assignment, AssignmentPlan
from tailrace.runtime.attachment import Attachment, LaneFacts
from tailrace.runtime.catch_up import CatchUp
from tailrace.runtime.catch_up_pace import CatchUpPace, RateLimit, ShareLimit
from tailrace.runtime.cursor_track import CursorTrack
from tailrace.runtime.cutting import OfferSize
from tailrace.runtime.exporter import BatchLimits, Exporter
from tailrace.runtime.feed import Feed
from tailrace.runtime.intake import Intake
from tailrace.runtime.lane import Lane, LaneParts, LaneRhythm
from tailrace.runtime.lane_records import Intervals, LaneRecords
from tailrace.runtime.offers import RecordSorting, Sorting
from tailrace.runtime.pacing import Pacing, Receiver
from tailrace.runtime.poison_watch import PoisonWatch
from tailrace.runtime.ports import StoredCursor
from tailrace.runtime.pressure import Pressure
from tailrace.runtime.starting_point import StartAt
from tests.unit.runtime.fakes import (
    Doorbell,
    FakeClock,
    FakeHistory,
    FakeLaneLog,
    FakeLedger,
    FakeLog,
    FakeProcessor,
    FakeProjector,
    FakeSink,
    FakeSource,
    FakeTopic,
    Told,
    Unheard,
)

QUARTER = OfferSize(25, 1_000_000)


@dataclass(frozen=True)
class Scale:
    """Sizes of everything on the stage; times in seconds."""

    capacity: int = 100
    offer: OfferSize = QUARTER
    batch_records: int = 10
    batch_bytes: int = 1_000_000
    linger_s: float = 0.0
    near_records: int = 30
    max_ahead_records: int = 1_000_000
    poison_limit: int = 0
    commit_interval_s: float = 1.0
    drain_s: float = 10.0
    patience_s: float = 2.0
    start_at: StartAt = "earliest"
    policy: OverflowPolicy = OverflowPolicy.REPLAY_FROM_LOG


def limits(capacity: int) -> BufferLimits:
    return BufferLimits(capacity, 1, 10_000_000, 1)


def feed_of(
    sorting: Sorting | None = None,
    *,
    capacity: int = 100,
    policy: OverflowPolicy = OverflowPolicy.REPLAY_FROM_LOG,
    max_ahead_records: int = 1_000_000,
    room: Doorbell | None = None,
) -> Feed:
    buffer: SinkBuffer[LaneItem] = SinkBuffer(limits(capacity), policy, lambda item: (item.partition, item.offset))
    return Feed(
        buffer,
        sorting or RecordSorting(Selection()),
        max_ahead_records,
        work=Unheard(),
        room=room or Doorbell(FakeClock()),
    )


def pace_without_limit(clock: FakeClock) -> CatchUpPace:
    """As of a lane without live neighbours."""
    processor = FakeProcessor()
    share = ShareLimit(Pressure(clock, processor), processor, lambda: 1)
    return CatchUpPace(RateLimit(1e9), share, lambda: False, clock)


class StagedLane:
    """One lane and all it is made of. While `stuck`, its thread is inside a call that does not come back."""

    def __init__(self, sink_id: str, scale: Scale, stage: "Stage") -> None:
        self.sink_id = sink_id
        self.stuck = False
        self.sink = FakeSink()
        self.ledger = FakeLedger()
        self.log = FakeLaneLog(sink_id, stage.topic, stage.clock, stage.story)
        self.feed = feed_of(
            capacity=scale.capacity,
            policy=scale.policy,
            max_ahead_records=scale.max_ahead_records,
            room=stage.room,
        )
        self.track = CursorTrack(self.ledger)
        self.facts = LaneFacts(
            LaneIdentity(sink_id=sink_id, sink_kind=SinkKind.TEST, start_id="start"),
            "agent.events",
            "topic-id",
            "digest",
            1,
            scale.start_at,
        )
        self.exporter = Exporter(
            sink_id=sink_id,
            sink=self.sink,
            feed=self.feed,
            track=self.track,
            limits=BatchLimits(scale.batch_records, scale.batch_bytes),
            dead_letters=None,
        )
        self.catch_up = CatchUp(
            log=self.log,
            projector=FakeProjector(),
            feed=self.feed,
            pace=pace_without_limit(stage.clock),
            clock=stage.clock,
        )
        self.attachment = Attachment(
            facts=self.facts,
            log=self.log,
            history=stage.history,
            feed=self.feed,
            track=self.track,
            clock=stage.clock,
            logger=stage.logger,
        )
        records = LaneRecords(
            facts=self.facts,
            feed=self.feed,
            track=self.track,
            ledger=self.ledger,
            intervals=Intervals(1e9, 1e9),
            clock=stage.clock,
            logger=stage.logger,
        )
        parts = LaneParts(
            self.feed, self.track, self.exporter, self.catch_up, self.attachment, records, self.log, self.sink
        )
        self.lane = Lane(
            sink_id,
            parts,
            LaneRhythm(scale.batch_records, scale.batch_bytes, scale.linger_s),
            stage.clock,
            stage.logger,
        )

    @property
    def cursors(self) -> dict[int, int]:
        """What Kafka has of this lane's cursors."""
        return {p: cursor.next_offset for p, cursor in self.log.cursors.items()}

    def stored(self, partition: int, next_offset: int) -> None:
        """An earlier worker has committed this."""
        self.log.cursors[partition] = StoredCursor(next_offset, next_offset, 0, "topic-id")

    def hang_in_an_export(self) -> None:
        """Its sink has taken a batch of what waits now, and does not come back with an answer."""
        self.stuck = True
        assert self.feed.take(10, 1_000_000), "there is nothing to export"

    def turn(self, times: int = 1) -> None:
        for _ in range(times):
            if not self.stuck:
                self.lane._turn()


class Stage:
    """One worker process. Lanes go on whenever the intake waits, as threads would."""

    def __init__(
        self,
        sinks: Sequence[str] = ("a",),
        *,
        topic: FakeTopic | None = None,
        scale: Scale | None = None,
        pacing: Pacing | None = None,
    ) -> None:
        scale = scale or Scale()
        self.topic = topic or FakeTopic()
        self.clock = FakeClock()
        self.logger = FakeLog()
        self.story: list[Told] = []
        self.history = FakeHistory()
        self.room = Doorbell(self.clock)
        self.room.meanwhile = self.lanes_turn
        self.lanes = {sink_id: StagedLane(sink_id, scale, self) for sink_id in sinks}
        self.source = FakeSource(self.topic, self.clock, self.story)
        self.poison = PoisonWatch(scale.poison_limit)
        self.projector = FakeProjector()
        self.assignment = Assignment(
            source=self.source,
            lanes=[staged.lane for staged in self.lanes.values()],
            plan=AssignmentPlan(scale.near_records, scale.commit_interval_s, scale.drain_s),
            poison=self.poison,
            room=self.room,
            clock=self.clock,
            logger=self.logger,
        )
        sheds = scale.policy is not OverflowPolicy.REPLAY_FROM_LOG
        receivers = [Receiver(sink_id, staged.feed, sheds, paces=True) for sink_id, staged in self.lanes.items()]
        self.intake = Intake(
            source=self.source,
            projector=self.projector,
            assignment=self.assignment,
            pacing=pacing or Pacing(receivers, scale.patience_s),
            poison=self.poison,
            size=scale.offer,
            room=self.room,
            pressure=Pressure(self.clock, FakeProcessor()),
            clock=self.clock,
        )
        self.intake.start()

    def lanes_turn(self, times: int = 1) -> None:
        for staged in self.lanes.values():
            staged.turn(times)

    def turn(self, times: int = 1) -> None:
        """The intake's turn, and then each lane's."""
        for _ in range(times):
            self.intake.turn()
            self.lanes_turn()

    def until_idle(self, most: int = 400) -> None:
        """Turn until nothing waits and nothing is under way, and the cursors that follow from it are committed."""
        for _ in range(most):
            before = self._traces()
            self.turn(15)  # more than a commit interval while nothing comes
            if self._traces() == before:
                return
        raise AssertionError("this worker does not come to rest")

    def _traces(self) -> object:
        return (
            len(self.story),
            len(self.projector.projected),
            [(len(staged.sink.arrived), len(staged.sink.batches)) for staged in self.lanes.values()],
            [len(staged.log.assigned_at) for staged in self.lanes.values()],
        )

    def told(self, *what: str) -> list[Told]:
        """The story, as far as these words tell it."""
        return [(word, said) for word, said in self.story if word in what]
