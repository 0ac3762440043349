r"""What reading content costs that nobody may get: stretches of events with it and without, in turn, in one run.

Two runs after each other differ by what the machine has done meanwhile, up to a third here. Neighbouring stretches of
one run are seconds apart, and otherwise alike: the same process, connections, topics and memory.

    |  without  |    with   |    with   |  without  |  without  | …
        ------      ------      ------      ------               measured of each stretch
    \_____ a pair _________/\_____ a pair _________/             each kind comes first as often as second
"""

from array import array
from collections.abc import Iterator, Sequence

from bench.backlog import Mix
from bench.child import Child
from bench.configuration import sink_ids
from bench.content import CONTENT_BYTES, WITH_CONTENT, WITHOUT_CONTENT
from bench.contestants import NULL, TAILRACE, Contestant
from bench.results import Refusal, Result, Row, provenance
from bench.topics import read, wait_for_records
from bench.track import DRAIN_TIMEOUT_S, START_TIMEOUT_S, RunRefusedError, Track
from bench.turns import SEED, Setting

PAIRS = 4
"""Of stretches in a run; even, so that either kind comes first as often."""

LEFT_OUT_FIRST = 0.1
"""Of a stretch: partitions are not read in step, so a few of the stretch before come late."""

LEFT_OUT_LAST = 0.35
"""Of a stretch: when its last part is written, the next one's is being read, up to 20 000 events ahead (the buffer)."""


def content_in_turn(setting: Setting) -> Result:
    """Tailrace and the null pipeline, each over the same stretches; every pair of stretches is a turn of the result."""
    made = provenance()
    events = setting.size.events["content-in-turn stretch"]
    kinds = [kind for pair in range(PAIRS) for kind in _pair(pair)]
    track = Track(setting.kafka, setting.folder, Mix(one_record_each=True), 0, SEED)
    for number, kind in enumerate(kinds):
        size = CONTENT_BYTES if kind == WITH_CONTENT else 0
        track.fill(Mix(one_record_each=True, content_bytes=size), events, SEED + number)
    turns: list[list[Row]] = []
    refusals: list[Refusal] = []
    who = setting.chosen((NULL, TAILRACE))
    for run in range(setting.turns):
        of_run: list[list[Row]] = [[] for _ in range(PAIRS)]
        turns += of_run
        for contestant in who if run % 2 == 0 else reversed(who):
            try:
                rows = [
                    Row(contestant.name, kind, figures)
                    for kind, figures in zip(kinds, _stretches(track, contestant, events, len(kinds)), strict=True)
                ]
            except (RunRefusedError, SystemExit) as refusal:
                refusals.append(Refusal(contestant.name, "", str(refusal)))
                print(f"content-in-turn {run + 1}/{setting.turns}: {contestant.name}: does not count: {refusal}")
                continue
            for pair, turn in enumerate(of_run):
                turn.extend(rows[2 * pair : 2 * pair + 2])
            told = ", ".join(f"{row.figures['events_per_s']:,.0f}" for row in rows)
            print(f"content-in-turn {run + 1}/{setting.turns}: {contestant.name}: events/s {told}", flush=True)
    track.close()
    parameters = {
        "rows": [[one.name, kind] for one in who for kind in _pair(0)],
        "turns": len(turns),
        "seed": SEED,
        "backlogs": [track.described()],
    }
    return Result("content-in-turn", setting.size.name, parameters, made, turns, refusals)


def _pair(number: int) -> Sequence[str]:
    return (WITHOUT_CONTENT, WITH_CONTENT) if number % 2 == 0 else (WITH_CONTENT, WITHOUT_CONTENT)


def _stretches(track: Track, contestant: Contestant, events: int, count: int) -> Iterator[dict[str, float]]:
    """The figures of every stretch of one run, in order."""
    course = track.course(sink_ids(3))
    try:
        with track.started(contestant, course) as child:
            child.wait_for(contestant.begins, START_TIMEOUT_S)
            wait_for_records(
                child, course.bootstrap, dict.fromkeys(course.sink_topics, course.records), DRAIN_TIMEOUT_S
            )
            track.ended(contestant, child)
        track.judge(contestant, course)
        written = [_append_times_s(course.bootstrap, topic) for topic in course.sink_topics]
    finally:
        track.remove(course)
    for number in range(count):
        yield _figures(
            child, written, round((number + LEFT_OUT_FIRST) * events), round((number + 1 - LEFT_OUT_LAST) * events)
        )


def _figures(child: Child, written: Sequence[Sequence[float]], first: int, last: int) -> dict[str, float]:
    """Between the moments at which every sink had `first` records and `last`."""
    begun_s, finished_s = (max(times[count - 1] for times in written) for count in (first, last))
    used_s = child.cpu_at_s(finished_s)[0] - child.cpu_at_s(begun_s)[0]
    return {
        "events_per_s": (last - first) / (finished_s - begun_s),
        "cpu_us_per_event": used_s / (last - first) * 1e6,
    }


def _append_times_s(bootstrap: str, topic: str) -> "array[float]":
    """When the broker had each record of a topic, in order of time."""
    return array("d", sorted(message.timestamp()[1] / 1_000 for message in read(bootstrap, topic)))
