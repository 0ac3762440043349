"""What can become of an item that is offered to a buffer: a closed union, to be taken apart with `match`.

Whatever is dropped stands in the outcome or is the offered item itself, so nothing can be lost without a trace.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Admitted:
    """It waits in the buffer, and nothing was lost for it."""


@dataclass(frozen=True, slots=True)
class AdmittedBySacrifice(Generic[T]):
    """It is terminal-preserved and waits in the buffer; this progress, oldest first, was dropped to make room."""

    sacrificed: tuple[T, ...]


@dataclass(frozen=True, slots=True)
class TerminalLost(Generic[T]):
    """It is terminal-preserved and is dropped all the same: no progress was left to sacrifice, and still no room.

    `sacrificed` is the progress that was dropped in vain: possible only where items have sizes.
    """

    sacrificed: tuple[T, ...]


@dataclass(frozen=True, slots=True)
class ProgressDropped:
    """It is progress and is dropped, under `drop_non_terminal_progress`."""


@dataclass(frozen=True, slots=True)
class Coalesced(Generic[T]):
    """It is progress, under `coalesce_progress_by_run`: the oldest queued progress of its run, if any, was dropped.

    It waits in the buffer if `admitted`, otherwise it is dropped too.
    """

    removed: T | None
    admitted: bool


@dataclass(frozen=True, slots=True)
class SinkMarkedFailed:
    """It is progress and is dropped, under `fail_sink_not_run`: the caller marks the sink failed, never the run."""


@dataclass(frozen=True, slots=True)
class RoomNeeded:
    """There is no room under `replay_from_log`; nothing changed, and the caller detaches and reads the log later."""


OfferOutcome = (
    Admitted | AdmittedBySacrifice[T] | TerminalLost[T] | ProgressDropped | Coalesced[T] | SinkMarkedFailed | RoomNeeded
)


def dropped_by(outcome: OfferOutcome[T], offered: T) -> tuple[T, ...]:
    """Everything that is lost because `offered` met this outcome, in the order in which it was dropped."""
    match outcome:
        case Admitted() | RoomNeeded():
            return ()
        case AdmittedBySacrifice(sacrificed=sacrificed):
            return sacrificed
        case TerminalLost(sacrificed=sacrificed):
            return (*sacrificed, offered)
        case ProgressDropped() | SinkMarkedFailed():
            return (offered,)
        case Coalesced(removed=removed, admitted=admitted):
            return (() if removed is None else (removed,)) + (() if admitted else (offered,))
