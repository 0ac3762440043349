"""How long a partition that fell behind reads the log before it may be fed again, so that it does not flap."""

from dataclasses import dataclass

FIRST_DWELL_S = 1.0
"""How long a place that fell behind reads the log at least before it rejoins; shorter flaps on every hiccup."""

LONGEST_DWELL_S = 60.0
"""The dwell doubles with each detach that follows soon on a rejoin, up to this: a sink that is simply slower than its
neighbours then re-reads its clipped buffer once a minute, not once a second."""

SPELL_PER_DWELL = 4.0
"""A live spell shorter than this many dwells counts as 'soon'."""


@dataclass(slots=True)
class Dwell:
    """The hysteresis of one partition, in monotonic seconds. Guarded by the feed's lock."""

    live_since_s: float
    rejoin_at_s: float = 0.0
    length_s: float = FIRST_DWELL_S

    def fell_behind(self, now_s: float) -> None:
        soon = now_s - self.live_since_s < SPELL_PER_DWELL * self.length_s
        self.length_s = min(2 * self.length_s, LONGEST_DWELL_S) if soon else FIRST_DWELL_S
        self.rejoin_at_s = now_s + self.length_s

    def over(self, now_s: float) -> bool:
        return now_s >= self.rejoin_at_s

    def rejoined(self, now_s: float) -> None:
        self.live_since_s = now_s
