"""Items on their way into a buffer, weighed once however often they have to ask for room."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from tailrace.domain.waiting_line import T

Sums = tuple[int, int, int, int]
"""Records, their bytes, and how many of both are progress. A tuple, as one is made for every single item that a buffer
is offered."""


@dataclass(frozen=True, slots=True)
class Load(Generic[T]):
    """Items in order, the bytes of each, and what they bring to a buffer's bounds together.

    Weighing passes over all of them, asking a buffer whether it has room for them does not: a worker weighs thousands
    at once, and while a sink is slow it asks many times until there is room.
    """

    items: Sequence[T]
    sizes: Sequence[int]
    sums: Sums

    @classmethod
    def of(cls, items: Sequence[T]) -> "Load[T]":
        """Weigh `items`."""
        sizes = [item.size_bytes for item in items]
        progress = [size for item, size in zip(items, sizes, strict=True) if not item.terminal_preserved]
        return cls(items, sizes, (len(sizes), sum(sizes), len(progress), sum(progress)))
