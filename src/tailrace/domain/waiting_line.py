"""Items that wait in a buffer, in the order of their admission: what a buffer asks of such a line, and the plain one.

Where nothing ever leaves from the middle, a row of parts does: under `replay_from_log`, which is the policy of every
lane that has to be complete. `shedding_line` is for all other policies.
"""

from collections.abc import Callable, Hashable
from itertools import compress, islice
from operator import not_
from typing import Protocol, TypeVar

from tailrace.domain.batch import Batch, Parts
from tailrace.domain.load import Buffered, Load, Part

T = TypeVar("T", bound=Buffered)


class WaitingLine(Protocol[T]):
    """Items that wait, in order; every step is O(1) per item it is given or returns, but for `items` and `remove`."""

    def __len__(self) -> int: ...

    def append(self, item: T) -> None:
        """Let this one wait behind all others."""

    def extend_back(self, load: Load[T]) -> None:
        """Let all of these wait behind all others."""

    def extend_front(self, batch: Batch[T]) -> None:
        """Let all of these, which are in order, wait before all others: they were in front before."""

    def front(self) -> T | None:
        """The item that waits longest; None if none waits."""

    def pop_front(self) -> T:
        """Take out the item that waits longest; one must be waiting."""

    def pop_within(self, max_records: int, max_bytes: int) -> Batch[T]:
        """Take out what waits longest, as far as both bounds allow, but at least one item if any waits."""

    def pop_oldest_progress(self) -> T | None:
        """Take out the progress that waits longest; None if none may be removed."""

    def pop_oldest_of_run(self, run_key: str) -> T | None:
        """Take out the progress of this run that waits longest; None if the run has none that may be removed."""

    def items(self) -> list[T]:
        """Everything that waits, in order; passes over all of it."""

    def remove(self, matches: Callable[[T], bool]) -> Batch[T]:
        """Take out whatever matches, in order; passes over all that waits."""


class PlainLine(WaitingLine[T]):
    """A line of which no rule removes anything but the front: loads go through it without a look at their items."""

    def __init__(self) -> None:
        self._kept: Parts[T] = Parts()

    def __len__(self) -> int:
        return len(self._kept)

    def append(self, item: T) -> None:
        self._kept.append(item)

    def extend_back(self, load: Load[T]) -> None:
        self._kept.extend_back([Part.whole(load)])

    def extend_front(self, batch: Batch[T]) -> None:
        self._kept.extend_front(batch.parts)

    def front(self) -> T | None:
        return self._kept.front()

    def pop_front(self) -> T:
        return self._kept.pop(1)[0]

    def pop_within(self, max_records: int, max_bytes: int) -> Batch[T]:
        return self._kept.pop(self._kept.fitting(max_records, max_bytes))

    def pop_oldest_progress(self) -> None:
        return None

    def pop_oldest_of_run(self, run_key: str) -> None:
        del run_key

    def items(self) -> list[T]:
        return list(self._kept)

    def remove(self, matches: Callable[[T], bool]) -> Batch[T]:
        # Asked before anything is moved: what `matches` raises must not cost an item.
        leaves = iter([matches(item) for item in self._kept])
        removed: list[T] = []
        for part in self._kept.pop(len(self._kept)).parts:
            of_part = list(islice(leaves, len(part)))
            if any(of_part):
                removed += compress(part.items, of_part)
                rest = list(compress(part.items, map(not_, of_part)))
                part = Part.whole(Load.of(rest, loose=part.load.loose))  # noqa: PLW2901 - what is left of it
            self._kept.extend_back([part])
        return Batch.of(removed)


def pop_events(
    line: WaitingLine[T], max_records: int, max_bytes: int, event_key: Callable[[T], Hashable] | None
) -> Batch[T]:
    """Take the items in front out of `line`: at least one event if any waits, beyond that whole events in both bounds.

    `event_key` tells which neighbours belong together; without it each item stands for itself.
    """
    taken = line.pop_within(max_records, max_bytes)
    front = line.front()
    if front is None or not taken or event_key is None:
        return taken
    key = event_key(front)
    start = len(taken)
    while start > 0 and event_key(taken[start - 1]) == key:
        start -= 1
    if start > 0:  # where the cut went through an event, that event is left out
        line.extend_front(taken[start:])
        return taken[:start]
    rest: list[T] = []  # or finished, if it is the only one
    while (front := line.front()) is not None and event_key(front) == key:
        rest.append(line.pop_front())
    return Batch([*taken.parts, *Batch.of(rest).parts])
