"""How long after an event its content may still leave, by retention class; asked again at every export."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from tailrace.domain.errors import InvalidField
from tailrace.domain.privacy import RetentionClass

CLOCK_TOLERANCE_US: Final = 5 * 60 * 1_000_000
"""How far ahead of our clock an event may be dated. Clocks kept by NTP differ by milliseconds; five minutes is what
Kerberos allows. Further ahead, the date is wrong, and a window reckoned from it would close too late."""

_US_PER_S = 1_000_000


@dataclass(frozen=True, slots=True)
class RetentionWindows:
    """How many seconds each class keeps its content open for export; a class that is not named keeps it not at all.

    Every window is above zero. There is none without an end: a long one is a decision, a missing end an oversight.
    """

    windows_s: Mapping[RetentionClass, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if any(window_s <= 0 for window_s in self.windows_s.values()):
            raise InvalidField("windows_s", "must be above zero")
        object.__setattr__(self, "windows_s", MappingProxyType(dict(self.windows_s)))

    def closes_at_us(self, retention: RetentionClass, event_time_us: int) -> int | None:
        """The first microsecond since 1970-01-01T00:00:00Z at which content of this event may leave no more.

        None if its class has no window: then there is no moment at which it may.
        """
        window_s = self.windows_s.get(retention)
        return None if window_s is None else event_time_us + window_s * _US_PER_S

    def is_active(self, retention: RetentionClass, event_time_us: int, now_us: int) -> bool:
        """Whether content of this event may leave at `now_us`.

        Not if its class has no window, if the window is over, or if the event is dated more than five minutes ahead.
        Both times are microseconds since 1970-01-01T00:00:00Z. Pure; any thread.
        """
        closes_at_us = self.closes_at_us(retention, event_time_us)
        return is_open(closes_at_us, event_time_us, now_us)


def is_open(closes_at_us: int | None, event_time_us: int, now_us: int) -> bool:
    """The same for a closing time found earlier, such as that of a record that waited in a buffer."""
    return closes_at_us is not None and event_time_us - CLOCK_TOLERANCE_US <= now_us < closes_at_us
