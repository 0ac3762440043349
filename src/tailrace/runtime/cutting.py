"""Making offers of what was fetched: projecting it, and cutting it to a bounded size, never through an event."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from tailrace.domain.projected import Projected, Undecodable
from tailrace.domain.record_columns import AllProjected
from tailrace.runtime.offers import Offer
from tailrace.runtime.ports import Fetched, Projector


@dataclass(frozen=True, slots=True)
class OfferSize:
    """The most one offer may bring to a buffer: a quarter of the smallest one, so no poll can fill it by itself."""

    records: int
    bytes: int


def project_all(projector: Projector, fetched: Fetched) -> Sequence[Projected]:
    """What the projector makes of each event, in their order."""
    events = fetched.events
    return projector.project_all(fetched.partition, events.offsets, events.keys, events.values)


def whole_offer(fetched: Fetched, projected: Sequence[Projected]) -> Offer:
    """All that was fetched, projected event by event, as one offer."""
    newest = max(fetched.events.timestamps_ms, default=0)
    return Offer.of(fetched.partition, fetched.from_offset, fetched.to_offset, newest, projected)


def cut(fetched: Fetched, projected: Sequence[Projected], size: OfferSize) -> Iterator[Offer]:
    """What was fetched, in offers that follow on each other; an event larger than `size` is offered alone."""
    whole = whole_offer(fetched, projected)
    letters = whole.undecodable
    records, size_bytes = whole.size, whole.records.sums[1] + sum([letter.size_bytes for letter in letters])
    if len(projected) <= 1 or (records <= size.records and size_bytes <= size.bytes):
        yield whole
        return
    ends = [*fetched.events.offsets[1:], fetched.to_offset]
    from_offset, first = fetched.from_offset, 0
    for last in _cuts(projected, whole, size):
        newest = max(fetched.events.timestamps_ms[first:last])
        yield Offer.of(fetched.partition, from_offset, ends[last - 1], newest, projected[first:last])
        from_offset, first = ends[last - 1], last


def _cuts(projected: Sequence[Projected], whole: Offer, size: OfferSize) -> Iterator[int]:
    """Where each offer ends, as places in `projected`, which is `whole` by events."""
    if isinstance(projected, AllProjected):
        records = projected.records_before
        sizes = [whole.records.bytes_before[place] for place in records]
    else:
        records = list(accumulate([1 if isinstance(made, Undecodable) else len(made) for made in projected], initial=0))
        sizes = list(accumulate([_size_bytes(made) for made in projected], initial=0))
    first = 0
    while first < len(projected):
        by_records = bisect_right(records, records[first] + size.records) - 1
        by_bytes = bisect_right(sizes, sizes[first] + size.bytes) - 1
        first = max(first + 1, min(by_records, by_bytes))
        yield first


def _size_bytes(made: Projected) -> int:
    if isinstance(made, Undecodable):
        return made.size_bytes
    return made[0].size_bytes if len(made) == 1 else sum([record.size_bytes for record in made])
