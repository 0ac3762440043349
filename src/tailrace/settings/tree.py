"""The whole configuration as one frozen tree. Its attribute names are the keys of the file."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from tailrace.domain.capture_policy import SinkContentPolicy
from tailrace.domain.privacy import ContentCaptureMode
from tailrace.domain.sinks import SinkSpec
from tailrace.settings.capture import CaptureSettings
from tailrace.settings.identifiers import IdentifierSettings
from tailrace.settings.kafka import KafkaSettings
from tailrace.settings.sinks import MIB, DurableTraceSettings, SinkSettings
from tailrace.settings.values import (
    FROZEN,
    Count,
    GroupName,
    PositiveCount,
    PositiveSeconds,
    Section,
    SinkId,
    TopicName,
)

DRAIN_SHARE_OF_SESSION = 0.4
"""Half would be the latest; the commit that ends a drain needs the rest of it."""


class EventsSettings(Section):
    """The topic that agents write to, and how this worker reads it."""

    topic: Annotated[TopicName, Field(description="The events topic.", examples=["agent.events"])]
    group: Annotated[
        GroupName,
        Field(
            description="The workers' consumer group; each sink's cursors are in <group>.<sink id>.",
            examples=["tailrace"],
        ),
    ]
    session_timeout_ms: Annotated[
        int,
        # Both ends are Kafka's own defaults for what a broker accepts of a member.
        Field(ge=6_000, le=1_800_000, description="How long a worker may be silent before its partitions move on."),
    ] = 45_000
    max_event_bytes: Annotated[
        int, Field(ge=1_024, le=512 * MIB, description="Largest event; a larger one counts as undecodable.")
    ] = 1 * MIB
    poison_limit: Annotated[
        Count, Field(description="Undecodable events in a row after which their partition is paused; 0 for never.")
    ] = 100
    fetch_kbytes: Annotated[
        int, Field(ge=1_024, le=2_097_151, description="Most fetched and not yet projected events, in KiB.")
    ] = 16_384


class HealthSettings(Section):
    """The ledger: gaps, failures, recoveries, lane starts and progress marks."""

    topic: Annotated[TopicName, Field(description="The health topic, on the events' cluster.")] = "telemetry.health"
    mark_interval_s: Annotated[
        PositiveSeconds, Field(description="How often each sink's progress on each partition is written down.")
    ] = 10.0
    reminder_interval_s: Annotated[
        PositiveSeconds, Field(description="How often a sink that stays failed says so again.")
    ] = 300.0


class DeadLetterSettings(Section):
    """Where events go that nobody could decode, and records one sink refuses for ever."""

    topic: Annotated[
        TopicName | None,
        Field(description="The dead-letter topic, on the events' cluster; none if not set: gaps only."),
    ] = None
    raw: Annotated[
        bool, Field(description="Keep raw key and value. They may hold content of agents and their users.")
    ] = False


class WorkerSettings(Section):
    """How the process as a whole behaves."""

    shutdown_deadline_s: Annotated[
        PositiveSeconds, Field(description="Longest clean stop; partitions that move to another worker drain in less.")
    ] = 20.0
    detach_after_ms: Annotated[
        PositiveCount, Field(description="Longest wait of the others for a full sink before it reads the log alone.")
    ] = 2_000
    commit_interval_ms: Annotated[PositiveCount, Field(description="How often cursors are committed.")] = 1_000
    memory_limit_bytes: Annotated[
        PositiveCount, Field(description="A configuration by which one worker could take more is refused.")
    ] = 2_048 * MIB
    client_id: Annotated[
        str,
        Field(min_length=1, max_length=128, pattern=r"^[a-zA-Z0-9._-]+$", description="This worker's name for Kafka."),
    ] = "tailrace"
    projector: Annotated[
        Literal["native", "compiled", "reference"],
        Field(
            description="Same records from all: native is compiled, and in machine code where numba is installed;"
            " reference is plain and twenty times as slow."
        ),
    ] = "native"


class LogSettings(Section):
    """Life-cycle lines on standard error."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="The least severe line to write.")
    ] = "info"
    format: Annotated[
        Literal["auto", "json", "console"], Field(description="auto: console on a terminal, else JSON lines.")
    ] = "auto"


