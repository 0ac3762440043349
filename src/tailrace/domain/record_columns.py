"""Records of which nobody makes an object before somebody looks at it.

A projector makes thousands of records at once, and a lane that takes all of them needs their keys, their values and
what they weigh, each as one list. An object for each record costs as much again as all the rest of the projection, and
so does letting go of it [measured: 1.5 of 3.3 microseconds an event].
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from operator import attrgetter, eq
from typing import Any, Final, overload

from tailrace.domain.load import Columnar
from tailrace.domain.projected import ProjectedRecord

_new_record: Final[Callable[[Any], ProjectedRecord]] = partial(tuple.__new__, ProjectedRecord)


@dataclass(frozen=True, slots=True)
class Numbered:
    """A column of few different things: which one stands where."""

    numbers: Sequence[int]
    things: Sequence[Any]

    def column(self) -> list[Any]:
        return list(map(self.things.__getitem__, self.numbers))

    def __getitem__(self, cut: slice) -> "Numbered":
        return Numbered(self.numbers[cut], self.things)


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of records of one partition, one sequence each, all of the same length; none of them has an event.

    `keys` are run ids and `agents` agent ids, both as UTF-8.
    """

    offsets: Sequence[int]
    kinds: Numbered
    preserved: Sequence[bool]
    families: Numbered
    keys: Sequence[bytes]
    agents: Sequence[bytes]
    values: Sequence[bytes]
    prefix_bytes: Sequence[int]
    size_bytes: Sequence[int]

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, cut: slice) -> "Fields":
        return Fields(
            self.offsets[cut],
            self.kinds[cut],
            self.preserved[cut],
            self.families[cut],
            self.keys[cut],
            self.agents[cut],
            self.values[cut],
            self.prefix_bytes[cut],
            self.size_bytes[cut],
        )


_COLUMNS: Final[Mapping[str, Callable[[int, Fields], Sequence[Any]]]] = {
    "partition": lambda partition, fields: [partition] * len(fields),
    "offset": lambda _, fields: fields.offsets,
    "kind": lambda _, fields: fields.kinds.column(),
    "terminal_preserved": lambda _, fields: fields.preserved,
    "run_key": lambda _, fields: list(map(bytes.decode, fields.keys)),
    "family": lambda _, fields: fields.families.column(),
    "agent_id": lambda _, fields: list(map(bytes.decode, fields.agents)),
    "key": lambda _, fields: fields.keys,
    "value": lambda _, fields: fields.values,
    "prefix_bytes": lambda _, fields: fields.prefix_bytes,
    "size_bytes": lambda _, fields: fields.size_bytes,
    "event": lambda _, fields: [None] * len(fields),
}
"""Every field of a record by its name."""


class RecordColumns(Columnar[ProjectedRecord]):
    """A sequence of records; it equals a list or tuple of the same ones.

    A single one is made each time it is asked for. Whoever passes over all of them makes all, once: from then on they
    are kept instead of the fields. Nothing in it changes otherwise. Any thread may read it; two that pass over it at
    the same moment may both make them.
    """

    __slots__ = ("_held", "_partition")

    def __init__(self, partition: int, fields: Fields) -> None:
        self._partition = partition
        # Replaced as a whole, so that readers need no lock.
        self._held: Fields | list[ProjectedRecord] = fields

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[ProjectedRecord]:
        return iter(self._all())

    @overload
    def __getitem__(self, place: int) -> ProjectedRecord: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[ProjectedRecord]: ...

    def __getitem__(self, place: int | slice) -> ProjectedRecord | Sequence[ProjectedRecord]:
        held = self._held
        if isinstance(held, list):
            return held[place]
        if isinstance(place, slice):
            return RecordColumns(self._partition, held[place])
        index = range(len(held))[place]
        return _records(self._partition, held[index : index + 1])[0]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecordColumns | list | tuple) and _same(self, other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"RecordColumns({self._all()!r})"

    def column(self, name: str) -> Sequence[Any]:
        """The attribute of that name of every record, in order. AttributeError if records have none."""
        held, give = self._held, _COLUMNS.get(name)
        if isinstance(held, list) or give is None:
            return list(map(attrgetter(name), self))
        return give(self._partition, held)

    def _all(self) -> list[ProjectedRecord]:
        held = self._held
        if not isinstance(held, list):
            held = self._held = _records(self._partition, held)
        return held


def _records(partition: int, fields: Fields) -> list[ProjectedRecord]:
    columns = [_COLUMNS[name](partition, fields) for name in ProjectedRecord._fields]
    return list(map(_new_record, zip(*columns, strict=True)))


class AllProjected(Sequence[tuple[ProjectedRecord, ...]]):
    """What a projector made of events in a row, each of which gave one record at least: `counts` says how many.

    It equals a list of tuples of the same records.
    """

    __slots__ = ("_before", "counts", "records")

    def __init__(self, records: Sequence[ProjectedRecord], counts: Sequence[int]) -> None:
        self.records = records
        self.counts = counts
        self._before = list(accumulate(counts, initial=0)) if len(records) != len(counts) else range(len(counts) + 1)

    def __len__(self) -> int:
        return len(self.counts)

    @overload
    def __getitem__(self, place: int) -> tuple[ProjectedRecord, ...]: ...
    @overload
    def __getitem__(self, place: slice) -> "AllProjected": ...

    def __getitem__(self, place: int | slice) -> "tuple[ProjectedRecord, ...] | AllProjected":
        if isinstance(place, slice):
            first, end, step = place.indices(len(self))
            if step != 1:
                raise ValueError("events in a row are cut into pieces that follow on each other")
            end = max(first, end)
            return AllProjected(self.records[self._before[first] : self._before[end]], self.counts[first:end])
        index = range(len(self))[place]
        return tuple(self.records[self._before[index] : self._before[index + 1]])

    def __iter__(self) -> Iterator[tuple[ProjectedRecord, ...]]:
        made = iter(self.records)
        return (tuple([next(made) for _ in range(count)]) for count in self.counts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AllProjected | list | tuple) and _same(self, other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"AllProjected({list(self)!r})"

    @property
    def records_before(self) -> Sequence[int]:
        """For each event, and for the end, how many records come before it."""
        return self._before


def _same(one: Sequence[Any], another: Sequence[Any]) -> bool:
    return len(one) == len(another) and all(map(eq, one, another))
