"""What telemetry may decide: nothing."""

from dataclasses import dataclass

from tailrace.domain.fields import Checked


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityBoundary(Checked):
    """Which decisions an observer of runs may take back into them. No function here takes or returns one."""

    can_decide_run_state: bool
    can_decide_policy_outcome: bool
    can_decide_output_delivery: bool
    can_decide_side_effect_status: bool


AUTHORITY = AuthorityBoundary(
    can_decide_run_state=False,
    can_decide_policy_outcome=False,
    can_decide_output_delivery=False,
    can_decide_side_effect_status=False,
)
