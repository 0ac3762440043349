"""A sink whose own retention removed records: what that proves of those that are not there, and what it cannot."""

from collections import Counter
from dataclasses import replace

from tailrace.audit import FindingCode
from tailrace.audit.arrivals import Arrivals
from tailrace.domain.ledger import Gap, LaneStarted
from tests.unit.audit.corruptions import copy_of, remove
from tests.unit.audit.stories import Arrived, Story, Written, story_of

LATE = 2
"""Records that the worker which was cut off still brought, as many as its batch may have."""


def trimmed(*, late: int = 0, restarted: bool = True, of_sink: str = "analytics") -> tuple[Story, list[Arrived]]:
    """The sink has lost its first records to retention; those left of partition 0 begin with `late` old ones.

    A lane started at 0 again before anything was removed, so an earlier one may have been at work beside it.
    """
    story = story_of(1, count=160)
    sink = story.sinks[of_sink]
    sink.plan = replace(sink.plan, max_late_records=LATE)
    if restarted:
        start = story.entries(of_sink, LaneStarted, 0)[0].entry
        assert isinstance(start, LaneStarted)
        gaps = story.entries(of_sink, Gap, 0)
        story.ledger += [Written(replace(start, cursor=0)), *gaps]
    home = Counter(record.sink_partition for record in sink.records if record.unit[0] == 0).most_common(1)[0][0]
    column = [record for record in sink.of(home) if record.unit[0] == 0]
    gone, kept = column[: len(column) // 2], column[len(column) // 2 :]
    assert min(len(gone), len(kept)) > 10
    others = [record for record in sink.records if record not in column]
    sink.records = [*map(copy_of, gone[:late]), *kept, *others]
    sink.lows[home], sink.files_complete = len(gone), False
    return story, kept


def test_what_a_worker_that_was_cut_off_brought_late_makes_no_loss_of_what_retention_removed() -> None:
    """It stands at the front of what is left, and everything between it and its neighbours is gone."""
    story, _ = trimmed(late=LATE)
    assert story.codes() == set()


def test_behind_that_a_record_that_is_not_there_is_missing() -> None:
    story, kept = trimmed(late=LATE)
    remove(story, "analytics", kept[LATE + 1].unit)
    assert story.codes() == {FindingCode.MISSING}


def test_where_no_lane_started_twice_the_first_record_left_is_the_oldest() -> None:
    story, kept = trimmed(restarted=False)
    assert story.codes() == set()
    remove(story, "analytics", kept[1].unit)
    assert story.codes() == {FindingCode.MISSING}
    early, _ = trimmed(late=LATE, restarted=False)
    assert early.codes() == {FindingCode.MISSING}


def test_a_ledger_that_has_forgotten_lane_starts_may_have_forgotten_the_one_that_matters() -> None:
    story, _ = trimmed(late=LATE, restarted=False)
    story.ledger_low = 3
    assert story.codes() == set()


def test_a_file_has_one_writer_and_so_nobody_who_comes_late() -> None:
    story, kept = trimmed(of_sink="local")
    assert story.codes() == set()
    remove(story, "local", kept[1].unit)
    assert story.codes() == {FindingCode.MISSING}


def test_the_floor_is_the_highest_of_the_records_that_may_have_come_out_of_turn() -> None:
    arrivals = Arrivals(trimmed_partitions={0, 2})
    for number in (90, 10, 80, 100, 110):
        arrivals.add(0, number, 0, number, bytes(16))
    for number in (20, 30):
        arrivals.add(0, number, 1, number, bytes(16))
    arrivals.trimmed_partitions = {0}
    assert [arrivals.floor(0, rows) for rows in (1, 2, 3, 4, 5, 99)] == [90, 90, 90, 100, 110, 110]
    assert arrivals.floor(7, 1) > 1 << 60
    arrivals.trimmed_partitions = set()
    assert arrivals.floor(0, 99) == 0
