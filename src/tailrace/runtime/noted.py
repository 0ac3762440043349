"""How far the intake is on a partition: where its reader stands, and where the last event it read ended."""

from dataclasses import dataclass

from tailrace.runtime.offers import Offer


@dataclass(frozen=True, slots=True)
class Noted:
    """Both ends, because between them lie markers of transactions, of which a reader learns at any time or never.

    A lane that has read every event the intake has may therefore stand anywhere from `events_end` to `position`; had it
    to reach `position`, it would read the log until the next event comes, which may be tomorrow.
    """

    position: int
    events_end: int

    @classmethod
    def at(cls, offset: int) -> "Noted":
        """The intake begins here: of what lies before, it knows nothing."""
        return cls(offset, offset)

    def after(self, offer: Offer) -> "Noted":
        """The intake has read `offer`, which begins where it stood."""
        events_end = offer.events_end
        return Noted(offer.to_offset, self.events_end if events_end is None else events_end)
