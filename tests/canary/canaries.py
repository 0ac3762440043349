"""Texts that must not get out, or only where somebody let them: seeded, each knowing where it stands and what it is.

A canary is either a value of a redaction category, made by the corpus from that category's specification, or a *plain*
word that no detector knows. Plain ones show what passes a boundary; the others show that what passes is redacted.
"""

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any

from tests.corpus.formats import POSITIVES

PLAIN = "plain"
CATEGORIES = (PLAIN, *POSITIVES)

_LETTERS = "bcdfghjklmnpqrstvwxz"
_SENTENCES = (
    "Please look up {}; the customer is waiting.",
    "Segue a informação: {}. O prazo é de 15 dias úteis.",
    'She wrote "{}" in the ticket.',
    "{}",
)
_SHORT = frozenset(("email", "ipv4", "ipv6"))
# Of these, the end alone gives access to something; of the others only the whole is somebody's.
_SECRETS = frozenset(
    ("jwt", "bearer_token", "api_key", "anthropic_key", "slack_token", "github_token", "google_key", "private_key")
)
_SECRET_RUN = re.compile(r"[A-Za-z0-9+/_-]{20,}")
_ASSIGNED = re.compile(r"(?:=|: ?\"?|: )\s*['\"]?(?:Basic )?([^'\"\s]+?)['\"]?$")
_OF_URL = re.compile(r":([^:@/]+)@")


class Reach(StrEnum):
    """How far a canary may get."""

    GRANTED = "granted"
    """On the record of a sink that was granted content, if it is plain; a category's is masked there."""

    NOWHERE = "nowhere"
    """Outside what passes the allow-list, under a key that is masked whole, or no content at all."""


@dataclass(frozen=True, slots=True)
class Canary:
    """A text, the position it stands at, its category, and how far it may get.

    `group` names the sort of event it belongs to. `needles` are what is looked for: the text itself, and of secrets
    the part that gives access.
    """

    text: str
    category: str
    position: str
    group: str
    reach: Reach
    needles: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.category} in {self.position} of {self.group}"


class Planter:
    """Makes canaries, each text once, and remembers them all. Same seed and same calls: same canaries."""

    def __init__(self, seed: int) -> None:
        self._chance = Random(seed)
        self._taken: set[str] = set()
        self._short: set[str] = set()
        self.planted: list[Canary] = []

    def at(self, group: str, category: str) -> "Patch":
        return Patch(self, group, category)

    def plant(self, group: str, category: str, position: str, reach: Reach) -> str:
        """A new canary of this category, at this position; its bare text."""
        while True:
            text = self._word() if category == PLAIN else POSITIVES[category](self._chance)
            needles = _needles(category, text)
            if not self._taken.intersection(needles) and not self._overlaps(category, text):
                break
        self._taken.update(needles)
        self.planted.append(Canary(text, category, position, group, reach, needles))
        return text

    def _overlaps(self, category: str, text: str) -> bool:
        """Whether it is part of another one, or the other way round: a find would then be two."""
        if category not in _SHORT:
            return False
        if any(text in other or other in text for other in self._short):
            return True
        self._short.add(text)
        return False

    def sentence(self, text: str) -> str:
        return self._chance.choice(_SENTENCES).format(text)

    def _word(self) -> str:
        """Letters in no language's order, one of them not ASCII, so that escapes of every sort have work to do."""
        return f"{''.join(self._chance.choices(_LETTERS, k=9))}ã{''.join(self._chance.choices(_LETTERS, k=9))}"


@dataclass(frozen=True, slots=True)
class Patch:
    """Plants canaries of one category in one group of events."""

    planter: Planter
    group: str
    category: str

    def bare(self, position: str, reach: Reach = Reach.GRANTED) -> str:
        return self.planter.plant(self.group, self.category, position, reach)

    def said(self, position: str, reach: Reach = Reach.GRANTED) -> str:
        """In a sentence, as people and models write it."""
        return self.planter.sentence(self.bare(position, reach))

    def kept(self, position: str) -> str:
        """In a sentence that nobody ever gets."""
        return self.said(position, Reach.NOWHERE)


@dataclass(frozen=True, slots=True)
class Conversation:
    """The content of one event: three parts of JSON."""

    system_instructions: bytes
    input_messages: bytes
    output_messages: bytes


