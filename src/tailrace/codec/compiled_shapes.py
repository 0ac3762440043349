"""Events that differ from one seen before in nothing but the letters of plain identifiers need no walk.

Behind its times an event without amounts and content is identifiers, and a few bytes between them that say how long
each is. Of such a stretch that has been walked, and whose identifiers are all plain, a *shape* is kept:

    stretch     24 run-7-000004  02 28 session-run-7-000004  1c agent-reviewer 00 …
    outline     24 aaaaaaaaaaaa  02 28 aaaaaaaaaaaaaaaaaaaa  1c aaaaaaaaaaaaaa 00 …      what the shape is found by
    pins                                                                                 and what is compared then

The outline is the stretch with one letter for every character of an identifier but the slash. A byte of a length may
look like such a character (24 characters are `0`): those are the pins. A stretch with the same outline and the same
bytes at the pins is therefore the one that was walked, byte for byte, but for other plain characters inside the same
identifiers: whatever was found of that one, where its fields end and that none of it has to be replaced, holds of this.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, cycle, repeat
from operator import itemgetter
from typing import Any, Final, NamedTuple

from tailrace.codec.compiled_identifiers import Guards
from tailrace.domain.identifiers import IDENTIFIER_CHARACTERS

LONGEST_BYTES: Final = 768
"""Of a stretch; a longer one mostly has a text of the producer's in it, and never repeats."""

_LONGEST_LEARNED_BYTES: Final = 4_096
"""Of an event: blanking the identifiers of a long one takes long."""

_MOST_SHAPES: Final = 2_048
"""Four megabytes. A producer has tens of kinds of event, and some hundred shapes where ids are counters."""

_MOST_PINS: Final = 24
"""More are texts that no record has, such as tags, which hardly repeat."""

_LEARNED_AT_ONCE: Final = 2_048
_LEARNED_AFTER: Final = 16
"""Keeping a shape takes as long as a few events. Where none ever repeats, one in 16 is kept: what is frequent gets in
soon all the same."""

_LETTER: Final = ord("a")
_ONE_BYTE_LENGTH: Final = 0x7F

OUTLINE: Final = bytes(_LETTER if byte in IDENTIFIER_CHARACTERS and byte != ord("/") else byte for byte in range(256))
"""Translates a stretch to its outline. A slash stays, since it may make a path of the id of a reference."""


class Shape(NamedTuple):
    """What is known of a stretch by its outline: pins and the bytes there, and how to cut it into a record's pieces."""

    pin: Callable[[bytes], Any]
    pinned: Any
    cut: Callable[[bytes], tuple[bytes, ...]]
    tail_bytes: int


class Shapes(dict[bytes, Shape]):
    """The shapes of one generated function by their outlines. Any thread: two that learn at once lose nothing.

    `names` are all fields of the stretch with identifiers.
    """

    def __init__(self, guards: Guards, names: Sequence[str]) -> None:
        super().__init__()
        self._guards = guards
        self._names = names

    def learn(self, v: bytes, begin: int, places: Sequence[int], tail_bytes: int) -> None:
        """Keep the shape of the stretch from `begin` to the end of `v`, which has been walked.

        `places` in `v` are first and last of each field in `names`, and then of each piece that is wanted of the
        stretch. The first two of those are run and agent id without their lengths, which have to be one byte.
        """
        fields, cuts = _pairs(places, len(self._names))
        if len(v) - begin > LONGEST_BYTES or any(v[first - 1] > _ONE_BYTE_LENGTH for first, _ in cuts[:2]):
            return
        masked = _masked(self._guards, self._names, v, fields)
        if masked is None:
            return
        stretch = v[begin:]
        outline = stretch.translate(OUTLINE)
        pins = _pins(masked[begin:])
        if len(pins) > _MOST_PINS:
            return
        if len(self) >= _MOST_SHAPES:
            self.clear()
        pin = itemgetter(*pins)
        cut = itemgetter(*(slice(first - begin, last - begin) for first, last in cuts))
        self[outline] = Shape(pin, pin(stretch), cut, tail_bytes)


class KnownTexts(dict[bytes, tuple[Callable[[bytes], Any], Any]]):
    """As `Shapes`, of the identifiers of an event with amounts or tags: only that none of them has to be replaced.

    What it knows is the outline of the fields in `names` put together, by pieces that hold each field whole.
    """

    def __init__(self, guards: Guards, names: Sequence[str]) -> None:
        super().__init__()
        self._guards = guards
        self._names = names

    def learn(self, v: bytes, places: Sequence[int]) -> None:
        """Keep the outline; `places` are first and last of each field in `names`, then of each piece, in order."""
        fields, pieces = _pairs(places, len(self._names))
        if len(v) > _LONGEST_LEARNED_BYTES:
            return
        masked = _masked(self._guards, self._names, v, fields)
        if masked is None:
            return
        texts = b"".join([v[first:last] for first, last in pieces])
        if len(texts) > LONGEST_BYTES:
            return
        outline = texts.translate(OUTLINE)
        if len(self) >= _MOST_SHAPES:
            self.clear()
        pin = itemgetter(*_pins(b"".join([masked[first:last] for first, last in pieces])))
        self[outline] = (pin, pin(texts))


def turns() -> Iterator[bool]:
    """Whether it is worth keeping what is not known yet, one answer for each time."""
    return chain(repeat(True, _LEARNED_AT_ONCE), cycle([True, *[False] * (_LEARNED_AFTER - 1)]))


def _pairs(places: Sequence[int], size: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    pairs = list(zip(places[::2], places[1::2], strict=True))
    return pairs[:size], pairs[size:]


def _masked(guards: Guards, names: Sequence[str], v: bytes, fields: Sequence[tuple[int, int]]) -> bytes | None:
    """The outline of all, with every character of an identifier blanked; None if one is not plain."""
    out = bytearray(v.translate(OUTLINE))
    for name, (first, last) in zip(names, fields, strict=True):
        spans = guards.plain_texts(name, v, first, last)
        if spans is None:
            return None
        for start, end in spans:
            out[start:end] = bytes(end - start)
    return bytes(out)


def _pins(masked: bytes) -> list[int]:
    """Where a byte that looks like a character stands outside of identifiers; never nothing, for `itemgetter`."""
    return [found.start() for found in _LOOKS_LIKE.finditer(masked)] or [0]


_LOOKS_LIKE: Final = re.compile(bytes((_LETTER,)))
