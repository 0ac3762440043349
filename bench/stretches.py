r"""What reading content costs that nobody may get: stretches of events with it and without, in turn, in one run.

Two runs after each other differ by what the machine has done meanwhile, up to a third here. Neighbouring stretches of
one run are seconds apart, and otherwise alike: the same process, connections, topics and memory.

    |  warm-up  |  without  |    with   |    with   |  without  |  …  |  the end  |
                     ---         ---         ---         ---                         measured of each stretch
                \______ a pair _______/ \______ a pair _______/                    each kind comes first as often
"""

from array import array
from collections.abc import Callable, Sequence

from confluent_kafka import KafkaException

from bench.backlog import Mix
from bench.configuration import sink_ids
from bench.content import CONTENT_BYTES, WITH_CONTENT, WITHOUT_CONTENT
from bench.contestants import TAILRACE
from bench.results import Refusal, Result, Row, provenance
from bench.topics import read, wait_for_records
from bench.track import DRAIN_TIMEOUT_S, START_TIMEOUT_S, RunRefusedError, Track
from bench.turns import SEED, Setting

PAIRS = 4
"""Of stretches in a run; even, so that either kind comes first as often."""

FETCHED_AHEAD_KB = 2_048
"""The client's queue, smaller than the default: what is fetched ahead must not be half of the next stretch."""

LEFT_OUT = 35_000
"""Events at either end of a stretch: while they are written others are read, as many as there is room for in the buffer
(20 000), in the client's queue (5 500 without content) and in answers under way (1 MB of each partition, 10 000)."""


def content_in_turn(setting: Setting) -> Result:
    """One worker over all stretches, over and over; every pair of stretches is a turn of the result."""
    made = provenance()
    events = setting.size.events["content-in-turn stretch"]
    kinds = [WITHOUT_CONTENT, *(kind for pair in range(PAIRS) for kind in pair_of_kinds(pair)), WITHOUT_CONTENT]
    fetched = {"fetch_kbytes": FETCHED_AHEAD_KB}
    track = Track(setting.kafka, setting.folder, Mix(one_record_each=True), 0, SEED, events_settings=fetched)
    for number, kind in enumerate(kinds):
        size = CONTENT_BYTES if kind == WITH_CONTENT else 0
        track.fill(Mix(one_record_each=True, content_bytes=size), events, SEED + number)
    turns: list[list[Row]] = []
    refusals: list[Refusal] = []
    for run in range(setting.turns):
        label = f"content-in-turn {run + 1}/{setting.turns}: {TAILRACE.name}"
        try:
            rows = [Row(TAILRACE.name, *measured) for measured in _measured(track, kinds, events)]
        except (RunRefusedError, SystemExit, KafkaException) as refusal:
            refusals.append(Refusal(TAILRACE.name, "", str(refusal)))
            print(f"{label}: does not count: {refusal}", flush=True)
        else:
            turns += [rows[first : first + 2] for first in range(0, len(rows), 2)]
            print(
                f"{label}: events_per_s " + ", ".join(f"{row.figures['events_per_s']:,.0f}" for row in rows), flush=True
            )
    track.close()
    parameters = {
        "rows": [[TAILRACE.name, kind] for kind in pair_of_kinds(0)],
        "turns": len(turns),
        "seed": SEED,
        "backlogs": [track.described()],
    }
    return Result("content-in-turn", setting.size.name, parameters, made, turns, refusals)


def pair_of_kinds(number: int) -> Sequence[str]:
    return (WITHOUT_CONTENT, WITH_CONTENT) if number % 2 == 0 else (WITH_CONTENT, WITHOUT_CONTENT)


def _measured(track: Track, kinds: Sequence[str], events: int) -> list[tuple[str, dict[str, float]]]:
    """Kind and figures of every stretch of one run but the first and the last, in order."""
    course = track.course(sink_ids(3))
    try:
        with track.started(TAILRACE, course) as child:
            child.wait_for(TAILRACE.begins, START_TIMEOUT_S)
            wanted = dict.fromkeys(course.sink_topics, course.records)
            wait_for_records(child, course.bootstrap, wanted, DRAIN_TIMEOUT_S)
            track.ended(TAILRACE, child)
        track.judge(TAILRACE, course)
        written = [append_times_s(course.bootstrap, topic) for topic in course.sink_topics]
    finally:
        track.remove(course)
    return [
        (kinds[number], figures_of(child.cpu_at_s, written, *window(number, events)))
        for number in range(1, len(kinds) - 1)
    ]


def window(number: int, events: int) -> tuple[int, int]:
    """Which records of a sink, counted from the run's first, are measured of a stretch of so many events."""
    return number * events + LEFT_OUT, (number + 1) * events - LEFT_OUT


def figures_of(
    cpu_at_s: Callable[[float], tuple[float, float]], written: Sequence[Sequence[float]], first: int, last: int
) -> dict[str, float]:
    """Between the moments at which every sink had `first` records and `last`."""
    begun_s, finished_s = (max(times[count - 1] for times in written) for count in (first, last))
    used_s = cpu_at_s(finished_s)[0] - cpu_at_s(begun_s)[0]
    return {
        "events_per_s": (last - first) / (finished_s - begun_s),
        "cpu_us_per_event": used_s / (last - first) * 1e6,
    }


def append_times_s(bootstrap: str, topic: str) -> "array[float]":
    """When the broker had each record of a topic, in order of time."""
    return array("d", sorted(message.timestamp()[1] / 1_000 for message in read(bootstrap, topic)))
