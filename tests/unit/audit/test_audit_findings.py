"""Every code is found when its promise is broken, and only then: a true story has none, each corruption its own."""

import ast
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tailrace.audit import AuditOptions, FindingCode, NoteCode
from tailrace.domain.ledger import ExportMark, Gap, LaneStarted, SinkFailed
from tests.unit.audit.corruptions import (
    add_gap,
    copy_of,
    drop_entries,
    first,
    hole_offset,
    lane_of,
    last,
    remove,
    rewrite,
    unreadable_offset,
)
from tests.unit.audit.stories import LETTERS, Arrived, Story, Temper, Written, letter_of, story_of

CALM = Temper()
TORN = Temper(lives=3, drops=0.1)
UNFINISHED = Temper(stops_early=True)

GROUP = "tailrace.group"
"""The header of a dead letter that says whose it is."""


def calm() -> Story:
    return story_of(1, CALM, count=80)


def assert_found(story: Story, code: FindingCode, options: AuditOptions | None = None) -> None:
    assert code in story.codes(options)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "temper",
    [
        *(CALM, UNFINISHED, TORN, Temper(lives=4, stops_early=True), Temper(failures=0.1), Temper(refusals=0.05)),
        Temper(lives=3, drops=0.1, failures=0.05, refusals=0.05),
    ],
    ids=["calm", "unfinished", "torn", "unfinished restarts", "failing", "refusing", "everything"],
)
def test_a_true_story_has_no_finding_and_adds_up(seed: int, temper: Temper) -> None:
    report = story_of(seed, temper, count=80).audit()
    assert report.findings == ()
    for sink in report.sinks:
        assert sink.totals.units == sink.totals.sum_of_parts


def test_nothing_at_all_adds_up_too() -> None:
    assert Story({0: []}, {0: 0}, with_letters=False).codes() == set()


# ------------------------------------------------------------------------------------------------- I1: nothing is lost


@pytest.mark.parametrize("sink", ["analytics", "local", "billing"])
def test_a_record_below_the_cursor_that_is_nowhere_is_missing(sink: str) -> None:
    story = calm()
    remove(story, sink, first(story, sink).unit)
    assert_found(story, FindingCode.MISSING)


def test_a_record_above_the_cursor_is_not_due_yet() -> None:
    story = story_of(1, UNFINISHED, count=80)
    cursor = story.cursors["analytics"][0]
    story.sinks["analytics"].records = [r for r in story.sinks["analytics"].records if r.unit[1] < cursor]
    assert story.codes() == set()


@pytest.mark.parametrize("sink", ["analytics", "local", "blind", "billing"])
def test_an_unreadable_event_without_a_gap_is_missing_at_every_sink(sink: str) -> None:
    story = calm()
    drop_entries(story, story.entries(sink, Gap))
    assert_found(story, FindingCode.MISSING)


def test_an_unreadable_event_without_a_dead_letter_is_missing_there() -> None:
    story = calm()
    story.letters.pop(0)
    assert_found(story, FindingCode.MISSING)


def test_a_gap_counts_only_below_the_cursor_of_the_next_lane_start() -> None:
    """The lane that wrote it crashed before its cursor passed it: the next one owes the record anew."""
    story = calm()
    unit = last(story, "analytics").unit
    remove(story, "analytics", unit)
    add_gap(story, "analytics", [(unit[1], unit[1], (unit[2],))])
    assert story.codes() == set()
    start = story.entries("analytics", LaneStarted, 0)[0].entry
    assert isinstance(start, LaneStarted)
    story.ledger.append(Written(replace(start, cursor=unit[1])))
    assert_found(story, FindingCode.MISSING)
    story.ledger.pop()
    story.ledger.append(Written(replace(start, cursor=unit[1] + 1)))
    assert story.codes() == set()


def test_a_cursor_that_moved_over_records_that_are_not_there_is_found() -> None:
    story = story_of(1, UNFINISHED, count=80)
    cursor = story.cursors["billing"][0]
    story.sinks["billing"].records = [r for r in story.sinks["billing"].records if r.unit[1] < cursor]
    story.cursors["billing"][0] = story.ends[0]
    assert_found(story, FindingCode.MISSING)


def test_a_mark_beyond_what_is_accounted_for_is_found() -> None:
    story = story_of(1, UNFINISHED, count=80)
    cursor = story.cursors["analytics"][0]
    story.sinks["analytics"].records = [r for r in story.sinks["analytics"].records if r.unit[1] < cursor]
    (mark,) = story.entries("analytics", ExportMark, 0)
    assert isinstance(mark.entry, ExportMark)
    mark.entry = replace(mark.entry, next_offset=story.ends[0], exported=1_000)
    assert_found(story, FindingCode.MARK_AHEAD)


