"""Patterns of the operator's own: what is taken, what is refused, and that refusals give nothing away."""

import pytest

from tailrace.domain.errors import InvalidField
from tailrace.domain.payload import RedactedJson
from tailrace.redaction import CustomPattern, RedactedText, usual_redactor


def redacted(text: str, *patterns: CustomPattern) -> str:
    outcome = usual_redactor(patterns).redact_text(text)
    assert isinstance(outcome, RedactedText)
    return outcome.value


def test_a_pattern_masks_under_its_own_name() -> None:
    """And overlaps merge under the built-in category."""
    order = CustomPattern("order_number", r"ORD-[0-9]{6}")
    assert redacted("see ORD-123456, ORD-12345", order) == "see [REDACTED:order_number], ORD-12345"
    assert redacted("x ana@example.com", CustomPattern("word", r"x ana")) == "[REDACTED:email]"


def test_a_pattern_is_matched_on_characters_and_on_plain_forms() -> None:
    """Letters beyond ASCII, and digits that only look different."""
    matricula = CustomPattern("matricula", r"(?i)matrícula nº [0-9]+")
    assert redacted("é Matrícula nº 42 é", matricula) == "é [REDACTED:matricula] é"
    assert redacted("é ORD-１２３４５６ é", CustomPattern("order", r"ORD-[0-9]{6}")) == "é [REDACTED:order] é"  # noqa: RUF001


def test_keys_are_matched_however_plain_they_are() -> None:
    """No detector of ours finds anything in a plain word; an operator's code name may be one."""
    names = CustomPattern("codename", r"(?i)titan|maria.silva")
    outcome = usual_redactor((names,)).redact_json({"titan": "project titan", "maria_silva": 1})
    assert isinstance(outcome, RedactedJson)
    assert outcome.value == {"[REDACTED:codename]": "project [REDACTED:codename]", "[REDACTED:codename]#1": 1}


def test_each_text_is_matched_by_itself() -> None:
    """Anchors mean the text's own ends, and a greedy pattern ends with its text."""
    outcome = usual_redactor((CustomPattern("line", r"^secret.*$"),)).redact_json(
        ["secret one", "a secret", "secret two"]
    )
    assert isinstance(outcome, RedactedJson)
    assert outcome.value == ["[REDACTED:line]", "a secret", "[REDACTED:line]"]


@pytest.mark.parametrize("length", [10, 4_000, 5_000, 100_000])
def test_matches_of_any_length_are_masked_whole(length: int) -> None:
    """Longer than what a search looks at first, too."""
    assert redacted("a <" + "é" * length + "> b", CustomPattern("angle", r"<[^>]*>")) == "a [REDACTED:angle] b"
    for before in ("a", "ab", "abc"):
        assert (
            redacted(f"{before}#{'é日' * length} b", CustomPattern("hash", r"#[^ ]*")) == f"{before}[REDACTED:hash] b"
        )


def test_a_match_of_nothing_in_the_middle_of_a_text_masks_nothing() -> None:
    """Word boundaries match nothing; the search goes on behind."""
    assert redacted("ab cd", CustomPattern("edge", r"\bzz\b|\B\b|cd")) == "ab [REDACTED:edge]"


@pytest.mark.parametrize(
    ("name", "pattern", "problem"),
    [
        ("Order", "a", "needs a name"),
        ("", "a", "needs a name"),
        ("a" * 41, "a", "needs a name"),
        ("cpf", "zz", "built-in"),
        ("own", "(hidden", "no pattern that RE2 can match in linear time"),
        ("own", r"(hidden)\1", "no pattern that RE2 can match in linear time"),
        ("own", "(?=hidden)a", "no pattern that RE2 can match in linear time"),
        ("own", "(?<!hidden)a", "no pattern that RE2 can match in linear time"),
        ("own", "((hidden{100}){100}){100}", "no pattern that RE2 can match in linear time"),
        ("own", "hidden\ud800", "no pattern that RE2 can match in linear time"),
        ("own", "(hidden)*", "matches the empty text"),
        ("own", "hidden|[A-Z]+", "matches the masks"),
        ("own", "own", "matches the masks"),
        ("own", "hidden" * 1000, "longer than 4096"),
    ],
)
def test_what_is_refused(name: str, pattern: str, problem: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The error names the pattern by its name, and neither it nor the standard error stream repeats it."""
    with pytest.raises(InvalidField) as refused:
        CustomPattern(name, pattern)

    assert refused.value.field.startswith("redaction.patterns.")
    assert problem in refused.value.problem
    assert "hidden" not in str(refused.value)
    assert capfd.readouterr() == ("", "")


def test_two_patterns_of_one_name_are_refused() -> None:
    """A mask would not say which it was."""
    with pytest.raises(InvalidField, match=r"redaction\.patterns\.own"):
        usual_redactor((CustomPattern("own", "zz"), CustomPattern("own", "yy")))
