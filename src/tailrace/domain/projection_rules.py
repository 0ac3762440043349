"""Which projections an event yields, decided from five small facts, so that values and bytes follow one table.

The in-process functions read the facts from an `AgentEvent`, a projector reads them from Avro bytes; neither decides
anything itself (docs/DESIGN.md, Which projections an event yields). The rules, in the order of their projections:

    fact                                                        projection         terminal status   usage scope
    ----------------------------------------------------------  -----------------  ----------------  -----------
    kind is run_completed, run_failed, run_cancelled,           run_terminal       that of the kind
      run_timed_out, whatever the family
    any other kind, family run, terminal flag set               run_terminal       unknown
    usage, family model                                         usage              completed         leaf
    usage, family run or subagent                               usage              completed         aggregate
    usage, family unknown                                       ignored, counted
    usage, any other family                                     MisplacedUsage, and no projection at all
    cost: estimated, provider_reported, unknown                 cost_estimate
    cost: corrected                                             cost_correction
    none of the above                                           progress

The family restricts usage only: kind and cost speak for themselves, also when a newer producer uses a family this
version does not know. A cost status this version does not know stays an estimate whose facts say `unknown`, because
leaving money out would be worse than a record that a sum can filter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType

from tailrace.domain.kinds import CostStatus, EventFamily, ProjectionKind, TerminalStatus, UsageScope

TERMINAL_STATUS_BY_EVENT_KIND: Mapping[str, TerminalStatus] = MappingProxyType(
    {
        "run_completed": TerminalStatus.COMPLETED,
        "run_failed": TerminalStatus.FAILED,
        "run_cancelled": TerminalStatus.CANCELLED,
        "run_timed_out": TerminalStatus.TIMED_OUT,
    }
)
"""The event kinds that end a run. Every other kind is an open set of strings, so that new kinds flow."""

USAGE_SCOPE_BY_FAMILY: Mapping[EventFamily, UsageScope] = MappingProxyType(
    {
        EventFamily.MODEL: UsageScope.LEAF,
        EventFamily.RUN: UsageScope.AGGREGATE,
        EventFamily.SUBAGENT: UsageScope.AGGREGATE,
    }
)
"""The only families whose usage counts."""

COST_KIND_BY_STATUS: Mapping[CostStatus, ProjectionKind] = MappingProxyType(
    {
        CostStatus.ESTIMATED: ProjectionKind.COST_ESTIMATE,
        CostStatus.PROVIDER_REPORTED: ProjectionKind.COST_ESTIMATE,
        CostStatus.UNKNOWN: ProjectionKind.COST_ESTIMATE,
        CostStatus.CORRECTED: ProjectionKind.COST_CORRECTION,
    }
)

LABEL_BY_KIND: Mapping[ProjectionKind, str] = MappingProxyType(
    {
        ProjectionKind.RUN_TERMINAL: "terminal",
        ProjectionKind.USAGE: "usage",
        ProjectionKind.COST_ESTIMATE: "cost",
        ProjectionKind.COST_CORRECTION: "cost",
        ProjectionKind.PROGRESS: "progress",
    }
)
"""The word a kind has in projection ids and destination ids."""

SUMMARY_BY_KIND: Mapping[ProjectionKind, str] = MappingProxyType(
    {
        ProjectionKind.RUN_TERMINAL: "how the run ended; holds no content",
        ProjectionKind.USAGE: "what was consumed, in units; holds no prompt, tool or model content",
        ProjectionKind.COST_ESTIMATE: "a cost as far as it is known; holds no prompt, tool or model content",
        ProjectionKind.COST_CORRECTION: "a cost that replaces an earlier one; holds no prompt, tool or model content",
        ProjectionKind.PROGRESS: "a step of the run; holds no content",
    }
)
"""The constant redacted summary of each kind: fixed prose, so that nothing of an event can leak through it."""


@dataclass(frozen=True, slots=True)
class PlannedProjection:
    """One projection that an event yields, with everything the rules fix about it.

    `carries_usage` and `carries_cost` say which amounts belong into this projection: each amount of an event stands in
    exactly one of its projections, so that a sum over projections does not count it twice.
    """

    kind: ProjectionKind
    label: str  # the middle of the projection id: terminal, usage, cost or progress
    destination_id: str
    terminal_status: TerminalStatus | None
    usage_scope: UsageScope | None
    carries_usage: bool
    carries_cost: bool
    summary: str

    def projection_id(self, event_id: str) -> str:
        """The same id whenever and wherever the event is projected: `telemetry.<label>.<event id>`."""
        return f"telemetry.{self.label}.{event_id}"


@dataclass(frozen=True, slots=True)
class Plan:
    """An event's projections: one to three, in rule order."""

    projections: tuple[PlannedProjection, ...]
    usage_ignored: bool  # the event had usage that does not count, because its family is unknown: worth a counter


