"""Items that wait in a buffer, in the order of their admission: what a buffer asks of such a line, and the plain one.

Where nothing ever leaves from the middle, a deque does: under `replay_from_log`, which is the policy of every lane that
has to be complete. `shedding_line` is for all other policies.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Protocol, TypeVar


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


class WaitingLine(Protocol[T]):
    """Items that wait, in order; every step is O(1) per item it is given or returns, but for `items` and `remove`."""

    def __len__(self) -> int: ...

    def extend_back(self, items: Sequence[T]) -> None:
        """Let all of these wait behind all others."""

    def extend_front(self, items: Sequence[T]) -> None:
        """Let all of these, which are in order, wait before all others: they were in front before."""

    def front(self) -> T | None:
        """The item that waits longest; None if none waits."""

    def pop_front(self) -> T:
        """Take out the item that waits longest; one must be waiting."""

    def pop_within(self, max_records: int, max_bytes: int) -> list[T]:
        """Take out what waits longest, as far as both bounds allow, but at least one item if any waits."""

    def pop_oldest_progress(self) -> T | None:
        """Take out the progress that waits longest; None if none may be removed."""

    def pop_oldest_of_run(self, run_key: str) -> T | None:
        """Take out the progress of this run that waits longest; None if the run has none that may be removed."""

    def items(self) -> list[T]:
        """Everything that waits, in order; passes over all of it."""

    def remove(self, matches: Callable[[T], bool]) -> list[T]:
        """Take out whatever matches, in order; passes over all that waits."""


class PlainLine(WaitingLine[T]):
    """A line of which no rule ever removes anything but the front."""

    def __init__(self) -> None:
        self._kept: deque[T] = deque()

    def __len__(self) -> int:
        return len(self._kept)

    def extend_back(self, items: Sequence[T]) -> None:
        self._kept.extend(items)

    def extend_front(self, items: Sequence[T]) -> None:
        self._kept.extendleft(reversed(items))

    def front(self) -> T | None:
        return self._kept[0] if self._kept else None

    def pop_front(self) -> T:
        return self._kept.popleft()

    def pop_within(self, max_records: int, max_bytes: int) -> list[T]:
        count = fitting(self._kept, max_records, max_bytes)
        pop = self._kept.popleft
        return [pop() for _ in range(count)]

    def pop_oldest_progress(self) -> None:
        return None

    def pop_oldest_of_run(self, run_key: str) -> None:
        del run_key

    def items(self) -> list[T]:
        return list(self._kept)

    def remove(self, matches: Callable[[T], bool]) -> list[T]:
        removed = [item for item in self._kept if matches(item)]
        if removed:
            self._kept = deque([item for item in self._kept if not matches(item)])
        return removed


def fitting(items: Iterable[Buffered], max_records: int, max_bytes: int) -> int:
    """How many of these, from the first one on, stay within both bounds; at least one if there is any."""
    count = size = 0
    for item in islice(items, max_records):
        size += item.size_bytes
        if size > max_bytes and count:
            break
        count += 1
    return count
