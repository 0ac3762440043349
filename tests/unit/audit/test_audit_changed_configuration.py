"""A configuration that changed: what cannot be decided any more is said to be so, and everything else still proved."""

from dataclasses import replace

import pytest

from tailrace.audit import AuditOptions, FindingCode, NoteCode, Selection
from tailrace.domain.kinds import FailureKind
from tailrace.domain.ledger import ExportMark, Gap, LaneStarted, SinkFailed
from tests.unit.audit.corruptions import add_gap, copy_of, drop_entries, first, lane_of, last, remove, rewrite
from tests.unit.audit.stories import LETTERS, Story, Temper, Unit, Written, letter_of, story_of

USAGE = Selection(kinds=frozenset({"usage"}))
CHANGE = 20
"""The offset of partition 0 at which the later configuration took over."""

BEFORE, NOW = "c", "now"
"""Digests of the two configurations; `c` is that of every lane start in a story."""


def start_under(story: Story, digest: str, cursor: int, *, sink_id: str = "analytics") -> Written:
    """One more lane start of partition 0, and after it the gaps that its lane finds again."""
    start = story.entries(sink_id, LaneStarted, 0)[0].entry
    assert isinstance(start, LaneStarted)
    again = [one for one in story.entries(sink_id, Gap, 0) if isinstance(one.entry, Gap)]
    written = Written(replace(start, cursor=cursor, config_digest=digest, lane=replace(start.lane, start_id=digest)))
    story.ledger.append(written)
    story.ledger.extend(again)
    return written


def changed(wanted_before: Selection, wanted_now: Selection, *, told: bool = False) -> Story:
    """Analytics wanted one thing up to the change, and another from there on; `told`: the plan names the first."""
    story = story_of(1, count=80)
    sink = story.sinks["analytics"]
    start_under(story, NOW, CHANGE)
    start_of_other_partition = story.entries("analytics", LaneStarted, 1)[0]
    assert isinstance(start_of_other_partition.entry, LaneStarted)
    start_of_other_partition.entry = replace(start_of_other_partition.entry, config_digest=NOW)
    for mark in story.entries("analytics", ExportMark):
        assert isinstance(mark.entry, ExportMark)
        mark.entry = replace(mark.entry, next_offset=CHANGE if mark.entry.partition == 0 else mark.entry.next_offset)
    sink.plan = replace(
        sink.plan, selection=wanted_now, config_digest=NOW, earlier_selections={BEFORE: wanted_before} if told else {}
    )
    sink.records = [
        record
        for record in sink.records
        if (wanted_before if record.unit[:2] < (0, CHANGE) else wanted_now).admits(record.unit[2], "", "")
    ]
    return story


def unverifiable(story: Story, sink_id: str = "analytics") -> int:
    return next(sink.totals.unverifiable for sink in story.audit().sinks if sink.sink_id == sink_id)


BOTH_WAYS = pytest.mark.parametrize(
    ("before", "now"), [(Selection(), USAGE), (USAGE, Selection())], ids=["narrowed", "widened"]
)


@BOTH_WAYS
def test_after_a_change_of_selection_nothing_is_called_a_fault(before: Selection, now: Selection) -> None:
    story = changed(before, now)
    assert story.codes() == set()
    assert NoteCode.CONFIG_CHANGED in story.notes()
    for sink in story.audit().sinks:
        assert sink.totals.units == sink.totals.sum_of_parts


def test_what_an_earlier_lane_did_not_export_cannot_be_proved_and_is_said_to_be_so() -> None:
    """It may have been filtered, or lost: the ledger has the digest of what that lane wanted, not the words."""
    story = changed(USAGE, Selection())
    assert unverifiable(story) > 10
    assert story.codes(AuditOptions(require_complete=True)) == {FindingCode.UNVERIFIABLE}


