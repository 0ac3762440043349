"""What of content is looked at: docs/PRIVACY.md, The way of a prompt."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.domain.content_form import (
    MAX_DEPTH,
    MAX_PARSED_BYTES,
    MAX_VALUES,
    Allowed,
    Unreadable,
    allowed_instructions,
    allowed_messages,
)
from tailrace.domain.json_form import JsonValue

HIDDEN = "hidden"  # stands wherever nothing may pass

PARTS: list[tuple[dict[str, Any], dict[str, Any] | None]] = [
    ({"type": "text", "content": "hello", "x": HIDDEN}, {"type": "text", "content": "hello"}),
    ({"type": "reasoning", "content": "so", "signature": HIDDEN}, {"type": "reasoning", "content": "so"}),
    ({"type": "compaction", "id": HIDDEN, "content": "brief"}, {"type": "compaction", "content": "brief"}),
    ({"type": "compaction", "content": None}, {"type": "compaction"}),
    (
        {"type": "tool_call", "id": "c.1", "name": "find", "arguments": {"q": "x"}, "thought_signature": HIDDEN},
        {"type": "tool_call", "id": "c.1", "name": "find", "arguments": {"q": "x"}},
    ),
    (
        {"type": "tool_call_response", "id": "c.1", "response": [1, "two"], "cache": HIDDEN},
        {"type": "tool_call_response", "id": "c.1", "response": [1, "two"]},
    ),
    (
        {"type": "server_tool_call", "id": "s.1", "name": "web_search", "server_tool_call": {"type": HIDDEN}},
        {"type": "server_tool_call", "id": "s.1", "name": "web_search"},
    ),
    (
        {"type": "server_tool_call_response", "id": "s.1", "server_tool_call_response": {"encrypted_content": HIDDEN}},
        {"type": "server_tool_call_response", "id": "s.1"},
    ),
    (
        {"type": "server_tool_call", "name": "run", "server_tool_call": HIDDEN},
        {"type": "server_tool_call", "name": "run"},
    ),
    (
        {"type": "server_tool_call_response", "server_tool_call_response": HIDDEN},
        {"type": "server_tool_call_response"},
    ),
    (
        {"type": "blob", "mime_type": "image/png", "modality": "image", "content": HIDDEN},
        {"type": "blob", "mime_type": "image/png", "modality": "image"},
    ),
    ({"type": "file", "modality": "document", "file_id": HIDDEN}, {"type": "file", "modality": "document"}),
    ({"type": "uri", "modality": "image", "uri": HIDDEN}, {"type": "uri", "modality": "image"}),
    ({"type": "redacted_thinking", "data": HIDDEN}, None),
    ({"type": "something_new", "content": HIDDEN}, None),
    ({"content": HIDDEN}, None),
    ({"type": ["text"], "content": HIDDEN}, None),
    ({"type": "text", "content": {"deep": HIDDEN}}, {"type": "text"}),
]


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def messages(value: object) -> Allowed:
    found = allowed_messages(encoded(value))
    assert isinstance(found, Allowed)
    return found


@pytest.mark.parametrize(("part", "kept"), PARTS, ids=lambda part: str(part and part.get("type")))
def test_of_each_part_only_what_the_table_names_passes(part: dict[str, Any], kept: dict[str, Any] | None) -> None:
    """In messages and in system instructions alike; what is left out whole is counted."""
    found = messages([{"role": "user", "parts": [part]}])
    assert found == Allowed([{"role": "user", "parts": [] if kept is None else [kept]}], int(kept is None))
    instructions = allowed_instructions(encoded([part]))
    assert instructions == Allowed([] if kept is None else [kept], int(kept is None))
    assert HIDDEN not in str(found.value)


@pytest.mark.parametrize("role", ["system", "developer", "user", "assistant", "tool"])
def test_message_keeps_role_parts_and_finish_reason_and_no_name(role: str) -> None:
    """Who spoke is a person's name as often as not."""
    message = {"role": role, "parts": [], "finish_reason": "stop", "name": HIDDEN, "id": HIDDEN, "cache": {"x": HIDDEN}}
    assert messages([message]).value == [{"role": role, "parts": [], "finish_reason": "stop"}]


@pytest.mark.parametrize("role", ["Ada Lovelace", "", None, ["user"], {}, 3])
def test_role_that_is_none_becomes_unknown(role: object) -> None:
    """A role is a word of a closed list, and no place for text."""
    assert messages([{"role": role, "parts": []}]).value == [{"role": "unknown", "parts": []}]


def test_instructions_in_the_shape_of_messages_give_their_parts() -> None:
    """Producers write either."""
    part: dict[str, JsonValue] = {"type": "text", "content": "be brief"}
    parts: list[JsonValue] = [part, part]
    assert allowed_instructions(encoded([{"role": "system", "parts": [part]}, part])) == Allowed(parts, 0)


@pytest.mark.parametrize("field", ["arguments", "response"])
def test_json_in_a_string_is_unpacked_so_that_its_keys_are_seen(field: str) -> None:
    """SDKs send arguments as text; a password in them has a key only once that is parsed."""
    kind = "tool_call" if field == "arguments" else "tool_call_response"

    def kept(value: object) -> object:
        found: Any = messages([{"role": "assistant", "parts": [{"type": kind, field: value}]}]).value
        return found[0]["parts"][0][field]

    assert kept('{"password": "p"}') == {"password": "p"}
    assert kept(' ["a", {"b": 1}]') == ["a", {"b": 1}]
    assert kept("plain words") == "plain words"
    assert kept('{"broken": ') == '{"broken": '
    assert kept('{"not": NaN}') == '{"not": NaN}'
    assert kept("123") == "123"
    assert kept(None) is None


