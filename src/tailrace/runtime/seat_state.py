"""The state of a seat, one of the places of `tailrace run --workers N`, as one table with its picture.

                 ┌───────── b ────────┐
                 v                    │
    ──> empty ───┴──── a ────────> working ─── e ──> draining ─── g ──> killed
          │ │                         │                 │                 │
          │ └── c ──> given_up <─ c ──┘                 f                 f
          │                                             │                 │
          └─────────────────── d ──────────> closed <───┴─────────────────┘

    a  empty -> working: started
    b  working -> empty: ended
    c  empty, working -> given_up: hopeless
    d  empty -> closed: stop
    e  working -> draining: stop
    f  draining, killed -> closed: ended
    g  draining -> killed: deadline_passed

A test holds picture and table together. At most one process sits in a seat; nobody does in `empty`, `given_up` and
`closed`, and out of the last two no way leads.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from tailrace.domain.errors import IllegalSignal


class SeatState(StrEnum):
    """What is to be expected of a seat."""

    EMPTY = "empty"
    """No process; the next one is started when its time has come."""

    WORKING = "working"
    """A process works."""

    DRAINING = "draining"
    """The process was asked to end, and has until the deadline."""

    KILLED = "killed"
    """The process did not end in time; what is awaited is only that the system takes it away."""

    GIVEN_UP = "given_up"
    """Its processes ended too often or for a reason that lasts; the other seats go on."""

    CLOSED = "closed"
    """Stopped."""


class SeatSignal(StrEnum):
    """What can happen to a seat."""

    STARTED = "started"
    ENDED = "ended"
    HOPELESS = "hopeless"
    STOP = "stop"
    DEADLINE_PASSED = "deadline_passed"


SEAT_TRANSITIONS: Mapping[SeatState, Mapping[SeatSignal, SeatState]] = MappingProxyType(
    {
        SeatState.EMPTY: {
            SeatSignal.STARTED: SeatState.WORKING,
            SeatSignal.HOPELESS: SeatState.GIVEN_UP,
            SeatSignal.STOP: SeatState.CLOSED,
        },
        SeatState.WORKING: {
            SeatSignal.ENDED: SeatState.EMPTY,
            SeatSignal.HOPELESS: SeatState.GIVEN_UP,
            SeatSignal.STOP: SeatState.DRAINING,
        },
        SeatState.DRAINING: {
            SeatSignal.ENDED: SeatState.CLOSED,
            SeatSignal.DEADLINE_PASSED: SeatState.KILLED,
        },
        SeatState.KILLED: {
            SeatSignal.ENDED: SeatState.CLOSED,
        },
        SeatState.GIVEN_UP: {
            SeatSignal.STOP: SeatState.GIVEN_UP,
        },
        SeatState.CLOSED: {},
    }
)


def seat_step(state: SeatState, signal: SeatSignal) -> SeatState:
    """The state that follows; pure.

    Raises IllegalSignal if the table has no transition for `signal` in `state`: the caller's own bookkeeping is wrong.
    """
    after = SEAT_TRANSITIONS[state].get(signal)
    if after is None:
        raise IllegalSignal("seat", state, signal)
    return after
