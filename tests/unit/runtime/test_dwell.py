"""A partition that fell behind reads the log for a while before it is fed again, and longer each time it flaps."""

import pytest

from tailrace.runtime.dwell import FIRST_DWELL_S, LONGEST_DWELL_S, SPELL_PER_DWELL, Dwell


def flap(dwell: Dwell, now_s: float, spell_s: float) -> float:
    """Rejoin as soon as may be, live for this long, fall behind again; the moment of that."""
    now_s = max(now_s, dwell.rejoin_at_s)
    dwell.rejoined(now_s)
    dwell.fell_behind(now_s + spell_s)
    return now_s + spell_s


def test_a_place_that_never_fell_behind_does_not_wait() -> None:
    """After a restart a lane is live as soon as it has caught up."""
    assert Dwell(0.0).over(0.0)


def test_falling_behind_after_a_long_spell_costs_the_first_dwell() -> None:
    """An outage once a day is no flapping."""
    dwell = Dwell(100.0)
    now_s = 100.0 + SPELL_PER_DWELL * FIRST_DWELL_S
    dwell.fell_behind(now_s)
    assert dwell.length_s == FIRST_DWELL_S
    assert not dwell.over(now_s + FIRST_DWELL_S - 0.001)
    assert dwell.over(now_s + FIRST_DWELL_S)


def test_falling_behind_soon_doubles_the_dwell() -> None:
    """Soon means: before as many dwells as a spell has to last have passed since it was live."""
    dwell = Dwell(100.0)
    now_s = 100.0 + SPELL_PER_DWELL * FIRST_DWELL_S - 0.001
    dwell.fell_behind(now_s)
    assert dwell.length_s == 2 * FIRST_DWELL_S
    assert dwell.rejoin_at_s == now_s + 2 * FIRST_DWELL_S


def test_a_sink_that_is_slower_than_its_neighbours_re_reads_once_a_minute_and_not_once_a_second() -> None:
    """The dwell doubles up to its longest, and there it stays."""
    dwell, now_s, lengths = Dwell(0.0), 0.0, []
    for _ in range(9):
        now_s = flap(dwell, now_s, 0.5)
        lengths.append(dwell.length_s)
    assert lengths == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0]
    assert LONGEST_DWELL_S == 60.0


@pytest.mark.parametrize(("spell_s", "length_s"), [(63.9, 32.0), (64.0, FIRST_DWELL_S)])
def test_what_is_soon_grows_with_the_dwell(spell_s: float, length_s: float) -> None:
    """Only a spell that outlasts the dwell by far shows that the sink has recovered; then all is forgotten."""
    dwell, now_s = Dwell(0.0), 0.0
    for _ in range(4):
        now_s = flap(dwell, now_s, 0.5)
    assert dwell.length_s == 16.0
    flap(dwell, now_s, spell_s)
    assert dwell.length_s == length_s


def test_the_spell_is_counted_from_the_rejoin_and_not_from_the_attachment() -> None:
    """A lane that ran for a week would otherwise never be found flapping."""
    dwell = Dwell(0.0)
    dwell.fell_behind(1_000_000.0)
    dwell.rejoined(1_000_005.0)
    dwell.fell_behind(1_000_006.0)
    assert dwell.length_s == 2 * FIRST_DWELL_S
