"""The configuration of docs/PRIVACY.md is loaded, and the output it shows is what comes out."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tailrace.cli.app import app
from tailrace.settings import SettingsError, load

PRIVACY = Path(__file__).parents[3] / "docs" / "PRIVACY.md"
KEY = {"TAILRACE_CAPTURE__SAMPLE_KEYS__K2026": "an example of a key"}


def block(language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```$", PRIVACY.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (only,) = found
    return str(only)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    file = tmp_path / "tailrace.yaml"
    file.write_text(block("yaml"), encoding="utf-8")
    return file


def test_the_configuration_loads_without_a_warning(written: Path) -> None:
    settings, findings = load(written, KEY)

    assert settings.content_policy("analytics") is not None
    assert [str(finding) for finding in findings] == []


def test_without_its_key_it_is_refused_as_the_text_says(written: Path) -> None:
    with pytest.raises(SettingsError, match=r"capture\.policies\.support\.sample\.key: there is no key k2026"):
        load(written, {})


def test_what_it_shows_is_what_comes_out(written: Path) -> None:
    words = block("sh").strip().removeprefix("tailrace ").replace("tailrace.yaml", str(written)).split()

    shown = CliRunner().invoke(app, words, env=KEY)

    assert shown.exit_code == 0, shown.output
    assert shown.stdout.strip() == block("text").strip()
