"""A health topic that got more partitions: a key's entries go on in another one, and their order is still known."""

from dataclasses import replace

import pytest

from tailrace.audit import AuditOptions, NoteCode
from tailrace.audit.findings import Findings
from tailrace.audit.ledger import History, Ledger
from tailrace.audit.wire import Schemas
from tailrace.domain.ledger import Gap, LaneStarted
from tests.unit.audit.corruptions import drop_entries
from tests.unit.audit.stories import TOPIC, Story, StoryEvidence, Temper, Written, story_of

TORN = Temper(lives=3, drops=0.2, failures=0.1, refusals=0.05, stops_early=True)


def moved(story: Story, *, down: bool) -> Story:
    """The health topic was widened between two lives of each lane; `down`: to a partition with a lower number."""
    for sink_id, partition in sorted({(one.entry.lane.sink_id, one.entry.partition) for one in story.ledger}):
        first, *_, last = story.entries(sink_id, LaneStarted, partition)
        earlier = [one for one in entries_of(story, sink_id, partition) if is_before(story, one, last)]
        later = [one for one in entries_of(story, sink_id, partition) if one not in earlier]
        assert first in earlier
        for one in earlier if down else later:
            one.health_partition = 1
    return story


def entries_of(story: Story, sink_id: str, partition: int) -> list[Written]:
    return [one for one in story.ledger if (one.entry.lane.sink_id, one.entry.partition) == (sink_id, partition)]


def is_before(story: Story, one: Written, other: Written) -> bool:
    places = {id(written): at for at, written in enumerate(story.ledger)}
    return places[id(one)] < places[id(other)]


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_a_ledger_that_went_on_in_another_partition_says_the_same(seed: int, *, down: bool) -> None:
    """Order is what decides which gap counts, what explains a repeated record, and which mark binds."""
    story = story_of(seed, TORN, count=80)
    unmoved = story.audit(AuditOptions(require_complete=True))
    report = moved(story, down=down).audit(AuditOptions(require_complete=True))
    assert report.findings == unmoved.findings
    assert [sink.totals for sink in report.sinks] == [sink.totals for sink in unmoved.sinks]
    assert {note.code for note in report.notes} - {note.code for note in unmoved.notes} == {NoteCode.LEDGER_MOVED}


def histories(story: Story) -> dict[tuple[str, int], History]:
    evidence, findings = StoryEvidence(story), Findings()
    ledger = Ledger(TOPIC, "group", Schemas(), findings)
    ledger.read(evidence.health(), evidence.health_ends())
    assert not findings
    places = {(one.entry.lane.sink_id, one.entry.partition) for one in story.ledger}
    return {place: ledger.history(*place) for place in places}


@pytest.mark.parametrize("down", [False, True])
def test_nothing_that_the_ledger_says_is_lost_on_the_way(*, down: bool) -> None:
    story = story_of(3, TORN, count=80)
    for written in story.ledger:
        if isinstance(written.entry, LaneStarted) and written.entry.lane.start_id.endswith("-2"):
            written.entry = replace(written.entry, topic_id="told late")
    before, after = histories(story), histories(moved(story, down=down))
    assert {place: history.health_partitions for place, history in after.items()} == {key: {0, 1} for key in after}
    assert {place: replace(history, health_partitions={0}) for place, history in after.items()} == before
    assert any(history.failed and history.refused and history.topic_id for history in before.values())


@pytest.mark.parametrize("down", [False, True])
def test_a_gap_before_the_move_counts_only_below_the_lane_start_behind_it(*, down: bool) -> None:
    story = story_of(2, Temper(lives=2, drops=0.3), count=80)
    before = story.codes()
    gaps = story.entries("analytics", Gap, 0)
    late = gaps[-1]
    drop_entries(story, [late])
    lost = story.codes()
    assert (before, lost) == (set(), {"missing"})
    assert moved(story, down=down).codes() == lost


@pytest.mark.parametrize("down", [False, True])
def test_a_topic_made_anew_between_two_partitions_begins_a_new_history(*, down: bool) -> None:
    story = story_of(1, Temper(), count=80)
    start = story.entries("blind", LaneStarted, 0)[0]
    assert isinstance(start.entry, LaneStarted)
    old = replace(start.entry, topic_id="old", cursor=7)
    for one in entries_of(story, "blind", 0):
        one.health_partition = 0 if down else 1
    start.entry = replace(start.entry, topic_id="new")
    story.ledger.insert(0, Written(old, health_partition=1 if down else 0))
    assert story.codes() == set()
    assert {NoteCode.TOPIC_REPLACED, NoteCode.LEDGER_MOVED} <= {note.code for note in story.audit().notes}
