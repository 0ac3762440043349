"""One process: the real intake, assignment and lanes over the model's ports, each thread of it a strand."""

from dataclasses import dataclass, field

from tailrace.domain.buffer import AdmittedBySacrifice, BufferLimits, OfferOutcome, SinkBuffer
from tailrace.domain.kinds import OverflowPolicy, SinkKind
from tailrace.domain.ledger import LaneIdentity
from tailrace.domain.projected import LaneItem
from tailrace.domain.selection import Selection
from tailrace.runtime.assignment import Assignment, AssignmentPlan
from tailrace.runtime.attachment import Attachment, LaneFacts
from tailrace.runtime.catch_up import CatchUp
from tailrace.runtime.catch_up_pace import CatchUpPace, RateLimit, ShareLimit
from tailrace.runtime.clock import Deadline
from tailrace.runtime.cursor_track import CursorTrack
from tailrace.runtime.cutting import OfferSize
from tailrace.runtime.exporter import BatchLimits, Exporter
from tailrace.runtime.feed import Feed, Mode, Verdict
from tailrace.runtime.intake import Intake
from tailrace.runtime.lane import Lane, LaneParts, LaneRhythm
from tailrace.runtime.lane_records import Intervals, LaneRecords
from tailrace.runtime.offers import DeadLetterSorting, Offer, RecordSorting
from tailrace.runtime.pacing import Pacing, Receiver
from tailrace.runtime.poison_watch import PoisonWatch
from tailrace.runtime.pressure import Pressure
from tailrace.runtime.starting_point import StartAt
from tests.model.cluster import Cluster
from tests.model.model_ports import (
    IN_TIME,
    ModelHistory,
    ModelLaneLog,
    ModelLog,
    ModelProcessor,
    ModelProjector,
    ModelSignal,
    ModelSink,
    ModelSource,
    ModelTime,
)
from tests.model.proof import Audience
from tests.model.strands import TO_THE_END, Strand, Strands

DRAIN_S = 1.0
SHUTDOWN_S = 2.0


@dataclass(frozen=True)
class LaneShape:
    """How one lane is set up."""

    audience: Audience
    policy: OverflowPolicy
    limits: BufferLimits
    max_ahead_records: int
    batch: BatchLimits
    linger_s: float
    catch_up_per_s: float
    start_at: StartAt


