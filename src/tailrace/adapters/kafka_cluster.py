"""Finding out about a cluster before the work begins: is it there, which topics has it, which topic is this."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tailrace.adapters.logs import ClientLogger, StructuredLog
from tailrace.runtime.ports import Interrupt

METADATA_TIMEOUT_S = 3.0
"""One question to a cluster that may be absent; a stop is noticed within it."""

ASK_AGAIN_S = 1.0
"""Between questions to a cluster that does not answer."""

Properties = Mapping[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """Partitions per topic that exists."""

    partitions: Mapping[str, int]

    def missing(self, topics: Iterable[str]) -> list[str]:
        return sorted(topic for topic in topics if topic not in self.partitions)


def wait_for_cluster(properties: Properties, stop: Interrupt, logger: StructuredLog) -> ClusterFacts | None:
    """The cluster's topics as soon as it answers, however long that takes; None if `stop` came first."""
    # A short-lived AdminClient: what is asked here is metadata, none of the group calls that abort a process.
    admin = _admin(properties, logger)
    waiting = False
    while not stop.is_set():
        try:
            topics = admin.list_topics(timeout=METADATA_TIMEOUT_S).topics
        except KafkaException:
            if not waiting:
                servers = str(properties["bootstrap.servers"])
                logger.event("waiting for Kafka", level="warning", bootstrap_servers=servers)
            waiting = True
            stop.wait(ASK_AGAIN_S)
            continue
        if waiting:
            logger.event("the cluster answers")
        return ClusterFacts({name: len(topic.partitions) for name, topic in topics.items() if topic.error is None})
    return None


def _admin(properties: Properties, logger: StructuredLog) -> AdminClient:
    return AdminClient(dict(properties), logger=ClientLogger(logger))
