"""The redactor: what may be shown of a text, a JSON value, or the messages of a model call."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeVar

from tailrace.domain.errors import InvalidField
from tailrace.redaction.accounts import ACCOUNTS
from tailrace.redaction.custom import CustomPattern
from tailrace.redaction.json_walk import JsonWalk, Plan
from tailrace.redaction.messages import MessageWalk, NotMessagesError
from tailrace.redaction.outcomes import Json, Redacted, Withheld, WithheldReason
from tailrace.redaction.persons import PERSONS
from tailrace.redaction.rule import Detector
from tailrace.redaction.secrets import SECRETS
from tailrace.redaction.sensitive_keys import KeyRules, usual_key_rules
from tailrace.redaction.texts import NotSettledError, TextBatch, redact_all

T = TypeVar("T")

USUAL_DETECTORS: Final[tuple[Detector, ...]] = (*SECRETS, *ACCOUNTS, *PERSONS)


@dataclass(frozen=True, slots=True)
class Redactor:
    """Masks what its detectors, its patterns and its key rules find; the same input gives the same output anywhere.

    A value: equal ones redact alike, and any number of threads may use one at once. Every method takes time in
    proportion to its input's size, whatever the input, and never raises for it: a detector that fails, or does not come
    to an end, makes the result `Withheld`, and then nothing of the input may be shown. Redacting a redacted value again
    changes nothing (docs/PRIVACY.md, Redaction).
    """

    detectors: tuple[Detector, ...] = ()
    patterns: tuple[CustomPattern, ...] = ()
    keys: KeyRules = KeyRules()  # noqa: RUF009 - a frozen value

    @property
    def is_noop(self) -> bool:
        """Whether it finds nothing in anything; what such a redactor gives out is as private as what it got."""
        return not self.detectors and not self.patterns and not self.keys

    def redact_text(self, text: str) -> Redacted[str] | Withheld:
        """The text with every find masked; if the whole of it is JSON, its leaves are looked at instead."""
        return self._redacted(lambda walk, _: _as_text(walk.text_leaf(text)[0])) if not self.is_noop else Redacted(text)

    def redact_json(self, value: Json) -> Redacted[Json] | Withheld:
        """A new value of the same shape, with finds in texts and keys masked, and values under sensitive keys whole.

        Strings that are JSON texts are looked into, up to four deep. A number that is a card's or a CPF becomes a mask.
        """
        return self._redacted(lambda walk, _: walk.plan(value)) if not self.is_noop else Redacted(value)

    def redact_messages(self, value: Json) -> Redacted[Json] | Withheld:
        """A list of messages of the GenAI conventions, redacted like JSON, without parts and fields they do not know.

        A noop redactor leaves those out too: what a provider sealed goes nowhere. Neighbouring text parts are also
        looked at as one text. Withheld as `not_messages` if it is no list of objects with a list `parts` of objects
        that have a `type`.
        """
        return self._redacted(lambda _, messages: messages.messages(value))

    def redact_parts(self, value: Json) -> Redacted[Json] | Withheld:
        """A list of parts, such as system instructions, as `redact_messages` treats those of a message."""
        return self._redacted(lambda _, messages: messages.parts(value))

    def _redacted(self, plan: Callable[[JsonWalk, MessageWalk], Plan[T]]) -> Redacted[T] | Withheld:
        batch = TextBatch([], [])
        walk = JsonWalk(batch, self.keys)
        messages = MessageWalk(batch, walk)
        try:
            planned = plan(walk, messages)
            texts, counts = redact_all(batch, self.detectors, self.patterns)
            value = planned(texts)
        except NotMessagesError:
            return Withheld(WithheldReason.NOT_MESSAGES)
        except NotSettledError:
            return Withheld(WithheldReason.NOT_SETTLED)
        except Exception:  # noqa: BLE001 - an exception of a detector may quote the content, so nothing of it is kept
            return Withheld(WithheldReason.DETECTOR_FAILED)
        return Redacted(value, _totals(counts, walk.masked_whole), messages.dropped)


def _as_text(plan: Plan[Json]) -> Plan[str]:
    return lambda texts: str(plan(texts))


def _totals(found: Counter[str], whole: Iterable[str]) -> tuple[tuple[str, int], ...]:
    total = found + Counter(whole)
    return tuple(sorted((str(category), count) for category, count in total.items()))


NOOP_REDACTOR: Final = Redactor()
"""Finds nothing; the one that is used wherever no other was configured."""


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
