"""A worker whose steps are timed: the processor time each takes on its own thread, without what it calls in turn.

Started by `bench.steps`. Only coarse steps are timed, most of them once per batch, so that the timing itself stays
small beside what is timed; a profiler that hooks every call would blame whatever is made of many small functions.
"""

import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

from tailrace.adapters.kafka_journal import Journal
from tailrace.adapters.kafka_ledger import KafkaLedger
from tailrace.adapters.kafka_log import KafkaLaneLog
from tailrace.adapters.kafka_shipping import Shipper
from tailrace.adapters.kafka_sink import DurableTraceSink
from tailrace.adapters.kafka_source import KafkaEventSource
from tailrace.adapters.logs import StructuredLog, system_now
from tailrace.bootstrap import run_worker
from tailrace.runtime import catch_up, intake
from tailrace.runtime.assignment import Assignment
from tailrace.runtime.cursor_track import CursorTrack
from tailrace.runtime.feed import Feed
from tailrace.runtime.intake import Intake
from tailrace.runtime.lane import Lane
from tailrace.runtime.lane_records import LaneRecords
from tailrace.runtime.pacing import Pacing
from tailrace.settings import load

# Owner, method or function, step. A function is timed where it is called from, in the module that imported it.
STEPS: tuple[tuple[type | ModuleType, str, str], ...] = (
    (Intake, "turn", "cut into offers"),
    (KafkaEventSource, "poll", "consume"),
    (intake, "project_all", "project"),
    (catch_up, "project_all", "project"),
    (Pacing, "place", "offer"),
    (Feed, "offer", "offer"),
    (Assignment, "commit_due", "commit"),
    (Assignment, "begin_loaded", "commit"),
    (Lane, "_turn", "lane's own turn"),
    (Feed, "waiting", "take"),
    (Feed, "take", "take"),
    (DurableTraceSink, "export", "produce"),
    (Shipper, "ship", "produce"),
    (Shipper, "_poll", "await acknowledgement"),
    (Feed, "acknowledge", "acknowledge"),
    (Feed, "give_back", "acknowledge"),
    (Feed, "settle", "settle"),
    (Feed, "cursor_at", "settle"),
    (CursorTrack, "add", "settle"),
    (CursorTrack, "pump", "settle"),
    (KafkaLedger, "submit", "ledger"),
    (LaneRecords, "follow_feed", "ledger"),
    (LaneRecords, "marks_due", "ledger"),
    (Journal, "_write", "ledger"),
    (KafkaLaneLog, "commit", "commit"),
)


class StepClock:
    """Processor time by (thread, step), from the first timed call on. Each thread writes its own cells alone."""

    def __init__(self) -> None:
        self._of_thread = threading.local()
        self._spent_ns: dict[tuple[str, str], int] = defaultdict(int)

    def time(self, owner: type | ModuleType, name: str, step: str) -> None:
        """Replace a method by one that is timed. AttributeError if the class has lost it: mend the table then."""
        plain = owner.__dict__[name] if name in owner.__dict__ else getattr(owner, name)
        timed = self._timed(plain.__func__ if isinstance(plain, staticmethod) else plain, step)
        setattr(owner, name, staticmethod(timed) if isinstance(plain, staticmethod) else timed)

    def _timed(self, plain: Callable[..., Any], step: str) -> Callable[..., Any]:
        now_ns, spent_ns, of_thread = time.thread_time_ns, self._spent_ns, self._of_thread

        @wraps(plain)
        def timed(*arguments: Any, **named: Any) -> Any:
            # What the timed calls inside take is collected in the list's last place, and is theirs, not ours.
            inner_ns: list[int] | None = getattr(of_thread, "inner_ns", None)
            if inner_ns is None:
                inner_ns = of_thread.inner_ns = []
            begun_ns = now_ns()
            inner_ns.append(0)
            try:
                return plain(*arguments, **named)
            finally:
                whole_ns = now_ns() - begun_ns
                spent_ns[threading.current_thread().name, step] += whole_ns - inner_ns.pop()
                if inner_ns:
                    inner_ns[-1] += whole_ns

        return timed

    def spent_s(self) -> list[tuple[str, str, float]]:
        return [(thread, step, ns / 1e9) for (thread, step), ns in sorted(self._spent_ns.items())]


def main() -> None:
    config, result = map(Path, sys.argv[1:])
    clock = StepClock()
    for owner, name, step in STEPS:
        clock.time(owner, name, step)
    settings, _ = load(config, {})
    code = run_worker(settings, StructuredLog("info", "json", sys.stderr, system_now))
    result.write_text(json.dumps(clock.spent_s()), encoding="utf-8")
    raise SystemExit(code)


if __name__ == "__main__":
    main()
