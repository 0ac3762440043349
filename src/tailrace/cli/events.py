"""`tailrace events`."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tailrace.adapters.event_producer import produce_events
from tailrace.cli import exits
from tailrace.cli.configuration import ConfigOption, configured
from tailrace.cli.teaching import Teaching
from tailrace.runtime.clock import SystemClock
from tailrace.synthetic import SyntheticEvents

app = typer.Typer(no_args_is_help=True, help="Agent events of invented runs, for trying out and for tests.")


@app.callback()
def events() -> None:
    """Agent events of invented runs, for trying out and for tests."""


PRODUCE = Teaching(
    promise="Send seeded agent events to the events topic of a configuration.",
    about="""
        Realistic runs: turns, model calls with usage, tool calls, failures, subagents, and poison between them if asked
        for. Each record is keyed by its run, so that a run stays on one partition and in order. SIGTERM or Ctrl-C stops
        early and still waits for what was sent.
    """,
    examples=(
        ("tailrace events produce -c tailrace.yaml --count 1000", ""),
        ("tailrace events produce -c tailrace.yaml --rate 500 --poison-rate 0.01", ""),
    ),
    ok="Kafka has every record that was sent",
    failed="it has not; what failed is on standard error",
)


@app.command(help=PRODUCE.text())
def produce(
    config: ConfigOption,
    *,
    count: Annotated[int, typer.Option("--count", "-n", metavar="N", min=1, help="How many records to send.")] = 10_000,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="The same seed gives the same bytes.")] = 1,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate", metavar="PER_SECOND", min=0.1, help="Records per second; as fast as it goes by default."
        ),
    ] = None,
    poison_rate: Annotated[
        float,
        typer.Option("--poison-rate", metavar="SHARE", min=0.0, max=0.99, help="Share of records nobody can decode."),
    ] = 0.0,
    runs: Annotated[int, typer.Option("--runs", metavar="N", min=1, help="Runs that take turns.")] = 16,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar, no summary.")] = False,
) -> None:
    settings = configured(config)
    err = Console(stderr=True, soft_wrap=True, highlight=False)
    stop = threading.Event()
    source = SyntheticEvents(seed=seed, poison_rate=poison_rate, active_runs=runs)
    with _stopping(stop), _progress(count, err, shown=not quiet) as on_progress:
        produced = produce_events(
            settings.kafka,
            settings.events.topic,
            source.take(count),
            rate_per_s=rate,
            clock=SystemClock(),
            stop=stop,
            on_progress=on_progress,
        )
    for code, failed in sorted(produced.failed.items()):
        err.print(f"{failed} records are not in {settings.events.topic}: {code}.", markup=False)
    if not quiet:
        typer.echo(f"{produced.acknowledged} records are in {settings.events.topic}")
    raise typer.Exit(exits.FAILED if produced.failed else exits.OK)


@contextmanager
def _stopping(stop: threading.Event) -> Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGINT)
    previous = [signal.signal(number, lambda *_: stop.set()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, previous, strict=True):
            signal.signal(number, handler)


@contextmanager
def _progress(count: int, err: Console, *, shown: bool) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("sending"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, disable=not shown, transient=True) as progress:
        task = progress.add_task("sending", total=count)
        yield lambda sent: progress.update(task, completed=sent)