@BOTH_WAYS
def test_told_what_an_earlier_lane_wanted_everything_is_proved(before: Selection, now: Selection) -> None:
    story = changed(before, now, told=True)
    assert story.codes(AuditOptions(require_complete=True)) == set()
    assert unverifiable(story) == 0
    assert NoteCode.CONFIG_CHANGED not in story.notes()
    remove(story, "analytics", first(story, "analytics", kind="usage").unit)
    assert story.codes() == {FindingCode.MISSING}


def test_a_record_that_the_present_lane_owes_is_missing_all_the_same() -> None:
    story = changed(USAGE, Selection())
    unit = last(story, "analytics", partition=0).unit
    assert unit[1] > CHANGE
    remove(story, "analytics", unit)
    assert story.codes() == {FindingCode.MISSING}


def test_what_an_earlier_lane_exported_is_compared_all_the_same() -> None:
    story = changed(Selection(), USAGE)
    rewrite(story, "analytics", first(story, "analytics"), lambda fields: fields.update(agent_id="x"))
    assert story.codes() == {FindingCode.ALTERED}


def test_what_an_earlier_lane_wrote_twice_is_a_finding_all_the_same() -> None:
    story = changed(Selection(), USAGE)
    story.sinks["analytics"].records.insert(5, copy_of(first(story, "analytics")))
    assert FindingCode.DUPLICATE_UNEXPLAINED in story.codes()


def test_a_gap_of_an_earlier_lane_is_believed_and_not_measured_by_todays_selection() -> None:
    story = changed(Selection(), USAGE)
    _, offset, kind = first(story, "analytics", kind="progress").unit
    remove(story, "analytics", (0, offset, kind))
    gap = add_gap(story, "analytics", [(offset, offset, (kind,))])
    story.ledger.remove(gap)
    story.ledger.insert(story.ledger.index(story.entries("analytics", LaneStarted, 0)[1]), gap)
    assert story.codes() == set()
    assert next(s.totals.missed["overflow"] for s in story.audit().sinks if s.sink_id == "analytics") == 1


def test_a_gap_of_what_no_lane_ever_wanted_is_found_all_the_same() -> None:
    story = changed(Selection(kinds=frozenset({"usage", "cost_estimate"})), USAGE, told=True)
    _, offset, kind = _after_the_change(story, "progress")
    add_gap(story, "analytics", [(offset, offset, (kind,))])
    assert story.codes() == {FindingCode.GAP_OF_FILTERED}


def _after_the_change(story: Story, kind: str) -> Unit:
    """The first unit of this kind on partition 0 that the later lane dealt with."""
    units = (record.unit for record in story.sinks["local"].records)
    return next(unit for unit in units if unit[0] == 0 and unit[1] >= CHANGE and unit[2] == kind)


@pytest.mark.parametrize("told", [False, True])
def test_marks_are_measured_by_the_selection_of_their_own_lane(*, told: bool) -> None:
    """The earlier lane had come further than the cursor at which the later one began, and counted its own few."""
    story = changed(USAGE, Selection(), told=told)
    mark = story.entries("analytics", ExportMark, 0)[0]
    assert isinstance(mark.entry, ExportMark)
    mark.entry = replace(mark.entry, next_offset=CHANGE + 15, exported=1_000)
    assert story.codes() == set()
    mark.entry = replace(mark.entry, next_offset=CHANGE + 15, exported=0)
    assert story.codes() == set()
    owing = replace(mark.entry, lane=replace(mark.entry.lane, start_id=NOW), next_offset=story.ends[0], exported=0)
    story.ledger.append(Written(owing))
    assert story.codes() == {FindingCode.MARK_SHORT}


