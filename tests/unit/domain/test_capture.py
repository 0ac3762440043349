"""Redaction before the bundle, and one attempt at capturing: docs/PRIVACY.md, The way of a prompt."""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from itertools import count
from typing import Any

import pytest

from tailrace.domain.capture import (
    AttestedOverNoop,
    Captured,
    EventContent,
    ModelCall,
    OmitReason,
    PreparedContent,
    RefusedPart,
    capture_prepared,
    prepare_content,
)
from tailrace.domain.capture_store import (
    CaptureFailed,
    CaptureKind,
    CaptureResult,
    CaptureStore,
    Inline,
    InlineStore,
    Omit,
    OmitStore,
    PayloadBundle,
    Reference,
    StoreProblem,
)
from tailrace.domain.errors import InvalidField
from tailrace.domain.payload import NOOP_REDACTOR, RedactedJson, RedactedPart, RedactionFailed
from tests.unit.domain.capture_stores import AnsweringRedactor, MarkingRedactor, ScriptedStore, WordRedactor

PROMPT = "please keep this"
CALL = ModelCall(provider_name="openai", provider_id="openai-responses", request_model="m-1", response_model="m-1-2025")


def said(text: str, role: str = "user") -> bytes:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}]).encode()


CONTENT = EventContent(
    capture_kind=CaptureKind.COMPACTION_CHAT,
    thread_id="thread.1",
    turn_number=3,
    span_is_recording=True,
    system_instructions=json.dumps([{"type": "text", "content": PROMPT}]).encode(),
    input_messages=json.dumps(
        [
            {"role": "user", "parts": [{"type": "text", "content": PROMPT}]},
            {
                "role": "assistant",
                "parts": [
                    {"type": "reasoning", "content": PROMPT},
                    {"type": "tool_call", "id": "c.1", "name": "find", "arguments": {"q": [PROMPT, {"deep": PROMPT}]}},
                ],
            },
            {
                "role": "tool",
                "parts": [{"type": "tool_call_response", "id": "c.1", "response": f'{{"r": "{PROMPT}"}}'}],
            },
        ]
    ).encode(),
    output_messages=said(PROMPT, "assistant"),
)


def omit(_: PayloadBundle) -> CaptureResult:
    return CaptureResult.all_parts(Omit())


def inline(_: PayloadBundle) -> CaptureResult:
    return CaptureResult.all_parts(Inline())


def attempt(
    store: CaptureStore,
    content: EventContent = CONTENT,
    ids: Callable[[], str] = lambda: "capture.1",
    limit: int = 10**6,
) -> Captured:
    return capture_prepared(store, prepare_content(content, store), CALL, part_limit_bytes=limit, new_capture_id=ids)


def redacted(part: object) -> Any:
    assert isinstance(part, RedactedPart)
    return part.value()


def leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def test_store_without_a_redactor_of_its_own_gets_content_as_it_was() -> None:
    """The default is a shared redactor that masks nothing: text flows through unchanged."""

    class PlainStore(CaptureStore):
        def capture(self, bundle: PayloadBundle) -> CaptureResult:
            return omit(bundle)

    store = PlainStore()
    prepared = prepare_content(replace(CONTENT, input_messages=said("CPF 111.444.777-35 please")), store)
    assert redacted(prepared.input_messages)[0]["parts"][0]["content"] == "CPF 111.444.777-35 please"
    assert prepared.redactor_is_noop
    assert store.redactor() is PlainStore().redactor() is NOOP_REDACTOR
    assert store.acknowledge_pii_redaction() is False


def test_store_with_a_redactor_gets_only_its_output() -> None:
    """What the redactor masks is masked in the bundle, and the text is nowhere in it."""
    store = ScriptedStore(omit, redactor=WordRedactor("111.444.777-35", "[REDACTED:cpf]"))
    attempt(store, replace(CONTENT, input_messages=said("CPF 111.444.777-35 please")))
    (bundle,) = store.given
    text = redacted(bundle.input_messages)[0]["parts"][0]["content"]
    assert "[REDACTED:cpf]" in text
    assert "111.444.777-35" not in text


def test_every_leaf_is_redacted_once_before_the_bundle_exists() -> None:
    """Once: not zero times, and not twice; the redactor is asked for once, too."""
    redactor = MarkingRedactor()
    store = ScriptedStore(omit, redactor=redactor)
    attempt(store)
    (bundle,) = store.given
    parts = [redacted(part) for part in (bundle.system_instructions, bundle.input_messages, bundle.output_messages)]
    found = leaves(parts)
    assert found.count(f"<{PROMPT}>") == 7
    assert all(leaf.startswith("<") and not leaf.startswith("<<") for leaf in found)
    assert (redactor.asked, store.redactor_asked) == (3, 1)


