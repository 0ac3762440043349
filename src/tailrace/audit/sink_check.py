"""One sink on one events partition: event after event, everything it had to get is put where it belongs."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from tailrace.audit.arrivals import Column
from tailrace.audit.findings import FindingCode, Findings, NoteCode
from tailrace.audit.ledger import OVERSIZE, REFUSALS, RETENTION_LOST, UNDECODABLE, Claim, ClaimSweep, LaneStart
from tailrace.audit.rules import KINDS, WHOLE_EVENT, offset_of, unit
from tailrace.audit.standing import Doubt, EventSums, Speaker, Standing, Totals

SECOND_LOOKS = 20
"""Differing records per sink and partition that are read once more to name the fields; the others are only counted."""


class WithContent(Protocol):
    """Whether a digest is that of a record with content, or with the reasons why it has none."""

    def __call__(self, found: bytes, *, whatever_sink: bool) -> bool: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """One telemetry record that an event yields.

    `content` gives the digest that a faithful record has in this sink; `with_content` says of any other digest whether
    it is that of a record that was granted some of its event's content, by this sink's mode or, told so, by any.
    `differs` takes sink partition and place of an unfaithful one and names what is different.
    """

    rank: int
    content: Callable[[], bytes]
    with_content: WithContent
    differs: Callable[[int, int], str]


@dataclass(frozen=True, slots=True)
class ReadableEvent:
    """An event that yields records; `is_doubtful` says whether a strict reader may still have refused it."""

    offset: int
    family: str
    agent: str
    wanted: Sequence[Wanted]
    is_doubtful: Callable[[], bool]


class SinkCheck:
    """Fed with the partition's events in offset order; what is left over at the end belongs to no event."""

    def __init__(self, standing: Standing, findings: Findings, notes: Findings) -> None:
        self.standing = standing
        self.speaker = Speaker(standing.plan.sink_id, standing.partition, findings, notes)
        self.totals = Totals()
        self.sums = EventSums()
        self.doubts: Counter[Doubt] = Counter()
        self._sweep = ClaimSweep(standing.history)
        self._found = _found(standing.columns)
        self._cursor = -1 if standing.cursor is None else standing.cursor
        self._first_offset = standing.first_offset
        self._owed_from = standing.owed_from
        self._changed = standing.selection_changed
        self._marked_offset = standing.marked_offset
        self._looks = 0

    def left_over(self) -> Iterator[int]:
        """Units in the sink that no event has asked for."""
        return iter(self._found)

    def readable(self, event: ReadableEvent) -> None:
        """An event that yields one to three records."""
        claims = self._sweep.at(event.offset)
        if self.standing.dead_letter_lane:
            self._readable_for_letters(event, claims)
            return
        whole = self._whole_claim(event, claims)
        if whole is not None and not any(unit(event.offset, one.rank) in self._found for one in event.wanted):
            self._count(event.offset, 1, wanted=1)
            self._missed(unit(event.offset, WHOLE_EVENT), whole)
            return
        # As far as that can be known: nobody can count on what a lane of unknown configuration wanted.
        selection = self.standing.selection_at(event.offset) if self._changed else self.standing.plan.selection
        admitted = [
            None if selection is None else selection.admits(KINDS[one.rank], event.family, event.agent)
            for one in event.wanted
        ]
        self._count(event.offset, len(event.wanted), wanted=admitted.count(True))
        for one, is_admitted in zip(event.wanted, admitted, strict=True):
            self._place(event, one, [c for c in claims if one.rank in c.ranks or c is whole], admitted=is_admitted)
        ranks = {one.rank for one in event.wanted}
        for claim in claims:
            if not claim.ranks <= ranks:
                self.speaker.about_offset(FindingCode.GAP_OF_NOTHING, event.offset, detail="kinds it does not yield")

    def unreadable(self, offset: int, letter: bytes, *, oversize: bool = False) -> None:
        """An event nobody can read; `letter` is the digest its dead letter has.

        `oversize`: nobody can under the present configuration, and a lane of another one may have read it.
        """
        unsure = oversize and self._is_unsure(offset)
        self._count(offset, 1, wanted=0 if unsure else 1)
        reasons = REFUSALS if self.standing.dead_letter_lane else {UNDECODABLE}
        claims = self._sweep.at(offset)
        accounting = [claim for claim in claims if not claim.ranks and claim.reason in reasons]
        for claim in claims:
            if claim not in accounting:
                self._false_claim(offset, claim)
        places = []
        if self.standing.dead_letter_lane:
            places = self._found.pop(unit(offset, WHOLE_EVENT), [])
            for sink_partition, row in places:
                if self._column(sink_partition).digest(row) != letter:
                    self.speaker.about_offset(FindingCode.ALTERED, offset, detail="digest of the event")
        elif unsure:
            places = [place for rank in range(len(KINDS)) for place in self._found.pop(unit(offset, rank), [])]
        self._settle(unit(offset, WHOLE_EVENT), accounting, exported=bool(places), owed=not unsure)

    def _readable_for_letters(self, event: ReadableEvent, claims: Sequence[Claim]) -> None:
        for claim in claims:
            self._false_claim(event.offset, claim)
        letter = self._found.pop(unit(event.offset, WHOLE_EVENT), None)
        if letter is not None and (event.is_doubtful() or self._is_unsure(event.offset)):
            self.speaker.note(NoteCode.DOUBTFUL_EVENT, event.offset)
            self._count(event.offset, 1, wanted=1)
            self.totals.exported += 1
            return
        if letter is not None:
            self.speaker.about_offset(FindingCode.WRONGLY_UNDECODABLE, event.offset)
        self._count(event.offset, len(event.wanted), wanted=0)
        self.totals.filtered += len(event.wanted)

    def _whole_claim(self, event: ReadableEvent, claims: Sequence[Claim]) -> Claim | None:
        """The claim that rightly calls this event undecodable, if there is one; wrong claims of it all are findings."""
        rightly = None
        for claim in claims:
            if claim.ranks:
                continue
            otherwise = claim.detail == OVERSIZE and self._is_unsure(event.offset)
            if claim.reason == UNDECODABLE and (otherwise or event.is_doubtful()):
                self.speaker.note(NoteCode.DOUBTFUL_EVENT, event.offset)
                rightly = claim
            else:
                self._false_claim(event.offset, claim)
        return rightly

    def _is_unsure(self, offset: int) -> bool:
        """Whether a lane of unknown configuration may have dealt with the event at some time."""
        return self._changed and None in self.standing.selections_over(offset)

    def _false_claim(self, offset: int, claim: Claim) -> None:
        if claim.reason == RETENTION_LOST:
            self.speaker.about_offset(FindingCode.RETAINED_BUT_LOST, offset)
        elif claim.reason == UNDECODABLE:
            self.speaker.about_offset(FindingCode.WRONGLY_UNDECODABLE, offset)
        else:
            self.speaker.about_offset(FindingCode.GAP_OF_NOTHING, offset, detail=claim.reason)

    def _place(self, event: ReadableEvent, one: Wanted, claiming: Sequence[Claim], *, admitted: bool | None) -> None:
        number, kind = unit(event.offset, one.rank), KINDS[one.rank]
        places = self._found.pop(number, [])
        for sink_partition, row in places:
            column = self._column(sink_partition)
            if not self._is_faithful(one, column.digest(row), event.offset):
                self._differing(number, one, sink_partition, column.places[row])
        if admitted is not False:
            self._settle(number, claiming, exported=bool(places), owed=admitted is True)
            return
        self.totals.filtered += 1
        claimed = any(one.rank in claim.ranks for claim in claiming)
        if not claimed and not places:
            return
        over = self.standing.selections_over(event.offset)
        if any(selection is None or selection.admits(kind, event.family, event.agent) for selection in over):
            return  # a lane of before wanted it, or may have
        if claimed:
            self.speaker.about_unit(FindingCode.GAP_OF_FILTERED, number)
        if places:
            self.speaker.about_unit(FindingCode.EXPORTED_THOUGH_FILTERED, number)

    def _settle(self, number: int, claims: Sequence[Claim], *, exported: bool, owed: bool = True) -> None:
        """Put a unit where it belongs that the sink wants, or, not `owed`, that nobody knows whether it wanted."""
        offset, standing = offset_of(number), self.standing
        self._claimed_twice(number, claims)
        if exported:
            self.totals.exported += 1
            if claims and not standing.given_up_after_sending(offset):
                self.speaker.about_unit(FindingCode.GAP_OF_EXPORTED, number)
            if offset < self._first_offset:
                self.speaker.about_unit(FindingCode.EXPORTED_BEFORE_START, number)
        elif claims:
            self._missed(number, claims[0])
        elif offset < self._first_offset:
            self.totals.before_start += 1
        elif offset >= self._cursor:
            self.totals.pending += 1
            if owed and offset < self._marked_offset and not self._cannot_be_seen(number):
                self.speaker.about_unit(FindingCode.MARK_AHEAD, number)
        else:
            self._absent(number, owed=owed)

    def _absent(self, number: int, *, owed: bool) -> None:
        """A unit below the cursor that nothing accounts for."""
        if self._cannot_be_seen(number):
            self.totals.trusted += 1
        elif number < self.standing.floor and not self._needs_a_gap(number):
            self._doubt(Doubt.SINK_TRIMMED)
        elif not owed:
            self._doubt(Doubt.CONFIG_UNKNOWN)
        elif offset_of(number) < self._owed_from:
            self._doubt(Doubt.LEDGER_TRIMMED)
        else:
            self.totals.missing += 1
            self.speaker.about_unit(FindingCode.MISSING, number)

    def _doubt(self, doubt: Doubt) -> None:
        self.totals.unverifiable += 1
        self.doubts[doubt] += 1

    def _cannot_be_seen(self, number: int) -> bool:
        return self.standing.columns is None and not self._needs_a_gap(number)

    def _needs_a_gap(self, number: int) -> bool:
        """Whether nothing but a gap can account for the unit: an unreadable event is in no sink of records."""
        return number == unit(offset_of(number), WHOLE_EVENT) and not self.standing.dead_letter_lane

    def _missed(self, number: int, claim: Claim) -> None:
        self.totals.missed[claim.reason] += 1
        letters, offset = self.standing.letters, offset_of(number)
        if letters is not None and claim.reason in REFUSALS and offset < self._cursor and offset not in letters:
            self.speaker.about_unit(FindingCode.REFUSAL_WITHOUT_LETTER, number)

    def _claimed_twice(self, number: int, claims: Sequence[Claim]) -> None:
        """Two entries may claim one unit only if a lane started at or below it in between.

        Or before both, if the later one is of the lane that this start had followed: a process that stood still, with
        its entry on the way, gets it written once it goes on, after its successor's.
        """
        if len(claims) < 2:
            return
        ordered = sorted({claim.entry: claim for claim in claims}.values(), key=lambda claim: claim.order)
        starts = [start for start in self.standing.history.starts if start.cursor <= offset_of(number)]
        for earlier, later in pairwise(ordered):
            between = any(earlier.order < start.order < later.order for start in starts)
            if not between and not _came_late(earlier, later, number, self.standing.history.starts):
                self.speaker.about_unit(FindingCode.GAP_TWICE, number)

    def _is_faithful(self, one: Wanted, found: bytes, offset: int) -> bool:
        """Whether this is the record: as a sink without content has it, or as far as content was granted."""
        return found == one.content() or one.with_content(found, whatever_sink=self._is_unsure(offset))

    def _differing(self, number: int, one: Wanted, sink_partition: int, place: int) -> None:
        self._looks += 1
        detail = one.differs(sink_partition, place) if self._looks <= SECOND_LOOKS else ""
        self.speaker.about_unit(FindingCode.ALTERED, number, detail=detail)

    def _column(self, sink_partition: int) -> Column:
        assert self.standing.columns is not None, "a record was found in a sink that cannot be read back"
        return self.standing.columns[sink_partition]

    def _count(self, offset: int, units: int, *, wanted: int) -> None:
        self.totals.units += units
        self.sums.add(offset, wanted)


def _found(columns: Mapping[int, Column] | None) -> dict[int, list[tuple[int, int]]]:
    """Every unit the sink has, with the sink partitions and rows of its copies."""
    found: dict[int, list[tuple[int, int]]] = {}
    for sink_partition, column in (columns or {}).items():
        for row, number in enumerate(column.units):
            found.setdefault(number, []).append((sink_partition, row))
    return found


def _came_late(earlier: Claim, later: Claim, number: int, starts: Sequence[LaneStart]) -> bool:
    """Whether the later one is of a lane that the earlier one's had followed from this unit or below, and not again."""
    followed = [s for s in starts if s.start_id == earlier.start_id and s.order < earlier.order]
    own = [s for s in starts if s.start_id == later.start_id and s.order < later.order]
    if not followed or not own or later.start_id == earlier.start_id:
        return False
    return own[-1].order < followed[-1].order and followed[-1].cursor <= offset_of(number)