def unfinished_with_a_mark_ahead() -> tuple[Story, Written]:
    """Nothing above the cursor has been exported, and a mark at the end of the ledger says that all has."""
    story = story_of(1, UNFINISHED, count=80)
    cursor = story.cursors["analytics"][0]
    story.sinks["analytics"].records = [r for r in story.sinks["analytics"].records if r.unit[1] < cursor]
    (mark,) = story.entries("analytics", ExportMark, 0)
    drop_entries(story, [mark])
    assert isinstance(mark.entry, ExportMark)
    mark.entry = replace(mark.entry, next_offset=story.ends[0], exported=1_000)
    story.ledger.append(mark)
    return story, mark


def test_a_mark_that_came_after_the_sinks_were_read_binds_nobody() -> None:
    """Beside a running worker: what it speaks of was exported after the audit had looked."""
    story, _ = unfinished_with_a_mark_ahead()
    assert FindingCode.MARK_AHEAD in story.codes()
    story.written_meanwhile = 1
    assert story.codes() == set()


def test_a_zombies_mark_binds_nobody() -> None:
    """It counts what the zombie exported or gave up, and the lane that came after it owes that anew."""
    story, mark = unfinished_with_a_mark_ahead()
    start = story.entries("analytics", LaneStarted, 0)[0]
    other = replace(start.entry.lane, start_id="the next")
    story.ledger.insert(-1, Written(replace(start.entry, lane=other)))
    assert mark is story.ledger[-1]
    assert FindingCode.MARK_AHEAD not in story.codes()


def test_a_mark_that_counts_too_little_is_found() -> None:
    story = calm()
    (mark,) = story.entries("blind", ExportMark, 0)
    assert isinstance(mark.entry, ExportMark)
    mark.entry = replace(mark.entry, exported=mark.entry.exported - 1)
    assert_found(story, FindingCode.MARK_SHORT)


def test_a_mark_may_count_what_the_lane_sent_ahead_of_it() -> None:
    story = calm()
    (mark,) = story.entries("blind", ExportMark, 0)
    assert isinstance(mark.entry, ExportMark)
    mark.entry = replace(mark.entry, exported=mark.entry.exported + 50)
    assert story.codes() == set()


# ------------------------------------------------------------------------------------------ the ledger tells the truth


def test_a_gap_of_a_kind_the_event_does_not_yield_is_found() -> None:
    story = calm()
    offset = first(story, "blind" if story.sinks["blind"].records else "analytics", kind="progress").unit[1]
    add_gap(story, "blind", [(offset, offset, ("usage",))])
    assert_found(story, FindingCode.GAP_OF_NOTHING)


def test_a_gap_of_an_offset_without_an_event_is_found() -> None:
    story = calm()
    offset = hole_offset(story)
    add_gap(story, "blind", [(offset, offset, ("progress",))])
    assert_found(story, FindingCode.GAP_OF_NOTHING)


def test_a_run_that_ends_at_an_offset_without_an_event_is_found() -> None:
    story = calm()
    hole = hole_offset(story)
    before = max(message.offset for message in story.events[0] if message.offset < hole)
    story.cursors["blind"][0] = before
    add_gap(story, "blind", [(before, hole, ("progress",))])
    found = [
        one for one in story.audit().findings if one.code == FindingCode.GAP_OF_NOTHING and one.detail == "no event"
    ]
    assert [one.examples for one in found] == [(str(hole),)]


def test_a_gap_of_a_whole_readable_event_is_found() -> None:
    story = calm()
    offset = first(story, "analytics").unit[1]
    add_gap(story, "blind", [(offset, offset, ())])
    assert_found(story, FindingCode.GAP_OF_NOTHING)


def test_a_run_that_ends_before_it_begins_is_found() -> None:
    story = calm()
    add_gap(story, "blind", [(9, 3, ("progress",))], records=0)
    assert_found(story, FindingCode.GAP_OF_NOTHING)


def test_a_gap_of_what_the_sink_never_wanted_is_found() -> None:
    story = calm()
    offset = first(story, "analytics", kind="progress").unit[1]
    add_gap(story, "billing", [(offset, offset, ("progress",))])
    assert_found(story, FindingCode.GAP_OF_FILTERED)


