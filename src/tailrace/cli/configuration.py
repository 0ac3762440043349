"""The `--config` option, and what every command does with the file it names."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tailrace.bootstrap import capturing_refusal
from tailrace.cli import exits
from tailrace.settings import Settings, SettingsError, load
from tailrace.settings.environment import CONFIG_VARIABLE

ConfigOption = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        envvar=CONFIG_VARIABLE,
        help="The configuration, in YAML. TAILRACE_… variables override its keys: "
        "TAILRACE_EVENTS__GROUP is events.group.",
    ),
]


def configured(file: Path, *, with_warnings: bool = True) -> Settings:
    """The settings of `file` and this process's environment; warnings go to standard error.

    Ends the command with exit code 2 and one line per reason if they cannot be used.
    """
    err = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        settings, findings = load(file, os.environ)
    except SettingsError as error:
        for finding in error.findings:
            err.print(str(finding), markup=False)
        raise typer.Exit(exits.USAGE) from None
    for finding in findings if with_warnings else ():
        err.print(str(finding), markup=False)
    return settings


def runnable(settings: Settings) -> Settings:
    """`settings`, if a worker can be made of them: what only making its parts shows is tried here.

    Ends the command with exit code 2 and the reason otherwise.
    """
    if (refusal := capturing_refusal(settings)) is not None:
        err = Console(stderr=True, soft_wrap=True, highlight=False)
        err.print(f"error: {refusal.setting}: {refusal.problem}.", markup=False)
        raise typer.Exit(exits.USAGE)
    return settings
