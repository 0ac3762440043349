"""What is worth knowing and no fault, and what an audit may believe when the configuration changed on the way."""

from dataclasses import replace
from pathlib import Path

import pytest

from tailrace.audit import AuditOptions, EvidenceUnreadable, FindingCode, NoteCode, Omission, PlanInvalid, Selection
from tailrace.audit.evidence import Message
from tailrace.audit.wire import FRAME, Schemas
from tailrace.domain.ledger import ExportMark, Gap, LaneStarted
from tests.unit.audit.corruptions import add_gap, drop_entries, first, last, remove, unreadable_offset
from tests.unit.audit.stories import TOPIC, Story, Temper, Written, letter_of, story_of


def calm() -> Story:
    return story_of(1, count=80)


def start_again(story: Story, sink_id: str, cursor: int, *, digest: str = "c") -> None:
    """One more lane start on partition 0, and after it the gaps that the new lane finds again."""
    start = story.entries(sink_id, LaneStarted, 0)[0].entry
    assert isinstance(start, LaneStarted)
    gaps = story.entries(sink_id, Gap, 0)
    story.ledger.append(Written(replace(start, cursor=cursor, config_digest=digest)))
    story.ledger.extend(gaps)


def test_a_cursor_that_a_zombie_set_back_is_no_fault() -> None:
    story = calm()
    start_again(story, "blind", 20)
    start_again(story, "blind", 10)
    assert story.codes() == set()
    assert NoteCode.CURSOR_SET_BACK in story.notes()


def test_a_committed_cursor_below_the_last_lane_start_is_no_fault() -> None:
    story = calm()
    start_again(story, "analytics", story.ends[0])
    story.cursors["analytics"][0] = 10
    assert NoteCode.CURSOR_SET_BACK in story.notes()
    assert story.codes() == set()


def test_lane_starts_under_two_configurations_are_told() -> None:
    story = calm()
    assert NoteCode.CONFIG_CHANGED not in story.notes()
    start_again(story, "analytics", story.ends[0], digest="other")
    assert NoteCode.CONFIG_CHANGED in story.notes()
    assert story.codes() == set()


def changed_selection() -> Story:
    """Analytics took everything up to offset 20 of partition 0, and from there on usage alone."""
    story = calm()
    sink = story.sinks["analytics"]
    start_again(story, "analytics", 20, digest="usage only")
    usage = Selection(kinds=frozenset({"usage"}))
    sink.plan = replace(sink.plan, selection=usage, earlier_selections={"c": Selection()})
    sink.records = [r for r in sink.records if r.unit[0] != 0 or r.unit[1] < 20 or r.unit[2] == "usage"]
    return story


def test_each_lane_is_held_to_the_selection_of_its_own_time() -> None:
    story = changed_selection()
    assert story.codes() == set()
    assert NoteCode.CONFIG_CHANGED not in story.notes()


def test_without_the_earlier_selection_what_was_exported_then_is_a_finding() -> None:
    story = changed_selection()
    sink = story.sinks["analytics"]
    sink.plan = replace(sink.plan, earlier_selections={})
    assert story.codes() == {FindingCode.EXPORTED_THOUGH_FILTERED}


def test_a_record_missing_under_the_earlier_selection_is_found() -> None:
    story = changed_selection()
    remove(story, "analytics", first(story, "analytics", kind="progress").unit)
    assert story.codes() == {FindingCode.MISSING}


def test_a_torn_last_line_is_told_and_no_fault() -> None:
    story = calm()
    story.sinks["local"].torn = b'{"schema_ver'
    assert story.codes() == set()
    assert NoteCode.TORN_LINE in story.notes()


def test_lines_that_rotation_removed_are_not_provable_and_no_loss() -> None:
    story = calm()
    sink = story.sinks["local"]
    sink.records, sink.files_complete = sink.records[30:], False
    report = story.audit(AuditOptions(require_complete=True))
    assert report.findings == ()
    assert next(s.totals.unverifiable for s in report.sinks if s.sink_id == "local") == 30
    assert NoteCode.FILES_ROTATED_AWAY in story.notes()


def test_a_line_missing_after_the_first_one_left_is_a_loss_all_the_same() -> None:
    story = calm()
    sink = story.sinks["local"]
    sink.records, sink.files_complete = sink.records[30:], False
    remove(story, "local", last(story, "local").unit)
    assert story.codes() == {FindingCode.MISSING}


def test_an_unreadable_event_owes_a_gap_whatever_rotation_removed() -> None:
    """It was in no line, so no removed line can have been its trace."""
    story = calm()
    sink = story.sinks["local"]
    sink.records, sink.files_complete = [], False
    drop_entries(story, story.entries("local", Gap))
    assert story.codes() == {FindingCode.MISSING}


