"""Masking many texts at once: all are laid out in one, scanned together, and masked until nothing more is found."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from tailrace.redaction.custom import CustomPattern
from tailrace.redaction.folding import FoldedText, fold
from tailrace.redaction.rule import Detector
from tailrace.redaction.spans import Span, masked, merge, over_whole_masks

# An edge for every rule, and in no pattern's inside; folding leaves it out of texts.
_BETWEEN: Final = b"\x00"
# A mask can make what stands beside it findable, once for each neighbour; more rounds than this are an attack or a
# pattern that finds its own mask.
_MOST_ROUNDS: Final = 8


class NotSettledError(Exception):
    """After many rounds there was still something to find. Never leaves this layer, and holds nothing."""


@dataclass(slots=True)
class TextBatch:
    """Texts that are redacted together, in the order in which they were added.

    `groups` are the places of neighbouring texts, in order, that a reader sees as one: a find may begin in one and end
    in the next. Every text of a group is looked at by itself as well; no text is in two groups.
    """

    texts: list[str]
    groups: list[tuple[int, ...]]

    def add(self, text: str) -> int:
        """The place of `text` in this batch."""
        self.texts.append(text)
        return len(self.texts) - 1


def redact_all(
    batch: TextBatch, detectors: Sequence[Detector], patterns: Sequence[CustomPattern]
) -> tuple[list[str], Counter[str]]:
    """The texts with every find masked, and how many masks of each category; running it again finds nothing.

    Raises NotSettledError if finds beside masks do not come to an end, and whatever a detector raises.
    """
    texts = list(batch.texts)
    counts: Counter[str] = Counter()
    waiting = set(range(len(texts)))
    for _ in range(_MOST_ROUNDS):
        finds = _find_all(texts, waiting, batch.groups, detectors, patterns)
        if not finds:
            return texts, counts
        for place, spans in finds.items():
            merged = over_whole_masks(texts[place], merge(spans))
            counts.update(span.category for span in merged)
            texts[place] = masked(texts[place], merged)
        waiting = _with_neighbours(finds, batch.groups)
    raise NotSettledError


def _with_neighbours(places: Iterable[int], groups: Sequence[tuple[int, ...]]) -> set[int]:
    changed = set(places)
    for group in groups:
        if not changed.isdisjoint(group):
            changed.update(group)
    return changed


def _find_all(
    texts: Sequence[str],
    places: set[int],
    groups: Sequence[tuple[int, ...]],
    detectors: Sequence[Detector],
    patterns: Sequence[CustomPattern],
) -> dict[int, list[Span]]:
    """Finds by the place of their text, in characters of it; only texts at `places` are looked at."""
    finds: dict[int, list[Span]] = {}
    folded = {place: fold(texts[place]) for place in sorted(places) if texts[place]}
    if detectors and folded:
        order = list(folded)
        _scan(order, list(folded.values()), _BETWEEN, detectors, finds)
        for group in groups:
            members = [place for place in group if place in folded]
            if len(members) > 1:
                _scan(members, [folded[place] for place in members], b"", detectors, finds)
    for pattern in patterns:
        for place, text in folded.items():
            _match(pattern, place, texts[place], text, finds)
    return finds


def _scan(
    places: Sequence[int],
    folded: Sequence[FoldedText],
    between: bytes,
    detectors: Sequence[Detector],
    finds: dict[int, list[Span]],
) -> None:
    """Lays the texts out one after the other, `between` each two, and adds what is found to each text it touches."""
    laid_out = _BETWEEN + between.join(text.plain for text in folded) + _BETWEEN
    starts = list(accumulate((len(text.plain) + len(between) for text in folded[:-1]), initial=1))
    open_gates: dict[int, bool] = {}
    for detector in detectors:
        gate = detector.gate
        if gate is not None:
            if id(gate) not in open_gates:
                open_gates[id(gate)] = gate.between(laid_out, 0, len(laid_out)) is not None
            if not open_gates[id(gate)]:
                continue
        for span in detector.find(laid_out):
            at = max(0, bisect_right(starts, span.start) - 1)
            while at < len(folded) and starts[at] < span.end:
                text = folded[at]
                start = max(0, span.start - starts[at])
                end = min(len(text.plain), span.end - starts[at])
                if start < end:
                    whole = Span(text.place_of(start), text.place_of(end - 1) + 1, span.category)
                    finds.setdefault(places[at], []).append(whole)
                at += 1


def _match(pattern: CustomPattern, place: int, text: str, folded: FoldedText, finds: dict[int, list[Span]]) -> None:
    finds_here = list(pattern.find(text))
    plain = folded.plain.decode("latin-1")
    if plain != text:
        finds_here += [
            Span(folded.place_of(span.start), folded.place_of(span.end - 1) + 1, span.category)
            for span in pattern.find(plain)
        ]
    if finds_here:
        finds.setdefault(place, []).extend(finds_here)
