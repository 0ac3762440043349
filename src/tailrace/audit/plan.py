"""What an audit is told: where events, sinks, cursors and ledger are, and what each sink was meant to get.

Plain values, so that a test, the demo or another program can state them without tailrace's configuration.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tailrace.audit.content import OFF
from tailrace.audit.identifiers import Identifiers

Property = str | int | float | bool

DEFAULT_MAX_EVENT_BYTES = 1024 * 1024
"""What a worker takes at most unless told otherwise (docs/DESIGN.md, Configuration)."""

DEFAULT_MAX_LATE_RECORDS = 1_000
"""A worker that was cut off finishes the batch under way, which has this many records unless told otherwise."""

DEFAULT_DEAD_LETTER_LANE = "dead_letter"
"""The id of the lane that writes dead letters: its cursors are in `<group>.dead_letter`."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """How to reach one Kafka cluster, as librdkafka properties. Never printed: they may hold secrets."""

    properties: Mapping[str, Property] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Selection:
    """What a sink wants: include-lists, of which an empty one includes everything; all three must agree."""

    kinds: frozenset[str] = frozenset()
    families: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()

    def admits(self, kind: str, family: str, agent: str) -> bool:
        return (
            (not self.kinds or kind in self.kinds)
            and (not self.families or family in self.families)
            and (not self.agents or agent in self.agents)
        )


@dataclass(frozen=True, slots=True)
class KafkaDestination:
    """A topic of telemetry records; `cluster` None means the cluster of the events."""

    topic: str
    cluster: Cluster | None = None


@dataclass(frozen=True, slots=True)
class FileDestination:
    """JSON lines in `path`, the older files in `path.1` up to `path.<keep_files - 1>`, oldest last."""

    path: Path
    keep_files: int = 4


@dataclass(frozen=True, slots=True)
class NoDestination:
    """Nothing that could be read back: only cursor and ledger of this sink can be proved."""


Destination = KafkaDestination | FileDestination | NoDestination


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkPlan:
    """One sink.

    `start_at` is what the sink is told now for a topic it has never met. `config_digest` is that of a lane start under
    the present configuration, `earlier_selections` holds, by such digests, what the sink wanted before. What a lane
    wanted that started under any other digest nobody knows; where `config_digest` is None, it wanted `selection`.
    `max_resent_offsets` is the most source offsets that one re-sent stretch may span, None for no bound.
    `max_late_records` are the most that a worker which was cut off may bring beside its successor. `may_drop`:
    the sink's overflow policy gives records up; without it, records that come late after a restart are a finding.
    `content_mode` is the most of an event's content that the sink may have been granted under any configuration told.
    """

    sink_id: str
    destination: Destination
    selection: Selection = Selection()
    config_digest: str | None = None
    earlier_selections: Mapping[str, Selection] = field(default_factory=dict)
    start_at: Literal["earliest", "latest"] = "earliest"
    max_resent_offsets: int | None = None
    max_late_records: int = DEFAULT_MAX_LATE_RECORDS
    may_drop: bool = True
    content_mode: str = OFF


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterPlan:
    """The dead letters, on the cluster of the events. With `raw`, letters hold raw keys and values on purpose.

    `config_digest`: see `SinkPlan`.
    """

    topic: str
    lane_id: str = DEFAULT_DEAD_LETTER_LANE
    raw: bool = False
    config_digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPlan:
    """Everything an audit reads. The cursors of a sink are the committed offsets of `<group>.<sink id>`.

    `schema_directories` hold the `*.avsc` files that events and records may have been written with; empty means the
    ones that tailrace ships. `identifiers` hold a secret, so a plan's JSON form goes without.
    """

    cluster: Cluster
    events_topic: str
    group: str
    health_topic: str
    sinks: tuple[SinkPlan, ...]
    dead_letter: DeadLetterPlan | None = None
    max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES
    schema_directories: tuple[Path, ...] = ()
    identifiers: Identifiers = field(default_factory=Identifiers)

    def cursor_group(self, sink_id: str) -> str:
        return f"{self.group}.{sink_id}"


@dataclass(frozen=True, slots=True)
class Omission:
    """One record that the audit pretends not to have read: how a test sees that a missing record is found.

    Without an offset it is the sink's first record below its cursor; without a kind, the first of that offset.
    """

    sink_id: str
    partition: int | None = None
    offset: int | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditOptions:
    """How strict to be.

    - `min_events`: fewer readable events than this is a finding, so that an empty topic proves nothing by accident.
    - `require_complete`: every sink has to be at the end of the log, and nothing may be beyond proof in the topics.
    - `expect_no_duplicates`: any record that a sink has twice is a finding, explained or not.
    - `canaries`: bytes that must not occur in any sink, health record or dead letter, as they are or as JSON spells
      them.
    """

    min_events: int = 0
    require_complete: bool = False
    expect_no_duplicates: bool = False
    canaries: tuple[bytes, ...] = field(default=(), repr=False)
    omissions: tuple[Omission, ...] = ()
