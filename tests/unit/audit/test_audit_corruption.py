"""A true story with one random corruption: the audit always notices, whatever else happened in the story."""

from collections.abc import Callable
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tailrace.domain.kinds import FailureKind
from tailrace.domain.ledger import Gap, LaneStarted
from tailrace.synthetic.chance import Chance
from tests.unit.audit.corruptions import copy_of, drop_entries, rewrite
from tests.unit.audit.stories import (
    LETTERS,
    Arrived,
    SinkStory,
    Story,
    Temper,
    Unit,
    Written,
    story_of,
    units_of,
)

READ_BACK = ("analytics", "local", "billing")

Corruption = Callable[[Story, Chance], set[str] | None]
"""Corrupts a story and returns the codes of which at least one has to be found; None where it does not apply."""


def _claimed(story: Story, sink_id: str) -> set[Unit]:
    """Every unit that any gap of the sink ever claimed; the kinds of whole events are all that there are."""
    claimed: set[Unit] = set()
    for written in story.entries(sink_id, Gap):
        claimed |= _units_of_gap(written)
    return claimed


def _units_of_gap(written: Written) -> set[Unit]:
    gap = written.entry
    assert isinstance(gap, Gap)
    return {
        (gap.partition, offset, kind)
        for run in gap.runs
        for offset in range(run.first_offset, run.last_offset + 1)
        for kind in (map(str, run.kinds) if run.kinds else ("event",))
    }


def _cursors_of_restarts(story: Story, sink_id: str, partition: int) -> list[int]:
    starts = [written.entry for written in story.entries(sink_id, LaneStarted, partition)]
    return [start.cursor for start in starts[1:] if isinstance(start, LaneStarted)]


def _holder(story: Story, chance: Chance) -> tuple[str, list[Arrived]]:
    """A sink that can be read back, or the dead letters of undecodable events."""
    sink_id = chance.one_of((*READ_BACK, LETTERS))
    if sink_id == LETTERS:
        return sink_id, [letter for letter in story.letters if letter.unit[2] == "event"]
    return sink_id, story.sinks[sink_id].records


def delete_a_record(story: Story, chance: Chance) -> set[str] | None:
    sink_id, records = _holder(story, chance)
    claimed = _claimed(story, sink_id)
    due = [r for r in records if r.unit[1] < story.cursors[sink_id][r.unit[0]] and r.unit not in claimed]
    if not due:
        return None
    unit = chance.one_of(due).unit
    kept = [record for record in records if record.unit != unit]
    if sink_id == LETTERS:
        story.letters = [letter for letter in story.letters if letter.unit != unit]
    else:
        story.sinks[sink_id].records = kept
    return {"missing"}


def alter_a_record(story: Story, chance: Chance) -> set[str] | None:
    sink_id = chance.one_of(READ_BACK)
    records = story.sinks[sink_id].records
    if not records:
        return None
    name = chance.one_of(("run_id", "agent_id", "trace_id", "event_kind", "privacy", "recorded_at", "projection_id"))
    value = {"privacy": "secret", "recorded_at": 7}.get(name, "something else")
    rewrite(story, sink_id, chance.one_of(records), lambda fields: fields.update({name: value}))
    return {"altered"}


def flip_a_bit_of_a_record(story: Story, chance: Chance) -> set[str] | None:
    sink_id = chance.one_of(("analytics", "billing"))
    records = story.sinks[sink_id].records
    if not records:
        return None
    record = chance.one_of(records)
    place = chance.between(0, len(record.value) - 1)
    flipped = record.value[place] ^ 1 << chance.between(0, 7)
    record.value = record.value[:place] + bytes((flipped,)) + record.value[place + 1 :]
    return {"altered", "unreadable_record", "no_such_event", "no_such_projection", "missing"}


def send_a_record_again(story: Story, chance: Chance) -> set[str] | None:
    sink_id, records = _holder(story, chance)
    old = [r for r in records if all(r.unit[1] < c for c in _cursors_of_restarts(story, sink_id, r.unit[0]))]
    if not old:
        return None
    (story.letters if sink_id == LETTERS else records).append(copy_of(chance.one_of(old)))
    return {"duplicate_unexplained"}


def swap_two_records(story: Story, chance: Chance) -> set[str] | None:
    sink_id = chance.one_of(READ_BACK)
    records, claimed = story.sinks[sink_id].records, _claimed(story, sink_id)
    once = [r for r in records if sum(other.unit == r.unit for other in records) == 1 and r.unit not in claimed]
    pairs = [(a, b) for a, b in pairwise(once) if _in_one_stream(a, b) and a.unit[1] < b.unit[1]]
    if not pairs:
        return None
    a, b = (records.index(record) for record in chance.one_of(pairs))
    records[a], records[b] = records[b], records[a]
    return {"out_of_order"}


