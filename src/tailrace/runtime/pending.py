"""Offers that have been read and are not with every lane yet, and which partitions stand still because of them.

Reading on while offers wait would fill memory, not reading at all would keep rebalances waiting, since their callbacks
come from polls. So: as long as something waits, nothing is polled for up to `POLL_WITHIN_S`; then the partitions that
have waited that long are paused, and the poll brings callbacks and what others have. When what waits comes to a whole
offer, all are paused: then polls bring callbacks only.
"""

from collections import deque
from collections.abc import Callable, Iterable

from tailrace.runtime.pacing import Pacing, PendingOffer

POLL_WITHIN_S = 1.0
"""Between two polls while offers wait. Shorter pauses partitions at every hiccup, which throws away what the client has
read ahead: on a deep backlog, pausing for 5 ms every 20 000 events read 23 000 events a second, waiting as long without
a poll 207 000. Longer keeps hand-overs and commit results waiting."""


class PendingOffers:
    """Keeps offers per partition, in order, until pacing has brought each to every lane. The intake's thread alone."""

    def __init__(
        self, pacing: Pacing, most_records: int, pause: Callable[[list[int]], None], resume: Callable[[list[int]], None]
    ) -> None:
        self._pacing = pacing
        self._most_records = most_records
        self._pause = pause
        self._resume = resume
        self._offers: dict[int, deque[PendingOffer]] = {}
        self._held_since_s: dict[int, float] = {}
        self._paused: set[int] = set()

    def __len__(self) -> int:
        """Partitions with an offer that is not placed."""
        return len(self._offers)

    def __contains__(self, partition: int) -> bool:
        return partition in self._offers

    def add(self, partition: int, offers: Iterable[PendingOffer]) -> None:
        self._offers.setdefault(partition, deque()).extend(offers)

    def place(self, now_s: float) -> None:
        """Bring to the lanes what they have room for."""
        for partition in list(self._offers):
            offers = self._offers[partition]
            while offers and self._pacing.place(offers[0], now_s):
                offers.popleft()
                self._held_since_s.pop(partition, None)
                if offers:
                    offers[0].since_s = now_s
            if offers:
                self._held_since_s.setdefault(partition, now_s)
            else:
                del self._offers[partition]

    @property
    def waiting(self) -> bool:
        """Whether an offer waits of a partition that is not paused: then a poll would only bring more of it."""
        return any(partition not in self._paused for partition in self._offers)

    def resume_placed(self, halted: Callable[[int], bool]) -> None:
        """Let partitions go on whose offers are all placed, unless they are halted or too much waits elsewhere."""
        if self._overfull:
            return
        placed = [p for p in self._paused if p not in self._offers]
        self._paused.difference_update(placed)
        if going_on := [p for p in placed if not halted(p)]:
            self._resume(going_on)

    def pause_held(self, reading: Iterable[int], now_s: float) -> None:
        """Before a poll: let stand still what has been held too long, or everything if too much waits already."""
        if self._overfull:
            held = list(reading)
        else:
            held = [p for p, since_s in self._held_since_s.items() if now_s - since_s >= POLL_WITHIN_S]
        new = [p for p in held if p not in self._paused]
        if new:
            self._pause(new)
            self._paused.update(new)

    def keep_only(self, ours: Callable[[int], bool]) -> None:
        """Forget what belongs to partitions that were revoked."""
        self._offers = {p: offers for p, offers in self._offers.items() if ours(p)}
        self._held_since_s = {p: since_s for p, since_s in self._held_since_s.items() if p in self._offers}
        self._paused = {p for p in self._paused if ours(p)}

    @property
    def _overfull(self) -> bool:
        return sum(p.offer.size for offers in self._offers.values() for p in offers) >= self._most_records
