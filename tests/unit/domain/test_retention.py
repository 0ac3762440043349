"""Retention windows: docs/PRIVACY.md, Retention."""

import pytest

from tailrace.domain.errors import InvalidField
from tailrace.domain.privacy import RetentionClass
from tailrace.domain.retention import CLOCK_TOLERANCE_US, RetentionWindows, is_open

AT_US = 1_750_000_000_000_000
HOUR_US = 3_600_000_000
WINDOWS = RetentionWindows({RetentionClass.RUN_SCOPED: 3_600, RetentionClass.DURABLE: 86_400})


@pytest.mark.parametrize(
    ("now_us", "active"),
    [
        (AT_US, True),
        (AT_US + HOUR_US - 1, True),
        (AT_US + HOUR_US, False),
        (AT_US + 100 * HOUR_US, False),
        (AT_US - CLOCK_TOLERANCE_US, True),
        (AT_US - CLOCK_TOLERANCE_US - 1, False),
    ],
)
def test_window_at_its_edges(now_us: int, active: bool) -> None:
    """Open up to the last microsecond; closed also for an event dated further ahead than clocks differ."""
    assert WINDOWS.is_active(RetentionClass.RUN_SCOPED, AT_US, now_us) == active


@pytest.mark.parametrize("retention", RetentionClass)
def test_class_without_a_window_is_closed(retention: RetentionClass) -> None:
    """What nobody configured keeps no content, not even that of this microsecond."""
    assert RetentionWindows().closes_at_us(retention, AT_US) is None
    assert not RetentionWindows().is_active(retention, AT_US, AT_US)
    named = retention in (RetentionClass.RUN_SCOPED, RetentionClass.DURABLE)
    assert WINDOWS.is_active(retention, AT_US, AT_US) == named


def test_each_class_has_its_own_window() -> None:
    """A durable fact outlives the window of a run."""
    assert not WINDOWS.is_active(RetentionClass.RUN_SCOPED, AT_US, AT_US + 2 * HOUR_US)
    assert WINDOWS.is_active(RetentionClass.DURABLE, AT_US, AT_US + 2 * HOUR_US)


def test_closing_time_found_earlier_answers_the_same() -> None:
    """A record that waited asks its own closing time and gets what the windows would say."""
    closes_at_us = WINDOWS.closes_at_us(RetentionClass.RUN_SCOPED, AT_US)
    for now_us in range(AT_US - 2 * CLOCK_TOLERANCE_US, AT_US + 2 * HOUR_US, HOUR_US // 7):
        active = WINDOWS.is_active(RetentionClass.RUN_SCOPED, AT_US, now_us)
        assert is_open(closes_at_us, AT_US, now_us) == active
    assert not is_open(None, AT_US, AT_US)


@pytest.mark.parametrize("window_s", [0, -1])
def test_window_of_nothing_is_refused(window_s: int) -> None:
    """Closed is said by leaving the class out."""
    with pytest.raises(InvalidField) as refused:
        RetentionWindows({RetentionClass.EPHEMERAL: window_s})
    assert refused.value.field == "windows_s"


def test_windows_do_not_follow_the_mapping_they_were_made_from() -> None:
    """A policy in force does not change because somebody kept the dictionary."""
    windows_s = {RetentionClass.EPHEMERAL: 60}
    windows = RetentionWindows(windows_s)
    windows_s[RetentionClass.PERSISTENT] = 60
    assert not windows.is_active(RetentionClass.PERSISTENT, AT_US, AT_US)
