"""What can be said of one sink on one partition once all its events have been seen."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from tailrace.audit.findings import FindingCode, NoteCode
from tailrace.audit.ledger import RETENTION_LOST, Mark
from tailrace.audit.rules import RANK_MASK, offset_of
from tailrace.audit.sequence import Causes, Examined, examine
from tailrace.audit.sink_check import SinkCheck


def close(check: SinkCheck, low: int, high: int, *, expect_no_duplicates: bool) -> None:
    """Check left-over records, the cursor, the order, the gaps and the marks. `low` and `high` are the log's ends."""
    for number in check.left_over():
        offset = offset_of(number)
        if offset < low:
            check.totals.gone_records += 1
        elif check.sums.has(offset):
            check.speaker.about_unit(FindingCode.NO_SUCH_PROJECTION, number)
        else:
            check.speaker.about_unit(FindingCode.NO_SUCH_EVENT, number)
    _check_cursor(check, low, high)
    _check_starts(check)
    _check_order(check, expect_no_duplicates=expect_no_duplicates)
    _check_gaps(check, low, high)
    for mark in check.standing.history.marks:
        _check_mark(check, mark, low)


def _check_cursor(check: SinkCheck, low: int, high: int) -> None:
    cursor, history = check.standing.cursor, check.standing.history
    if cursor is None:
        return
    if cursor > high:
        check.speaker.about_all(FindingCode.CURSOR_BEYOND_LOG_END, f"cursor {cursor}, log end {high}")
    check.totals.gone_offsets += max(0, min(cursor, low) - check.standing.first_offset)
    if history.starts and cursor < history.starts[-1].cursor:
        check.speaker.note(NoteCode.CURSOR_SET_BACK, detail=f"from {history.starts[-1].cursor} to {cursor}")
    if not history.starts and check.sums.has_below(cursor) and not check.standing.ledger_trimmed:
        check.speaker.about_all(FindingCode.LANE_START_MISSING, f"cursor {cursor}")


def _check_starts(check: SinkCheck) -> None:
    standing, starts = check.standing, check.standing.history.starts
    for earlier, later in pairwise(starts):
        if later.cursor < earlier.cursor:
            check.speaker.note(NoteCode.CURSOR_SET_BACK, detail=f"from {earlier.cursor} to {later.cursor}")
    digests = {start.config_digest for start in starts} - set(standing.plan.earlier_selections)
    if len(digests) > 1 or any(standing.wanted_by(start) is None for start in starts):
        check.speaker.note(NoteCode.CONFIG_CHANGED, detail=", ".join(sorted(digests)))


def _check_order(check: SinkCheck, *, expect_no_duplicates: bool) -> None:
    standing, history, say = check.standing, check.standing.history, check.speaker
    restarts = [start.cursor for start in history.restarts()]
    # A lane that crashed before it could write the gap of a refused record has left its dead letter.
    lettered = [(offset, offset) for offset in standing.letters or ()]
    causes = Causes(
        restart_cursors=restarts,
        failed=history.failed,
        refused=[*history.refused, *lettered],
        elsewhere=standing.failed_elsewhere,
        # A later lane that wants less leaves out what an earlier one sent, as one that gives up does.
        may_drop=standing.plan.may_drop or standing.selection_changed,
    )
    for column in (standing.columns or {}).values():
        examined = examine(column.units, causes)
        check.totals.duplicates += len(examined.repeats)
        for number in examined.unexplained:
            say.about_unit(FindingCode.DUPLICATE_UNEXPLAINED, number)
        for number in examined.repeats if expect_no_duplicates else ():
            say.about_unit(FindingCode.DUPLICATE, number)
        for number in examined.late:
            if not _was_given_up(check, number):
                say.about_unit(FindingCode.OUT_OF_ORDER, number)
        for number in examined.late_after_restart:
            # A lane that drops a record and crashes before the gap is written leaves it to the next, without a trace.
            if not standing.plan.may_drop and not _was_given_up(check, number):
                say.about_unit(FindingCode.OUT_OF_ORDER, number)
        _check_stretches(check, examined)
    _check_copies(check, restarts, expect_no_duplicates=expect_no_duplicates)


