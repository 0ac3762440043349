"""Where the parts of a worker meet: this package alone knows every concrete class."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from confluent_kafka import Consumer, Producer

from tailrace.adapters.kafka_journal import Journal, JournalCapacity
from tailrace.adapters.kafka_ledger import READ_BACK, KafkaLedger, KafkaLedgerHistory, KafkaRefusedLetters
from tailrace.adapters.kafka_log import KafkaLaneLog, log_properties
from tailrace.adapters.kafka_shipping import ORDERED_PRODUCER, PREFERRED, Shipper
from tailrace.adapters.kafka_sink import DeadLetterSink, DurableTraceSink
from tailrace.adapters.kafka_source import KafkaEventSource, source_properties
from tailrace.adapters.local_diagnostic import LocalDiagnosticSink, RecordReader
from tailrace.adapters.logs import ClientLogger, StructuredLog
from tailrace.adapters.rotating_lines import RotatingLines
from tailrace.adapters.scripted_sink import ScriptedSink
from tailrace.adapters.topic_identity import TopicWatch
from tailrace.bootstrap.capturing import Capturing
from tailrace.bootstrap.projectors import await_machine_code, make_projector
from tailrace.codec.ledger import LedgerCodec
from tailrace.codec.record_layout import PROJECTOR_VERSION
from tailrace.codec.schemas import SchemaStore
from tailrace.domain.buffer import BufferLimits, SinkBuffer
from tailrace.domain.kinds import OverflowPolicy, SinkKind
from tailrace.domain.ledger import LaneIdentity
from tailrace.domain.projected import LaneItem
from tailrace.runtime.assignment import Assignment, AssignmentPlan
from tailrace.runtime.attachment import Attachment, LaneFacts
from tailrace.runtime.catch_up import CatchUp
from tailrace.runtime.catch_up_pace import CatchUpPace, RateLimit, ShareLimit
from tailrace.runtime.clock import Clock, Processor, SystemProcessor
from tailrace.runtime.cursor_track import CursorTrack
from tailrace.runtime.cutting import OfferSize
from tailrace.runtime.exporter import BatchLimits, Exporter
from tailrace.runtime.feed import Feed
from tailrace.runtime.intake import Intake
from tailrace.runtime.lane import Lane, LaneParts, LaneRhythm
from tailrace.runtime.lane_queue import event_of
from tailrace.runtime.lane_records import Intervals, LaneRecords
from tailrace.runtime.offers import DeadLetterSorting, RecordSorting, Sorting
from tailrace.runtime.pacing import Pacing, Receiver
from tailrace.runtime.poison_watch import PoisonWatch
from tailrace.runtime.ports import Projector
from tailrace.runtime.pressure import Pressure
from tailrace.runtime.signal import Signal
from tailrace.runtime.sink_port import Sink
from tailrace.runtime.stop import Stop
from tailrace.runtime.worker import Worker, WorkerParts
from tailrace.settings import Settings
from tailrace.settings.budget import (
    JOURNAL_BYTES,
    JOURNAL_ENTRIES,
    OFFERS_PER_BUFFER,
    PROJECTIONS_PER_EVENT,
    catch_up_properties,
    content_limit_bytes,
    intake_properties,
    journal_producer_properties,
    sink_producer_properties,
)
from tailrace.settings.checks import DEAD_LETTER_LANE_ID
from tailrace.settings.digest import lane_digest, letters_digest
from tailrace.settings.kafka import KafkaSettings, Property
from tailrace.settings.sinks import (
    DurableTraceSettings,
    LaneSettings,
    LocalDiagnosticSettings,
    SinkSettings,
    TestSinkSettings,
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every part of one worker shares."""

    settings: Settings
    schemas: SchemaStore
    projector: Projector
    topic_id: str | None
    start_id: str
    clock: Clock
    logger: StructuredLog
    stop: Stop
    room: Signal
    processor: Processor
    pressure: Pressure

    def producer(self, cluster: KafkaSettings, sizes: dict[str, Property]) -> Producer:
        client = {**PREFERRED, **self._client(cluster), **ORDERED_PRODUCER, **sizes}
        return Producer(client, logger=ClientLogger(self.logger))

    def consumer(self, properties: dict[str, Property], on_commit: Callable[..., None]) -> Consumer:
        client = {**self._client(self.settings.kafka), **properties, "on_commit": on_commit}
        return Consumer(client, logger=ClientLogger(self.logger))

    def _client(self, cluster: KafkaSettings) -> dict[str, Property]:
        return {"client.id": self.settings.worker.client_id, **cluster.properties()}


