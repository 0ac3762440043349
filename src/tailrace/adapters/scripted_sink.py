"""The `test` sink: goes nowhere, and does what its script says; for rehearsing outages without breaking anything."""

from collections.abc import Sequence

from tailrace.domain.kinds import FailureKind
from tailrace.domain.projected import LaneItem
from tailrace.runtime.clock import Deadline
from tailrace.runtime.ports import Interrupt
from tailrace.runtime.sink_port import Accepted, ExportOutcome, Refused, Retriable


class ScriptedSink:
    """Plays one step per export: `accept`, `refuse`, `retry`, or `retry:SECONDS`. One thread.

    At the script's end it begins again if `repeat` is set, else it accepts. A refusal names the first record alone.
    """

    def __init__(self, script: Sequence[str], *, repeat: bool) -> None:
        self._script = tuple(script)
        self._repeat = repeat
        self._played = 0

    def export(self, batch: Sequence[LaneItem], interrupt: Interrupt) -> ExportOutcome:
        del batch, interrupt  # every step is over at once
        step, _, delay = self._next().partition(":")
        match step:
            case "refuse":
                return Refused(0, 1, FailureKind.EXPORT_REJECTED, "scripted_refusal")
            case "retry":
                return Retriable(0, FailureKind.SINK_UNAVAILABLE, "scripted_outage", float(delay) if delay else None)
            case _:
                return Accepted()

    def _next(self) -> str:
        if not self._script or (self._played >= len(self._script) and not self._repeat):
            return "accept"
        step = self._script[self._played % len(self._script)]
        self._played += 1
        return step

    def tend(self) -> None:
        """Nothing says anything here."""

    def abandon(self) -> None:
        """Nothing is ever on its way."""

    def close(self, deadline: Deadline) -> None:
        del deadline
