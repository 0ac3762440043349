"""The audit itself: read everything once, then go through the events partition by partition."""

from tailrace.audit.closing import close
from tailrace.audit.errors import EvidenceUnreadable, PlanInvalid
from tailrace.audit.event_view import EventView
from tailrace.audit.evidence import Evidence, PartitionRead
from tailrace.audit.findings import FindingCode, NoteCode, Outcome
from tailrace.audit.letters import letter_digest
from tailrace.audit.plan import AuditOptions, AuditPlan, FileDestination, KafkaDestination, NoDestination, SinkPlan
from tailrace.audit.reading import Gathered, Gathering, forget
from tailrace.audit.report import AuditReport, PartitionEnds, SinkReport
from tailrace.audit.sink_check import SinkCheck
from tailrace.audit.standing import Doubt, Standing, Totals
from tailrace.audit.verdicts import Judge, Readable, Unreadable
from tailrace.audit.wire import Schemas


def audit(plan: AuditPlan, options: AuditOptions, evidence: Evidence) -> AuditReport:
    """Prove, or disprove, that every event was exported or accounted for, per sink (docs/DESIGN.md, Cursors).

    On a stopped worker the proof covers everything; beside a running one, everything below the cursors. Memory grows
    with the number of records in the sinks, not with their size.

    Raises EvidenceUnreadable when something cannot be read, PlanInvalid for a plan that contradicts itself: in both
    cases nothing was proved.
    """
    schemas = Schemas(plan.schema_directories)
    outcome = Outcome()
    sinks = _all_lanes(plan)
    gathered = Gathering(plan, schemas, options.canaries, outcome).gather(evidence, sinks)
    for omission in options.omissions:
        forget(gathered, omission)
    return _Proof(plan, options, schemas, gathered, outcome).run(evidence, sinks)


def _all_lanes(plan: AuditPlan) -> list[SinkPlan]:
    """The plan's sinks and, as one more, the lane of the dead letters."""
    lanes = list(plan.sinks)
    if (letters := plan.dead_letter) is not None:
        destination = KafkaDestination(letters.topic)
        lanes.append(SinkPlan(sink_id=letters.lane_id, destination=destination, config_digest=letters.config_digest))
    ids = [lane.sink_id for lane in lanes]
    if len(set(ids)) != len(ids):
        raise PlanInvalid("sinks", "two lanes have the same id")
    return lanes


