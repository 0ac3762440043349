"""`tailrace demo`."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tailrace.cli.live import live_view
from tailrace.cli.teaching import Teaching
from tailrace.demo import DemoPlan, run_demo
from tailrace.domain.errors import EmbeddedBrokerUnavailable
from tailrace.runtime.clock import SystemClock

TEACHING = Teaching(
    promise="Show the whole job in half a minute, and prove that nothing was lost.",
    about="""
        A Kafka broker inside this process, a worker with three sinks, and another process that produces agent events
        of invented runs. After a few seconds the broker refuses one sink's topic for a while: watch that lane fail,
        fill up and catch up while the others go on.

        At the end a third process reads events, sinks and ledger back and accounts for every event and sink. Nothing
        leaves this machine, and nothing has to be installed beside tailrace.
    """,
    examples=(
        ("tailrace demo", ""),
        ("tailrace demo --events 3000 --seed 1", "shorter, with other runs"),
        ("tailrace demo --keep ./demo", "keep its configuration, log and files"),
    ),
    ok="every event is exported or accounted for at every sink",
    failed="it is not, or this platform's client library has no embedded broker",
)


def demo(
    *,
    events: Annotated[int, typer.Option(min=500, max=25_000, help="How many agent events to produce.")] = 12_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same runs.")] = 7,
    keep: Annotated[Path | None, typer.Option(file_okay=False, help="A folder for what is otherwise deleted.")] = None,
    without_record: Annotated[
        str | None, typer.Option(hidden=True, help="Hide one record from the proof, to see that it is missed.")
    ] = None,
) -> None:
    console = Console(highlight=False)
    audit_arguments = () if without_record is None else ("--without-record", without_record)
    plan = DemoPlan(events=events, seed=seed, audit_arguments=audit_arguments)
    clock = SystemClock()
    with tempfile.TemporaryDirectory(prefix="tailrace-demo-") as temporary:
        directory = keep or Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        try:
            exit_code = run_demo(plan, directory, lambda snapshot: live_view(snapshot, console, clock), console.print)
        except EmbeddedBrokerUnavailable as unavailable:
            typer.echo(f"tailrace demo: {unavailable}", err=True)
            exit_code = 1
    raise typer.Exit(exit_code)