def test_a_later_lane_may_bring_late_what_an_earlier_one_left_out() -> None:
    """The earlier lane had come to the change and crashed: the later one begins below it, and wants more."""
    story = changed(USAGE, Selection())
    sink = story.sinks["analytics"]
    sink.plan = replace(sink.plan, may_drop=False)
    restart = story.entries("analytics", LaneStarted, 0)[1]
    assert isinstance(restart.entry, LaneStarted)
    restart.entry = replace(restart.entry, cursor=5)
    again = [
        copy_of(r)
        for r in story_of(1, count=80).sinks["analytics"].records
        if r.unit[0] == 0 and 5 <= r.unit[1] < CHANGE
    ]
    behind = next(i for i, r in enumerate(sink.records) if r.unit[:2] >= (0, CHANGE))
    sink.records[behind:behind] = again
    assert story.codes() == set()


def test_beside_a_worker_that_still_runs_with_the_configuration_of_before_nothing_can_be_decided() -> None:
    """The file was edited, and nobody has restarted the worker yet."""
    story = story_of(1, Temper(stops_early=True), count=80)
    sink = story.sinks["analytics"]
    sink.plan = replace(sink.plan, selection=USAGE, config_digest=NOW)
    assert story.codes() == set()
    assert NoteCode.CONFIG_CHANGED in story.notes()


def test_a_mark_beside_such_a_worker_claims_nothing_that_could_be_checked() -> None:
    story = story_of(1, Temper(stops_early=True), count=80, poison_rate=0.0)
    sink, cursor = story.sinks["analytics"], story.cursors["analytics"][0]
    sink.records = [r for r in sink.records if r.unit[0] == 1 or r.unit[1] < cursor]
    (mark,) = story.entries("analytics", ExportMark, 0)
    assert isinstance(mark.entry, ExportMark)
    mark.entry = replace(mark.entry, next_offset=story.ends[0], exported=1_000)
    assert story.codes() == {FindingCode.MARK_AHEAD}
    sink.plan = replace(sink.plan, config_digest=NOW)
    assert story.codes() == set()


def test_what_an_earlier_lane_sent_beyond_the_change_it_may_have_wanted() -> None:
    story = changed(Selection(), USAGE)
    sent = _after_the_change(story, "progress")
    records = story.sinks["analytics"].records
    behind = next(i for i, record in enumerate(records) if record.unit[:2] >= (0, CHANGE))
    records.insert(behind, copy_of(next(r for r in story_of(1, count=80).sinks["analytics"].records if r.unit == sent)))
    assert story.codes() == set()


def test_what_the_plan_calls_its_own_digest_it_cannot_call_an_earlier_one() -> None:
    story = changed(USAGE, USAGE, told=True)
    sink = story.sinks["analytics"]
    sink.plan = replace(sink.plan, earlier_selections={BEFORE: USAGE, NOW: Selection()})
    assert story.codes() == set()


def test_an_undecodable_event_owes_its_gap_whatever_the_configuration_was() -> None:
    story = under(story_of(1, count=80), NOW)
    drop_entries(story, story.entries("local", Gap))
    assert story.codes() == {FindingCode.MISSING}


def test_what_cannot_be_proved_of_a_file_for_another_reason_than_its_size_counts_as_that() -> None:
    story = story_of(1, count=80)
    sink = story.sinks["local"]
    sink.plan = replace(sink.plan, config_digest=NOW)
    options = AuditOptions(require_complete=True)
    assert story.codes(options) == set()
    remove(story, "local", first(story, "local").unit)
    assert story.codes(options) == {FindingCode.UNVERIFIABLE}


