"""When an offer may go to which lane: paced by the fastest, patient with the others, blocked by none.

    every live lane full      the offer waits, and so does the partition: no lane could use it
    one lane has room         it gets the offer; the others get it too as soon as they have room
    another lane runs dry, or the patience is over
                              those still full lose their claim: they detach and read the log, or shed by policy

A lane with nobody beside it therefore never sheds and never detaches for want of room: to it a full buffer is plain
backpressure (docs/DESIGN.md, The way of an event).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tailrace.runtime.feed import Feed, Verdict
from tailrace.runtime.offers import Offer


@dataclass(frozen=True, slots=True)
class Receiver:
    """One lane as pacing sees it.

    `sheds`: its overflow policy drops for progress; otherwise it detaches. `paces`: its pace counts; a dead-letter
    lane, which swallows nearly everything at once, would make every other lane look slow.
    """

    sink_id: str
    feed: Feed
    sheds: bool
    paces: bool


@dataclass(slots=True)
class PendingOffer:
    """An offer on its way to its receivers."""

    offer: Offer
    since_s: float
    served: set[str] = field(default_factory=set)
    took: set[str] = field(default_factory=set)


class Pacing:
    """Brings offers to receivers. The intake's thread alone."""

    def __init__(self, receivers: Sequence[Receiver], patience_s: float) -> None:
        self._receivers = receivers
        self._patience_s = patience_s

    def place(self, pending: PendingOffer, now_s: float) -> bool:
        """Bring the offer to every receiver that may have it now; whether none is left waiting for it."""
        partition = pending.offer.partition
        if not pending.took and not any(r.paces and r.feed.is_live(partition) for r in self._receivers):
            return False  # all are reading the log themselves: going on would only run away from them
        for receiver in self._receivers:
            if receiver.sink_id not in pending.served:
                self._note(pending, receiver, receiver.feed.offer(pending.offer, now_s))
        for receiver in self._receivers:
            if receiver.sink_id not in pending.served and not self._patient(pending, receiver, now_s):
                self._overrule(pending, receiver, now_s)
        return len(pending.served) == len(self._receivers)

    def _patient(self, pending: PendingOffer, waiting: Receiver, now_s: float) -> bool:
        """Whether `waiting` may still be waited for, because nobody is held up by that."""
        if not pending.took:
            return True
        others = [r for r in self._receivers if r.sink_id in pending.took and r is not waiting]
        return now_s - pending.since_s < self._patience_s and all(r.feed.has_work() for r in others)

    def _overrule(self, pending: PendingOffer, receiver: Receiver, now_s: float) -> None:
        if receiver.sheds:
            self._note(pending, receiver, receiver.feed.shed(pending.offer, now_s))
        if receiver.sink_id not in pending.served:
            receiver.feed.detach(pending.offer.partition, now_s)
            self._note(pending, receiver, receiver.feed.offer(pending.offer, now_s))

    @staticmethod
    def _note(pending: PendingOffer, receiver: Receiver, verdict: Verdict) -> None:
        match verdict:
            case Verdict.TAKEN:
                pending.served.add(receiver.sink_id)
                if receiver.paces:
                    pending.took.add(receiver.sink_id)
            case Verdict.NOTED:
                pending.served.add(receiver.sink_id)
            case Verdict.HELD:
                pass
