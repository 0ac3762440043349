"""What nobody can decode: a gap in every lane and a dead letter, and no harm to anything beside it."""

import hashlib
import json
from collections import Counter

from confluent_kafka import Message

from tailrace.domain.projected import UndecodableReason
from tailrace.synthetic import SyntheticEvent
from tests.kafka.crafted import POISONS, good
from tests.kafka.proof import prove
from tests.kafka.sink_records import read_topic, sink_records
from tests.kafka.stage import Stage, synthetic, trace

SINKS = ("analytics", "billing")


def test_each_way_of_being_undecodable_becomes_a_gap_in_every_lane_and_one_letter_without_content(
    stage: Stage,
) -> None:
    """Letters name place, reason, size and digest in Kafka Connect's headers; a null key harms nothing."""
    topics = {sink: stage.unique(sink) for sink in SINKS}
    stage.create_topics(*topics.values())
    config = stage.write(stage.configuration({sink: trace(topic) for sink, topic in topics.items()}))
    poisoned = {name: make(good(100)) for name, (_, make) in POISONS.items()}
    ordinary = list(synthetic(10, 5_100))
    keyless = SyntheticEvent(None, good(101).value, None)  # type: ignore[arg-type]  # what a careless producer sends
    worker = stage.start(config)

    places: dict[str, tuple[int, int]] = {}
    for number, (name, event) in enumerate(poisoned.items()):
        stage.produce(ordinary[number * 500 : (number + 1) * 500])
        (places[name],) = stage.produce([event])
    (keyless_place,) = stage.produce([keyless])
    stage.produce(ordinary[len(poisoned) * 500 :])
    stage.wait_until_drained(*SINKS, "dead_letter")
    worker.stop_cleanly()

    proof = prove(config)
    for sink in SINKS:
        assert proof.sinks[sink].missed == {"undecodable": len(poisoned)}
    for topic in topics.values():
        assert keyless_place in {record.source for record in sink_records(stage.kafka.bootstrap, topic)}
    letters = {place_of(letter): letter for letter in read_topic(stage.kafka.bootstrap, stage.dead_letter_topic)}
    assert len(letters) == len(poisoned)
    for name, place in places.items():
        reason, _ = POISONS[name]
        assert_tells_of(letters[place], stage.events_topic, poisoned[name], reason)


def test_a_flood_of_poison_stops_its_partition_alone_and_is_counted_across_a_restart(stage: Stage) -> None:
    """The limit is reached by events before and after a restart together; with the limit lifted all is accounted."""
    limit, flooded, other = 20, 1, 0
    topic = stage.unique("analytics")
    stage.create_topics(topic)
    configuration = stage.configuration(
        {"analytics": trace(topic)}, events={"poison_limit": limit}, dead_letter={"raw": True}
    )
    config = stage.write(configuration)
    poison = [make(good(200 + number)) for number in range(5) for _, make in POISONS.values()]
    worker = stage.start(config)
    stage.produce(synthetic(11, 2_600))
    before = stage.produce(poison[:12], partition=flooded)
    stage.wait_until_drained("analytics", "dead_letter")
    worker.stop_cleanly()
    assert not worker.lines("partition halted: it needs somebody to look at it")

    after = stage.produce(poison[12:], partition=flooded)
    stage.produce(synthetic(12, 100), partition=flooded)
    stage.produce(synthetic(13, 2_500), partition=other)
    worker = stage.start(config)
    (halt,) = worker.wait_for("partition halted: it needs somebody to look at it")
    _, last_read = after[limit - len(before) - 1]
    assert (halt.fields["partition"], halt.fields["offset"]) == (flooded, last_read)
    still = {**stage.ends(), flooded: last_read + 1}
    stage.wait_until_drained("analytics", "dead_letter", ends=still)
    assert stage.committed(stage.group) == still
    worker.stop_cleanly()
    prove(config, complete=False)

    lifted = stage.write({**configuration, "events": {**configuration["events"], "poison_limit": 0}})
    worker = stage.start(lifted)
    stage.wait_until_drained("analytics", "dead_letter")
    worker.stop_cleanly()
    proof = prove(lifted)
    assert proof.sinks["analytics"].missed == {"undecodable": len(poison)}
    raw = Counter(letter.value() for letter in read_topic(stage.kafka.bootstrap, stage.dead_letter_topic))
    assert raw == Counter(event.value for event in poison)


def headers_of(letter: Message) -> dict[str, str]:
    headers = letter.headers()
    assert isinstance(headers, list)
    return {name: value.decode() for name, value in headers if isinstance(value, bytes)}


def place_of(letter: Message) -> tuple[int, int]:
    headers = headers_of(letter)
    return int(headers["__connect.errors.partition"]), int(headers["__connect.errors.offset"])


def assert_tells_of(letter: Message, events_topic: str, event: SyntheticEvent, reason: UndecodableReason) -> None:
    headers = headers_of(letter)
    assert headers["__connect.errors.topic"] == events_topic
    assert headers["__connect.errors.stage"] == "VALUE_CONVERTER"
    assert headers["__connect.errors.class.name"] == "tailrace.projector"
    assert headers["tailrace.reason"] == reason.value
    value = letter.value()
    assert isinstance(value, bytes)
    described = json.loads(value)
    size_bytes = len(event.key) + len(event.value or b"")
    assert (described["reason"], described["size_bytes"]) == (reason.value, size_bytes)
    assert described["value_sha256"] == hashlib.sha256(event.value or b"").hexdigest()
    assert event.value is None or event.value not in value
    assert event.key not in value + (letter.key() or b"")
