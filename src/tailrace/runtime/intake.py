"""The shared intake: polls, projects each event once, offers it to every lane; owns assignment and revocation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tailrace.domain.projected import Projected, Undecodable
from tailrace.runtime.assignment import Assignment
from tailrace.runtime.clock import Clock, Deadline
from tailrace.runtime.offers import Offer
from tailrace.runtime.pacing import Pacing, PendingOffer
from tailrace.runtime.pending import POLL_WITHIN_S, PendingOffers
from tailrace.runtime.poison_watch import PoisonWatch
from tailrace.runtime.ports import Damaged, EventSource, Fetched, OutOfRange, Polled, Projector
from tailrace.runtime.signal import Signal

POLL_S = 0.1
"""How long a poll waits for its first event. A stop or a commit result waits at most this long when nothing comes."""

HOLD_S = 0.02
"""How often a held offer is tried again without a ring."""


@dataclass(frozen=True, slots=True)
class OfferSize:
    """The most one offer may bring to a buffer: a quarter of the smallest one, so no poll can fill it by itself."""

    records: int
    bytes: int


class Intake:
    """Feeds the lanes. `turn` until stopped, then `finish`; all on one thread."""

    def __init__(
        self,
        *,
        source: EventSource,
        projector: Projector,
        assignment: Assignment,
        pacing: Pacing,
        poison: PoisonWatch,
        size: OfferSize,
        room: Signal,
        clock: Clock,
    ) -> None:
        self._source = source
        self._projector = projector
        self._assignment = assignment
        self._pending = PendingOffers(pacing, size.records, source.pause, source.resume)
        self._poison = poison
        self._size = size
        self._room = room
        self._clock = clock
        self._polled_at_s = clock.now_s()
        self._trouble: dict[int, OutOfRange | Damaged] = {}
        self.consumed_events = 0
        self.undecodable_events = 0

    def start(self) -> None:
        """Ask to become a member of the group; assignments come from later turns."""
        self._source.subscribe(self._assignment)

    def turn(self) -> None:
        """One round: begin what is loaded, place what is pending, commit what is due, poll for more."""
        rings = self._room.count()
        self._drop_foreign()
        self._assignment.begin_loaded()
        self._pending.place(self._clock.now_s())
        self._see_to_trouble()
        self._pending.resume_placed(self._assignment.halted)
        self._assignment.commit_due()
        if not self._pending.waiting:
            self._poll(HOLD_S if len(self._pending) else POLL_S)
        elif self._clock.now_s() - self._polled_at_s < POLL_WITHIN_S:
            self._room.wait_beyond(rings, HOLD_S)
        else:
            self._pending.pause_held(self._assignment.all_reading(), self._clock.now_s())
            self._poll(0.0)

    def finish(self, deadline: Deadline) -> bool:
        """Hand everything back within `deadline` and leave the group; whether all that was exported is committed."""
        committed = self._assignment.hand_back(deadline)
        self._source.close(deadline)
        return committed

    def _drop_foreign(self) -> None:
        """Forget what is pending for partitions that were revoked during the last poll."""
        self._pending.keep_only(self._assignment.reading)
        self._trouble = {p: trouble for p, trouble in self._trouble.items() if self._assignment.reading(p)}

    def _see_to_trouble(self) -> None:
        """Deal with trouble once all that was read before it is with the lanes, so that it loses none of that."""
        for partition in [p for p in self._trouble if p not in self._pending]:
            trouble = self._trouble.pop(partition)
            if self._assignment.halted(partition):
                continue  # whatever it was, nothing more is to be read here
            match trouble:
                case OutOfRange():
                    self._assignment.out_of_range(partition)
                case Damaged(offset=offset):
                    self._assignment.damaged(partition, offset)

    # ------------------------------------------------------------------------------------------------------ receiving

    def _poll(self, timeout_s: float) -> None:
        polled = self._source.poll(self._size.records, timeout_s)
        self._polled_at_s = self._clock.now_s()
        self._receive(polled)

    def _receive(self, polled: Sequence[Polled]) -> None:
        for part in polled:
            if not self._assignment.reading(part.partition):
                continue
            match part:
                case OutOfRange() | Damaged():
                    self._trouble[part.partition] = part
                case Fetched():
                    now_s = self._clock.now_s()
                    self._pending.add(part.partition, [PendingOffer(offer, now_s) for offer in self._offers(part)])
                    self._assignment.read_up_to(part.partition, part.to_offset)

    def _offers(self, fetched: Fetched) -> Iterator[Offer]:
        """Project what was fetched, cut into offers of bounded size; ends early where the partition is halted."""
        entries: list[tuple[int, Projected]] = []
        start, records, size, newest = fetched.from_offset, 0, 0, 0
        for event in fetched.events:
            projected = self._projector.project(fetched.partition, event.offset, event.key, event.value)
            undecodable = isinstance(projected, Undecodable)
            self.consumed_events += 1
            self.undecodable_events += undecodable
            brings_records = 1 if isinstance(projected, Undecodable) else len(projected)
            brings_bytes = (
                projected.size_bytes if isinstance(projected, Undecodable) else sum(r.size_bytes for r in projected)
            )
            if entries and (records + brings_records > self._size.records or size + brings_bytes > self._size.bytes):
                yield Offer(fetched.partition, start, event.offset, newest, entries)
                entries, start, records, size = [], event.offset, 0, 0
            entries.append((event.offset, projected))
            records += brings_records
            size += brings_bytes
            newest = max(newest, event.timestamp_ms)
            if self._poison.note(fetched.partition, event.offset, undecodable=undecodable):
                yield Offer(fetched.partition, start, event.offset + 1, newest, entries)
                self._assignment.halt(fetched.partition, event.offset, "too_many_undecodable_in_a_row")
                return
        yield Offer(fetched.partition, start, fetched.to_offset, newest, entries)
