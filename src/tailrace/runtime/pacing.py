"""When an offer may go to which lane: paced by the fastest, patient with the others, blocked by none.

    no lane is live           the offer waits: going on would only run away from those that read the log
    every live lane full      the offer waits, and so does the partition: no lane could use it
    one lane has room         it gets the offer; the others get it too as soon as they have room
    a live lane that is past the offer is dry, or has waited as long as the patience lasts
                              those still full lose their claim: they detach and read the log, or shed by policy

Dry is no instant: lanes share processors, so that of two which are equally fast now one is ahead and now the other, and
what the dry one leaves idle is just what the full one needs. So the dry one waits for as long as its neighbour would
need for the offer at `WAITED_FOR_RECORDS_PER_S`, and for one that was in time until now a hiccup longer (`Grace`). And
before a sink has taken anything at all, its lane loses its claim to the patience alone: it may still be connecting.

Past an offer is who took it, and also who read as far from the log and is live again: it wants the next one as much.
A lane with nobody beside it therefore never sheds and never detaches for want of room: to it a full buffer is plain
backpressure (docs/DESIGN.md, The way of an event).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from tailrace.runtime.feed import Feed, Verdict
from tailrace.runtime.offers import Offer

WAITED_FOR_RECORDS_PER_S = 20_000
"""A lane that is slower than its neighbours but makes room at this rate is waited for, also by one that is dry; it sets
their pace then. Without that, half of all runs of three equal lanes over a backlog had one detach within two seconds
[measured, on two busy cores]; it then read again, at the rate limit, for ten seconds what it had been about to send."""

HICCUP_S = 0.5
"""Without it two in 32 runs of three equal lanes over a backlog had a detach, and took two to five times as long, at
the rate limit. In 63 runs in which lanes were waited for longer, sinks stood still beside dry ones five times, for 0.11
to 0.20 s [measured, on two busy cores, over 300 000 events]. It is what neighbours lose to a sink that breaks down."""

HICCUPS_APART_S = 10.0
"""So what lanes lose to a neighbour's hiccups is at most a twentieth of their time."""


@dataclass(slots=True)
class Grace:
    """One hiccup of a sink's broker is waited for, if the lane was in time for `HICCUPS_APART_S` before.

        would lose its claim at t ──────────> keeps it until t + HICCUP_S, on all partitions
        would lose it later ────────────────> loses it; and is late, so that the ten seconds begin anew

    So a lane that is slower than its neighbours all along has it once.
    """

    until_s: float = -math.inf
    again_from_s: float = -math.inf

    def covers(self, now_s: float) -> bool:
        """Whether a lane that would lose its claim now keeps it."""
        if now_s >= self.again_from_s:
            self.until_s = now_s + HICCUP_S
        self.again_from_s = now_s + HICCUPS_APART_S
        return now_s < self.until_s


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
        self._graces = {receiver.sink_id: Grace() for receiver in receivers}

    def place(self, pending: PendingOffer, now_s: float) -> bool:
        """Bring the offer to every receiver that may have it now; whether none is left waiting for it."""
        if not any(r.paces and r.feed.is_live(pending.offer.partition) for r in self._receivers):
            return False
        for receiver in self._unserved(pending):
            self._note(pending, receiver, receiver.feed.offer(pending.offer, now_s))
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
            pending.dry_since_s = None
            return ()
        if pending.dry_since_s is None:
            pending.dry_since_s = now_s
        if now_s - pending.dry_since_s < pending.offer.size / WAITED_FOR_RECORDS_PER_S:
            return ()
        late = [receiver for receiver in full if receiver.feed.has_exported()]
        return [receiver for receiver in late if not self._graces[receiver.sink_id].covers(now_s)]

    def _overrule(self, pending: PendingOffer, receiver: Receiver, now_s: float) -> None:
        if receiver.sheds:
            self._note(pending, receiver, receiver.feed.shed(pending.offer, now_s))
        if receiver.sink_id not in pending.served:
            receiver.feed.detach(pending.offer.partition, now_s)
            self._note(pending, receiver, receiver.feed.offer(pending.offer, now_s))

    @staticmethod
    def _note(pending: PendingOffer, receiver: Receiver, verdict: Verdict) -> None:
        if verdict is not Verdict.HELD:
            pending.served.add(receiver.sink_id)
