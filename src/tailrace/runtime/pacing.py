"""When an offer may go to which lane: paced by the fastest, patient with the others, blocked by none.

    no lane is live           the offer waits: going on would only run away from those that read the log
    every live lane full      the offer waits, and so does the partition: no lane could use it
    one lane has room         it gets the offer; the others get it too as soon as they have room
    a live lane that is past the offer is dry, or has waited as long as the patience lasts
                              those still full lose their claim: they detach and read the log, or shed by policy

Dry is no instant: lanes share processors, so that of two which are equally fast now one is ahead and now the other, and
what the dry one leaves idle is just what the full one needs. So the dry one waits for as long as its neighbour would
need for the offer at `WAITED_FOR_RECORDS_PER_S`, and longer for one that took its last offers sooner (`Credit`). And
before a sink has taken anything at all, its lane loses its claim to the patience alone: it may still be connecting.

Past an offer is who took it, and also who read as far from the log and is live again: it wants the next one as much.
A lane with nobody beside it therefore never sheds and never detaches for want of room: to it a full buffer is plain
backpressure (docs/DESIGN.md, The way of an event).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tailrace.runtime.feed import Feed, Verdict
from tailrace.runtime.offers import Offer

WAITED_FOR_RECORDS_PER_S = 20_000
"""A lane that is slower than its neighbours but makes room at this rate is waited for, also by one that is dry; it sets
their pace then. Without that, half of all runs of three equal lanes over a backlog had one detach within two seconds
[measured, on two busy cores]; it then read again, at the rate limit, for ten seconds what it had been about to send."""

MAX_CREDIT_S = 0.5
"""Two in 32 runs of three equal lanes over a backlog had a detach without it, and took two to five times as long, at
the rate limit. With it, none in 63: five times a sink stood still for 0.11 to 0.20 s beside dry ones [measured, on two
busy cores, over 300 000 events]. More would only make a sink that broke down hold its neighbours up for longer."""


@dataclass(slots=True)
class Credit:
    """How long one lane may keep dry neighbours waiting, beyond what the offer in question allows.

    Each offer that it takes earns what `WAITED_FOR_RECORDS_PER_S` allows for it, and each moment in which a neighbour
    was dry for want of it costs as much. So a lane that is slower than that all along has none.
    """

    saved_s: float = 0.0
    charged_to_s: float = 0.0

    def lasts(self, offer: Offer, dry_since_s: float, now_s: float) -> bool:
        return self._unpaid_s(dry_since_s, now_s) < self.saved_s + _allowed_s(offer)

    def settle(self, taken: Offer | None, dry_since_s: float | None, now_s: float) -> None:
        """The wait is over: the lane took the offer or lost its claim, or the dry one found other work.

        Neither a debt is carried on, nor more than one hiccup.
        """
        if taken is not None:
            self.saved_s += _allowed_s(taken)
        if dry_since_s is not None:
            self.saved_s -= self._unpaid_s(dry_since_s, now_s)
            self.charged_to_s = now_s
        self.saved_s = min(max(0.0, self.saved_s), MAX_CREDIT_S)

    def _unpaid_s(self, dry_since_s: float, now_s: float) -> float:
        # Offers of several partitions wait in the same moments, which are paid once.
        return now_s - max(dry_since_s, self.charged_to_s)


def _allowed_s(offer: Offer) -> float:
    return offer.size / WAITED_FOR_RECORDS_PER_S


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
    """An offer on its way to its receivers.

    `since_s` is when it came to the front, `wanted_since_s` when a lane that is past it first waited for the next one,
    `dry_since_s` since when one of those has nothing to do.
    """

    offer: Offer
    since_s: float
    served: set[str] = field(default_factory=set)
    wanted_since_s: float | None = None
    dry_since_s: float | None = None


class Pacing:
    """Brings offers to receivers. The intake's thread alone."""

    def __init__(self, receivers: Sequence[Receiver], patience_s: float) -> None:
        self._receivers = receivers
        self._patience_s = patience_s
        self._credits = {receiver.sink_id: Credit() for receiver in receivers}

    def place(self, pending: PendingOffer, now_s: float) -> bool:
        """Bring the offer to every receiver that may have it now; whether none is left waiting for it."""
        if not any(r.paces and r.feed.is_live(pending.offer.partition) for r in self._receivers):
            return False
        for receiver in self._unserved(pending):
            self._note(pending, receiver, receiver.feed.offer(pending.offer, now_s), now_s)
        for receiver in self._too_slow(pending, self._unserved(pending), now_s):
            self._overrule(pending, receiver, now_s)
        return len(pending.served) == len(self._receivers)

    def _unserved(self, pending: PendingOffer) -> list[Receiver]:
        return [receiver for receiver in self._receivers if receiver.sink_id not in pending.served]

    def _too_slow(self, pending: PendingOffer, full: Sequence[Receiver], now_s: float) -> Sequence[Receiver]:
        """Those without room that are waited for no longer, because somebody is held up by it."""
        partition = pending.offer.partition
        past_it = [r for r in self._receivers if r.paces and r.sink_id in pending.served and r.feed.is_live(partition)]
        if not full or not past_it:
            pending.wanted_since_s = pending.dry_since_s = None
            return ()
        if pending.wanted_since_s is None:
            pending.wanted_since_s = now_s
        if now_s - pending.wanted_since_s >= self._patience_s:
            return full
        if all(r.feed.has_work() for r in past_it):
            for receiver in full:
                self._credits[receiver.sink_id].settle(None, pending.dry_since_s, now_s)
            pending.dry_since_s = None
            return ()
        since_s = pending.dry_since_s = now_s if pending.dry_since_s is None else pending.dry_since_s
        exporting = [receiver for receiver in full if receiver.feed.has_exported()]
        return [r for r in exporting if not self._credits[r.sink_id].lasts(pending.offer, since_s, now_s)]

    def _overrule(self, pending: PendingOffer, receiver: Receiver, now_s: float) -> None:
        if receiver.sheds:
            self._note(pending, receiver, receiver.feed.shed(pending.offer, now_s), now_s)
        if receiver.sink_id not in pending.served:
            receiver.feed.detach(pending.offer.partition, now_s)
            self._note(pending, receiver, receiver.feed.offer(pending.offer, now_s), now_s)

    def _note(self, pending: PendingOffer, receiver: Receiver, verdict: Verdict, now_s: float) -> None:
        if verdict is Verdict.HELD:
            return
        pending.served.add(receiver.sink_id)
        taken = pending.offer if verdict is Verdict.TAKEN else None
        self._credits[receiver.sink_id].settle(taken, pending.dry_since_s, now_s)
