"""The demonstration: the real worker on an embedded broker, with an outage in the middle and a proof at the end."""

from tailrace.demo.scenario import DemoPlan, View, run_demo

__all__ = ["DemoPlan", "View", "run_demo"]
