"""Records by columns against plain lists of the same records, and that lanes get along without any being made."""

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest

from tailrace.domain import record_columns
from tailrace.domain.buffer import BufferLimits, SinkBuffer
from tailrace.domain.kinds import OverflowPolicy, ProjectionKind
from tailrace.domain.load import Load, column
from tailrace.domain.projected import LaneItem, ProjectedRecord, record_of
from tailrace.domain.record_columns import AllProjected, Fields, Numbered, RecordColumns
from tailrace.domain.selection import Selection
from tailrace.runtime.cutting import OfferSize, cut
from tailrace.runtime.lane_queue import event_of
from tailrace.runtime.offers import Offer, RecordSorting
from tailrace.runtime.ports import Events, Fetched

KINDS = tuple(ProjectionKind)
FAMILIES = ("model", "tool", "run")
PARTITION = 5


def plain(chance: random.Random, count: int) -> list[ProjectedRecord]:
    return [
        record_of(
            partition=PARTITION,
            offset=100 + number,
            kind=chance.choice(KINDS),
            run_key=f"run-{chance.randrange(9)}-ü",
            family=chance.choice(FAMILIES),
            agent_id=f"agent-{chance.randrange(9)}-é",
            key=b"",
            prefix=bytes(chance.randrange(9)),
            tail=bytes(chance.randrange(1, 9)),
        )
        for number in range(count)
    ]


def keyed(records: Sequence[ProjectedRecord]) -> list[ProjectedRecord]:
    """As projectors make them: the key is the run id, and counts."""
    keys = [record.run_key.encode() for record in records]
    return [
        record._replace(key=key, size_bytes=record.size_bytes + len(key))
        for record, key in zip(records, keys, strict=True)
    ]


def by_columns(records: Sequence[ProjectedRecord]) -> RecordColumns:
    return RecordColumns(
        PARTITION,
        Fields(
            offsets=[record.offset for record in records],
            kinds=Numbered([KINDS.index(record.kind) for record in records], KINDS),
            preserved=[record.terminal_preserved for record in records],
            families=Numbered([FAMILIES.index(record.family) for record in records], FAMILIES),
            keys=[record.key for record in records],
            agents=[record.agent_id.encode() for record in records],
            values=[record.value for record in records],
            prefix_bytes=[record.prefix_bytes for record in records],
            size_bytes=[record.size_bytes for record in records],
        ),
    )


def same(one: object, another: object) -> bool:
    """Whether they are equal, whatever they are."""
    return one == another


