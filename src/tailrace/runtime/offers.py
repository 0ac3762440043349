"""What an intake offers its lanes, and what one lane makes of it: what to export, what to filter, what is a gap."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from operator import attrgetter
from typing import Protocol, cast

from tailrace.domain.load import Columnar, Load
from tailrace.domain.projected import LaneItem, Projected, ProjectedRecord, Undecodable
from tailrace.domain.record_columns import AllProjected
from tailrace.domain.selection import Selection

_offset = attrgetter("offset")


@dataclass(frozen=True, slots=True)
class Offer:
    """Consecutive events of one partition, projected once for every lane, and weighed once.

    `from_offset` to `to_offset` are reader positions: offsets in between of which nothing is here hold no event. What
    is here is in offset order: the records of the events that could be decoded, and the events that could not.
    """

    partition: int
    from_offset: int
    to_offset: int
    newest_timestamp_ms: int
    records: Load[ProjectedRecord]
    undecodable: Sequence[Undecodable]

    @classmethod
    def of(
        cls, partition: int, from_offset: int, to_offset: int, newest_timestamp_ms: int, projected: Sequence[Projected]
    ) -> "Offer":
        """An offer of what a projector made of the events, in their order."""
        if isinstance(projected, AllProjected):
            return cls(partition, from_offset, to_offset, newest_timestamp_ms, Load.of(projected.records), [])
        undecodable = [made for made in projected if isinstance(made, Undecodable)]
        decoded = [made for made in projected if isinstance(made, tuple)] if undecodable else projected
        records = list(chain.from_iterable(cast("Sequence[tuple[ProjectedRecord, ...]]", decoded)))
        return cls(partition, from_offset, to_offset, newest_timestamp_ms, Load.of(records), undecodable)

    @property
    def size(self) -> int:
        """Records and undecodable events; 0: markers alone."""
        return len(self.records.items) + len(self.undecodable)

    @property
    def events_end(self) -> int | None:
        """One past the last event; None if it holds none."""
        items = self.records.items
        last = [event.offset for event in self.undecodable[-1:]]
        if len(items):
            last.append(items.column("offset")[-1] if isinstance(items, Columnar) else items[-1].offset)
        return max(last) + 1 if last else None

    def at(self, position: int) -> "Offer":
        """The part of it at `position` and above; the bounds stay as they are."""
        if position <= self.from_offset:
            return self
        records = self.records.items[bisect_left(self.records.items, position, key=_offset) :]
        undecodable = self.undecodable[bisect_left(self.undecodable, position, key=_offset) :]
        return self._with(self.to_offset, records, undecodable)

    def below(self, end: int) -> "Offer":
        """The part of it below `end`."""
        if self.to_offset <= end:
            return self
        records = self.records.items[: bisect_left(self.records.items, end, key=_offset)]
        undecodable = self.undecodable[: bisect_left(self.undecodable, end, key=_offset)]
        return self._with(end, records, undecodable)

    def _with(self, to_offset: int, records: Sequence[ProjectedRecord], undecodable: Sequence[Undecodable]) -> "Offer":
        return Offer(
            self.partition, self.from_offset, to_offset, self.newest_timestamp_ms, Load.of(records), undecodable
        )


@dataclass(frozen=True, slots=True)
class Sorted:
    """What one lane makes of an offer, or of the part of it that it has not taken yet.

    `unreadable` are the events that are a gap for this lane, because nobody could decode them.
    """

    load: Load[LaneItem]
    filtered: int
    unreadable: Sequence[Undecodable]


class Sorting(Protocol):
    """What one lane wants of an offer. Pure; called under the lane's lock."""

    def sort(self, offer: Offer) -> Sorted:
        """What to export of it, how much was filtered out, and what is a gap for this lane."""
        ...


class RecordSorting:
    """A sink of telemetry records: its selection passes, an undecodable event is a gap.

    Unless the sink `captures`, no event that a record has with it gets into its buffer: others' content is not to lie
    there for as long as this sink is down, nor to take up its bytes.
    """

    def __init__(self, selection: Selection, *, captures: bool = True) -> None:
        self._selection = selection
        self._all = selection.admits_everything
        self._captures = captures

    def sort(self, offer: Offer) -> Sorted:
        records = offer.records
        # Content is let go of record by record: staying together it would be kept until the last of them has left.
        loose = any(records.column("event"))
        if loose and not self._captures:
            records, loose = Load.of([record.without_event() for record in records.items]), False
        if self._all:
            return Sorted(replace(records, loose=True) if loose else records, 0, offer.undecodable)
        chosen = [record for record in records.items if self._selection.admits(record)]
        return Sorted(Load.of(chosen, loose=loose), len(records) - len(chosen), offer.undecodable)


class DeadLetterSorting:
    """The dead-letter lane: it exports what nobody could decode, and filters everything else."""

    def sort(self, offer: Offer) -> Sorted:
        return Sorted(Load.of(offer.undecodable, loose=True), len(offer.records), ())
