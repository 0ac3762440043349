"""Events larger than everything a client asks for at once: the broker sends each alone, and nothing stays behind it."""

from random import Random

from confluent_kafka import Producer

from tailrace.synthetic import SyntheticEvent
from tests.kafka.proof import prove
from tests.kafka.stage import Stage, synthetic, trace

LARGE_BYTES = 6 * 1024 * 1024
"""More than a response to the intake, which is asked for 4 MiB, or to a lane's reader, which is asked for 1."""

ROOM_BYTES = 8 * 1024 * 1024


def send(stage: Stage, partition: int, events: list[SyntheticEvent], large: bytes) -> None:
    """The first half of the events, one that nothing packs smaller, and the rest."""
    producer = Producer({"bootstrap.servers": stage.kafka.bootstrap, "message.max.bytes": ROOM_BYTES})
    values = [event.value for event in events]
    for value in (*values[: len(values) // 2], large, *values[len(values) // 2 :]):
        producer.produce(stage.events_topic, value, b"run", partition)
        producer.poll(0)
    assert producer.flush(30) == 0, "events were not produced in time"


def test_intake_and_readers_pass_events_larger_than_any_response(stage: Stage) -> None:
    """A sink that is there from the start has them through the intake, one that is added later from the log."""
    early, late = stage.unique("early"), stage.unique("late")
    stage.create_topics(early, late, max_message_bytes=ROOM_BYTES)
    ordinary = list(synthetic(41, 1_300 * stage.partitions))
    for partition in range(stage.partitions):
        large = Random(partition).randbytes(LARGE_BYTES)
        send(stage, partition, ordinary[partition * 1_300 : (partition + 1) * 1_300], large)

    worker = stage.start(stage.write(stage.configuration({"early": trace(early)})))
    stage.wait_until_drained("early", "dead_letter")
    worker.stop_cleanly()
    config = stage.write(stage.configuration({"early": trace(early), "late": trace(late)}), "more.yaml")
    worker = stage.start(config)
    stage.wait_until_drained("early", "late", "dead_letter")
    worker.stop_cleanly()

    proof = prove(config, duplicates=True)
    for sink in ("early", "late"):
        assert proof.sinks[sink].missed == {"undecodable": stage.partitions}
        assert proof.duplicates[sink] == 0
