"""Machine code takes what the generated functions take, as they do, or leaves it to them."""

import builtins
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from tailrace.codec.compiled_projector import CompiledProjector
from tailrace.codec.native import batch, kernel
from tailrace.codec.native.walk_program import NotNative
from tailrace.codec.reference_projector import DEFAULT_MAX_EVENT_BYTES
from tailrace.domain.identifiers import IDENTIFIER_CHARACTERS, IdentifierPolicy, RefTreatment
from tailrace.domain.projected import Projected, Undecodable
from tailrace.domain.record_columns import AllProjected
from tailrace.synthetic import SyntheticEvents
from tests.unit.codec.spelling import MUTATIONS
from tests.unit.codec.written import COST, MINIMAL, USAGE, Event, frame, framed, schema_json, store, store_with, write

TOPIC = "agent.events"

PLAIN: Event = {
    **MINIMAL,
    "subject_ref": {"kind": "run", "id": "run-1"},
    "source": {"kind": "host", "id": "host-1"},
    "policy_refs": [],
}
"""An event in which no identifier has to be replaced."""


CONTENT: Event = {"thread_id": "t", "turn_number": 0, "input_messages": b"said-7f31", "output_messages": b"[]"}


def ready(**more: Any) -> CompiledProjector:
    projector = CompiledProjector(TOPIC, more.pop("schemas", None) or store(), native=True, **more)
    assert projector.native is not None
    projector.native.wait()
    return projector


def taken(
    projector: CompiledProjector, *values: bytes | None, max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES
) -> list[bool]:
    """Which of them are projected in machine code."""
    assert projector.native is not None
    made = projector.native.project(0, range(len(values)), values, max_event_bytes)
    assert made is not None
    return [records is not None for records in made]


def both(projector: CompiledProjector, values: Sequence[bytes | None], partition: int = 3) -> list[Projected]:
    """What comes of all at once; one by one, and of the reference, the same has to come."""
    offsets = range(2**40, 2**40 + len(values))
    keys = [b"key"] * len(values)
    made = list(projector.project_all(partition, offsets, keys, values))
    for one in (projector, projector._reference):
        assert made == [one.project(partition, *event) for event in zip(offsets, keys, values, strict=True)]
    return made


def test_the_generator_s_events_are_all_taken() -> None:
    projector = ready()
    values = [event.value for event in SyntheticEvents(seed=3).take(2_000)]
    made = both(projector, values)
    assert all(taken(projector, *values))
    assert {len(records) for records in made if isinstance(records, tuple)} == {1, 2}


def test_records_stay_columns_while_every_event_can_be_read() -> None:
    projector = ready()
    values = [event.value for event in SyntheticEvents(seed=3).take(2_000)]
    offsets, keys = range(2_000), [None] * 2_000
    held = [sys.getrefcount(value) for value in values]
    made = projector.project_all(3, offsets, keys, values)
    assert isinstance(made, AllProjected)
    # Records must not keep their events, which may carry a conversation each.
    assert [sys.getrefcount(value) for value in values] == held
    unreadable = [*values[:-1], b"garbage"]
    assert not isinstance(projector.project_all(3, offsets, keys, unreadable), AllProjected)
    # Lanes take small loads apart, and each would make the same records.
    assert not isinstance(projector.project_all(3, range(9), keys[:9], values[:9]), AllProjected)


@pytest.mark.parametrize("seed", range(4))
def test_no_mutation_is_taken_that_the_functions_refuse(seed: int) -> None:
    chance = Random(seed)
    projector = ready()
    events = [event.value or b"" for event in SyntheticEvents(seed=seed, min_event_bytes=600).take(400)]
    names = list(MUTATIONS)
    values = [MUTATIONS[names[number % len(names)]](chance, chance.choice(events)) for number in range(5_000)]
    both(projector, values)
    share = sum(taken(projector, *values)) / len(values)
    assert 0.02 < share < 0.9, "mutations nearly always, or hardly ever, go unnoticed"


