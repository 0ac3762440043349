"""Which projections an event yields: docs/DESIGN.md, Which projections an event yields."""

from itertools import product

import pytest

from tailrace.domain.kinds import CostStatus, EventFamily, ProjectionKind, TerminalStatus, UsageScope
from tailrace.domain.projection_rules import MisplacedUsage, Plan, plan, planned

OTHER_FAMILIES = [
    family
    for family in EventFamily
    if family not in (EventFamily.MODEL, EventFamily.RUN, EventFamily.SUBAGENT, EventFamily.UNKNOWN)
]


def yielded(
    family: EventFamily,
    kind: str = "something_new",
    *,
    terminal: bool = False,
    has_usage: bool = False,
    cost_status: CostStatus | None = None,
) -> list[ProjectionKind]:
    decided = plan(family, kind, terminal=terminal, has_usage=has_usage, cost_status=cost_status)
    assert isinstance(decided, Plan)
    return [projection.kind for projection in decided.projections]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("run_completed", TerminalStatus.COMPLETED),
        ("run_failed", TerminalStatus.FAILED),
        ("run_cancelled", TerminalStatus.CANCELLED),
        ("run_timed_out", TerminalStatus.TIMED_OUT),
    ],
)
@pytest.mark.parametrize("family", [EventFamily.RUN, EventFamily.UNKNOWN, EventFamily.TOOL])
def test_run_ending_kind_yields_its_status_whatever_family_and_flag(
    kind: str, status: TerminalStatus, family: EventFamily
) -> None:
    """The kind decides, also where a producer forgot the flag or uses a newer family."""
    for terminal in (False, True):
        decided = plan(family, kind, terminal=terminal, has_usage=False, cost_status=None)
        assert isinstance(decided, Plan)
        (projection,) = decided.projections
        assert (projection.kind, projection.terminal_status) == (ProjectionKind.RUN_TERMINAL, status)


def test_other_terminal_run_event_yields_unknown_status() -> None:
    """A run that ended in a way this version has no word for has still ended."""
    decided = plan(EventFamily.RUN, "run_evaporated", terminal=True, has_usage=False, cost_status=None)
    assert isinstance(decided, Plan)
    assert [p.terminal_status for p in decided.projections] == [TerminalStatus.UNKNOWN]


@pytest.mark.parametrize("family", [family for family in EventFamily if family is not EventFamily.RUN])
def test_terminal_flag_of_another_family_ends_no_run(family: EventFamily) -> None:
    """A tool call that ended is progress of its run."""
    assert yielded(family, "tool_completed", terminal=True) == [ProjectionKind.PROGRESS]


@pytest.mark.parametrize(
    ("family", "scope"),
    [
        (EventFamily.MODEL, UsageScope.LEAF),
        (EventFamily.RUN, UsageScope.AGGREGATE),
        (EventFamily.SUBAGENT, UsageScope.AGGREGATE),
    ],
)
def test_usage_counts_in_three_families_and_says_its_scope(family: EventFamily, scope: UsageScope) -> None:
    """Model usage is measured, run and subagent usage contains it: a sum takes one of them."""
    decided = plan(family, "any", terminal=False, has_usage=True, cost_status=None)
    assert isinstance(decided, Plan)
    (projection,) = decided.projections
    assert projection.kind is ProjectionKind.USAGE
    assert projection.usage_scope is scope
    assert projection.terminal_status is TerminalStatus.COMPLETED
    assert (projection.carries_usage, projection.carries_cost) == (True, False)
    assert not decided.usage_ignored


@pytest.mark.parametrize("family", OTHER_FAMILIES)
def test_usage_of_any_other_known_family_is_misplaced_whatever_else_the_event_carries(family: EventFamily) -> None:
    """Not one projection of such an event may be trusted."""
    for kind, cost in product(("run_completed", "any"), (None, *CostStatus)):
        decided = plan(family, kind, terminal=True, has_usage=True, cost_status=cost)
        assert decided == MisplacedUsage(family)


