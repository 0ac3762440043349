"""The examples of the README are run, so that they cannot grow old."""

import re
import shlex
from itertools import takewhile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tailrace.cli.app import app
from tailrace.settings import load

README = Path(__file__).parents[3] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    lines = [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("tailrace ")]


def test_the_configuration_loads_without_a_warning(tmp_path: Path) -> None:
    """The configuration a new user copies is valid as it stands."""
    (written,) = blocks("yaml")
    file = tmp_path / "tailrace.yaml"
    file.write_text(written, encoding="utf-8")

    settings, findings = load(file, {})

    assert sorted(settings.sinks) == ["analytics", "diagnostic", "usage"]
    assert not findings


def test_the_python_example_runs_and_exports(capsys: pytest.CaptureFixture[str]) -> None:
    """What the README says the fan-out does is what it does."""
    (written,) = blocks("python")

    exec(compile(written, "README.md", "exec"), {"__name__": "readme"})  # noqa: S102 - our own text

    assert capsys.readouterr().out.splitlines() == [
        "telemetry.terminal.event.1",
        '{"enqueued":1,"dropped":0} {"exported":1}',
    ]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_exists_with_its_options(words: list[str]) -> None:
    """A command line of the README names a command, and only options that it has."""
    path = list(takewhile(lambda word: not word.startswith("-"), words))

    shown = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})

    assert shown.exit_code == 0, shown.output
    assert f"tailrace {' '.join(path)}" in shown.output
    for option in words[len(path) :]:
        assert not option.startswith("--") or option in shown.output


def test_there_are_commands_to_check() -> None:
    """The two tests above look at something."""
    assert len(commands()) >= 6
