"""Finding every match of a pattern in time proportional to the text, whatever the text.

The engine is RE2: no backtracking, so *one* search is linear in what it may look at. Finding *all* matches with it is
not: a search may look far beyond the match it returns, and the next one looks at the same bytes again. `first_match`
lets a search see a short stretch, and a longer one only if nothing ended within it. So what all searches of one text
may see adds up to at most `9 * len(text) + FIRST_REACH_BYTES * searches`; tests count it.
"""

from typing import Final, Protocol

import re2  # type: ignore[import-untyped]

FIRST_REACH_BYTES: Final = 4096
"""A match no longer than this is found wherever it is; longer than nearly every token, far shorter than a prompt."""

_GROWTH: Final = 8
# A UTF-8 character that the limit cuts in two ends a match up to three bytes before the limit.
_CUT_CHARACTER_BYTES: Final = 4


class Searcher(Protocol):
    """One pattern; safe for any number of threads."""

    def between(self, text: bytes, start: int, limit: int) -> tuple[int, int] | None:
        """Start and end of the first match within `text[start:limit]`, or None; linear in `limit - start`."""


class Re2Pattern:
    """A pattern in RE2's syntax, over bytes: one byte is one character, or with `utf8` the bytes are UTF-8.

    Raises ValueError for a pattern that RE2 does not take, which includes every one that no engine can match in linear
    time, such as back-references and look-around. The error repeats RE2's reason, never a text.
    """

    __slots__ = ("_compiled", "_identity")

    def __init__(self, pattern: bytes, *, utf8: bool = False) -> None:
        self._identity = (pattern, utf8)
        options = re2.Options()
        # Otherwise RE2 writes patterns to the standard error stream.
        options.log_errors = False
        if not utf8:
            options.encoding = re2.Options.Encoding.LATIN1
        options.never_capture = True
        try:
            self._compiled = re2.compile(pattern, options)
        except re2.error as error:
            reason = error.args[0] if error.args else b""
            raise ValueError(reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)) from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Re2Pattern) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def between(self, text: bytes, start: int, limit: int) -> tuple[int, int] | None:
        found = self._compiled.search(text, start, limit)
        return None if found is None else found.span()


def first_match(searcher: Searcher, text: bytes, position: int) -> tuple[int, int] | None:
    """Start and end of the next match at or after `position`, or None.

    A match longer than `FIRST_REACH_BYTES` is found too, unless a shorter match of the same pattern lies within the
    first `FIRST_REACH_BYTES` after `position`: that one is returned then.
    """
    reach = FIRST_REACH_BYTES
    length = len(text)
    while True:
        limit = min(length, position + reach)
        found = searcher.between(text, position, limit)
        if limit == length or (found is not None and found[1] <= limit - _CUT_CHARACTER_BYTES):
            return found
        reach *= _GROWTH
