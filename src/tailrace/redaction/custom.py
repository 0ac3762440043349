"""Patterns of the operator's own, from configuration."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from tailrace.domain.errors import InvalidField
from tailrace.redaction.categories import Category
from tailrace.redaction.linear import Re2Pattern, Searcher, first_match
from tailrace.redaction.spans import Span, mask_of

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_LONGEST_PATTERN_CHARACTERS: Final = 4096


@dataclass(frozen=True, slots=True)
class CustomPattern:
    """A category of the operator's own: whatever matches `pattern`, in RE2's syntax, is masked `[REDACTED:<name>]`.

    It is matched against each text by itself, as written and, where that differs, with look-alikes made plain. Matches
    of up to 4 096 bytes of UTF-8 are found wherever they are; a longer one too, unless a shorter match of this pattern
    lies near its beginning.

    Raises InvalidField, whose field is `redaction.patterns.<name>` and which never repeats the pattern: a name that is
    not `[a-z][a-z0-9_]{0,39}` or is a category of tailrace's own; a pattern longer than 4 096 characters; one that RE2
    refuses, which it does with all that cannot be matched in linear time (back-references, look-around) or needs too
    much memory; one that matches the empty text, or a mask.
    """

    name: str
    pattern: str
    searcher: Searcher = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        where = f"redaction.patterns.{self.name if _NAME.fullmatch(self.name) else '?'}"
        if _NAME.fullmatch(self.name) is None:
            raise InvalidField(where, "needs a name of lower-case letters, digits and _, 40 at most, a letter first")
        if self.name in set(Category):
            raise InvalidField(where, "has the name of a built-in category")
        if len(self.pattern) > _LONGEST_PATTERN_CHARACTERS:
            raise InvalidField(where, f"is longer than {_LONGEST_PATTERN_CHARACTERS} characters")
        try:
            searcher = Re2Pattern(self.pattern.encode(), utf8=True)
        except (ValueError, UnicodeEncodeError):
            # RE2's reason quotes the pattern, which may be what is to be kept secret.
            raise InvalidField(where, "is no pattern that RE2 can match in linear time") from None
        if searcher.between(b"", 0, 0) is not None:
            raise InvalidField(where, "matches the empty text")
        masks = [mask_of(category) for category in (*Category, self.name)]
        if any(searcher.between(mask.encode(), 0, len(mask)) is not None for mask in masks):
            raise InvalidField(where, "matches the masks themselves")
        object.__setattr__(self, "searcher", searcher)

    def find(self, text: str) -> Iterator[Span]:
        """Every match in `text`, in characters; linear in its length."""
        octets = text.encode("utf-8", "surrogatepass")
        position = 0
        counted_octets = 0
        counted = 0
        while (match := first_match(self.searcher, octets, position)) is not None:
            start, end = match
            if end == start:
                # RE2 lets a pattern such as \b match nothing in the middle of a text.
                position = end + 1
                if position > len(octets):
                    return
                continue
            start_character = counted + _characters(octets[counted_octets:start])
            counted_octets, counted = end, start_character + _characters(octets[start:end])
            yield Span(start_character, counted, self.name)
            position = end


def _characters(octets: bytes) -> int:
    return len(octets.decode("utf-8", "surrogatepass"))