def test_bundle_has_every_field_of_the_call() -> None:
    """What a store needs to file a capture, and nothing but redacted parts beside it."""
    store = ScriptedStore(omit, redactor=MarkingRedactor())
    attempt(store)
    (bundle,) = store.given
    facts = {field.name: getattr(bundle, field.name) for field in fields(bundle)}
    parts = {name: facts.pop(name) for name in ("system_instructions", "input_messages", "output_messages")}
    assert facts == {
        "capture_id": "capture.1",
        "capture_kind": CaptureKind.COMPACTION_CHAT,
        "thread_id": "thread.1",
        "turn_number": 3,
        "provider_name": "openai",
        "provider_id": "openai-responses",
        "span_is_recording": True,
        "request_model": "m-1",
        "response_model": "m-1-2025",
    }
    assert redacted(parts["system_instructions"]) == [{"type": "<text>", "content": f"<{PROMPT}>"}]


@pytest.mark.parametrize("recording", [False, True])
def test_store_is_asked_whether_or_not_the_span_is_recording(recording: bool) -> None:
    """It is told, and decides itself."""
    store = ScriptedStore(omit)
    attempt(store, replace(CONTENT, span_is_recording=recording))
    assert [bundle.span_is_recording for bundle in store.given] == [recording]


def test_each_attempt_has_a_capture_id_of_its_own() -> None:
    """Also for the same event."""
    store, ids = ScriptedStore(omit), count(1)
    captured = [attempt(store, ids=lambda: f"capture.{next(ids)}") for _ in range(3)]
    assert [bundle.capture_id for bundle in store.given] == ["capture.1", "capture.2", "capture.3"]
    assert [attempted.capture_id for attempted in captured] == ["capture.1", "capture.2", "capture.3"]


def test_instructions_that_the_call_had_not_are_none() -> None:
    store = ScriptedStore(omit)
    captured = attempt(store, replace(CONTENT, system_instructions=None))
    assert store.given[0].system_instructions is None
    assert captured.content.system_instructions is None


def refusals(prepared: PreparedContent) -> list[OmitReason | None]:
    parts = (prepared.system_instructions, prepared.input_messages, prepared.output_messages)
    return [part.reason if isinstance(part, RefusedPart) else None for part in parts]


def keeps(value: Any) -> RedactedJson:
    return RedactedJson(value)


def raises(_: Any) -> RedactedJson:
    raise RuntimeError(PROMPT)


@pytest.mark.parametrize(
    "answer",
    [
        raises,
        lambda _: RedactionFailed("too_deep"),
        lambda _: RedactedJson({1, 2}),  # type: ignore[arg-type]
        lambda _: RedactedJson("\ud800"),
        lambda _: RedactedJson(float("nan")),
        lambda value: value,
        lambda _: None,
    ],
)
def test_part_whose_redaction_fails_is_left_out_alone(answer: Callable[[Any], Any]) -> None:
    """However it fails: raised, refused, or an answer that is none; the other parts stay."""
    store = ScriptedStore(inline, redactor=AnsweringRedactor(keeps, answer, keeps))
    captured = attempt(store)
    assert refusals(captured.content) == [None, OmitReason.REDACTION_FAILED, None]
    assert store.given[0].input_messages is None
    assert PROMPT not in repr(captured)


def test_part_that_cannot_be_read_is_left_out_alone() -> None:
    """Of the other two, everything stays."""
    prepared = prepare_content(replace(CONTENT, output_messages=b"not json"), ScriptedStore(omit))
    assert refusals(prepared) == [None, None, OmitReason.UNREADABLE]


class _StoreOfNoRedactor(ScriptedStore):
    def redactor(self) -> Any:
        raise RuntimeError(PROMPT)


class _StoreOfAStranger(ScriptedStore):
    def redactor(self) -> Any:
        return object()


@pytest.mark.parametrize("kind", [_StoreOfNoRedactor, _StoreOfAStranger])
def test_store_that_has_no_redactor_to_give_gets_nothing(kind: type[ScriptedStore]) -> None:
    """Without redaction no part exists, and such a redactor counts as a noop."""
    store = kind(inline, attests=True)
    prepared = prepare_content(CONTENT, store)
    assert set(refusals(prepared)) == {OmitReason.REDACTION_FAILED}
    assert prepared.redactor_is_noop


def test_left_out_message_parts_are_counted() -> None:
    """Over all three parts."""
    foreign = json.dumps([{"role": "user", "parts": [{"type": "redacted_thinking", "data": PROMPT}] * 2}]).encode()
    prepared = prepare_content(replace(CONTENT, input_messages=foreign, output_messages=foreign), ScriptedStore(omit))
    assert prepared.parts_left_out == 4


def test_size_asked_about_is_that_of_the_parts_within_the_limit() -> None:
    """A part beyond it would not be sent, so it does not count against the event's limit."""
    content = replace(
        CONTENT, system_instructions=b"[]", input_messages=said("x" * 500), output_messages=said("y" * 50)
    )
    prepared = prepare_content(content, ScriptedStore(omit))
    sizes = [len(said("x" * 500).replace(b" ", b"")), len(said("y" * 50).replace(b" ", b""))]
    assert prepared.bytes_within(10**6) == 2 + sum(sizes)
    assert prepared.bytes_within(sizes[0]) == 2 + sum(sizes)
    assert prepared.bytes_within(sizes[0] - 1) == 2 + sizes[1]
    assert prepared.bytes_within(0) == 0