class _Proof:
    def __init__(
        self, plan: AuditPlan, options: AuditOptions, schemas: Schemas, gathered: Gathered, outcome: Outcome
    ) -> None:
        self._plan = plan
        self._options = options
        self._schemas = schemas
        self._gathered = gathered
        self._findings = outcome.findings
        self._notes = outcome.notes
        self._totals: dict[str, Totals] = {}

    def run(self, evidence: Evidence, sinks: list[SinkPlan]) -> AuditReport:
        self._totals = {sink.sink_id: Totals() for sink in sinks}
        partitions = tuple(self._check_partition(read, sinks, evidence) for read in evidence.events())
        self._check_files()
        self._check_demands(partitions)
        reports = [
            SinkReport(
                sink.sink_id,
                self._kind(sink),
                self._gathered.cursors[sink.sink_id],
                self._totals[sink.sink_id],
                self._findings.count(sink.sink_id),
            )
            for sink in sinks
        ]
        return AuditReport(
            self._plan.events_topic, partitions, tuple(reports), tuple(self._findings), tuple(self._notes)
        )

    def _check_partition(self, read: PartitionRead, sinks: list[SinkPlan], evidence: Evidence) -> PartitionEnds:
        checks = [SinkCheck(self._standing(sink, read.partition), self._findings, self._notes) for sink in sinks]
        judge = Judge(self._schemas, self._plan.events_topic, self._plan.max_event_bytes, self._plan.identifiers)
        events = 0
        for message in read.messages:
            events += 1
            match judge.judge(read.partition, message.offset, message.value):
                case Unreadable(oversize=oversize):
                    letter = letter_digest(message.value)
                    for check in checks:
                        check.unreadable(message.offset, letter, oversize=oversize)
                case Readable() as readable:
                    event = EventView(self._schemas.record, readable, message, judge)
                    for check in checks:
                        check.readable(event.for_sink(check.standing.plan, evidence))
        if read.low > 0:
            self._notes.add(NoteCode.EVENTS_TRIMMED, partition=read.partition, detail=f"log begins at {read.low}")
        for check in checks:
            close(check, read.low, read.high, expect_no_duplicates=self._options.expect_no_duplicates)
            self._check_completeness(check, read)
            self._check_refused_letters(check, read.low)
            self._totals[check.standing.plan.sink_id].add(check.totals)
        return PartitionEnds(read.partition, read.low, read.high, events)

    def _standing(self, sink: SinkPlan, partition: int) -> Standing:
        gathered, sink_id = self._gathered, sink.sink_id
        arrivals = gathered.arrivals[sink_id]
        is_letters = self._is_dead_letter_lane(sink)
        letters = None
        if gathered.letters is not None and not is_letters and not gathered.letters.trimmed:
            letters = gathered.letters.refused_by(sink_id, partition)
        return Standing(
            plan=sink,
            partition=partition,
            cursor=gathered.cursors[sink_id].get(partition),
            history=gathered.ledger.history(sink_id, partition),
            columns=None if arrivals is None else arrivals.of(partition),
            floor=0 if arrivals is None else arrivals.floor(partition, self._out_of_turn(sink, partition)),
            failed_elsewhere=gathered.failed_elsewhere(sink_id, partition),
            letters=letters,
            ledger_trimmed=gathered.ledger.has_forgotten(sink_id, partition),
            begins=gathered.ledger.begins(sink_id, partition),
            dead_letter_lane=is_letters,
        )

    def _out_of_turn(self, sink: SinkPlan, partition: int) -> int:
        """How many records left in a trimmed sink may be a worker's that was cut off, and brought them late.

        Only where another lane has started since, and not in a file, which has one writer.
        """
        ledger = self._gathered.ledger
        alone = not ledger.history(sink.sink_id, partition).restarts()
        if isinstance(sink.destination, FileDestination) or (
            alone and not ledger.has_forgotten(sink.sink_id, partition)
        ):
            return 1
        return 1 + sink.max_late_records

    def _check_completeness(self, check: SinkCheck, read: PartitionRead) -> None:
        if not self._options.require_complete:
            return
        cursor = check.standing.cursor or 0
        # The offsets behind the last event are transaction markers, which a cursor need not have passed.
        if cursor < check.sums.end:
            check.speaker.about_all(FindingCode.INCOMPLETE, f"cursor {cursor}, events end at {check.sums.end}")
        if check.totals.gone_offsets:
            check.speaker.about_all(FindingCode.UNVERIFIABLE, f"{check.totals.gone_offsets} offsets below {read.low}")
        for doubt, units in sorted(check.doubts.items()):
            # Files are bounded on purpose, and say so from the beginning.
            if doubt is not Doubt.SINK_TRIMMED or isinstance(check.standing.plan.destination, KafkaDestination):
                check.speaker.about_all(FindingCode.UNVERIFIABLE, f"{units} records {doubt}")

    def _check_refused_letters(self, check: SinkCheck, low: int) -> None:
        """A letter is written before its gap: a crash in between leaves it to a lane that may fare better."""
        standing = check.standing
        history, cursor = standing.history, standing.cursor or 0
        for offset in sorted(offset for offset in standing.letters or () if offset >= low):
            explained = (
                any(True for _ in history.claims_at(offset))
                or offset >= cursor
                or any(start.cursor <= offset for start in history.restarts())
            )
            if not explained or not check.sums.has(offset):
                check.speaker.about_offset(FindingCode.LETTER_UNEXPLAINED, offset)

    def _check_demands(self, partitions: tuple[PartitionEnds, ...]) -> None:
        events = sum(partition.events for partition in partitions)
        if events < self._options.min_events:
            self._findings.add(FindingCode.TOO_FEW_EVENTS, detail=f"{events} of {self._options.min_events}")
        known = {sink.sink_id for sink in self._plan.sinks}
        there = {partition.partition for partition in partitions}
        letters = self._gathered.letters
        for sink_id, partition, offset in sorted(letters.refused if letters is not None else ()):
            if sink_id not in known:
                # One that was taken out of the configuration; its letters stay as long as their topic keeps them.
                self._notes.add(NoteCode.FOREIGN_LETTER, sink_id, partition, offset)
            elif partition not in there:
                self._findings.add(FindingCode.LETTER_UNEXPLAINED, sink_id, partition, offset)
        for sink_id, arrivals in self._gathered.arrivals.items():
            for source, columns in (arrivals.columns if arrivals is not None else {}).items():
                if source not in there:
                    records = sum(len(column.units) for column in columns.values())
                    self._findings.add(FindingCode.NO_SUCH_EVENT, sink_id, source, count=records)

    def _check_files(self) -> None:
        """A path that leads elsewhere from here looks like a sink that has lost everything: no verdict then.

        A sink that was asked for nothing yet has written no file, and needs none.
        """
        for sink_id, path in self._gathered.no_files.items():
            if missing := self._totals[sink_id].missing:
                problem = f"is not there, and sink {sink_id} has exported {missing} records by its cursors"
                raise EvidenceUnreadable(str(path.absolute()), f"{problem}; does the path lead here from the worker?")

    def _is_dead_letter_lane(self, sink: SinkPlan) -> bool:
        return self._plan.dead_letter is not None and sink.sink_id == self._plan.dead_letter.lane_id

    def _kind(self, sink: SinkPlan) -> str:
        if self._is_dead_letter_lane(sink):
            return "dead_letters"
        match sink.destination:
            case KafkaDestination():
                return "kafka"
            case FileDestination():
                return "file"
            case NoDestination():
                return "cursor_only"
