"""The laws of the redactor: once is enough, nothing found is left, errors show nothing, and it is a value."""

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tailrace.domain.capture import EventContent, RefusedPart, prepare_content
from tailrace.domain.capture_store import CaptureKind, InlineStore
from tailrace.domain.payload import PayloadRedactor, RedactedPart, RedactionFailed, redact_part
from tailrace.redaction import CustomPattern, RedactedText, Redactor, Span, usual_redactor
from tailrace.redaction.categories import precedence
from tailrace.redaction.folding import fold
from tailrace.redaction.redactor import USUAL_DETECTORS
from tests.corpus.formats import NEAR_MISSES, POSITIVES
from tests.unit.redaction.unhurried import THOROUGH, UNHURRIED

REDACTOR = usual_redactor()
MASK = re.compile(r"\[REDACTED:[a-z0-9_]+\]")
JOINTS = [
    "",
    " ",
    "\n",
    ".",
    "-",
    "/",
    ":",
    ", ",
    "=",
    '"',
    "\u200b",
    "é",
    "x",
    "1",
    "@",
    "😀",
    "[REDACTED:cpf]",
    "password=",
]


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Values and near misses glued together in ways that no sentence would."""
    chance = Random(draw(st.integers(0, 1 << 32)))
    makes = draw(st.lists(st.sampled_from([*POSITIVES.values(), *NEAR_MISSES.values()]), min_size=1, max_size=6))
    return "".join(make(chance) + draw(st.sampled_from(JOINTS)) for make in makes)


@THOROUGH
@given(st.one_of(st.text(), texts()))
def test_redacting_again_changes_nothing(text: str) -> None:
    """Whatever the masks uncover beside them is masked as well."""
    once = REDACTOR.redact_text(text)
    if isinstance(once, RedactedText):
        assert REDACTOR.redact_text(once.value) == RedactedText(once.value)
    else:
        assert once == RedactionFailed("not_settled")


@THOROUGH
@given(texts())
def test_no_detector_finds_anything_in_what_came_out(text: str) -> None:
    """Not in the text, and not in its plain form."""
    outcome = REDACTOR.redact_text(text)
    if isinstance(outcome, RedactedText) and text.lstrip()[:1] not in {"{", "[", '"'}:
        laid_out = b"\x00" + fold(outcome.value).plain + b"\x00"
        assert not [span for detector in USUAL_DETECTORS for span in detector.find(laid_out)]


@UNHURRIED
@given(st.sampled_from(sorted(POSITIVES)), st.integers(0, 1 << 32))
def test_a_value_by_itself_is_gone_with_its_digits(category: str, seed: int) -> None:
    """Neither as written nor as digits alone: what is left is its mask, or that of what it is as well by chance.

    One in a thousand telephone numbers is a CPF, and a bearer token can have a key's prefix in its middle.
    """
    value = POSITIVES[category](Random(seed))
    outcome = REDACTOR.redact_text(value)

    assert isinstance(outcome, RedactedText)
    ((found, count),) = outcome.counts
    assert outcome.value == f"[REDACTED:{found}]"
    assert count == 1
    assert found == category or precedence(found) < precedence(category)


@UNHURRIED
@given(texts())
def test_every_span_lies_within_the_text_and_masks_only_itself(text: str) -> None:
    """What is not masked is what was there, in order."""
    laid_out = b"\x00" + fold(text).plain + b"\x00"
    for detector in USUAL_DETECTORS:
        for span in detector.find(laid_out):
            assert 0 < span.start < span.end < len(laid_out), detector.name
    outcome = REDACTOR.redact_text(text)
    if isinstance(outcome, RedactedText) and text.lstrip()[:1] not in {"{", "[", '"'}:
        place = 0
        for kept in MASK.split(outcome.value):
            assert kept in MASK.sub("\x01", text) or kept in text
            place = text.find(kept, place)
            assert place >= 0
            place += len(kept)


def test_a_find_that_ends_within_a_mask_takes_all_of_it() -> None:
    """A value's last bracket is left to the sentence around it, unless it is a mask's."""
    assert REDACTOR.redact_text("password=abc123[REDACTED:email]") == RedactedText(
        "[REDACTED:password]", (("password", 1),)
    )
    assert REDACTOR.redact_text("(see password=abc123)") == RedactedText(
        "(see [REDACTED:password])", (("password", 1),)
    )


@UNHURRIED
@given(texts())
def test_counts_are_those_of_the_masks(text: str) -> None:
    """By category, in alphabetical order, and never what was found."""
    before = MASK.findall(text)
    outcome = REDACTOR.redact_text(text)
    if isinstance(outcome, RedactedText):
        assert sum(count for _, count in outcome.counts) >= len(MASK.findall(outcome.value)) - len(before)
        assert [name for name, _ in outcome.counts] == sorted(name for name, _ in outcome.counts)


@dataclass(frozen=True)
class Broken:
    """A detector that fails, and says in its error what it was looking at."""

    name: str = "broken"
    gate: None = None

    def find(self, text: bytes) -> Iterator[Span]:
        raise RuntimeError(text.decode())


@dataclass(frozen=True)
class Endless:
    """A detector that finds its own mask."""

    name: str = "endless"
    gate: None = None

    def find(self, text: bytes) -> Iterator[Span]:
        yield Span(1, len(text) - 1, "own")


def test_an_error_in_a_detector_is_an_outcome_without_content() -> None:
    """The part is to be omitted; nothing is raised, chained or quoted."""
    redactor = Redactor((*USUAL_DETECTORS, Broken()))
    for outcome in (
        redactor.redact_text("hidden"),
        redactor.redact_json({"a": ["hidden"]}),
        redact_part(["hidden"], redactor),
    ):
        assert outcome == RedactionFailed("detector_failed")
        assert "hidden" not in repr(outcome)


def test_what_does_not_settle_is_withheld() -> None:
    """Rather than shown half done."""
    assert Redactor((Endless(),)).redact_text("hidden") == RedactionFailed("not_settled")


def test_only_the_empty_redactor_is_a_noop() -> None:
    """Equal redactors redact alike."""
    own = CustomPattern("own", "zz")
    assert Redactor().is_noop
    assert not REDACTOR.is_noop
    assert not Redactor(patterns=(own,)).is_noop
    assert usual_redactor() == REDACTOR != Redactor()
    assert hash(usual_redactor()) == hash(REDACTOR)
    assert usual_redactor((own,)) == usual_redactor((CustomPattern("own", "zz"),)) != REDACTOR
    assert Redactor().redact_text("CPF 111.444.777-35") == RedactedText("CPF 111.444.777-35")


def test_it_is_what_a_capture_store_redacts_with() -> None:
    """The whole way of a part: through the allow-list, through the redactor, to bytes."""
    redactor: PayloadRedactor = REDACTOR
    content = EventContent(
        capture_kind=CaptureKind.TURN_CHAT,
        thread_id="t",
        turn_number=0,
        span_is_recording=True,
        input_messages=b'[{"role":"user","parts":[{"type":"text","content":"cpf 111.444.777-35"}]}]',
        output_messages=b'[{"role":"assistant","parts":[{"type":"tool_call","id":"1","name":"f",'
        b'"arguments":"{\\"password\\":1}"},{"type":"redacted_thinking","data":"x"}]}]',
    )

    prepared = prepare_content(content, InlineStore(redactor))

    assert prepared.input_messages == RedactedPart(
        b'[{"role":"user","parts":[{"type":"text","content":"cpf [REDACTED:cpf]"}]}]'
    )
    assert prepared.output_messages == RedactedPart(
        b'[{"role":"assistant","parts":[{"type":"tool_call","id":"1","name":"f",'
        b'"arguments":{"password":"[REDACTED:sensitive_key]"}}]}]'
    )
    assert isinstance(prepare_content(content, InlineStore(Redactor((Broken(),)))).input_messages, RefusedPart)


def test_threads_share_one_redactor() -> None:
    """Eight at once get what one alone gets."""
    given_texts = [f"{number} cpf 111.444.777-35 ana{number}@example.com １{number}" for number in range(50)]  # noqa: RUF001
    alone = [REDACTOR.redact_text(text) for text in given_texts]
    together: dict[int, list[object]] = {}

    def work(number: int) -> None:
        together[number] = [REDACTOR.redact_text(text) for text in given_texts]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [together[number] for number in range(8)] == [alone] * 8
