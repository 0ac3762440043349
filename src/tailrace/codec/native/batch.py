"""Projects batches of events by the kernel, and makes records of what it wrote. Needs numba.

What the kernel gives is columns of numbers and one stretch of bytes. Making Python's objects of them takes longer than
the kernel does, so records stay columns until somebody looks at one (`domain/record_columns.py`).
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

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
from tailrace.domain.batch import LEAST_TOGETHER
from tailrace.domain.identifiers import IDENTIFIER_CHARACTERS, IdentifierPolicy
from tailrace.domain.projected import ProjectedRecord
from tailrace.domain.record_columns import AllProjected, Fields, Numbered, RecordColumns

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
    ) -> AllProjected | list[Projections | None]:
        """The records of each event; None for an event that has to be projected elsewhere, whatever the reason.

        So few that lanes would take them apart come as objects, which all lanes share then.
        """
        made = _Made()
        for first in range(0, len(values), EVENTS_AT_ONCE):
            last = first + EVENTS_AT_ONCE
            self._project(made, partition, offsets[first:last], values[first:last], max_event_bytes)
        records = RecordColumns(partition, self._fields(made))
        if all(made.counts) and len(records) >= LEAST_TOGETHER:
            return AllProjected(records, made.counts)
        each = iter(records)
        return [tuple([next(each) for _ in range(count)]) if count else None for count in made.counts]

    def _project(
        self, made: "_Made", partition: int, offsets: Sequence[int], values: Sequence[bytes], max_event_bytes: int
    ) -> None:
        """Add to `made` what these events give."""
        size = len(values)
        addresses = np.fromiter(map(id, values), np.int64, size) + _BYTES_OFFSET
        batch = (addresses, np.fromiter(map(len, values), np.int64, size), np.array(offsets, np.int64))
        source = np.frombuffer(self._places[partition].source, np.uint8)
        archive = np.frombuffer(f"{self._topic}/{partition}/".encode(), np.uint8)
        written = self._room()
        events = np.empty((size, 6), np.int64)
        records = np.empty((3 * size, 4), np.int64)
        begin = 0
        while begin < size:
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
            made.add(
                counts,
                _Sources(offsets[begin:end], values[begin:end], *columns),
                records[:rows].T.tolist(),
                written[:filled].tobytes(),
            )
            begin = end

    def _fields(self, made: "_Made") -> Fields:
        return Fields(
            offsets=made.offsets,
            kinds=Numbered(made.plans, self._kinds),
            preserved=list(map(self._preserved.__getitem__, made.plans)),
            families=Numbered(made.families, self._families),
            keys=made.keys,
            agents=made.agents,
            values=made.values,
            prefix_bytes=made.prefix_bytes,
            size_bytes=list(map(int.__add__, map(len, made.keys), map(len, made.values))),
        )


class _Sources(NamedTuple):
    """The events that records are made of, as columns: where run and agent id stand in each, and its family."""

    offsets: Sequence[int]
    values: Sequence[bytes]
    run_first: Sequence[int]
    run_last: Sequence[int]
    agent_first: Sequence[int]
    agent_last: Sequence[int]
    families: Sequence[int]

    def of(self, owners: Sequence[int]) -> "_Sources":
        """The columns with one place for each of these."""
        offsets, values, *columns = self
        spans = [[column[owner] for owner in owners] for column in columns]
        return _Sources([offsets[owner] for owner in owners], [values[owner] for owner in owners], *spans)


@dataclass(frozen=True, slots=True)
class _Made:
    """What the kernel has made so far: how many records of each event, and the records' columns."""

    counts: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    plans: list[int] = field(default_factory=list)
    families: list[int] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    agents: list[bytes] = field(default_factory=list)
    values: list[bytes] = field(default_factory=list)
    prefix_bytes: list[int] = field(default_factory=list)

    def add(self, counts: Sequence[int], sources: _Sources, rows: Sequence[Sequence[int]], stretch: bytes) -> None:
        """Add a record for each row, out of its bytes in the stretch and of its event.

        `counts` says how many rows each event has; none if it was refused.
        """
        if not min(counts) == 1 == max(counts):
            sources = sources.of([number for number, count in enumerate(counts) for _ in range(count)])
        first, last, plans, prefixes = rows
        values = sources.values
        keys = zip(values, sources.run_first, sources.run_last, strict=True)
        agents = zip(values, sources.agent_first, sources.agent_last, strict=True)
        self.counts.extend(counts)
        self.offsets.extend(sources.offsets)
        self.plans.extend(plans)
        self.families.extend(sources.families)
        # Cut out of the events and the stretch, and not kept as places in them: an event may carry a conversation.
        self.keys.extend([value[begin:end] for value, begin, end in keys])
        self.agents.extend([value[begin:end] for value, begin, end in agents])
        self.values.extend([stretch[begin:end] for begin, end in zip(first, last, strict=True)])
        self.prefix_bytes.extend(prefixes)


def _classes() -> NDArray[np.uint8]:
    """The class of each byte in an identifier."""
    classes = np.full(256, kernel.FOREIGN, np.uint8)
    classes[list(IDENTIFIER_CHARACTERS)] = 0
    classes[ord("/")] = kernel.SLASH
    return classes
