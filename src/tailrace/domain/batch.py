"""Items on their way together, as parts of the loads they came in."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Generic, TypeVar, overload

from tailrace.domain.load import NOTHING, Buffered, Load, Part, Sums

T_co = TypeVar("T_co", bound=Buffered, covariant=True)
T = TypeVar("T", bound=Buffered)


class Batch(Sequence[T_co], Generic[T_co]):
    """A sequence of items that is cut, counted and weighed without touching any; it equals a tuple of the same items.

    Its length and a slice of it take as long as it has parts, one or two as a rule. Immutable.
    """

    __slots__ = ("_len", "parts")

    def __init__(self, parts: Iterable[Part[T_co]] = ()) -> None:
        self.parts = tuple([part for part in parts if len(part)])
        self._len = sum(map(len, self.parts))

    @classmethod
    def of(cls, items: Sequence[T_co]) -> "Batch[T_co]":
        """These items; passes over all of them, unless they are a batch already."""
        return items if isinstance(items, Batch) else cls([Part.whole(Load.of(items))])

    def __len__(self) -> int:
        return self._len

    def __iter__(self) -> Iterator[T_co]:
        return chain.from_iterable([part.items for part in self.parts])

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
        for part in self.parts:
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
        for part in self.parts:
            sums = plus(sums, part.sums)
        return sums

    def column(self, name: str) -> Sequence[Any]:
        """The attribute of that name of every item, in order."""
        if len(self.parts) == 1:
            return self.parts[0].column(name)
        return list(chain.from_iterable([part.column(name) for part in self.parts]))

    def _between(self, first: int, end: int) -> Iterator[Part[T_co]]:
        begin = 0
        for part in self.parts:
            low = min(len(part), max(0, first - begin))
            yield part.between(low, max(low, min(len(part), end - begin)))
            begin += len(part)


class Parts(Generic[T]):
    """Items in a row, entered and taken out by parts. Every step takes as long as there are parts in what it returns.

    Not thread-safe.
    """

    def __init__(self) -> None:
        self._parts: deque[Part[T]] = deque()
        self._len = 0

    def __len__(self) -> int:
        return self._len

    def __iter__(self) -> Iterator[T]:
        return chain.from_iterable([part.items for part in self._parts])

    def front(self) -> T | None:
        """The first item; None if there is none."""
        return self._parts[0].load.items[self._parts[0].first] if self._parts else None

    def extend_back(self, parts: Iterable[Part[T]]) -> None:
        for part in parts:
            if len(part):
                self._parts.append(part)
                self._len += len(part)

    def extend_front(self, parts: Sequence[Part[T]]) -> None:
        """Put these, which are in order, before all others."""
        for part in reversed(parts):
            if len(part):
                self._parts.appendleft(part)
                self._len += len(part)

    def pop(self, count: int) -> Batch[T]:
        """Take out the first `count` items; as many must be there."""
        popped: list[Part[T]] = []
        left = count
        while left:
            part = self._parts.popleft()
            if len(part) > left:
                self._parts.appendleft(part.between(left, len(part)))
                part = part.between(0, left)
            popped.append(part)
            left -= len(part)
        self._len -= count
        return Batch(popped)

    def fitting(self, max_records: int, max_bytes: int) -> int:
        """How many items, from the first one on, stay within both bounds; at least one if there is any."""
        count, left_bytes = 0, max_bytes
        for part in self._parts:
            fits = part.fitting(max_records - count, left_bytes)
            count += fits
            if fits < len(part):
                break
            left_bytes -= part.sums[1]
        return max(count, min(1, self._len))

    def clear(self) -> Batch[T]:
        """Take out everything."""
        return self.pop(self._len)


def plus(a: Sums, b: Sums) -> Sums:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]


def minus(a: Sums, b: Sums) -> Sums:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3]


def _same(a: object, b: object) -> bool:
    return a is b or a == b
