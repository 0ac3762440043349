"""Projects batches of events by the kernel, and makes records of what it wrote. Needs numba.

What the kernel gives is columns of numbers and one stretch of bytes. Making Python's objects of them takes longer than
the kernel does, so that is done by columns, too: the loops are those of `map` and `zip`.
"""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tailrace.codec.compiled_records import ENDINGS, Places, Rules
from tailrace.codec.identifier_fields import IdentifierFields
from tailrace.codec.native import kernel
from tailrace.codec.native.record_program import record_program
from tailrace.codec.native.walk_program import NotNative, WalkProgram, walk_program
from tailrace.codec.record_layout import RecordLayout
from tailrace.codec.reference_walker import RecordStep
from tailrace.codec.schema_tree import Record
from tailrace.domain.identifiers import IDENTIFIER_CHARACTERS, IdentifierPolicy
from tailrace.domain.projected import ProjectedRecord

Projections = tuple[ProjectedRecord, ...]

EVENTS_AT_ONCE: Final = 512
"""What one call takes is in the cache until its records are made."""

OUT_BYTES: Final = 1 << 20
"""Room for the records of one call, of 700 bytes in the mean; where it does not do the rest takes another call."""

_DECIDING: Final = ("event_kind", "terminal", "journal_cursor", "usage", "event_id", "run_id", "agent_id")
"""Fields by whose marks the kernel decides, in the order in which it takes them."""

FACTS: Final = frozenset({*_DECIDING, "event_family", "event_seq", "cost"})

_BYTES_OFFSET: Final = bytes.__basicsize__ - 1
"""Where the bytes of a `bytes` begin, behind its id: CPython puts them last, with a zero behind them."""

_new_record: Final[Callable[[Any], ProjectedRecord]] = partial(tuple.__new__, ProjectedRecord)


