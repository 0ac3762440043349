"""A sink's state, as one table with its picture; a test holds the two together.

                  ┌─────────────────── c ───────────────────┐
                  │                                         v
    ──> starting ─┼─ a ──> healthy ────────── f ────────> failed
                  │         │   ^ ^                       ^ ^ │
                  b         d   e └── i ── recovered <─ h ┼─┼─┘
                  │         │   │           │ │           │ │
                  │         v   │           j └──── k ────┘ │
                  └──────> catching_up <────┘               │
                               └───────────── g ────────────┘

    each of these five            ── l ──> paused ── m ──> starting
    each of these five and paused ── n ──> stopping ── o ──> stopped

    a  starting -> healthy: started
    b  starting -> catching_up: detached
    c  starting -> failed: export_failed, overflowed
    d  healthy -> catching_up: detached
    e  catching_up -> healthy: caught_up
    f  healthy -> failed: export_failed, overflowed
    g  catching_up -> failed: export_failed, overflowed
    h  failed -> recovered: export_succeeded
    i  recovered -> healthy: recovery_reported
    j  recovered -> catching_up: detached
    k  recovered -> failed: export_failed, overflowed
    l  starting, healthy, catching_up, failed, recovered -> paused: pause
    m  paused -> starting: resume
    n  starting, healthy, catching_up, failed, recovered, paused -> stopping: stop
    o  stopping -> stopped: drained, deadline_passed

A failed sink may be live or catching up underneath: once its recovery is on record, `recovery_reported` says that it is
live, `detached` that it still has to catch up. A signal that means nothing in a state but is no mistake there leaves
the state as it is; one that only a mistake can send raises.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from tailrace.domain.errors import IllegalSignal


class SinkState(StrEnum):
    """What a sink's lane is doing, as logs, metrics and the health topic name it."""

    STARTING = "starting"
    """It loads its cursors and connects; nothing is exported yet."""

    HEALTHY = "healthy"
    """What the intake offers reaches the sink."""

    FAILED = "failed"
    """The last export, or a full buffer under `fail_sink_not_run`, failed; it is probed with backoff."""

    CATCHING_UP = "catching_up"
    """It reads at least one partition from the log, behind the intake."""

    RECOVERED = "recovered"
    """An export succeeded after a failure, and that is not on record yet."""

    PAUSED = "paused"
    """The operator stopped it for a while; its cursor stands still."""

    STOPPING = "stopping"
    """It finishes what is under way, within the deadline of the shutdown."""

    STOPPED = "stopped"
    """Nothing happens any more."""


class Signal(StrEnum):
    """What can happen to a sink."""

    STARTED = "started"
    EXPORT_SUCCEEDED = "export_succeeded"
    EXPORT_FAILED = "export_failed"
    OVERFLOWED = "overflowed"
    DETACHED = "detached"
    CAUGHT_UP = "caught_up"
    RECOVERY_REPORTED = "recovery_reported"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    DRAINED = "drained"
    DEADLINE_PASSED = "deadline_passed"


TRANSITIONS: Mapping[SinkState, Mapping[Signal, SinkState]] = MappingProxyType(
    {
        SinkState.STARTING: {
            Signal.STARTED: SinkState.HEALTHY,
            Signal.DETACHED: SinkState.CATCHING_UP,
            Signal.EXPORT_FAILED: SinkState.FAILED,
            Signal.OVERFLOWED: SinkState.FAILED,  # the intake may fill the buffer before the lane's first look at it
            Signal.PAUSE: SinkState.PAUSED,
            Signal.STOP: SinkState.STOPPING,
        },
        SinkState.HEALTHY: {
            Signal.EXPORT_SUCCEEDED: SinkState.HEALTHY,
            Signal.EXPORT_FAILED: SinkState.FAILED,
            Signal.OVERFLOWED: SinkState.FAILED,
            Signal.DETACHED: SinkState.CATCHING_UP,
            Signal.PAUSE: SinkState.PAUSED,
            Signal.STOP: SinkState.STOPPING,
        },
        SinkState.FAILED: {
            Signal.EXPORT_SUCCEEDED: SinkState.RECOVERED,
            Signal.EXPORT_FAILED: SinkState.FAILED,
            Signal.OVERFLOWED: SinkState.FAILED,
            # Where it stands in the log may change while it is down, and a start may end; only an export proves health.
            Signal.STARTED: SinkState.FAILED,
            Signal.DETACHED: SinkState.FAILED,
            Signal.CAUGHT_UP: SinkState.FAILED,
            Signal.PAUSE: SinkState.PAUSED,
            Signal.STOP: SinkState.STOPPING,
        },
        SinkState.CATCHING_UP: {
            Signal.EXPORT_SUCCEEDED: SinkState.CATCHING_UP,
            Signal.EXPORT_FAILED: SinkState.FAILED,
            Signal.OVERFLOWED: SinkState.FAILED,
            Signal.DETACHED: SinkState.CATCHING_UP,  # one more partition
            Signal.CAUGHT_UP: SinkState.HEALTHY,  # the last partition
            Signal.PAUSE: SinkState.PAUSED,
            Signal.STOP: SinkState.STOPPING,
        },
        SinkState.RECOVERED: {
            Signal.EXPORT_SUCCEEDED: SinkState.RECOVERED,
            Signal.EXPORT_FAILED: SinkState.FAILED,
            Signal.OVERFLOWED: SinkState.FAILED,
            Signal.RECOVERY_REPORTED: SinkState.HEALTHY,
            Signal.DETACHED: SinkState.CATCHING_UP,
            Signal.PAUSE: SinkState.PAUSED,
            Signal.STOP: SinkState.STOPPING,
        },
        SinkState.PAUSED: {
            # What was under way when the operator paused may still end, well or badly.
            Signal.EXPORT_SUCCEEDED: SinkState.PAUSED,
            Signal.EXPORT_FAILED: SinkState.PAUSED,
            Signal.OVERFLOWED: SinkState.PAUSED,
            Signal.DETACHED: SinkState.PAUSED,
            Signal.CAUGHT_UP: SinkState.PAUSED,
            Signal.PAUSE: SinkState.PAUSED,
            Signal.RESUME: SinkState.STARTING,
            Signal.STOP: SinkState.STOPPING,
        },
        SinkState.STOPPING: {
            Signal.EXPORT_SUCCEEDED: SinkState.STOPPING,
            Signal.EXPORT_FAILED: SinkState.STOPPING,
            Signal.OVERFLOWED: SinkState.STOPPING,
            Signal.DETACHED: SinkState.STOPPING,
            Signal.CAUGHT_UP: SinkState.STOPPING,
            Signal.PAUSE: SinkState.STOPPING,  # the operator's word came too late
            Signal.RESUME: SinkState.STOPPING,
            Signal.STOP: SinkState.STOPPING,  # a second SIGTERM
            Signal.DRAINED: SinkState.STOPPED,
            Signal.DEADLINE_PASSED: SinkState.STOPPED,
        },
        SinkState.STOPPED: {},
    }
)


def step(state: SinkState, signal: Signal) -> SinkState:
    """The state that follows; pure, any thread.

    Raises IllegalSignal if the table has no transition for `signal` in `state`: the caller's own bookkeeping is wrong.
    """
    after = TRANSITIONS[state].get(signal)
    if after is None:
        raise IllegalSignal("sink", state, signal)
    return after