def conversation(patch: Patch) -> Conversation:
    """A canary at every position that the conventions' form has, inside the allow-list and outside of it."""
    instructions = [
        {"type": "text", "content": patch.said("system.text.content")},
        {"parts": [{"type": "text", "content": patch.said("system.message.text")}], "name": patch.kept("system.name")},
        {"type": "guardrail", "content": patch.kept("system.unknown part")},
    ]
    said = [
        _message("user", _user_parts(patch), name=patch.kept("input.message.name")),
        _message(patch.bare("input.message.role", Reach.NOWHERE), [_text(patch.said("input.text under odd role"))]),
        _message("assistant", _assistant_parts(patch, "input"), annotations=patch.kept("input.message.other field")),
        _message("tool", _tool_parts(patch, "input")),
    ]
    answered = [
        _message(
            "assistant",
            [*_assistant_parts(patch, "output"), *_tool_parts(patch, "output")],
            name=patch.kept("output.message.name"),
            finish_reason=patch.bare("output.message.finish_reason"),
        )
    ]
    return Conversation(_compact(instructions), _spelled(said), _compact(answered))


def _user_parts(patch: Patch) -> list[object]:
    bare, kept = patch.bare, patch.kept
    media = base64.b64encode(kept("input.blob.content").encode()).decode()
    return [
        {**_text(patch.said("input.text.content")), "annotations": [kept("input.text.other field")]},
        {"type": "blob", "mime_type": bare("input.blob.mime_type"), "modality": "image", "content": media},
        {"type": "blob", "mime_type": "text/plain", "modality": bare("input.blob.modality"), "data": media},
        {
            "type": "file",
            "mime_type": bare("input.file.mime_type"),
            "modality": bare("input.file.modality"),
            "file_id": bare("input.file.file_id", Reach.NOWHERE),
            "filename": kept("input.file.other field"),
        },
        {
            "type": "uri",
            "mime_type": bare("input.uri.mime_type"),
            "modality": bare("input.uri.modality"),
            "uri": f"https://files.example.com/{bare('input.uri.uri', Reach.NOWHERE)}",
        },
        {"type": "document_of_tomorrow", "content": kept("input.unknown part"), "nested": {"deep": kept("input.deep")}},
        {"content": kept("input.part without type")},
        {"type": [kept("input.type that is no text")], "content": kept("input.part of no type")},
    ]


def _assistant_parts(patch: Patch, where: str) -> list[object]:
    bare, said, kept = patch.bare, patch.said, patch.kept
    in_string = {
        "question": said(f"{where}.tool_call.arguments in a string"),
        "deeper": json.dumps({"still": [said(f"{where}.tool_call.arguments two strings deep")]}),
        "password": bare(f"{where}.sensitive key in a string", Reach.NOWHERE),
    }
    return [
        {
            "type": "reasoning",
            "content": said(f"{where}.reasoning.content"),
            "signature": base64.b64encode(kept(f"{where}.reasoning.signature").encode()).decode(),
            "provider_state": kept(f"{where}.reasoning.provider state"),
        },
        {"type": "compaction", "content": said(f"{where}.compaction.content")},
        {"type": "redacted_thinking", "data": kept(f"{where}.redacted thinking")},
        {"type": "redacted_reasoning", "content": kept(f"{where}.redacted reasoning")},
        {
            "type": "tool_call",
            "id": bare(f"{where}.tool_call.id"),
            "name": bare(f"{where}.tool_call.name"),
            "arguments": _arguments(patch, f"{where}.tool_call.arguments"),
            "thought_signature": kept(f"{where}.tool_call.thought_signature"),
        },
        {"type": "tool_call", "id": "call_2", "name": "find", "arguments": json.dumps(in_string, ensure_ascii=False)},
        {"type": "tool_call", "id": "call_3", "name": "say", "arguments": said(f"{where}.tool_call.arguments as text")},
        {
            "type": "server_tool_call",
            "id": bare(f"{where}.server_tool_call.id"),
            "name": bare(f"{where}.server_tool_call.name"),
            "arguments": kept(f"{where}.server_tool_call.arguments"),
            "server_tool_call": {"type": "web_search", "query": kept(f"{where}.server_tool_call.its own form")},
        },
    ]


