"""While a worker runs the collector looks rarely, but garbage in cycles does go, and afterwards all is as before."""

import gc
import weakref

import pytest

from tailrace.bootstrap.collector import YOUNGEST_OBJECTS, rare_collections


class Cycle:
    def __init__(self) -> None:
        self.itself = self


def test_it_looks_rarely_and_afterwards_as_often_as_before() -> None:
    """Also when the worker ends with an exception."""
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    during: list[tuple[tuple[int, int, int], bool]] = []

    def end_badly() -> None:
        with rare_collections():
            during.append((gc.get_threshold(), gc.get_freeze_count() > frozen))
            raise InterruptedError

    with pytest.raises(InterruptedError):
        end_badly()
    assert during == [((YOUNGEST_OBJECTS, *before[1:]), True)]
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_what_failures_leave_behind_goes_all_the_same() -> None:
    """A sink that fails for weeks must not fill the memory with what its exceptions held."""
    with rare_collections():
        left = weakref.ref(Cycle())
        kept = [[number] for number in range(YOUNGEST_OBJECTS + 1_000)]
        assert left() is None
        assert len(kept) > YOUNGEST_OBJECTS
