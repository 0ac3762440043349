"""A stop is set once, by anybody, at any moment, and everybody sees it."""

import time

import pytest

from tailrace.runtime.stop import Stop


class SetWhileWaited(Stop):
    """Somebody's signal handler runs on the very thread that waits, just when it looks."""

    def __init__(self, at_look: int) -> None:
        super().__init__()
        self._looks_left = at_look

    def __getattribute__(self, name: str) -> object:
        if name == "_set":
            self._looks_left -= 1
            if self._looks_left == 0:
                self.set()
        return super().__getattribute__(name)


def test_it_is_not_set_until_somebody_sets_it() -> None:
    """And stays set, however often it is asked or set again."""
    stop = Stop()
    assert not stop.is_set()
    stop.set()
    stop.set()
    assert stop.is_set()
    assert stop.is_set()


def test_a_request_that_was_served_can_be_taken_back() -> None:
    """Where it means no end, but a turn out of order."""
    stop = Stop()
    stop.set()
    stop.clear()
    assert not stop.is_set()
    assert not stop.wait(0.0)


def test_waiting_for_what_is_set_takes_no_time() -> None:
    """Whatever the time-out."""
    stop = Stop()
    stop.set()
    began_s = time.monotonic()
    assert stop.wait(30.0)
    assert time.monotonic() - began_s < 15.0


def test_a_wait_that_nobody_ends_is_over_in_time() -> None:
    """Also one whose time was over before it began."""
    stop = Stop()
    assert not stop.wait(0.0)
    assert not stop.wait(-1.0)


@pytest.mark.parametrize("at_look", [1, 3])
def test_a_handler_that_runs_in_the_middle_of_a_wait_ends_it(at_look: int) -> None:
    """It takes no lock that the interrupted thread could be holding, and that one looks again and again."""
    stop = SetWhileWaited(at_look)
    began_s = time.monotonic()
    assert stop.wait(30.0)
    assert time.monotonic() - began_s < 15.0


def test_setting_takes_no_lock() -> None:
    """All that it has is one flag: a handler on a thread that holds a lock would wait for itself for ever."""
    stop = Stop()
    stop.set()
    assert vars(stop) == {"_set": True}
