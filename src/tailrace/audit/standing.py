"""What is known of one sink on one events partition, what is said about it, and how it adds up."""

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tailrace.audit.arrivals import Column
from tailrace.audit.findings import FindingCode, Findings, NoteCode
from tailrace.audit.ledger import History, LaneStart
from tailrace.audit.plan import Selection, SinkPlan
from tailrace.audit.rules import name_of


class Doubt(StrEnum):
    """Why nobody can tell whether a record that is not there was ever owed, or has been there."""

    SINK_TRIMMED = "removed by the sink's own retention"
    LEDGER_TRIMMED = "from before what the ledger still tells"
    CONFIG_UNKNOWN = "of lanes whose configuration the audit was not told"


@dataclass(slots=True)
class Totals:
    """Where everything went that one sink had to get: each unit, a telemetry record, in exactly one of these.

    For the dead-letter lane, and for an event nobody can read, the unit is the event. `pending` is not exported yet and
    above the cursor, `before_start` older than a sink that began with the latest event, `trusted` below the cursor of a
    sink that cannot be read back, `unverifiable` neither there nor lost for sure (see `Doubt`), `missing` a finding.

    Beside the units: `duplicates` are copies more than one, `gone_offsets` offsets below the cursor that the events
    topic no longer has, `gone_records` records of such offsets.
    """

    units: int = 0
    exported: int = 0
    filtered: int = 0
    missed: Counter[str] = field(default_factory=Counter)
    before_start: int = 0
    pending: int = 0
    trusted: int = 0
    unverifiable: int = 0
    missing: int = 0
    duplicates: int = 0
    gone_offsets: int = 0
    gone_records: int = 0

    def add(self, other: "Totals") -> None:
        self.units += other.units
        self.exported += other.exported
        self.filtered += other.filtered
        self.missed.update(other.missed)
        self.before_start += other.before_start
        self.pending += other.pending
        self.trusted += other.trusted
        self.unverifiable += other.unverifiable
        self.missing += other.missing
        self.duplicates += other.duplicates
        self.gone_offsets += other.gone_offsets
        self.gone_records += other.gone_records

    @property
    def sum_of_parts(self) -> int:
        """`units`, counted from the other end."""
        accounted = self.exported + self.filtered + self.missed.total() + self.before_start
        return accounted + self.pending + self.trusted + self.unverifiable + self.missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of one sink on one partition before its events are looked at.

    `columns` is None for a sink that cannot be read back. `floor` is the unit below which the sink itself has removed
    records. `begins` is where the sink's business begins if the ledger tells that it is not the first event there ever
    was. `failed_elsewhere`: see `Causes`. `letters` holds the offsets at which this sink has refused a record by
    the dead letters, None where there are none to look at.
    """

    plan: SinkPlan
    partition: int
    cursor: int | None
    history: History
    columns: Mapping[int, Column] | None
    floor: int = 0
    failed_elsewhere: bool = False
    letters: frozenset[int] | None = None
    ledger_trimmed: bool = False
    begins: int | None = None
    dead_letter_lane: bool = False

    @property
    def first_offset(self) -> int:
        """Where the sink's business begins."""
        return self.begins or 0

    @property
    def owed_from(self) -> int:
        """From here on everything is owed for sure; below, a sink that began late may never have owed it."""
        forgotten = self.begins is None and self.ledger_trimmed and self.plan.start_at == "latest"
        return self.history.known_from if forgotten else 0

    @property
    def marked_offset(self) -> int:
        """Up to here the running lane's own export marks say that all is accounted for; -1 without any.

        Marks of earlier lane starts do not bind: what they counted as a gap may have become nobody's since.
        """
        starts = self.history.starts
        if not starts:
            return -1
        last = starts[-1]
        marks = [m for m in self.history.marks if m.early and m.order > last.order and m.start_id == last.start_id]
        return max((mark.next_offset for mark in marks), default=-1)

    def wanted_by(self, start: LaneStart) -> Selection | None:
        """What the lane wanted that started so; None: its configuration is not known."""
        plan = self.plan
        if plan.config_digest != start.config_digest and start.config_digest in plan.earlier_selections:
            return plan.earlier_selections[start.config_digest]
        return plan.selection if plan.config_digest in (None, start.config_digest) else None

    @property
    def selection_changed(self) -> bool:
        """Whether some lane wanted something else than the plan says, or nobody knows what."""
        return any(self.wanted_by(start) != self.plan.selection for start in self.history.starts)

    def selection_at(self, offset: int) -> Selection | None:
        """What the lane wanted that dealt with the event last: the last one to start at or below it."""
        for start in reversed(self.history.starts):
            if start.cursor <= offset:
                return self.wanted_by(start)
        return self.plan.selection

    def selections_over(self, offset: int) -> list[Selection | None]:
        """What every lane wanted that may have dealt with the event at some time."""
        return [self.wanted_by(start) for start in self.history.starts if start.cursor <= offset]

    def given_up_after_sending(self, offset: int) -> bool:
        """Whether one lane may have sent what a later attempt gave up: after a restart, a failure or a refusal."""
        history = self.history
        return (
            self.failed_elsewhere
            or any(start.cursor <= offset for start in history.restarts())
            or any(first <= offset for first, _ in (*history.failed, *history.refused))
        )


@dataclass(frozen=True, slots=True)
class Speaker:
    """Says findings and notes in the name of one sink and partition."""

    sink_id: str
    partition: int
    findings: Findings
    notes: Findings

    def about_unit(self, code: FindingCode, number: int, *, detail: str = "") -> None:
        self.findings.add(code, self.sink_id, self.partition, name_of(number), detail=detail)

    def about_offset(self, code: FindingCode, offset: int, *, detail: str = "") -> None:
        self.findings.add(code, self.sink_id, self.partition, offset, detail=detail)

    def about_all(self, code: FindingCode, detail: str) -> None:
        self.findings.add(code, self.sink_id, self.partition, detail=detail)

    def note(self, code: NoteCode, example: object = "", *, detail: str = "") -> None:
        self.notes.add(code, self.sink_id, self.partition, example, detail=detail)


@dataclass(slots=True)
class EventSums:
    """The partition's events with how many units one sink wants of each, for asking about ranges afterwards."""

    offsets: "array[int]" = field(default_factory=lambda: array("q"))
    sums: "array[int]" = field(default_factory=lambda: array("q"))

    def add(self, offset: int, wanted: int) -> None:
        """The next event, in offset order."""
        self.sums.append(wanted + (self.sums[-1] if self.sums else 0))
        self.offsets.append(offset)

    def wanted_below(self, offset: int) -> int:
        events = bisect_left(self.offsets, offset)
        return self.sums[events - 1] if events else 0

    def has_below(self, offset: int) -> bool:
        return bool(self.offsets) and self.offsets[0] < offset

    def has(self, offset: int) -> bool:
        index = bisect_left(self.offsets, offset)
        return index < len(self.offsets) and self.offsets[index] == offset

    @property
    def end(self) -> int:
        """The offset after the last event; 0 without any."""
        return self.offsets[-1] + 1 if self.offsets else 0