def test_usage_of_unknown_family_is_ignored_and_reported_as_ignored() -> None:
    """A newer producer may know better, so nothing is refused and nothing is counted twice."""
    decided = plan(EventFamily.UNKNOWN, "any", terminal=True, has_usage=True, cost_status=None)
    assert isinstance(decided, Plan)
    assert [p.kind for p in decided.projections] == [ProjectionKind.PROGRESS]
    assert decided.usage_ignored
    with_cost = plan(EventFamily.UNKNOWN, "run_failed", terminal=True, has_usage=True, cost_status=CostStatus.ESTIMATED)
    assert isinstance(with_cost, Plan)
    assert [p.kind for p in with_cost.projections] == [ProjectionKind.RUN_TERMINAL, ProjectionKind.COST_ESTIMATE]
    assert with_cost.usage_ignored
    without_usage = plan(EventFamily.UNKNOWN, "any", terminal=True, has_usage=False, cost_status=None)
    assert isinstance(without_usage, Plan)
    assert not without_usage.usage_ignored


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (CostStatus.ESTIMATED, ProjectionKind.COST_ESTIMATE),
        (CostStatus.PROVIDER_REPORTED, ProjectionKind.COST_ESTIMATE),
        (CostStatus.CORRECTED, ProjectionKind.COST_CORRECTION),
        (CostStatus.UNKNOWN, ProjectionKind.COST_ESTIMATE),
    ],
)
@pytest.mark.parametrize("family", EventFamily)
def test_cost_of_any_family_yields_estimate_or_correction(
    status: CostStatus, kind: ProjectionKind, family: EventFamily
) -> None:
    """Anything may cost money, and only a correction replaces an earlier record."""
    decided = plan(family, "any", terminal=False, has_usage=False, cost_status=status)
    assert isinstance(decided, Plan)
    (projection,) = decided.projections
    assert projection.kind is kind
    assert (projection.carries_usage, projection.carries_cost) == (False, True)
    assert projection.terminal_status is None


def test_event_with_everything_yields_three_in_rule_order() -> None:
    """Terminal, usage, cost: the order of records on every sink."""
    kinds = yielded(EventFamily.RUN, "run_failed", terminal=True, has_usage=True, cost_status=CostStatus.CORRECTED)
    assert kinds == [ProjectionKind.RUN_TERMINAL, ProjectionKind.USAGE, ProjectionKind.COST_CORRECTION]


def test_every_event_yields_one_to_three_projections_of_different_kinds_or_none_at_all() -> None:
    """(partition, offset, kind) names a projection, so no event may yield two of one kind."""
    for family, kind, terminal, has_usage, cost in product(
        EventFamily, ("run_completed", "new"), (False, True), (False, True), (None, *CostStatus)
    ):
        decided = plan(family, kind, terminal=terminal, has_usage=has_usage, cost_status=cost)
        if isinstance(decided, Plan):
            kinds = [projection.kind for projection in decided.projections]
            assert 1 <= len(kinds) <= 3
            assert len(set(kinds)) == len(kinds)
            assert (ProjectionKind.PROGRESS in kinds) == (kinds == [ProjectionKind.PROGRESS])


@pytest.mark.parametrize(
    ("kind", "label"),
    [
        (ProjectionKind.RUN_TERMINAL, "terminal"),
        (ProjectionKind.USAGE, "usage"),
        (ProjectionKind.COST_ESTIMATE, "cost"),
        (ProjectionKind.COST_CORRECTION, "cost"),
        (ProjectionKind.PROGRESS, "progress"),
    ],
)
def test_ids_and_destination_follow_the_label(kind: ProjectionKind, label: str) -> None:
    """An id is the same wherever and whenever the event is projected."""
    rule = planned(kind)
    assert rule.projection_id("event.7") == f"telemetry.{label}.event.7"
    assert rule.destination_id == f"destination.telemetry.{label}"
