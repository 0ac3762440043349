"""What the generated functions call: tables for what one byte says, and strict readers for all that takes more.

A generated function advances by table: `p += TEXT[v[p]] or text_size(v, p, breaks)`. The table knows every value whose
length or index is one byte, as nearly all are; 0 sends the rest to a reader here. Readers refuse what no canonical
writer writes by raising `Unusual`: that says nothing about the event yet, since some of it is legal Avro.

**UTF-8.** The function keeps where the stretch of texts it walks over began. In a stretch, every byte that is not text
is an index, a length or a count of one byte, below 0x80. No UTF-8 sequence goes across such a byte, so the stretch as a
whole is valid if and only if each of its texts is, and `isascii` proves most of them in one call. A reader that meets a
longer length or count puts its place into `breaks`, because there the argument ends: the last bytes of one text and
the length of the next can look like a whole sequence although the text is cut.

All of it is pure; any thread.
"""

from collections.abc import Sequence
from typing import Final

from tailrace.codec.encoding import INT_MAX, INT_MIN, encode_long
from tailrace.codec.reference_walker import Step, Walk

Breaks = list[tuple[int, int]]
"""Stretches of a value that were validated on their own, or hold no text: first byte and the one after the last."""


class Unusual(Exception):  # noqa: N818 - not an error: the event may be a good one
    """The bytes are not what a canonical writer of this schema writes; they may be legal all the same."""


ONE: Final = tuple(1 if byte < 0x80 else 0 for byte in range(256))
"""Bytes of a varint by its first byte; 0 when it takes more than one."""

TEXT: Final = tuple((byte >> 1) + 1 if byte < 0x80 and not byte & 1 else 0 for byte in range(256))
"""Bytes of a length and what it is the length of, by the length's first byte; 0 when it is longer, or negative."""

BOOLEAN: Final = (1, 1) + (0,) * 254

TWO: Final = tuple(2 if 0 < byte < 0x80 else 0 for byte in range(256))
"""Bytes of a varint that takes more than one, by its second byte; 0 when it takes more than two."""

SHAPE: Final = bytes((0, *[1] * 0x7F, *[2] * 0x80))
"""Translates varints to their shape: 2 where it goes on, 1 where it ends, 0 where it ends in a byte without bits."""

EIGHT_BYTE_LONG: Final = b"\x02" * 7 + b"\x01"
"""The shape of a long from 2**48 to 2**55 - 1: a time in microseconds from 1978 to 3111."""


def one_byte_indexes(known: Sequence[bool]) -> tuple[int, ...]:
    """A table for an enum's indexes: 1 for those that the reader knows, 0 for all other bytes."""
    valid = {index << 1 for index, is_known in enumerate(known) if is_known}
    return tuple(1 if byte in valid else 0 for byte in range(256))


def unusual() -> int:
    """For the right side of an `or`."""
    raise Unusual


def long_size(v: bytes, p: int) -> int:
    """Bytes of the long at `p`. Raises Unusual when it is cut, out of range or not as short as can be."""
    if v[p : p + 8].translate(SHAPE) == EIGHT_BYTE_LONG:
        return 8
    return _long(v, p)[1] - p


def int_size(v: bytes, p: int, breaks: Breaks) -> int:
    """As `long_size`, for 32 bits."""
    value, end = _long(v, p)
    if not INT_MIN <= value <= INT_MAX:
        raise Unusual
    breaks.append((p, end))
    return end - p


def bytes_size(v: bytes, p: int) -> int:
    """Bytes of the length at `p` and what it is the length of; nobody looks at those. Raises Unusual.

    The size may go beyond the end: then so does `p`, and every function ends by comparing the two.
    """
    # The two loops and calls of `_length` would be a tenth of what a whole event takes.
    second = v[p + 1]
    if second < 0x80:
        return _FIRST_OF_LENGTH[v[p]] + _SECOND_OF_TWO[second]
    third = v[p + 2]
    if third < 0x80:
        return _FIRST_OF_LENGTH[v[p]] + _SECOND_OF_THREE[second] + _THIRD_OF_THREE[third]
    size_bytes, start = _length(v, p)
    return start + size_bytes - p


_BEYOND = 1 << 62
_FIRST_OF_LENGTH: Final = tuple((byte & 0x7F) >> 1 if byte > 0x7F and not byte & 1 else _BEYOND for byte in range(256))
_SECOND_OF_TWO: Final = tuple((byte << 6) + 2 if byte else _BEYOND for byte in range(0x80))
_SECOND_OF_THREE: Final = tuple((byte & 0x7F) << 6 for byte in range(256))
_THIRD_OF_THREE: Final = tuple((byte << 13) + 3 if byte else _BEYOND for byte in range(0x80))
"""What each byte of a length of two or three adds to the size; what no canonical length has leads beyond every end."""


