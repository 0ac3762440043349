"""The ledger as an audit reads it: per sink and events partition, what was claimed, and in which order."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from tailrace.audit.evidence import Message, PartitionRead
from tailrace.audit.findings import FindingCode, Findings, NoteCode
from tailrace.audit.rules import RANKS
from tailrace.audit.sequence import Offsets
from tailrace.audit.wire import Schemas

NEVER = 1 << 62
"""Above every offset: a gap that no later lane start limits."""

UNDECODABLE = "undecodable"
OVERSIZE = "oversize"
"""The one detail of an undecodable event that is a matter of configuration."""

START_AT = "start_at"
COMMITTED = "committed"
"""Origins of a lane's first cursor: the settings, for a topic that the sink had never met, or the sink's group."""

RETENTION_LOST = "retention_lost"
REFUSALS = frozenset({"export_rejected", "serialization", "schema_mismatch"})
"""Reasons that are a sink's verdict on one record, which therefore has a dead letter."""


@dataclass(frozen=True, slots=True)
class LaneStart:
    """`order` counts the entries of one sink and partition."""

    order: int
    cursor: int
    origin: str
    config_digest: str
    start_id: str


@dataclass(slots=True)
class Claim:
    """One run of a gap: these ranks are missing at these offsets; no ranks: the whole event.

    It counts at offsets below `counts_below`, the cursor of the lane start that came next. `start_id` is its lane's.
    """

    first: int
    last: int
    ranks: frozenset[int]
    reason: str
    detail: str
    entry: str
    order: int
    start_id: str
    counts_below: int = NEVER


@dataclass(frozen=True, slots=True)
class Mark:
    """A progress mark; `accounted` is what it counts as exported or dropped, `early` whether it was there before sinks
    were read.
    """

    order: int
    start_id: str
    next_offset: int
    accounted: int
    early: bool


@dataclass(frozen=True, slots=True)
class GapCount:
    """What a gap says of its own size, against its runs."""

    entry: str
    stated: int
    summed: int


@dataclass(slots=True)
class History:
    """Everything the ledger says of one sink on one events partition, in ledger order.

    `first_ms` and `last_ms` are the times of the first and the last entry.
    """

    starts: list[LaneStart] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    counts: list[GapCount] = field(default_factory=list)
    failed: list[Offsets] = field(default_factory=list)
    refused: list[Offsets] = field(default_factory=list)
    health_partitions: set[int] = field(default_factory=set)
    entries: int = 0
    topic_id: str | None = None
    first_ms: int = NEVER
    last_ms: int = -1

    def is_of_another_topic(self, topic_id: str | None) -> bool:
        """Whether a lane start in the topic with this id begins a new history; None: the cluster cannot tell."""
        return None not in (self.topic_id, topic_id) and self.topic_id != topic_id

    def of_new_topic(self) -> "History":
        """An empty history that goes on counting entries."""
        return replace(self, starts=[], claims=[], marks=[], counts=[], failed=[], refused=[], topic_id=None)

    def went_on_in(self, later: "History") -> None:
        """Take in what was written behind all of this, in another partition of the health topic."""
        before = self.entries
        for claim in later.claims:
            claim.order += before
        self.claims += later.claims
        self.starts += [replace(start, order=before + start.order) for start in later.starts]
        self.marks += [replace(mark, order=before + mark.order) for mark in later.marks]
        self.counts += later.counts
        self.failed += later.failed
        self.refused += later.refused
        self.health_partitions |= later.health_partitions
        self.entries += later.entries
        self.topic_id = later.topic_id or self.topic_id
        self.last_ms = later.last_ms

    def close(self) -> None:
        """Limit each gap by the lane start that came next, and sort what is going to be searched."""
        orders = [start.order for start in self.starts]
        for claim in self.claims:
            following = bisect_left(orders, claim.order)
            if following < len(orders):
                claim.counts_below = self.starts[following].cursor
        self.claims.sort(key=lambda claim: (claim.first, claim.order))

    def restarts(self) -> list[LaneStart]:
        """Lane starts but the first: each may have sent again what its predecessor had sent."""
        return self.starts[1:]

    @property
    def known_from(self) -> int:
        """The first place that the ledger, as far as it goes back, knows a lane to have come to; NEVER without any."""
        places = [(start.order, start.cursor) for start in self.starts[:1]]
        places += [(mark.order, mark.next_offset) for mark in self.marks[:1]]
        return min(places, default=(0, NEVER))[1]

    def claims_at(self, offset: int) -> Iterator[Claim]:
        """Every claim about the event at `offset`, counted or not. For single look-ups."""
        return (claim for claim in self.claims if claim.first <= offset <= claim.last)


