"""What an audit can find, and how many of the same become one line."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

EXAMPLES = 5
"""Places named per finding; the count says how many there are."""


class FindingCode(StrEnum):
    """A way in which the promise was not kept. The invariants are those of docs/DESIGN.md, Cursors."""

    # I1: nothing is lost without a trace
    MISSING = "missing"
    MARK_AHEAD = "mark_ahead"
    MARK_SHORT = "mark_short"
    # the ledger tells the truth
    GAP_OF_NOTHING = "gap_of_nothing"
    GAP_OF_FILTERED = "gap_of_filtered"
    GAP_OF_EXPORTED = "gap_of_exported"
    GAP_TWICE = "gap_twice"
    GAP_MISCOUNTED = "gap_miscounted"
    GAP_BEYOND_LOG_END = "gap_beyond_log_end"
    RETAINED_BUT_LOST = "retained_but_lost"
    WRONGLY_UNDECODABLE = "wrongly_undecodable"
    LANE_START_MISSING = "lane_start_missing"
    UNREADABLE_HEALTH_RECORD = "unreadable_health_record"
    WRONG_HEALTH_KEY = "wrong_health_key"
    LEDGER_SPLIT = "ledger_split"
    # a sink holds what the events say, and nothing else
    NO_SUCH_EVENT = "no_such_event"
    NO_SUCH_PROJECTION = "no_such_projection"
    EXPORTED_THOUGH_FILTERED = "exported_though_filtered"
    EXPORTED_BEFORE_START = "exported_before_start"
    ALTERED = "altered"
    WRONG_KEY = "wrong_key"
    UNREADABLE_RECORD = "unreadable_record"
    # dead letters
    LETTER_WITHOUT_ORIGIN = "letter_without_origin"
    LETTER_UNEXPLAINED = "letter_unexplained"
    REFUSAL_WITHOUT_LETTER = "refusal_without_letter"
    # I2, I3, I6, I7
    CURSOR_BEYOND_LOG_END = "cursor_beyond_log_end"
    OUT_OF_ORDER = "out_of_order"
    RUN_SPLIT = "run_split"
    DUPLICATE_UNEXPLAINED = "duplicate_unexplained"
    DUPLICATE_BEYOND_BOUND = "duplicate_beyond_bound"
    DUPLICATE = "duplicate"
    CANARY_FOUND = "canary_found"
    # what the options ask for
    TOO_FEW_EVENTS = "too_few_events"
    INCOMPLETE = "incomplete"
    UNVERIFIABLE = "unverifiable"


MEANINGS = {
    FindingCode.MISSING: "below the cursor, and neither exported nor filtered nor in a gap that counts",
    FindingCode.MARK_AHEAD: "an export mark in the ledger claims it, and nothing accounts for it",
    FindingCode.MARK_SHORT: "an export mark counts fewer records than the events below it yield",
    FindingCode.GAP_OF_NOTHING: "a gap claims what the events do not yield",
    FindingCode.GAP_OF_FILTERED: "a gap claims what the sink never wanted",
    FindingCode.GAP_OF_EXPORTED: "a gap claims what the sink has, and no restart or failure explains both",
    FindingCode.GAP_TWICE: "two gaps claim the same, and no lane start between them explains it",
    FindingCode.GAP_MISCOUNTED: "a gap's own count is not the sum of its runs",
    FindingCode.GAP_BEYOND_LOG_END: "a gap claims offsets that the log does not have yet",
    FindingCode.RETAINED_BUT_LOST: "a gap says retention took what the log still has",
    FindingCode.WRONGLY_UNDECODABLE: "a gap or dead letter calls an event undecodable that can be read",
    FindingCode.LANE_START_MISSING: "the ledger has no lane start to go with this",
    FindingCode.UNREADABLE_HEALTH_RECORD: "a record of the health topic cannot be read",
    FindingCode.WRONG_HEALTH_KEY: "a ledger entry is not keyed group|sink|topic|partition",
    FindingCode.LEDGER_SPLIT: "entries of one sink and partition lie in several health partitions, in no certain order",
    FindingCode.NO_SUCH_EVENT: "the sink has a record of an event that the log does not have",
    FindingCode.NO_SUCH_PROJECTION: "the sink has a record that its event does not yield",
    FindingCode.EXPORTED_THOUGH_FILTERED: "the sink has a record that its selection leaves out",
    FindingCode.EXPORTED_BEFORE_START: "the sink has a record from before it began",
    FindingCode.ALTERED: "the sink's record is not what its event yields",
    FindingCode.WRONG_KEY: "the record's key is not its run id",
    FindingCode.UNREADABLE_RECORD: "the sink holds something that is no telemetry record of this topic",
    FindingCode.LETTER_WITHOUT_ORIGIN: "a dead letter does not say where it comes from",
    FindingCode.LETTER_UNEXPLAINED: "a dead letter that no gap, restart or cursor explains",
    FindingCode.REFUSAL_WITHOUT_LETTER: "a gap says the sink refused it, but there is no dead letter",
    FindingCode.CURSOR_BEYOND_LOG_END: "the cursor lies beyond the end of the log",
    FindingCode.OUT_OF_ORDER: "first came after a later record of its partition, and nothing explains that",
    FindingCode.RUN_SPLIT: "records of one run lie in several partitions of the sink",
    FindingCode.DUPLICATE_UNEXPLAINED: "the sink has it again, and no restart, failure or refusal explains that",
    FindingCode.DUPLICATE_BEYOND_BOUND: "a re-sent stretch spans more offsets than a lane may run ahead",
    FindingCode.DUPLICATE: "the sink has it more than once, which was ruled out",
    FindingCode.CANARY_FOUND: "bytes that must never leave the events were found",
    FindingCode.TOO_FEW_EVENTS: "fewer events than the audit was told to expect",
    FindingCode.INCOMPLETE: "the sink has not come to the end of the log",
    FindingCode.UNVERIFIABLE: "what would be needed to prove this is not there any more",
}
"""One clause per code, for people."""


class NoteCode(StrEnum):
    """Worth knowing, and no fault."""

    CURSOR_SET_BACK = "cursor_set_back"
    CONFIG_CHANGED = "config_changed"
    DOUBTFUL_EVENT = "doubtful_event"
    EVENTS_TRIMMED = "events_trimmed"
    SINK_TRIMMED = "sink_trimmed"
    LEDGER_TRIMMED = "ledger_trimmed"
    LEDGER_MOVED = "ledger_moved"
    TOPIC_REPLACED = "topic_replaced"
    FILES_ROTATED_AWAY = "files_rotated_away"
    TORN_LINE = "torn_line"
    FOREIGN_LEDGER_ENTRY = "foreign_ledger_entry"
    FOREIGN_LETTER = "foreign_letter"


@dataclass(frozen=True, slots=True)
class Finding:
    """Everything of one code, sink, partition and detail. `examples` are offsets, or places where there is none."""

    code: FindingCode | NoteCode
    sink_id: str
    partition: int | None
    count: int
    examples: tuple[str, ...]
    detail: str

    @property
    def meaning(self) -> str:
        return MEANINGS[self.code] if isinstance(self.code, FindingCode) else ""


@dataclass(slots=True)
class _Group:
    count: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Findings:
    """Collects findings or notes; memory grows with their kinds, not with their number."""

    _groups: dict[tuple[FindingCode | NoteCode, str, int | None, str], _Group] = field(default_factory=dict)

    def add(
        self,
        code: FindingCode | NoteCode,
        sink_id: str = "",
        partition: int | None = None,
        example: object = "",
        *,
        detail: str = "",
        count: int = 1,
    ) -> None:
        group = self._groups.setdefault((code, sink_id, partition, detail), _Group())
        group.count += count
        if len(group.examples) < EXAMPLES and example != "":
            group.examples.append(str(example))

    def add_all(self, code: FindingCode, sink_id: str, partition: int, examples: Iterable[object]) -> None:
        for example in examples:
            self.add(code, sink_id, partition, example)

    def __iter__(self) -> Iterator[Finding]:
        for (code, sink_id, partition, detail), group in self._groups.items():
            yield Finding(code, sink_id, partition, group.count, tuple(group.examples), detail)

    def count(self, sink_id: str) -> int:
        """How many there are about this sink."""
        return sum(group.count for (_, owner, _, _), group in self._groups.items() if owner == sink_id)

    def __bool__(self) -> bool:
        return bool(self._groups)


@dataclass(slots=True)
class Outcome:
    """What an audit has to say: findings are faults, notes are not."""

    findings: Findings = field(default_factory=Findings)
    notes: Findings = field(default_factory=Findings)
