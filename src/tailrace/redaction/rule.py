"""One way to find something: a pattern that proposes and a check that disposes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from tailrace.redaction.linear import Re2Pattern, Searcher, first_match
from tailrace.redaction.spans import Span

EDGE: Final = rb"[^0-9A-Za-z_\xc0-\xff]"
"""A byte that no word, number or token goes on with. Detectors are given texts that begin and end with such a byte."""

MANY_DIGITS: Final = Re2Pattern(rb"[0-9](?:[ .\-/]{0,2}[0-9]){8}")
"""Nine digits with at most two signs between each two: fewer are no number that anybody gives out."""

Check = Callable[[bytes, int, int], tuple[int, int] | None]
"""From a text and a proposed start and end to those of the find, or None; in bounded time, or linear in the find."""


class Detector(Protocol):
    """Finds spans of some sort in folded bytes; deterministic, without state, linear in the bytes' length."""

    @property
    def name(self) -> str:
        """Which detector; unique within a redactor."""

    @property
    def gate(self) -> Searcher | None:
        """If set, there is nothing for this detector to find in a text where this finds nothing.

        Detectors share gates, and a gate is asked once for a text: most texts hold nothing that opens most of them.
        """

    def find(self, text: bytes) -> Iterator[Span]:
        """Every span in `text`, in bytes, in order of start, within the text; they may overlap."""


def as_proposed(text: bytes, start: int, end: int) -> tuple[int, int]:  # noqa: ARG001 - a check's form
    """The check that believes the pattern."""
    return start, end


@dataclass(frozen=True, slots=True)
class Rule:
    """A detector of one category: matches of `searcher`, less one byte at each side that is an edge, if `check` agrees.

    `retry_inside`: a proposal that was refused may hide another one that begins within it; only for patterns whose
    matches are short, since each of its bytes may be looked at again.
    """

    name: str
    category: str
    searcher: Searcher
    check: Check = as_proposed
    gate: Searcher | None = None
    edges: tuple[int, int] = (1, 1)
    retry_inside: bool = True

    def find(self, text: bytes) -> Iterator[Span]:
        left, right = self.edges
        position = 0
        while (match := first_match(self.searcher, text, position)) is not None:
            start, end = match[0] + left, match[1] - right
            kept = self.check(text, start, end)
            if kept is not None:
                yield Span(kept[0], kept[1], self.category)
                position = max(kept[1], match[0] + 1)
            else:
                position = match[0] + 1 if self.retry_inside else max(end, match[0] + 1)


def rule(
    name: str,
    category: str,
    gate: Searcher | None,
    core: bytes,
    *,
    check: Check = as_proposed,
    edges: tuple[int, int] = (1, 1),
    retry_inside: bool = True,
) -> Rule:
    """A rule whose pattern is `core` with an edge at each side that `edges` counts."""
    pattern = (EDGE if edges[0] else b"") + b"(?:" + core + b")" + (EDGE if edges[1] else b"")
    return Rule(
        name=name,
        category=category,
        searcher=Re2Pattern(pattern),
        check=check,
        gate=gate,
        edges=edges,
        retry_inside=retry_inside,
    )