class ClaimSweep:
    """The claims about one offset after the other, in rising order."""

    def __init__(self, history: History) -> None:
        self._waiting = history.claims
        self._next = 0
        self._open: list[Claim] = []

    def at(self, offset: int) -> list[Claim]:
        """The claims that count at `offset`, which must not be below the last one asked for."""
        while self._next < len(self._waiting) and self._waiting[self._next].first <= offset:
            self._open.append(self._waiting[self._next])
            self._next += 1
        if self._open:
            self._open = [claim for claim in self._open if claim.last >= offset]
        return [claim for claim in self._open if offset < claim.counts_below]


class Ledger:
    """The whole health topic, sorted. Entries of other groups, or about other topics, are passed over."""

    def __init__(self, events_topic: str, group: str, schemas: Schemas, findings: Findings) -> None:
        self._events_topic = events_topic
        self._group = group
        self._schemas = schemas
        self._findings = findings
        self._parts: dict[tuple[str, int], dict[int, History]] = {}  # by sink and partition, then health partition
        self._histories: dict[tuple[str, int], History] = {}
        self.topics_replaced: set[tuple[str, int]] = set()
        self.moved: set[tuple[str, int]] = set()
        self.trimmed_partitions: set[int] = set()

    @property
    def trimmed(self) -> bool:
        """Whether retention has removed any entry at all."""
        return bool(self.trimmed_partitions)

    def has_forgotten(self, sink_id: str, partition: int) -> bool:
        """Whether retention may have removed entries about this sink and partition."""
        places = self.history(sink_id, partition).health_partitions
        return bool(self.trimmed_partitions & places) if places else self.trimmed

    def begins(self, sink_id: str, partition: int) -> int | None:
        """Where the sink's business on the partition began, not at the first event there ever was; None: unknown.

        The worker that is the first of a sink to meet a topic takes what `start_at` says for all of its partitions, and
        writes it down for the others. So a cursor that was there before the very first lane start is such a beginning,
        if some lane start on another partition of the same topic tells of a first meeting.
        """
        history = self.history(sink_id, partition)
        if not history.starts:
            return None
        first = history.starts[0]
        met = first.origin == START_AT or (
            first.origin == COMMITTED
            and not self.has_forgotten(sink_id, partition)
            and any(
                owner == sink_id and other.starts and other.starts[0].origin == START_AT
                for (owner, _), other in self._histories.items()
                if other.topic_id == history.topic_id
            )
        )
        return first.cursor if met else None

    def history(self, sink_id: str, partition: int) -> History:
        """Empty for a sink or partition that the ledger does not know."""
        return self._histories.get((sink_id, partition)) or History()

    def sinks(self) -> set[str]:
        return {sink_id for sink_id, _ in self._histories}

    def failed_elsewhere(self, sink_id: str, partition: int) -> bool:
        """Whether the sink failed on, or refused, a record of another partition: one batch holds several."""
        return any(
            owner == sink_id and other != partition and (history.failed or history.refused)
            for (owner, other), history in self._histories.items()
        )

    def read(self, reads: Iterator[PartitionRead], ends: Mapping[int, int]) -> None:
        """Take in the health topic; `ends` is where its partitions ended before the sinks were read."""
        for read in reads:
            for message in read.messages:
                self._take(message, read.partition, early=message.offset < ends.get(read.partition, 0))
            if read.low > 0:
                self.trimmed_partitions.add(read.partition)
        for place, parts in self._parts.items():
            self._histories[place] = self._joined(place, list(parts.values()))
            self._histories[place].close()

    def _joined(self, place: tuple[str, int], parts: list[History]) -> History:
        """What lies in several partitions of the health topic, as one history.

        A topic that gets more partitions moves keys to others. What came before is then all older than what comes
        after, and the order is known. Where times overlap it is not: that is a finding.
        """
        joined, *others = sorted(parts, key=lambda part: part.first_ms)
        if others:
            self.moved.add(place)
        if not all(earlier.last_ms < later.first_ms for earlier, later in pairwise([joined, *others])):
            self._findings.add(FindingCode.LEDGER_SPLIT, *place)
        for later in others:
            if joined.is_of_another_topic(later.topic_id):
                joined = joined.of_new_topic()
                self.topics_replaced.add(place)
            joined.went_on_in(later)
        return joined

    def _take(self, message: Message, health_partition: int, *, early: bool) -> None:
        fields = self._schemas.decode(message.value, self._schemas.health)
        if fields is None:
            where = f"partition {health_partition} offset {message.offset}"
            self._findings.add(FindingCode.UNREADABLE_HEALTH_RECORD, example=where)
            return
        lane = fields["lane"]
        if lane is None or lane["topic"] != self._events_topic or lane["group"] not in ("", self._group):
            return
        sink_id, partition = lane["sink_id"], lane["partition"]
        if message.key != f"{lane['group']}|{sink_id}|{lane['topic']}|{partition}".encode():
            self._findings.add(FindingCode.WRONG_HEALTH_KEY, sink_id, partition, f"offset {message.offset}")
        parts = self._parts.setdefault((sink_id, partition), {})
        history = parts.setdefault(health_partition, History(health_partitions={health_partition}))
        history.entries += 1
        history.first_ms = min(history.first_ms, message.timestamp_ms)
        history.last_ms = max(history.last_ms, message.timestamp_ms)
        if (started := fields["lane_started"]) is not None and history.is_of_another_topic(started["topic_id"]):
            # The topic was made anew: what the ledger said of the old one speaks of other offsets.
            history = parts[health_partition] = history.of_new_topic()
            self.topics_replaced.add((sink_id, partition))
        _enter(history, fields, early=early)

    def note(self, known: set[str], notes: Findings) -> None:
        """Say what limits what the ledger can prove; `known` are the sinks that the plan names."""
        if self.trimmed:
            notes.add(NoteCode.LEDGER_TRIMMED)
        for sink_id, partition in sorted(self.moved):
            notes.add(NoteCode.LEDGER_MOVED, sink_id, partition)
        for sink_id, partition in sorted(self.topics_replaced):
            notes.add(NoteCode.TOPIC_REPLACED, sink_id, partition)
        for sink_id in sorted(self.sinks() - known):
            notes.add(NoteCode.FOREIGN_LEDGER_ENTRY, sink_id, detail="the ledger knows a sink that the plan does not")