def test_whatever_is_cut_off_is_refused() -> None:
    """At every place, also where the next event's bytes happen to stand behind it."""
    projector = ready()
    value = framed(
        {**PLAIN, "tags": ["größer", "漢字"], "policy_refs": [{"kind": "redaction", "id": ""}], "usage": USAGE}
    )
    cuts = [value[:size] for size in range(len(value))]
    assert not any(taken(projector, *cuts))
    assert all(isinstance(made, Undecodable) for made in both(projector, cuts))


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        (b"\xc3\xbc", True),
        (b"\xe2\x82\xac", True),
        (b"\xf0\x9f\x99\x82", True),
        (b"\xef\xbf\xbf", True),
        (b"\xf4\x8f\xbf\xbf", True),
        (b"\x80", False),
        (b"\xc0\x80", False),  # a longer form of an ASCII character
        (b"\xc1\xbf", False),
        (b"\xe0\x9f\xbf", False),
        (b"\xed\xa0\x80", False),  # a surrogate
        (b"\xf0\x8f\xbf\xbf", False),
        (b"\xf4\x90\x80\x80", False),  # above U+10FFFF
        (b"\xf5\x80\x80\x80", False),
        (b"\xe2\x82", False),
        (b"\xc3", False),
        (b"\xc3\x28", False),
    ],
)
@pytest.mark.parametrize("before", [b"", b"1234567", b"a long text before it, of more than eight bytes"])
def test_texts_are_utf_8(text: bytes, valid: bool, before: bytes) -> None:
    projector = ready()
    mark = "X" * (len(before) + len(text))
    value = framed({**PLAIN, "tags": [mark, "behind"]}).replace(mark.encode(), before + text)
    (made,) = both(projector, [value])
    assert isinstance(made, tuple) is valid
    assert taken(projector, value) == [valid]


@pytest.mark.parametrize(
    ("changed", "is_taken"),
    [
        ({}, True),
        ({"agent_id": "somebody@example.org"}, False),
        ({"agent_id": "a" * 200}, True),
        ({"agent_id": "a" * 201}, False),
        ({"agent_id": ""}, True),
        ({"source": {"kind": "user", "id": "u"}}, False),
        ({"source": {"kind": "user", "id": ""}}, True),
        ({"source": {"kind": "host", "id": "a/b"}}, False),
        ({"subject_ref": {"kind": "run", "id": "a/b"}}, True),
        ({"policy_refs": [{"kind": "redaction", "id": "a"}, {"kind": "redaction", "id": "a/b"}]}, False),
        ({"policy_refs": [{"kind": "redaction", "id": "a"}, {"kind": "redaction", "id": "a.b"}]}, True),
        ({"cost": {**COST, "currency": "a dollar"}}, False),
        ({"tags": ["anything goes, even somebody@example.org"]}, True),
    ],
    ids=str,
)
def test_an_identifier_that_has_to_be_replaced_is_left_to_others(changed: Event, is_taken: bool) -> None:
    projector = ready()
    value = framed({**PLAIN, **changed})
    both(projector, [value])
    assert taken(projector, value) == [is_taken]


@pytest.mark.parametrize("place", [0, 3, 7, 8, 15, 16, 20, 23])
@pytest.mark.parametrize("size", [1, 6, 7, 8, 9, 16, 17, 24])
def test_every_character_in_every_place_is_held_to_the_grammar(place: int, size: int) -> None:
    """Eight are looked at together, so that each place of eight has to be right about each character."""
    projector = ready()
    before = framed({**PLAIN, "agent_id": "Z" * size})
    at = before.index(b"Z" * size) + min(place, size - 1)
    values = [before[:at] + bytes((character,)) + before[at + 1 :] for character in range(256)]
    assert taken(projector, *values) == [character in IDENTIFIER_CHARACTERS for character in range(256)]


def test_the_operator_s_policy_counts() -> None:
    value = framed({**PLAIN, "source": {"kind": "user", "id": "u"}})
    kept = IdentifierPolicy(refs={"source.user": RefTreatment.KEEP})
    hashed = IdentifierPolicy(refs={"source.host": RefTreatment.HASH})
    assert taken(ready(identifiers=kept), value) == [True]
    assert taken(ready(identifiers=hashed), framed(PLAIN)) == [False]


def test_what_is_no_event_is_left_to_others() -> None:
    projector = ready()
    values = [None, b"", b"\xc3", framed(PLAIN)[:10], framed(PLAIN), b"\x00\x00\x00\x00\x01", None]
    made = both(projector, values)
    assert [isinstance(one, tuple) for one in made] == [False] * 4 + [True] + [False] * 2
    assert taken(projector, framed(PLAIN), max_event_bytes=len(framed(PLAIN))) == [True]
    assert taken(projector, framed(PLAIN), max_event_bytes=len(framed(PLAIN)) - 1) == [False]


