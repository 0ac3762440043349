"""What can be set per sink. The keys every kind shares, then one class per kind; a new kind is one more class here."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from tailrace.domain.kinds import EventFamily, OverflowPolicy, ProjectionKind, SinkKind
from tailrace.domain.selection import Selection
from tailrace.settings.content import ContentSettings
from tailrace.settings.kafka import KafkaSettings
from tailrace.settings.values import Count, PositiveCount, Section, StartAt, TopicName, unusable

KIB = 1024
MIB = 1024 * KIB

# `sink_health` and `repair_cursor` exist in-process only: a sink that selected them alone would get nothing, silently.
SelectableKind = Literal[
    ProjectionKind.PROGRESS,
    ProjectionKind.RUN_TERMINAL,
    ProjectionKind.USAGE,
    ProjectionKind.COST_ESTIMATE,
    ProjectionKind.COST_CORRECTION,
]


def _shared_intake_only(value: object) -> object:
    if value == "own":
        raise unusable(
            "an intake of its own comes with exactly-once delivery, which this version does not have",
            "Write shared, or leave the key out",
        )
    return value


class BufferSettings(Section):
    """What one lane may hold in memory; both bounds hold at once."""

    capacity_records: Annotated[PositiveCount, Field(description="Most records the buffer holds.")] = 20_000
    capacity_bytes: Annotated[PositiveCount, Field(description="Most bytes of keys and values it holds.")] = 32 * MIB
    reserve_records: Annotated[
        PositiveCount | None,
        Field(description="Room only terminal-preserved records may use; a sixteenth of capacity_records if not set."),
    ] = None

    @model_validator(mode="after")
    def _leave_room_for_progress(self) -> "BufferSettings":
        if self.reserve >= self.capacity_records:
            raise unusable(
                f"reserve_records {self.reserve} leaves no room for progress in capacity_records "
                f"{self.capacity_records}",
                "Lower reserve_records or raise capacity_records",
            )
        return self

    @property
    def reserve(self) -> int:
        """Records of the capacity that progress may not use; at least 1."""
        return self.reserve_records if self.reserve_records is not None else max(1, self.capacity_records // 16)


class BatchSettings(Section):
    """When a lane stops collecting and exports: whichever of the three comes first, or an offer without room."""

    # A lane has one batch on its way, so each costs it a round trip: batches of 2 500 records got 1.12 times as many
    # events per second through as those of 1 000, at 0.95 of the processor time [measured: medians of nine paired runs,
    # from 0.96 to 1.35 times; three Kafka sinks, records of 500 bytes]. With 5 000 it was 1.10 times as many again in
    # five, and twice as much to send again after a crash.
    records: Annotated[PositiveCount, Field(description="Most records of one export.")] = 2_500
    bytes: Annotated[PositiveCount, Field(description="Most bytes of one export; a larger record goes alone.")] = (
        2 * MIB
    )
    linger_ms: Annotated[Count, Field(description="Longest wait for more records once there is one.")] = 50


class SelectionSettings(Section):
    """What the sink wants, as lists of what to include; an empty list includes everything."""

    kinds: Annotated[tuple[SelectableKind, ...], Field(description="Kinds of telemetry record.")] = ()
    families: Annotated[tuple[EventFamily, ...], Field(description="Families of the event behind the record.")] = ()
    agents: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1)], ...], Field(description="Agent ids, exactly as written.")
    ] = ()

    def rule(self) -> Selection:
        return Selection(kinds=frozenset(self.kinds), families=frozenset(self.families), agents=frozenset(self.agents))


class LaneSettings(Section):
    """The keys that every kind of sink has. All defaults, it is also the lane of dead letters, which has no keys."""

    overflow: Annotated[
        OverflowPolicy | None,
        Field(
            description="What a full buffer does; by default what suits the kind: replay_from_log for what has to be "
            "complete, drop_non_terminal_progress for what only shows."
        ),
    ] = None
    buffer: Annotated[BufferSettings, Field(description="The lane's buffer.")] = BufferSettings()
    batch: Annotated[BatchSettings, Field(description="How much one export takes.")] = BatchSettings()
    max_ahead_records: Annotated[
        PositiveCount,
        Field(
            description="How many events the lane may be beyond its cursors, all partitions together, while the sink "
            "or the ledger does not answer."
        ),
    ] = 100_000
    start_at: Annotated[
        StartAt, Field(description="Where the sink begins when the topic has never had a cursor of it.")
    ] = "earliest"
    selection: Annotated[SelectionSettings, Field(description="Which records the sink wants.")] = SelectionSettings()
    content: Annotated[ContentSettings, Field(description="How much content the sink may get; none by default.")] = (
        ContentSettings()
    )
    catch_up_max_events_per_s: Annotated[
        PositiveCount,
        Field(description="Fastest re-reading of the log while others are live; less if they need all the time."),
    ] = 10_000
    delivery_timeout_ms: Annotated[
        int, Field(ge=1_000, le=3_600_000, description="Longest wait for one export before it counts as failed.")
    ] = 30_000
    intake: Annotated[
        Literal["shared"],
        BeforeValidator(_shared_intake_only),
        Field(description="Who reads events for this sink: the intake all sinks share."),
    ] = "shared"

    def for_worker(self, number: int) -> Self:
        """These settings for one of several workers of a machine; a sink whose workers would collide overrides it."""
        del number
        return self


class DurableTraceSettings(LaneSettings):
    """A Kafka topic, keyed by run id: complete, in order, re-readable."""

    kind: Literal[SinkKind.DURABLE_TRACE]
    topic: Annotated[TopicName, Field(description="The topic to write to.", examples=["telemetry.analytics"])]
    kafka: Annotated[
        KafkaSettings | None, Field(description="The sink's own cluster; the events' cluster if not set.")
    ] = None

    @property
    def overflow_policy(self) -> OverflowPolicy:
        return self.overflow or OverflowPolicy.REPLAY_FROM_LOG


class LocalDiagnosticSettings(LaneSettings):
    """JSON lines in a local file, for a person with a problem: bounded on disk, and not meant to be complete."""

    kind: Literal[SinkKind.LOCAL_DIAGNOSTIC]
    path: Annotated[
        Path,
        Field(description="The file being written; older ones get .1, .2, … at the end.", examples=["d.jsonl"]),
    ]
    rotate_bytes: Annotated[
        int, Field(ge=64 * KIB, description="Largest size of one file; a record longer than this is refused.")
    ] = 16 * MIB
    keep_files: Annotated[int, Field(ge=2, le=1_000, description="Files in all, the one being written included.")] = 4

    @property
    def overflow_policy(self) -> OverflowPolicy:
        return self.overflow or OverflowPolicy.DROP_NON_TERMINAL_PROGRESS

    @property
    def total_bytes(self) -> int:
        """The most this sink of one worker ever takes on disk."""
        return self.rotate_bytes * self.keep_files

    def for_worker(self, number: int) -> Self:
        """With a file of its own for each worker: a second writer would be kept out by the first one's lock."""
        name = f"{self.path.stem}.worker-{number}{self.path.suffix}"
        return self.model_copy(update={"path": self.path.with_name(name)})

    @property
    def plain_path(self) -> Path:
        """The path without a worker's number: what `for_worker` gave one to, or could give one to."""
        return self.path.with_name(_WORKER_NUMBER.sub("", self.path.name))


_WORKER_NUMBER = re.compile(r"(?<=.)\.worker-[0-9]+(?=(\.[^.]+)?$)")


Step = Annotated[str, StringConstraints(pattern=r"^(accept|refuse|retry(:\d{1,6}(\.\d{1,3})?)?)$")]


class TestSinkSettings(LaneSettings):
    """A sink without a destination that does what its script says; for rehearsing outages."""

    __test__ = False  # the name is the kind's; pytest is not to collect it

    kind: Literal[SinkKind.TEST]
    script: Annotated[
        tuple[Step, ...],
        Field(
            description="One outcome per export, in order: accept, refuse, retry, or retry:SECONDS for a sink that "
            "names a delay. Empty: accept."
        ),
    ] = ()
    repeat: Annotated[bool, Field(description="Begin again at the script's end; else accept from there on.")] = False

    @property
    def overflow_policy(self) -> OverflowPolicy:
        return self.overflow or OverflowPolicy.REPLAY_FROM_LOG


SinkSettings = Annotated[DurableTraceSettings | LocalDiagnosticSettings | TestSinkSettings, Field(discriminator="kind")]
