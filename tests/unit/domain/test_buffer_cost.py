"""The buffer's cost per operation does not depend on how much it holds: elements touched are counted, not time."""

from collections import OrderedDict, deque
from collections.abc import Callable, ItemsView, Iterator, ValuesView
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from tailrace.domain.buffer import BufferLimits, SinkBuffer
from tailrace.domain.kinds import OverflowPolicy
from tailrace.domain.shedding_line import SheddingLine
from tailrace.domain.waiting_line import PlainLine

OPERATIONS = 400


@dataclass(frozen=True, eq=False)
class Item:
    terminal_preserved: bool
    run_key: str = "run"
    size_bytes: int = 1


class Touches:
    """How many elements of the buffer's own containers were looked at or moved."""

    def __init__(self) -> None:
        self.counted = 0

    def each(self, elements: Iterator[Any]) -> Iterator[Any]:
        for element in elements:
            self.counted += 1
            yield element


class CountingDeque(deque[Any]):
    """Counts an element for each step; what would pass over elements inside the C code is refused."""

    touches: Touches

    def __iter__(self) -> Iterator[Any]:
        return self.touches.each(super().__iter__())

    def __getitem__(self, index: Any) -> Any:
        assert index in (0, -1), "an element in the middle of a deque costs a walk"
        self.touches.counted += 1
        return super().__getitem__(index)

    def extend(self, elements: Any) -> None:
        super().extend(self.touches.each(iter(elements)))

    def extendleft(self, elements: Any) -> None:
        super().extendleft(self.touches.each(iter(elements)))

    def append(self, element: Any) -> None:
        self.touches.counted += 1
        super().append(element)

    def appendleft(self, element: Any) -> None:
        self.touches.counted += 1
        super().appendleft(element)

    def pop(self) -> Any:  # type: ignore[override]
        self.touches.counted += 1
        return super().pop()

    def popleft(self) -> Any:
        self.touches.counted += 1
        return super().popleft()

    def refused(self, *_arguments: object) -> Any:
        raise AssertionError("passes over the whole deque")

    __contains__ = __delitem__ = index = remove = insert = rotate = count = copy = reverse = refused


class CountingDict(OrderedDict[int, Any]):
    """Counts what is iterated over; look-ups by key are one step anyway."""

    touches: Touches

    def __iter__(self) -> Iterator[Any]:
        return self.touches.each(super().__iter__())

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        return self.touches.each(iter(super().values()))  # type: ignore[return-value]

    def items(self) -> ItemsView[int, Any]:  # type: ignore[override]
        return self.touches.each(iter(super().items()))  # type: ignore[return-value]


def instrumented(policy: OverflowPolicy, capacity: int) -> tuple[SinkBuffer[Item], Touches]:
    touches = Touches()
    buffer: SinkBuffer[Item] = SinkBuffer(BufferLimits(capacity, 1, 10**9, 1), policy, id)
    in_flight, kept, sheddable = CountingDeque(), CountingDeque(), CountingDict()
    for container in (in_flight, kept, sheddable):
        assert isinstance(container, CountingDeque | CountingDict)
        container.touches = touches
    buffer._in_flight._entries = in_flight
    line = buffer._line
    if isinstance(line, SheddingLine):
        line._kept = kept
        line._sheddable = sheddable
    else:
        assert isinstance(line, PlainLine)
        line._kept._entries = kept
    return buffer, touches


def stalled_and_coalescing(buffer: SinkBuffer[Item], capacity: int) -> Callable[[int], None]:
    """Nothing leaves, and every progress replaces one in the middle, behind the progress of very many quiet runs."""
    buffer.offer(Item(terminal_preserved=True))
    for index in range(capacity - 2):
        run_key = f"quiet.{index}" if index < capacity - 50 else f"busy.{index % 3}"
        buffer.offer(Item(terminal_preserved=False, run_key=run_key))

    def newer(step: int) -> None:
        buffer.offer(Item(terminal_preserved=False, run_key=f"busy.{step * 2 % 3}"))

    return newer


