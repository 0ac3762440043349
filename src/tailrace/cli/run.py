"""`tailrace run`."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from tailrace import bootstrap
from tailrace.adapters.logs import StructuredLog, system_now
from tailrace.cli.configuration import ConfigOption, configured, runnable
from tailrace.cli.teaching import Teaching
from tailrace.cli.workers import WorkersOption

TEACHING = Teaching(
    promise="Run a worker, or several, until SIGTERM or SIGINT.",
    about="""
        It waits for Kafka if that is not there yet. A stop finishes the batches under way, commits every cursor and
        leaves the group, within worker.shutdown_deadline_s. Workers of one group share the partitions.

        With --workers N, that many processes share the work on this machine. One that dies is started again after a
        wait that doubles up to 30 s; after six early deaths in a row, or exit code 2, its seat stays empty and the
        others go on. A stop drains all at once, and kills what is left two seconds after the deadline. Workers whose
        supervisor is killed drain by themselves. Files of local_diagnostic sinks are each worker's own:
        diagnostic.worker-2.jsonl.

        Life-cycle lines go to standard error: JSON, or columns on a terminal (logs.format); those of several workers
        say which. The last ones sum up what was done. SIGUSR1 adds a line per lane with its cursors and positions.
    """,
    examples=(
        ("tailrace run -c tailrace.yaml", ""),
        ("tailrace run -c tailrace.yaml --workers 4", "one per core is a good start"),
        ("TAILRACE_LOGS__LEVEL=warning tailrace run -c tailrace.yaml", "every key has its variable"),
        ("TAILRACE_CONFIG=/etc/tailrace.yaml tailrace run", "so has the file itself"),
    ),
    ok="it was told to stop, and every worker stopped cleanly",
    failed="a topic is missing, a lane crashed, or something did not stop in time",
)


def run(
    config: ConfigOption,
    workers: WorkersOption = 1,
    # How a supervisor tells its workers who they are; nobody else has a use for it.
    worker_number: Annotated[int | None, typer.Option("--worker-number", hidden=True, min=1)] = None,
) -> None:
    # The supervisor has said the warnings already.
    settings = runnable(configured(config, with_warnings=worker_number is None))
    log = StructuredLog(settings.logs.level, settings.logs.format, sys.stderr, system_now, worker_number)
    if worker_number is not None:
        raise typer.Exit(bootstrap.run_supervised_worker(settings, worker_number, log))
    if workers == 1:
        raise typer.Exit(bootstrap.run_worker(settings, log))
    raise typer.Exit(bootstrap.run_crew(workers, worker_command(config), settings.worker.shutdown_deadline_s, log))


def worker_command(config: Path) -> Callable[[int], Sequence[str]]:
    """The command line of the worker of a number, by this interpreter and with this installation."""
    # Without -P a module is looked for in the current directory first, and a json.py that lies there would be run.
    # With it, a tailrace that itself was found there would not be found again.
    safe_path = [] if sys.path[:1] in ([""], [str(Path.cwd())]) else ["-P"]
    command = [sys.executable, *safe_path, "-m", "tailrace", "run", "--config", str(config), "--worker-number"]
    return lambda number: [*command, str(number)]