def test_a_gap_of_what_the_sink_has_is_found() -> None:
    story = calm()
    _, offset, kind = first(story, "analytics").unit
    add_gap(story, "analytics", [(offset, offset, (kind,))])
    assert_found(story, FindingCode.GAP_OF_EXPORTED)


def test_exported_beats_gap_where_a_restart_explains_both() -> None:
    """One life exported it and crashed; the next one dropped it."""
    story = calm()
    _, offset, kind = first(story, "local").unit
    start = story.entries("local", LaneStarted, 0)[0].entry
    assert isinstance(start, LaneStarted)
    story.ledger.append(Written(replace(start, cursor=0)))
    gaps = story.entries("local", Gap, 0)
    add_gap(story, "local", [(offset, offset, (kind,))])
    story.ledger.extend(gaps)
    assert FindingCode.GAP_OF_EXPORTED not in story.codes()


def test_a_gap_that_is_written_twice_is_found() -> None:
    story = calm()
    offset = unreadable_offset(story)
    add_gap(story, "analytics", [(offset, offset, ())], reason="undecodable", detail="again")
    assert_found(story, FindingCode.GAP_TWICE)


def test_two_gaps_of_one_record_need_a_lane_start_between_them() -> None:
    story = calm()
    offset = unreadable_offset(story)
    start = story.entries("analytics", LaneStarted, 0)[0].entry
    assert isinstance(start, LaneStarted)
    restart = Written(replace(start, cursor=0))
    gap = story.entries("analytics", Gap, 0)
    story.ledger.append(restart)
    story.ledger.extend(gap)
    assert FindingCode.GAP_TWICE not in story.codes()
    add_gap(story, "analytics", [(offset, offset, ())], reason="undecodable", detail="again")
    # Later starts explain nothing: the first is beyond the record, and the second came after both gaps.
    story.ledger.extend([Written(replace(start, cursor=story.ends[0])), restart])
    assert FindingCode.GAP_TWICE in story.codes()


@pytest.mark.parametrize("followed", ["from below", "from beyond", "not at all"])
def test_a_gap_that_a_frozen_worker_had_on_its_way_may_come_after_its_successors(followed: str) -> None:
    """Its lane was followed by another one, which met the same unreadable event; only that explains both."""
    story = calm()
    start = story.entries("analytics", LaneStarted, 0)[0].entry
    assert isinstance(start, LaneStarted)
    successor = replace(start.lane, start_id="successor")
    late = story.entries("analytics", Gap, 0)
    for gap in late:
        story.ledger.remove(gap)
    if followed != "not at all":
        cursor = 0 if followed == "from below" else story.ends[0]
        story.ledger.append(Written(replace(start, lane=successor, cursor=cursor)))
    story.ledger.extend(Written(replace(gap.entry, lane=successor)) for gap in late)
    story.ledger.extend(late)
    assert (FindingCode.GAP_TWICE in story.codes()) == (followed != "from below")


def test_the_same_entry_sent_again_by_its_producer_is_no_second_gap() -> None:
    story = calm()
    story.ledger.extend(story.entries("analytics", Gap, 0))
    assert story.codes() == set()


def test_a_gap_whose_count_is_not_its_runs_is_found() -> None:
    story = calm()
    written = story.entries("analytics", Gap, 0)[0]
    assert isinstance(written.entry, Gap)
    written.entry = replace(written.entry, records=written.entry.records + 1)
    assert_found(story, FindingCode.GAP_MISCOUNTED)


def test_a_gap_beyond_the_end_of_the_log_is_found() -> None:
    story = calm()
    add_gap(story, "blind", [(story.ends[0], story.ends[0], ("progress",))])
    assert_found(story, FindingCode.GAP_BEYOND_LOG_END)


def test_retention_cannot_have_taken_what_the_log_still_has() -> None:
    story = calm()
    add_gap(story, "blind", [(0, 3, ())], reason="retention_lost")
    assert_found(story, FindingCode.RETAINED_BUT_LOST)


def test_a_readable_event_may_not_be_called_undecodable() -> None:
    story = calm()
    offset = first(story, "analytics").unit[1]
    add_gap(story, "blind", [(offset, offset, ())], reason="undecodable")
    assert_found(story, FindingCode.WRONGLY_UNDECODABLE)


def test_a_readable_event_may_not_have_a_dead_letter_of_an_undecodable_one() -> None:
    story = calm()
    partition, offset, _ = first(story, "analytics").unit
    story.letters.append(letter_of((partition, offset, "event"), b"", "VALUE_CONVERTER", "tailrace.projector"))
    assert_found(story, FindingCode.WRONGLY_UNDECODABLE)