class NativeProjection:
    """Projects what one writer schema's events come as behind `frame`. Immutable but for its places; any thread."""

    def __init__(self, layout: RecordLayout, rules: Rules, places: Places, frame: bytes, walk: WalkProgram) -> None:
        self._topic = layout.topic
        self._places = places
        self._rooms = threading.local()
        self._walking = (
            np.frombuffer(frame, np.uint8),
            np.array(walk.code, np.int32),
            # Never empty, for the compiler.
            np.array([*walk.tables, 0], np.int32),
            _classes(),
        )
        records = record_program(layout, rules, walk)
        endings = list(ENDINGS)
        self._planning = (
            tuple(walk.marks[name] for name in _DECIDING),
            records.outcomes,
            np.frombuffer(b"".join(endings), np.uint8),
            np.cumsum([0, *map(len, endings)]),
            records.plans,
            records.code,
            records.pool,
        )
        self._kinds = [planned.kind for planned in records.planned]
        self._preserved = [planned.preserved for planned in records.planned]
        self._families = records.families

    @classmethod
    def of(
        cls,
        layout: RecordLayout,
        rules: Rules,
        event: Record,
        policy: IdentifierPolicy,
        *,
        places: Places,
        frame: bytes,
        step: RecordStep,
        keep_content: bool,
    ) -> "NativeProjection | NotNative":
        """The projection of events that `step` walks; NotNative for a schema that only the functions can do."""
        kept = frozenset({*layout.copied.values(), *FACTS})
        walk = walk_program(step, event, kept, policy, keep_content=keep_content)
        if isinstance(walk, NotNative):
            return walk
        # Constants are on every record, so what would have to be replaced in one is a matter for the functions.
        identifiers = IdentifierFields(event, frozenset(layout.copied.values()), policy)
        foreign = {
            name
            for name, value in walk.defaults.items()
            if name in identifiers.names and identifiers.replaced_field(name, value) != value
        }
        missing = (FACTS - walk.marks.keys()) | foreign
        return NotNative(min(missing)) if missing else cls(layout, rules, places, frame, walk)

    def _room(self) -> NDArray[np.uint8]:
        """Where the kernel writes, one for each thread: fresh pages for each call would take longer than the kernel."""
        try:
            room: NDArray[np.uint8] = self._rooms.room
        except AttributeError:
            room = self._rooms.room = np.empty(OUT_BYTES, np.uint8)
        return room

    def project(
        self, partition: int, offsets: Sequence[int], values: Sequence[bytes], max_event_bytes: int
    ) -> list[Projections | None]:
        """The records of each event; None for an event that has to be projected elsewhere, whatever the reason."""
        out: list[Projections | None] = []
        for first in range(0, len(values), EVENTS_AT_ONCE):
            last = first + EVENTS_AT_ONCE
            out += self._project(partition, offsets[first:last], values[first:last], max_event_bytes)
        return out

    def _project(
        self, partition: int, offsets: Sequence[int], values: Sequence[bytes], max_event_bytes: int
    ) -> list[Projections | None]:
        size = len(values)
        addresses = np.fromiter(map(id, values), np.int64, size) + _BYTES_OFFSET
        batch = (addresses, np.fromiter(map(len, values), np.int64, size), np.array(offsets, np.int64))
        source = np.frombuffer(self._places[partition].source, np.uint8)
        archive = np.frombuffer(f"{self._topic}/{partition}/".encode(), np.uint8)
        written = self._room()
        events = np.empty((size, 6), np.int64)
        records = np.empty((3 * size, 4), np.int64)
        out: list[Projections | None] = []
        while len(out) < size:
            begin = len(out)
            end, rows, filled = kernel.project(
                batch,
                begin,
                max_event_bytes,
                self._walking,
                self._planning,
                (source, archive),
                written,
                events,
                records,
            )
            counts, *columns = events[begin:end].T.tolist()
            sources = _Sources(partition, offsets[begin:end], values[begin:end], *columns)
            out += self._made(counts, sources, records[:rows].T.tolist(), written[:filled].tobytes())
        return out

    def _made(
        self, counts: Sequence[int], sources: "_Sources", rows: Sequence[Sequence[int]], stretch: bytes
    ) -> Sequence[Projections | None]:
        """The records of each event; `counts` says how many, 0 for one that was refused."""
        if min(counts) == 1 == max(counts):
            return list(zip(self._records(sources, rows, stretch), strict=True))
        owners = [number for number, count in enumerate(counts) for _ in range(count)]
        made = iter(self._records(sources.of(owners), rows, stretch))
        return [tuple([next(made) for _ in range(count)]) if count else None for count in counts]

    def _records(self, sources: "_Sources", rows: Sequence[Sequence[int]], stretch: bytes) -> list[ProjectedRecord]:
        """A record for each row, out of its bytes in the stretch and of the event in the same place."""
        first, last, plans, prefixes = rows
        partition, offsets, values, run_first, run_last, agent_first, agent_last, families = sources
        keys = [value[begin:end] for value, begin, end in zip(values, run_first, run_last, strict=True)]
        agents = [value[begin:end] for value, begin, end in zip(values, agent_first, agent_last, strict=True)]
        made = [stretch[begin:end] for begin, end in zip(first, last, strict=True)]
        columns = zip(
            repeat(partition),
            offsets,
            map(self._kinds.__getitem__, plans),
            map(self._preserved.__getitem__, plans),
            map(bytes.decode, keys),
            map(self._families.__getitem__, families),
            map(bytes.decode, agents),
            keys,
            made,
            prefixes,
            map(int.__add__, map(len, keys), map(len, made)),
            repeat(None),
            strict=False,
        )
        return list(map(_new_record, columns))


class _Sources(NamedTuple):
    """The events that records are made of, as columns: where run and agent id stand in each, and its family."""

    partition: int
    offsets: Sequence[int]
    values: Sequence[bytes]
    run_first: Sequence[int]
    run_last: Sequence[int]
    agent_first: Sequence[int]
    agent_last: Sequence[int]
    families: Sequence[int]

    def of(self, owners: Sequence[int]) -> "_Sources":
        """The columns with one place for each of these."""
        partition, offsets, values, *columns = self
        spans = [[column[owner] for owner in owners] for column in columns]
        return _Sources(partition, [offsets[owner] for owner in owners], [values[owner] for owner in owners], *spans)


def _classes() -> NDArray[np.uint8]:
    """The class of each byte in an identifier."""
    classes = np.full(256, kernel.FOREIGN, np.uint8)
    classes[list(IDENTIFIER_CHARACTERS)] = 0
    classes[ord("/")] = kernel.SLASH
    return classes
