"""Where a sink's business begins: proved by a lane start, or said to be unknown; never taken from today's settings."""

from dataclasses import replace
from typing import Literal

import pytest

from tailrace.audit import AuditOptions, FindingCode
from tailrace.domain.ledger import CursorOrigin, ExportMark, LaneStarted
from tests.unit.audit.corruptions import drop_entries, first
from tests.unit.audit.stories import Story, story_of

StartAt = Literal["earliest", "latest"]


def begun(
    origin: CursorOrigin, *, start_at: StartAt, trimmed: bool = False, complete: bool = False
) -> tuple[Story, int]:
    """The first lane start of analytics on partition 0 lies in the middle; `complete`: it has what lies below, too."""
    story = story_of(1, count=80)
    sink = story.sinks["analytics"]
    begin = story.ends[0] // 2
    sink.plan = replace(sink.plan, start_at=start_at)
    if not complete:
        sink.records = [record for record in sink.records if record.unit[:2] >= (0, begin)]
    for partition, cursor in ((0, begin), (1, 0)):
        start = story.entries("analytics", LaneStarted, partition)[0]
        assert isinstance(start.entry, LaneStarted)
        start.entry = replace(start.entry, cursor=cursor, cursor_origin=origin)
    story.ledger_low = 3 if trimmed else 0
    return story, begin


def totals(story: Story) -> tuple[int, int, int]:
    """Before start, unverifiable, missing."""
    found = next(sink.totals for sink in story.audit().sinks if sink.sink_id == "analytics")
    assert found.units == found.sum_of_parts
    return found.before_start, found.unverifiable, found.missing


@pytest.mark.parametrize("start_at", ["earliest", "latest"])
def test_what_lies_before_a_beginning_that_the_ledger_tells_is_nobodys_business(start_at: StartAt) -> None:
    """Also if `start_at` has been edited since."""
    story, _ = begun(CursorOrigin.START_AT, start_at=start_at)
    assert story.codes(AuditOptions(require_complete=True)) == set()
    assert totals(story)[0] > 10


@pytest.mark.parametrize("start_at", ["earliest", "latest"])
def test_a_record_from_before_it_is_found(start_at: StartAt) -> None:
    story, _ = begun(CursorOrigin.START_AT, start_at=start_at, complete=True)
    assert story.codes() == {FindingCode.EXPORTED_BEFORE_START}


@pytest.mark.parametrize("start_at", ["earliest", "latest"])
def test_a_lane_start_at_a_cursor_that_was_there_is_no_beginning(start_at: StartAt) -> None:
    """The sink stands there because it has exported what lies below; that it has not is a loss."""
    story, _ = begun(CursorOrigin.COMMITTED, start_at=start_at)
    assert story.codes() == {FindingCode.MISSING}
    complete, _ = begun(CursorOrigin.COMMITTED, start_at=start_at, complete=True)
    assert complete.codes(AuditOptions(require_complete=True)) == set()


def test_once_the_ledger_has_forgotten_the_beginning_what_lies_before_it_cannot_be_proved() -> None:
    """A worker ran for longer than the ledger keeps, and restarted: the first lane start left is no beginning."""
    story, _ = begun(CursorOrigin.COMMITTED, start_at="latest", trimmed=True)
    assert story.codes() == set()
    before_start, unverifiable, _ = totals(story)
    assert (before_start, unverifiable > 10) == (0, True)
    assert story.codes(AuditOptions(require_complete=True)) == {FindingCode.UNVERIFIABLE}
    complete, _ = begun(CursorOrigin.COMMITTED, start_at="latest", trimmed=True, complete=True)
    assert complete.codes(AuditOptions(require_complete=True)) == set()


def test_a_sink_that_begins_at_the_earliest_event_has_no_beginning_to_forget() -> None:
    story, _ = begun(CursorOrigin.COMMITTED, start_at="earliest", trimmed=True)
    assert story.codes() == {FindingCode.MISSING}


def test_a_record_above_the_first_lane_start_left_is_missing_whatever_was_forgotten() -> None:
    story, _ = begun(CursorOrigin.COMMITTED, start_at="latest", trimmed=True)
    story.sinks["analytics"].records.remove(first(story, "analytics"))
    assert story.codes() == {FindingCode.MISSING}


def test_without_any_lane_start_left_the_first_mark_says_from_where_on_everything_is_owed() -> None:
    """A worker has been running for longer than the ledger keeps."""
    story, begin = begun(CursorOrigin.COMMITTED, start_at="latest", trimmed=True)
    drop_entries(story, story.entries("analytics", LaneStarted, 0))
    mark = story.entries("analytics", ExportMark, 0)[0]
    assert isinstance(mark.entry, ExportMark)
    mark.entry = replace(mark.entry, next_offset=begin)
    assert story.codes() == set()
    assert totals(story)[1] > 10
    story.sinks["analytics"].records.remove(first(story, "analytics"))
    assert story.codes() == {FindingCode.MISSING}


def test_with_nothing_left_of_a_partition_in_the_ledger_nothing_below_the_cursor_is_owed_for_sure() -> None:
    story, _ = begun(CursorOrigin.COMMITTED, start_at="latest", trimmed=True)
    drop_entries(story, [one for one in story.ledger if one.entry.lane.sink_id == "analytics"])
    assert totals(story)[2] == 0
    assert FindingCode.MISSING not in story.codes()


def shared_by_two_workers(*, trimmed: bool, origin: CursorOrigin = CursorOrigin.COMMITTED) -> Story:
    """One met the topic first, on partition 1, and wrote down where the sink begins on partition 0, too."""
    story, _ = begun(origin, start_at="latest", trimmed=trimmed)
    start = story.entries("analytics", LaneStarted, 1)[0]
    assert isinstance(start.entry, LaneStarted)
    start.entry = replace(start.entry, cursor_origin=CursorOrigin.START_AT)
    return story


def test_a_beginning_that_another_worker_wrote_down_is_one() -> None:
    """No lane had moved the cursor before the first lane start on the partition, so it was put there at the first
    meeting.
    """
    story = shared_by_two_workers(trimmed=False)
    assert story.codes(AuditOptions(require_complete=True)) == set()
    assert totals(story)[0] > 10


@pytest.mark.parametrize("origin", [CursorOrigin.LEDGER, CursorOrigin.NEW_PARTITION, CursorOrigin.RETENTION_LOST])
def test_what_was_not_in_the_sinks_group_nobody_wrote_down_there(origin: CursorOrigin) -> None:
    assert shared_by_two_workers(trimmed=False, origin=origin).codes() == {FindingCode.MISSING}


def test_unless_earlier_lane_starts_of_the_partition_may_have_been_forgotten() -> None:
    story = shared_by_two_workers(trimmed=True)
    before_start, unverifiable, _ = totals(story)
    assert (before_start, unverifiable > 10) == (0, True)


def test_the_beginning_in_a_topic_of_before_says_nothing_about_the_one_of_now() -> None:
    story = shared_by_two_workers(trimmed=False)
    for partition, topic_id in ((0, "new"), (1, "old")):
        start = story.entries("analytics", LaneStarted, partition)[0]
        assert isinstance(start.entry, LaneStarted)
        start.entry = replace(start.entry, topic_id=topic_id)
    assert story.codes() == {FindingCode.MISSING}