@pytest.mark.parametrize("sink", ["analytics", "blind", LETTERS])
def test_cursors_gaps_and_marks_need_a_lane_start(sink: str) -> None:
    story = calm()
    drop_entries(story, story.entries(sink, LaneStarted))
    assert_found(story, FindingCode.LANE_START_MISSING)


def test_a_ledger_that_retention_has_shortened_may_lack_lane_starts() -> None:
    story = calm()
    drop_entries(story, story.entries("analytics", LaneStarted))
    story.ledger_low = 3
    assert FindingCode.LANE_START_MISSING not in story.codes()


@pytest.mark.parametrize("value", [b"", b"noise", b"\xc3\x01" + bytes(8)])
def test_a_health_record_nobody_can_read_is_found(value: bytes) -> None:
    story = calm()
    story.ledger.append(replace(story.ledger[0], value=value))
    assert_found(story, FindingCode.UNREADABLE_HEALTH_RECORD)


def test_a_ledger_entry_with_another_key_is_found() -> None:
    story = calm()
    story.ledger[0] = replace(story.ledger[0], key=b"elsewhere")
    assert_found(story, FindingCode.WRONG_HEALTH_KEY)


def test_a_ledger_of_one_lane_in_two_partitions_has_no_order() -> None:
    """Their times overlap: two workers write to different partitions, and nobody can tell what came first."""
    story = calm()
    story.entries("analytics", Gap, 0)[0].health_partition = 1
    assert_found(story, FindingCode.LEDGER_SPLIT)


# ------------------------------------------------------------------------------- a sink holds what the events say


@pytest.mark.parametrize("sink", ["analytics", "local"])
@pytest.mark.parametrize("place", ["hole", "beyond the end", "another partition"])
def test_a_record_of_no_event_is_found(sink: str, place: str) -> None:
    story = calm()
    record = copy_of(last(story, sink))
    partition = 7 if place == "another partition" else 0
    offset = hole_offset(story) if place == "hole" else story.ends[0] + 3

    def elsewhere(fields: dict[str, object]) -> None:
        fields["source"] = {"topic": "agent.events", "partition": partition, "offset": offset}

    rewrite(story, sink, record, elsewhere)
    story.sinks[sink].records.append(record)
    assert_found(story, FindingCode.NO_SUCH_EVENT)


def test_a_record_its_event_does_not_yield_is_found() -> None:
    story = calm()
    record = copy_of(first(story, "analytics", kind="progress"))
    rewrite(story, "analytics", record, lambda fields: fields.update(projection_kind="usage"))
    story.sinks["analytics"].records.append(record)
    assert_found(story, FindingCode.NO_SUCH_PROJECTION)


def test_a_record_of_an_unreadable_event_is_found() -> None:
    story = calm()
    offset = unreadable_offset(story)
    record = copy_of(last(story, "analytics"))

    def poison(fields: dict[str, object]) -> None:
        fields["source"] = {"topic": "agent.events", "partition": 0, "offset": offset}

    rewrite(story, "analytics", record, poison)
    story.sinks["analytics"].records.append(record)
    assert_found(story, FindingCode.NO_SUCH_PROJECTION)


def test_a_record_the_selection_leaves_out_is_found() -> None:
    story = calm()
    story.sinks["billing"].records.append(copy_of(last(story, "analytics")))
    story.sinks["billing"].records[-1] = copy_of(first(story, "analytics", kind="progress"))
    assert_found(story, FindingCode.EXPORTED_THOUGH_FILTERED)


def late_starter() -> tuple[Story, int]:
    """The analytics sink began with the latest event, at this offset of partition 0."""
    story = calm()
    sink = story.sinks["analytics"]
    begin = story.ends[0] // 2
    sink.plan = replace(sink.plan, start_at="latest")
    sink.records = [record for record in sink.records if record.unit[0] != 0 or record.unit[1] >= begin]
    start = story.entries("analytics", LaneStarted, 0)[0]
    assert isinstance(start.entry, LaneStarted)
    start.entry = replace(start.entry, cursor=begin)
    return story, begin


def test_what_lies_before_the_start_of_a_sink_that_began_late_is_no_loss() -> None:
    story, begin = late_starter()
    report = story.audit()
    assert report.findings == ()
    assert begin > 0
    assert next(sink.totals.before_start for sink in report.sinks if sink.sink_id == "analytics") > 0