def _enter(history: History, fields: Mapping[str, Any], *, early: bool) -> None:
    order, start_id = history.entries, fields["lane"]["start_id"]
    if (started := fields["lane_started"]) is not None:
        history.topic_id = started["topic_id"] or history.topic_id
        history.starts.append(
            LaneStart(order, started["cursor"], started["cursor_origin"], started["config_digest"], start_id)
        )
    if (gap := fields["gap"]) is not None:
        _enter_gap(history, gap, fields["record_id"], order, start_id)
    if (mark := fields["export_cursor"]) is not None:
        # Filtered records are left out: a lane counts them offer by offer, so a mark within an offer is behind.
        accounted = mark["exported"] + sum(count["records"] for count in mark["dropped"])
        history.marks.append(Mark(order, start_id, mark["next_offset"], accounted, early))
    if (failed := fields["sink_failed"]) is not None:
        offset = failed["offset"] or 0
        history.failed.append((offset, offset))


def _enter_gap(history: History, gap: Mapping[str, Any], entry: str, order: int, start_id: str) -> None:
    summed = 0
    for run in gap["runs"]:
        ranks = frozenset(RANKS[kind] for kind in run["kinds"] if kind in RANKS)
        first, last = run["first_offset"], run["last_offset"]
        claim = Claim(first, last, ranks, gap["reason"], gap["detail"], entry, order, start_id)
        summed += (claim.last - claim.first + 1) * max(1, len(run["kinds"]))
        # A kind nobody knows claims nothing; leaving it out must not turn the run into a claim of the whole event.
        if len(ranks) == len(run["kinds"]):
            history.claims.append(claim)
        if gap["reason"] in REFUSALS:
            history.refused.append((claim.first, claim.last))
    history.counts.append(GapCount(entry, gap["records"], summed))