def _tool_parts(patch: Patch, where: str) -> list[object]:
    bare, said, kept = patch.bare, patch.said, patch.kept
    answered = {
        "rows": [{"note": said(f"{where}.tool_call_response in a string")}],
        "authorization": bare(f"{where}.sensitive key of a result in a string", Reach.NOWHERE),
        "encrypted_content": kept(f"{where}.encrypted content in a string"),
    }
    return [
        {
            "type": "tool_call_response",
            "id": bare(f"{where}.tool_call_response.id"),
            "response": {
                **_arguments(patch, f"{where}.tool_call_response"),
                "encrypted_content": kept(f"{where}.tool_call_response.encrypted_content"),
                "encrypted_stdout": kept(f"{where}.tool_call_response.encrypted_stdout"),
                "steps": [
                    {"type": "redacted_thinking", "data": kept(f"{where}.tool_call_response.redacted thinking")},
                    {"type": "step", "thought_signature": kept(f"{where}.tool_call_response.thought_signature")},
                ],
            },
            "cache_handle": kept(f"{where}.tool_call_response.other field"),
        },
        {"type": "tool_call_response", "id": "call_2", "response": json.dumps(answered)},
        {"type": "tool_call_response", "id": "call_3", "response": said(f"{where}.tool_call_response as text")},
        {"type": "tool_call_response", "id": "call_4", "response": [said(f"{where}.tool_call_response in a list")]},
        {
            "type": "server_tool_call_response",
            "id": bare(f"{where}.server_tool_call_response.id"),
            "response": {"results": [kept(f"{where}.server_tool_call_response.response")]},
        },
    ]


def _arguments(patch: Patch, where: str) -> dict[str, object]:
    bare, said = patch.bare, patch.said
    made: dict[str, object] = {
        "note": said(f"{where}.value"),
        "list": [{"item": said(f"{where}.value in a list")}],
        bare(f"{where}.key"): True,
        "password": bare(f"{where}.sensitive key", Reach.NOWHERE),
        "headers": {"Authorization": bare(f"{where}.sensitive header", Reach.NOWHERE)},
        "api_key": {"value": [bare(f"{where}.below a sensitive key", Reach.NOWHERE)]},
    }
    if patch.category in {"card", "cpf"}:
        digits = re.sub(r"\D", "", bare(f"{where}.number", Reach.NOWHERE))
        # A number has no leading zeros: with one, it would be another, shorter number.
        made["number"] = digits if digits.startswith("0") else int(digits)
    return made


def unreadable_parts(patch: Patch) -> Mapping[str, bytes]:
    """Content that is not of the form, in every way that is known, with a canary in the middle of it."""
    deep = patch.kept("content nested too deep")
    kept = patch.kept
    nested: object = deep
    for _ in range(80):
        nested = [nested]
    part = {"type": "tool_call", "id": "c", "name": "n", "arguments": nested}
    return {
        "text": kept("content that is no JSON").encode(),
        "cut": _compact([_message("user", [_text(kept("content cut off"))])])[:-4],
        "constant": f'[{{"role":"user","parts":[{{"type":"text","content":"{kept("NaN").replace(chr(34), "")}"}}],'
        '"finish_reason":NaN}]'.encode(),
        "utf-16": json.dumps([_message("user", [_text(kept("content in UTF-16"))])]).encode("utf-16"),
        "no list": _compact({"role": "user", "parts": [_text(kept("content that is one message"))]}),
        "parts of text": _compact([{"role": "user", "parts": kept("content with text for parts")}]),
        "too deep": _compact([_message("user", [part])]),
        "latin-1": f'[{{"role":"user","parts":[{{"type":"text","content":"ÿ {kept("Latin-1")}"}}]}}]'.replace(
            "\n", " "
        ).encode("latin-1", "replace"),
    }


def _needles(category: str, text: str) -> tuple[str, ...]:
    if category in {"password", "aws_key", "azure_key"}:
        assigned = _ASSIGNED.search(text)
        return (assigned.group(1),) if assigned else (text,)
    if category == "connection_string":
        word = _OF_URL.search(text)
        return (text, f":{word.group(1)}@") if word else (text,)
    if category in _SECRETS:
        runs = _SECRET_RUN.findall(text)
        return tuple(dict.fromkeys((text, *([runs[-1]] if runs else []))))
    if category in {"card", "cpf"}:
        digits = re.sub(r"\D", "", text)
        return tuple(dict.fromkeys((text, digits)))
    return (text,)


def _text(content: str) -> dict[str, object]:
    return {"type": "text", "content": content}


def _message(role: str, parts: list[Any], **others: object) -> dict[str, object]:
    return {"role": role, "parts": parts, **others}


def _compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _spelled(value: object) -> bytes:
    """JSON as a careful encoder writes it: ASCII only, slashes escaped."""
    return json.dumps(value, indent=1).replace("/", "\\/").encode()


def by_reach(canaries: Iterable[Canary], wanted: Callable[[Canary], bool]) -> frozenset[Canary]:
    return frozenset(canary for canary in canaries if wanted(canary))
