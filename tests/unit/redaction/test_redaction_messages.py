"""Messages of the GenAI conventions: what may go on, what is left out, and what is seen across parts."""

import json

import pytest

from tailrace.redaction import NOOP_REDACTOR, Json, Redacted, Redactor, Withheld, WithheldReason, usual_redactor

REDACTOR = usual_redactor()
CPF = "111.444.777-35"


def text(content: str) -> dict[str, Json]:
    return {"type": "text", "content": content}


def of_parts(*parts: dict[str, Json]) -> Json:
    outcome = REDACTOR.redact_parts(list(parts))
    assert isinstance(outcome, Redacted)
    return outcome.value


def test_every_kind_of_part_of_the_conventions_is_redacted_and_kept() -> None:
    """Texts, arguments as object or as JSON in a string, results, references; binary content is masked."""
    given: list[Json] = [
        text(f"cpf {CPF}"),
        {"type": "reasoning", "content": f"her cpf is {CPF}"},
        {"type": "tool_call", "id": "c1", "name": "find", "arguments": {"cpf_text": CPF, "password": "x"}},
        {"type": "tool_call", "id": "c2", "name": "find", "arguments": json.dumps({"q": CPF})},
        {"type": "tool_call_response", "id": "c1", "response": [{"note": CPF}]},
        {"type": "tool_call_response", "id": "c2", "result": CPF},
        {"type": "server_tool_call", "name": "search", "server_tool_call": {"type": "web", "query": CPF}},
        {"type": "server_tool_call_response", "server_tool_call_response": {"type": "web", "text": CPF}},
        {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "aVZCT1I="},
        {"type": "uri", "modality": "image", "uri": "https://u:p4ss@example.com/a.png"},
        {"type": "file", "modality": "image", "file_id": "file_1"},
    ]
    outcome = REDACTOR.redact_messages([{"role": "user", "name": "ana@example.com", "parts": given}])

    assert outcome == Redacted(
        [
            {
                "role": "user",
                "name": "[REDACTED:email]",
                "parts": [
                    text("cpf [REDACTED:cpf]"),
                    {"type": "reasoning", "content": "her cpf is [REDACTED:cpf]"},
                    {
                        "type": "tool_call",
                        "id": "c1",
                        "name": "find",
                        "arguments": {"cpf_text": "[REDACTED:cpf]", "password": "[REDACTED:sensitive_key]"},
                    },
                    {"type": "tool_call", "id": "c2", "name": "find", "arguments": '{"q":"[REDACTED:cpf]"}'},
                    {"type": "tool_call_response", "id": "c1", "response": [{"note": "[REDACTED:cpf]"}]},
                    {"type": "tool_call_response", "id": "c2", "result": "[REDACTED:cpf]"},
                    {
                        "type": "server_tool_call",
                        "name": "search",
                        "server_tool_call": {"type": "web", "query": "[REDACTED:cpf]"},
                    },
                    {
                        "type": "server_tool_call_response",
                        "server_tool_call_response": {"type": "web", "text": "[REDACTED:cpf]"},
                    },
                    {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "[REDACTED:opaque]"},
                    {"type": "uri", "modality": "image", "uri": "[REDACTED:connection_string]"},
                    {"type": "file", "modality": "image", "file_id": "file_1"},
                ],
            }
        ],
        (("connection_string", 1), ("cpf", 8), ("email", 1), ("opaque", 1), ("sensitive_key", 1)),
    )


@pytest.mark.parametrize("redactor", [REDACTOR, NOOP_REDACTOR], ids=["usual", "noop"])
def test_what_the_conventions_do_not_know_is_left_out_by_any_redactor(redactor: Redactor) -> None:
    """Sealed state of providers, under whatever name; a noop redactor drops it like any other."""
    outcome = redactor.redact_messages(
        [
            {
                "role": "assistant",
                "parts": [
                    {"type": "redacted_thinking", "data": "c2VhbGVk"},
                    {"type": "reasoning", "content": "so", "signature": "c2VhbGVk", "encrypted_content": "c2VhbGVk"},
                    {"type": "compaction", "state": "c2VhbGVk"},
                    {"type": "text", "content": "hi", "provider_metadata": {"state": "c2VhbGVk"}},
                ],
                "finish_reason": "stop",
                "response_id": "c2VhbGVk",
            }
        ]
    )

    assert outcome == Redacted(
        [{"role": "assistant", "finish_reason": "stop", "parts": [{"type": "reasoning", "content": "so"}, text("hi")]}],
        dropped=6,
    )


def test_a_noop_changes_no_text() -> None:
    """Content passes as it is: that is why nothing inline may come of a noop."""
    assert NOOP_REDACTOR.redact_parts([text(f"cpf {CPF}")]) == Redacted([text(f"cpf {CPF}")])


@pytest.mark.parametrize(
    "value",
    [None, "text", {}, {"role": "user"}, ["text"], [{"role": "user"}], [{"role": "user", "content": CPF}],
     [{"role": "user", "parts": {}}], [{"role": "user", "parts": ["text"]}],
     [{"role": "user", "parts": [{"type": 1}]}]],
    ids=str,
)  # fmt: skip
def test_what_is_no_list_of_messages_is_withheld(value: Json) -> None:
    """A shape that nobody knows could hide anything."""
    assert REDACTOR.redact_messages(value) == Withheld(WithheldReason.NOT_MESSAGES)


def test_a_value_split_over_neighbouring_text_parts_is_masked_in_each() -> None:
    """Streams cut anywhere."""
    assert of_parts(text("cpf 111.4"), text("44.7"), text("77-35 ok")) == [
        text("cpf [REDACTED:cpf]"),
        text("[REDACTED:cpf]"),
        text("[REDACTED:cpf] ok"),
    ]


def test_a_value_at_the_end_of_a_part_is_found_though_the_next_goes_on_with_letters() -> None:
    """Every part is looked at by itself as well."""
    assert of_parts(text(f"cpf {CPF}"), text("abc")) == [text("cpf [REDACTED:cpf]"), text("abc")]


def test_parts_of_different_kinds_are_not_one_text() -> None:
    """A thought and an answer are not read as one; nor are texts with something between them, nor messages."""
    parts: list[dict[str, Json]] = [text("cpf 111.444"), {"type": "reasoning", "content": ".777-35"}]
    assert of_parts(*parts) == parts
    parts = [text("cpf 111.444"), {"type": "file", "file_id": "f"}, text(".777-35")]
    assert of_parts(*parts) == parts


def test_invisible_characters_at_a_cut_hide_nothing() -> None:
    """The places in each part are its own."""
    assert of_parts(text("é\u200b 111.4\u200b"), text("\u200b44.777-3\u200b5 é")) == [
        text("é\u200b [REDACTED:cpf]\u200b"),
        text("\u200b[REDACTED:cpf] é"),
    ]
