"""What a group has committed, also while the broker is looking for the group's coordinator."""

import time
from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

ANSWER_TIMEOUT_S = 10.0

WITHIN_S = 30.0
"""A broker whose machine stood still for longer than its session fences itself, and has no coordinator for a moment."""

PASSING = frozenset(
    (
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    )
)


def committed_places(reader: Consumer, places: Sequence[TopicPartition]) -> list[TopicPartition]:
    """The committed offsets of the reader's group. Raises KafkaException for what does not pass by itself."""
    give_up_s = time.monotonic() + WITHIN_S
    while True:
        try:
            return reader.committed(list(places), timeout=ANSWER_TIMEOUT_S)
        except KafkaException as failed:
            if failed.args[0].code() not in PASSING or time.monotonic() > give_up_s:
                raise
            time.sleep(0.2)