def test_a_file_sink_with_nothing_left_of_a_partition_proves_nothing_about_it() -> None:
    story = calm()
    sink = story.sinks["local"]
    sink.records, sink.files_complete = [r for r in sink.records if r.unit[0] == 1], False
    assert story.codes() == set()


def without_files(story: Story) -> Story:
    """As an audit finds it that looks in another directory than the worker wrote to."""
    sink = story.sinks["local"]
    sink.records, sink.no_files = [], True
    return story


def test_files_that_are_not_there_leave_no_verdict_where_lines_would_be_missing() -> None:
    """A relative path leads elsewhere from another directory: the whole one is named, and nothing is called a loss."""
    with pytest.raises(EvidenceUnreadable) as unreadable:
        without_files(calm()).audit()
    assert unreadable.value.source == str(Path("local").absolute())


def test_a_file_sink_that_has_exported_nothing_needs_no_file() -> None:
    story = without_files(calm())
    story.sinks["local"].plan = replace(story.sinks["local"].plan, selection=Selection(agents=frozenset({"nobody"})))
    drop_entries(story, story.entries("local", ExportMark))
    assert story.codes() == set()


def test_a_file_without_a_line_is_one_all_the_same() -> None:
    story = calm()
    story.sinks["local"].records = []
    assert story.codes() == {FindingCode.MISSING}


def test_gaps_of_what_retention_took_from_the_events_are_believed() -> None:
    story = calm()
    story.lows[0] = 15
    add_gap(story, "blind", [(0, 14, ())], reason="retention_lost")
    assert story.codes() == set()
    assert NoteCode.EVENTS_TRIMMED in story.notes()


def test_what_retention_took_before_a_sink_first_started_was_never_its_business() -> None:
    story = calm()
    story.lows[0] = 20
    for sink_id, sink in story.sinks.items():
        sink.records = [r for r in sink.records if r.unit[0] != 0 or r.unit[1] >= 20]
        start = story.entries(sink_id, LaneStarted, 0)[0]
        assert isinstance(start.entry, LaneStarted)
        start.entry = replace(start.entry, cursor=20)
    story.with_letters = False
    assert story.codes(AuditOptions(require_complete=True)) == set()
    assert {sink.totals.gone_offsets for sink in story.audit().sinks} == {0}


def test_a_sink_that_the_plan_does_not_name_is_told() -> None:
    story = calm()
    del story.sinks["blind"]
    assert story.codes() == set()
    assert NoteCode.FOREIGN_LEDGER_ENTRY in story.notes()


def test_dead_letters_of_a_sink_that_was_taken_out_of_the_configuration_are_told_and_no_fault() -> None:
    """The letters stay as long as their topic keeps them, and nothing about the sink can be proved any more."""
    story = story_of(1, Temper(refusals=0.1), count=80)
    assert any(dict(letter.headers).get("tailrace.sink") == b"billing" for letter in story.letters)
    del story.sinks["billing"]
    report = story.audit()
    assert report.findings == ()
    assert [note.sink_id for note in report.notes if note.code == NoteCode.FOREIGN_LETTER] == ["billing"]


def doubtful(story: Story) -> int:
    """Make one event spell its tags in two blocks, which is legal and which a strict reader may still refuse."""
    schemas = Schemas()
    unit = first(story, "analytics", kind="progress").unit
    index = next(i for i, message in enumerate(story.events[0]) if message.offset == unit[1])
    message = story.events[0][index]
    event = schemas.decode(message.value, schemas.event)
    assert event is not None
    body = schemas.event.encode({**event, "tags": ["Q", "Z"]})
    assert body.count(b"\x04\x02Q\x02Z\x00") == 1
    spelled = body.replace(b"\x04\x02Q\x02Z\x00", b"\x02\x02Q\x02\x02Z\x00")
    story.events[0][index] = Message(message.offset, message.key, FRAME + schemas.event.fingerprint + spelled)
    return unit[1]


def test_an_event_of_doubtful_spelling_may_be_exported() -> None:
    """Tags are not in any record, so what the sinks hold is still what the event yields."""
    story = calm()
    doubtful(story)
    assert story.codes() == set()


def test_an_event_of_doubtful_spelling_may_be_called_undecodable() -> None:
    story = story_of(1, Temper(marks=False), count=80)
    offset = doubtful(story)
    for sink_id in ("analytics", "local", "blind", "billing"):
        story.sinks[sink_id].records = [r for r in story.sinks[sink_id].records if r.unit[:2] != (0, offset)]
        add_gap(story, sink_id, [(offset, offset, ())], reason="undecodable")
    value = next(message.value for message in story.events[0] if message.offset == offset)
    before = [letter for letter in story.letters if letter.unit[0] == 0 and letter.unit[1] < offset]
    place = story.letters.index(before[-1]) + 1 if before else 0
    letter = letter_of((0, offset, "event"), value, "VALUE_CONVERTER", "tailrace.projector")
    story.letters.insert(place, letter)
    assert story.codes() == set()
    assert NoteCode.DOUBTFUL_EVENT in story.notes()


