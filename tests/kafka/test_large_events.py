"""Events larger than everything a client asks for at once: the broker sends each alone, and nothing stays behind it."""

from collections.abc import Sequence
from random import Random

from confluent_kafka import Producer

from tests.kafka.crafted import good, large
from tests.kafka.proof import prove
from tests.kafka.sink_records import sink_records
from tests.kafka.stage import Stage, small_buffer, synthetic, trace

LARGE_BYTES = 6 * 1024 * 1024
"""More than a response to the intake, which is asked for 4 MiB, or to a lane's reader, which is asked for 1."""

ROOM_BYTES = 8 * 1024 * 1024

ORDINARY = 1_300
"""Events around the large ones in each partition: more than a lane that is near the end waits for from its buffer."""


def send(stage: Stage, values: Sequence[bytes | None], partition: int) -> None:
    producer = Producer({"bootstrap.servers": stage.kafka.bootstrap, "message.max.bytes": ROOM_BYTES})
    for value in values:
        producer.produce(stage.events_topic, value, b"run", partition)
        producer.poll(0)
    assert producer.flush(30) == 0, "events were not produced in time"


def test_intake_and_readers_get_past_events_larger_than_any_response(stage: Stage) -> None:
    """One that can be read and one that cannot: a sink there from the start meets them in the intake, a later one in
    the log."""
    early, late = stage.unique("early"), stage.unique("late")
    stage.create_topics(max_message_bytes=ROOM_BYTES)
    for topic in (early, late):
        stage.kafka.create_topic(topic, 3, max_message_bytes=ROOM_BYTES)
    ordinary = [event.value for event in synthetic(41, ORDINARY * stage.partitions)]
    for partition in range(stage.partitions):
        values = ordinary[partition * ORDINARY : (partition + 1) * ORDINARY]
        readable, noise = large(good(500 + partition), LARGE_BYTES).value, Random(partition).randbytes(LARGE_BYTES)
        send(stage, [*values[: ORDINARY // 2], readable, noise, *values[ORDINARY // 2 :]], partition)
    large_at = {(partition, ORDINARY // 2) for partition in range(stage.partitions)}
    buffer = {**small_buffer(), "capacity_bytes": 5 * ROOM_BYTES}
    events = {"max_event_bytes": ROOM_BYTES - 2**16}

    sinks = {"early": trace(early, buffer=buffer)}
    worker = stage.start(stage.write(stage.configuration(sinks, events=events)))
    stage.wait_until_drained("early", "dead_letter")
    worker.stop_cleanly()
    sinks["late"] = trace(late, buffer=buffer)
    config = stage.write(stage.configuration(sinks, events=events))
    worker = stage.start(config)
    stage.wait_until_drained("early", "late", "dead_letter")
    worker.stop_cleanly()

    proof = prove(config, duplicates=True)
    for sink, topic in (("early", early), ("late", late)):
        assert proof.sinks[sink].missed == {"undecodable": stage.partitions}
        assert proof.duplicates[sink] == 0
        assert large_at <= {record.source for record in sink_records(stage.kafka.bootstrap, topic)}