@dataclass(frozen=True, slots=True)
class _LanePlan:
    sink_id: str
    kind: SinkKind
    settings: LaneSettings
    overflow: OverflowPolicy
    sorting: Sorting
    sink: Sink[LaneItem]
    config_digest: str
    paces: bool


@dataclass(frozen=True, slots=True)
class EventsTopic:
    """Which topic the events come from, as far as the cluster tells: its id, and who looks whether that changes."""

    topic_id: str | None = None
    watch: TopicWatch | None = None


def build_worker(
    settings: Settings, *, schemas: SchemaStore, topic: EventsTopic, stop: Stop, clock: Clock, logger: StructuredLog
) -> Worker:
    """A worker made of real parts, not started yet. Makes clients: only in the process that runs it, no fork after.

    Raises ConfigurationNeeded for what only shows here: a pattern that is none, a store that cannot be made.
    """
    projector = make_projector(settings, schemas, logger)
    processor = SystemProcessor()
    around = Surroundings(
        settings,
        schemas,
        projector,
        topic.topic_id,
        uuid.uuid4().hex[:12],
        clock,
        logger,
        stop,
        room=Signal(),
        processor=processor,
        pressure=Pressure(clock, processor),
    )
    plans = _lane_plans(around)
    works = {plan.sink_id: Signal() for plan in plans}

    def news() -> None:
        for work in works.values():
            work.ring()
        around.room.ring()

    journals = _Journals(around, news)
    feeds = {plan.sink_id: _feed(plan, around, works[plan.sink_id]) for plan in plans}
    lanes = [_lane(plan, feeds, journals, around) for plan in plans]
    source = KafkaEventSource(
        lambda on_commit: around.consumer(
            {
                **source_properties(settings.events.group, settings.events.session_timeout_ms),
                **intake_properties(settings.events),
            },
            on_commit,
        ),
        settings.events.topic,
        logger,
    )
    poison = PoisonWatch(settings.events.poison_limit)
    assignment = Assignment(
        source=source,
        lanes=lanes,
        plan=_assignment_plan(settings),
        poison=poison,
        room=around.room,
        clock=clock,
        logger=logger,
    )
    receivers = [
        Receiver(plan.sink_id, feeds[plan.sink_id], plan.overflow is not OverflowPolicy.REPLAY_FROM_LOG, plan.paces)
        for plan in plans
    ]
    intake = Intake(
        source=source,
        projector=projector,
        assignment=assignment,
        pacing=Pacing(receivers, settings.worker.detach_after_ms / 1_000),
        poison=poison,
        size=_offer_size(settings),
        room=around.room,
        pressure=around.pressure,
        clock=clock,
    )
    parts = WorkerParts(journals.all, lanes, intake, assignment, topic.watch)
    await_machine_code(projector, clock, stop)  # last: it has been at it since the projector was made
    return Worker(parts, settings.worker.shutdown_deadline_s, stop, clock, logger)


