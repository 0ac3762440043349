"""The Kafka that a measurement runs on: the one named by TAILRACE_TEST_BOOTSTRAP, or a broker of its own."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.child import processor_s
from tests.kafka.broker import GivenCluster, Kafka, KafkaBroker

JVM = {
    "KAFKA_HEAP_OPTS": "-Xms512m -Xmx1g",
    # The tests' broker is made to start quickly and never compiles its hot paths well; this one works for minutes.
    "KAFKA_JVM_PERFORMANCE_OPTS": "-XX:+UseSerialGC",
}


AS_SHIPPED: Mapping[str, str] = {"group.initial.rebalance.delay.ms": "3000"}
"""What the tests' broker has otherwise than Kafka. Without the delay the first of two workers gets all partitions, and
the second one its half six seconds later [two heartbeats; seen in two runs of four], when a backlog may be over."""


@contextmanager
def cluster() -> Iterator[Kafka]:
    """A cluster for as long as the block lasts; one of our own is removed with everything on it."""
    given = os.environ.get("TAILRACE_TEST_BOOTSTRAP")
    if given:
        yield GivenCluster(given)
        return
    with KafkaBroker(overrides=AS_SHIPPED).with_envs(**JVM) as broker:
        yield broker


def processor_of(kafka: Kafka) -> Callable[[], float] | None:
    """Tells how many processor seconds a broker of our own has used so far; None if that cannot be seen from here."""
    if not isinstance(kafka, KafkaBroker):
        return None
    kafka.reload()
    container = kafka.get_wrapped_container()
    pid: int = container.attrs["State"]["Pid"]
    # An engine on another machine, or in one of its own, has processes that are not here, or numbers of others.
    groups = Path(f"/proc/{pid}/cgroup")
    return partial(processor_s, pid) if groups.exists() and container.id in groups.read_text() else None
