"""Finding out about a cluster before the work begins: is it there, which topics has it, which topic is this."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tailrace.adapters.logs import ClientLogger, StructuredLog
from tailrace.runtime.ports import Interrupt

METADATA_TIMEOUT_S = 3.0
"""One question to a cluster that may be absent; a stop is noticed within it."""

ASK_AGAIN_S = 1.0
"""Between questions to a cluster that does not answer."""

FOR_SOMEBODY_TO_MEND = frozenset({"_AUTHENTICATION", "_SSL", "_RESOLVE"})
"""Reasons that waiting alone does not end; said rather than the connection errors that they come with."""

Properties = Mapping[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """Partitions per topic that exists."""

    partitions: Mapping[str, int]

    def missing(self, topics: Iterable[str]) -> list[str]:
        return sorted(topic for topic in topics if topic not in self.partitions)


def wait_for_cluster(properties: Properties, stop: Interrupt, logger: StructuredLog) -> ClusterFacts | None:
    """The cluster's topics as soon as it answers, however long that takes; None if `stop` came first.

    Said when the waiting begins, whenever its reason changes, and when it is over. The reason is the client's own name
    for what it met last, such as `_ALL_BROKERS_DOWN`, `_AUTHENTICATION` or `_SSL`.
    """
    met: list[str] = []
    # A short-lived AdminClient: what is asked here is metadata, none of the group calls that abort a process.
    own: dict[str, Any] = {**properties, "error_cb": lambda error: met.append(error.name())}
    admin = AdminClient(own, logger=ClientLogger(logger))
    said: str | None = None
    while not stop.is_set():
        try:
            topics = admin.list_topics(timeout=METADATA_TIMEOUT_S).topics
        except KafkaException as error:
            admin.poll(0)  # the client's own reasons come only to whoever polls
            reason = next((name for name in met if name in FOR_SOMEBODY_TO_MEND), met[-1] if met else None)
            reason = reason or error.args[0].name()
            met.clear()
            if reason != said:
                servers = str(properties["bootstrap.servers"])
                logger.event("waiting for Kafka", level="warning", bootstrap_servers=servers, detail=reason)
            said = reason
            stop.wait(ASK_AGAIN_S)
            continue
        if said is not None:
            logger.event("the cluster answers")
        return ClusterFacts({name: len(topic.partitions) for name, topic in topics.items() if topic.error is None})
    return None
