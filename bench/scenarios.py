"""What is measured: each scenario runs its contestants in turn, over and over, and returns every figure.

A scenario that is no comparison of contestants over one backlog has a function of its own; all return a `Result`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice

from bench import contestants as field_of
from bench.backlog import Mix
from bench.beside import catch_up
from bench.configuration import sink_ids
from bench.content import CONTENT_BYTES, INLINE, REFERENCED, WITH_CONTENT, WITHOUT_CONTENT
from bench.contestants import NULL, PYTHON_PEERS, SCHEMAS, TAILRACE, TWO_WORKERS, Contestant
from bench.latency import feed, latencies_ms, sent_ms
from bench.measured import Run
from bench.results import Result, percentile
from bench.skipped import content_skipped
from bench.stretches import content_in_turn
from bench.topics import last_written_s, wait_for_records
from bench.track import DRAIN_TIMEOUT_S, START_TIMEOUT_S, Track
from bench.turns import SEED, Entry, Setting, finished

Scenario = Callable[[Setting], Result]

ONE_RECORD_EACH = Mix(one_record_each=True)
AS_IN_THE_DEMONSTRATION = Mix()
"""Its kinds of events, without its poison: only tailrace has a place for that."""

QUICK_ONES = (NULL, TAILRACE)
"""At 30 000 events a second, what takes the others half a minute is over before it is steady."""


def figures(run: Run) -> dict[str, float]:
    return {**run.json(), "events_per_s": run.events_per_s, "cpu_us_per_event": run.cpu_us_per_event}


def _run(track: Track, contestant: Contestant, sink_count: int = 3) -> dict[str, float]:
    return figures(track.run(contestant, sink_count))


def one_record(setting: Setting) -> Result:
    """Everybody on events that yield one record each."""
    return _quick_and_slow(setting, "one-record", ONE_RECORD_EACH, setting.chosen(field_of.ALL))


def mix(setting: Setting) -> Result:
    """The demonstration's kinds of events, of which one in ten yields two or three records."""
    small = (NULL, *field_of.OURS)
    everybody = field_of.ALL if setting.size.everybody_everywhere else small
    return _quick_and_slow(setting, "mix", AS_IN_THE_DEMONSTRATION, setting.chosen(everybody))


def sinks(setting: Setting) -> Result:
    """One, four and eight Kafka sinks."""
    track = _track(setting, "sinks", ONE_RECORD_EACH)
    entries = [
        Entry(one, f"{count} sink{'s' * (count > 1)}", partial(_run, track, one, count))
        for count in (1, 4, 8)
        for one in setting.chosen((NULL, TAILRACE))
    ]
    return finished(setting, "sinks", entries, [track])


EVENT_SIZES: Mapping[str, int] = {"0.3 KB": 0, "3 KB": 2_700, "100 KB": 99_700}
"""Bytes of conversation in an event, on top of 0.3 KB."""


def event_sizes(setting: Setting) -> Result:
    """Events that carry a conversation, which no sink may get."""
    who = (NULL, TAILRACE, field_of.FASTAVRO) if setting.size.everybody_everywhere else (NULL, TAILRACE)
    entries: list[Entry] = []
    tracks: list[Track] = []
    for variant, content_bytes in EVENT_SIZES.items():
        track = Track(
            setting.kafka,
            setting.folder,
            Mix(one_record_each=True, content_bytes=content_bytes),
            setting.size.events[f"event-sizes {variant}"],
            SEED,
        )
        tracks.append(track)
        entries += [Entry(one, variant, partial(_run, track, one)) for one in setting.chosen(who)]
    return finished(setting, "event-sizes", entries, tracks)


def content(setting: Setting) -> Result:
    """Conversations that no sink may get, and that one may."""
    many, few = setting.size.events["content"], setting.size.events["content captured"]
    without, with_it, captured = (
        Track(setting.kafka, setting.folder, Mix(one_record_each=True, content_bytes=size), events, SEED)
        for size, events in ((0, many), (CONTENT_BYTES, many), (CONTENT_BYTES, few))
    )
    entries = [
        Entry(one, variant, partial(_run, track, one))
        for one in setting.chosen((NULL, TAILRACE))
        for variant, track in ((WITHOUT_CONTENT, without), (WITH_CONTENT, with_it))
    ]
    # Fewer events: a local directory flushes every part to disk, which is some ten milliseconds each.
    entries += [Entry(one, "", partial(_run, captured, one)) for one in (INLINE, REFERENCED)]
    return finished(setting, "content", entries, [without, with_it, captured])