def test_an_event_of_doubtful_spelling_may_not_vanish() -> None:
    story = calm()
    offset = doubtful(story)
    remove(story, "analytics", (0, offset, "progress"))
    assert story.codes() == {FindingCode.MISSING}


def test_usage_and_cost_entries_of_other_programs_are_none_of_an_audits_business() -> None:
    story = calm()
    schemas = Schemas()
    units = {"input_tokens": 1}
    entry = {"usage_record_id": "u", "units": units, "provider_id": None, "model_id": None}
    value = schemas.health.encode({"record_id": "r", "payload_kind": "usage", "usage": entry})
    story.ledger.append(replace(story.ledger[0], key=b"r", value=FRAME + schemas.health.fingerprint + value))
    assert story.codes() == set()


def test_a_topic_made_anew_begins_a_new_history() -> None:
    """What the ledger said of the old topic speaks of other offsets: its lane starts, gaps and marks do not count."""
    story = calm()
    gaps = story.entries("blind", Gap, 0)
    start = story.entries("blind", LaneStarted, 0)[0]
    assert isinstance(start.entry, LaneStarted)
    start.entry = replace(start.entry, topic_id="old")
    add_gap(story, "blind", [(0, 500, ("usage",))])
    assert story.codes() != set()
    story.ledger.append(Written(replace(start.entry, topic_id="new")))
    story.ledger.extend(gaps)
    assert story.codes() == set()
    assert NoteCode.TOPIC_REPLACED in story.notes()


def test_a_cluster_that_cannot_tell_topics_apart_begins_no_new_history() -> None:
    story = calm()
    start = story.entries("blind", LaneStarted, 0)[0]
    assert isinstance(start.entry, LaneStarted)
    story.ledger.append(Written(replace(start.entry, topic_id="known", cursor=story.ends[0])))
    story.ledger.append(Written(replace(start.entry, topic_id=None, cursor=story.ends[0])))
    assert story.codes() == set()
    assert NoteCode.TOPIC_REPLACED not in story.notes()


def test_entries_of_another_group_are_none_of_an_audits_business() -> None:
    """Two groups of workers may share a health topic, and have sinks of one name."""
    story = calm()
    entry = story.entries("analytics", Gap, 0)[0].entry
    assert isinstance(entry, Gap)
    other = replace(entry, lane=replace(entry.lane, group="other"), records=99)
    story.ledger.append(Written(other))
    assert story.codes() == set()
    story.ledger[-1] = Written(replace(other, lane=replace(entry.lane, group="group")))
    assert FindingCode.GAP_MISCOUNTED in story.codes()


def test_entries_about_another_events_topic_are_none_of_it_either() -> None:
    story = calm()
    entry = story.entries("analytics", Gap, 0)[0].entry
    assert isinstance(entry, Gap)
    story.ledger.append(Written(replace(entry, topic=f"{TOPIC}.other", records=99)))
    assert story.codes() == set()


# ------------------------------------------------------------------------------------------------- leaving records out


def omitting(story: Story, omission: Omission) -> set[str]:
    return story.codes(AuditOptions(omissions=(omission,)))


def test_a_record_left_out_is_missed_at_every_sink_that_can_be_read_back() -> None:
    for sink_id in ("analytics", "local", "billing", "dead_letter"):
        assert omitting(calm(), Omission(sink_id)) == {FindingCode.MISSING}


def test_the_record_left_out_can_be_named() -> None:
    story = calm()
    partition, offset, kind = last(story, "analytics").unit
    report = story.audit(AuditOptions(omissions=(Omission("analytics", partition, offset, kind),)))
    (finding,) = report.findings
    assert (finding.sink_id, finding.partition, finding.examples) == ("analytics", partition, (f"{offset}:{kind}",))


def test_leaving_out_what_is_not_there_is_refused_so_that_no_test_passes_for_nothing() -> None:
    story = calm()
    nowhere = unreadable_offset(story)
    for omission in (
        Omission("analytics", 0, nowhere),
        Omission("analytics", 0, 0, "cost_correction"),
        Omission("analytics", 9, 0),
        Omission("blind"),
        Omission("nobody"),
    ):
        with pytest.raises(PlanInvalid, match="omit"):
            omitting(calm(), omission)


def test_a_sink_may_not_have_the_id_of_the_dead_letter_lane() -> None:
    story = calm()
    sink = story.sinks["blind"]
    sink.plan = replace(sink.plan, sink_id="dead_letter")
    with pytest.raises(PlanInvalid, match="sinks"):
        story.audit()


def test_a_story_with_every_kind_of_trouble_sums_up() -> None:
    story = story_of(4, Temper(lives=3, drops=0.2, failures=0.05, refusals=0.05, stops_early=True), count=80)
    for sink in story.audit().sinks:
        assert sink.totals.units == sink.totals.sum_of_parts
