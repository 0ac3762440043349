"""What keeps an audit from coming to a verdict. A verdict itself, good or bad, is a report and never an exception."""

# ruff: noqa: N818 - an exception is named for what happened, as in the rest of tailrace


class AuditError(Exception):
    """An audit could not be carried out; nothing was proved either way."""


class PlanInvalid(AuditError):
    """The plan itself is wrong. `place` is the key in the plan, `problem` what is wrong there."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}" if place else problem)
        self.place = place
        self.problem = problem


class EvidenceUnreadable(AuditError):
    """Something that the plan names could not be read to its end. `source` names it, `problem` says why."""

    def __init__(self, source: str, problem: str) -> None:
        super().__init__(f"{source}: {problem}")
        self.source = source
        self.problem = problem
