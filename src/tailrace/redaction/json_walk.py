"""Walking JSON: which of its leaves are to be looked at, and the same value again with those that were masked.

A *plan* is made from a value in one walk, which puts every text to be looked at into a batch; once the batch is
redacted, the plan gives the value anew. So all texts of a document are scanned together.
"""

import json
import math
from collections.abc import Callable, Sequence
from itertools import count
from typing import Final, TypeVar

from tailrace.domain.json_form import JsonValue
from tailrace.redaction.categories import Category
from tailrace.redaction.sensitive_keys import KeyRules, may_hold_a_find
from tailrace.redaction.spans import mask_of
from tailrace.redaction.texts import TextBatch

# Deeper than any conversation; Python's own limit on recursion is ten times as far.
_DEEPEST: Final = 96
# JSON in a string, in JSON in a string …: agents pass results on, and each hand-over can wrap them once more.
_DEEPEST_EMBEDDING: Final = 4
# Commas, colons and brackets of all JSON in strings: what as many levels of a content part may hold (`content_form`).
# They are counted here again because a string can write them as `\u002c` when its part is counted.
_MOST_EMBEDDED_VALUES: Final = _DEEPEST_EMBEDDING * 25_000
# A shorter number is neither a card nor a CPF.
_LEAST_TELLING_NUMBER: Final = 10**10
_SEALED_TYPES: Final = frozenset({"redacted_thinking", "redacted_reasoning", "reasoning.encrypted", "encrypted"})
_THOUGHT_TYPES: Final = frozenset({"thinking", "reasoning", "reasoning.text", "reasoning.summary"})
_MEDIA_TYPES: Final = frozenset({"base64", "blob"})
# Parts of messages that are streamed in pieces, neighbours of which a reader sees as one text (GenAI conventions).
_PIECE_TYPES: Final = ("text", "reasoning")
_PIECE_KEYS: Final = {"type", "content"}
_SEALED_KEYS: Final = frozenset({"signature", "data", "encrypted_content"})
_MEDIA_KEYS: Final = frozenset({"data", "content"})

T = TypeVar("T")
Plan = Callable[[Sequence[str]], T]
"""Gives a planned value, from the redacted texts of the batch that it was planned with."""