def both(count: int, seed: int = 0) -> tuple[list[ProjectedRecord], RecordColumns]:
    records = keyed(plain(random.Random(seed), count))
    return records, by_columns(records)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many records were made, call by call."""
    counted: list[int] = []
    make = record_columns._records

    def counting(partition: int, fields: Fields) -> list[ProjectedRecord]:
        counted.append(len(fields))
        return make(partition, fields)

    monkeypatch.setattr(record_columns, "_records", counting)
    return counted


def test_they_are_the_records() -> None:
    records, columns = both(30)
    assert len(columns) == 30
    assert list(columns) == records
    assert same(columns, records)
    assert columns == by_columns(records) == tuple(records)
    assert columns != records[:-1]
    assert columns != [*records[:-1], records[0]]
    assert columns != "records"
    assert repr(columns) == f"RecordColumns({records!r})"


@pytest.mark.parametrize("passed_over", [False, True])
def test_they_are_cut_and_picked_as_a_list_is(passed_over: bool) -> None:
    records, columns = both(12)
    if passed_over:
        assert list(columns) == records
    for first in range(-14, 15):
        if -12 <= first < 12:
            assert columns[first] == records[first]
        for end in range(-14, 15):
            assert columns[first:end] == records[first:end]
    with pytest.raises(IndexError):
        columns[12]
    with pytest.raises(IndexError):
        columns[-13]


def test_every_field_is_a_column_and_nothing_is_made_for_it(made: list[int]) -> None:
    records, columns = both(12)
    for name in ProjectedRecord._fields:
        assert list(columns.column(name)) == [getattr(record, name) for record in records]
        assert list(column(columns[3:7], name)) == [getattr(record, name) for record in records[3:7]]
    assert made == []
    assert columns.column("tail") == [record.tail for record in records]
    with pytest.raises(AttributeError):
        columns.column("colour")


def test_passing_over_all_of_them_makes_them_once(made: list[int]) -> None:
    records, columns = both(12)
    assert list(columns) == list(columns) == records
    assert columns[2:5] == records[2:5]
    assert columns[3] is columns[3]
    for name in ProjectedRecord._fields:
        assert columns.column(name) == [getattr(record, name) for record in records]
    with pytest.raises(AttributeError):
        columns.column("colour")
    assert made == [12]


def test_a_lane_takes_and_lets_go_of_them_without_one_being_made(made: list[int]) -> None:
    records, columns = both(500)
    offer = Offer.of(PARTITION, 100, 600, 7, AllProjected(columns, [1] * 500))
    taken = RecordSorting(Selection()).sort(offer)
    buffer: SinkBuffer[LaneItem] = SinkBuffer(
        BufferLimits(1_000, 1, 10**6, 1), OverflowPolicy.REPLAY_FROM_LOG, event_of
    )
    # Nothing is in it, and into an empty one a single event enters whatever its size: no reason to look at each.
    assert buffer.admit(taken.load)
    assert offer.events_end == 600
    batch = buffer.take(300, 10**6)
    piece = batch[:150]
    assert list(piece.column("key")) == [record.key for record in records[:150]]
    assert list(piece.column("value")) == [record.value for record in records[:150]]
    buffer.acknowledge(150)
    assert buffer.size_bytes == sum(record.size_bytes for record in records[150:])
    assert buffer.progress_len == sum(not record.terminal_preserved for record in records[150:])
    # A batch ends between two events: of the last record and the one behind it is asked to which they belong.
    assert made == [1, 1]
    assert (piece[-1], batch[150]) == (records[149], records[150])
    assert made == [1, 1, 1, 1]


def test_a_load_of_columns_weighs_as_one_of_records() -> None:
    records, columns = both(50)
    one, another = Load.of(columns), Load.of(records)
    assert (one.sums, one.bytes_before, one.preserved_bytes_before) == (
        another.sums,
        another.bytes_before,
        another.preserved_bytes_before,
    )


def by_event(chance: random.Random, records: Sequence[ProjectedRecord]) -> list[int]:
    counts: list[int] = []
    while sum(counts) < len(records):
        counts.append(min(chance.randrange(1, 4), len(records) - sum(counts)))
    return counts


def grouped(records: Sequence[ProjectedRecord], counts: Sequence[int]) -> list[tuple[ProjectedRecord, ...]]:
    ends = [sum(counts[:n]) for n in range(len(counts) + 1)]
    return [tuple(records[first:end]) for first, end in pairwise(ends)]


@pytest.mark.parametrize("several", [False, True])
def test_by_event_they_are_tuples_of_records(several: bool) -> None:
    records, columns = both(20)
    counts = by_event(random.Random(1), records) if several else [1] * 20
    wanted = grouped(records, counts)
    projected = AllProjected(columns, counts)
    assert len(projected) == len(wanted)
    assert list(projected) == wanted
    assert same(projected, wanted)
    assert projected != wanted[1:]
    assert projected != "events"
    assert repr(projected) == f"AllProjected({wanted!r})"
    for first in range(-1, len(wanted) + 1):
        for end in range(-1, len(wanted) + 2):
            assert projected[first:end] == wanted[first:end]
    assert [projected[place] for place in range(-len(wanted), len(wanted))] == [*wanted, *wanted]
    with pytest.raises(IndexError):
        projected[len(wanted)]
    with pytest.raises(ValueError, match="follow on each other"):
        projected[::2]


@pytest.mark.parametrize("seed", range(20))
def test_offers_are_cut_as_of_plain_records_and_none_is_made_for_it(seed: int, made: list[int]) -> None:
    chance = random.Random(seed)
    records, columns = both(200, seed)
    counts = by_event(chance, records) if seed % 2 else [1] * 200
    # The records of an event are of its offset.
    offsets = [offset for offset, count in enumerate(counts, 100) for _ in range(count)]
    records = [record._replace(offset=offset) for record, offset in zip(records, offsets, strict=True)]
    columns = by_columns(records)
    events = Events(list(range(100, 100 + len(counts))), [chance.randrange(99) for _ in counts], [], [])
    fetched = Fetched(PARTITION, 100, 100 + len(counts), events)
    size = OfferSize(chance.randrange(1, 90), chance.randrange(20, 2_000))
    found = list(cut(fetched, AllProjected(columns, counts), size))
    assert made == []
    wanted = list(cut(fetched, grouped(records, counts), size))
    assert len(wanted) > 1
    assert [(o.from_offset, o.to_offset, o.newest_timestamp_ms) for o in found] == [
        (o.from_offset, o.to_offset, o.newest_timestamp_ms) for o in wanted
    ]
    assert [list(o.records.items) for o in found] == [list(o.records.items) for o in wanted]
    assert [o.records.sums for o in found] == [o.records.sums for o in wanted]