def test_a_record_from_before_the_start_of_its_sink_is_found() -> None:
    story, _ = late_starter()
    story.sinks["analytics"].records.insert(0, first(calm(), "analytics"))
    assert_found(story, FindingCode.EXPORTED_BEFORE_START)


@pytest.mark.parametrize("sink", ["analytics", "local", "billing"])
@pytest.mark.parametrize("name", ["agent_id", "timestamp", "redacted_summary", "projection_id"])
def test_a_record_that_says_something_else_is_found_with_the_field(sink: str, name: str) -> None:
    story = calm()
    rewrite(story, sink, first(story, sink), lambda fields: fields.update({name: 5 if name == "timestamp" else "x"}))
    assert_found(story, FindingCode.ALTERED)
    (finding,) = [one for one in story.audit().findings if one.code == FindingCode.ALTERED]
    assert finding.detail == name


def test_a_dead_letter_about_other_bytes_is_found() -> None:
    story = calm()
    story.letters[0].value = json.dumps({"value_sha256": "00" * 32}).encode()
    assert_found(story, FindingCode.ALTERED)


def test_a_record_under_another_key_is_found() -> None:
    story = calm()
    first(story, "analytics").key = b"another run"
    assert_found(story, FindingCode.WRONG_KEY)


@pytest.mark.parametrize("sink", ["analytics", "local"])
@pytest.mark.parametrize("value", [b"", b"noise", b"[1]", b"{}", b'{"source": {"topic": "agent.events"}}'])
def test_what_is_no_record_is_found(sink: str, value: bytes) -> None:
    story = calm()
    story.sinks[sink].records.append(Arrived((0, 0, "progress"), 0, b"k", value))
    assert_found(story, FindingCode.UNREADABLE_RECORD)


@pytest.mark.parametrize("sink", ["analytics", "local"])
def test_a_record_of_another_events_topic_is_found(sink: str) -> None:
    story = calm()

    def foreign(fields: dict[str, object]) -> None:
        fields["source"] = {"topic": "other.events", "partition": 0, "offset": 0}

    record = copy_of(last(story, sink))
    rewrite(story, sink, record, foreign)
    story.sinks[sink].records.append(record)
    assert_found(story, FindingCode.UNREADABLE_RECORD)


# ------------------------------------------------------------------------------------------------------- dead letters


def refusing() -> Story:
    return story_of(1, Temper(refusals=0.1), count=80)


def without_header(record: Arrived, name: str) -> None:
    record.headers = [header for header in record.headers if header[0] != name]


@pytest.mark.parametrize("name", [*(f"__connect.errors.{n}" for n in ("topic", "partition", "offset", "stage")), GROUP])
def test_a_dead_letter_without_its_origin_is_found(name: str) -> None:
    story = calm()
    without_header(story.letters[0], name)
    assert_found(story, FindingCode.LETTER_WITHOUT_ORIGIN)


def test_a_dead_letter_of_a_refused_record_that_does_not_name_the_sink_is_found() -> None:
    story = refusing()
    letter = next(one for one in story.letters if dict(one.headers)["__connect.errors.stage"] == b"TASK_PUT")
    without_header(letter, "tailrace.sink")
    assert FindingCode.LETTER_WITHOUT_ORIGIN in story.codes()


def letters_of_another_group(story: Story) -> list[Arrived]:
    """The same letters as a second group of workers writes them, with the same dead-letter topic."""
    theirs = [copy_of(letter) for letter in story.letters]
    for letter in theirs:
        letter.headers = [(name, b"another" if name == GROUP else value) for name, value in letter.headers]
    return theirs


def test_dead_letters_of_another_group_stand_in_for_none_of_ours() -> None:
    story = refusing()
    theirs = letters_of_another_group(story)
    ours = {dict(letter.headers)["__connect.errors.stage"] for letter in story.letters}
    assert ours == {b"TASK_PUT", b"VALUE_CONVERTER"}
    story.letters = theirs
    assert story.codes() == {FindingCode.MISSING, FindingCode.REFUSAL_WITHOUT_LETTER}


def test_dead_letters_of_another_group_are_none_of_an_audits_business() -> None:
    """Neither a copy of what ours say, nor a letter about another topic, nor of a sink that we do not have."""
    story = refusing()
    story.letters.extend(letters_of_another_group(story))
    elsewhere = letter_of((7, 0, "event"), b"", "TASK_PUT", "tailrace.sink.theirs", group="another")
    elsewhere.headers[0] = ("__connect.errors.topic", b"other.events")
    story.letters.append(elsewhere)
    assert story.codes() == set()
    assert NoteCode.FOREIGN_LETTER not in story.notes()