def test_events_of_several_schemas_in_one_batch(tmp_path: Path) -> None:
    """Each schema's frame is learned when its first event comes."""
    other = schema_json("agent_event")
    other["fields"].append({"name": "added", "type": {"type": "map", "values": "double"}, "default": {}})
    projector = ready(schemas=store_with(tmp_path, other=other))
    theirs = frame(other) + write(other, {**PLAIN, "added": {"a": 1.5}})
    both(projector, [framed(PLAIN), theirs, framed(PLAIN), theirs, theirs])
    assert projector.native is not None
    assert projector.native.frames == {frame(other), frame(schema_json("agent_event"))}
    assert taken(projector, theirs, framed(PLAIN)) == [True, True]
    # A topic whose writers all have one schema is the rule, and that schema is seldom our own.
    alone = projector.project_all(3, range(100), [None] * 100, [theirs] * 100)
    assert isinstance(alone, AllProjected)
    assert alone[7] == projector.project(3, 7, None, theirs)


@pytest.mark.parametrize("size", [2**31 - 1, 2**31, 2**62])
def test_a_schema_that_nobody_thought_of_is_left_to_others(tmp_path: Path, size: int) -> None:
    """One schema neither ends a worker nor costs the others their machine code."""
    huge = schema_json("agent_event")
    fixed = {"type": "fixed", "name": "Huge", "size": size}
    huge["fields"].append({"name": "added", "type": ["null", fixed], "default": None})
    projector = ready(schemas=store_with(tmp_path, huge=huge))
    theirs = frame(huge) + write(schema_json("agent_event"), PLAIN) + b"\x00"
    both(projector, [theirs, framed(PLAIN), theirs])
    assert taken(projector, theirs, framed(PLAIN)) == [size < 2**31, True]


def test_a_projection_that_cannot_be_made_is_left_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OverflowError

    monkeypatch.setattr(batch.NativeProjection, "of", fail)
    said: list[str] = []
    projector = ready(on_native=said.append)
    assert said == [""]
    (made,) = projector.project_all(0, [1], [None], [framed(PLAIN)])
    assert isinstance(made, tuple)


def test_a_compiler_that_fails_leaves_it_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(kernel, "project", fail)
    said: list[str] = []
    projector = ready(on_native=said.append)
    assert said == ["OSError"]
    (made,) = projector.project_all(0, [1], [None], [framed(PLAIN)])
    assert isinstance(made, tuple)


def test_a_wait_says_whether_it_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    compiling, compiled = threading.Event(), batch.NativeProjection.of

    def slow(*given: Any, **more: Any) -> batch.NativeProjection | NotNative:
        assert compiling.wait(60)
        return compiled(*given, **more)

    monkeypatch.setattr(batch.NativeProjection, "of", slow)
    projector = CompiledProjector(TOPIC, store(), native=True)
    assert projector.native is not None
    undecided = projector.native.wait(0)
    compiling.set()
    assert not undecided
    assert projector.native.wait()


def test_content_comes_along_where_it_is_kept() -> None:
    with_content = framed({**PLAIN, "content": CONTENT})
    keeping = ready(keep_content=True)
    assert taken(keeping, with_content, framed(PLAIN)) == [False, True]
    kept, plain = both(keeping, [with_content, framed(PLAIN)])
    assert isinstance(kept, tuple)
    assert isinstance(plain, tuple)
    assert (kept[0].event, plain[0].event) == (with_content, None)
    without = ready()
    assert taken(without, with_content) == [True]
    (made,) = both(without, [with_content])
    assert isinstance(made, tuple)
    assert b"said-7f31" in with_content
    assert b"said-7f31" not in made[0].value


SIZES = (0, 63, kernel.FAR_BYTES - 1, kernel.FAR_BYTES, kernel.FAR_BYTES + 1, 9_000)


def conversing(chance: Random) -> bytes:
    """An event with three, two or no parts of a conversation, each of any size, so that any may be the last far one."""
    first, second, third = (chance.randbytes(chance.choice(SIZES)) for _ in range(3))
    content = {"system_instructions": first or None, "input_messages": second, "output_messages": third}
    event = {**PLAIN, "event_id": f"e-{chance.random()}"}
    return framed(event if chance.random() < 1 / 3 else {**event, "content": {**CONTENT, **content}})


