"""What has to be true of an outing, in whatever configuration and on whatever broker."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from tests.canary.canaries import PLAIN, Canary, Reach
from tests.canary.events import Group, Sowing
from tests.canary.everything import Places, finds
from tests.canary.outing import Outcome
from tests.canary.search import Find, Search

HAPPENED = (
    "sink failed",
    "sink recovered",
    "record refused for ever by its sink",
    "worker stopped",
    "run summary",
)
"""Lines of the log without which an outing was no trouble at all."""


def assert_the_search_would_find(sowing: Sowing, events: Places) -> None:
    """Every canary is in the events, so that whatever is not found elsewhere is not there."""
    found = Search(sowing.canaries).canaries_within(b"".join(events.values()))
    absent = [str(canary) for canary in sowing.canaries if canary not in found]
    assert not absent, f"{len(absent)} canaries are in no event, such as {absent[:5]}"


def granted(sowing: Sowing, *groups: Group) -> frozenset[Canary]:
    """What of these events' content may be seen: the plain words that the allow-list lets through."""
    return frozenset(c for c in sowing.of(*groups) if c.category == PLAIN and c.reach is Reach.GRANTED)


def assert_eventful(outcome: Outcome, *, killed: bool) -> None:
    """Everything was exported or accounted for, through failures, refusals, a kill and a restart; not just silence."""
    assert not outcome.audit_findings, outcome.places["audit"].decode()[-3_000:]
    for event in HAPPENED:
        assert event in outcome.said, f"it never came to '{event}'"
    assert outcome.said.count("worker started") == (2 if killed else 1)
    assert outcome.said.count("worker stopped") == 1, "the first one was to be killed"
    for name in ("health: values", "dead letters: values", "cursors", "cursors show", "validate", "privacy explain"):
        assert outcome.places[name], f"nothing in {name}"


def assert_nothing_left(sowing: Sowing, outcome: Outcome) -> None:
    """No canary of any sort, anywhere."""
    assert_only(sowing, outcome, {})


def assert_only(sowing: Sowing, outcome: Outcome, permitted: Mapping[str, frozenset[Canary]]) -> None:
    """At each place only the canaries that are permitted there; at every other place none."""
    leaks = [
        f"{place}: {find}"
        for place, found in finds(Search(sowing.canaries), outcome.places).items()
        for find in _leaks(found, permitted.get(place, frozenset()))
    ]
    assert not leaks, f"{len(leaks)} leaks:\n" + "\n".join(leaks[:40])


def assert_there(sowing: Sowing, outcome: Outcome, place: str, expected: frozenset[Canary]) -> None:
    """Every one of these is at the place: what nobody gets proves nothing about those who do not get it."""
    found = Search(sowing.canaries).canaries_within(outcome.places.get(place, b""))
    absent = sorted(str(canary) for canary in expected - found)
    assert expected, f"nothing was to be in {place}, which proves nothing"
    assert not absent, f"{len(absent)} of {len(expected)} are not in {place}:\n" + "\n".join(absent[:40])


def assert_gates_named(sowing: Sowing, outcome: Outcome, expected: Mapping[tuple[str, Group], Sequence[str]]) -> None:
    """Every event's records name exactly the gates that are closed for it, whatever else keeps its content back.

    Some gates have a second protection behind them, so that one of them taken away lets nothing out; it shows here.
    """
    wrong = []
    for (sink, group), gates in expected.items():
        named = _gates_named(outcome.records[sink])
        assert sowing.event_ids(group), f"there are no {group}, which proves nothing"
        wrong += [
            f"sink {sink}: {event_id} of {group} names {sorted(named[event_id])} instead of {tuple(gates)}"
            for event_id in sorted(sowing.event_ids(group))
            if named[event_id] != {tuple(gates)}
        ]
    assert not wrong, f"{len(wrong)} events with other gates:\n" + "\n".join(wrong[:40])


def _gates_named(records: Sequence[Mapping[str, Any]]) -> Mapping[str, set[tuple[str, ...]]]:
    """By event id, what its records name: the same in all of them that were decided about."""
    named: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for record in records:
        if record["capture"] is not None:
            named[record["event_cursor"]["event_id"]].add(tuple(record["capture"]["closed_gates"]))
    return named


def assert_raw_letters(sowing: Sowing, outcome: Outcome) -> None:
    """With `dead_letter.raw`, the bytes of undecodable events are in the letters, all of them, and nowhere else.

    Of good events that a sink refused, letters hold the record, which has no content.
    """
    poison, keys = sowing.of(Group.POISON), frozenset(c for c in sowing.canaries if c.position == "message key")
    assert_only(sowing, outcome, {"dead letters: values": poison, "dead letters: keys": keys})
    assert_there(sowing, outcome, "dead letters: values", poison)


def _leaks(found: frozenset[Find], permitted: frozenset[Canary]) -> list[Find]:
    """Each canary once, by the shortest way in which it was found."""
    shortest: dict[Canary, Find] = {}
    for find in sorted(found, key=lambda find: (len(find.layers), find.layers)):
        if find.canary not in permitted:
            shortest.setdefault(find.canary, find)
    return sorted(shortest.values(), key=str)
