"""Configuration files for the settings' tests, written where the test says."""

from collections.abc import Mapping
from pathlib import Path

from tailrace.settings import Finding, Settings, SettingsError, load

PLAIN = """\
kafka:
  bootstrap_servers: kafka-1:9092
events:
  topic: agent.events
  group: tailrace
sinks:
  analytics:
    kind: durable_trace
    topic: telemetry.analytics
  diagnostic:
    kind: local_diagnostic
    path: diagnostic.jsonl
"""


def loaded(folder: Path, text: str = PLAIN, environ: Mapping[str, str] | None = None) -> Settings:
    file = folder / "tailrace.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file, environ or {})[0]


def refused(folder: Path, text: str = PLAIN, environ: Mapping[str, str] | None = None) -> tuple[Finding, ...]:
    try:
        loaded(folder, text, environ)
    except SettingsError as error:
        return error.findings
    message = "the configuration was accepted"
    raise AssertionError(message)


def only(findings: tuple[Finding, ...]) -> Finding:
    assert len(findings) == 1, [str(finding) for finding in findings]
    return findings[0]


def with_sink(name: str, text: str) -> str:
    """PLAIN and one more sink, `text` being its keys as flow mapping."""
    return f"{PLAIN}  {name}: {text}\n"


def with_section(text: str) -> str:
    return f"{PLAIN}{text}\n"
