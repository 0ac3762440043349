"""`tailrace run` refuses what it cannot do before it starts anything."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tailrace.cli import app
from tailrace.cli.run import worker_command
from tests.unit.settings.written import PLAIN, with_section


def written(folder: Path, text: str) -> str:
    file = folder / "tailrace.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


@pytest.mark.parametrize("workers", ["0", "-1", "257", "many"])
def test_a_number_of_workers_that_makes_no_sense_is_wrong_usage(workers: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["run", "-c", written(tmp_path, PLAIN), "--workers", workers])

    assert result.exit_code == 2
    assert "--workers" in result.stderr


def test_a_wrong_configuration_is_refused_before_any_worker_is_started(tmp_path: Path) -> None:
    file = written(tmp_path, with_section("worker: {memory_limit_bytes: 1}"))

    result = CliRunner().invoke(app, ["run", "-c", file, "--workers", "2"])

    assert result.exit_code == 2
    assert "worker process started" not in result.stderr
    assert result.stderr.count("worker.memory_limit_bytes: ") == 1


@pytest.mark.parametrize(("found_first", "safe"), [("/srv/venv/bin", True), ("", False), (".", False)])
def test_a_worker_imports_from_the_current_directory_only_if_its_supervisor_does(
    found_first: str, safe: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A json.py that lies about is not run; a tailrace that is worked on where it lies is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path) if found_first == "." else found_first, "/srv/venv/lib"])

    interpreter, *rest = worker_command(tmp_path / "t.yaml")(2)

    assert interpreter == sys.executable
    plain = ["-m", "tailrace", "run", "--config", f"{tmp_path}/t.yaml", "--worker-number", "2"]
    assert rest == (["-P", *plain] if safe else plain)


def test_the_option_by_which_a_supervisor_talks_to_its_workers_is_nobodys_business() -> None:
    result = CliRunner().invoke(app, ["run", "--help"], env={"COLUMNS": "140", "TERM": "dumb", "NO_COLOR": "1"})

    assert "--workers" in result.stdout
    assert "--worker-number" not in result.stdout
