"""Order and repetition of one source partition's records in one sink partition.

A lane writes in offset order, so a stretch that goes back has to have a cause: a lane that started again at its cursor,
or a lane that sent again from a record that failed or was refused. Two lanes can be at it at once for a while, the new
one and a zombie; what the sink then holds is two rising sequences, shuffled. So records are dealt to *strands*, each of
which only rises; a record that continues none needs a cause to begin another.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from tailrace.audit.rules import RANK_MASK, offset_of, unit

Offsets = tuple[int, int]
"""Source offsets from the first to the last, both included."""


@dataclass(slots=True)
class Causes:
    """What may have made a lane of this sink send again, for one source partition.

    `restart_cursors` holds each lane start but the first, once. `failed` and `refused` are the offsets of the records
    at which an export failed, or that the sink refused. `elsewhere`: the sink failed on, or refused, a record of
    another source partition; batches hold several, and the ledger names only the record that met the failure.
    `may_drop`: a later lane may have left out what an earlier one sent, so the record it resumed at can be anywhere
    before the one that is met again.
    """

    restart_cursors: Sequence[int] = ()
    failed: Sequence[Offsets] = ()
    refused: Sequence[Offsets] = ()
    elsewhere: bool = False
    may_drop: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """The sink had come to `reached`, and then met `first`."""

    first: int
    reached: int


@dataclass(slots=True)
class Examined:
    """What was found, as units: see `tailrace.audit.rules.unit`.

    `late` came first only after a later one. `late_after_restart` did so too, in what a restarted lane sent: a lane
    that gave them up and crashed before it could say so leaves them to the next.
    """

    repeats: list[int] = field(default_factory=list)
    unexplained: list[int] = field(default_factory=list)
    late: list[int] = field(default_factory=list)
    late_after_restart: list[int] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Strand:
    last: int
    explained: bool
    restarted: bool = False


def examine(units: Sequence[int], causes: Causes) -> Examined:
    """Every repeat, those that nothing explains, every late unit, and every time that the sequence went back."""
    found = Examined()
    again = _SentAgain(sorted(set(units)), causes)
    strands: list[_Strand] = []
    restarts = sorted(causes.restart_cursors)
    seen: set[int] = set()
    frontier = -1
    current: _Strand | None = None
    unexplained = _Strand(-1, explained=False)
    for number in units:
        rising = [strand for strand in strands if strand.last < number]
        if rising:
            current = max(rising, key=lambda strand: strand.last)
            current.last = number
        elif current is None:
            current = _Strand(number, explained=True)
            strands.append(current)
        else:
            stretch = Stretch(number, frontier)
            found.stretches.append(stretch)
            if again.explains(stretch):
                # The same lane: what it was at before is over. Or a restart, where both would explain it.
                current.last = number
                current.restarted = current.restarted or bool(bisect_right(restarts, offset_of(number)))
            elif _use_restart(restarts, offset_of(number)):
                current = _Strand(number, explained=True, restarted=True)
                strands.append(current)
            else:
                current = unexplained
                current.last = number
                if current not in strands:
                    strands.append(current)
        if number in seen:
            found.repeats.append(number)
            if not current.explained:
                found.unexplained.append(number)
        else:
            seen.add(number)
            if number < frontier:
                (found.late_after_restart if current.restarted else found.late).append(number)
        frontier = max(frontier, number)
    return found


def _use_restart(unused: list[int], offset: int) -> bool:
    """Take the latest lane start that fits: an earlier one may be needed to explain going back further."""
    fitting = bisect_right(unused, offset)
    if not fitting:
        return False
    del unused[fitting - 1]
    return True


class _SentAgain:
    """Whether a failure or refusal explains that a lane went back.

    After a failure the lane resumes at the failed record, so in this sink partition at the first one from there on.
    To find a refused record it halves its batch: it resumes before the refused one, whose batch may have arrived as
    far as the sink partition then reached, or right behind it.
    """

    def __init__(self, ordered: Sequence[int], causes: Causes) -> None:
        self._ordered = ordered
        self._causes = causes

    def explains(self, stretch: Stretch) -> bool:
        causes = self._causes
        if causes.elsewhere:
            return True
        first = bisect_left(self._ordered, stretch.first)
        beyond = bisect_right(self._ordered, stretch.reached)
        before = self._ordered[first - 1] if first and not causes.may_drop else -1
        after = self._ordered[beyond] if beyond < len(self._ordered) else 1 << 62
        return any(_resumed_at(place, before, stretch.first) for place, _ in causes.failed) or any(
            unit(last, RANK_MASK) > before and place <= offset_of(after) for place, last in causes.refused
        )


def _resumed_at(failed: int, before: int, first: int) -> bool:
    """Whether `first` is the first unit from the event at `failed` on, `before` being the one before it, or -1."""
    reached = offset_of(first)
    return failed == reached or (failed < reached and (before < 0 or offset_of(before) < failed))