class _Journals:
    """The ledger, and the letters of refused records: one thread and one producer each."""

    def __init__(self, around: Surroundings, on_written: Callable[[], None]) -> None:
        settings = around.settings
        sizes = journal_producer_properties(settings.events)

        def journal(name: str, topic: str) -> Journal:
            shipper = Shipper(lambda: around.producer(settings.kafka, sizes), topic, 30.0, around.clock)
            return Journal(name, shipper, JournalCapacity(JOURNAL_ENTRIES, JOURNAL_BYTES), on_written, around.logger)

        health = journal("ledger", settings.health.topic)
        self.all = [health]
        codec = LedgerCodec(around.schemas)
        self.ledger = KafkaLedger(health, codec)
        self.history = KafkaLedgerHistory(
            make_consumer=lambda: around.consumer({**catch_up_properties(), **READ_BACK}, on_commit=lambda *_: None),
            health_topic=settings.health.topic,
            events_topic=settings.events.topic,
            group=settings.events.group,
            codec=codec,
            stop=around.stop,
            clock=around.clock,
        )
        self.refused: KafkaRefusedLetters | None = None
        if settings.dead_letter.topic is not None:
            letters = journal("dead_letters", settings.dead_letter.topic)
            self.all.append(letters)
            events, raw = settings.events, settings.dead_letter.raw
            self.refused = KafkaRefusedLetters(letters, events.topic, events.group, raw=raw)


def _lane_plans(around: Surroundings) -> list[_LanePlan]:
    settings = around.settings
    capturing = Capturing.of(settings, around.schemas, around.clock, around.logger)
    plans = [
        _LanePlan(
            sink_id,
            sink.kind,
            sink,
            sink.overflow_policy,
            RecordSorting(sink.selection.rule(), captures=_may_meet_content(settings, sink_id)),
            capturing.before(sink_id, _sink(sink_id, sink, around)),
            lane_digest(settings, sink_id),
            paces=True,
        )
        for sink_id, sink in sorted(settings.sinks.items())
    ]
    if settings.dead_letter.topic is not None:
        lane = LaneSettings()
        shipper = _shipper(around, settings.kafka, lane, settings.dead_letter.topic)
        plans.append(
            _LanePlan(
                DEAD_LETTER_LANE_ID,
                SinkKind.DURABLE_TRACE,
                lane,
                OverflowPolicy.REPLAY_FROM_LOG,
                DeadLetterSorting(),
                DeadLetterSink(  # type: ignore[arg-type]
                    shipper, settings.events.topic, settings.events.group, raw=settings.dead_letter.raw
                ),
                letters_digest(settings),
                paces=False,
            )
        )
    return plans


def _may_meet_content(settings: Settings, sink_id: str) -> bool:
    # Where no sink captures no record has an event with it, and no lane need look for one.
    return not settings.captures or settings.content_policy(sink_id) is not None


def _sink(sink_id: str, sink: SinkSettings, around: Surroundings) -> Sink[LaneItem]:
    # A lane's sorting lets only the items in that its sink can take, which the type of a mixed list cannot say.
    match sink:
        case DurableTraceSettings():
            content_bytes = content_limit_bytes(around.settings, sink_id)
            shipper = _shipper(around, around.settings.cluster_of(sink_id), sink, sink.topic, content_bytes)
            # While the worker joins its group: a sink that is ready half a second after its neighbours falls behind.
            shipper.connect()
            return DurableTraceSink(shipper)  # type: ignore[return-value]
        case LocalDiagnosticSettings():
            lines = RotatingLines(sink.path, sink.rotate_bytes, sink.keep_files, first_byte=b"{")
            return LocalDiagnosticSink(lines, RecordReader(around.schemas))  # type: ignore[return-value]
        case TestSinkSettings():
            return ScriptedSink(sink.script, repeat=sink.repeat)


def _shipper(
    around: Surroundings, cluster: KafkaSettings, lane: LaneSettings, topic: str, content_bytes: int = 0
) -> Shipper:
    sizes = sink_producer_properties(lane.batch, around.settings.events, content_bytes=content_bytes)
    return Shipper(lambda: around.producer(cluster, sizes), topic, lane.delivery_timeout_ms / 1_000, around.clock)


