"""JSON keeps its shape; leaves are looked at wherever they are, and sensitive keys mask whatever stands under them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.domain.json_form import JsonValue
from tailrace.domain.payload import RedactedJson
from tailrace.redaction import KeyRules, Redactor, mask_of, usual_redactor
from tailrace.redaction.json_walk import read_json, write_json
from tests.unit.redaction.unhurried import UNHURRIED

REDACTOR = usual_redactor()
CPF = "111.444.777-35"
MASK = "[REDACTED:cpf]"

NAMES = st.sampled_from(["a", "name", "Password", "api-key", "note", "ana@example.com", "bia@example.com", "x y"])
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(
        [CPF, f"cpf {CPF}", 4111111111111111, 11144477735, f'{{"cpf_of_ana":"{CPF}"}}', '["a"]', "203.0.113.7"]
    ),
)
VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)


def redacted(value: JsonValue, redactor: Redactor = REDACTOR) -> JsonValue:
    outcome = redactor.redact_json(value)
    assert isinstance(outcome, RedactedJson)
    return outcome.value


def same_shape(before: JsonValue, after: JsonValue) -> bool:
    if isinstance(after, str) and after.startswith(("[REDACTED:", "-[REDACTED:")):
        return True
    if isinstance(before, dict):
        return (
            isinstance(after, dict)
            and len(before) == len(after)
            and all(map(same_shape, before.values(), after.values()))
        )
    if isinstance(before, list):
        return isinstance(after, list) and len(before) == len(after) and all(map(same_shape, before, after))
    return type(before) is type(after) and (isinstance(before, str) or before == after)


@UNHURRIED
@given(VALUES)
def test_the_shape_stays_and_again_changes_nothing(value: JsonValue) -> None:
    """Lists keep their length, objects their number of entries, numbers and truths their value, unless masked."""
    once = redacted(value)

    assert same_shape(value, once)
    assert redacted(once) == once
    assert CPF not in json.dumps(once)


@UNHURRIED
@given(VALUES)
def test_a_noop_gives_back_what_it_got(value: JsonValue) -> None:
    """The very same value, not a copy."""
    outcome = Redactor().redact_json(value)
    assert isinstance(outcome, RedactedJson)
    assert outcome.value is value


@pytest.mark.parametrize(
    "key",
    ["password", "PASSWORD", "Api-Key", "api_key", "x-api-key", "authorization", "Proxy-Authorization", "db_password",
     "clientSecret", "aws_secret_access_key", "refresh_token", "Set-Cookie", "senha", "passwords",
     "hf_token", "jwtToken", "csrf_token", "smtp_pass", "user_pwd", "pass\u200bword",
     "ｐａｓｓｗｏｒｄ"],  # noqa: RUF001
)  # fmt: skip
@pytest.mark.parametrize("value", ["x", 1, None, True, [1, 2], {"a": {"b": "c"}}], ids=str)
def test_a_sensitive_key_masks_its_value_whole(key: str, value: JsonValue) -> None:
    """Whatever its type."""
    assert redacted({key: value, "other": 1}) == {key: "[REDACTED:sensitive_key]", "other": 1}


@pytest.mark.parametrize(
    "key", ["max_tokens", "tokens", "secretary", "passage", "key", "authorized", "pinned", "author"]
)
def test_keys_that_only_begin_like_one_mask_nothing(key: str) -> None:
    """Counts of tokens are what telemetry is for."""
    assert redacted({key: 7}) == {key: 7}


@pytest.mark.parametrize(
    ("key", "category"),
    [("CPF", "cpf"), ("pix_key", "pix_key"), ("card-number", "card"), ("encrypted_content", "opaque")],
)
def test_keys_that_tell_what_their_value_is(key: str, category: str) -> None:
    """Even if its check digits are wrong."""
    assert redacted({key: "123"}) == {key: mask_of(category)}


def test_further_sensitive_keys_are_compared_in_the_same_way() -> None:
    """Case and separators do not matter in configuration either."""
    redactor = usual_redactor(sensitive_keys=["Internal-Code"])
    assert redacted({"internalCode": 1, "INTERNAL_CODE": 2}, redactor) == {
        "internalCode": "[REDACTED:sensitive_key]",
        "INTERNAL_CODE": "[REDACTED:sensitive_key]",
    }


def test_keys_are_texts_too() -> None:
    """And two that are masked alike stay two."""
    value = redacted({"ana@example.com": 1, "bia@example.com": 2, "c": 3})
    assert isinstance(value, dict)
    assert sorted(value) == ["[REDACTED:email]", "[REDACTED:email]#1", "c"]
    assert list(value.values()) == [1, 2, 3]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (4111111111111111, "[REDACTED:card]"),
        (4111111111111111.0, "[REDACTED:card]"),
        (11144477735, MASK),
        (-11144477735, f"-{MASK}"),
        (11222333000181, "[REDACTED:cnpj]"),
        (1700000000000, 1700000000000),
        (11144477736, 11144477736),
        (0.1, 0.1),
        (1e300, 1e300),
    ],
)
def test_numbers_that_are_somebodys(number: float, expected: JsonValue) -> None:
    """A number is looked at as it is written; times and counts stay numbers."""
    assert redacted([number]) == [expected]


def test_json_in_a_string_is_walked_and_written_again() -> None:
    """Escapes hide nothing there, and keys count."""
    inner = json.dumps({"password": "x", "note": f"cpf {CPF}"}).replace("1", "\\u0031")
    assert redacted({"arguments": inner}) == {
        "arguments": '{"password":"[REDACTED:sensitive_key]","note":"cpf [REDACTED:cpf]"}'
    }


def test_json_in_a_string_without_finds_stays_as_it_was_written() -> None:
    """Blanks and order included."""
    text = '{ "a" : [1, 2.50],\n "b":"x" }'
    assert redacted([text]) == [text]


def test_a_repeated_key_cannot_carry_something_past() -> None:
    """A parser keeps the last value; the text had both."""
    assert redacted([f'{{"a":"{CPF}","a":"x"}}']) == ['{"a":"x"}']


def wrapped(times: int) -> str:
    text: str = f"cpf {CPF}"
    for _ in range(times):
        text = json.dumps([text])
    return text


def test_json_in_json_is_walked_to_a_depth_and_masked_beyond() -> None:
    """Four times; what lies deeper is not shown."""
    assert MASK in str(redacted([wrapped(4)]))
    assert "too_deep" not in str(redacted([wrapped(4)]))
    assert CPF not in str(redacted([wrapped(5)]))
    assert "[REDACTED:too_deep]" in str(redacted([wrapped(5)]))


def test_json_in_strings_of_very_many_values_is_masked_unread() -> None:
    """Where a part is counted as it came, its commas can be written as escapes, and it would take minutes."""
    few, many = (json.dumps([0] * count) for count in (90_000, 110_000))
    assert redacted([few]) == [few]
    assert redacted([many]) == ["[REDACTED:too_deep]"]
    assert redacted([few, few]) == [few, "[REDACTED:too_deep]"]
    assert redacted(many) == many  # the document itself is in nothing


@pytest.mark.parametrize("levels", [50, 200, 900])
def test_deep_nesting_is_masked_where_it_gets_too_deep(levels: int) -> None:
    """No recursion error, and nothing below passes unseen."""
    value: JsonValue = CPF
    for _ in range(levels):
        value = [value]
    text = str(redacted(value))
    assert CPF not in text
    assert ("too_deep" in text) == (levels > 96)


@pytest.mark.parametrize(
    "text", [f'{{"cpf of ana": "{CPF}"', f"[{CPF}]", f'{{"a": NaN, "b": "{CPF}"}}', f'[1e999, "{CPF}"]']
)
def test_what_is_no_json_is_text(text: str) -> None:
    """Cut off, or with what RFC 8259 does not have."""
    assert redacted([text]) == [text.replace(CPF, MASK)]


def test_cut_off_json_still_hides_its_passwords() -> None:
    """The detector of assignments sees quoted names and values."""
    assert redacted('{"user": "ana", "password": "tudo bem", "x') == '{"user": "ana", "[REDACTED:password], "x'


@pytest.mark.parametrize(
    "value",
    [
        {"type": "redacted_thinking", "data": "c2VhbGVk"},
        {"content": [{"type": "redacted_thinking", "data": "c2VhbGVk"}]},
        {"type": "thinking", "thinking": "hm", "signature": "c2VhbGVk"},
        {"type": "reasoning", "encrypted_content": "c2VhbGVk"},
        {"source": {"type": "base64", "media_type": "image/png", "data": "c2VhbGVk"}},
        {"image_url": "data:image/png;base64,c2VhbGVkc2VhbGVk"},
        {"thought_signature": "c2VhbGVk"},
    ],
    ids=str,
)
def test_what_is_sealed_is_masked_anywhere(value: dict[str, JsonValue]) -> None:
    """Nobody can look into it, so nobody gets it; also deep in a tool's result."""
    for given_value in (value, {"result": json.dumps([value])}):
        text = json.dumps(redacted(given_value))  # type: ignore[arg-type]
        assert "c2VhbGVk" not in text
        assert "[REDACTED:opaque]" in text