@pytest.mark.parametrize("seed", range(4))
def test_conversations_of_any_size_beside_events_without(seed: int) -> None:
    chance = Random(seed)
    projector = ready()
    for size in (1, kernel.TOGETHER - 1, kernel.TOGETHER, kernel.TOGETHER + 1, 300):
        values = [conversing(chance) for _ in range(size)]
        assert all(isinstance(made, tuple) for made in both(projector, values))
        assert all(taken(projector, *values))


def test_what_is_wrong_behind_a_conversation_is_refused() -> None:
    """Cut off at each place there, gone on behind the end, with another length, beside events that are right."""
    projector = ready()
    right = framed({**PLAIN, "content": {**CONTENT, "input_messages": b"x" * 5_000, "output_messages": b"y" * 5_000}})
    last = right.index(b"yyy") - 2
    wrong = [right[:size] for size in (*range(last - 2, last + 4), len(right) - 1)]
    wrong += [right + b"\x00", right[:last] + b"\xff" * 10 + right[last + 10 :]]
    wrong += [right[:last] + bytes([right[last] + change]) + right[last + 1 :] for change in (-2, -1, 1, 2)]
    values = [value for one in wrong for value in (one, right)]
    assert taken(projector, *values) == [False, True] * len(wrong)
    assert [isinstance(made, tuple) for made in both(projector, values)] == [False, True] * len(wrong)


@pytest.mark.parametrize("around", ["array", "map"])
def test_large_bytes_within_lists_and_maps_are_walked_over(tmp_path: Path, around: str) -> None:
    other = schema_json("agent_event")
    pictures = {"type": "array", "items": "bytes"}
    inside = "items" if around == "array" else "values"
    other["fields"].append({"name": "pictures", "type": {"type": around, inside: pictures}})
    projector = ready(schemas=store_with(tmp_path, other=other))
    lists = [[[b"x" * size] * times, [b"y"], [b"z" * size]] for size in (9, 9_000) for times in (1, 2, 3)] * 5
    maps = [dict(zip("abc", one, strict=True)) for one in lists]
    values = [
        frame(other) + write(other, {**PLAIN, "pictures": one, "content": content})
        for one in (lists if around == "array" else maps)
        for content in (None, {**CONTENT, "input_messages": b"x" * 5_000})
    ]
    assert all(isinstance(made, tuple) for made in both(projector, values))
    assert all(taken(projector, *values))


def of_size(size: int) -> bytes:
    rest = len(framed({**PLAIN, "content": {**CONTENT, "input_messages": b"x" * 1_000}})) - 1_000
    return framed({**PLAIN, "content": {**CONTENT, "input_messages": b"x" * (size - rest)}})


def test_events_just_below_at_and_above_the_size_that_is_walked_ahead() -> None:
    projector = ready()
    values = [of_size(kernel.FAR_BYTES + more) for more in (-1, 0, 1)] * 7
    assert {len(value) for value in values} == {kernel.FAR_BYTES + more for more in (-1, 0, 1)}
    assert all(isinstance(made, tuple) for made in both(projector, values))
    assert all(taken(projector, *values))


def walked_ahead(projector: CompiledProjector, *values: bytes) -> list[int]:
    """What each comes to before it is its turn."""
    assert projector.native is not None
    (native,) = projector.native._ready.values()
    addresses = np.array([id(value) for value in values]) + batch._BYTES_OFFSET
    events = addresses, np.array([len(value) for value in values]), np.zeros(len(values), np.int64)
    marks, slots = (np.empty((kernel.TOGETHER, size), np.int64) for size in (kernel.MARKS, kernel._SLOTS_AND_WALK))
    kernel._walk_ahead(events, 0, len(values), DEFAULT_MAX_EVENT_BYTES, native._walking, marks, slots)
    came_to: list[int] = slots[: len(values), kernel._CAME_TO].tolist()
    return came_to