def test_a_dead_letter_of_another_events_topic_is_found() -> None:
    story = calm()
    without_header(story.letters[0], "__connect.errors.topic")
    story.letters[0].headers.append(("__connect.errors.topic", b"other"))
    assert_found(story, FindingCode.LETTER_WITHOUT_ORIGIN)


@pytest.mark.parametrize("partition", [0, 7])
def test_a_dead_letter_of_a_record_nobody_refused_is_found(partition: int) -> None:
    story = calm()
    story.letters.append(letter_of((partition, 0, "progress"), None, "TASK_PUT", "tailrace.sink.analytics"))
    assert_found(story, FindingCode.LETTER_UNEXPLAINED)


def test_a_refused_record_without_a_dead_letter_is_found() -> None:
    story = refusing()
    assert story.codes() == set()
    story.letters = [
        letter for letter in story.letters if dict(letter.headers)["__connect.errors.stage"] != b"TASK_PUT"
    ]
    assert_found(story, FindingCode.REFUSAL_WITHOUT_LETTER)


def test_above_the_cursor_the_letter_of_a_refused_record_may_still_be_on_its_way() -> None:
    story = refusing()
    letter = [one for one in story.letters if dict(one.headers)["__connect.errors.stage"] == b"TASK_PUT"][-1]
    story.letters.remove(letter)
    sink_id = (dict(letter.headers)["__connect.errors.class.name"] or b"").decode().removeprefix("tailrace.sink.")
    assert FindingCode.REFUSAL_WITHOUT_LETTER in story.codes()
    story.cursors[sink_id][letter.unit[0]] = letter.unit[1]
    drop_entries(story, story.entries(sink_id, ExportMark))
    assert story.codes() == set()


def test_without_a_dead_letter_topic_a_gap_is_enough() -> None:
    story = refusing()
    story.with_letters = False
    assert story.codes() == set()


# --------------------------------------------------------------------------------------------------- I2, I3, I6 and I7


@pytest.mark.parametrize("sink", ["analytics", "blind", LETTERS])
def test_a_cursor_beyond_the_end_of_the_log_is_found(sink: str) -> None:
    story = calm()
    story.cursors[sink][0] = story.ends[0] + 1
    assert_found(story, FindingCode.CURSOR_BEYOND_LOG_END)


@pytest.mark.parametrize("sink", ["analytics", "local"])
def test_two_records_that_changed_places_are_found(sink: str) -> None:
    story = calm()
    records = story.sinks[sink].records
    one = first(story, sink)
    two = next(r for r in records if r is not one and r.unit[0] == 0 and r.sink_partition == one.sink_partition)
    a, b = records.index(one), records.index(two)
    records[a], records[b] = two, one
    assert_found(story, FindingCode.OUT_OF_ORDER)


def test_records_of_different_source_partitions_may_be_mixed() -> None:
    story = calm()
    records = story.sinks["analytics"].records
    story.sinks["analytics"].records = sorted(records, key=lambda record: (record.unit[1], record.unit[0]))
    assert story.codes() == set()


def test_a_run_in_two_partitions_of_a_sink_is_found() -> None:
    story = calm()
    record = last(story, "analytics")
    record.sink_partition = (record.sink_partition + 1) % 3
    assert_found(story, FindingCode.RUN_SPLIT)


@pytest.mark.parametrize("sink", ["analytics", "local"])
def test_a_record_sent_again_for_no_reason_is_found(sink: str) -> None:
    story = calm()
    story.sinks[sink].records.append(copy_of(first(story, sink)))
    assert_found(story, FindingCode.DUPLICATE_UNEXPLAINED)


def test_a_dead_letter_sent_again_for_no_reason_is_found() -> None:
    story = calm()
    story.letters.append(copy_of(story.letters[0]))
    assert_found(story, FindingCode.DUPLICATE_UNEXPLAINED)


def restarted(cursor: int, sink_id: str = "analytics") -> Story:
    """The sink's lane started again at `cursor` of partition 0, after everything had been exported."""
    story = calm()
    sink = story.sinks[sink_id]
    sink.plan = replace(sink.plan, may_drop=False)
    start = story.entries(sink_id, LaneStarted, 0)[0].entry
    assert isinstance(start, LaneStarted)
    gaps = story.entries(sink_id, Gap, 0)
    story.ledger.append(Written(replace(start, cursor=cursor)))
    story.ledger.extend(gaps)
    sink.records.extend([copy_of(r) for r in sink.records if r.unit[0] == 0 and r.unit[1] >= cursor])
    return story