def test_key_rules_alone_make_a_redactor() -> None:
    """One without detectors still masks by key, and is no noop."""
    redactor = Redactor(keys=KeyRules(whole=frozenset({"a"})))
    assert not redactor.is_noop
    assert redacted({"A": 1, "b": CPF}, redactor) == {"A": "[REDACTED:sensitive_key]", "b": CPF}


@pytest.mark.parametrize("text", ["", "{", "[1,]", "NaN", "[Infinity]", "1e999", "[" * 100_000, '"\\ud800', "01"])
def test_reading_refuses_what_is_no_json(text: str) -> None:
    """With one kind of error, whatever was wrong."""
    with pytest.raises(ValueError):  # noqa: PT011 - the promise is the type, and that there is no text
        read_json(text)


def test_writing_keeps_letters_and_survives_lone_surrogates() -> None:
    """Either way it is JSON, and can be encoded."""
    assert write_json({"ã": 1}) == '{"ã":1}'
    assert write_json(["\ud800"]) == '["\\ud800"]'


def parts(*contents: str, kind: str = "text") -> list[JsonValue]:
    return [{"type": kind, "content": content} for content in contents]


def test_a_value_split_over_neighbouring_parts_is_masked_in_each() -> None:
    """Streams cut anywhere; this holds for reasoning as for text, and wherever the message lies."""
    split, masked = ("cpf 111.4", "44.7", "77-35 ok"), ("cpf [REDACTED:cpf]", "[REDACTED:cpf]", "[REDACTED:cpf] ok")
    for kind in ("text", "reasoning"):
        message: JsonValue = [{"role": "user", "parts": parts(*split, kind=kind)}]
        assert redacted(message) == [{"role": "user", "parts": parts(*masked, kind=kind)}]
        assert redacted(json.dumps(message)) == write_json([{"role": "user", "parts": parts(*masked, kind=kind)}])


def test_every_part_is_looked_at_by_itself_as_well() -> None:
    """A value at the end of a part is found though the next goes on with letters."""
    assert redacted(parts(f"cpf {CPF}", "abc")) == parts("cpf [REDACTED:cpf]", "abc")


@pytest.mark.parametrize(
    "between",
    [
        {"type": "file", "modality": "image"},
        {"type": "text", "content": "", "more": 1},
        {"type": "text", "content": '{"json":1}'},
        {"type": "reasoning", "content": ""},
    ],
    ids=str,
)
def test_texts_with_something_between_them_are_not_one(between: JsonValue) -> None:
    """Nor are parts of two kinds."""
    value = [*parts("cpf 111.444"), between, *parts(".777-35")]
    assert redacted(value) == value


def test_invisible_characters_at_a_cut_hide_nothing() -> None:
    """Places are counted in each part by itself."""
    assert redacted(parts("é\u200b 111.4\u200b", "\u200b44.777-3\u200b5 é")) == parts(
        "é\u200b [REDACTED:cpf]\u200b", "\u200b[REDACTED:cpf] é"
    )
