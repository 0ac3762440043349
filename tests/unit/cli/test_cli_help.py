"""The help teaches: every command says what it promises, shows examples, and explains its exit codes."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from tailrace.cli import app

ROOT = typer.main.get_command(app)


def commands(group: Any = ROOT, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    children = getattr(group, "commands", None)
    if children is None:
        yield path
        return
    for name, child in sorted(children.items()):
        yield from commands(child, (*path, name))


COMMANDS = list(commands())


def help_of(*path: str) -> str:
    result = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "140", "TERM": "dumb", "NO_COLOR": "1"})
    assert result.exit_code == 0, result.output
    return re.sub(r"[│╭╮╰╯─]", "", result.output)


def test_the_commands_are_those_the_documentation_names() -> None:
    assert {" ".join(path) for path in COMMANDS} >= {
        "run",
        "demo",
        "validate",
        "cursors show",
        "topics plan",
        "topics apply",
        "events produce",
    }


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_teaches(path: tuple[str, ...]) -> None:
    text = help_of(*path)

    examples = text.partition("Examples")[2].partition("Exit codes")[0]
    assert f"tailrace {' '.join(path)}" in examples
    exits = text.partition("Exit codes")[2]
    assert re.search(r"^ +0 \S.*\n +1 \S.*\n +2 the configuration or an option is wrong", exits, re.MULTILINE)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_example_fits_on_a_terminal(path: tuple[str, ...]) -> None:
    examples = help_of(*path).partition("Examples")[2].partition("Exit codes")[0]

    assert max(len(line.strip()) for line in examples.splitlines()) <= 76


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_option_is_explained(path: tuple[str, ...]) -> None:
    command: Any = ROOT
    for name in path:
        command = command.commands[name]

    shown = [option for option in command.params if not getattr(option, "hidden", False)]
    unexplained = [option.name for option in shown if not getattr(option, "help", None)]

    assert unexplained in ([], ["help"])


def test_the_first_page_shows_where_to_begin() -> None:
    text = help_of()

    for line in ("tailrace demo", "tailrace validate -c tailrace.yaml --offline", "tailrace run -c tailrace.yaml"):
        assert line in text
    assert "Exit codes: 0 all right, 1 failed" in text


def test_no_arguments_show_the_help() -> None:
    result = CliRunner().invoke(app, [])

    assert "Begin here" in result.output


def test_the_version_is_printed() -> None:
    result = CliRunner().invoke(app, ["--version"])

    assert result.exit_code == 0
    assert re.fullmatch(r"tailrace \d+\.\d+\.\d+\n", result.output)
