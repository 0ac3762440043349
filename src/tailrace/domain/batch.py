"""Items on their way together, as parts of the loads they came in."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Generic, TypeVar, overload

from tailrace.domain.load import NOTHING, Buffered, Columnar, Load, Part, Sums

T_co = TypeVar("T_co", bound=Buffered, covariant=True)
T = TypeVar("T", bound=Buffered)


LEAST_TOGETHER = 64
"""What waits of a load dissolves where it is fewer items: what is kept beside a load takes 656 bytes [measured], which
are ten for each of so many, and would be as much as the item itself for one alone."""


class Batch(Columnar[T_co], Generic[T_co]):
    """A sequence of items that is cut, counted and weighed without touching any; it equals a tuple of the same items.

    A slice takes as long as there are parts: one for each load of `LEAST_TOGETHER` items or more, and one for all that
    stood singly in between. It cannot be changed, nor hashed.
    """

    __slots__ = ("_len", "_parts")

    def __init__(self, parts: Iterable[Part[T_co]] = ()) -> None:
        self._parts = tuple([part for part in parts if len(part)])
        self._len = sum(map(len, self._parts))

    @property
    def parts(self) -> Sequence[Part[T_co]]:
        """What it consists of, in order; none of them is empty."""
        return self._parts

    @classmethod
    def of(cls, items: Sequence[T_co]) -> "Batch[T_co]":
        """These items, each for itself; passes over all of them, unless they are a batch already."""
        return items if isinstance(items, Batch) else cls([Part.whole(Load.of(items, loose=True))])

    def __len__(self) -> int:
        return self._len

    def __iter__(self) -> Iterator[T_co]:
        return chain.from_iterable([part.items for part in self._parts])

    @overload
    def __getitem__(self, place: int) -> T_co: ...
    @overload
    def __getitem__(self, place: slice) -> "Batch[T_co]": ...

    def __getitem__(self, place: int | slice) -> "T_co | Batch[T_co]":
        if isinstance(place, slice):
            first, end, step = place.indices(self._len)
            if step != 1:
                raise ValueError("a batch is cut into pieces that follow on each other")
            return self if (first, end) == (0, self._len) else Batch(self._between(first, end))
        index = place + self._len if place < 0 else place
        for part in self._parts:
            if 0 <= index < len(part):
                return part.load.items[part.first + index]
            index -= len(part)
        raise IndexError(place)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Batch | tuple) and len(self) == len(other) and all(map(_same, self, other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Batch({list(self)!r})"

    @property
    def sums(self) -> Sums:
        """What these bring to a buffer's bounds together."""
        sums = NOTHING
        for part in self._parts:
            sums = plus(sums, part.sums)
        return sums

    def column(self, name: str) -> Sequence[Any]:
        """The attribute of that name of every item, in order."""
        if len(self._parts) == 1:
            return self._parts[0].column(name)
        return list(chain.from_iterable([part.column(name) for part in self._parts]))

    def _between(self, first: int, end: int) -> Iterator[Part[T_co]]:
        begin = 0
        for part in self._parts:
            if begin >= end or first >= end:
                return
            if begin + len(part) > first:
                yield part.between(max(0, first - begin), min(len(part), end - begin))
            begin += len(part)


class Parts(Generic[T]):
    """Items in a row, standing together by parts of their loads, or singly.

    What enters or leaves costs a step for each part, and for each item that stands singly. Not thread-safe.
    """

    def __init__(self) -> None:
        self._entries: deque[Part[T] | T] = deque()
        self._len = 0

    def __len__(self) -> int:
        return self._len

    def __iter__(self) -> Iterator[T]:
        return chain.from_iterable([entry.items if isinstance(entry, Part) else (entry,) for entry in self._entries])

    def front(self) -> T | None:
        """The first item; None if there is none."""
        if not self._entries:
            return None
        entry = self._entries[0]
        return entry.load.items[entry.first] if isinstance(entry, Part) else entry

    def append(self, item: T) -> None:
        self._entries.append(item)
        self._len += 1

    def extend_back(self, parts: Iterable[Part[T]]) -> None:
        for part in parts:
            if _stays_together(part):
                self._entries.append(part)
            else:
                self._entries.extend(part.items)
            self._len += len(part)

    def extend_front(self, parts: Sequence[Part[T]]) -> None:
        """Put these, which are in order, before all others."""
        for part in reversed(parts):
            if _stays_together(part):
                self._entries.appendleft(part)
            else:
                self._entries.extendleft(reversed(list(part.items)))
            self._len += len(part)

    def pop(self, count: int) -> Batch[T]:
        """Take out the first `count` items; as many must be there."""
        popped: list[Part[T]] = []
        singles: list[T] = []
        for entry in self._leaving(count):
            if not isinstance(entry, Part):
                singles.append(entry)
                continue
            if singles:
                popped.append(Part.whole(Load.of(singles, loose=True)))
                singles = []
            popped.append(entry)
        if singles:
            popped.append(Part.whole(Load.of(singles, loose=True)))
        return Batch(popped)

    def drop(self, count: int) -> Sums:
        """Let the first `count` items go; what they brought to a buffer's bounds."""
        sums = NOTHING
        for entry in self._leaving(count):
            sums = plus(sums, entry.sums if isinstance(entry, Part) else sums_of(entry))
        return sums

    def fitting(self, max_records: int, max_bytes: int) -> int:
        """How many items, from the first one on, stay within both bounds; at least one if there is any."""
        count, left_bytes = 0, max_bytes
        for entry in self._entries:
            if isinstance(entry, Part):
                fits = entry.fitting(max_records - count, left_bytes)
                count += fits
                if fits < len(entry):
                    break
                left_bytes -= entry.sums[1]
            else:
                left_bytes -= entry.size_bytes
                if left_bytes < 0 or count == max_records:
                    break
                count += 1
        return max(count, min(1, self._len))

    def _leaving(self, count: int) -> Iterator[Part[T] | T]:
        self._len -= count
        while count:
            entry = self._entries.popleft()
            if isinstance(entry, Part) and len(entry) > count:
                self._entries.appendleft(entry.between(count, len(entry)))
                entry = entry.between(0, count)
            count -= len(entry) if isinstance(entry, Part) else 1
            yield entry


def sums_of(item: Buffered) -> Sums:
    """What one item brings to a buffer's bounds."""
    size = item.size_bytes
    return (1, size, 0, 0) if item.terminal_preserved else (1, size, 1, size)


def _stays_together(part: Part[Any]) -> bool:
    return len(part) >= LEAST_TOGETHER and not part.load.loose


def plus(a: Sums, b: Sums) -> Sums:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]


def minus(a: Sums, b: Sums) -> Sums:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3]


def _same(a: object, b: object) -> bool:
    return a is b or a == b
