"""Texts as detectors see them: look-alikes of digits and signs made plain, invisible characters gone.

One byte stands for one character, so that places in the folded text are places in the text itself, but for characters
that were left out, which are noted.
"""

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache
from typing import Final

# Latin-1 characters that need folding: C0 and C1 controls but for tab, line feed and carriage return; the no-break
# space, the soft hyphen, and superscript digits. ª and º stay letters: Portuguese writes nº.
_CONTROLS: Final = bytes([*range(9), 0x0B, 0x0C, *range(0x0E, 0x20), *range(0x7F, 0xA0)])
_LATIN_1_FOLDED: Final = _CONTROLS + "\u00a0\u00ad²³¹".encode("latin-1")
_KEPT_ORDINALS: Final = frozenset("ªº")
# Latin beyond Latin-1, Greek, Cyrillic and Armenian.
# Python's own engine here, since RE2 works on bytes; a single class cannot backtrack.
_CASED: Final = re.compile("[\u0100-\u024f\u0370-\u0587\u1e00-\u1fff]+")
# Planes 0 to 2 hold every assigned letter and digit; the tags of plane 14 are invisible. 3 to 13 are empty or Han.
_LOOKED_AT: Final = (range(0x80, 0x20000), range(0xE0000, 0xE0200))


@dataclass(frozen=True, slots=True)
class FoldedText:
    """`plain` has one byte for each character of the text that was kept; `left_out` tells the places of the others.

    `left_out[i]` is the place in `plain` before which the i-th left-out character stood, ascending.
    """

    plain: bytes
    left_out: tuple[int, ...] = ()

    def place_of(self, place: int) -> int:
        """The place in the text of the character whose byte is `plain[place]`."""
        return place + bisect_right(self.left_out, place) if self.left_out else place


def fold(text: str) -> FoldedText:
    """The text in bytes: Latin-1 as it is, other letters with two cases as one of those, all else as `?`. But first:

    decimal digits of any script, and full-width, styled, circled and raised ones, as `0` to `9`; letters and signs
    whose compatibility form is one ASCII character as that; dashes as `-`; spaces as a space; zero-width and other
    format characters, variation selectors and controls left out.
    """
    try:
        plain = text.encode("ascii")
    except UnicodeEncodeError:
        pass
    else:
        return FoldedText(plain) if len(plain.translate(None, _CONTROLS)) == len(plain) else _fold_slowly(text)
    try:
        plain = text.encode("latin-1")
    except UnicodeEncodeError:
        return _fold_slowly(text)
    return FoldedText(plain) if len(plain.translate(None, _LATIN_1_FOLDED)) == len(plain) else _fold_slowly(text)


def _fold_slowly(text: str) -> FoldedText:
    table = _folding()
    pieces: list[str] = []
    left_out: list[int] = []
    position = 0
    kept = 0
    # A class of all there are takes a microsecond for a character that is not in it; of those here, next to nothing.
    here = "".join(map(re.escape, sorted(table.keys() & set(text))))
    for found in re.finditer(f"[{here}]", text) if here else ():
        start = found.start()
        pieces.append(text[position:start])
        kept += start - position
        replacement = table[text[start]]
        if replacement:
            pieces.append(replacement)
            kept += 1
        else:
            left_out.append(kept)
        position = start + 1
    pieces.append(text[position:])
    reduced = "".join(pieces)
    plain = bytearray(reduced, "latin-1", "replace")
    # Scripts with two cases part words by blanks, so a letter goes on with one; in others it stands beside anything.
    for found in _CASED.finditer(reduced):
        plain[found.start() : found.end()] = b"\xff" * (found.end() - found.start())
    return FoldedText(bytes(plain), tuple(left_out))


@cache
def _folding() -> dict[str, str]:
    """What each folded character becomes, the empty text for those left out."""
    table = {chr(code): "" for code in _CONTROLS}
    for codes in _LOOKED_AT:
        for code in codes:
            character = chr(code)
            replacement = _folded(character)
            if replacement is not None:
                table[character] = replacement
    return table


def _folded(character: str) -> str | None:
    category = unicodedata.category(character)
    if category in {"Cf", "Cc"} or "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef":
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Pd" or character == "\u2212":
        return "-"
    if category == "Zs":
        return " "
    if category == "Lo" or character in _KEPT_ORDINALS:
        return None
    compatible = unicodedata.normalize("NFKC", character)
    return compatible if len(compatible) == 1 and compatible.isascii() else None