def behind_many_terminals(buffer: SinkBuffer[Item], capacity: int) -> Callable[[int], None]:
    """The oldest progress stands behind more and more terminals, each of which pushed one out."""
    for index in range(capacity - 1):
        buffer.offer(Item(terminal_preserved=index < capacity // 4))
    buffer.offer(Item(terminal_preserved=True))

    def one_more(_step: int) -> None:
        buffer.offer(Item(terminal_preserved=True))

    return one_more


def given_back_again_and_again(buffer: SinkBuffer[Item], capacity: int) -> Callable[[int], None]:
    """A failing sink: progress in front is taken, terminals push out what is behind it, and it comes back."""
    for index in range(capacity - 1):
        buffer.offer(Item(terminal_preserved=0 < index < capacity // 2))
    buffer.offer(Item(terminal_preserved=True))

    def probe(_step: int) -> None:
        buffer.take(1)
        buffer.offer(Item(terminal_preserved=True))
        buffer.give_back()

    return probe


def flowing_at_the_brim(buffer: SinkBuffer[Item], capacity: int) -> Callable[[int], None]:
    """A sink that keeps up with a full buffer in front of it, which it fills as it goes on: by loads of four."""

    def four() -> list[Item]:
        return [Item(terminal_preserved=number == 0) for number in range(4)]

    while buffer.admit_all(four()):
        pass

    def turn(_step: int) -> None:
        buffer.acknowledge(len(buffer.take(4)))
        more = four()
        buffer.fits(more)
        buffer.admit_all(more)
        buffer.offer(Item(terminal_preserved=False))
        buffer.statistics()
        len(buffer)

    return turn


SHEDDING = (
    OverflowPolicy.DROP_NON_TERMINAL_PROGRESS,
    OverflowPolicy.COALESCE_PROGRESS_BY_RUN,
    OverflowPolicy.FAIL_SINK_NOT_RUN,
)
CASES = [
    (stalled_and_coalescing, OverflowPolicy.COALESCE_PROGRESS_BY_RUN),
    *((behind_many_terminals, policy) for policy in SHEDDING),
    *((given_back_again_and_again, policy) for policy in SHEDDING),
    *((flowing_at_the_brim, policy) for policy in OverflowPolicy),
]


@pytest.mark.parametrize(("scene", "policy"), CASES, ids=lambda case: getattr(case, "__name__", str(case)))
def test_elements_touched_per_operation_do_not_grow_with_the_capacity(
    scene: Callable[[SinkBuffer[Item], int], Callable[[int], None]], policy: OverflowPolicy
) -> None:
    """O(1) amortised at any capacity: the same operations touch as many elements in 4096 records as in 1024."""
    touched = []
    for capacity in (1_024, 4_096):
        buffer, touches = instrumented(policy, capacity)
        operate = scene(buffer, capacity)
        before = touches.counted
        for step in range(OPERATIONS):
            operate(step)
        assert len(buffer) >= capacity - 6, "the scene is meant for a full buffer"
        touched.append(touches.counted - before)
    assert touched[1] <= 1.05 * touched[0]
    assert touched[0] <= 40 * OPERATIONS


def test_admission_and_acknowledgement_touch_each_item_a_constant_number_of_times() -> None:
    """From empty to full and back to empty, an item costs the same in a large buffer as in a small one."""
    per_item = []
    for capacity in (512, 8_192):
        buffer, touches = instrumented(OverflowPolicy.COALESCE_PROGRESS_BY_RUN, capacity)
        for number in count():
            if len(buffer) == capacity:
                break
            buffer.offer(Item(terminal_preserved=number % 2 == 0, run_key=f"run.{number % 5}"))
        while batch := buffer.take(64):
            buffer.acknowledge(len(batch))
        per_item.append(touches.counted / capacity)
    assert max(per_item) < 12
    assert abs(per_item[0] - per_item[1]) < 0.2


def test_nothing_of_an_item_stays_behind_when_it_has_left() -> None:
    """A buffer that ran for months holds what it holds now, and no trace of finished runs."""
    buffer, _ = instrumented(OverflowPolicy.COALESCE_PROGRESS_BY_RUN, 8)
    for number in range(500):
        buffer.offer(Item(terminal_preserved=number % 3 == 0, run_key=f"run.{number}"))
        if number % 4 == 0:
            buffer.take(3)
        if number % 8 == 0:
            buffer.give_back()
        buffer.acknowledge(min(buffer.in_flight, 2))
    buffer.give_back()
    buffer.acknowledge(len(buffer.take(8)))
    assert len(buffer) == 0
    line = buffer._line
    assert isinstance(line, SheddingLine)
    assert (len(line._kept), len(line._sheddable), line._runs) == (0, 0, {})
    assert (buffer.size_bytes, buffer.progress_len, buffer.in_flight) == (0, 0, 0)