def test_opaque_state_inside_tool_results_is_left_out() -> None:
    """At any depth, also inside JSON that came as a string."""
    thinking = {"type": "redacted_thinking", "data": HIDDEN}
    response = {
        "text": "kept",
        "encrypted_content": HIDDEN,
        "blocks": [thinking, {"type": "text", "text": "kept", "thought_signature": HIDDEN}],
        "one": thinking,
        "odd": {"type": ["redacted_thinking"]},
    }
    for value in (response, json.dumps(response)):
        found = messages([{"role": "tool", "parts": [{"type": "tool_call_response", "response": value}]}])
        assert HIDDEN not in str(found.value)
        assert str(found.value).count("kept") == 2
    whole = messages([{"role": "tool", "parts": [{"type": "tool_call_response", "response": thinking}]}])
    assert whole.value == [{"role": "tool", "parts": [{"type": "tool_call_response", "response": None}]}]


def nested(depth: int) -> bytes:
    inner: object = "x"
    for _ in range(depth):
        inner = [inner]
    return encoded([{"role": "tool", "parts": [{"type": "tool_call_response", "response": inner}]}])


def test_nesting_beyond_the_bound_is_unreadable() -> None:
    """Whoever redacts walks the same tree, so it must not be deep enough to end a walk."""
    assert isinstance(allowed_messages(nested(MAX_DEPTH - 1)), Allowed)
    assert isinstance(allowed_messages(nested(MAX_DEPTH)), Unreadable)
    assert isinstance(allowed_messages(b"[" * 100_000), Unreadable)


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"not json",
        b"{}",
        b'"text"',
        b"null",
        b"[1]",
        b'["text"]',
        b'[{"role": "user"}]',
        b'[{"role": "user", "parts": {}}]',
        b'[{"role": "user", "parts": ["text"]}]',
        b'[{"role": "user", "parts": []}] trailing',
        b'[{"role": "user", "parts": [], "x": NaN}]',
        b"\xff\xfe",
        '[{"role": "user", "parts": []}]'.encode("utf-16"),
        b"\xef\xbb\xbf[]",
        b"[" + b"1" * 5_000 + b"]",
    ],
)
def test_what_is_not_of_the_form_is_unreadable(junk: bytes) -> None:
    """And never an exception: that would carry the text, and end a lane."""
    assert isinstance(allowed_messages(junk), Unreadable)


@pytest.mark.parametrize("junk", [b"{}", b"[1]", b'["text"]', b'[{"role": "system", "parts": "text"}]'])
def test_instructions_that_are_not_of_the_form_are_unreadable(junk: bytes) -> None:
    assert isinstance(allowed_instructions(junk), Unreadable)


def test_part_beyond_the_bound_is_not_parsed() -> None:
    """At the bound it still is."""
    padding = b" " * (MAX_PARSED_BYTES - 2)
    assert isinstance(allowed_messages(b"[" + padding + b"]"), Allowed)
    assert isinstance(allowed_messages(b"[" + padding + b" ]"), Unreadable)


@pytest.mark.parametrize("unit", [b'{"parts":[]}', b'["a"]', b'""', b"[[]]"])
def test_part_of_very_many_small_values_is_not_parsed(unit: bytes) -> None:
    """It would take a hundred times its size in memory; text of the same size has far fewer commas."""
    hostile = b"[" + b",".join([unit] * (MAX_VALUES + 1)) + b"]"
    assert isinstance(allowed_messages(hostile), Unreadable)
    text = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "a word, and " * 20_000}]}]).encode()
    assert len(text) > len(hostile) / 4
    assert isinstance(allowed_messages(text), Allowed)


@pytest.mark.parametrize("calls", [1, 4])
def test_json_in_strings_is_counted_by_what_it_is(calls: int) -> None:
    """A comma written as an escape is none while the part is counted, and one again once the string is read."""

    def of(values: int) -> bytes:
        packed = "[" + ",".join(["0"] * (values // calls)) + "]"
        parts = [{"type": "tool_call", "id": "1", "name": "f", "arguments": packed}] * calls
        return json.dumps([{"role": "user", "parts": parts}]).replace("0,", "0\\u002c").encode()

    assert of(MAX_VALUES).count(b",") < 100
    assert isinstance(allowed_messages(of(MAX_VALUES - 100)), Allowed)
    assert isinstance(allowed_messages(of(MAX_VALUES + 100)), Unreadable)


def test_nothing_shows_content_in_a_repr() -> None:
    found = messages([{"role": "user", "parts": [{"type": "text", "content": "prompt"}]}])
    assert "prompt" not in repr(found)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["text", "tool_call", "uri"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "role", "parts", "content", "arguments", "id", "x"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(value=anything)
def test_any_json_gives_an_answer(value: object) -> None:
    """Whatever its shape, no exception."""
    for answer in (allowed_messages(encoded(value)), allowed_instructions(encoded(value))):
        assert isinstance(answer, Allowed | Unreadable)
