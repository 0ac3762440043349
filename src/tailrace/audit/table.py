"""An audit's report for a terminal: one line per sink, then what does not add up, then what is worth knowing."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from tailrace.audit.findings import Finding
from tailrace.audit.report import AuditReport, SinkReport

_ALWAYS = ("sink", "to account for", "exported", "filtered", "missing", "duplicates", "findings")
"""Columns that are worth a zero; all others are left out where no sink has anything in them."""


def print_report(report: AuditReport, console: Console) -> None:
    """Print the report, the verdict last. Lines are never cut: a terminal that is too narrow wraps them."""

    def say(markup: str) -> None:
        console.print(markup, highlight=False, soft_wrap=True)

    for line in _sinks(report.sinks):
        say(escape(line))
    for finding in report.findings:
        say(f"[red]✗ {finding.code}[/red] {escape(_where(finding))}: {finding.meaning}{escape(_more(finding))}")
    for note in report.notes:
        say(f"[dim]· {note.code} {escape(_where(note))}{escape(_more(note))}[/dim]")
    for sink in report.sinks:
        if sink.kind == "cursor_only":
            say(f"[dim]· {escape(sink.sink_id)} cannot be read back: its cursor and ledger are all there is[/dim]")
    events = f"{report.events} events of {escape(report.events_topic)}"
    if report.adds_up:
        say(f"[green]✓ it adds up[/green]: {events}, each exported or accounted for at every sink")
    else:
        found = sum(finding.count for finding in report.findings)
        say(f"[red]✗ it does not add up[/red]: {found} findings over {events}")


def _sinks(sinks: Sequence[SinkReport]) -> list[str]:
    """The sinks as aligned lines, numbers to the right."""
    rows = [_row(sink) for sink in sinks]
    names = list(dict.fromkeys(name for row in rows for name in row))
    shown = [name for name in names if name in _ALWAYS or any(row.get(name, "0") != "0" for row in rows)]
    cells = [shown, *([row.get(name, "0") for name in shown] for row in rows)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(shown))]
    return [
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    ]


def _row(sink: SinkReport) -> dict[str, str]:
    totals = sink.totals
    return {
        "sink": sink.sink_id,
        "to account for": str(totals.units),
        "exported": str(totals.exported),
        "filtered": str(totals.filtered),
        **{f"gap: {reason}": str(count) for reason, count in sorted(totals.missed.items())},
        "above cursor": str(totals.pending),
        "before start": str(totals.before_start),
        "not readable back": str(totals.trusted),
        "not provable": str(totals.unverifiable),
        "missing": str(totals.missing),
        "duplicates": str(totals.duplicates),
        "offsets gone": str(totals.gone_offsets),
        "findings": str(sink.findings),
    }


def _where(finding: Finding) -> str:
    parts = [finding.sink_id] if finding.sink_id else []
    parts += [f"partition {finding.partition}"] if finding.partition is not None else []
    return " ".join(parts) or "audit"


def _more(finding: Finding) -> str:
    """How many, where for example, and what else is known."""
    examples = ", ".join(finding.examples)
    if finding.examples and len(finding.examples) < finding.count:
        examples += ", …"
    parts = [f"{finding.count} in all" if finding.count > 1 else "", examples, finding.detail]
    return "".join(f"; {part}" for part in parts if part)
