r"""What live lanes keep of their throughput beside a lane that catches up: both states in turn, within one run.

Two runs after each other differ by what the machine has done meanwhile, up to a half here. In one run neighbouring
periods are seconds apart, and otherwise alike. The late lane is held back by a rule of the broker, which lets nobody
write to its topic: then an export fails, the lane waits, tries again, less and less often, and reads nothing. Broker
and worker are awake in both states.

    |  start  |  alone  |  beside  |  beside  |  alone  |  …  until the live lanes have everything
                   ----      ----       ----       ----       measured of each, once the worker says the state is there
               \______ a pair ____/ \_____ a pair _____/     each state comes first as often
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Protocol

from confluent_kafka import KafkaException

from bench.backlog import Mix
from bench.child import Child
from bench.closed_topic import close_topic, open_topic
from bench.cluster import processor_of
from bench.configuration import sink_ids
from bench.contestants import TAILRACE, Course
from bench.results import Refusal, Result, Row, provenance
from bench.stretches import append_times_s
from bench.topics import end_of, records_in, set_cursors, wait_for_records
from bench.track import DRAIN_TIMEOUT_S, START_TIMEOUT_S, RunRefusedError, Track
from bench.turns import SEED, Setting
from tailrace.settings.checks import DEAD_LETTER_LANE_ID

ALONE = "alone"
BESIDE = "beside a lane that catches up"
STATES = (ALONE, BESIDE)

LATE_LANE = {"catch_up_max_events_per_s": 50_000}
"""Five times the default, which can only cost the live lanes more: what has to protect them is the share of a busy
worker's time that re-reading gets. Once they have nothing to do, a million events are caught up in a minute."""

LATE_RECORDS_ALONE = 0.05
"""Of what the late lane has in a period beside the others: more than that while it is held back cannot be."""

STATE_TIMEOUT_S = 30.0
"""A lane that is let go tries again within five seconds, on a busy machine."""

FEWER_ATTEMPTS_S = 2.0
"""A lane whose exports fail tries again at 0.1, 0.3, 0.7 and 1.5 s on average; from then on about once in two seconds,
which takes less than a hundredth of the worker's time."""

SETTLE_SHARE = 0.15
"""Of a period, after a change of state: what was under way or waiting then is done."""


@dataclass(frozen=True, slots=True)
class Period:
    """In which state the late lane was, from when to when in seconds since the epoch, and what the broker used then."""

    state: str
    begun_s: float
    ended_s: float
    broker_s: float | None = None


class Held(Protocol):
    """A late lane that is held back and let go; either is so when the call returns."""

    def hold(self) -> None: ...

    def let_go(self) -> None: ...


class LateLane:
    """Lets nobody write to one sink's topic, or everybody, and waits until its worker says that it noticed."""

    def __init__(self, child: Child, bootstrap: str, sink_id: str, topic: str) -> None:
        self._child = child
        self._bootstrap = bootstrap
        self._sink_id = sink_id
        self._topic = topic
        self._times_held = 0

    def hold(self) -> None:
        self._times_held += 1
        close_topic(self._bootstrap, self._topic)
        self._noticed("sink failed")
        time.sleep(FEWER_ATTEMPTS_S)

    def let_go(self) -> None:
        open_topic(self._bootstrap, self._topic)
        self._noticed("sink recovered")

    def _noticed(self, event: str) -> None:
        """Raises RunRefusedError if another sink says so, too: then it is not the late one alone that was held."""
        lines = self._child.wait_for(event, STATE_TIMEOUT_S, self._times_held)
        if any(line.fields["sink"] != self._sink_id for line in lines):
            raise RunRefusedError(f"a live sink, too: {event}")


def catch_up(setting: Setting) -> Result:
    """Two live lanes with all they can take, and one that reads a backlog from the log; every pair is a turn."""
    made = provenance()
    events = setting.size.events
    backlog, live, period_s = events["catch-up backlog"], events["catch-up live"], events["catch-up period ms"] / 1_000
    track = Track(setting.kafka, setting.folder, Mix(one_record_each=True), backlog, SEED)
    boundary = end_of(setting.kafka.bootstrap, track.events_topic)
    track.fill(Mix(one_record_each=True), live, SEED + 1)
    turns: list[list[Row]] = []
    refusals: list[Refusal] = []
    broker_s = processor_of(setting.kafka)
    for run in range(setting.turns):
        label = f"catch-up {run + 1}/{setting.turns}"
        try:
            measured = partial(_periods, states_in_turn=states(run), period_s=period_s, broker_s=broker_s)
            pairs = _run(track, boundary, live, measured)
        except (RunRefusedError, SystemExit, KafkaException) as refusal:
            refusals.append(Refusal(TAILRACE.name, "", str(refusal)))
            print(f"{label}: does not count: {refusal}", flush=True)
            continue
        turns += pairs
        told = [(row.variant, row.figures["healthy_events_per_s"]) for pair in pairs for row in pair]
        print(f"{label}: " + ", ".join(f"{pace:,.0f} {state}" for state, pace in told), flush=True)
    track.close()
    parameters = {
        "rows": [[TAILRACE.name, ALONE], [TAILRACE.name, BESIDE]],
        "turns": len(turns),
        "seed": SEED,
        "backlogs": [track.described()],
        "backlog_events": backlog,
        "live_events": live,
    }
    return Result("catch-up", setting.size.name, parameters, made, turns, refusals)


