"""Looks for canaries in any bytes, whatever somebody did to them on the way out.

What was encoded is decoded, and looked at again, up to four layers deep: escapes of JSON and of Python, UTF-16, base64
at every alignment, hexadecimal, percent-encoding, gzip and zlib. Each layer is searched for all canaries at once, in
one pass of RE2, without regard to case.

A search that finds nothing might be one that cannot find. So every layer is searched with a *control* appended to it,
a text made for this search, and a search that does not find its control raises.
"""

import re
import zlib
from binascii import a2b_base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import re2  # type: ignore[import-untyped]

from tests.canary.canaries import Canary

DEPTH: Final = 4
_CONTROL: Final = b"control of a search that has to be found"
_SEPARATOR: Final = b"\n\xff\n"  # nothing decodes across it
_MOST_UNPACKED_BYTES: Final = 64 * 1024 * 1024
_PIECE_BYTES: Final = 16_384
_PACKED_SLICE_BYTES: Final = 4096


def _quick(pattern: bytes) -> Any:
    """Compiled by RE2, which passes over what does not match some thirty times faster than `re`."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    return re2.compile(pattern, options)


# What a base64 or hexadecimal rendering of the shortest canary has at least.
_BASE_64 = _quick(rb"[A-Za-z0-9+/_-]{11,}(?:\r?\n[A-Za-z0-9+/_-]{4,})*")
_NO_BASE_64 = re.compile(rb"[^A-Za-z0-9+/]")
_HEX = _quick(rb"[0-9A-Fa-f]{14,}|(?:[0-9A-Fa-f]{2}[ :-]){6,}[0-9A-Fa-f]{2}")
_NO_HEX = re.compile(rb"[^0-9A-Fa-f]")
_WIDE = _quick(rb"(?:[^\x00]\x00){6,}[^\x00]?|(?:\x00[^\x00]){6,}")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_ESCAPE = re.compile(rb"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_SURROGATES = re.compile(rb"\\u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2}")
_PACKED = _quick(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")
_MEANING: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


class SearchBrokenError(Exception):
    """A search did not find what was put there for it to find."""


@dataclass(frozen=True, slots=True)
class Find:
    """A canary that was found, and by undoing what."""

    canary: Canary
    layers: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.canary} ({' in '.join(self.layers) or 'plain'})"


class Search:
    """A search for these canaries, as often as wanted. One thread."""

    def __init__(self, canaries: Iterable[Canary]) -> None:
        self._canaries: dict[bytes, list[Canary]] = {}
        for canary in canaries:
            spellings = {needle.encode(form).lower() for needle in canary.needles for form in ("utf-8", "latin-1")}
            for spelling in spellings:
                self._canaries.setdefault(spelling, []).append(canary)
        self._needles = [_CONTROL, *self._canaries]
        self._longest = max(map(len, self._needles))
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.literal = True
        # Should even this not be enough, the set would say that it found nothing: what the control is for.
        options.max_mem = 512 * 1024 * 1024
        self._set = re2.Set.SearchSet(options)
        for needle in self._needles:
            self._set.Add(needle)
        self._set.Compile()

    def within(self, searched: bytes) -> frozenset[Find]:
        """Every canary in these bytes, once per way in which it is in there."""
        found: set[Find] = set()
        for layers, view in _views(searched, DEPTH):
            for needle in self._in_view(view):
                found.update(Find(canary, layers) for canary in self._canaries[needle])
        return frozenset(found)

    def canaries_within(self, searched: bytes) -> frozenset[Canary]:
        return frozenset(find.canary for find in self.within(searched))

    def _in_view(self, view: bytes) -> set[bytes]:
        """In pieces: a set remembers what it has found in its states, and thousands of finds make those expensive."""
        lowered, found = view.lower(), set[bytes]()
        for start in range(0, max(1, len(lowered)), _PIECE_BYTES):
            piece = lowered[start : start + _PIECE_BYTES + self._longest]
            matched = [self._needles[index] for index in self._set.Match(piece + _SEPARATOR + _CONTROL) or ()]
            if _CONTROL not in matched:
                raise SearchBrokenError(f"nothing can be found in these {len(piece)} bytes")
            found.update(matched)
        return found - {_CONTROL}


def _views(searched: bytes, depth: int) -> Iterator[tuple[tuple[str, ...], bytes]]:
    """The bytes themselves, and whatever can be read out of them; no view twice."""
    waiting: list[tuple[tuple[str, ...], bytes]] = [((), searched)]
    seen = {searched}
    while waiting:
        layers, view = waiting.pop()
        yield layers, view
        if len(layers) == depth:
            continue
        for name, pieces in _decoded(view, layers):
            inner = _SEPARATOR.join(pieces)
            if len(inner) > 8 and inner not in seen:
                seen.add(inner)
                waiting.append(((*layers, name), inner))


def _decoded(view: bytes, layers: tuple[str, ...]) -> Iterator[tuple[str, Sequence[bytes]]]:
    if b"\\" in view:
        yield "escapes", [_ESCAPE.sub(_meant, _SURROGATES.sub(_paired, view))]
    # Whole texts, unlike the runs below, do not get smaller from layer to layer: once each is enough.
    if b"%" in view and not {"percent", "form"}.intersection(layers):
        yield "percent", [_PERCENT.sub(_of_hex, view)]
    if b"+" in view and not {"percent", "form"}.intersection(layers):
        yield "form", [_PERCENT.sub(_of_hex, view.replace(b"+", b" "))]
    if b"\0" in view:
        yield "utf-16", [_narrow(run) for run in _all(_WIDE, view)]
    runs = [_NO_BASE_64.sub(b"", run.translate(_STANDARD)) for run in _all(_BASE_64, view)]
    for start in range(4):
        yield "base64", [_of_base_64(run[start:]) for run in runs]
    digits = [_NO_HEX.sub(b"", run) for run in _all(_HEX, view)]
    for start in range(2):
        yield "hex", [bytes.fromhex(run[start : len(run) - (len(run) - start) % 2].decode()) for run in digits]
    yield "packed", [_unpacked(memoryview(view)[found.start() :]) for found in _PACKED.finditer(view)]


def _all(pattern: Any, view: bytes) -> list[bytes]:
    return [found.group() for found in pattern.finditer(view)]


def _of_hex(found: re.Match[bytes]) -> bytes:
    return bytes.fromhex(found[1].decode())


_STANDARD: Final = bytes.maketrans(b"-_", b"+/")


def _of_base_64(run: bytes) -> bytes:
    """Unpadded as it is; a character too many, which no encoder writes, is left out."""
    whole = run if len(run) % 4 != 1 else run[:-1]
    return a2b_base64(whole + b"=" * (-len(whole) % 4))


def _narrow(run: bytes) -> bytes:
    return run.replace(b"\0", b"").decode("latin-1").encode()


def _meant(found: re.Match[bytes]) -> bytes:
    if found[1]:
        return chr(int(found[1], 16)).encode("utf-8", "surrogatepass")
    if found[2]:
        return bytes((int(found[2], 16),))
    return _MEANING.get(found[3], found[3])


def _paired(found: re.Match[bytes]) -> bytes:
    return (
        found[0].decode().encode().decode("unicode_escape").encode("utf-16", "surrogatepass").decode("utf-16").encode()
    )


def _unpacked(packed: memoryview) -> bytes:
    """What can be unpacked from the start of these bytes: of a torn stream, what comes before the tear."""
    stream = zlib.decompressobj(wbits=47)  # gzip or zlib, by the header
    unpacked: list[bytes] = []
    try:
        for start in range(0, len(packed), _PACKED_SLICE_BYTES):
            unpacked.append(stream.decompress(packed[start : start + _PACKED_SLICE_BYTES]))
            if stream.eof or sum(map(len, unpacked)) > _MOST_UNPACKED_BYTES:
                break
    except zlib.error:
        pass  # no such stream, or the tear
    return b"".join(unpacked)
