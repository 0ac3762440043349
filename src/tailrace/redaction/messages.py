"""Messages and instructions in the form of the OpenTelemetry GenAI conventions (gen-ai-input-messages.json and its
siblings): what of them may go on at all, and how their texts are laid out.

An allow-list: a part of a kind that is not listed is left out, and so is a field that the conventions do not give to
its kind. Sealed state of providers (encrypted reasoning, redacted thinking, signatures) is thereby left out too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tailrace.redaction.categories import Category
from tailrace.redaction.json_walk import JsonWalk, Plan
from tailrace.redaction.outcomes import Json
from tailrace.redaction.texts import TextBatch

_FIELDS: Final[dict[str, frozenset[str]]] = {
    "text": frozenset({"content"}),
    "reasoning": frozenset({"content"}),
    "tool_call": frozenset({"id", "name", "arguments"}),
    # `result` is what `response` was called before version 1.38.
    "tool_call_response": frozenset({"id", "response", "result"}),
    "server_tool_call": frozenset({"id", "name", "server_tool_call"}),
    "server_tool_call_response": frozenset({"id", "server_tool_call_response"}),
    "blob": frozenset({"modality", "mime_type", "content"}),
    "file": frozenset({"modality", "mime_type", "file_id"}),
    "file_data": frozenset({"modality", "mime_type", "file_id", "uri"}),
    "uri": frozenset({"modality", "mime_type", "uri"}),
}
_MESSAGE_FIELDS: Final = frozenset({"role", "name", "finish_reason"})
# Parts of these kinds are streamed in pieces, and a reader sees the pieces as one text.
_PIECED: Final = frozenset({"text", "reasoning"})


class NotMessagesError(Exception):
    """A value is not in the form of the conventions at all. Never leaves this layer, and holds nothing."""


@dataclass(slots=True)
class MessageWalk:
    """Plans lists of messages and lists of parts; `dropped` counts parts and fields that were left out."""

    batch: TextBatch
    walk: JsonWalk
    dropped: int = 0

    def messages(self, value: Json) -> Plan[Json]:
        """The plan for a list of messages; raises NotMessagesError if it is no list of objects with a list `parts`."""
        if not isinstance(value, list):
            raise NotMessagesError
        planned = [self._message(message) for message in value]
        return lambda texts: [message(texts) for message in planned]

    def parts(self, value: Json) -> Plan[Json]:
        """The plan for a list of parts; raises NotMessagesError if it is no list of objects with a string `type`."""
        if not isinstance(value, list):
            raise NotMessagesError
        planned: list[Plan[Json]] = []
        pieces: list[tuple[str, int]] = []
        for part in value:
            kind = part.get("type") if isinstance(part, dict) else None
            if not isinstance(part, dict) or not isinstance(kind, str):
                raise NotMessagesError
            place = self._part(kind, part, planned)
            if pieces and (place is None or pieces[-1] != (kind, place - 1)):
                self._together(pieces)
                pieces = []
            if place is not None:
                pieces.append((kind, place))
        self._together(pieces)
        return lambda texts: [part(texts) for part in planned]

    def _message(self, message: Json) -> Plan[Json]:
        if not isinstance(message, dict):
            raise NotMessagesError
        fields = [(key, self.walk.plan(message[key])) for key in message if key in _MESSAGE_FIELDS]
        parts = self.parts(message.get("parts"))
        self.dropped += len(message) - len(fields) - 1

        def again(texts: Sequence[str]) -> Json:
            redacted = {key: field(texts) for key, field in fields}
            redacted["parts"] = parts(texts)
            return redacted

        return again

    def _part(self, kind: str, part: dict[str, Json], planned: list[Plan[Json]]) -> int | None:
        """Adds the plan of a part that may go on; returns where its text is, if another piece may continue it."""
        allowed = _FIELDS.get(kind)
        if allowed is None:
            self.dropped += 1
            return None
        place: int | None = None
        fields: list[tuple[str, Plan[Json]]] = []
        for key, value in part.items():
            if key == "content" and kind in _PIECED and isinstance(value, str):
                plan, place = self.walk.text_leaf(value)
                fields.append((key, plan))
            elif key == "content" and kind == "blob":
                fields.append((key, self.walk.whole(Category.OPAQUE)))
            elif key in allowed:
                fields.append((key, self.walk.plan(value)))
            elif key != "type":
                self.dropped += 1

        def again(texts: Sequence[str]) -> Json:
            return {"type": kind, **{key: field(texts) for key, field in fields}}

        planned.append(again)
        return place

    def _together(self, pieces: list[tuple[str, int]]) -> None:
        if len(pieces) > 1:
            self.batch.groups.append((pieces[0][1], pieces[-1][1] + 1))