def _run(
    track: Track,
    boundary: Mapping[int, int],
    live_events: int,
    measured: Callable[[Held, Callable[[], bool]], list[Period]],
) -> list[list[Row]]:
    """The first two lanes start at the boundary, the third at the log's start. Raises RunRefusedError."""
    lanes = sink_ids(3)
    course = track.course(lanes, {lanes[-1]: LATE_LANE})
    *healthy, behind = course.sink_topics
    try:
        for lane in (*lanes[:-1], DEAD_LETTER_LANE_ID):
            set_cursors(course.bootstrap, course.settings.cursor_group(lane), course.names.events, boundary)
        with track.started(TAILRACE, course) as child:
            child.wait_for(TAILRACE.begins, START_TIMEOUT_S)
            wait_for_records(child, course.bootstrap, dict.fromkeys(course.sink_topics, 1), START_TIMEOUT_S)
            late = LateLane(child, course.bootstrap, lanes[-1], behind)
            try:
                periods = measured(late, lambda: _all_there(child, course, healthy, live_events))
            finally:
                # Whoever may not write to a topic may not remove it either.
                open_topic(course.bootstrap, behind)
            found_late = records_in(course.bootstrap, behind)
            if found_late >= course.records - live_events:
                raise RunRefusedError("the late lane was done before the others: its backlog is too small for this run")
            # A live lane that was let go meanwhile may come to the end after the late one.
            everything = {behind: course.records, **dict.fromkeys(healthy, live_events)}
            wait_for_records(child, course.bootstrap, everything, DRAIN_TIMEOUT_S)
            track.ended(TAILRACE, child)
        track.judge(TAILRACE, course, from_offsets=dict.fromkeys(healthy, boundary))
        written = [append_times_s(course.bootstrap, topic) for topic in healthy]
        caught_up = append_times_s(course.bootstrap, behind)
    finally:
        track.remove(course)
    rows = [Row(TAILRACE.name, p.state, figures_of(p, child.cpu_at_s, written, caught_up)) for p in periods]
    if not rows:
        raise RunRefusedError("the live lanes had everything before a pair of periods was over")
    _judge_states(rows)
    return [rows[first : first + 2] for first in range(0, len(rows), 2)]


def _judge_states(rows: Sequence[Row]) -> None:
    """Raises RunRefusedError unless the late lane got on in every period beside the others, and in no other."""
    paces = {state: [row.figures["late_lane_events_per_s"] for row in rows if row.variant == state] for state in STATES}
    if min(paces[BESIDE]) == 0 or max(paces[ALONE]) > LATE_RECORDS_ALONE * max(paces[BESIDE]):
        raise RunRefusedError(f"the late lane was not what the periods say: {paces}")


def _all_there(child: Child, course: Course, healthy: Sequence[str], live_events: int) -> bool:
    child.must_run()
    return any(records_in(course.bootstrap, topic) >= live_events for topic in healthy)


def _periods(
    late: Held,
    done: Callable[[], bool],
    *,
    states_in_turn: Iterable[str],
    period_s: float,
    broker_s: Callable[[], float] | None,
) -> list[Period]:
    """Whole pairs of periods, each of which was over before the live lanes had everything. The late lane is let go
    before this returns."""
    periods: list[Period] = []
    held = False
    for state in states_in_turn:
        if (state == ALONE) != held:
            late.let_go() if held else late.hold()
            held = not held
        time.sleep(SETTLE_SHARE * period_s)
        begun_s, used_s = time.time(), broker_s() if broker_s else None
        time.sleep(period_s)
        ended_s = time.time()
        spent_s = broker_s() - used_s if broker_s and used_s is not None else None
        if done():
            break
        periods.append(Period(state, begun_s, ended_s, spent_s))
    if held:
        late.let_go()
    return periods[: len(periods) // 2 * 2]


def states(run: int) -> Iterator[str]:
    """In pairs, each of which begins as the one before ended; every other run begins the other way."""
    for pair in count(run):
        yield from STATES if pair % 2 == 0 else reversed(STATES)


def figures_of(
    period: Period,
    cpu_at_s: Callable[[float], tuple[float, float]],
    written: Sequence[Sequence[float]],
    caught_up: Sequence[float],
) -> dict[str, float]:
    """Of the records written in this period: the mean of the live lanes, and the late one. Times in order."""
    took_s = period.ended_s - period.begun_s
    live = sum(_between(times, period) for times in written) / len(written)
    spent_s = cpu_at_s(period.ended_s)[0] - cpu_at_s(period.begun_s)[0]
    broker = {} if period.broker_s is None else {"broker_cores": period.broker_s / took_s}
    return {
        "healthy_events_per_s": live / took_s,
        "late_lane_events_per_s": _between(caught_up, period) / took_s,
        "cpu_us_per_event": spent_s / max(1.0, live) * 1e6,
        "worker_cores": spent_s / took_s,
        **broker,
    }


def _between(times: Sequence[float], period: Period) -> int:
    return bisect_left(times, period.ended_s) - bisect_left(times, period.begun_s)
