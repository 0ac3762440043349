r"""What live lanes keep of their throughput beside a lane that catches up: both states in turn, within one run.

Two runs after each other differ by what the machine has done meanwhile, up to a half here. In one run neighbouring
periods are seconds apart, and otherwise alike. The late lane writes to a broker of its own, which is frozen and woken
again: while it is frozen the lane waits for an answer, reads nothing and uses nothing. What that broker itself uses of
the machine while it is awake counts against the lane.

    |  start  |  alone  |  beside  |  beside  |  alone  |  …  until the live lanes have everything
                   ----      ----       ----       ----       measured of each
               \______ a pair ____/ \_____ a pair _____/     each state comes first as often
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

from confluent_kafka import KafkaException

from bench.backlog import Mix
from bench.child import Child
from bench.cluster import JVM
from bench.configuration import sink_ids
from bench.contestants import TAILRACE, Course
from bench.results import Refusal, Result, Row, provenance
from bench.stretches import append_times_s
from bench.topics import end_of, records_in, set_cursors, wait_for_records
from bench.track import DRAIN_TIMEOUT_S, START_TIMEOUT_S, RunRefusedError, Track
from bench.turns import SEED, Setting
from tailrace.settings.checks import DEAD_LETTER_LANE_ID
from tests.kafka.broker import KafkaBroker

ALONE = "alone"
BESIDE = "beside a lane that catches up"
STATES = (ALONE, BESIDE)

LATE_BROKER = {"broker.session.timeout.ms": "60000"}
"""The tests' broker would fence itself, after five seconds in which it was frozen, and be of no use for a moment."""

LATE_RECORDS_ALONE = 0.05
"""Of what the late lane has in a period beside the others: more than that while its broker is frozen cannot be."""

SETTLE_SHARE = 0.15
"""Of a period, after a change of state: what was under way then is done, and the late lane is at it again."""


@dataclass(frozen=True, slots=True)
class Period:
    """In which state the late lane was, from when to when; in seconds since the epoch."""

    state: str
    begun_s: float
    ended_s: float


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
    with KafkaBroker(overrides=LATE_BROKER).with_envs(**JVM) as late:
        for run in range(setting.turns):
            label = f"catch-up {run + 1}/{setting.turns}"
            try:
                pairs = _run(track, late, boundary, live_events=live, states_in_turn=states(run), period_s=period_s)
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
    late: KafkaBroker,
    boundary: Mapping[int, int],
    *,
    live_events: int,
    states_in_turn: Iterable[str],
    period_s: float,
) -> list[list[Row]]:
    """The first two lanes start at the boundary, the third at the log's start. Raises RunRefusedError."""
    lanes = sink_ids(3)
    course = track.course(lanes, {lanes[-1]: late})
    *healthy, behind = course.sink_topics
    try:
        for lane in (*lanes[:-1], DEAD_LETTER_LANE_ID):
            set_cursors(course.bootstrap, course.settings.cursor_group(lane), course.names.events, boundary)
        with track.started(TAILRACE, course) as child:
            child.wait_for(TAILRACE.begins, START_TIMEOUT_S)
            time.sleep(period_s)
            periods = _periods(late, states_in_turn, period_s, lambda: _all_there(child, course, healthy, live_events))
            found_late = records_in(late.bootstrap, behind)
            if found_late >= course.records - live_events:
                raise RunRefusedError("the late lane was done before the others: its backlog is too small for this run")
            wait_for_records(child, late.bootstrap, {behind: course.records}, DRAIN_TIMEOUT_S)
            track.ended(TAILRACE, child)
        track.judge(TAILRACE, course, from_offsets=dict.fromkeys(healthy, boundary))
        written = [append_times_s(course.bootstrap, topic) for topic in healthy]
        caught_up = append_times_s(late.bootstrap, behind)
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
    late: KafkaBroker, states_in_turn: Iterable[str], period_s: float, done: Callable[[], bool]
) -> list[Period]:
    """Whole pairs of periods, each of which was over before the live lanes had everything."""
    periods: list[Period] = []
    with _waking_at_the_end(late):
        frozen = False
        for state in states_in_turn:
            if (state == ALONE) != frozen:
                late.unpause() if frozen else late.pause()
                frozen = not frozen
            begun_s = time.time() + SETTLE_SHARE * period_s
            time.sleep(period_s)
            ended_s = time.time()
            if done():
                return periods[: len(periods) // 2 * 2]
            periods.append(Period(state, begun_s, ended_s))
    raise AssertionError("states never end")


def states(run: int) -> Iterator[str]:
    """In pairs, each of which begins as the one before ended; every other run begins the other way."""
    for pair in count(run):
        yield from STATES if pair % 2 == 0 else reversed(STATES)


@contextmanager
def _waking_at_the_end(late: KafkaBroker) -> Iterator[None]:
    try:
        yield
    finally:
        late.reload()
        if late.status == "paused":
            late.unpause()


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
    return {
        "healthy_events_per_s": live / took_s,
        "late_lane_events_per_s": _between(caught_up, period) / took_s,
        "cpu_us_per_event": spent_s / max(1.0, live) * 1e6,
    }


def _between(times: Sequence[float], period: Period) -> int:
    return bisect_left(times, period.ended_s) - bisect_left(times, period.begun_s)