def test_a_lane_that_wants_less_resumes_behind_what_it_leaves_out() -> None:
    """The earlier lane sent everything and crashed; the later one met a failure where it sends nothing any more."""
    story = story_of(1, count=200)
    sink = story.sinks["analytics"]
    sink.plan = replace(
        sink.plan, selection=USAGE, config_digest=NOW, earlier_selections={BEFORE: Selection()}, may_drop=False
    )
    start_under(story, NOW, CHANGE)
    home = first(story, "analytics", kind="usage").sink_partition
    column = [r for r in sink.of(home) if r.unit[0] == 0 and r.unit[1] >= CHANGE]
    usage = [r for r in column if r.unit[2] == "usage"]
    resumed = next(one for one in usage[1:] if column[column.index(one) - 1].unit[2] == "progress")
    before = column[column.index(resumed) - 1]
    sink.records += [copy_of(r) for r in [*usage, *usage[usage.index(resumed) :]]]
    assert FindingCode.DUPLICATE_UNEXPLAINED in story.codes()
    failed = story_of(1, Temper(failures=0.5), count=80).entries("analytics", SinkFailed, 0)[0].entry
    assert isinstance(failed, SinkFailed)
    story.ledger.append(Written(replace(failed, lane=lane_of(story, "analytics"), offset=before.unit[1])))
    assert story.codes() == set()


# ------------------------------------------------------------------------------------------- the largest event


def under(story: Story, digest: str) -> Story:
    """The plan is that of a configuration with this digest."""
    for sink in story.sinks.values():
        sink.plan = replace(sink.plan, config_digest=digest)
    story.letters_digest = digest
    return story


def refused_as_too_large() -> Story:
    """An event that the earlier configuration called oversize, and the present one can read."""
    story = story_of(1, Temper(marks=False), count=80)
    unit = first(story, "analytics", kind="progress").unit
    for sink_id, sink in story.sinks.items():
        sink.records = [record for record in sink.records if record.unit[:2] != unit[:2]]
        add_gap(story, sink_id, [(unit[1], unit[1], ())], reason=FailureKind.UNDECODABLE.value, detail="oversize")
    value = next(message.value for message in story.events[0] if message.offset == unit[1])
    before = [letter for letter in story.letters if letter.unit[:2] < unit[:2]]
    place = story.letters.index(before[-1]) + 1 if before else 0
    story.letters.insert(place, letter_of((0, unit[1], "event"), value, "VALUE_CONVERTER", "tailrace.projector"))
    return story


def test_what_was_too_large_once_may_be_readable_now() -> None:
    assert under(refused_as_too_large(), NOW).codes() == set()
    assert under(refused_as_too_large(), BEFORE).codes() == {FindingCode.WRONGLY_UNDECODABLE, FindingCode.MISSING}


def test_an_event_that_was_called_undecodable_for_another_reason_is_found_whatever_has_changed() -> None:
    story = under(refused_as_too_large(), NOW)
    for written in story.ledger:
        if isinstance(written.entry, Gap) and written.entry.detail == "oversize":
            written.entry = replace(written.entry, detail="malformed")
    assert story.codes() == {FindingCode.WRONGLY_UNDECODABLE}


def too_large_now() -> Story:
    """Some events that the earlier configuration took are over the present one's limit."""
    story = story_of(1, count=80)
    sizes = sorted(len(m.value or b"") for messages in story.events.values() for m in messages)
    story.max_event_bytes = sizes[-5]
    return story


def test_what_was_read_once_may_be_too_large_now() -> None:
    story = under(too_large_now(), NOW)
    assert story.codes() == set()
    for sink in story.audit().sinks:
        assert sink.totals.units == sink.totals.sum_of_parts
    assert under(too_large_now(), BEFORE).codes() >= {FindingCode.NO_SUCH_PROJECTION, FindingCode.MISSING}


def test_what_is_too_large_now_and_nowhere_cannot_be_proved() -> None:
    story = under(too_large_now(), NOW)
    large = {
        (partition, message.offset)
        for partition, messages in story.events.items()
        for message in messages
        if len(message.value or b"") > story.max_event_bytes
    }
    before = unverifiable(story)
    sink = story.sinks["analytics"]
    sink.records = [record for record in sink.records if record.unit[:2] not in large]
    assert unverifiable(story) > before
    assert {FindingCode.MISSING} & story.codes() == set()
    assert unverifiable(story, LETTERS) > 0
