r"""What reading content costs that nobody may get: stretches of events with it and without, in turn, in one run.

Two runs after each other differ by what the machine has done meanwhile, up to a third here. Neighbouring stretches of
one run are seconds apart, and otherwise alike: the same process, connections, topics and memory.

    |  warm-up  |  without  |    with   |    with   |  without  |  …  |  the end  |
                     ---         ---         ---         ---                         measured of each stretch
                \______ a pair _______/ \______ a pair _______/                    each kind comes first as often
"""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import replace

from confluent_kafka import KafkaException

from bench.backlog import Mix
from bench.configuration import sink_ids
from bench.content import CONTENT_BYTES, WITH_CONTENT, WITHOUT_CONTENT
from bench.contestants import NULL, TAILRACE, Contestant, Process
from bench.results import Refusal, Result, Row, provenance
from bench.topics import read, wait_for_records
from bench.track import DRAIN_TIMEOUT_S, START_TIMEOUT_S, RunRefusedError, Track
from bench.turns import SEED, Setting

MOST_QUEUED = 10_000
"""Records that wait in a producer of the null pipeline: what it reads must not be half a stretch ahead of what it has
written, nor of what is measured."""

CONTESTANTS = (
    TAILRACE,
    replace(NULL, process=lambda course: Process([*NULL.process(course).command, "--queued", str(MOST_QUEUED)])),
)

PAIRS = 6
"""Of stretches in a run; even, so that either kind comes first as often."""

FETCHED_AHEAD_KB = 2_048
"""The client's queue, smaller than the default: what is fetched ahead must not be half of the next stretch."""

LEFT_OUT = 65_000
"""Events at either end of a stretch: while they are written others are read, as many as there is room for in the buffer
(20 000), in the client's queue (5 500 without content) and in an answer under way: 4 MiB as the log has them, which is
30 000 without content [measured: 138 bytes each, compressed]."""


Stretch = tuple[str, dict[str, float]]
"""Of which kind it was, and its figures."""


def content_in_turn(setting: Setting) -> Result:
    """A worker and the null pipeline over all stretches, over and over; every pair of stretches is a turn."""
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
    contestants = setting.chosen(CONTESTANTS)
    for run in range(setting.turns):
        of_run: list[list[Row]] = [[] for _ in range(PAIRS)]
        turns += of_run
        for one in contestants if run % 2 == 0 else reversed(contestants):
            label = f"content-in-turn {run + 1}/{setting.turns}: {one.name}"
            try:
                rows = [Row(one.name, *stretch) for stretch in _stretches_of(one, track, kinds, events)]
            except (RunRefusedError, SystemExit, KafkaException) as refusal:
                refusals.append(Refusal(one.name, "", str(refusal)))
                print(f"{label}: does not count: {refusal}", flush=True)
                continue
            for pair, turn in enumerate(of_run):
                turn.extend(rows[2 * pair : 2 * pair + 2])
            print(
                f"{label}: events_per_s " + ", ".join(f"{row.figures['events_per_s']:,.0f}" for row in rows), flush=True
            )
    track.close()
    parameters = {
        "rows": [[one.name, kind] for one in contestants for kind in pair_of_kinds(0)],
        "turns": len(turns),
        "seed": SEED,
        "backlogs": [track.described()],
    }
    return Result("content-in-turn", setting.size.name, parameters, made, turns, refusals)


def pair_of_kinds(number: int) -> Sequence[str]:
    return (WITHOUT_CONTENT, WITH_CONTENT) if number % 2 == 0 else (WITH_CONTENT, WITHOUT_CONTENT)


def window(number: int, events: int) -> tuple[int, int]:
    """Which records of a sink, counted from the run's first, are measured of a stretch of so many events."""
    return number * events + LEFT_OUT, (number + 1) * events - LEFT_OUT


def _stretches_of(contestant: Contestant, track: Track, kinds: Sequence[str], events: int) -> list[Stretch]:
    """Every stretch of one run but the first and the last: between two records of each sink."""
    course = track.course(sink_ids(3))
    try:
        with track.started(contestant, course) as child:
            child.wait_for(contestant.begins, START_TIMEOUT_S)
            wanted = dict.fromkeys(course.sink_topics, course.records)
            wait_for_records(child, course.bootstrap, wanted, DRAIN_TIMEOUT_S)
            track.ended(contestant, child)
        track.judge(contestant, course)
        written = [append_times_s(course.bootstrap, topic) for topic in course.sink_topics]
    finally:
        track.remove(course)
    return [
        (kind, figures_of(child.cpu_at_s, lambda count: max(times[count - 1] for times in written), *window(n, events)))
        for n, kind in enumerate(kinds)
        if 0 < n < len(kinds) - 1
    ]


def figures_of(
    cpu_at_s: Callable[[float], tuple[float, float]], at_s: Callable[[int], float], first: int, last: int
) -> dict[str, float]:
    """Between the moments at which there were `first` records and `last`.

    The process's own threads are all but librdkafka's. They copy each message's bytes out of the client, and free them.
    """
    begun_s, finished_s = at_s(first), at_s(last)
    (used_before_s, client_before_s), (used_s, client_s) = cpu_at_s(begun_s), cpu_at_s(finished_s)
    spent_us, client_us = (used_s - used_before_s) * 1e6, (client_s - client_before_s) * 1e6
    return {
        "events_per_s": (last - first) / (finished_s - begun_s),
        "cpu_us_per_event": spent_us / (last - first),
        "own_cpu_us_per_event": (spent_us - client_us) / (last - first),
    }


def append_times_s(bootstrap: str, topic: str) -> "array[float]":
    """When the broker had each record of a topic, in order of time."""
    return array("d", sorted(message.timestamp()[1] / 1_000 for message in read(bootstrap, topic)))