def test_store_gets_no_part_beyond_the_limit() -> None:
    """Nobody could be told where it is, so nobody need keep it."""
    content = replace(CONTENT, input_messages=said("x" * 500))
    store = ScriptedStore(inline)
    captured = attempt(store, content, limit=400)
    assert refusals(captured.content) == [None, OmitReason.PART_LIMIT, None]
    assert store.given[0].input_messages is None
    assert store.given[0].output_messages is not None


def boom(_: PayloadBundle) -> CaptureResult:
    raise ConnectionError(PROMPT)


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (boom, CaptureFailed(StoreProblem.RAISED, "ConnectionError")),
        (lambda _: CaptureFailed(StoreProblem.TIMED_OUT), CaptureFailed(StoreProblem.TIMED_OUT)),
        (lambda _: None, CaptureFailed(StoreProblem.NO_ANSWER)),
        (lambda _: "inline", CaptureFailed(StoreProblem.NO_ANSWER)),
        (lambda _: CaptureResult.all_parts("inline"), CaptureFailed(StoreProblem.NO_ANSWER)),  # type: ignore[arg-type]
    ],
)
def test_failure_of_a_store_is_a_value_without_content(answer: Callable[[Any], Any], failure: CaptureFailed) -> None:
    """Something to log: the kind of problem and the name of an error's class, never its text."""
    captured = attempt(ScriptedStore(answer, redactor=MarkingRedactor(), attests=True))
    assert captured.result == failure
    assert PROMPT not in repr(captured)


def test_store_that_changes_what_it_was_given_changes_nothing() -> None:
    """What is inlined later is what was redacted."""

    def vandal(bundle: PayloadBundle) -> CaptureResult:
        assert bundle.output_messages is not None
        bundle.output_messages.value()[0]["parts"][0]["content"] = "anything"  # type: ignore[index,call-overload]
        return inline(bundle)

    captured = attempt(ScriptedStore(vandal))
    assert redacted(captured.content.output_messages)[0]["parts"][0]["content"] == PROMPT


@pytest.mark.parametrize("attests", [False, True])
@pytest.mark.parametrize("is_noop", [False, True])
def test_store_that_vouches_for_a_noop_is_worth_a_warning(attests: bool, is_noop: bool) -> None:
    """Only then; the warning names the class of the store."""
    captured = attempt(ScriptedStore(inline, redactor=MarkingRedactor(is_noop=is_noop), attests=attests))
    assert captured.warning == (AttestedOverNoop("ScriptedStore") if attests and is_noop else None)
    assert captured.attested == attests


def test_omit_store_omits_and_vouches_for_nothing() -> None:
    store = OmitStore()
    assert attempt(store).result == CaptureResult.all_parts(Omit())
    assert store.redactor() is NOOP_REDACTOR
    assert not store.acknowledge_pii_redaction()


@pytest.mark.parametrize("is_noop", [False, True])
def test_inline_store_vouches_for_a_redactor_that_masks(is_noop: bool) -> None:
    redactor = MarkingRedactor(is_noop=is_noop)
    store = InlineStore(redactor)
    assert attempt(store).result == CaptureResult.all_parts(Inline())
    assert store.redactor() is redactor
    assert store.acknowledge_pii_redaction() is not is_noop


@pytest.mark.parametrize("word", [1, "yes", None, [True]])
def test_only_a_plain_yes_vouches(word: object) -> None:
    """A store in anybody's hands may answer anything; what is not True is no word for its redactor."""
    store = ScriptedStore(lambda _: CaptureResult.all_parts(Inline()), redactor=MarkingRedactor(), attests=word)  # type: ignore[arg-type]
    assert attempt(store).attested is False


@pytest.mark.parametrize("word", [0, "", None, []])
def test_only_a_plain_no_says_that_a_redactor_masks(word: object) -> None:
    redactor = MarkingRedactor(is_noop=word)  # type: ignore[arg-type]
    captured = attempt(ScriptedStore(lambda _: CaptureResult.all_parts(Inline()), redactor=redactor, attests=True))
    assert captured.content.redactor_is_noop is True


@pytest.mark.parametrize("reference", ["", "x" * 513, "s3://bucket/a\nb", "s3://bucket/\ud800"])
def test_reference_is_a_name_and_no_place_for_content(reference: str) -> None:
    with pytest.raises(InvalidField):
        Reference(reference)


def test_part_tells_its_bytes_and_digest_and_hides_its_text() -> None:
    """The digest is the one anybody would compute over the bytes."""
    part = RedactedPart('["é"]'.encode())
    assert (part.size_bytes, part.value()) == (6, ["é"])
    assert part.sha256 == "0b657be394b1d432f8d1942406ed09c213604cbcd87b299641cf994bcaf84b11"
    assert "é" not in repr(part)


def test_nothing_on_the_way_shows_content_in_a_repr() -> None:
    store = ScriptedStore(inline)
    captured = attempt(store)
    for value in (CONTENT, prepare_content(CONTENT, store), captured, store.given[0]):
        assert PROMPT not in repr(value)
