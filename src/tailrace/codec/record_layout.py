"""How telemetry records are put together from an event's encoded fields, whoever walked the event.

    frame │ fixed by the rules │ projection_id, source, source_cursor │ the event's own bytes │ what depends on the sink
          │  one per outcome   │              computed                │        copied         │       the tail

The order of fields is the schema's; only the names are known here. That what is copied has the same type in both
schemas is checked when a layout is made.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tailrace.codec.encoding import encode_value
from tailrace.codec.framing import single_object_frame
from tailrace.codec.schema_tree import Record
from tailrace.codec.schemas import AGENT_EVENT, TELEMETRY_RECORD, SchemaStore, record_tree
from tailrace.domain.errors import SchemaInvalid
from tailrace.domain.kinds import EventFamily, ProjectionKind
from tailrace.domain.projected import ProjectedRecord, record_of
from tailrace.domain.projection_rules import PlannedProjection

PROJECTOR_VERSION: Final = 1
"""Version of the rules and the layout: higher whenever the same event bytes would give other record bytes behind the
frame. (The frame names the schema, and a compatible schema by itself changes nothing that a record says.) A lane start
writes it down, so that an audit knows which records to expect."""

FIRST_TAIL_FIELD: Final = "content_capture"
"""From here on the record's fields depend on the sink."""

_COMPUTED = frozenset({"projection_id", "source", "source_cursor", "event_cursor"})

# Where the record calls something of the event by another name: its own `source` is a place on Kafka.
_EVENT_NAMES = {"source_ref": "source"}

# A sink that gets no content: nothing was asked for, so there is no decision to tell either.
_NO_CONTENT: Mapping[str, object] = {"content_capture": "off", "capture": None, "content": None}

# What the rules alone decide.
_FIXED: Mapping[str, Callable[[PlannedProjection], object]] = {
    "schema_version": lambda _: 1,
    "projector_version": lambda _: PROJECTOR_VERSION,
    "projection_kind": lambda projection: projection.kind.value,
    "retention": lambda _: "run_scoped",
    "destination": lambda projection: {"kind": "telemetry", "id": projection.destination_id},
    "terminal_status": lambda projection: projection.terminal_status,
    "usage_scope": lambda projection: projection.usage_scope,
    "sink_health": lambda _: None,
    "redacted_summary": lambda projection: projection.summary,
}


@dataclass(frozen=True, slots=True)
class EventFacts:
    """What has to be known of an event, besides its encoded fields, to put its records together."""

    family: EventFamily
    event_id: str
    event_seq: int
    run_id: str
    agent_id: str
    journal_cursor: str | None


class RecordLayout:
    """Makes the records of one events topic. Immutable; any thread.

    `record` is their schema, `frame` what every value begins with. Its fields are `prefix_names` and then `tail_names`,
    in that order; `copied` says which field of the event a record's field is copied from, `no_content` holds the fields
    of a sink that gets no content, encoded.

    Raises SchemaInvalid when a field that is to be copied is missing from the event or has another type there: the
    schemas and this version of the code do not belong together.
    """

    def __init__(self, events_topic: str, schemas: SchemaStore) -> None:
        self.topic = events_topic
        self.record = record_tree(schemas.telemetry_record, TELEMETRY_RECORD)
        self.frame = single_object_frame(schemas.telemetry_record)
        names = [field.name for field in self.record.fields]
        tail_start = names.index(FIRST_TAIL_FIELD)
        self.prefix_names, self.tail_names = names[:tail_start], names[tail_start:]
        self.no_content = self._encode(_NO_CONTENT)
        filled = {*_COMPUTED, *_NO_CONTENT, *_FIXED}
        self.copied = {name: _EVENT_NAMES.get(name, name) for name in names if name not in filled}
        self._refuse_unequal_types(record_tree(schemas.agent_event, AGENT_EVENT))
        # The outcomes of the rules are few, and each is encoded once. Two threads may both do it; they agree.
        self._fixed: dict[PlannedProjection, dict[str, bytes]] = {}

    def records(
        self,
        fields: Mapping[str, bytes],
        facts: EventFacts,
        planned: Sequence[PlannedProjection],
        partition: int,
        offset: int,
        *,
        event: bytes | None = None,
    ) -> tuple[ProjectedRecord, ...]:
        """One framed record per planned projection, in that order; `event` goes along with the first.

        `fields` are the event's fields by name, each in canonical bytes under the current event schema.
        """
        shared = {ours: fields[theirs] for ours, theirs in self.copied.items()} | self.no_content
        key = facts.run_id.encode()
        made: list[ProjectedRecord] = []
        for projection in planned:
            pieces = shared | self.fixed_pieces(projection) | self._computed(projection, facts, partition, offset)
            record = record_of(
                partition=partition,
                offset=offset,
                kind=projection.kind,
                run_key=facts.run_id,
                family=facts.family.value,
                agent_id=facts.agent_id,
                key=key,
                prefix=self.frame + b"".join([pieces[name] for name in self.prefix_names]),
                tail=b"".join([pieces[name] for name in self.tail_names]),
                event=None if made else event,
            )
            made.append(record)
        return tuple(made)

    def _computed(
        self, projection: PlannedProjection, facts: EventFacts, partition: int, offset: int
    ) -> dict[str, bytes]:
        return self._encode(
            {
                "projection_id": projection.projection_id(facts.event_id),
                "source": {"topic": self.topic, "partition": partition, "offset": offset},
                "source_cursor": self._source_cursor(projection, facts, partition, offset),
                "event_cursor": {"scope": "run", "event_id": facts.event_id, "event_seq": facts.event_seq},
            }
        )

    def _source_cursor(
        self, projection: PlannedProjection, facts: EventFacts, partition: int, offset: int
    ) -> dict[str, object]:
        """The journal's position; without a journal usage names the event, and everything else its place on Kafka."""
        if facts.journal_cursor is not None:
            return {"type": "journal", "cursor": facts.journal_cursor}
        if projection.kind is ProjectionKind.USAGE:
            return {"type": "event", "cursor": facts.event_id, "event_seq": facts.event_seq}
        return {"type": "archive", "cursor": f"{self.topic}/{partition}/{offset}"}

    def fixed_pieces(self, projection: PlannedProjection) -> dict[str, bytes]:
        """Everything that the rules alone decide; an amount that belongs to another projection of the event is null."""
        pieces = self._fixed.get(projection)
        if pieces is None:
            values = {name: value(projection) for name, value in _FIXED.items()}
            absent = {"usage": projection.carries_usage, "cost": projection.carries_cost}
            values |= {name: None for name, carried in absent.items() if not carried}
            pieces = self._fixed[projection] = self._encode(values)
        return pieces

    def _encode(self, values: Mapping[str, object]) -> dict[str, bytes]:
        return {name: encode_value(self.record.field(name).type, value, name) for name, value in values.items()}

    def _refuse_unequal_types(self, event: Record) -> None:
        types = {field.name: field.type for field in event.fields}
        for ours, theirs in self.copied.items():
            if types.get(theirs) != self.record.field(ours).type:
                raise SchemaInvalid(TELEMETRY_RECORD, ours, "not_the_type_it_has_in_the_event")
