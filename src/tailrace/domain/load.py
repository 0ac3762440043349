"""Items on their way into a buffer, weighed once for every lane and however often they have to ask for room."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from tailrace.domain.waiting_line import Buffered

Sums = tuple[int, int, int, int]
"""Records, their bytes, and how many of both are progress. A tuple, as one is made for every single item that a buffer
is offered."""

T_co = TypeVar("T_co", bound=Buffered, covariant=True)

NOTHING: Sums = (0, 0, 0, 0)


def weigh(items: Sequence[Buffered]) -> Sums:
    """What these bring to a buffer's bounds together; passes over all of them."""
    progress = [item.size_bytes for item in items if not item.terminal_preserved]
    return len(items), sum([item.size_bytes for item in items]), len(progress), sum(progress)


@dataclass(frozen=True, slots=True)
class Load(Generic[T_co]):
    """Items in order, and what they bring to a buffer's bounds together.

    Weighing passes over all of them, asking a buffer whether it has room for them does not: a worker weighs thousands
    at once, every lane gets the same ones, and while a sink is slow it asks many times until there is room.
    """

    items: Sequence[T_co]
    sums: Sums

    @classmethod
    def of(cls, items: Sequence[T_co]) -> "Load[T_co]":
        """Weigh `items`."""
        return cls(items, weigh(items))