def _feed(plan: _LanePlan, around: Surroundings, work: Signal) -> Feed:
    sizes = plan.settings.buffer
    limits = BufferLimits(
        capacity_records=sizes.capacity_records,
        reserve_records=sizes.reserve,
        capacity_bytes=sizes.capacity_bytes,
        # The bytes reserved stand in the same proportion as the records.
        reserve_bytes=max(1, sizes.capacity_bytes * sizes.reserve // sizes.capacity_records),
    )
    buffer: SinkBuffer[LaneItem] = SinkBuffer(limits, plan.overflow, event_of)
    return Feed(buffer, plan.sorting, plan.settings.max_ahead_records, work=work, room=around.room)


def _lane(plan: _LanePlan, feeds: dict[str, Feed], journals: _Journals, around: Surroundings) -> Lane:
    settings, clock, logger = around.settings, around.clock, around.logger
    feed = feeds[plan.sink_id]
    facts = LaneFacts(
        LaneIdentity(sink_id=plan.sink_id, sink_kind=plan.kind, start_id=around.start_id, group=settings.events.group),
        settings.events.topic,
        around.topic_id,
        plan.config_digest,
        PROJECTOR_VERSION,
        plan.settings.start_at,
    )
    log = KafkaLaneLog(
        lambda on_commit: around.consumer(
            {**log_properties(settings.cursor_group(plan.sink_id)), **catch_up_properties()}, on_commit
        ),
        settings.events.topic,
        clock,
        logger,
    )
    track = CursorTrack(journals.ledger)
    batch = plan.settings.batch
    # The dead-letter lane is nearly always live and has nearly nothing to do: it needs no protection.
    neighbours = [feed for sink_id, feed in feeds.items() if sink_id not in {plan.sink_id, DEAD_LETTER_LANE_ID}]
    parts = LaneParts(
        feed,
        track,
        Exporter(
            sink_id=plan.sink_id,
            sink=plan.sink,
            feed=feed,
            track=track,
            limits=BatchLimits(batch.records, batch.bytes),
            dead_letters=journals.refused,
        ),
        CatchUp(
            log=log,
            projector=around.projector,
            feed=feed,
            pace=CatchUpPace(
                RateLimit(plan.settings.catch_up_max_events_per_s),
                ShareLimit(
                    around.pressure,
                    around.processor,
                    lambda: sum(any_feed.statistics().catching_up > 0 for any_feed in feeds.values()),
                ),
                lambda: any(other.statistics().live for other in neighbours),
                clock,
            ),
            clock=clock,
        ),
        Attachment(facts=facts, log=log, history=journals.history, feed=feed, track=track, clock=clock, logger=logger),
        LaneRecords(
            facts=facts,
            feed=feed,
            track=track,
            ledger=journals.ledger,
            intervals=Intervals(settings.health.mark_interval_s, settings.health.reminder_interval_s),
            clock=clock,
            logger=logger,
        ),
        log,
        plan.sink,
    )
    rhythm = LaneRhythm(batch.records, batch.bytes, batch.linger_ms / 1_000)
    return Lane(plan.sink_id, parts, rhythm, clock, logger)


def _assignment_plan(settings: Settings) -> AssignmentPlan:
    smallest = min(sink.buffer.capacity_records for sink in settings.sinks.values())
    commit_interval_s = settings.worker.commit_interval_ms / 1_000
    return AssignmentPlan(smallest // PROJECTIONS_PER_EVENT, commit_interval_s, settings.drain_s)


def _offer_size(settings: Settings) -> OfferSize:
    buffers = [sink.buffer for sink in settings.sinks.values()]
    return OfferSize(
        max(1, min(b.capacity_records for b in buffers) // OFFERS_PER_BUFFER),
        max(1, min(b.capacity_bytes for b in buffers) // OFFERS_PER_BUFFER),
    )
