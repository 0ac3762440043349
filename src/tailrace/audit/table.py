"""An audit's report for a terminal: one line per sink, then what does not add up, then what is worth knowing."""

from rich.console import Console
from rich.table import Table

from tailrace.audit.findings import Finding
from tailrace.audit.report import AuditReport, SinkReport


def print_report(report: AuditReport, console: Console) -> None:
    """Print the report, the verdict last."""
    console.print(_sinks(report))
    for finding in report.findings:
        console.print(
            f"[red]✗ {finding.code}[/red] {_where(finding)}: {finding.meaning}{_more(finding)}", highlight=False
        )
    for note in report.notes:
        console.print(f"[dim]· {note.code} {_where(note)}{_more(note)}[/dim]", highlight=False)
    if report.adds_up:
        verdict = "every event is exported or accounted for, at every sink that can be read back"
        console.print(f"[green]✓ it adds up[/green]: {report.events} events, {verdict}", highlight=False)
    else:
        found = sum(finding.count for finding in report.findings)
        console.print(f"[red]✗ it does not add up[/red]: {found} findings over {report.events} events", highlight=False)


def _sinks(report: AuditReport) -> Table:
    table = Table(title=f"{report.events_topic}: {report.events} events", title_justify="left")
    table.add_column("sink")
    for name in ("to account for", "exported", "filtered"):
        table.add_column(name, justify="right")
    table.add_column("missed, in the ledger")
    for name in ("above cursor", "missing", "duplicates"):
        table.add_column(name, justify="right")
    table.add_column("not provable")
    table.add_column("findings", justify="right")
    for sink in report.sinks:
        table.add_row(*_row(sink))
    return table


def _row(sink: SinkReport) -> tuple[str, ...]:
    totals = sink.totals
    counts = (totals.units, totals.exported, totals.filtered)
    return (
        sink.sink_id,
        *map(str, counts),
        ", ".join(f"{count} {reason}" for reason, count in sorted(totals.missed.items())) or "0",
        *map(str, (totals.pending, totals.missing, totals.duplicates)),
        _not_provable(sink),
        str(sink.findings),
    )


def _not_provable(sink: SinkReport) -> str:
    totals = sink.totals
    parts = (
        (totals.trusted, "cannot be read back"),
        (totals.unverifiable, "removed by the sink"),
        (totals.gone_offsets, "offsets gone from the log"),
        (totals.gone_records, "records of gone offsets"),
        (totals.before_start, "before its start"),
    )
    return ", ".join(f"{count} {words}" for count, words in parts if count) or "0"


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
