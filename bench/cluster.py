"""The Kafka that a measurement runs on: the one named by TAILRACE_TEST_BOOTSTRAP, or a broker of its own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from tests.kafka.broker import GivenCluster, Kafka, KafkaBroker

JVM = {
    "KAFKA_HEAP_OPTS": "-Xms512m -Xmx1g",
    # The tests' broker is made to start quickly and never compiles its hot paths well; this one works for minutes.
    "KAFKA_JVM_PERFORMANCE_OPTS": "-XX:+UseSerialGC",
}


@contextmanager
def cluster() -> Iterator[Kafka]:
    """A cluster for as long as the block lasts; one of our own is removed with everything on it."""
    given = os.environ.get("TAILRACE_TEST_BOOTSTRAP")
    if given:
        yield GivenCluster(given)
        return
    with KafkaBroker().with_envs(**JVM) as broker:
        yield broker
