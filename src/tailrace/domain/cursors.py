"""Places: in a run's journal, in an event stream, in an archive, in the accounts; and how far one sink has got.

A *source cursor* says where a fact came from, an *export cursor* what one sink has taken. The two are different types
on purpose: reading the source again from an export position, or the other way round, would lose or repeat events.
"""

from dataclasses import dataclass, replace
from typing import Annotated

from tailrace.domain.fields import Checked, Count, Identifier
from tailrace.domain.json_form import NamedCase, Tagged, Transparent


@dataclass(frozen=True, slots=True)
class AllEvents(Checked):
    """The stream of every event."""


@dataclass(frozen=True, slots=True)
class RunScope(Checked):
    """The stream of one run's events."""

    run_id: Identifier


@dataclass(frozen=True, slots=True)
class AgentScope(Checked):
    """The stream of one agent's events."""

    agent_id: Identifier


@dataclass(frozen=True, slots=True)
class FilterScope(Checked):
    """The stream a filter lets through; the fingerprint tells whether the filter is still the same one."""

    filter_id: str
    filter_fingerprint: str


EventStreamScope = Annotated[
    AllEvents | RunScope | AgentScope | FilterScope,
    NamedCase({"all": AllEvents, "run": RunScope, "agent": AgentScope, "filter": FilterScope}),
]


@dataclass(frozen=True, slots=True)
class JournalCursor(Checked, Transparent):
    """A place in a run's durable journal."""

    position: Identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCursor(Checked):
    """A place in an event stream: sequence and id of the event that stands there."""

    scope: EventStreamScope
    event_seq: Count
    event_id: Identifier
    journal_cursor: JournalCursor | None = None


@dataclass(frozen=True, slots=True)
class ArchiveCursor(Checked, Transparent):
    """A place in an archive of events; in a worker `<topic>/<partition>/<offset>` of the events topic."""

    position: str


@dataclass(frozen=True, slots=True)
class UsageCursor(Checked, Transparent):
    """The usage record a fact was derived from."""

    usage_record_id: str


@dataclass(frozen=True, slots=True)
class CostCursor(Checked, Transparent):
    """The cost record a fact was derived from."""

    cost_record_id: str


SourceCursor = Annotated[
    JournalCursor | EventCursor | ArchiveCursor | UsageCursor | CostCursor,
    Tagged(
        "type",
        "cursor",
        {
            "journal": JournalCursor,
            "event": EventCursor,
            "archive": ArchiveCursor,
            "usage": UsageCursor,
            "cost": CostCursor,
        },
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportCursor(Checked):
    """How far one sink has got; `export_seq` counts its acknowledgements and is 0 before the first."""

    sink_id: str
    export_seq: Count = 0
    last_acknowledged_source: SourceCursor | None = None
    last_attempted_source: SourceCursor | None = None
    sink_dedupe_key: Identifier | None = None

    def attempted(self, source: SourceCursor | None) -> "ExportCursor":
        """The cursor to show a sink while `source` is being exported; nothing is acknowledged by it."""
        return replace(self, last_attempted_source=source)

    def acknowledged(self, source: SourceCursor | None) -> "ExportCursor":
        """The cursor once the sink has `source`: the sequence is one higher, and no attempt is open."""
        return replace(
            self, export_seq=self.export_seq + 1, last_acknowledged_source=source, last_attempted_source=None
        )