class Settings(BaseSettings):
    """Everything a worker is told. Frozen: what was loaded is what runs.

    `load` reads it from a file and the environment. Constructed directly, it takes its keyword arguments and nothing
    else: a test or an embedding program does not inherit the shell it was started from.
    """

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=False, title="tailrace configuration"
    )

    kafka: Annotated[KafkaSettings, Field(description="The cluster of the events.")]
    events: Annotated[EventsSettings, Field(description="What is read.")]
    health: Annotated[HealthSettings, Field(description="What is written about the work itself.")] = HealthSettings()
    dead_letter: Annotated[
        DeadLetterSettings, Field(description="What happens to what cannot be decoded or delivered.")
    ] = DeadLetterSettings()
    sinks: Annotated[
        Mapping[SinkId, SinkSettings], *FROZEN, Field(min_length=1, description="The destinations, by their ids.")
    ]
    capture: Annotated[
        CaptureSettings,
        Field(description="What may happen to what agents and their users said.", default_factory=CaptureSettings),
    ]
    identifiers: Annotated[
        IdentifierSettings,
        Field(description="What stands in place of ids outside the grammar.", default_factory=IdentifierSettings),
    ]
    worker: Annotated[WorkerSettings, Field(description="The process as a whole.")] = WorkerSettings()
    logs: Annotated[LogSettings, Field(description="What the process says on standard error.")] = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @property
    def drain_s(self) -> float:
        """The longest that partitions take to move to another worker; always below half the session timeout.

        A drain that outlasts the session ends in partitions lost with their cursors uncommitted.
        """
        return min(self.worker.shutdown_deadline_s, DRAIN_SHARE_OF_SESSION * self.events.session_timeout_ms / 1_000)

    def cluster_of(self, sink_id: str) -> KafkaSettings:
        """The cluster a sink writes to: its own if it has one, else the events'. KeyError for an unknown sink."""
        sink = self.sinks[sink_id]
        return sink.kafka if isinstance(sink, DurableTraceSettings) and sink.kafka is not None else self.kafka

    @property
    def captures(self) -> bool:
        """Whether any sink is to get anything of content, be it facts about it only."""
        return any(sink.content.mode is not ContentCaptureMode.OFF for sink in self.sinks.values())

    def sink_spec(self, sink_id: str) -> SinkSpec:
        """What a sink declares to the gates: its id, kind and content mode. KeyError for an unknown sink."""
        sink = self.sinks[sink_id]
        return SinkSpec(
            sink_id=sink_id,
            sink_kind=sink.kind,
            content_capture=sink.content.mode,
            queue_capacity=sink.buffer.capacity_records,
            terminal_reserve=sink.buffer.reserve,
        )

    def content_policy(self, sink_id: str) -> SinkContentPolicy | None:
        """The policy of a sink, None if its mode is off.

        KeyError for an unknown sink, and in settings that `load` would have refused, for a policy or key that is not
        there.
        """
        content = self.sinks[sink_id].content
        if content.mode is ContentCaptureMode.OFF or content.policy is None:
            return None
        return self.capture.policy(content.policy)

    def for_worker(self, number: int) -> "Settings":
        """What the worker of this number runs with, where several on one machine share a configuration."""
        sinks = {sink_id: sink.for_worker(number) for sink_id, sink in self.sinks.items()}
        return self.model_copy(update={"sinks": MappingProxyType(sinks)})

    def cursor_group(self, sink_id: str) -> str:
        """The consumer group that holds this sink's committed offsets."""
        return f"{self.events.group}.{sink_id}"