class RepeatedKeys:
    """Whether a JSON text had an object with the same key twice, whose first value a parser passes over."""

    __slots__ = ("seen",)

    def __init__(self) -> None:
        self.seen = False

    def __call__(self, pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
        read = dict(pairs)
        self.seen = self.seen or len(read) != len(pairs)
        return read


def read_json(text: str | bytes, repeated: RepeatedKeys | None = None) -> JsonValue:
    """The value of a JSON text as RFC 8259 has it.

    Raises ValueError for anything else, for a number that Python cannot hold, and for nesting too deep to read.
    """
    try:
        value: JsonValue = json.loads(
            text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=repeated or RepeatedKeys()
        )
    except RecursionError:
        raise ValueError from None
    return value


def _refuse(_: str) -> JsonValue:
    raise ValueError


def _finite(written: str) -> float:
    number = float(written)
    if math.isinf(number):
        raise ValueError
    return number


def write_json(value: JsonValue) -> str:
    """The value as compact JSON text; letters as they are, unless a lone surrogate makes that impossible."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
    return text


class JsonWalk:
    """Plans values over one batch. `masked_whole` collects the categories of values that were masked unread.

    `every_key` has plain words looked at as keys, too, in which only an operator's own pattern can find something.
    """

    __slots__ = ("_batch", "_embedded_values", "_every_key", "_keys", "masked_whole")

    def __init__(self, batch: TextBatch, keys: KeyRules, *, every_key: bool = False) -> None:
        self._batch = batch
        self._keys = keys
        self._every_key = every_key
        self._embedded_values = 0
        self.masked_whole: list[str] = []

    def plan(self, value: JsonValue, depth: int = 0, embedding: int = 0) -> Plan[JsonValue]:
        """The plan for any JSON value: texts looked at, keys too, numbers that could be a card's or a person's.

        A value is masked whole under a sensitive key, when it is sealed, and beyond 96 levels, 4 embeddings or 100 000
        embedded values.
        """
        if depth > _DEEPEST:
            return self._whole(Category.TOO_DEEP)
        match value:
            case str():
                return self._text(value, depth, embedding)
            case bool() | None:
                return lambda _: value
            case int() | float():
                return self._number(value)
            case list():
                return self._list(value, depth, embedding)
            case dict():
                return self._object(value, depth, embedding)

    def _whole(self, category: str) -> Plan[JsonValue]:
        self.masked_whole.append(category)
        mask = mask_of(category)
        return lambda _: mask

    def _text(self, text: str, depth: int, embedding: int) -> Plan[JsonValue]:
        if text.lstrip()[:1] in {"{", "[", '"'}:
            repeated = RepeatedKeys()
            if depth:
                self._embedded_values += sum(map(text.count, ",:[{"))
            if self._embedded_values > _MOST_EMBEDDED_VALUES:
                return self._whole(Category.TOO_DEEP)
            try:
                inside = read_json(text, repeated)
            except ValueError:
                pass
            else:
                if embedding == _DEEPEST_EMBEDDING:
                    return self._whole(Category.TOO_DEEP)
                return self._embedded(text, self.plan(inside, depth + 1, embedding + 1), inside, lost=repeated.seen)
        place = self._batch.add(text)
        return lambda texts: texts[place]

    def _embedded(self, text: str, plan: Plan[JsonValue], inside: JsonValue, *, lost: bool) -> Plan[JsonValue]:
        def again(texts: Sequence[str]) -> JsonValue:
            redacted = plan(texts)
            # What a parser passed over was not looked at; as it stands, the text still has it.
            return write_json(redacted) if lost or redacted != inside else text

        return again

    def _list(self, value: list[JsonValue], depth: int, embedding: int) -> Plan[JsonValue]:
        items: list[Plan[JsonValue]] = []
        pieces: list[tuple[str, int]] = []
        for item in value:
            first = len(self._batch.texts)
            items.append(self.plan(item, depth + 1, embedding))
            piece = self._piece_since(first, item)
            if pieces and (piece is None or piece[0] != pieces[-1][0]):
                self._read_as_one(pieces)
                pieces = []
            if piece is not None:
                pieces.append(piece)
        self._read_as_one(pieces)
        return lambda texts: [item(texts) for item in items]

    def _piece_since(self, first: int, item: JsonValue) -> tuple[str, int] | None:
        """Kind of a part that is all text, and the place of its text in the batch; None for anything else."""
        kind = item.get("type") if isinstance(item, dict) and item.keys() == _PIECE_KEYS else None
        if not isinstance(item, dict) or not isinstance(kind, str) or kind not in _PIECE_TYPES:
            return None
        # One text more or fewer, and the content is no text, or was JSON and is looked at in leaves.
        added = self._batch.texts[first:]
        place = list(item).index("content")
        return (kind, first + place) if len(added) == len(_PIECE_KEYS) and added[place] == item["content"] else None

    def _read_as_one(self, pieces: list[tuple[str, int]]) -> None:
        if len(pieces) > 1:
            self._batch.groups.append(tuple(place for _, place in pieces))

    def _number(self, number: float) -> Plan[JsonValue]:
        if not _LEAST_TELLING_NUMBER <= abs(number) < math.inf or int(number) != number:
            return lambda _: number
        written = str(int(number))
        place = self._batch.add(written)
        return lambda texts: number if texts[place] == written else texts[place]

    def _object(self, value: dict[str, JsonValue], depth: int, embedding: int) -> Plan[JsonValue]:
        kind = value.get("type")
        kind = kind if isinstance(kind, str) else None
        if kind in _SEALED_TYPES:
            return self._whole(Category.OPAQUE)
        sealed = _SEALED_KEYS if kind in _THOUGHT_TYPES else _MEDIA_KEYS if kind in _MEDIA_TYPES else frozenset()
        entries = []
        for key, item in value.items():
            category = Category.OPAQUE if key in sealed else self._keys.category_of(key)
            planned = self._whole(category) if category is not None else self.plan(item, depth + 1, embedding)
            entries.append((self._key(key), planned))

        def again(texts: Sequence[str]) -> JsonValue:
            redacted: dict[str, JsonValue] = {}
            numbers = count(1)
            for key, item in entries:
                name = unique = key if isinstance(key, str) else key(texts)
                # Two keys that were masked to the same one stay two. No number is tried twice: keys can be written so
                # that each of many would find all numbers before its own taken.
                while unique in redacted:
                    unique = f"{name}#{next(numbers)}"
                redacted[unique] = item(texts)
            return redacted

        return again

    def _key(self, key: str) -> str | Plan[str]:
        if not self._every_key and not may_hold_a_find(key):
            return key
        place = self._batch.add(key)
        return lambda texts: texts[place]