def _in_one_stream(a: Arrived, b: Arrived) -> bool:
    return (a.unit[0], a.sink_partition) == (b.unit[0], b.sink_partition)


def lose_a_gap(story: Story, chance: Chance) -> set[str] | None:
    sink_id = chance.one_of((*READ_BACK, "blind"))
    gaps = [written for written in story.entries(sink_id, Gap) if _is_needed(story, sink_id, written)]
    if not gaps:
        return None
    drop_entries(story, [chance.one_of(gaps)])
    return {"missing"}


def _is_needed(story: Story, sink_id: str, written: Written) -> bool:
    gap = written.entry
    assert isinstance(gap, Gap)
    if sink_id == "blind" and gap.reason is not FailureKind.UNDECODABLE:
        return False
    others: set[Unit] = set()
    for other in story.entries(sink_id, Gap):
        others |= _units_of_gap(other) if other is not written else set()
    held = {record.unit for record in story.sinks[sink_id].records}
    needed = _units_of_gap(written) - others - held
    return any(unit[1] < story.cursors[sink_id][unit[0]] for unit in needed)


def move_a_cursor_ahead(story: Story, chance: Chance) -> set[str] | None:
    sink_id, records = _holder(story, chance)
    sink = story.sinks.get(sink_id)
    accounted = {record.unit for record in records} | _claimed(story, sink_id)
    partition = chance.one_of(tuple(story.events))
    owed = [unit for unit in _wanted(story, sink) if unit[0] == partition and unit not in accounted]
    if not owed:
        return None
    story.cursors[sink_id][partition] = story.ends[partition]
    return {"missing"}


def _wanted(story: Story, sink: SinkStory | None) -> list[Unit]:
    """What a sink has to get, or with None the dead letters."""
    return [unit for unit, wanted in units_of(story, sink) if wanted]


def invent_a_record(story: Story, chance: Chance) -> set[str] | None:
    sink_id = chance.one_of(READ_BACK)
    records = story.sinks[sink_id].records
    if not records:
        return None
    record = copy_of(chance.one_of(records))
    partition = record.unit[0]
    offset = story.ends[partition] + chance.between(0, 10)

    def elsewhere(fields: dict[str, object]) -> None:
        fields["source"] = {"topic": "agent.events", "partition": partition, "offset": offset}

    rewrite(story, sink_id, record, elsewhere)
    records.append(record)
    return {"no_such_event"}


STORIES = {
    "calm": Temper(),
    "restarted": Temper(lives=3),
    "unfinished": Temper(lives=2, stops_early=True),
    "dropping": Temper(drops=0.15),
    "dropping and restarted": Temper(lives=3, drops=0.15),
    "failing": Temper(lives=2, failures=0.1),
    "refusing": Temper(lives=2, refusals=0.05),
    "everything": Temper(lives=3, drops=0.1, failures=0.05, refusals=0.05, stops_early=True),
}
WITHOUT_SENDING_AGAIN = ("calm", "restarted", "unfinished", "dropping", "dropping and restarted")
WITHOUT_LATE_RECORDS = ("calm", "restarted", "unfinished", "dropping")

APPLIES_TO: dict[Corruption, tuple[str, ...]] = {
    delete_a_record: tuple(STORIES),
    alter_a_record: tuple(STORIES),
    flip_a_bit_of_a_record: tuple(STORIES),
    lose_a_gap: tuple(STORIES),
    invent_a_record: tuple(STORIES),
    move_a_cursor_ahead: ("unfinished", "everything"),
    send_a_record_again: WITHOUT_SENDING_AGAIN,
    swap_two_records: WITHOUT_LATE_RECORDS,
}


def _story(seed: int, name: str) -> Story:
    return story_of(seed, STORIES[name], count=40, poison_rate=0.12)


@cache
def _is_true(seed: int, name: str) -> bool:
    return _story(seed, name).codes() == set()


@pytest.mark.parametrize("corruption", APPLIES_TO, ids=lambda corruption: corruption.__name__)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(choices=st.data(), seed=st.integers(0, 40), chance=st.integers(0, 100_000))
def test_one_corruption_is_always_found(corruption: Corruption, choices: st.DataObject, seed: int, chance: int) -> None:
    name = choices.draw(st.sampled_from(APPLIES_TO[corruption]))
    assert _is_true(seed, name)
    story = _story(seed, name)
    expected = corruption(story, Chance(f"corruption {chance}"))
    assume(expected is not None)
    assert expected is not None
    assert story.codes() & expected
