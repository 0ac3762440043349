"""A queue that can lose progress from its middle, with every step O(1) at any length.

Entries stand in two lines, each in ticket order, and the tickets say which of two fronts came first. What no rule ever
removes from the middle stands in `_kept`, a deque. Progress that a rule may remove stands in `_sheddable`, an
OrderedDict by ticket: the oldest is at its front, and the oldest of one run is found through `_runs`.

    _kept        3 . . 6 7 . . 10        terminal-preserved; under replay_from_log everything
    _sheddable   . 4 5 . . 8 9 .         progress; removable at the front or by ticket
    _runs        a: 4 9   b: 5 8         tickets of queued progress, oldest first; only where progress coalesces

One line with holes in it would have to be compacted: behind a stalled sink, progress that coalesces makes holes
without end, and passing over them is a scan.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from tailrace.domain.kinds import OverflowPolicy


class Buffered(Protocol):
    """What a buffer has to know of an item. None of it may change while the item is in a buffer."""

    @property
    def terminal_preserved(self) -> bool:
        """Whether overflow may not trade the item for progress."""

    @property
    def run_key(self) -> str:
        """The run whose progress coalesces; read only for progress."""

    @property
    def size_bytes(self) -> int:
        """What the item counts against the byte bound; not negative."""


T = TypeVar("T", bound=Buffered)

Entry = tuple[int, int, bool, T]
"""Ticket (rising in order of admission), size in bytes, whether it is progress, the item. A tuple and no class of its
own: a worker makes several hundred thousand of them a second."""


class WaitingLine(Generic[T]):
    """Entries that wait, in ticket order. The policy decides what may ever leave from the middle."""

    def __init__(self, policy: OverflowPolicy) -> None:
        self._sheds = policy is not OverflowPolicy.REPLAY_FROM_LOG
        self._coalesces = policy is OverflowPolicy.COALESCE_PROGRESS_BY_RUN
        self._kept: deque[Entry[T]] = deque()
        self._sheddable: OrderedDict[int, Entry[T]] = OrderedDict()
        self._runs: dict[str, deque[int]] = {}

    def __len__(self) -> int:
        return len(self._kept) + len(self._sheddable)

    def push_back(self, entry: Entry[T]) -> None:
        """Let an entry wait behind all others; its ticket is higher than theirs."""
        ticket, _, progress, item = entry
        if not (progress and self._sheds):
            self._kept.append(entry)
            return
        self._sheddable[ticket] = entry
        if self._coalesces:
            self._runs.setdefault(item.run_key, deque()).append(ticket)

    def extend_back(self, entries: Sequence[Entry[T]]) -> None:
        """Let all of `entries`, which are in ticket order, wait behind all others."""
        if not self._sheds:
            self._kept.extend(entries)
            return
        for entry in entries:
            self.push_back(entry)

    def push_front(self, entry: Entry[T]) -> None:
        """Let an entry wait before all others; its ticket is lower than theirs."""
        ticket, _, progress, item = entry
        if not (progress and self._sheds):
            self._kept.appendleft(entry)
            return
        self._sheddable[ticket] = entry
        self._sheddable.move_to_end(ticket, last=False)
        if self._coalesces:
            self._runs.setdefault(item.run_key, deque()).appendleft(ticket)

    def front(self) -> Entry[T] | None:
        """The entry that waits longest; None if none waits."""
        kept = self._kept
        if not self._sheddable:
            return kept[0] if kept else None
        oldest = next(iter(self._sheddable.values()))
        return kept[0] if kept and kept[0][0] < oldest[0] else oldest

    def pop_within(self, max_records: int, max_bytes: int) -> list[Entry[T]]:
        """Take out what waits longest, as far as both bounds allow, but at least one entry if any waits."""
        taken: list[Entry[T]] = []
        kept, size = self._kept, 0
        # With one line to look at, which is all there is in most lanes, this loop is four times as fast as the next.
        while kept and not self._sheddable and len(taken) < max_records:
            size += kept[0][1]
            if size > max_bytes and taken:
                return taken
            taken.append(kept.popleft())
        while len(taken) < max_records and (front := self.front()) is not None:
            size += front[1]
            if size > max_bytes and taken:
                return taken
            taken.append(self.pop_front())
        return taken

    def pop_front(self) -> Entry[T]:
        """Take out the entry that waits longest; one must be waiting."""
        if not self._sheddable:
            return self._kept.popleft()
        ticket, oldest = next(iter(self._sheddable.items()))
        if self._kept and self._kept[0][0] < ticket:
            return self._kept.popleft()
        self._forget(ticket, oldest)
        return oldest

    def pop_oldest_progress(self) -> Entry[T] | None:
        """Take out the progress that waits longest; None if none may be removed."""
        if not self._sheddable:
            return None
        ticket, oldest = next(iter(self._sheddable.items()))
        self._forget(ticket, oldest)
        return oldest

    def pop_oldest_of_run(self, run_key: str) -> Entry[T] | None:
        """Take out the progress of this run that waits longest; None if the run has none waiting."""
        tickets = self._runs.get(run_key)
        if tickets is None:
            return None
        oldest = self._sheddable[tickets[0]]
        self._forget(tickets[0], oldest)
        return oldest

    def entries(self) -> list[Entry[T]]:
        """Everything that waits, in order; passes over all of it."""
        if not self._sheddable:
            return list(self._kept)
        return sorted([*self._kept, *self._sheddable.values()], key=_ticket)

    def replace_all(self, entries: Iterable[Entry[T]]) -> None:
        """Let exactly these wait, which are in order; passes over all of them."""
        self._kept.clear()
        self._sheddable.clear()
        self._runs.clear()
        for entry in entries:
            self.push_back(entry)

    def _forget(self, ticket: int, entry: Entry[T]) -> None:
        # It is the oldest of its run: either it was looked up as that, or it is the oldest of all progress, and both
        # lines are in ticket order.
        del self._sheddable[ticket]
        if self._coalesces:
            run_key = entry[3].run_key
            tickets = self._runs[run_key]
            tickets.popleft()
            if not tickets:
                del self._runs[run_key]


def _ticket(entry: Entry[T]) -> int:
    return entry[0]
