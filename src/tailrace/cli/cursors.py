"""`tailrace cursors`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from tailrace.adapters.cursor_report import TOPIC_IS_MISSING, CursorRow, CursorsUnknown, lanes_of, read_cursors
from tailrace.cli import exits
from tailrace.cli.columns import columns
from tailrace.cli.configuration import ConfigOption, configured
from tailrace.cli.teaching import Teaching
from tailrace.cli.topic_report import TIMEOUT_S, Timeout

app = typer.Typer(no_args_is_help=True, help="Where each sink stands on each partition.")


@app.callback()
def cursors() -> None:
    """Where each sink stands on each partition."""


SHOW = Teaching(
    promise="Show the cursor of every sink on every partition, and how far behind the log's end it is.",
    about="""
        A cursor is the next offset to export: the committed offset of the group <events.group>.<sink id>, so Kafka's
        own tools and lag exporters show the same. Works whether or not a worker runs. It changes nothing.
    """,
    examples=(
        ("tailrace cursors show -c tailrace.yaml", ""),
        ("tailrace cursors show -c tailrace.yaml --sink analytics --json", ""),
        ("kafka-consumer-groups.sh --describe --group tailrace.analytics", "the same by Kafka's tool"),
    ),
    ok="shown",
    failed="the cluster did not answer, the topic is missing, or a cursor is outside its log",
)


@app.command(help=SHOW.text())
def show(
    config: ConfigOption,
    *,
    sink: Annotated[
        list[str] | None, typer.Option("--sink", metavar="ID", help="Only this sink; may be given several times.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON object per sink and partition, one per line.")
    ] = False,
    timeout_s: Timeout = TIMEOUT_S,
) -> None:
    settings = configured(config)
    out = Console(soft_wrap=True, highlight=False)
    unknown = set(sink or []) - set(lanes_of(settings))
    if unknown:
        raise typer.BadParameter(
            f"no sink has the id {', '.join(sorted(unknown))}; there are {', '.join(lanes_of(settings))}",
            param_hint="--sink",
        )
    found = read_cursors(settings, timeout_s)
    if isinstance(found, CursorsUnknown):
        Console(stderr=True, soft_wrap=True).print(_why(found, settings.events.topic, timeout_s), markup=False)
        raise typer.Exit(exits.FAILED)
    rows = [row for row in found if not sink or row.sink_id in sink]
    if as_json:
        for row in rows:
            typer.echo(json.dumps({**asdict(row), "lag": row.lag}))
    else:
        _print(rows, out)
    raise typer.Exit(exits.FAILED if any(_trouble(row) for row in rows) else exits.OK)


def _print(rows: Sequence[CursorRow], out: Console) -> None:
    header = ("sink", "partition", "cursor", "log start", "log end", "lag", "exported", "dropped", "")
    cells = [
        (
            row.sink_id,
            str(row.partition),
            "-" if row.committed is None else str(row.committed),
            str(row.log_start),
            str(row.log_end),
            "-" if row.lag is None else str(row.lag),
            str(row.exported),
            str(row.dropped),
            _trouble(row) or ("" if row.committed is not None else "no cursor yet"),
        )
        for row in rows
    ]
    out.print(columns(header, cells, right=range(1, 8)), markup=False)
    for sink_id in dict.fromkeys(row.sink_id for row in rows):
        lags = [row.lag for row in rows if row.sink_id == sink_id and row.lag is not None]
        begun = f"{sum(lags)} on {len(lags)} partitions" if lags else "unknown: it has no cursor yet"
        out.print(f"lag of {sink_id}: {begun}", markup=False)


def _trouble(row: CursorRow) -> str:
    if row.committed is None:
        return ""
    if row.committed > row.log_end:
        return "beyond the log: the topic was made anew"
    if row.committed < row.log_start:
        return "before the log: events were lost to retention"
    return ""


def _why(unknown: CursorsUnknown, topic: str, timeout_s: float) -> str:
    if unknown.code == TOPIC_IS_MISSING:
        return f"The events topic {topic} does not exist. Make it, or mend events.topic; see 'tailrace topics plan'."
    return (
        f"The cluster did not answer within {timeout_s:g} s ({unknown.code}). "
        "Check kafka.bootstrap_servers and kafka.security."
    )
