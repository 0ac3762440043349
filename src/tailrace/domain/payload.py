"""Content after redaction, and the port to what redacts: nothing past this module holds text that was not redacted.

Unless the redactor is the shared no-operation one, which hands everything back as it was. It says so itself, and its
output is never put on a record (docs/PRIVACY.md, Stores).
"""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Final, Protocol

from tailrace.domain.json_form import JsonValue


@dataclass(frozen=True, slots=True)
class RedactedJson:
    """A JSON value in which every string has been through the redactor.

    `counts` says how many masks of each category were put in, by name in alphabetical order; never what they hide.
    """

    value: JsonValue = field(repr=False)
    counts: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class RedactionFailed:
    """The value could not be redacted, so nobody gets it. `reason` is a constant word, never content."""

    reason: str


class PayloadRedactor(Protocol):
    """Masks what is private in JSON. Thread-safe; no I/O."""

    @property
    def is_noop(self) -> bool:
        """Whether it hands everything back as it was."""

    def redact_json(self, value: JsonValue) -> RedactedJson | RedactionFailed:
        """`value` with every string masked. Does not change what it was given. An exception counts as a failure."""


class NoopRedactor:
    """Masks nothing, and admits it."""

    @property
    def is_noop(self) -> bool:
        return True

    def redact_json(self, value: JsonValue) -> RedactedJson | RedactionFailed:
        return RedactedJson(value)


NOOP_REDACTOR: Final = NoopRedactor()
"""The one that every store has which does not bring its own."""


@dataclass(frozen=True, slots=True)
class RedactedPart:
    """One part of an event's content as the bytes that may leave: compact UTF-8 JSON, and immutable.

    Bytes and not a tree of lists, so that a store which changes what it was given changes nothing on the record.
    """

    encoded: bytes = field(repr=False)

    @property
    def size_bytes(self) -> int:
        return len(self.encoded)

    @property
    def sha256(self) -> str:
        """64 lower-case hexadecimal digits over `encoded`."""
        return hashlib.sha256(self.encoded).hexdigest()

    def value(self) -> JsonValue:
        """The part as JSON, made anew at every call."""
        parsed: JsonValue = json.loads(self.encoded)
        return parsed


def redact_part(value: JsonValue, redactor: PayloadRedactor) -> RedactedPart | RedactionFailed:
    """`value` through the redactor, once, and then encoded; whatever goes wrong on the way is a failure.

    What the redactor raises is not kept: the text of an exception may hold what was to be redacted.
    """
    try:
        redacted = redactor.redact_json(value)
        if isinstance(redacted, RedactionFailed):
            return redacted
        text = json.dumps(redacted.value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return RedactedPart(text.encode())
    except Exception:  # noqa: BLE001 - a redactor may be anybody's, and its failure must cost the part only
        return RedactionFailed("raised")