def test_a_partition_that_went_to_another_worker_and_back_is_in_order_in_the_files_of_each() -> None:
    """What two workers wrote one after the other stands in two files, in neither of which anything goes back."""
    story = calm()
    local = story.sinks["local"]
    local.plan = replace(local.plan, may_drop=False)
    for record in local.records:
        record.sink_partition = 2 if 10 <= record.unit[1] < 20 else 1
    assert story.codes() == set()
    exported = next(s.totals.exported for s in story.audit().sinks if s.sink_id == "local")
    assert exported == next(s.totals.exported for s in calm().audit().sinks if s.sink_id == "local") > 0


def test_a_record_missing_from_the_files_of_every_worker_is_found() -> None:
    story = calm()
    for record in story.sinks["local"].records:
        record.sink_partition = 1 + record.unit[1] % 2
    story.sinks["local"].records.remove(first(story, "local"))
    assert_found(story, FindingCode.MISSING)


def test_a_record_in_the_files_of_two_workers_for_no_reason_is_found() -> None:
    story = calm()
    copy = copy_of(first(story, "local"))
    copy.sink_partition = 2
    story.sinks["local"].records.append(copy)
    assert_found(story, FindingCode.DUPLICATE_UNEXPLAINED)


def test_what_a_killed_worker_wrote_and_its_successor_wrote_again_is_explained_and_counted() -> None:
    story = restarted(10, "local")
    records = story.sinks["local"].records
    again = [record for record in records if any(record is not one and record.unit == one.unit for one in records)]
    for record in again[len(again) // 2 :]:
        record.sink_partition = 2
    assert story.codes() == set()
    assert next(s.totals.duplicates for s in story.audit().sinks if s.sink_id == "local") == len(again) // 2 > 5
    assert_found(story, FindingCode.DUPLICATE, AuditOptions(expect_no_duplicates=True))
    below = copy_of(next(r for r in records if r.unit[0] == 0 and r.unit[1] < 10))
    below.sink_partition = 2
    records.append(below)
    assert_found(story, FindingCode.DUPLICATE_UNEXPLAINED)


def test_records_sent_again_from_the_cursor_of_a_restart_are_explained() -> None:
    story = restarted(cursor=10)
    assert story.codes() == set()
    assert next(s.totals.duplicates for s in story.audit().sinks if s.sink_id == "analytics") > 10


def test_records_sent_again_from_below_the_cursor_of_a_restart_are_not() -> None:
    story = restarted(cursor=10)
    below = next(r for r in story.sinks["analytics"].records if r.unit[0] == 0 and r.unit[1] < 10)
    story.sinks["analytics"].records.append(copy_of(below))
    assert_found(story, FindingCode.DUPLICATE_UNEXPLAINED)


def test_a_stretch_longer_than_a_lane_may_run_ahead_is_found() -> None:
    story = restarted(cursor=10)
    sink = story.sinks["analytics"]
    sink.plan = replace(sink.plan, max_resent_offsets=story.ends[0] - 10)
    assert story.codes() == set()
    sink.plan = replace(sink.plan, max_resent_offsets=5)
    assert_found(story, FindingCode.DUPLICATE_BEYOND_BOUND)


def test_with_duplicates_ruled_out_an_explained_one_is_a_finding_too() -> None:
    story = restarted(cursor=10)
    assert_found(story, FindingCode.DUPLICATE, AuditOptions(expect_no_duplicates=True))
    assert calm().codes(AuditOptions(expect_no_duplicates=True)) == set()


def test_a_failure_in_the_ledger_explains_a_record_sent_again() -> None:
    story = calm()
    record = last(story, "analytics")
    story.sinks["analytics"].records.append(copy_of(record))
    assert FindingCode.DUPLICATE_UNEXPLAINED in story.codes()
    failed = story_of(1, Temper(failures=0.5), count=80).entries("analytics", SinkFailed, 0)[0].entry
    assert isinstance(failed, SinkFailed)
    lane = lane_of(story, "analytics")
    story.ledger.append(Written(replace(failed, lane=lane, offset=record.unit[1])))
    assert story.codes() == set()


def _in_key(story: Story) -> None:
    story.sinks["analytics"].records[3].key = b"xx CANARY xx"


def _in_value(story: Story) -> None:
    story.sinks["billing"].records[0].value += b"CANARY"


def _in_header(story: Story) -> None:
    story.letters[0].headers.append(("note", b"CANARY"))


def _in_line(story: Story) -> None:
    story.sinks["local"].records[0].value = b'{"CANARY": 1}'


def _in_ledger(story: Story) -> None:
    story.ledger.append(replace(story.ledger[0], value=b"CANARY"))


def _in_letter(story: Story) -> None:
    story.letters[0].value = b"CANARY"


@pytest.mark.parametrize("place", [_in_key, _in_value, _in_header, _in_line, _in_ledger, _in_letter])
def test_a_canary_is_found_wherever_it_is(place: Callable[[Story], None]) -> None:
    story = calm()
    options = AuditOptions(canaries=(b"CANARY",))
    assert story.codes(options) == set()
    place(story)
    assert_found(story, FindingCode.CANARY_FOUND, options)


SECRETS = ["größer", 'größer "als"', "漢字", 'a "word"', "back\\slash", "line\nbreak", "emoji \U0001f600"]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("as_ascii", [True, False])
@pytest.mark.parametrize("levels", [1, 2], ids=["JSON", "JSON in JSON"])
def test_a_canary_is_found_as_json_spells_it(secret: str, levels: int, *, as_ascii: bool) -> None:
    """Lines of files and dead letters are JSON, and so is what a record may hold of a conversation."""
    story = calm()
    text = secret
    for _ in range(levels):
        text = json.dumps({"said": text}, ensure_ascii=as_ascii)
    story.sinks["local"].records[0].value = text.encode()
    assert FindingCode.CANARY_FOUND in story.codes(AuditOptions(canaries=(secret.encode(),)))


def test_a_canary_that_is_no_text_is_found_as_it_is() -> None:
    story = calm()
    story.sinks["billing"].records[0].value += b"\xff\xfe"
    assert FindingCode.CANARY_FOUND in story.codes(AuditOptions(canaries=(b"\xff\xfe",)))


def test_raw_dead_letters_hold_what_the_events_hold_on_purpose() -> None:
    story = calm()
    by_place = {(p, m.offset): m.value for p, messages in story.events.items() for m in messages}
    for letter in story.letters:
        letter.value = by_place[letter.unit[:2]] or b""
    story.raw_letters = True
    canary = next(v[2:10] for v in by_place.values() if v and v[2:10] != first(story, "analytics").value[2:10])
    assert story.codes(AuditOptions(canaries=(canary,))) == set()


# --------------------------------------------------------------------------------------------- what the options ask


def test_fewer_events_than_expected_are_found() -> None:
    assert calm().codes(AuditOptions(min_events=80)) == set()
    assert_found(calm(), FindingCode.TOO_FEW_EVENTS, AuditOptions(min_events=81))


@pytest.mark.parametrize("sink", ["analytics", "local", "blind", LETTERS])
def test_a_sink_that_is_not_at_the_end_is_found_if_it_had_to_be(sink: str) -> None:
    story = calm()
    options = AuditOptions(require_complete=True)
    assert story.codes(options) == set()
    story.cursors[sink][1] -= 1 + story.ends[1] - (story.events[1][-1].offset + 1)
    assert story.codes() == set()
    assert_found(story, FindingCode.INCOMPLETE, options)


def test_a_sink_without_any_cursor_is_incomplete() -> None:
    story = calm()
    del story.cursors["blind"][0]
    assert FindingCode.INCOMPLETE in story.codes(AuditOptions(require_complete=True))


def test_what_retention_took_cannot_be_proved() -> None:
    story = calm()
    story.lows[0] = 20
    assert story.codes() == set()
    assert_found(story, FindingCode.UNVERIFIABLE, AuditOptions(require_complete=True))
    report = story.audit()
    analytics = next(sink.totals for sink in report.sinks if sink.sink_id == "analytics")
    assert analytics.gone_offsets == 20
    assert analytics.gone_records > 0


def test_what_a_sinks_own_retention_took_cannot_be_proved() -> None:
    story = calm()
    sink = story.sinks["analytics"]
    gone = sink.of(0)[:4]
    sink.records = [record for record in sink.records if record not in gone]
    sink.lows[0] = 4
    assert story.codes() == set()
    assert_found(story, FindingCode.UNVERIFIABLE, AuditOptions(require_complete=True))


def test_every_code_is_provoked_here() -> None:
    """A code that no test provokes might as well not be there. By what stands here, since tests may run anywhere."""
    tree = ast.parse(Path(__file__).read_text(encoding="utf-8"))
    named = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "FindingCode"
    }
    assert {code.name for code in FindingCode} - named == set()
