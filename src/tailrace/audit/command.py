"""What the two ways of starting an audit have in common: reading its options, printing its report."""

from rich.console import Console

from tailrace.audit.errors import PlanInvalid
from tailrace.audit.plan import Omission
from tailrace.audit.report import AuditReport
from tailrace.audit.table import print_report


def omission_from(text: str) -> Omission:
    """`sink`, `sink:partition:offset` or `sink:partition:offset:kind`. Raises PlanInvalid for anything else."""
    sink_id, *place = text.split(":")
    numbers = place[:2]
    if not sink_id or len(place) not in (0, 2, 3) or not all(one.isascii() and one.isdecimal() for one in numbers):
        raise PlanInvalid("without-record", "write SINK or SINK:PARTITION:OFFSET or SINK:PARTITION:OFFSET:KIND")
    partition, offset = map(int, numbers) if numbers else (None, None)
    return Omission(sink_id, partition, offset, place[2] if len(place) == 3 else None)


def show(report: AuditReport, console: Console, *, as_json: bool) -> None:
    """Print the report on `console`, as JSON or as a table."""
    if as_json:
        console.print(report.to_json(), highlight=False, markup=False, soft_wrap=True)
    else:
        print_report(report, console)
