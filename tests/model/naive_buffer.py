"""The buffer's rules as plain lists and loops, written from docs/DESIGN.md alone; nothing here is shared with the code.

Slow on purpose: every question is answered by looking at the whole list again.
"""

from collections import Counter
from dataclasses import dataclass, field

DROP, COALESCE, FAIL, REPLAY = (
    "drop_non_terminal_progress",
    "coalesce_progress_by_run",
    "fail_sink_not_run",
    "replay_from_log",
)
POLICIES = (DROP, COALESCE, FAIL, REPLAY)


@dataclass(frozen=True, eq=False)
class Item:
    """Equal only to itself, so that order and identity are compared and not looks."""

    number: int
    terminal_preserved: bool
    run_key: str
    size_bytes: int
    event: int

    def __repr__(self) -> str:
        kind = "T" if self.terminal_preserved else "p"
        return f"{kind}{self.number}:{self.run_key}/{self.size_bytes}b/e{self.event}"


@dataclass
class NaiveBuffer:
    """`items` is everything held, oldest first; the first `out` of them are at the exporter."""

    policy: str
    capacity: int
    reserve: int
    capacity_bytes: int | None
    reserve_bytes: int | None
    branches: Counter[str]
    items: list[Item] = field(default_factory=list)
    out: int = 0

    def has_room(self, item: Item) -> bool:
        progress = [held for held in self.items if not held.terminal_preserved]
        if len(self.items) >= self.capacity:
            return False
        if not item.terminal_preserved and len(progress) >= self.capacity - self.reserve:
            return False
        if self.capacity_bytes is None or self.reserve_bytes is None or not self.items:
            return True
        if sum(held.size_bytes for held in self.items) + item.size_bytes > self.capacity_bytes:
            return False
        share = self.capacity_bytes - self.reserve_bytes
        return item.terminal_preserved or sum(held.size_bytes for held in progress) + item.size_bytes <= share

    def offer(self, item: Item) -> tuple[object, ...]:
        if self.has_room(item):
            self.items.append(item)
            return ("admitted",)
        if self.policy == REPLAY:
            self.branches["B4 replay, terminal" if item.terminal_preserved else "B4 replay, progress"] += 1
            return ("room needed",)
        if item.terminal_preserved:
            return self._offer_terminal(item)
        if self.policy == DROP:
            self.branches["B4 drop"] += 1
            return ("progress dropped",)
        if self.policy == FAIL:
            self.branches["B4 fail"] += 1
            return ("sink failed",)
        return self._offer_coalescing(item)

    def _offer_terminal(self, item: Item) -> tuple[object, ...]:
        gone: list[Item] = []
        while not self.has_room(item):
            waiting = [held for held in self.items[self.out :] if not held.terminal_preserved]
            if not waiting:
                self.branches[f"B3 lost, {'progress gone in vain' if gone else 'nothing to drop'}"] += 1
                return ("terminal lost", tuple(gone))
            self.items.remove(waiting[0])
            gone.append(waiting[0])
        self.items.append(item)
        self.branches[f"B3 admitted, {'one' if len(gone) == 1 else 'several'} dropped"] += 1
        return ("admitted by sacrifice", tuple(gone))

    def _offer_coalescing(self, item: Item) -> tuple[object, ...]:
        same = [h for h in self.items[self.out :] if not h.terminal_preserved and h.run_key == item.run_key]
        removed = same[0] if same else None
        if removed is not None:
            self.items.remove(removed)
        admitted = self.has_room(item)
        if admitted:
            self.items.append(item)
        self.branches[f"B4 coalesce, {'one' if same else 'none'} removed, {'in' if admitted else 'out'}"] += 1
        return ("coalesced", removed, admitted)

    def fits(self, items: list[Item]) -> bool:
        """Whether these have room together; the items of one event alone in the buffer may have any size."""
        together = [*self.items, *items]
        progress = [item for item in together if not item.terminal_preserved]
        brings_progress = any(not item.terminal_preserved for item in items)
        if not items:
            return True
        if len(together) > self.capacity or (brings_progress and len(progress) > self.capacity - self.reserve):
            return False
        if self.capacity_bytes is None or self.reserve_bytes is None:
            return True
        if not self.items and len({item.event for item in items}) == 1:
            return True
        if sum(item.size_bytes for item in together) > self.capacity_bytes:
            return False
        share = self.capacity_bytes - self.reserve_bytes
        return not brings_progress or sum(item.size_bytes for item in progress) <= share

    def admit_all(self, items: list[Item]) -> bool:
        fits = self.fits(items)
        self.branches["all admitted" if fits else "none admitted"] += 1
        if fits:
            self.items.extend(items)
        return fits

    def take(self, max_records: int, max_bytes: int) -> tuple[Item, ...]:
        events: list[list[Item]] = []
        for item in self.items[self.out :]:
            if events and events[-1][-1].event == item.event:
                events[-1].append(item)
            else:
                events.append([item])
        batch: list[Item] = []
        for event in events:
            longer = [*batch, *event]
            if batch and (len(longer) > max_records or sum(item.size_bytes for item in longer) > max_bytes):
                break
            batch = longer
        self.out += len(batch)
        self.branches["batch of one event" if len({i.event for i in batch}) == 1 else "batch of others"] += 1
        return tuple(batch)

    def acknowledge(self, count: int) -> None:
        del self.items[:count]
        self.out -= count

    def give_back(self) -> int:
        returned, self.out = self.out, 0
        self.branches["given back" if returned else "nothing to give back"] += 1
        return returned

    def clear(self, run_key: str) -> tuple[Item, ...]:
        gone = [item for item in self.items[self.out :] if item.run_key == run_key]
        self.items = [item for item in self.items if item not in gone]
        return tuple(gone)
