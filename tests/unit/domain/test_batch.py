"""Batches and rows of parts against plain lists, and that neither looks at an item on its way."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from tailrace.domain.batch import Batch, Parts
from tailrace.domain.buffer import BufferLimits, SinkBuffer
from tailrace.domain.kinds import OverflowPolicy
from tailrace.domain.load import Load, Part, Sums


@dataclass(frozen=True)
class Item:
    number: int
    size_bytes: int = 1
    terminal_preserved: bool = False
    run_key: str = "run"


class WatchedItems(Sequence[Item]):
    """Items of a load that count how many of them anybody got hold of."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items
        self.seen = 0

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, place):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204
        found = self._items[place]
        self.seen += len(found) if isinstance(place, slice) else 1
        return found


def items(chance: random.Random, count: int, first: int = 0) -> list[Item]:
    return [Item(first + n, chance.randrange(9), chance.random() < 0.3) for n in range(count)]


def sums_of(plain: Sequence[Item]) -> Sums:
    progress = [item.size_bytes for item in plain if not item.terminal_preserved]
    return len(plain), sum(item.size_bytes for item in plain), len(progress), sum(progress)


def in_parts(chance: random.Random, plain: Sequence[Item]) -> Batch[Item]:
    """The same items, in parts out of the middle of larger loads."""
    parts, begin = [], 0
    while begin < len(plain):
        end = begin + chance.randrange(1, 6)
        around = [Item(-1)] * chance.randrange(3)
        load = Load.of([*around, *plain[begin:end], *around])
        parts.append(Part(load, len(around), len(load) - len(around)))
        begin = end
    return Batch(parts)


@pytest.mark.parametrize("seed", range(60))
def test_a_batch_is_the_sequence_of_its_items(seed: int) -> None:
    chance = random.Random(seed)
    plain = items(chance, chance.randrange(25))
    batch = in_parts(chance, plain)
    assert list(batch) == plain
    assert batch == tuple(plain)
    assert len(batch) == len(plain)
    assert batch.sums == sums_of(plain)
    assert list(batch.column("number")) == [item.number for item in plain]
    for place in range(-len(plain), len(plain)):
        assert batch[place] == plain[place]
    for _ in range(20):
        cut = slice(*(chance.choice([None, *range(-30, 30)]) for _ in range(2)))
        assert batch[cut] == tuple(plain[cut])
        assert batch[cut].sums == sums_of(plain[cut])


def test_a_batch_refuses_what_a_tuple_refuses_and_pieces_with_holes() -> None:
    batch = Batch.of([Item(0), Item(1)])
    for place in (2, -3):
        with pytest.raises(IndexError):
            batch[place]
    with pytest.raises(ValueError, match="follow on each other"):
        batch[::2]
    assert batch != (Item(0),)
    assert batch != [Item(0), Item(1)], "nor does a tuple equal a list"
    assert repr(batch).startswith("Batch([Item(number=0")
    assert Batch.of(batch) is batch


@pytest.mark.parametrize("seed", range(60))
def test_a_row_of_parts_behaves_as_a_list(seed: int) -> None:
    chance = random.Random(seed)
    row: Parts[Item] = Parts()
    plain: list[Item] = []
    for step in range(80):
        match chance.randrange(4):
            case 0:
                more = items(chance, chance.randrange(6), 100 * step)
                row.extend_back(in_parts(chance, more).parts)
                plain += more
            case 1:
                more = items(chance, chance.randrange(6), 100 * step)
                row.extend_front(in_parts(chance, more).parts)
                plain[:0] = more
            case 2:
                count = chance.randrange(len(plain) + 1)
                assert row.pop(count) == tuple(plain[:count])
                del plain[:count]
            case _:
                most, most_bytes = chance.randrange(1, 12), chance.randrange(40)
                assert row.fitting(most, most_bytes) == naively_fitting(plain, most, most_bytes)
        assert list(row) == plain
        assert len(row) == len(plain)
        assert row.front() == (plain[0] if plain else None)
    assert row.clear() == tuple(plain)
    assert len(row) == 0


def naively_fitting(plain: Sequence[Item], most: int, most_bytes: int) -> int:
    count = size = 0
    for item in plain[:most]:
        size += item.size_bytes
        if size > most_bytes and count:
            break
        count += 1
    return count


def test_what_waits_is_taken_and_acknowledged_without_a_look_at_it() -> None:
    """A look at a record that has left the cache takes as long as a step of Python; there are thousands in a batch."""
    chance = random.Random(7)
    watched = [WatchedItems(items(chance, 1_000, 1_000 * n)) for n in range(5)]
    loads = [Load.of(of_load) for of_load in watched]
    for of_load in watched:
        of_load.seen = 0
    buffer: SinkBuffer[Item] = SinkBuffer(
        BufferLimits(10_000, 1, 10**9, 1), OverflowPolicy.REPLAY_FROM_LOG, lambda item: item.number
    )
    for load in loads:
        assert buffer.admit(load)
    batches = 0
    while batch := buffer.take(700, 2_500):
        batches += 1
        assert batch[:300].sums[0] == min(300, len(batch))
        buffer.acknowledge((len(batch) + 1) // 2)
        buffer.give_back()
    assert len(buffer) == 0
    assert batches >= 9
    # The items at both sides of each cut are asked for their event.
    assert sum(of_load.seen for of_load in watched) <= 4 * batches


def test_a_column_is_collected_once_however_many_lanes_ask() -> None:
    watched = WatchedItems([Item(n) for n in range(100)])
    load = Load.of(watched)
    watched.seen = 0
    for first in range(0, 100, 10):
        assert list(Part(load, first, first + 10).column("number")) == list(range(first, first + 10))
    assert watched.seen == 100
