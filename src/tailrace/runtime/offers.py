"""What an intake hands to its lanes, and how one lane sorts it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tailrace.domain.projected import LaneItem, Projected, ProjectedRecord, Undecodable, UndecodableReason
from tailrace.domain.selection import Selection


@dataclass(frozen=True, slots=True)
class Offer:
    """Consecutive events of one partition, projected once for every lane.

    `from_offset` to `to_offset` are reader positions: offsets in between without an entry hold no event. Entries are in
    offset order.
    """

    partition: int
    from_offset: int
    to_offset: int
    newest_timestamp_ms: int
    entries: Sequence[tuple[int, Projected]]

    def below(self, end: int) -> "Offer":
        """The part of it below `end`."""
        if self.to_offset <= end:
            return self
        return replace(self, to_offset=end, entries=[entry for entry in self.entries if entry[0] < end])


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The lane takes note of an event it cannot export because nobody could decode it."""

    offset: int
    reason: UndecodableReason


@dataclass(frozen=True, slots=True)
class Sorted:
    """What one lane makes of an offer, or of the part of it that it has not taken yet."""

    items: Sequence[LaneItem]
    filtered: int
    unreadable: Sequence[Unreadable]


class Sorting(Protocol):
    """What one lane wants of a projected event. Pure; called under the lane's lock."""

    def sort(self, projected: Projected) -> tuple[Sequence[LaneItem], int] | Unreadable:
        """The items to export and how many were filtered out, or that the event is a gap for this lane."""
        ...


class RecordSorting:
    """A sink of telemetry records: its selection passes, an undecodable event is a gap."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._all = selection.admits_everything

    def sort(self, projected: Projected) -> tuple[Sequence[ProjectedRecord], int] | Unreadable:
        if isinstance(projected, Undecodable):
            return Unreadable(projected.offset, projected.reason)
        if self._all:
            return projected, 0
        chosen = [record for record in projected if self._selection.admits(record)]
        return chosen, len(projected) - len(chosen)


class DeadLetterSorting:
    """The dead-letter lane: it exports what nobody could decode, and filters everything else."""

    def sort(self, projected: Projected) -> tuple[Sequence[Undecodable], int]:
        if isinstance(projected, Undecodable):
            return (projected,), 0
        return (), len(projected)


def sort_from(position: int, offer: Offer, sorting: Sorting) -> Sorted:
    """Sort what the offer holds at `position` and above."""
    items: list[LaneItem] = []
    unreadable: list[Unreadable] = []
    filtered = 0
    sort = sorting.sort
    for offset, projected in offer.entries:
        if offset < position:
            continue
        match sort(projected):
            case Unreadable() as gap:
                unreadable.append(gap)
            case (chosen, left_out):
                items.extend(chosen)
                filtered += left_out
    return Sorted(items, filtered, unreadable)
