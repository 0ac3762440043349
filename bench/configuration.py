"""The configuration under measurement: the shipped defaults, with nothing but names and addresses filled in."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tailrace.settings import Settings, load
from tests.kafka.broker import Kafka

PARTITIONS = 4

SINK_IDS = ("analytics", "archive", "billing")

MORE_SINK_IDS = ("debugging", "evaluation", "forecasts", "guardrails", "history")


def sink_ids(count: int) -> tuple[str, ...]:
    """Ids of this many Kafka sinks, at most eight."""
    return (*SINK_IDS, *MORE_SINK_IDS)[:count]


@dataclass(frozen=True, slots=True)
class Names:
    """The topics and the group of one run. Runs that share the events have names of their own for all else."""

    events: str
    run: str

    @classmethod
    def fresh(cls) -> "Names":
        events = f"bench-{uuid.uuid4().hex[:8]}"
        return cls(events, f"{events}.1")

    def again(self, number: int) -> "Names":
        return Names(self.events, f"{self.events}.{number}")

    @property
    def health(self) -> str:
        return f"{self.run}.health"

    @property
    def dead_letters(self) -> str:
        return f"{self.run}.dead-letters"

    def sink(self, sink_id: str) -> str:
        return f"{self.run}.{sink_id}"


def write(
    file: Path,
    kafka: Kafka,
    names: Names,
    sinks: Mapping[str, Mapping[str, Any]],
    worker: Mapping[str, Any] | None = None,
    *,
    events: Mapping[str, Any] | None = None,
) -> Settings:
    """Write the configuration, and load it as the worker will."""
    tree: dict[str, Any] = {
        "kafka": {"bootstrap_servers": kafka.bootstrap},
        "events": {"topic": names.events, "group": names.run, **(events or {})},
        "health": {"topic": names.health},
        "dead_letter": {"topic": names.dead_letters},
        "sinks": {sink_id: dict(keys) for sink_id, keys in sinks.items()},
        "logs": {"format": "json"},
        **({"worker": dict(worker)} if worker else {}),
    }
    file.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    settings, _ = load(file, {})
    return settings


def create_topics(kafka: Kafka, names: Names, sinks: tuple[str, ...]) -> None:
    """The topics a run writes to."""
    kafka.create_topic(names.health, 1)
    kafka.create_topic(names.dead_letters, 1)
    for sink_id in sinks:
        topic = names.sink(sink_id)
        # Its records carry the time at which the broker had them, and nothing is ever removed from it.
        kafka.create_topic(
            topic, PARTITIONS, message_timestamp_type="LogAppendTime", retention_ms=-1, retention_bytes=-1
        )


def create_events_topic(kafka: Kafka, names: Names) -> None:
    """The events topic, which nothing is ever removed from."""
    kafka.create_topic(names.events, PARTITIONS, retention_ms=-1, retention_bytes=-1)
