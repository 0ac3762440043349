r"""Whether a worker's memory comes to rest, judged in stretches in which its lanes do the same.

A lane that is let go reads the log by itself: it gets a reader, with queues of its own, and gives them back when it is
live again. While the intake reads, too, it gets on slowly; then as fast as its configuration lets it, and reads more at
a time. Each of these makes memory rise once.

    MiB                              let go     intake at the end
     |                                  ________/~~~~~~~~~~~~~~~~\       each stretch: flat once it has settled
     |   /~~~~~~~~~~~~~~~~~~~~~~~~~~~~~/                          \___    all of it: a reader's size on top
     |  /
     +------------------------------------------------------------- time
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Any

MIB = 2**20

GROWTH_LIMIT_BYTES = 10 * MIB
SETTLED_EVENTS = 200_000
"""Buffers, queues and the allocator's pools have their size by then; a shorter stretch says nothing about growth."""

READER_BYTES = 25 * MIB
"""What a lane may take that was let go. Measured: 20 to 22, a reader and what it reads as records. With batches that
only the collector freed it was 36, and with responses of 4 MiB instead of 1 as well 46 to 56."""


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
        return min(cursors)

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
    """Looks between two changes of what the lanes do, and those of them that it had settled by."""

    behind: frozenset[str]
    intake_at_end: bool
    looks: Sequence[Look]
    settled: Sequence[Look]

    @property
    def judged(self) -> bool:
        return len(self.settled) > 1

    @property
    def called(self) -> str:
        if not self.behind:
            return "all healthy lanes live"
        return f"{' and '.join(sorted(self.behind))} let go{', intake at the end' if self.intake_at_end else ''}"


def stretches(looks: Sequence[Look], sink_ids: Sequence[str], events: int) -> list[Stretch]:
    """The stretches of a run over so many `events`, in their order; `sink_ids` are the healthy lanes."""
    return [
        Stretch(behind, at_end, stretch, _settled(stretch, sink_ids))
        for (behind, at_end), stretch in _grouped(looks, sink_ids, events)
    ]


def growth_claims(run: Sequence[Stretch]) -> list[Claim]:
    """That memory rested in every stretch long enough for that, and in all grew by what lanes let go may take."""
    first = next((stretch for stretch in run if stretch.judged), None)
    if first is None:
        return [Claim(False, f"nothing is long enough to judge growth: {SETTLED_EVENTS} events settle a stretch")]
    claims = [_rest_claim(stretch) for stretch in run if stretch.judged]
    if let_go := frozenset[str]().union(*(stretch.behind for stretch in run)):
        looks = [look for stretch in run for look in stretch.looks if look.at_s >= first.settled[0].at_s]
        too_short = [stretch for stretch in run if not stretch.judged]
        # Who is behind already where the comparison begins has its reader by then.
        limit_bytes = GROWTH_LIMIT_BYTES + len(let_go - first.behind) * READER_BYTES
        claims.append(_whole_claim(looks, let_go, limit_bytes, too_short))
    return claims


def _grouped(
    looks: Sequence[Look], sink_ids: Sequence[str], events: int
) -> Iterator[tuple[tuple[frozenset[str], bool], list[Look]]]:
    def state(look: Look) -> tuple[frozenset[str], bool]:
        behind = look.behind(sink_ids)
        return behind, bool(behind) and look.events >= events

    for lanes, stretch in groupby(looks, state):
        yield lanes, list(stretch)


def _settled(looks: Sequence[Look], sink_ids: Sequence[str]) -> list[Look]:
    """Whichever has got further counts: beside a busy intake a lane let go has a hundredth of its pace."""
    first, through = looks[0], looks[0].through(sink_ids)
    return [
        look for look in looks if max(look.events - first.events, look.through(sink_ids) - through) >= SETTLED_EVENTS
    ]


def _rise_bytes(looks: Sequence[Look]) -> int:
    """The greatest rise over any look before: memory that was given back is no room to grow into."""
    sizes = [look.rss_bytes for look in looks]
    return max(size - least for size, least in zip(sizes, accumulate(sizes, min), strict=True))


def _rest_claim(stretch: Stretch) -> Claim:
    sizes, rise_bytes = [look.rss_bytes for look in stretch.settled], _rise_bytes(stretch.settled)
    return Claim(
        rise_bytes <= GROWTH_LIMIT_BYTES,
        f"{stretch.called}: {sizes[0] / MIB:.1f} MiB when settled, at most {max(sizes) / MIB:.1f} MiB in {len(sizes)} "
        f"looks from there: rose by {rise_bytes / MIB:.1f} MiB, limit {GROWTH_LIMIT_BYTES / MIB:.0f}",
    )


def _whole_claim(
    looks: Sequence[Look], let_go: frozenset[str], limit_bytes: int, too_short: Sequence[Stretch]
) -> Claim:
    rise_bytes = _rise_bytes(looks)
    unjudged = ", ".join(f"{stretch.called} ({len(stretch.looks)} looks)" for stretch in too_short)
    return Claim(
        rise_bytes <= limit_bytes,
        f"in all, with {' and '.join(sorted(let_go))} let go: rose by {rise_bytes / MIB:.1f} MiB, limit "
        f"{limit_bytes / MIB:.0f}{f'; too short to judge alone: {unjudged}' if unjudged else ''}",
    )
