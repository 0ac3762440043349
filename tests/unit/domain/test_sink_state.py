"""The sink's state machine: one table, its picture, and what it refuses."""

import pytest

from tailrace.domain import sink_state
from tailrace.domain.errors import IllegalSignal
from tailrace.domain.sink_state import TRANSITIONS, Signal, SinkState, step
from tests.unit.state_table import assert_picture_and_table_agree, edges

EDGES = edges(TRANSITIONS)


def test_table_has_a_row_for_every_state() -> None:
    """Every state says what may happen in it, if only that nothing may."""
    assert set(TRANSITIONS) == set(SinkState)


def test_every_state_is_reached_from_starting_and_leads_to_stopped() -> None:
    """No state is dead wood, and none is a trap."""
    reached = {SinkState.STARTING}
    while more := {after for before, _, after in EDGES if before in reached} - reached:
        reached |= more
    assert reached == set(SinkState)
    can_stop = {SinkState.STOPPED}
    while more := {before for before, _, after in EDGES if after in can_stop} - can_stop:
        can_stop |= more
    assert can_stop == set(SinkState)


def test_every_signal_does_something_somewhere() -> None:
    """A signal that only leaves states as they are would be noise."""
    assert {signal for before, signal, after in EDGES if before is not after} == set(Signal)


def test_picture_and_table_say_the_same() -> None:
    """Whoever reads the picture knows the machine."""
    assert_picture_and_table_agree(sink_state, TRANSITIONS, SinkState, Signal)


@pytest.mark.parametrize("state", SinkState)
@pytest.mark.parametrize("signal", Signal)
def test_step_follows_the_table_or_raises(state: SinkState, signal: Signal) -> None:
    """An illegal signal raises with state and signal, and changes nothing."""
    after = TRANSITIONS[state].get(signal)
    if after is not None:
        assert step(state, signal) is after
        return
    with pytest.raises(IllegalSignal) as refusal:
        step(state, signal)
    assert (refusal.value.state, refusal.value.signal) == (state, signal)


def test_nothing_happens_after_stopped() -> None:
    """Stopped is the end: a restart is a new lane."""
    assert TRANSITIONS[SinkState.STOPPED] == {}


def test_only_an_export_ends_a_failure() -> None:
    """Neither a start nor reaching the end of the log proves that a sink takes records."""
    ways_out = {(signal, after) for before, signal, after in EDGES if before is SinkState.FAILED is not after}
    assert ways_out == {
        (Signal.EXPORT_SUCCEEDED, SinkState.RECOVERED),
        (Signal.PAUSE, SinkState.PAUSED),
        (Signal.STOP, SinkState.STOPPING),
    }


def test_recovery_passes_through_recovered_so_that_it_is_put_on_record() -> None:
    """A sink that was failed is never silently healthy."""
    state = SinkState.HEALTHY
    states = [
        state := step(state, signal)
        for signal in (Signal.EXPORT_FAILED, Signal.EXPORT_SUCCEEDED, Signal.RECOVERY_REPORTED)
    ]
    assert states == [SinkState.FAILED, SinkState.RECOVERED, SinkState.HEALTHY]
    assert step(SinkState.RECOVERED, Signal.DETACHED) is SinkState.CATCHING_UP