def test_no_more_is_looked_at_ahead_than_the_limit_and_what_is_passed_over_does_not_count() -> None:
    projector = ready()
    tagged = framed({**PLAIN, "tags": ["t" * (kernel.AHEAD_BYTES // 4)]})
    large = {**CONTENT, "system_instructions": b"s" * 5_000, "input_messages": b"x" * 50_000}
    talks = [framed({**PLAIN, "content": {**large, "output_messages": b"y" * size}}) for size in (2, 50_000)]
    both(projector, [tagged, *talks])
    rest = kernel.TOGETHER - 4
    assert walked_ahead(projector, *[tagged] * kernel.TOGETHER) == [kernel.WALKED] * 4 + [kernel.PAUSED] * rest
    assert walked_ahead(projector, *talks * (kernel.TOGETHER // 2)) == [kernel.WALKED] * kernel.TOGETHER
    assert walked_ahead(projector, framed(PLAIN), *talks) == [kernel.REFUSED, kernel.WALKED, kernel.WALKED]


def test_what_is_beyond_the_limit_of_walking_ahead_is_walked_in_its_turn(tmp_path: Path) -> None:
    """Long texts before and behind what is passed over: the limit is reached before the first pause or a later one."""
    other = schema_json("agent_event")
    other["fields"].append({"name": "note", "type": "string", "default": ""})
    projector = ready(schemas=store_with(tmp_path, other=other))
    chance = Random(5)
    texts = ["größer" * (size // 8) for size in (0, 8, kernel.AHEAD_BYTES // 9, kernel.AHEAD_BYTES)]
    large = {**CONTENT, "system_instructions": b"s" * 5_000, "input_messages": b"x" * 5_000}
    contents: list[Event | None] = [None, {**CONTENT, "input_messages": b"x" * 5_000}, large]
    values = [
        frame(other)
        + write(
            other,
            {
                **PLAIN,
                "event_id": f"e-{number}",
                "tags": [chance.choice(texts)],
                "content": chance.choice(contents),
                "note": chance.choice(texts),
            },
        )
        for number in range(300)
    ]
    assert all(isinstance(made, tuple) for made in both(projector, values))
    assert all(taken(projector, *values))


def test_what_was_walked_ahead_behind_one_without_room_is_walked_again() -> None:
    projector = ready()
    refs = [{"kind": "redaction", "id": "r" * 200}] * 12
    content = {**CONTENT, "input_messages": b"x" * 5_000, "output_messages": b"y" * 3_000}
    event = {**PLAIN, "content": content}
    # Not all of one size, so that where there is no more room is not always where a group ends.
    values = [
        framed({**event, "event_id": f"e-{number}", "policy_refs": refs[number % 3 :]})
        for number in range(batch.EVENTS_AT_ONCE)
    ]
    made = both(projector, values)
    assert (
        sum(len(record.value) for records in made if isinstance(records, tuple) for record in records) > batch.OUT_BYTES
    )
    assert all(taken(projector, *values))


def test_a_large_event_at_no_valid_offset_is_left_to_the_functions() -> None:
    projector = ready()
    assert projector.native is not None
    value = framed({**PLAIN, "content": {**CONTENT, "input_messages": b"x" * 5_000}})
    made = projector.native.project(0, [1, -1, 2], [value] * 3, DEFAULT_MAX_EVENT_BYTES)
    assert made is not None
    assert [records is not None for records in made] == [True, False, True]


def test_records_that_do_not_fit_at_once_take_more_calls() -> None:
    projector = ready(max_event_bytes=4 * batch.OUT_BYTES)
    # Half a megabyte each, of which no two have room; then more than there is room for at all.
    large = [{"kind": "redaction", "id": "r" * 200}] * (batch.OUT_BYTES // 2 // 203)
    values = [framed({**PLAIN, "policy_refs": large * times}) for times in (1, 1, 1, 3, 1)]
    assert taken(projector, *values, max_event_bytes=4 * batch.OUT_BYTES) == [True, True, True, False, True]
    assert all(isinstance(made, tuple) for made in both(projector, values))


def test_places_and_offsets_of_any_length() -> None:
    projector = ready()
    value = framed(PLAIN)
    for offset in (0, 9, 10, 63, 64, 10**6, 2**31, 2**62, 2**63 - 1):
        assert projector.native is not None
        made = projector.native.project(1234, [offset], [value], len(value))
        assert made == [projector._reference.project(1234, offset, None, value)]


def test_without_numba_generated_functions_do_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def refuse(name: str, *arguments: Any, **named: Any) -> Any:
        if name.startswith(("numba", "tailrace.codec.native.batch")):
            raise ModuleNotFoundError(name)
        return imported(name, *arguments, **named)

    for name in [name for name in sys.modules if name.startswith("tailrace.codec.native.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", refuse)
    said: list[str] = []
    projector = ready(on_native=said.append)
    assert said == ["numba_is_not_installed"]
    (made,) = projector.project_all(0, [1], [None], [framed(PLAIN)])
    assert made == projector.project(0, 1, None, framed(PLAIN))
    assert isinstance(made, tuple)
