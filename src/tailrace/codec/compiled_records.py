"""What is known of records before any event comes, in the form that generated functions look it up in.

The rules decide by five facts, and a function has four of them as small numbers: so every outcome is worked out here,
by the rules themselves (`domain/projection_rules.py`), and an event costs a look-up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final

from tailrace.codec.compiled_pieces import Constant, Expression, Piece, written
from tailrace.codec.encoding import encode_long, encode_string
from tailrace.codec.record_layout import RecordLayout
from tailrace.codec.reference_resolution import Mismatch, resolve_record
from tailrace.codec.reference_walker import Walk
from tailrace.codec.schema_tree import Enum, Record, Union
from tailrace.codec.schemas import AGENT_EVENT, TELEMETRY_RECORD
from tailrace.domain.errors import SchemaInvalid
from tailrace.domain.kinds import CostStatus, EventFamily, ProjectionKind
from tailrace.domain.projection_rules import TERMINAL_STATUS_BY_EVENT_KIND, MisplacedUsage, PlannedProjection, plan

ENDINGS: Final[Mapping[bytes, int]] = {
    encode_string(kind): number for number, kind in enumerate(TERMINAL_STATUS_BY_EVENT_KIND, start=2)
}
"""A number for each kind that ends a run, by its bytes; of any other kind the terminal flag counts, 0 or 1."""

ENDING_SIZES: Final = frozenset(kind[0] for kind in ENDINGS)
"""First bytes of those kinds."""

ABSENT, PRESENT = 0, 2
"""The byte of an optional field's branch."""


