"""Whether a worker's memory comes to rest, judged in stretches in which its lanes do the same.

A lane that is let go reads the log by itself: it gets a reader, with queues that the budget has a line for. Once nobody
else wants the processor it reads more at a time. Either makes memory grow once, and what was taken stays taken.

    MiB
     |                                  let go      intake at the end
     |                                   __|__________/~~~~~~~~~~~~~     judged each: flat from where it has settled
     |   /~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~/                                judged in all: the lines of the readers on top
     |  /
     +------------------------------------------------------------- events through every healthy lane
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

MIB = 2**20

GROWTH_LIMIT_BYTES = 10 * MIB
SETTLED_EVENTS = 200_000
"""Buffers, queues and the allocator's pools have their size by then; a shorter stretch says nothing about growth."""


@dataclass(frozen=True, slots=True)
class Look:
    """The worker at one moment, by its own account and by the system's; `events` are those that its intake has read."""

    at_s: float
    events: int
    rss_bytes: int
    lanes: Mapping[str, Mapping[str, Any]]

    def through(self, sink_ids: Sequence[str]) -> int:
        """Events below the cursors of each of these lanes."""
        cursors: list[int] = [sum(self.lanes[sink_id]["cursors"]) for sink_id in sink_ids]
        return min(self.events, *cursors)

    def behind(self, sink_ids: Sequence[str]) -> frozenset[str]:
        """Which of these lanes read the log by themselves."""
        return frozenset(sink_id for sink_id in sink_ids if self.lanes[sink_id]["catching_up"])


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that has to be true of the run, and what shows whether it is."""

    holds: bool
    text: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """Looks between two changes of what the lanes do. `let_go`: who has read the log by itself so far."""

    let_go: frozenset[str]
    intake_at_end: bool
    looks: Sequence[Look]

    @property
    def called(self) -> str:
        if not self.let_go:
            return "all healthy lanes live"
        return f"{' and '.join(sorted(self.let_go))} let go{', intake at the end' if self.intake_at_end else ''}"


def growth_claims(
    looks: Sequence[Look], sink_ids: Sequence[str], events: int, reader_bytes: Mapping[str, float]
) -> list[Claim]:
    """That the memory of a run over so many `events` rested; `reader_bytes` are the budget's lines, by healthy lane."""
    stretches = list(_stretches(looks, sink_ids, events))
    settled = [_settled(stretch.looks, sink_ids) for stretch in stretches]
    if not any(len(rest) > 1 for rest in settled):
        through = looks[-1].through(sink_ids)
        return [Claim(False, f"no stretch of the {through} events is long enough to judge: {SETTLED_EVENTS} settle it")]
    claims = [
        _limited(stretch.called, rest, GROWTH_LIMIT_BYTES)
        for stretch, rest in zip(stretches, settled, strict=True)
        if len(rest) > 1
    ]
    if let_go := stretches[-1].let_go:
        limit_bytes = GROWTH_LIMIT_BYTES + sum(reader_bytes[sink_id] for sink_id in let_go)
        claims.append(_limited("in all, with the budget's log readers", _settled(looks, sink_ids), limit_bytes))
    return claims


def _stretches(looks: Sequence[Look], sink_ids: Sequence[str], events: int) -> Iterator[Stretch]:
    let_go: frozenset[str] = frozenset()
    states: list[tuple[frozenset[str], bool]] = []
    for look in looks:
        let_go |= look.behind(sink_ids)
        states.append((let_go, bool(let_go) and look.events >= events))
    for (so_far, at_end), group in groupby(zip(states, looks, strict=True), key=lambda pair: pair[0]):
        yield Stretch(so_far, at_end, [look for _, look in group])


def _settled(looks: Sequence[Look], sink_ids: Sequence[str]) -> list[Look]:
    since = looks[0].through(sink_ids)
    return [look for look in looks if look.through(sink_ids) - since >= SETTLED_EVENTS]


def _limited(called: str, looks: Sequence[Look], limit_bytes: float) -> Claim:
    first, highest_bytes = looks[0], max(look.rss_bytes for look in looks)
    growth_bytes = highest_bytes - first.rss_bytes
    return Claim(
        growth_bytes <= limit_bytes,
        f"{called}: {first.rss_bytes / MIB:.1f} MiB when settled, at most {highest_bytes / MIB:.1f} MiB in "
        f"{len(looks)} looks from there: {growth_bytes / MIB:+.1f} MiB, limit {limit_bytes / MIB:.0f}",
    )
