"""What compiled functions call: valid text is told from invalid, and no break between texts is looked at twice."""

import pytest

from tailrace.codec.compiled_bytes import check_texts


def test_numbers_between_texts_are_not_read_as_text() -> None:
    """Each text is validated by itself: joined, two invalid halves could make a valid character."""
    value = "é".encode() + b"\xff" + "ü".encode()
    check_texts(value, 0, 5, [(2, 3)])
    with pytest.raises(UnicodeDecodeError):
        check_texts(value, 0, 5, [])
    with pytest.raises(UnicodeDecodeError):
        check_texts(b"\xc3" + b"\x01" + b"\xa9", 0, 3, [(1, 2)])


def test_a_break_is_looked_at_once() -> None:
    """Or a map of numbers would be walked through again for each of its entries: seconds for one large event."""
    value = ("é" * 40).encode() + b"\xff" + ("é" * 40).encode()
    breaks = [(80, 81)]
    check_texts(value, 0, len(value), breaks)
    assert breaks == []
