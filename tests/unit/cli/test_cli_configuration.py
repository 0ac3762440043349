"""A command that gets a bad configuration says every reason on standard error, does nothing, and exits with 2."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tailrace.cli import app
from tests.unit.settings.written import PLAIN

COMMANDS = (
    ("run",),
    ("validate",),
    ("cursors", "show"),
    ("topics", "plan"),
    ("topics", "apply"),
    ("events", "produce"),
)


def written(folder: Path, text: str = PLAIN) -> str:
    file = folder / "tailrace.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_file_that_does_not_exist(command: tuple[str, ...], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [*command, "--config", str(tmp_path / "none.yaml")])

    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == f"error: {tmp_path}/none.yaml: does not exist. Check the path given with --config.\n"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_file_at_all(command: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, list(command))

    assert result.exit_code == 2
    assert "--config" in result.stderr
    assert "TAILRACE_CONFIG" in result.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_mistake_is_one_line(command: tuple[str, ...], tmp_path: Path) -> None:
    file = written(tmp_path, PLAIN.replace("topic: agent", "topik: agent") + "evnts: {}\n")

    result = CliRunner().invoke(app, [*command, "--config", file], env={"TAILRACE_ZEBRA": "1"})

    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("error: ") for line in lines)
    assert sum(file in line for line in lines) == 3
    assert sum("environment variable TAILRACE_ZEBRA" in line for line in lines) == 1


def test_the_file_can_be_named_by_a_variable(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["validate", "--offline"], env={"TAILRACE_CONFIG": written(tmp_path)})

    assert result.exit_code == 0, result.output


def test_brackets_in_a_message_are_text(tmp_path: Path) -> None:
    """Rich's markup would swallow the list that the remedy shows."""
    file = written(tmp_path, PLAIN + "  x: {kind: test, selection: {families: model}}\n")

    result = CliRunner().invoke(app, ["validate", "--offline", "-c", file])

    assert 'Write it like ["usage", "run_terminal"].' in result.stderr
