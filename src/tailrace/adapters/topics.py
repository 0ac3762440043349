"""Asking clusters about the topics of a configuration, and making those that are missing.

The AdminClient here lives for one command. It is never used for group offsets, which can end the whole process after a
coordinator's outage (docs/DESIGN.md, Cursors).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined] # public names, imported there without a mark
    AdminClient,
    ClusterMetadata,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from tailrace.adapters.topic_rules import Found, FoundTopic, ToCreate, WantedTopic
from tailrace.settings.kafka import KafkaSettings

QUIET = {"log_level": 2}
"""A command says itself what it could not reach; the client's own lines would say it once per attempt."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A cluster did not answer; `code` is Kafka's name of the error."""

    servers: str
    code: str


@dataclass(frozen=True, slots=True)
class Created:
    topic: str


@dataclass(frozen=True, slots=True)
class NotCreated:
    """The cluster refused, or did not answer; `code` is Kafka's name of the error, or `NO_CONTROLLER`."""

    topic: str
    code: str


CreateOutcome = Created | NotCreated

NO_CONTROLLER = "no_controller"
"""The cluster has no controller, so it can neither make topics nor tell how they are configured: librdkafka's mock."""


def find_topics(wanted: Sequence[WantedTopic], timeout_s: float) -> Found | Unreachable:
    """Those of the wanted topics that exist, each with its configuration if the cluster tells."""
    found: dict[tuple[str, str], FoundTopic] = {}
    for cluster in _clusters(wanted):
        admin = AdminClient({**cluster.properties(), **QUIET})
        try:
            # All topics: asking for one by name may make it, on a cluster that creates topics on their first use.
            facts = admin.list_topics(timeout=timeout_s)
        except KafkaException as error:
            return Unreachable(cluster.bootstrap_servers, error.args[0].name())
        names = {one.name for one in wanted if one.cluster is cluster}
        topics = {name: topic for name, topic in facts.topics.items() if name in names and topic.error is None}
        configs = _configs(admin, sorted(topics), timeout_s) if _has_controller(facts) else {}
        for name, topic in topics.items():
            replicas = min((len(partition.replicas) for partition in topic.partitions.values()), default=0)
            found[cluster.bootstrap_servers, name] = FoundTopic(len(topic.partitions), replicas, configs.get(name))
    return found


def create_topics(steps: Sequence[ToCreate], timeout_s: float) -> Iterator[CreateOutcome]:
    """Make the topics, each on its cluster; what became of each. One that is there already counts as created."""
    for cluster in _clusters([step.wanted for step in steps]):
        ours = [step for step in steps if step.wanted.cluster is cluster]
        admin = AdminClient({**cluster.properties(), **QUIET})
        try:
            code = None if _has_controller(admin.list_topics(timeout=timeout_s)) else NO_CONTROLLER
        except KafkaException as error:
            code = error.args[0].name()
        if code is None:
            yield from _create(admin, ours, timeout_s)
        else:
            yield from (NotCreated(step.wanted.name, code) for step in ours)


def _create(admin: AdminClient, steps: Sequence[ToCreate], timeout_s: float) -> Iterator[CreateOutcome]:
    new = [
        NewTopic(
            step.wanted.name,
            num_partitions=step.partitions,
            replication_factor=step.replicas,
            config=dict(step.config),
        )
        for step in steps
    ]
    for name, future in admin.create_topics(new, operation_timeout=timeout_s, request_timeout=timeout_s).items():
        try:
            future.result()
        except KafkaException as refusal:
            error = refusal.args[0]
            if error.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                yield NotCreated(name, error.name())
                continue
        yield Created(name)


def _has_controller(facts: ClusterMetadata) -> bool:
    return facts.controller_id in facts.brokers


def _configs(admin: AdminClient, names: Sequence[str], timeout_s: float) -> dict[str, dict[str, str]]:
    """Per topic; one that may not be described is left out."""
    configs: dict[str, dict[str, str]] = {}
    if not names:
        return configs
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    for resource, future in admin.describe_configs(resources, request_timeout=timeout_s).items():
        try:
            entries = future.result()
        except KafkaException:
            continue
        configs[resource.name] = {key: entry.value for key, entry in entries.items() if entry.value is not None}
    return configs


def _clusters(wanted: Sequence[WantedTopic]) -> list[KafkaSettings]:
    return list({id(one.cluster): one.cluster for one in wanted}.values())
