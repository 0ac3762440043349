"""Look-alikes: what is made plain, and that places stay places."""

# ruff: noqa: RUF001 - look-alikes are what this is about

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.redaction import RedactedText, usual_redactor
from tailrace.redaction.folding import fold
from tests.unit.redaction.unhurried import UNHURRIED

REDACTOR = usual_redactor()


def test_every_decimal_digit_of_unicode_becomes_plain() -> None:
    """Whatever the script."""
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.category(character) == "Nd":
            assert fold(character).plain == str(unicodedata.decimal(character)).encode(), hex(code)


def test_every_format_character_is_left_out() -> None:
    """Zero-width ones, directional marks, tags."""
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code)) == "Cf":
            assert fold(f"a{chr(code)}b").plain == b"ab", hex(code)


def test_every_dash_and_every_blank_becomes_plain() -> None:
    """Whatever their width."""
    for code in range(0x80, sys.maxunicode + 1):
        plain = {"Pd": b"-", "Zs": b" "}.get(unicodedata.category(chr(code)))
        assert plain is None or fold(chr(code)).plain == plain, hex(code)


@UNHURRIED
@given(st.text())
def test_one_byte_for_each_character_that_was_kept(text: str) -> None:
    """And each byte's place leads back to its character."""
    folded = fold(text)
    places = [folded.place_of(place) for place in range(len(folded.plain))]

    assert places == sorted(set(places))
    assert len(folded.plain) + len(folded.left_out) == len(text)
    assert all(0 <= place < len(text) for place in places)
    for place, code in zip(places, folded.plain, strict=True):
        if text[place].isascii():
            assert ord(text[place]) == code


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("CPF １１１．４４４．７７７－３５!", "CPF [REDACTED:cpf]!"),
        ("CPF ١١١.٤٤٤.٧٧٧-٣٥!", "CPF [REDACTED:cpf]!"),
        ("CPF ①①①.444.777-35", "CPF [REDACTED:cpf]"),
        ("CPF 111.444.777‑35", "CPF [REDACTED:cpf]"),
        ("CPF 111.444.777–35", "CPF [REDACTED:cpf]"),
        ("1\u200b1\u200b1.444.777-35\u200b!", "[REDACTED:cpf]\u200b!"),
        ("11\u00ad1.444.777-3\u20605", "[REDACTED:cpf]"),
        ("11\x001.444.777-35", "[REDACTED:cpf]"),
        ("4111\u00a01111\u202f1111\u30001111", "[REDACTED:card]"),
        ("𝟒𝟏𝟏𝟏 1111 1111 1111", "[REDACTED:card]"),
        ("ana＠example．com", "[REDACTED:email]"),
        ("é 203.0.113.7 ü", "é [REDACTED:ipv4] ü"),
        ("日本203.0.113.7日本", "日本[REDACTED:ipv4]日本"),
        ("😀😀 203.0.113.7 😀", "😀😀 [REDACTED:ipv4] 😀"),
        ("👩\u200d💻 203.0.113.7", "👩\u200d💻 [REDACTED:ipv4]"),
    ],
)
def test_look_alikes_are_masked_where_they_stand(text: str, redacted: str) -> None:
    """Characters around the find stay as they were written, invisible ones too."""
    outcome = REDACTOR.redact_text(text)

    assert isinstance(outcome, RedactedText)
    assert outcome.value == redacted


@pytest.mark.parametrize(
    "text",
    [
        "аna@example",
        "CPF cento e onze",
        "CPF 1 1 1 . 4 4 4 . 7 7 7 - 3 5",
        "CPF MTExLjQ0NC43NzctMzU=",
        "CPF 1̶1̶1̶.444.777-35",
        "CPF lll.444.777-35",
    ],
)
def test_what_is_known_not_to_be_caught(text: str) -> None:
    """The limits that docs/PRIVACY.md names; one that falls is good news, and changes the document."""
    assert REDACTOR.redact_text(text) == RedactedText(text)
