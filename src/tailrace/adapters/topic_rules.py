"""Which topics a configuration needs, what each has to be like, and what is to be done about the difference. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tailrace.settings.budget import max_record_bytes, max_record_bytes_of
from tailrace.settings.kafka import KafkaSettings
from tailrace.settings.sinks import DurableTraceSettings
from tailrace.settings.tree import Settings

DEFAULT_PARTITIONS = 6
"""Of an events topic nobody has made yet, unless told otherwise. Six workers can share it; more partitions can be added
later, but then runs move to other partitions and their events are in order only from there on."""

WEEK_MS = 7 * 24 * 3_600_000
"""Kafka's default retention, taken for a topic that does not say."""

_BATCH_EXTRA_BYTES = 1_024
"""What `max.message.bytes` counts beside the record: it bounds the batch around it."""


class Role(StrEnum):
    EVENTS = "events"
    SINK = "sink"
    HEALTH = "health"
    DEAD_LETTERS = "dead letters"


@dataclass(frozen=True, slots=True)
class WantedTopic:
    """One topic of the configuration; `key` is where it is named, such as `sinks.analytics.topic`.

    `record_bytes` is the largest message that can go there; for the ledger, an entry is always smaller.
    """

    key: str
    role: Role
    name: str
    cluster: KafkaSettings
    record_bytes: int


@dataclass(frozen=True, slots=True)
class FoundTopic:
    """A topic as the cluster has it. `config` is None where the cluster cannot tell (librdkafka's mock)."""

    partitions: int
    replicas: int
    config: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about an existing topic that costs records (`breaks_promise`), or is only worth knowing."""

    breaks_promise: bool
    wrong: str
    remedy: str


@dataclass(frozen=True, slots=True)
class ToCreate:
    """The topic is missing; this is how it would be made. `replicas` -1 is the cluster's own default."""

    wanted: WantedTopic
    partitions: int
    replicas: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Existing:
    """The topic is there, with what is to be said about it."""

    wanted: WantedTopic
    found: FoundTopic
    remarks: tuple[Remark, ...]

    @property
    def fits(self) -> bool:
        return not any(remark.breaks_promise for remark in self.remarks)


TopicStep = ToCreate | Existing
Found = Mapping[tuple[str, str], FoundTopic]
"""By bootstrap servers and topic name."""


def wanted_topics(settings: Settings) -> tuple[WantedTopic, ...]:
    """Every topic this configuration reads or writes, the events first."""
    events, record_bytes = settings.events, max_record_bytes(settings.events)
    wanted = [WantedTopic("events.topic", Role.EVENTS, events.topic, settings.kafka, events.max_event_bytes)]
    wanted += [
        WantedTopic(
            f"sinks.{sink_id}.topic",
            Role.SINK,
            sink.topic,
            settings.cluster_of(sink_id),
            max_record_bytes_of(settings, sink_id),
        )
        for sink_id, sink in settings.sinks.items()
        if isinstance(sink, DurableTraceSettings)
    ]
    wanted.append(WantedTopic("health.topic", Role.HEALTH, settings.health.topic, settings.kafka, record_bytes))
    if (letters := settings.dead_letter.topic) is not None:
        wanted.append(WantedTopic("dead_letter.topic", Role.DEAD_LETTERS, letters, settings.kafka, record_bytes))
    return tuple(wanted)


def plan_topics(
    settings: Settings, found: Found, *, partitions: int | None = None, replicas: int = -1
) -> tuple[TopicStep, ...]:
    """One step per wanted topic.

    A topic to be made gets `partitions`, by default as many as the events topic has, so that one worker's sinks are
    spread as its events are. Nothing is ever deleted, shrunk or reconfigured: what is wrong with an existing topic is a
    remark with the command that mends it.
    """
    wanted = wanted_topics(settings)
    events = found.get((settings.kafka.bootstrap_servers, settings.events.topic))
    count = partitions or (events.partitions if events is not None else DEFAULT_PARTITIONS)
    needed_ms = _retention_needed_ms(wanted, found)
    steps: list[TopicStep] = []
    for one in wanted:
        topic = found.get((one.cluster.bootstrap_servers, one.name))
        if topic is None:
            steps.append(ToCreate(one, count, replicas, _config_of_new(one, needed_ms)))
        else:
            steps.append(Existing(one, topic, tuple(_remarks(one, topic, settings, needed_ms))))
    return tuple(steps)


