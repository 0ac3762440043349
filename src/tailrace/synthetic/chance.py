"""Seeded draws that are the same on every machine and Python version."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Chance:
    """A stream of random decisions. Not thread-safe.

    Built on `Random.random` and `Random.getrandbits` alone: those two are the ones whose sequence for a seed Python
    promises to keep (library reference, random, Notes on Reproducibility); `choice` and `randrange` are not.
    """

    __slots__ = ("_bits", "_random")

    def __init__(self, seed: str) -> None:
        source = Random(seed)
        self._random = source.random
        self._bits = source.getrandbits

    def happens(self, probability: float) -> bool:
        """True with `probability`, from 0 to 1."""
        return self._random() < probability

    def between(self, lowest: int, highest: int) -> int:
        """A whole number, both ends included."""
        return lowest + int(self._random() * (highest - lowest + 1))

    def one_of(self, options: Sequence[T]) -> T:
        """One of a non-empty sequence, each as likely as the others."""
        return options[int(self._random() * len(options))]

    def hex_digits(self, count: int) -> str:
        """`count` lower-case hex digits."""
        return f"{self._bits(count * 4):0{count}x}"
