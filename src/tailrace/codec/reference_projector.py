"""The reference projector: what an event's bytes mean, decided by the plainest code that is strict enough.

It is the measure for any faster one behind the same port: same records, byte for byte, and the same verdict with the
same reason and field on whatever cannot be read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from threading import Lock

from tailrace.codec.event_steps import EventSteps
from tailrace.codec.framing import SchemaIds
from tailrace.codec.identifier_fields import IdentifierFields
from tailrace.codec.record_layout import EventFacts, RecordLayout
from tailrace.codec.reference_resolution import Mismatch, resolve_record
from tailrace.codec.reference_walker import RecordStep, Walk, WalkError
from tailrace.codec.schema_tree import Enum, Record, Union
from tailrace.codec.schemas import AGENT_EVENT, SchemaStore
from tailrace.domain.errors import SchemaInvalid
from tailrace.domain.identifiers import IdentifierPolicy
from tailrace.domain.kinds import CostStatus, EventFamily
from tailrace.domain.projected import (
    Projected,
    ProjectedRecord,
    ProjectorCounts,
    Undecodable,
    UndecodableReason,
    one_by_one,
)
from tailrace.domain.projection_rules import MisplacedUsage, plan

DEFAULT_MAX_EVENT_BYTES = 1024 * 1024
"""What Kafka's own defaults let through: message.max.bytes is 1 MiB and a little for the batch around a record."""

_ABSENT = b"\x00"  # the null branch, first in every optional field


class ReferenceProjector:
    """Turns an event's bytes into its telemetry records, or says why that cannot be done; never raises.

    Reads any writer schema that the store or the registry knows and that resolves to the current event schema. The walk
    is strict and its result canonical (`reference_walker`), every byte of the value is accounted for, and content is
    walked over unseen. Thread-safe.

    `events_topic` goes into every record's source. Values over `max_event_bytes` are not read at all. `ids` finds
    schemas by a registry's id. With `keep_content` the first record of an event with content brings the event along as
    it came, for sinks that may get content. `identifiers` says what stands
    in place of ids outside the grammar; selections go by the agent id as the event has it, which never leaves.
    """

    def __init__(
        self,
        events_topic: str,
        schemas: SchemaStore,
        *,
        ids: SchemaIds | None = None,
        max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES,
        keep_content: bool = False,
        identifiers: IdentifierPolicy | None = None,
    ) -> None:
        self._max_event_bytes = max_event_bytes
        self._keep_content = keep_content
        self._layout = RecordLayout(events_topic, schemas)
        self._steps = EventSteps(schemas, ids)
        self._event = self._steps.event
        self._facts = _FactReader(self._event)
        copied = frozenset(self._layout.copied.values())
        self._identifiers = IdentifierFields(self._event, copied, identifiers or IdentifierPolicy())
        self._usage_ignored = 0
        self._counting = Lock()

    @property
    def usage_ignored(self) -> int:
        """Events so far whose usage did not count because their family is newer than this version."""
        return self._usage_ignored

    def counts(self) -> ProjectorCounts:
        """It knows one way only: of these, it counts usage that was ignored."""
        return ProjectorCounts(usage_ignored=self._usage_ignored)

    def project(self, partition: int, offset: int, key: bytes | None, value: bytes | None) -> Projected:
        """The event's one to three records in rule order, or the reason there are none.

        `key` is kept for the dead letter only; a record is keyed by the run id that its event states.
        """
        try:
            return self._project(partition, offset, value)
        except WalkError as error:
            digest = sha256(value or b"").hexdigest()
            return Undecodable(partition, offset, error.reason, error.path, digest, key, value)

    def project_all(
        self,
        partition: int,
        offsets: Sequence[int],
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
    ) -> Sequence[Projected]:
        """As `project` for each of these events, which are columns of one length."""
        return one_by_one(self.project, partition, offsets, keys, values)

    def step_for(self, value: bytes) -> tuple[RecordStep, int]:
        """The walk for the schema that the value names, and where its body begins; WalkError when there is none."""
        return self._steps.step_for(value)

    def _project(self, partition: int, offset: int, value: bytes | None) -> tuple[ProjectedRecord, ...]:
        if value is None:
            raise WalkError(UndecodableReason.NULL_VALUE)
        if len(value) > self._max_event_bytes:
            raise WalkError(UndecodableReason.OVERSIZE)
        step, body_start = self.step_for(value)
        walk = Walk(value, body_start)
        fields = {field.name: piece for field, piece in zip(self._event.fields, step.read_fields(walk), strict=True)}
        if walk.position != len(value):
            raise WalkError(UndecodableReason.TRAILING_BYTES)
        facts = self._facts.read(fields)
        outcome = plan(
            facts.family,
            self._facts.event_kind(fields),
            terminal=fields["terminal"] == b"\x01",
            has_usage=fields["usage"] != _ABSENT,
            cost_status=self._facts.cost_status(fields),
        )
        if isinstance(outcome, MisplacedUsage):
            raise WalkError(UndecodableReason.MISPLACED_USAGE, "usage")
        if outcome.usage_ignored:
            with self._counting:
                self._usage_ignored += 1
        event = value if self._keep_content and fields["content"] != _ABSENT else None
        plain = self._identifiers.replaced(fields)
        shown = replace(self._facts.read(plain), agent_id=facts.agent_id)
        return self._layout.records(plain, shown, outcome.projections, partition, offset, event=event)


class _FactReader:
    """Reads the few facts that rules and records need as values, from canonical bytes under the event schema."""

    def __init__(self, event: Record) -> None:
        family = event.field("event_family").type
        cost = event.field("cost").type
        if not isinstance(family, Enum) or not isinstance(cost, Union) or not isinstance(cost.branches[1], Record):
            raise SchemaInvalid(AGENT_EVENT, "event_family, cost", "not_the_type_the_rules_know")
        self._families = tuple(EventFamily(symbol) for symbol in family.symbols)
        self._cost = cost.branches[1]
        step = resolve_record(self._cost, self._cost)
        status = self._cost.field("status").type
        if isinstance(step, Mismatch) or not isinstance(status, Enum):
            raise SchemaInvalid(AGENT_EVENT, "cost.status", "not_the_type_the_rules_know")
        self._cost_step = step
        self._statuses = tuple(CostStatus(symbol) for symbol in status.symbols)

    def read(self, fields: Mapping[str, bytes]) -> EventFacts:
        journal = fields["journal_cursor"]
        return EventFacts(
            family=self._families[_number(fields["event_family"])],
            event_id=_text(fields["event_id"]),
            event_seq=_number(fields["event_seq"]),
            run_id=_text(fields["run_id"]),
            agent_id=_text(fields["agent_id"]),
            journal_cursor=None if journal == _ABSENT else _text(journal[1:]),
        )

    def event_kind(self, fields: Mapping[str, bytes]) -> str:
        return _text(fields["event_kind"])

    def cost_status(self, fields: Mapping[str, bytes]) -> CostStatus | None:
        """None when the event carries no cost."""
        cost = fields["cost"]
        if cost == _ABSENT:
            return None
        names = [field.name for field in self._cost.fields]
        pieces = dict(zip(names, self._cost_step.read_fields(Walk(cost, len(_ABSENT))), strict=True))
        return self._statuses[_number(pieces["status"])]


def _number(piece: bytes) -> int:
    return Walk(piece, 0).int64()


def _text(piece: bytes) -> str:
    walk = Walk(piece, 0)
    return walk.take(walk.int64()).decode()
