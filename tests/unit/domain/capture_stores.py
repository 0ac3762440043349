"""Redactors and stores to test with, written by hand."""

from collections.abc import Callable
from typing import Any

from tailrace.domain.capture_store import CaptureFailed, CaptureResult, CaptureStore, PayloadBundle
from tailrace.domain.json_form import JsonValue
from tailrace.domain.payload import NOOP_REDACTOR, PayloadRedactor, RedactedJson, RedactionFailed


class MarkingRedactor:
    """Puts every string between angle brackets, so that a test sees what was redacted, and how often."""

    def __init__(self, *, is_noop: bool = False) -> None:
        self.asked = 0
        self._is_noop = is_noop

    @property
    def is_noop(self) -> bool:
        return self._is_noop

    def redact_json(self, value: JsonValue) -> RedactedJson | RedactionFailed:
        self.asked += 1
        return RedactedJson(self._marked(value))

    def _marked(self, value: JsonValue) -> JsonValue:
        if isinstance(value, str):
            return f"<{value}>"
        if isinstance(value, list):
            return [self._marked(item) for item in value]
        return {key: self._marked(item) for key, item in value.items()} if isinstance(value, dict) else value


class WordRedactor(MarkingRedactor):
    """Masks one word."""

    def __init__(self, word: str, mask: str) -> None:
        super().__init__()
        self._word, self._mask = word, mask

    def _marked(self, value: JsonValue) -> JsonValue:
        if isinstance(value, str):
            return value.replace(self._word, self._mask)
        return super()._marked(value)


class AnsweringRedactor:
    """Answers, or raises, what it was told for each call in turn; the last one for ever."""

    is_noop = False

    def __init__(self, *answers: Callable[[JsonValue], Any]) -> None:
        self._answers = list(answers)

    def redact_json(self, value: JsonValue) -> RedactedJson | RedactionFailed:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        redacted: RedactedJson | RedactionFailed = answer(value)
        return redacted


class ScriptedStore(CaptureStore):
    """Answers what it was told and keeps what it was given."""

    def __init__(
        self,
        answer: Callable[[PayloadBundle], Any],
        *,
        redactor: PayloadRedactor = NOOP_REDACTOR,
        attests: bool = False,
    ) -> None:
        self.given: list[PayloadBundle] = []
        self.redactor_asked = 0
        self._answer, self._redactor, self._attests = answer, redactor, attests

    def capture(self, bundle: PayloadBundle) -> CaptureResult | CaptureFailed:
        self.given.append(bundle)
        answer: CaptureResult | CaptureFailed = self._answer(bundle)
        return answer

    def redactor(self) -> PayloadRedactor:
        self.redactor_asked += 1
        return self._redactor

    def acknowledge_pii_redaction(self) -> bool:
        return self._attests
