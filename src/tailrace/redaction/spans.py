"""Where private text stands: spans, how overlapping ones become one, and what is put in their place."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tailrace.redaction.categories import precedence


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