def workers(setting: Setting) -> Result:
    """One worker, and two of one group."""
    return _backlog(setting, "workers", ONE_RECORD_EACH, [TAILRACE, TWO_WORKERS])


LATENCY_EVENTS_PER_S = 5_000
WARM_UP_S = 2.0


def latency(setting: Setting) -> Result:
    """From an agent's send to every sink's log, at 5 000 events a second."""
    who = (TAILRACE, *PYTHON_PEERS, field_of.BENTO) if setting.size.everybody_everywhere else (TAILRACE,)
    entries = [Entry(one, "", partial(_latency_of, setting, one)) for one in setting.chosen(who)]
    return finished(setting, "latency", entries, [], {"events_per_s": LATENCY_EVENTS_PER_S, "warm_up_s": WARM_UP_S})


def _latency_of(setting: Setting, contestant: Contestant) -> dict[str, float]:
    events = list(islice(ONE_RECORD_EACH.events(SEED), setting.size.events["latency"]))
    track = Track(setting.kafka, setting.folder, ONE_RECORD_EACH, 0, SEED)
    course = track.course(sink_ids(3))
    with track.started(contestant, course) as child:
        # Peers say nothing before the first event: what they have to do until then is in the warm-up.
        if contestant.begins == TAILRACE.begins:
            child.wait_for(contestant.begins, START_TIMEOUT_S)
        begun_s = time.time()
        feed(course.bootstrap, course.names.events, events, LATENCY_EVENTS_PER_S)
        fed_s = time.time()
        wait_for_records(child, course.bootstrap, dict.fromkeys(course.sink_topics, len(events)), DRAIN_TIMEOUT_S)
        # Whoever falls behind still has work to do when all is sent.
        finished_s = last_written_s(course.bootstrap, course.sink_topics)
        cpu_s = child.cpu_at_s(finished_s)[0] - child.cpu_at_s(begun_s + WARM_UP_S)[0]
        track.ended(contestant, child)
    track.judge(contestant, course)
    sent = sent_ms(course.bootstrap, course.names.events)
    since_ms = int((begun_s + WARM_UP_S) * 1_000)
    taken_ms = latencies_ms(course.bootstrap, course.sink_topics, sent, since_ms, SCHEMAS)
    track.remove(course)
    track.close()
    measured_events = sum(at_ms >= since_ms for of_partition in sent.values() for at_ms in of_partition)
    return {
        "p50_ms": percentile(taken_ms, 0.5),
        "p99_ms": percentile(taken_ms, 0.99),
        "max_ms": taken_ms[-1],
        "records": len(taken_ms),
        "sent_per_s": len(events) / (fed_s - begun_s),
        "cpu_us_per_event": cpu_s / measured_events * 1e6,
    }


SCENARIOS: Mapping[str, Scenario] = {
    "one-record": one_record,
    "mix": mix,
    "sinks": sinks,
    "event-sizes": event_sizes,
    "workers": workers,
    "latency": latency,
    "catch-up": catch_up,
    "content": content,
    "content-in-turn": content_in_turn,
    "content-skipped": content_skipped,
}


def _track(setting: Setting, scenario: str, events: Mix) -> Track:
    return Track(setting.kafka, setting.folder, events, setting.size.events[scenario], SEED)


def _quick_and_slow(setting: Setting, scenario: str, events: Mix, contestants: Sequence[Contestant]) -> Result:
    """Of those who take longest, on fewer events."""
    many, few = _track(setting, scenario, events), _track(setting, f"{scenario} slow", events)
    entries = [Entry(one, "", partial(_run, many if one in QUICK_ONES else few, one)) for one in contestants]
    return finished(setting, scenario, entries, [many, few])


def _backlog(setting: Setting, scenario: str, events: Mix, contestants: Sequence[Contestant]) -> Result:
    track = _track(setting, scenario, events)
    entries = [Entry(one, "", partial(_run, track, one)) for one in contestants]
    return finished(setting, scenario, entries, [track])
