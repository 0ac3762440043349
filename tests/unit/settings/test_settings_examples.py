"""The files in config/ are what a user copies: they load, show the defaults, and match the schema beside them."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tailrace.domain.capture_policy import ContentSource
from tailrace.domain.capture_verdict import decide_capture
from tailrace.domain.kinds import EventFamily
from tailrace.domain.privacy import ContentCaptureMode, PrivacyClass, RetentionClass
from tailrace.domain.refs import EntityKind, SourceKind
from tailrace.settings import DurableTraceSettings, LocalDiagnosticSettings, load
from tailrace.settings.json_schema import json_schema
from tests.unit.settings.written import PLAIN, loaded

CONFIG = Path(__file__).resolve().parents[3] / "config"
FILES = sorted(CONFIG.glob("*.yaml"))


def test_there_is_an_example_and_a_demo() -> None:
    assert {file.name for file in FILES} >= {"tailrace.yaml", "demo.yaml", "content.yaml"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_file_loads_without_a_warning(file: Path) -> None:
    _, findings = load(file, {})

    assert [str(finding) for finding in findings] == []


def test_the_example_shows_the_defaults(tmp_path: Path) -> None:
    example, _ = load(CONFIG / "tailrace.yaml", {})
    plain = loaded(tmp_path, PLAIN)

    for section in ("events", "health", "capture", "identifiers", "worker", "logs"):
        shown, default = getattr(example, section).model_dump(), getattr(plain, section).model_dump()
        assert shown == default, section
    for sink_id in ("analytics", "diagnostic"):
        shown_sink, default_sink = example.sinks[sink_id], plain.sinks[sink_id]
        assert shown_sink.buffer.reserve == default_sink.buffer.reserve
        assert shown_sink.overflow_policy == default_sink.overflow_policy
        differing = {"topic", "path", "overflow", "buffer"}
        assert shown_sink.model_dump(exclude=differing) == default_sink.model_dump(exclude=differing)
    diagnostic = example.sinks["diagnostic"]
    assert isinstance(diagnostic, LocalDiagnosticSettings)
    assert diagnostic.total_bytes == 64 * 1024 * 1024


def test_the_example_shows_every_key_there_is() -> None:
    """A key that is only in the code is one nobody finds; commented ones count."""
    text = (CONFIG / "tailrace.yaml").read_text(encoding="utf-8")
    schema = json.loads(json_schema())
    hidden = {"TestSinkSettings"}

    keys = {
        key
        for name, section in {**schema["$defs"], "": schema}.items()
        if name not in hidden
        for key in section.get("properties", {})
    }

    assert {key for key in keys if f"{key}:" not in text} == {"key_password", "sasl_password"}
    assert "or sasl_password" in text


def test_the_committed_schema_is_current() -> None:
    """If this fails: python -m tailrace.settings.json_schema > config/tailrace.schema.json."""
    assert (CONFIG / "tailrace.schema.json").read_text(encoding="utf-8") == json_schema()


def test_the_schema_refuses_unknown_keys_everywhere() -> None:
    schema = json.loads(json_schema())

    assert schema["additionalProperties"] is False
    sections = [part for part in schema["$defs"].values() if part["type"] == "object"]
    assert len(sections) > 10
    assert all(section["additionalProperties"] is False for section in sections)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_file_names_the_schema(file: Path) -> None:
    assert file.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=tailrace.schema.json\n")
    assert isinstance(yaml.safe_load(file.read_text(encoding="utf-8")), dict)


def test_the_demo_works_with_the_compose_file() -> None:
    compose = yaml.safe_load((CONFIG.parent / "docker-compose.yml").read_text(encoding="utf-8"))
    demo, _ = load(CONFIG / "demo.yaml", {})

    listeners = compose["services"]["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert f"//{demo.kafka.bootstrap_servers}," in listeners
    assert any(isinstance(sink, DurableTraceSettings) for sink in demo.sinks.values())


def source(**about: Any) -> ContentSource:
    known: dict[str, Any] = {"agent_id": "agent.support", "family": EventFamily.MODEL, "privacy": PrivacyClass.INTERNAL}
    return ContentSource(
        run_id="run-1",
        content_capture=ContentCaptureMode.RAW_CONTENT,
        source_kind=SourceKind.SDK,
        subject_kind=EntityKind.RUN,
        retention=RetentionClass.RUN_SCOPED,
        event_time_us=0,
        **{**known, **about},
    )


@pytest.mark.parametrize(
    ("sink_id", "about", "granted"),
    [
        ("support_analytics", {}, "raw_content"),
        ("support_analytics", {"family": EventFamily.TOOL}, "raw_content"),
        ("support_analytics", {"agent_id": "agent.other"}, "off"),
        ("support_analytics", {"family": EventFamily.HOOK}, "off"),
        ("support_analytics", {"privacy": PrivacyClass.SENSITIVE}, "off"),
        ("usage", {}, "metadata_only"),
    ],
)
def test_the_example_with_content_grants_what_its_comments_say(
    sink_id: str, about: dict[str, Any], granted: str
) -> None:
    settings, _ = load(CONFIG / "content.yaml", {})
    policy = settings.content_policy(sink_id)
    assert policy is not None

    now_us = 86_400_000_000 - 1
    spec = settings.sink_spec(sink_id)
    verdict = decide_capture(source(**about), spec, policy, now_us=now_us, requested_bytes=1)
    late = decide_capture(source(**about), spec, policy, now_us=now_us + 1, requested_bytes=1)

    assert verdict.decision.effective_mode == granted
    assert not late.carries_content
    assert settings.content_policy("diagnostic") is None
