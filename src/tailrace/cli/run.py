"""`tailrace run`."""

import sys

import typer

from tailrace import bootstrap
from tailrace.adapters.logs import StructuredLog, system_now
from tailrace.cli.configuration import ConfigOption, configured
from tailrace.cli.teaching import Teaching

TEACHING = Teaching(
    promise="Run a worker until SIGTERM or SIGINT.",
    about="""
        It waits for Kafka if that is not there yet. A stop finishes the batches under way, commits every cursor and
        leaves the group, within worker.shutdown_deadline_s. Workers of one group share the partitions.

        Life-cycle lines go to standard error: JSON, or columns on a terminal (logs.format). SIGUSR1 adds a line per
        lane with its cursors and positions.
    """,
    examples=(
        ("tailrace run -c tailrace.yaml", ""),
        ("TAILRACE_LOGS__LEVEL=warning tailrace run -c tailrace.yaml", "every key has its variable"),
        ("TAILRACE_CONFIG=/etc/tailrace.yaml tailrace run", "so has the file itself"),
    ),
    ok="it was told to stop, and stopped cleanly",
    failed="a topic is missing, a lane crashed, or something did not stop in time",
)


def run(config: ConfigOption) -> None:
    settings = configured(config)
    log = StructuredLog(settings.logs.level, settings.logs.format, sys.stderr, system_now)
    raise typer.Exit(bootstrap.run_worker(settings, log))