@dataclass(frozen=True)
class Shape:
    """How a worker is set up."""

    lanes: tuple[LaneShape, ...]
    patience_s: float
    offer_bytes: int
    near_records: int

    @property
    def offer_size(self) -> OfferSize:
        return OfferSize(max(1, min(lane.limits.capacity_records for lane in self.lanes) // 4), self.offer_bytes)


class WatchedBuffer(SinkBuffer[LaneItem]):
    """The buffer itself, with what the overflow policy did counted."""

    def watch(self, cluster: Cluster) -> "WatchedBuffer":
        self.seen = cluster.proof.seen
        return self

    def offer(self, item: LaneItem) -> OfferOutcome[LaneItem]:
        outcome = super().offer(item)
        self.seen[type(outcome).__name__] += 1
        if isinstance(outcome, AdmittedBySacrifice):
            others = any(lost.partition != item.partition for lost in outcome.sacrificed)
            self.seen["AdmittedBySacrifice of another partition"] += others
        return outcome


class WatchedFeed(Feed):
    """The feed itself, with its verdicts counted."""

    def watch(self, cluster: Cluster) -> "WatchedFeed":
        self.seen = cluster.proof.seen
        self.offered_while_behind = False
        return self

    def offer(self, offer: Offer, now_s: float) -> Verdict:
        before = self._standing.places.get(offer.partition)
        was_live = before is not None and before.mode is Mode.LIVE and before.position >= offer.from_offset
        verdict = super().offer(offer, now_s)
        self.seen[f"offer {verdict.name.lower()}"] += 1
        self.seen["offer too large for an empty buffer"] += was_live and verdict is Verdict.NOTED
        self.offered_while_behind |= verdict is Verdict.NOTED
        return verdict

    def acknowledge(self, records: int) -> None:
        in_flight = self._standing.queue.in_flight
        gone = [item for item in in_flight[:records] if item.partition not in self._standing.places]
        self.seen["late acknowledgement after the partition was gone"] += len(gone)
        super().acknowledge(records)

    def shed(self, offer: Offer, now_s: float) -> Verdict:
        verdict = super().shed(offer, now_s)
        self.seen[f"shed {verdict.name.lower()}"] += 1
        return verdict

    def enter_from_log(self, offer: Offer, now_s: float) -> bool:
        rejoined = super().enter_from_log(offer, now_s)
        if rejoined:
            self.seen["rejoined"] += 1
            self.seen["rejoined, offers in between"] += self.offered_while_behind
            self.offered_while_behind = False
        return rejoined


@dataclass
class Process:
    """A worker's threads as strands. `crash` it, or let `stop` come to its end; then it is to be thrown away."""

    cluster: Cluster
    time: ModelTime
    shape: Shape
    start_id: str
    stopping: bool = False
    stopped: bool = False
    lanes: list[Lane] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.strands: Strands = self.time.strands
        self._room = ModelSignal(self.strands, self.time.wait)
        self._processor = ModelProcessor(self.time)
        self._pressure = Pressure(self.time, self._processor)
        self._projector = ModelProjector(self.cluster)
        self._logger = ModelLog(self.cluster.proof.seen)
        self._feeds = [self._feed(lane) for lane in self.shape.lanes]
        self.lanes = [self._lane(lane, feed) for lane, feed in zip(self.shape.lanes, self._feeds, strict=True)]
        self._build_intake()
        self.intake_strand = self.strands.new("intake", self._intake_turn)
        self.lane_strands = [self.strands.new(lane.sink_id, lane._turn) for lane in self.lanes]

    def _feed(self, lane: LaneShape) -> WatchedFeed:
        buffer = WatchedBuffer(lane.limits, lane.policy, lambda item: (item.partition, item.offset))
        sorting = (
            DeadLetterSorting()
            if lane.audience.letters
            else RecordSorting(Selection(kinds=lane.audience.kinds or frozenset()))
        )
        work = ModelSignal(self.strands, self.time.idle)
        feed = WatchedFeed(buffer.watch(self.cluster), sorting, lane.max_ahead_records, work=work, room=self._room)
        return feed.watch(self.cluster)

    def _lane(self, lane: LaneShape, feed: WatchedFeed) -> Lane:
        sink_id = lane.audience.sink_id
        facts = LaneFacts(
            LaneIdentity(sink_id=sink_id, sink_kind=SinkKind.TEST, start_id=self.start_id),
            "events",
            "id",
            "digest",
            1,
            lane.start_at,
        )
        log = ModelLaneLog(sink_id, self.cluster, self.strands)
        sink = ModelSink(sink_id, self.cluster, self.strands)
        track = CursorTrack(self.cluster.health)
        neighbours = [other for other in self._feeds if other is not feed]
        parts = LaneParts(
            feed,
            track,
            Exporter(
                sink_id=sink_id,
                sink=sink,
                feed=feed,
                track=track,
                limits=lane.batch,
                dead_letters=self.cluster.letters if self.cluster.proof.letters_kept else None,
            ),
            CatchUp(
                log=log,
                projector=self._projector,
                feed=feed,
                pace=CatchUpPace(
                    RateLimit(lane.catch_up_per_s),
                    ShareLimit(
                        self._pressure,
                        self._processor,
                        lambda: sum(feed.statistics().catching_up > 0 for feed in self._feeds),
                    ),
                    lambda: any(other.statistics().live for other in neighbours),
                    self.time,
                ),
                clock=self.time,
            ),
            Attachment(
                facts=facts,
                log=log,
                history=ModelHistory(self.cluster, self.strands),
                feed=feed,
                track=track,
                clock=self.time,
                logger=self._logger,
            ),
            LaneRecords(
                facts=facts,
                feed=feed,
                track=track,
                ledger=self.cluster.health,
                intervals=Intervals(2.0, 5.0),
                clock=self.time,
                logger=self._logger,
            ),
            log,
            sink,
        )
        return Lane(
            sink_id, parts, LaneRhythm(lane.batch.records, lane.batch.bytes, lane.linger_s), self.time, self._logger
        )

    def _build_intake(self) -> None:
        source = ModelSource(self.cluster, self.time, DRAIN_S)
        poison = PoisonWatch(0)
        assignment = Assignment(
            source=source,
            lanes=self.lanes,
            plan=AssignmentPlan(self.shape.near_records, 0.0, DRAIN_S),
            poison=poison,
            room=self._room,
            clock=self.time,
            logger=self._logger,
        )
        receivers = [
            Receiver(
                lane.audience.sink_id,
                feed,
                sheds=lane.policy is not OverflowPolicy.REPLAY_FROM_LOG,
                paces=not lane.audience.letters,
            )
            for lane, feed in zip(self.shape.lanes, self._feeds, strict=True)
        ]
        self.intake = Intake(
            source=source,
            projector=self._projector,
            assignment=assignment,
            pacing=Pacing(receivers, self.shape.patience_s),
            poison=poison,
            size=self.shape.offer_size,
            room=self._room,
            pressure=self._pressure,
            clock=self.time,
        )
        self.intake.start()

    # ------------------------------------------------------------------------------------------------------- running

    def run_intake(self, points: int = TO_THE_END) -> None:
        may_block = self.stopping or any(news.what == "revoked" for news in self.cluster.news)
        self.strands.run(self.intake_strand, points, may_block=may_block)

    def run_lane(self, index: int, points: int = TO_THE_END) -> None:
        weather = self.cluster.sinks[self.lanes[index].sink_id]
        self.strands.run(self.lane_strands[index], points, may_block=weather.hangs)

    def strands_under_way(self) -> list[Strand]:
        return [strand for strand in (self.intake_strand, *self.lane_strands) if strand.under_way]

    def _intake_turn(self) -> None:
        if self.stopped:
            return
        if not self.stopping:
            self.intake.turn()
            return
        began_s, wrong = self.time.now_s(), self.cluster.commits_gone_wrong
        self.time.handing_over = True
        self.intake.finish(Deadline.after(self.time, SHUTDOWN_S))
        self.time.handing_over = False
        in_time = self.time.now_s() - began_s < IN_TIME * SHUTDOWN_S
        self._end(clean=in_time and self.cluster.commits_gone_wrong == wrong)

    def _end(self, *, clean: bool) -> None:
        held = sorted(self.cluster.held)
        self.cluster.hand_over(held, clean=clean)
        self.cluster.let_go(held)
        self.stopped = True

    def crash(self) -> None:
        self.strands.kill()
        self.time.handing_over = False
        self.cluster.crash()