@dataclass(frozen=True, slots=True)
class MisplacedUsage:
    """The event carries usage in a family that may not: it is undecodable for every sink, and repair is needed."""

    family: EventFamily


def plan(
    family: EventFamily, kind: str, *, terminal: bool, has_usage: bool, cost_status: CostStatus | None
) -> Plan | MisplacedUsage:
    """What an event with these facts yields, by the table above; pure, and two dictionary look-ups in the usual case.

    `kind` is the event kind as written by the producer, `terminal` the event's own flag, `cost_status` None when the
    event carries no cost. Never raises, whatever the kind. Any thread.
    """
    status = TERMINAL_STATUS_BY_EVENT_KIND.get(kind)
    if status is None and terminal and family is EventFamily.RUN:
        status = TerminalStatus.UNKNOWN
    if not has_usage:
        return _PLANS[status, None, cost_status, False]
    scope = USAGE_SCOPE_BY_FAMILY.get(family)
    if scope is None and family is not EventFamily.UNKNOWN:
        return MisplacedUsage(family)
    return _PLANS[status, scope, cost_status, scope is None]


def planned(
    kind: ProjectionKind, terminal_status: TerminalStatus | None = None, usage_scope: UsageScope | None = None
) -> PlannedProjection:
    """The fixed part of one projection of `kind`, for a caller who already knows that an event yields it.

    Raises KeyError for the kinds that no event yields: sink_health and repair_cursor.
    """
    label = LABEL_BY_KIND[kind]
    return PlannedProjection(
        kind=kind,
        label=label,
        destination_id=f"destination.telemetry.{label}",
        terminal_status=terminal_status,
        usage_scope=usage_scope,
        carries_usage=kind is ProjectionKind.USAGE,
        carries_cost=kind in (ProjectionKind.COST_ESTIMATE, ProjectionKind.COST_CORRECTION),
        summary=SUMMARY_BY_KIND[kind],
    )


def _build(
    status: TerminalStatus | None, scope: UsageScope | None, cost: CostStatus | None
) -> tuple[PlannedProjection, ...]:
    found: list[PlannedProjection] = []
    if status is not None:
        found.append(planned(ProjectionKind.RUN_TERMINAL, terminal_status=status))
    if scope is not None:
        found.append(planned(ProjectionKind.USAGE, terminal_status=TerminalStatus.COMPLETED, usage_scope=scope))
    if cost is not None:
        found.append(planned(COST_KIND_BY_STATUS[cost]))
    return tuple(found) or (planned(ProjectionKind.PROGRESS),)


# All combinations are few (180), so an event costs a look-up and no allocation.
_PLANS: Mapping[tuple[TerminalStatus | None, UsageScope | None, CostStatus | None, bool], Plan] = {
    (status, scope, cost, ignored): Plan(_build(status, scope, cost), usage_ignored=ignored)
    for status, scope, cost, ignored in product(
        (None, *TerminalStatus), (None, UsageScope.LEAF, UsageScope.AGGREGATE), (None, *CostStatus), (False, True)
    )
}
