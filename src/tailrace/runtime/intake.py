"""The shared intake: polls, projects each event once, offers it to every lane; owns assignment and revocation."""

from collections.abc import Sequence

from tailrace.domain.projected import Projected, ProjectorCounts, Undecodable
from tailrace.domain.record_columns import AllProjected
from tailrace.runtime.assignment import Assignment
from tailrace.runtime.clock import Clock, Deadline
from tailrace.runtime.cutting import OfferSize, cut, project_all
from tailrace.runtime.offers import Offer
from tailrace.runtime.pacing import Pacing, PendingOffer
from tailrace.runtime.pending import POLL_WITHIN_S, PendingOffers
from tailrace.runtime.poison_watch import PoisonWatch
from tailrace.runtime.ports import Damaged, EventSource, Fetched, OutOfRange, Polled, Projector
from tailrace.runtime.pressure import Pressure
from tailrace.runtime.signal import Signal

POLL_S = 0.1
"""How long a poll waits for its first event. A stop or a commit result waits at most this long when nothing comes."""

HOLD_S = 0.02
"""How often a held offer is tried again without a ring."""


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
        pressure: Pressure,
        clock: Clock,
    ) -> None:
        self._source = source
        self._projector = projector
        self._assignment = assignment
        self._pending = PendingOffers(pacing, size.records, source.pause, source.resume)
        self._poison = poison
        self._size = size
        self._room = room
        self._pressure = pressure
        self._clock = clock
        self._polled_at_s = clock.now_s()
        self._trouble: dict[int, OutOfRange | Damaged] = {}
        self.consumed_events = 0
        self.undecodable_events = 0

    def projector_counts(self) -> ProjectorCounts:
        """Of everything that this worker's projector was given, by catching-up lanes as well."""
        return self._projector.counts()

    def start(self) -> None:
        """Ask to become a member of the group; assignments come from later turns."""
        self._source.subscribe(self._assignment)

    def turn(self) -> None:
        """One round: begin what is loaded, place what is pending, commit what is due, poll for more."""
        rings = self._room.count()
        self._pressure.look()
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
        polled = self._source.poll(self._size.records, 0.0)
        if not polled and timeout_s > 0.0:
            idle_since_s = self._clock.now_s()
            polled = self._source.poll(self._size.records, timeout_s)
            if not len(self._pending):  # else it waits for room, and polls to stay a member
                self._pressure.idle(self._clock.now_s() - idle_since_s)
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

    def _offers(self, fetched: Fetched) -> list[Offer]:
        """Project what was fetched, cut into offers of bounded size; ends early where the partition is halted."""
        projected = project_all(self._projector, fetched)
        halted = self._first_too_many(fetched, projected)
        if halted is not None:
            offset = fetched.events.offsets[halted]
            projected = projected[: halted + 1]
            fetched = Fetched(fetched.partition, fetched.from_offset, offset + 1, fetched.events.part(0, halted + 1))
            self._assignment.halt(fetched.partition, offset, "too_many_undecodable_in_a_row")
        offers = list(cut(fetched, projected, self._size))
        self.consumed_events += len(projected)
        self.undecodable_events += sum([len(offer.undecodable) for offer in offers])
        return offers

    def _first_too_many(self, fetched: Fetched, projected: Sequence[Projected]) -> int | None:
        """The place of the undecodable event at which there are too many in a row.

        Good events only end a row, so that one of those between two undecodable ones is told of, and the last one.
        """
        partition, offsets = fetched.partition, fetched.events.offsets
        seen = 0
        none = isinstance(projected, AllProjected)
        bad = [] if none else [place for place, made in enumerate(projected) if isinstance(made, Undecodable)]
        for place in bad:
            if place > seen:
                self._poison.note(partition, offsets[seen], undecodable=False)
            if self._poison.note(partition, offsets[place], undecodable=True):
                return place
            seen = place + 1
        if seen < len(offsets):
            self._poison.note(partition, offsets[seen], undecodable=False)
        return None