def _config_of_new(one: WantedTopic, needed_ms: int) -> dict[str, str]:
    config = {"cleanup.policy": "delete"}
    if one.role is Role.HEALTH:
        config["retention.ms"] = str(needed_ms)
    else:
        config["max.message.bytes"] = str(one.record_bytes + _BATCH_EXTRA_BYTES)
    return config


def _retention_needed_ms(wanted: Sequence[WantedTopic], found: Found) -> int:
    """How long the ledger has to last: as long as the longest of the topics it speaks of. -1 is for ever."""
    longest = WEEK_MS
    for one in wanted:
        topic = found.get((one.cluster.bootstrap_servers, one.name))
        if topic is None or one.role not in (Role.EVENTS, Role.SINK):
            continue
        retention_ms = _retention_ms(topic)
        if retention_ms == -1:
            return -1
        longest = max(longest, retention_ms or 0)
    return longest


def _retention_ms(topic: FoundTopic) -> int | None:
    text = (topic.config or {}).get("retention.ms", "")
    return int(text) if text.removeprefix("-").isdecimal() else None


def _remarks(one: WantedTopic, topic: FoundTopic, settings: Settings, needed_ms: int) -> Iterator[Remark]:
    if topic.config is None:
        yield Remark(False, "its configuration could not be read", "Check cleanup.policy and retention.ms by hand")
        return
    if "compact" in topic.config.get("cleanup.policy", "delete"):
        yield Remark(True, _COMPACTED[one.role], f"{_alter(one)} --add-config cleanup.policy=delete")
    if one.role is Role.HEALTH:
        yield from _ledger_remarks(one, topic, needed_ms)
    yield from _size_remarks(one, topic, settings)
    if topic.replicas == 1:
        yield Remark(False, "one replica: the disk of its broker has the only copy", "Fine for trying out")


_COMPACTED: Mapping[Role, str] = {
    Role.EVENTS: "is compacted: an event of a run replaces the earlier ones before every sink has them",
    Role.SINK: "is compacted: of each run only the last record would stay",
    Role.HEALTH: "is compacted: of each sink and partition only the last entry would stay",
    Role.DEAD_LETTERS: "is compacted: of each partition only the last letter would stay",
}


def _ledger_remarks(one: WantedTopic, topic: FoundTopic, needed_ms: int) -> Iterator[Remark]:
    retention_ms = _retention_ms(topic)
    if retention_ms is not None and retention_ms != -1 and (needed_ms == -1 or retention_ms < needed_ms):
        yield Remark(
            True,
            f"keeps entries for {retention_ms} ms, the events or a sink longer ({needed_ms} ms, -1 is for ever): what "
            "is missing there could no longer be explained",
            f"{_alter(one)} --add-config retention.ms={needed_ms}",
        )
    if (topic.config or {}).get("retention.bytes", "-1") != "-1":
        yield Remark(
            True,
            "is bounded by size, so a busy day can remove entries before their time",
            f"{_alter(one)} --delete-config retention.bytes",
        )


def _size_remarks(one: WantedTopic, topic: FoundTopic, settings: Settings) -> Iterator[Remark]:
    limit = (topic.config or {}).get("max.message.bytes", "")
    if not limit.isdecimal():
        return
    if one.role is Role.EVENTS and int(limit) > settings.events.max_event_bytes + _BATCH_EXTRA_BYTES:
        yield Remark(
            False,
            f"takes events of up to {limit} bytes; above {settings.events.max_event_bytes} they count as undecodable",
            "Raise events.max_event_bytes if such events exist",
        )
    if one.role is Role.SINK and int(limit) < one.record_bytes:
        yield Remark(
            False,
            f"takes records of up to {limit} bytes; one of an event of {settings.events.max_event_bytes} bytes can be "
            f"larger, and would be a gap",
            f"{_alter(one)} --add-config max.message.bytes={one.record_bytes + _BATCH_EXTRA_BYTES}",
        )


def _alter(one: WantedTopic) -> str:
    server = one.cluster.bootstrap_servers.split(",")[0]
    return f"kafka-configs.sh --bootstrap-server {server} --alter --topic {one.name}"
