"""The redactor: what may be shown of a text or a JSON value."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from tailrace.domain.errors import InvalidField
from tailrace.domain.json_form import JsonValue
from tailrace.domain.payload import RedactedJson, RedactionFailed
from tailrace.redaction.accounts import ACCOUNTS
from tailrace.redaction.custom import CustomPattern
from tailrace.redaction.json_walk import JsonWalk
from tailrace.redaction.persons import PERSONS
from tailrace.redaction.rule import Detector
from tailrace.redaction.secrets import SECRETS
from tailrace.redaction.sensitive_keys import KeyRules, usual_key_rules
from tailrace.redaction.texts import NotSettledError, TextBatch, redact_all

DETECTOR_FAILED: Final = RedactionFailed("detector_failed")
NOT_SETTLED: Final = RedactionFailed("not_settled")

USUAL_DETECTORS: Final[tuple[Detector, ...]] = (*SECRETS, *ACCOUNTS, *PERSONS)


@dataclass(frozen=True, slots=True)
class RedactedText:
    """A text in which everything that was found is masked; `counts` as those of `RedactedJson`."""

    value: str = field(repr=False)
    counts: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Redactor:
    """Masks what its detectors, its patterns and its key rules find; the same input gives the same output anywhere.

    A `PayloadRedactor`, and a value: equal ones redact alike, and any number of threads may use one at once. Every
    method takes time in proportion to its input's size, whatever the input, and raises nothing: a detector that fails
    (`detector_failed`) or finds something new beside its masks without end (`not_settled`) makes the result a
    `RedactionFailed`, and then nothing of the input may be shown. Redacting a redacted value again changes nothing
    (docs/PRIVACY.md, Redaction).
    """

    detectors: tuple[Detector, ...] = ()
    patterns: tuple[CustomPattern, ...] = ()
    keys: KeyRules = KeyRules()  # noqa: RUF009 - a frozen value

    @property
    def is_noop(self) -> bool:
        """Whether it finds nothing in anything; what such a redactor gives out is as private as what it got."""
        return not self.detectors and not self.patterns and not self.keys

    def redact_text(self, text: str) -> RedactedText | RedactionFailed:
        """The text with every find masked; if the whole of it is JSON, its leaves are looked at instead."""
        outcome = self.redact_json(text)
        return RedactedText(str(outcome.value), outcome.counts) if isinstance(outcome, RedactedJson) else outcome

    def redact_json(self, value: JsonValue) -> RedactedJson | RedactionFailed:
        """A new value of the same shape, with finds in texts and keys masked, and values under sensitive keys whole.

        Strings that are JSON texts are looked into, up to four deep. A number that is a card's or a CPF becomes a mask.
        Neighbouring text parts of a message, and reasoning parts, are also looked at as one text.
        """
        if self.is_noop:
            return RedactedJson(value)
        batch = TextBatch([], [])
        walk = JsonWalk(batch, self.keys, every_key=bool(self.patterns))
        try:
            plan = walk.plan(value)
            texts, counts = redact_all(batch, self.detectors, self.patterns)
            redacted = plan(texts)
        except NotSettledError:
            return NOT_SETTLED
        except Exception:  # noqa: BLE001 - an exception of a detector may quote the content, so nothing of it is kept
            return DETECTOR_FAILED
        return RedactedJson(redacted, _totals(counts, walk.masked_whole))


def _totals(found: Counter[str], whole: Iterable[str]) -> tuple[tuple[str, int], ...]:
    total = found + Counter(whole)
    return tuple(sorted((str(category), count) for category, count in total.items()))


def usual_redactor(patterns: Iterable[CustomPattern] = (), sensitive_keys: Iterable[str] = ()) -> Redactor:
    """Every detector there is, the usual key rules, and what the operator adds.

    `patterns` have names of their own each; `sensitive_keys` are compared like the usual ones, without case and
    separators. Raises InvalidField for two patterns of one name.
    """
    own = tuple(sorted(patterns, key=lambda pattern: pattern.name))
    for one, next_one in pairwise(own):
        if one.name == next_one.name:
            raise InvalidField(f"redaction.patterns.{one.name}", "is there twice")
    return Redactor(USUAL_DETECTORS, own, usual_key_rules(sensitive_keys))
