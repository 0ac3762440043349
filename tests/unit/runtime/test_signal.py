"""No ring is missed between looking and waiting, and a ring is for everybody who waits."""

import threading
from collections.abc import Callable

from tailrace.runtime.signal import Signal


class SleeplessCondition(threading.Condition):
    """Others get on where a thread would sleep; knows how many more threads sleep and are not woken yet."""

    def __init__(self, meanwhile: Callable[[], None] = lambda: None, asleep: int = 0) -> None:
        super().__init__()
        self._meanwhile = meanwhile
        self.asleep = asleep
        self.waited_s: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waited_s.append(timeout)
        self._meanwhile()
        return False

    def notify(self, n: int = 1) -> None:
        self.asleep = max(0, self.asleep - n)

    def notify_all(self) -> None:
        self.asleep = 0


def sleepless(
    meanwhile: Callable[[Signal], None] = lambda _: None, asleep: int = 0
) -> tuple[Signal, SleeplessCondition]:
    signal = Signal()
    condition = SleeplessCondition(lambda: meanwhile(signal), asleep)
    signal._condition = condition
    return signal, condition


def test_a_ring_between_looking_and_waiting_is_not_missed() -> None:
    """The state that the waiter is going to wait for is there already."""
    signal, condition = sleepless()
    seen = signal.count()
    signal.ring()
    assert signal.wait_beyond(seen, 60.0)
    assert condition.waited_s == []


def test_a_ring_from_before_the_look_wakes_nobody() -> None:
    """What it told of was there to be seen."""
    signal, condition = sleepless()
    signal.ring()
    assert not signal.wait_beyond(signal.count(), 0.001)
    assert condition.waited_s, "somebody has to ring once more"


def test_a_ring_ends_a_wait() -> None:
    """And the waiter learns that it was a ring, and not the time."""
    signal, condition = sleepless(Signal.ring)
    assert signal.wait_beyond(0, 60.0)
    assert len(condition.waited_s) == 1


def test_a_wait_that_nobody_ends_is_over_in_time() -> None:
    """One that wakes by itself goes back to sleep for what is left, and then says that nobody rang."""
    signal, condition = sleepless()
    assert not signal.wait_beyond(0, 0.001)
    assert all(waited_s is not None and waited_s <= 0.001 for waited_s in condition.waited_s)


def test_every_ring_counts() -> None:
    """A waiter may have missed several, and one is enough."""
    signal, _ = sleepless()
    for _ in range(3):
        signal.ring()
    assert signal.count() == 3
    assert signal.wait_beyond(2, 0.0)
    assert signal.wait_beyond(0, 0.0)
    assert not signal.wait_beyond(3, 0.0)


def test_a_ring_is_for_everybody_who_waits() -> None:
    """The intake and a hand-over may wait for the same room."""
    signal, condition = sleepless(asleep=2)
    signal.ring()
    assert condition.asleep == 0
