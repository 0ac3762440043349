"""A line that can lose progress from its middle, with every step O(1) at any length.

Items stand in two lines, each in ticket order, and the tickets say which of two fronts came first. What no rule ever
removes from the middle stands in `_kept`, a deque. Progress, which a rule may remove, stands in `_sheddable`, an
OrderedDict by ticket: the oldest is at its front, and the oldest of one run is found through `_runs`.

    _kept        3 . . 6 7 . . 10        terminal-preserved
    _sheddable   . 4 5 . . 8 9 .         progress; removable at the front or by ticket
    _runs        a: 4 9   b: 5 8         tickets of queued progress, oldest first; only where progress coalesces

One line with holes in it would have to be compacted: behind a stalled sink, progress that coalesces makes holes
without end, and passing over them is a scan.

Tickets rise at the back. What comes back to the front, which is before everything else, gets new ones below all others.
"""

from collections import OrderedDict, deque
from collections.abc import Callable

from tailrace.domain.batch import Batch
from tailrace.domain.load import Load
from tailrace.domain.waiting_line import T, WaitingLine


class SheddingLine(WaitingLine[T]):
    """A line for the policies that drop progress. `coalesces`: one run's oldest progress may leave from the middle."""

    def __init__(self, *, coalesces: bool) -> None:
        self._coalesces = coalesces
        self._kept: deque[tuple[int, T]] = deque()
        self._sheddable: OrderedDict[int, T] = OrderedDict()
        self._runs: dict[str, deque[int]] = {}
        self._next_ticket = 0
        self._next_front_ticket = -1

    def __len__(self) -> int:
        return len(self._kept) + len(self._sheddable)

    def append(self, item: T) -> None:
        ticket = self._next_ticket
        self._next_ticket += 1
        if item.terminal_preserved:
            self._kept.append((ticket, item))
            return
        self._sheddable[ticket] = item
        if self._coalesces:
            self._runs.setdefault(item.run_key, deque()).append(ticket)

    def extend_back(self, load: Load[T]) -> None:
        for item in load.items:
            self.append(item)

    def extend_front(self, batch: Batch[T]) -> None:
        for item in reversed(list(batch)):
            ticket = self._next_front_ticket
            self._next_front_ticket -= 1
            if item.terminal_preserved:
                self._kept.appendleft((ticket, item))
                continue
            self._sheddable[ticket] = item
            self._sheddable.move_to_end(ticket, last=False)
            if self._coalesces:
                self._runs.setdefault(item.run_key, deque()).appendleft(ticket)

    def front(self) -> T | None:
        if self._kept_is_in_front():
            return self._kept[0][1]
        return next(iter(self._sheddable.values())) if self._sheddable else None

    def pop_front(self) -> T:
        if self._kept_is_in_front():
            return self._kept.popleft()[1]
        return self._pop_sheddable(next(iter(self._sheddable)))

    def pop_within(self, max_records: int, max_bytes: int) -> Batch[T]:
        taken: list[T] = []
        size = 0
        while len(taken) < max_records and (front := self.front()) is not None:
            size += front.size_bytes
            if size > max_bytes and taken:
                break
            taken.append(self.pop_front())
        return Batch.of(taken)

    def pop_oldest_progress(self) -> T | None:
        return self._pop_sheddable(next(iter(self._sheddable))) if self._sheddable else None

    def pop_oldest_of_run(self, run_key: str) -> T | None:
        tickets = self._runs.get(run_key)
        return None if tickets is None else self._pop_sheddable(tickets[0])

    def items(self) -> list[T]:
        return [item for _, item in self._in_order()]

    def remove(self, matches: Callable[[T], bool]) -> Batch[T]:
        removed = {ticket: item for ticket, item in self._in_order() if matches(item)}
        if removed:
            # Outside the OrderedDict, a ticket can only be found by passing over all of them.
            self._kept = deque([entry for entry in self._kept if entry[0] not in removed])
            for ticket in removed:
                self._sheddable.pop(ticket, None)
            runs = {key: deque([t for t in tickets if t not in removed]) for key, tickets in self._runs.items()}
            self._runs = {key: tickets for key, tickets in runs.items() if tickets}
        return Batch.of(list(removed.values()))

    def _in_order(self) -> list[tuple[int, T]]:
        return sorted([*self._kept, *self._sheddable.items()], key=_ticket)

    def _kept_is_in_front(self) -> bool:
        return bool(self._kept) and (not self._sheddable or self._kept[0][0] < next(iter(self._sheddable)))

    def _pop_sheddable(self, ticket: int) -> T:
        # It is the oldest of its run: either it was looked up as that, or it is the oldest of all progress, and both
        # lines are in ticket order.
        item = self._sheddable.pop(ticket)
        if self._coalesces:
            tickets = self._runs[item.run_key]
            tickets.popleft()
            if not tickets:
                del self._runs[item.run_key]
        return item


def _ticket(entry: tuple[int, T]) -> int:
    return entry[0]
