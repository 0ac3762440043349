"""Items that travel together: weighed once for every lane, and cut and counted without touching one of them.

A worker weighs thousands of records at once, every lane gets the same ones, and takes them, counts them and lets go of
them by batches. Each look at a record that is not in the processor's cache any more takes some tenths of a microsecond,
so what lanes have to know of many at once is kept beside them, in columns.
"""

from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from operator import attrgetter, mul
from typing import Any, Generic, Protocol, TypeVar


class Buffered(Protocol):
    """What a buffer has to know of an item. None of it may change while the item is in a buffer."""

    @property
    def terminal_preserved(self) -> bool:
        """Whether overflow may not trade the item for progress."""

    @property
    def run_key(self) -> str:
        """The run whose progress coalesces; read only for progress."""

    @property
    def size_bytes(self) -> int:
        """What the item counts against the byte bound; not negative."""


T = TypeVar("T", bound=Buffered)
T_co = TypeVar("T_co", bound=Buffered, covariant=True)

Sums = tuple[int, int, int, int]
"""Records, their bytes, and how many of both are progress. A tuple, as one is made for every single item that a buffer
is offered."""

NOTHING: Sums = (0, 0, 0, 0)


class Columnar(Sequence[T_co], Generic[T_co]):
    """A sequence that gives one attribute of all its items sooner than a look at each of them does."""

    __slots__ = ()

    @abstractmethod
    def column(self, name: str) -> Sequence[Any]:
        """The attribute of that name of every item, in order."""


def column(items: Sequence[T], name: str) -> Sequence[Any]:
    """The attribute of that name of every item, in order; without a look at the items where they are columnar."""
    return items.column(name) if isinstance(items, Columnar) else list(map(attrgetter(name), items))


@dataclass(frozen=True, slots=True)
class Load(Generic[T_co]):
    """Items in order, and for every place in between what all before it bring to a buffer's bounds.

    Items of a load that is not `loose` may stay together while they wait: in a lane they are of one partition, and all
    of them are in memory until the last one has left. Of a loose one each item stands for itself.

    Nothing in it changes, nor may `items`. Any thread may read it; two that ask for a column at the same moment may
    both collect it.
    """

    items: Sequence[T_co]
    bytes_before: Sequence[int] = field(repr=False)
    preserved_before: Sequence[int] = field(repr=False)
    preserved_bytes_before: Sequence[int] = field(repr=False)
    loose: bool = False
    _columns: dict[str, Sequence[Any]] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, items: Sequence[T_co], *, loose: bool = False) -> "Load[T_co]":
        """Weigh `items`; passes over all of them, unless they are columnar."""
        sizes = column(items, "size_bytes")
        preserved = column(items, "terminal_preserved")
        return cls(
            items,
            list(accumulate(sizes, initial=0)),
            list(accumulate(preserved, initial=0)),
            list(accumulate(map(mul, sizes, preserved), initial=0)),
            loose,
        )

    def __len__(self) -> int:
        return len(self.items)

    @property
    def sums(self) -> Sums:
        """What all of it brings to a buffer's bounds."""
        return Part.whole(self).sums

    def column(self, name: str) -> Sequence[Any]:
        """The attribute of that name of every item, in order; collected when it is asked for the first time."""
        known = self._columns.get(name)
        if known is None:
            known = self._columns[name] = column(self.items, name)
        return known


@dataclass(frozen=True, slots=True)
class Part(Generic[T_co]):
    """Items of one load that follow on each other: those from `first` to before `end`."""

    load: Load[T_co]
    first: int
    end: int

    @classmethod
    def whole(cls, load: Load[T_co]) -> "Part[T_co]":
        """All of it."""
        return cls(load, 0, len(load))

    def __len__(self) -> int:
        return self.end - self.first

    @property
    def items(self) -> Sequence[T_co]:
        """The items themselves; passes over them, and of columnar ones makes each whenever it is asked."""
        return self.load.items[self.first : self.end]

    @property
    def sums(self) -> Sums:
        """What these bring to a buffer's bounds together."""
        load, first, end = self.load, self.first, self.end
        records, size = end - first, load.bytes_before[end] - load.bytes_before[first]
        preserved = load.preserved_before[end] - load.preserved_before[first]
        preserved_bytes = load.preserved_bytes_before[end] - load.preserved_bytes_before[first]
        return records, size, records - preserved, size - preserved_bytes

    def column(self, name: str) -> Sequence[Any]:
        """The attribute of that name of every item, in order."""
        return self.load.column(name)[self.first : self.end]

    def between(self, first: int, end: int) -> "Part[T_co]":
        """The items from place `first` to before `end`, counted within this part."""
        return Part(self.load, self.first + first, self.first + end)

    def fitting(self, max_records: int, max_bytes: int) -> int:
        """How many, from the first one on, stay within both bounds; may be none."""
        before = self.load.bytes_before
        most = min(self.end, self.first + max_records)
        return bisect_right(before, before[self.first] + max_bytes, self.first, most + 1) - 1 - self.first
