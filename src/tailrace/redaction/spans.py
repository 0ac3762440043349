"""Where private text stands: spans, how overlapping ones become one, and what is put in their place."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tailrace.redaction.categories import precedence

_MASK: Final = re.compile(r"\[REDACTED:[a-z0-9_]+\]")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A find: the characters from `start` up to, not including, `end` of one text are of this category.

    0 ≤ `start` < `end` ≤ the text's length, in characters; who makes a span sees to that.
    """

    start: int
    end: int
    category: str


def mask_of(category: str) -> str:
    """What stands in a redacted text where something of this category stood."""
    return f"[REDACTED:{category}]"


def merge(spans: Iterable[Span]) -> tuple[Span, ...]:
    """One span for each chain of overlapping ones, in order of place; together they cover what the given ones did.

    A merged span has the category that comes first in `Category`. Spans that only touch stay two. The result does not
    depend on the order of `spans`, and merging it again changes nothing.
    """
    merged: list[Span] = []
    for span in sorted(spans):
        if not merged or span.start >= merged[-1].end:
            merged.append(span)
            continue
        last = merged[-1]
        category = min(last.category, span.category, key=precedence)
        merged[-1] = Span(last.start, max(last.end, span.end), category)
    return tuple(merged)


def over_whole_masks(text: str, spans: Sequence[Span]) -> tuple[Span, ...]:
    """`spans`, merged ones of this text, each made to hold the whole of every mask that it holds a part of.

    A find may end within a mask that an earlier round made or that the text came with: what `password=` is given in
    `password=abc[REDACTED:email]` ends before the bracket that closes, as it would before one of a sentence.
    """
    masks = [found.span() for found in _MASK.finditer(text)]
    if not masks:
        return tuple(spans)
    starts, ends = zip(*masks, strict=True)
    widened: list[Span] = []
    for span in spans:
        first = bisect_right(ends, span.start)
        behind = bisect_left(starts, span.end)
        if first < behind:
            span = Span(min(span.start, starts[first]), max(span.end, ends[behind - 1]), span.category)  # noqa: PLW2901
        widened.append(span)
    return merge(widened)


def masked(text: str, spans: Sequence[Span]) -> str:
    """`text` with each span's characters replaced by its mask; `spans` are merged ones of this text."""
    pieces: list[str] = []
    position = 0
    for span in spans:
        pieces.append(text[position : span.start])
        pieces.append(mask_of(span.category))
        position = span.end
    pieces.append(text[position:])
    return "".join(pieces)
