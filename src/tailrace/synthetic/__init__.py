"""Seeded, realistic agent events for demos, tests and measurements: the same seed gives the same bytes everywhere."""

from tailrace.synthetic.events import POISONS, SyntheticEvent, SyntheticEvents

__all__ = ["POISONS", "SyntheticEvent", "SyntheticEvents"]