def _check_copies(check: SinkCheck, restarts: Sequence[int], *, expect_no_duplicates: bool) -> None:
    """A record that several workers have each written to a file of their own.

    Whoever takes a partition over starts a lane at its cursor, and may send what lies above it once more.
    """
    columns = (check.standing.columns or {}).values()
    if len(columns) < 2:
        return
    copies = Counter(number for column in columns for number in set(column.units))
    for number, count in copies.items():
        if count < 2:
            continue
        check.totals.duplicates += count - 1
        if not any(cursor <= offset_of(number) for cursor in restarts):
            check.speaker.about_unit(FindingCode.DUPLICATE_UNEXPLAINED, number)
        if expect_no_duplicates:
            check.speaker.about_unit(FindingCode.DUPLICATE, number)


def _was_given_up(check: SinkCheck, number: int) -> bool:
    """Whether an earlier lane left the unit out: it wrote a gap or dead letter, or its selection was another one."""
    rank, offset, standing = number & RANK_MASK, offset_of(number), check.standing
    claimed = any(rank in claim.ranks or not claim.ranks for claim in standing.history.claims_at(offset))
    return claimed or offset in (standing.letters or ()) or standing.selection_changed


def _check_stretches(check: SinkCheck, examined: Examined) -> None:
    bound, starts = check.standing.plan.max_resent_offsets, check.standing.history.starts
    if bound is None or any(later.cursor < earlier.cursor for earlier, later in pairwise(starts)):
        return  # a cursor that a zombie set back costs duplicates without a bound, and no loss
    for stretch in examined.stretches:
        if offset_of(stretch.reached) - offset_of(stretch.first) > bound:
            check.speaker.about_unit(FindingCode.DUPLICATE_BEYOND_BOUND, stretch.first)


def _check_gaps(check: SinkCheck, low: int, high: int) -> None:
    history, say = check.standing.history, check.speaker
    for count in history.counts:
        if count.stated != count.summed:
            say.about_all(FindingCode.GAP_MISCOUNTED, f"states {count.stated}, its runs have {count.summed}")
    if history.claims and not history.starts and not check.standing.ledger_trimmed:
        say.about_all(FindingCode.LANE_START_MISSING, "a gap")
    for claim in history.claims:
        if claim.first > claim.last:
            say.about_offset(FindingCode.GAP_OF_NOTHING, claim.first, detail="a run that ends before it begins")
        if claim.last >= high:
            say.about_offset(FindingCode.GAP_BEYOND_LOG_END, claim.last)
        if claim.reason == RETENTION_LOST:
            continue  # a bare range: nobody knows what was in it
        for offset in {claim.first, claim.last}:
            if low <= offset < min(high, claim.counts_below) and not check.sums.has(offset):
                say.about_offset(FindingCode.GAP_OF_NOTHING, offset, detail="no event")


def _check_mark(check: SinkCheck, mark: Mark, low: int) -> None:
    """A mark counts at least every wanted unit from its lane's start to itself; more, where the lane ran ahead."""
    own = [s for s in check.standing.history.starts if s.order < mark.order and s.start_id == mark.start_id]
    if not own:
        if not check.standing.ledger_trimmed:
            check.speaker.about_all(FindingCode.LANE_START_MISSING, "an export mark")
        return
    standing, begin = check.standing, own[-1].cursor
    wanted = standing.wanted_by(own[-1])
    later = [s for s in standing.history.starts if s.order > own[-1].order and s.cursor < mark.next_offset]
    if any(standing.wanted_by(start) != wanted for start in later):
        return  # the sums are those of a lane that wants otherwise
    if begin >= low and check.sums.wanted_below(mark.next_offset) - check.sums.wanted_below(begin) > mark.accounted:
        detail = f"next offset {mark.next_offset}, counts {mark.accounted}"
        check.speaker.about_all(FindingCode.MARK_SHORT, detail)