class Heads(dict[int, bytes]):
    """A record's bytes up to the event id in its projection id, by the event id's size in bytes."""

    def __init__(self, before: bytes, label: bytes) -> None:
        sizes = range(64)
        super().__init__({size: before + encode_long(len(label) + size) + label for size in sizes})
        self.before, self.label = before, label

    def __missing__(self, size_bytes: int) -> bytes:
        return self.before + encode_long(len(self.label) + size_bytes) + self.label


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """One projection that the rules plan; `fixed` holds its fixed fields by name, as far as they are not in `heads`."""

    kind: ProjectionKind
    preserved: bool
    heads: Heads
    fixed: Mapping[str, bytes]
    is_usage: bool
    carries_usage: bool
    carries_cost: bool


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What an event yields: its records in order, and whether it had usage that does not count."""

    planned: tuple[Planned, ...]
    usage_ignored: bool


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """An event family and what its events yield.

    `single` is what an event without usage and cost yields, by the number of its ending. `outcomes` is what any event
    yields, by ending, the byte of its usage field and the number of its cost's status (`Rules.cost_statuses`, 0 for no
    cost); what is missing there is misplaced usage.
    """

    name: str
    index: bytes
    single: tuple[Planned, ...]
    outcomes: Mapping[tuple[int, int, int], Outcome]


class Place:
    """One partition of the events topic as records name it.

    `source` is the record's field of that name up to the offset. `archives` is the source cursor without journal up to
    the offset in its text, by the offset's number of digits.
    """

    __slots__ = ("_near", "archives", "source")

    def __init__(self, layout: RecordLayout, partition: int) -> None:
        place = {"topic": layout.topic, "partition": partition, "offset": [_OFFSET]}
        match written(layout.record.field("source").type, place), archive_cursor(layout):
            case [Constant(source), Expression()], [Constant(before), *_]:
                self.source = source
            case _:
                raise SchemaInvalid(TELEMETRY_RECORD, "source, source_cursor", "not_in_the_order_the_rules_know")
        text = f"{layout.topic}/{partition}/".encode()
        # An offset is 64 bits: 19 digits, and a sign where a caller counts from below zero.
        self.archives = tuple(before + encode_long(len(text) + digits) + text for digits in range(21))
        self._near: tuple[int | None, bytes] = (None, b"")

    def offset(self, offset: int) -> bytes:
        """As `encode_long`, sooner: of 64 offsets in a row all bytes but the first are the same."""
        near, rest = self._near
        if offset >> 6 != near:
            if offset < _SHORT:
                return encode_long(offset)
            near, rest = self._near = offset >> 6, encode_long(offset)[1:]
        return _LOWEST[offset & 0x3F] + rest


_SHORT: Final = 64
_LOWEST: Final = tuple(encode_long(offset)[:1] for offset in range(_SHORT, 2 * _SHORT))
"""First bytes of the offsets that take more than one."""


_OFFSET = Expression("offset")


def archive_cursor(layout: RecordLayout) -> list[Piece]:
    """The source cursor of an event without a journal, with an expression for its text: the place on Kafka."""
    return written(layout.record.field("source_cursor").type, {"type": "archive", "cursor": [Expression("text")]})


class Places(dict[int, Place]):
    """Partitions by number, made when first asked for. Two threads may both make one; they agree."""

    def __init__(self, layout: RecordLayout) -> None:
        super().__init__()
        self._layout = layout

    def __missing__(self, partition: int) -> Place:
        place = self[partition] = Place(self._layout, partition)
        return place


class Rules:
    """The outcomes of the rules for one layout. Immutable; any thread.

    `families` are by canonical index bytes, `cost_statuses` are numbers from 1, likewise; `cost` is the event's record
    of that name. Raises SchemaInvalid when the record does not begin with what the rules fix, up to the projection id.
    """

    def __init__(self, layout: RecordLayout, event: Record) -> None:
        self._layout = layout
        self._planned: dict[PlannedProjection, Planned] = {}
        family = _enum(event, "event_family")
        cost = event.field("cost").type
        if not isinstance(cost, Union) or not isinstance(cost.branches[1], Record):
            raise SchemaInvalid(AGENT_EVENT, "cost", "not_the_type_the_rules_know")
        self.cost = cost.branches[1]
        statuses = [CostStatus(symbol) for symbol in _enum(self.cost, "status").symbols]
        step = resolve_record(self.cost, self.cost)
        assert not isinstance(step, Mismatch)
        self._cost_step = step
        self._status_place = [field.name for field in self.cost.fields].index("status")
        self.cost_statuses = {encode_long(index): index + 1 for index in range(len(statuses))}
        self.families = {
            encode_long(index): self._family(EventFamily(symbol), index, [None, *statuses])
            for index, symbol in enumerate(family.symbols)
        }

    def cost_status_of(self, cost: bytes) -> int:
        """The number of the status in the event's cost, canonical and with its branch; 0 when there is none."""
        if cost[0] == ABSENT:
            return 0
        pieces = self._cost_step.read_fields(Walk(cost, 1))
        return self.cost_statuses[pieces[self._status_place]]

    def _family(self, family: EventFamily, index: int, statuses: list[CostStatus | None]) -> Family:
        kinds = [("", False), ("", True), *((kind, False) for kind in TERMINAL_STATUS_BY_EVENT_KIND)]
        outcomes: dict[tuple[int, int, int], Outcome] = {}
        for (ending, (kind, terminal)), usage, (number, status) in product(
            enumerate(kinds), (ABSENT, PRESENT), enumerate(statuses)
        ):
            decided = plan(family, kind, terminal=terminal, has_usage=usage == PRESENT, cost_status=status)
            if not isinstance(decided, MisplacedUsage):
                planned = tuple(self._prepared(projection) for projection in decided.projections)
                outcomes[ending, usage, number] = Outcome(planned, decided.usage_ignored)
        single = []
        for ending in range(len(kinds)):
            (only,) = outcomes[ending, ABSENT, 0].planned
            single.append(only)
        return Family(family.value, encode_long(index), tuple(single), outcomes)

    def _prepared(self, projection: PlannedProjection) -> Planned:
        if projection not in self._planned:
            self._planned[projection] = self._prepare(projection)
        return self._planned[projection]

    def _prepare(self, projection: PlannedProjection) -> Planned:
        fixed = dict(self._layout.fixed_pieces(projection))
        before = [self._layout.frame]
        for name in self._layout.prefix_names:
            if name == "projection_id":
                break
            if name not in fixed:
                raise SchemaInvalid(TELEMETRY_RECORD, name, "not_in_the_order_the_rules_know")
            before.append(fixed.pop(name))
        return Planned(
            kind=projection.kind,
            preserved=projection.kind.is_terminal_preserved,
            heads=Heads(b"".join(before), projection.projection_id("").encode()),
            fixed=fixed,
            is_usage=projection.kind is ProjectionKind.USAGE,
            carries_usage=projection.carries_usage,
            carries_cost=projection.carries_cost,
        )


def _enum(record: Record, name: str) -> Enum:
    tree = record.field(name).type
    if not isinstance(tree, Enum):
        raise SchemaInvalid(AGENT_EVENT, name, "not_the_type_the_rules_know")
    return tree
