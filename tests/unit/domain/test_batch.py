"""Batches and rows of parts against plain lists, and that neither looks at an item on its way."""

import random
import weakref
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from tailrace.domain.batch import LEAST_TOGETHER, Batch, Parts
from tailrace.domain.buffer import BufferLimits, SinkBuffer
from tailrace.domain.kinds import OverflowPolicy
from tailrace.domain.load import Load, Part, Sums, column


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
        end = min(len(plain), begin + chance.randrange(1, 2 * LEAST_TOGETHER if chance.random() < 0.5 else 6))
        around = [Item(-1)] * chance.randrange(3)
        load = Load.of([*around, *plain[begin:end], *around], loose=chance.random() < 0.2)
        parts.append(Part(load, len(around), len(load) - len(around)))
        begin = end
    return Batch(parts)


@pytest.mark.parametrize("seed", range(60))
def test_a_batch_is_the_sequence_of_its_items(seed: int) -> None:
    chance = random.Random(seed)
    plain = items(chance, chance.choice([0, 1, 25, 300]))
    batch = in_parts(chance, plain)
    assert list(batch) == plain
    assert batch == tuple(plain)
    assert len(batch) == len(plain)
    assert batch.sums == sums_of(plain)
    assert list(batch.column("number")) == [item.number for item in plain]
    for place in range(-len(plain), len(plain)):
        assert batch[place] == plain[place]
    for _ in range(20):
        cut = slice(*(chance.choice([None, *range(-320, 320, 7)]) for _ in range(2)))
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
        match chance.randrange(6):
            case 4:
                row.append(Item(100 * step, 3))
                plain.append(Item(100 * step, 3))
            case 5:
                count = chance.randrange(len(plain) + 1)
                assert row.drop(count) == sums_of(plain[:count])
                del plain[:count]
            case 0:
                more = items(chance, chance.choice([0, 2, 5, 200]), 1_000 * step)
                row.extend_back(in_parts(chance, more).parts)
                plain += more
            case 1:
                more = items(chance, chance.choice([0, 2, 5, 200]), 1_000 * step)
                row.extend_front(in_parts(chance, more).parts)
                plain[:0] = more
            case 2:
                count = chance.randrange(len(plain) + 1)
                assert row.pop(count) == tuple(plain[:count])
                del plain[:count]
            case _:
                most, most_bytes = chance.choice([1, 12, 300]), chance.choice([0, 40, 900])
                assert row.fitting(most, most_bytes) == naively_fitting(plain, most, most_bytes)
        assert list(row) == plain
        assert len(row) == len(plain)
        assert row.front() == (plain[0] if plain else None)
    assert row.drop(len(plain) // 2) == sums_of(plain[: len(plain) // 2])
    assert row.pop(len(row)) == tuple(plain[len(plain) // 2 :])
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
    watched = [WatchedItems(items(chance, 10_000, 10_000 * n)) for n in range(5)]
    loads = [Load.of(of_load) for of_load in watched]
    for of_load in watched:
        of_load.seen = 0
    buffer: SinkBuffer[Item] = SinkBuffer(
        BufferLimits(50_000, 1, 10**9, 1), OverflowPolicy.REPLAY_FROM_LOG, lambda item: item.number
    )
    for load in loads:
        assert buffer.admit(load)
    batches = 0
    while batch := buffer.take(7_000, 25_000):
        batches += 1
        assert batch[:3_000].sums[0] == min(3_000, len(batch))
        buffer.acknowledge((len(batch) + 1) // 2)
        buffer.give_back()
    assert len(buffer) == 0
    assert batches >= 9
    # The items at both sides of each cut are asked for their event, and a rest of a load dissolves.
    assert sum(of_load.seen for of_load in watched) <= batches * (4 + LEAST_TOGETHER)


def test_what_is_given_in_small_loads_or_one_by_one_comes_out_as_one_part() -> None:
    """A trickle in front of a sink that is down must not cost the memory of a load for every record, nor a batch of it
    the time to pass over as many parts."""
    row: Parts[Item] = Parts()
    for number in range(0, 600, 3):
        row.append(Item(number))
        row.extend_back([Part.whole(Load.of([Item(number + 1), Item(number + 2)]))])
    assert [entry.number for entry in row._entries if isinstance(entry, Item)] == list(range(600))
    assert len(row.pop(500).parts) == 1
    large = Load.of([Item(n) for n in range(LEAST_TOGETHER)])
    row.extend_back([Part.whole(large)])
    assert [part.load is large for part in row.pop(len(row)).parts] == [False, True]


def test_of_a_loose_load_nothing_stays_that_has_left() -> None:
    """Content that was delivered must not stay in memory because something else of its offer was not."""
    items_of_load = WatchedItems([Item(n) for n in range(500)])
    gone = weakref.ref(items_of_load)
    row: Parts[Item] = Parts()
    row.extend_back([Part.whole(Load.of(items_of_load, loose=True))])
    del items_of_load
    assert gone() is None
    assert row.pop(500) == tuple(Item(n) for n in range(500))


def test_a_load_is_let_go_when_its_last_item_has_left() -> None:
    items_of_load = WatchedItems([Item(n) for n in range(500)])
    gone = weakref.ref(items_of_load)
    buffer: SinkBuffer[Item] = SinkBuffer(BufferLimits(1_000, 1, 10**9, 1), OverflowPolicy.REPLAY_FROM_LOG)
    assert buffer.admit(Load.of(items_of_load))
    del items_of_load
    buffer.take(499)
    buffer.acknowledge(499)
    assert gone() is not None
    buffer.take(499)
    buffer.acknowledge(1)
    assert gone() is None


def test_what_was_admitted_stays_when_its_list_is_used_again() -> None:
    buffer: SinkBuffer[Item] = SinkBuffer(BufferLimits(1_000, 1, 10**9, 1), OverflowPolicy.REPLAY_FROM_LOG)
    mine = [Item(n) for n in range(2 * LEAST_TOGETHER)]
    assert buffer.admit_all(mine)
    mine.clear()
    assert [item.number for item in buffer.take(1_000)] == list(range(2 * LEAST_TOGETHER))


def test_a_column_is_collected_once_however_many_lanes_ask() -> None:
    watched = WatchedItems([Item(n) for n in range(100)])
    load = Load.of(watched)
    watched.seen = 0
    for first in range(0, 100, 10):
        assert list(Part(load, first, first + 10).column("number")) == list(range(first, first + 10))
    assert watched.seen == 100
    assert column(load.items, "number") == list(range(100))
