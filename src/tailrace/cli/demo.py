"""`tailrace demo`."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console

from tailrace.cli import exits
from tailrace.cli.live import live_view
from tailrace.cli.teaching import Teaching
from tailrace.demo import DemoPlan, run_demo
from tailrace.domain.errors import EmbeddedBrokerUnavailable
from tailrace.runtime.clock import SystemClock
from tailrace.runtime.statistics import WorkerSnapshot

DEMO = Teaching(
    promise="Watch a worker meet an outage, and see proved that nothing was lost: half a minute, nothing to install.",
    about="""
        A real worker runs on the Kafka cluster that comes with the client library, inside this process. Another process
        sends agent events of invented runs, some of them undecodable. For a while the broker refuses one sink's topic:
        its lane fails, fills up and falls behind, and the others go on; then it catches up from the log.

        At the end a third process reads events, sinks, cursors and ledger from the broker and accounts for every event
        at every sink.
    """,
    examples=(
        ("tailrace demo", ""),
        ("tailrace demo --keep demo-run", "and leave configuration, log and diagnostic file there"),
    ),
    ok="every event is exported or accounted for at every sink",
    failed="it is not, the worker did not stop cleanly, or this platform has no embedded broker",
)


def demo(
    *,
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="FOLDER", help="Work in this folder and leave what is in it.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Which runs are invented.")] = DemoPlan().seed,
) -> None:
    """Play the demonstration."""
    console, clock = Console(highlight=False), SystemClock()

    def view(snapshot: Callable[[], WorkerSnapshot]) -> AbstractContextManager[Callable[[str], None]]:
        return live_view(snapshot, console, clock)

    def say(line: str) -> None:
        console.print(line, markup=False, soft_wrap=True)

    with _folder(keep) as folder:
        try:
            code = run_demo(DemoPlan(seed=seed), folder, view, say)
        except EmbeddedBrokerUnavailable as unavailable:
            Console(stderr=True, soft_wrap=True).print(f"{unavailable}.", markup=False, highlight=False)
            code = exits.FAILED
    raise typer.Exit(code)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            # Records of an earlier demonstration in its file would be unexplained duplicates in the proof of this one.
            typer.echo(f"tailrace demo: --keep {keep} is not empty; name a new folder", err=True)
            raise typer.Exit(exits.USAGE)
        yield keep
        return
    with TemporaryDirectory(prefix="tailrace-demo-") as folder:
        yield Path(folder)