def text_size(v: bytes, p: int, breaks: Breaks) -> int:
    """Bytes of the length at `p` and its text. Raises Unusual, and UnicodeDecodeError for a text that is none."""
    return long_text(v, p, breaks)[1] - p


def long_text(v: bytes, p: int, breaks: Breaks) -> tuple[bytes, int]:
    """The text whose length is at `p`, and where it ends. Raises as `text_size`."""
    size_bytes, start = _length(v, p)
    end = start + size_bytes
    text = v[start:end]
    if not text.isascii():
        text.decode()
    breaks.append((p, end))
    return text, end


def check_texts(v: bytes, start: int, end: int, breaks: Breaks) -> None:
    """Validate every text from `start` to `end`, `breaks` excepted. Raises UnicodeDecodeError.

    The breaks are forgotten: they all lie before `end`, and what is checked next begins behind it. Kept, a map of
    numbers would be checked entry by entry, each time past all breaks before it: 14 000 took 3 s. [measured]
    """
    for first, last in breaks:
        if first >= start:
            v[start:first].decode()
            start = last
    v[start:end].decode()
    breaks.clear()


def block(v: bytes, p: int, breaks: Breaks) -> tuple[int, int, int]:
    """An array's or map's block: how many entries, where it ends if it says so and else -1, and where it begins.

    The number is at most that of the bytes left, so that a loop over entries ends soon whatever they are (`safety`).
    Raises Unusual.
    """
    first = v[p]
    if first < 0x80 and not first & 1 and first >> 1 < len(v) - p:
        return first >> 1, -1, p + 1
    count, start = _long(v, p)
    size_bytes = -1
    if count < 0:
        count = -count
        size_bytes, start = _length(v, start)
    if start - p > 1:
        breaks.append((p, start))
    if not 0 < count <= len(v) - start:
        raise Unusual
    return count, -1 if size_bytes < 0 else start + size_bytes, start


def one_block(v: bytes, start: int, end: int, blocks: Sequence[tuple[int, int, int]]) -> tuple[bytes, int]:
    """The value with its array or map from `start` to `end` written as one block, and where that ends now.

    `blocks` are its blocks: how many entries, and their first byte and the one after the last.
    """
    entries = b"".join([v[first:last] for _, first, last in blocks])
    written = encode_long(sum(count for count, _, _ in blocks)) + entries + b"\x00"
    return v[:start] + written + v[end:], start + len(written)


def items_block(items: Sequence[bytes]) -> bytes:
    """An array or map of these encoded entries."""
    return encode_long(len(items)) + b"".join(items) + b"\x00" if items else b"\x00"


def walked(step: Step, v: bytes, p: int) -> tuple[bytes, int]:
    """What the reference walk makes of the value at `p`, and where it ends: for what is too rare to generate code for.

    Raises WalkError.
    """
    walk = Walk(v, p)
    return step.read(walk), walk.position


def body(text: bytes) -> bytes:
    """The text without its length, from canonical bytes."""
    return text[_long(text, 0)[1] :]


def _length(v: bytes, p: int) -> tuple[int, int]:
    """The length at `p`, and where what it is the length of begins. Raises Unusual when not all of that is there."""
    first = v[p]
    if first & 1:
        raise Unusual
    # Two and three bytes, up to a mebibyte, are nearly all there is: lengths of one byte do not come here.
    if first > 0x7F and 0 < (second := v[p + 1]) < 0x80:
        size_bytes, start = (first & 0x7F | second << 7) >> 1, p + 2
    elif first > 0x7F and second > 0x7F and 0 < (third := v[p + 2]) < 0x80:
        size_bytes, start = (first & 0x7F | (second & 0x7F) << 7 | third << 14) >> 1, p + 3
    else:
        size_bytes, start = _long(v, p)
    if start + size_bytes > len(v):
        raise Unusual
    return size_bytes, start


def _long(v: bytes, p: int) -> tuple[int, int]:
    """The long at `p`, and where it ends."""
    zigzag = shift = 0
    for byte in v[p : p + 10]:
        zigzag |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            if zigzag >> 64 or (not byte and shift > 7):
                raise Unusual
            return (zigzag >> 1) ^ -(zigzag & 1), p + shift // 7
    raise Unusual
