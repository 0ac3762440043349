"""What of an event's content is looked at at all: an allow-list over the forms of the OpenTelemetry GenAI conventions.

    part                         what passes, all of it still to be redacted
    ---------------------------  ------------------------------------------------------------
    text, reasoning, compaction  content
    tool_call                    id, name, arguments
    tool_call_response           id, response
    server_tool_call             id, name
    server_tool_call_response    id
    blob, file, uri              mime_type, modality
    any other                    nothing: redacted thinking, and parts this version does not know

Bytes of media cannot be redacted; a file id or URI is a handle by which somebody could fetch more; what a provider's
own tools say is in the provider's form, encrypted state included. A message keeps its role, its finish reason and its
parts; the name of who spoke does not pass. Source: docs/PRIVACY.md, The way of a prompt; the conventions' JSON schemas
for system instructions, input and output messages.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from tailrace.domain.json_form import JsonValue

MAX_PARSED_BYTES: Final = 8 * 1024 * 1024
"""The largest part that is parsed. Parsed JSON takes some ten to thirty times its size in memory; Kafka's own default
bound on a record is 1 MiB."""

MAX_VALUES: Final = 25_000
"""The most commas, colons and opening brackets in a part, which bounds how many values JSON can make of it. A value of
a few bytes takes up to 700 in memory and an own look of the redactor, so that one hostile megabyte took 180 MB and 13 s
[measured]. Prose has one per forty characters: a conversation of a megabyte stays below. What JSON in strings holds is
bounded alike."""

MAX_DEPTH: Final = 64
"""The deepest nesting of tool arguments and results that is followed, far from where Python's recursion would end."""

_OPENERS: Final = (b",", b":", b"[", b"{")
_ROLES: Final = frozenset(("system", "developer", "user", "assistant", "tool"))

_FIELDS_BY_TYPE: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "text": ("content",),
        "reasoning": ("content",),
        "compaction": ("content",),
        "tool_call": ("id", "name", "arguments"),
        "tool_call_response": ("id", "response"),
        "server_tool_call": ("id", "name"),
        "server_tool_call_response": ("id",),
        "blob": ("mime_type", "modality"),
        "file": ("mime_type", "modality"),
        "uri": ("mime_type", "modality"),
    }
)
_TREES: Final = frozenset(("arguments", "response"))  # fields of any shape; every other one is text

# Inside tool arguments and results, where shapes are anybody's: state that only the provider can read.
_OPAQUE_TYPES: Final = frozenset(("redacted_thinking", "redacted_reasoning", "encrypted_reasoning"))
_OPAQUE_KEYS: Final = frozenset(
    ("encrypted_content", "encrypted_index", "encrypted_stdout", "redacted_thinking", "thought_signature")
)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the allow-list lets through, not redacted yet. `parts_left_out` counts message parts that it does not."""

    value: JsonValue = field(repr=False)
    parts_left_out: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The bytes are too many, no UTF-8 JSON, nested too deeply, or not of the conventions' form."""


class _NotOfTheForm(Exception):  # noqa: N818 - leaves this module only as an Unreadable
    pass


def allowed_messages(encoded: bytes) -> Allowed | Unreadable:
    """What passes of input or output messages: UTF-8 JSON, a list of messages. Never raises. Pure; any thread."""
    return _allowed(encoded, _Sieve.messages)


def allowed_instructions(encoded: bytes) -> Allowed | Unreadable:
    """What passes of system instructions: UTF-8 JSON, a list of parts. Messages among them give their parts."""
    return _allowed(encoded, _Sieve.instructions)


class _Sieve:
    """One walk over one parsed value, counting the parts it leaves out, and what JSON in strings makes of itself."""

    def __init__(self) -> None:
        self.left_out = 0
        self._unpacked_values = 0

    def messages(self, found: JsonValue) -> JsonValue:
        return [self._message(message) for message in _list(found)]

    def instructions(self, found: JsonValue) -> JsonValue:
        parts: list[JsonValue] = []
        for entry in _list(found):
            parts += self._parts(entry["parts"]) if isinstance(entry, dict) and "parts" in entry else self._part(entry)
        return parts

    def _message(self, message: JsonValue) -> JsonValue:
        if not isinstance(message, dict):
            raise _NotOfTheForm
        role = message.get("role")
        kept: dict[str, JsonValue] = {"role": role if isinstance(role, str) and role in _ROLES else "unknown"}
        kept["parts"] = self._parts(message.get("parts"))
        if isinstance(message.get("finish_reason"), str):
            kept["finish_reason"] = message["finish_reason"]
        return kept

    def _parts(self, parts: JsonValue) -> list[JsonValue]:
        return [kept for part in _list(parts) for kept in self._part(part)]

    def _part(self, part: JsonValue) -> list[JsonValue]:
        """The part as far as it passes, or nothing."""
        if not isinstance(part, dict):
            raise _NotOfTheForm
        kind = part.get("type")
        fields = _FIELDS_BY_TYPE.get(kind) if isinstance(kind, str) else None
        if fields is None:
            self.left_out += 1
            return []
        kept: dict[str, JsonValue] = {"type": kind}
        for name in fields:
            value = part.get(name)
            if name in _TREES and name in part:
                kept[name] = _without_opaque(self._unpacked(value), MAX_DEPTH)
            elif isinstance(value, str):
                kept[name] = value
        return [kept]

    def _unpacked(self, value: JsonValue) -> JsonValue:
        """JSON inside a string, as most SDKs send arguments, as the JSON it is: redaction looks at keys, too."""
        if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
            return value
        # Counted again: where the part was counted as it came, a comma in a string can be written as `\u002c`.
        self._unpacked_values += sum(map(value.count, ",:[{"))
        if self._unpacked_values > MAX_VALUES:
            raise _NotOfTheForm
        try:
            inner: JsonValue = json.loads(value, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            return value  # text after all, and redacted as such
        return inner


def _allowed(encoded: bytes, form: "Callable[[_Sieve, JsonValue], JsonValue]") -> Allowed | Unreadable:
    if len(encoded) > MAX_PARSED_BYTES or sum(map(encoded.count, _OPENERS)) > MAX_VALUES:
        return Unreadable()
    sieve = _Sieve()
    try:
        # Decoded first: given bytes, the parser would also take UTF-16 and UTF-32.
        parsed = json.loads(encoded.decode(), parse_constant=_refuse_constant)
        return Allowed(form(sieve, parsed), sieve.left_out)
    except (ValueError, RecursionError, _NotOfTheForm):
        return Unreadable()


def _list(value: JsonValue) -> list[JsonValue]:
    if not isinstance(value, list):
        raise _NotOfTheForm
    return value


def _without_opaque(value: JsonValue, depth: int) -> JsonValue:
    if depth == 0:
        raise _NotOfTheForm
    if isinstance(value, list):
        return [_without_opaque(item, depth - 1) for item in value]
    if isinstance(value, dict):
        if _is_opaque(value):
            return None
        return {key: _without_opaque(item, depth - 1) for key, item in value.items() if key not in _OPAQUE_KEYS}
    return value


def _is_opaque(value: JsonValue) -> bool:
    kind = value.get("type") if isinstance(value, dict) else None
    return isinstance(kind, str) and kind in _OPAQUE_TYPES


def _refuse_constant(name: str) -> JsonValue:
    raise ValueError(name)  # NaN and Infinity, which the parser would take although JSON has no such thing
