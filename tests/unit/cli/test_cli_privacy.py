"""`tailrace privacy explain` says what stands between a sink and content, and never shows what was not redacted."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from tailrace.cli import app
from tailrace.cli.event_preview import CarriesContent, preview, read_event
from tailrace.domain.capture_gates import CaptureGate
from tailrace.domain.capture_record import OmittedPart, ReferencedPart
from tailrace.domain.payload import NOOP_REDACTOR
from tailrace.settings.capture_checks import CLASS_OF_EVENTS
from tests.unit.codec.written import MINIMAL, framed, store
from tests.unit.settings.test_settings_capture import CONTENT, RAW, SECRET, changed, text, without
from tests.unit.settings.written import loaded

MAIL = "ana.souza@canary-7f31.example"
WORDS = "canary words 7f31 that nothing masks"
BADGE = "PROJECT-NIGHTJAR-731"
CANARIES = (MAIL, WORDS, BADGE)
ROWS = [*CaptureGate, "store", "capture.payloads", "attestation"]

WIDE: dict[str, Any] = {
    **changed("policies.p.families.named", {"model": RAW}),
    "redaction": {"policy_id": "house-2026", "patterns": [{"category": "project", "pattern": "PROJECT-[A-Z]+-[0-9]+"}]},
}
WIDE["policies"]["p"] |= {"sample": {"rate": 1}, "part_limit_bytes": 1000, "event_limit_bytes": 2000}
REFERENCES = {**WIDE, "payloads": False, "store": {"kind": "reference", "url": "memory:///", "name": "archive"}}


def said(*parts: Mapping[str, str]) -> bytes:
    return json.dumps([{"role": "user", "parts": list(parts)}]).encode()


def event(**fields: object) -> bytes:
    """An event of now that permits everything, unless `fields` says otherwise."""
    content = {
        "capture_kind": "turn_chat",
        "thread_id": "thread-1",
        "turn_number": 0,
        "span_is_recording": True,
        "system_instructions": None,
        "input_messages": said(
            {"type": "text", "content": f"write to {MAIL} on {BADGE}"}, {"type": "novel", "content": WORDS}
        ),
        "output_messages": said({"type": "text", "content": "I did.\u202e\u009b"}),
    }
    now_us = time.time_ns() // 1_000
    about = {"event_family": "model", "privacy": "internal", "content_capture": "raw_content"}
    return framed({**MINIMAL, **about, "timestamp": now_us, "recorded_at": now_us, "content": content, **fields})


def explained(
    folder: Path, capture: dict[str, Any] = WIDE, value: bytes | None = None, *options: str, content: object = CONTENT
) -> Result:
    config = folder / "tailrace.yaml"
    config.write_text(text(capture, content), encoding="utf-8")
    words = ["privacy", "explain", "-c", str(config), *options]
    if value is not None:
        (folder / "event.avro").write_bytes(value)
        words += ["--event", str(folder / "event.avro")]
    return CliRunner().invoke(app, words)


def told(
    folder: Path, capture: dict[str, Any] = WIDE, value: bytes | None = None, content: object = CONTENT
) -> dict[str, Any]:
    result = explained(folder, capture, value, "--json", "--sink", "analytics", content=content)
    assert result.exit_code == 0, result.output
    line: dict[str, Any] = json.loads(result.stdout)
    return line


def states(answer: Mapping[str, Any]) -> dict[str, str]:
    return {row["name"]: row["state"] for row in answer["gates"]}


def why(answer: Mapping[str, Any], name: str) -> str:
    (found,) = [row["why"] for row in answer["gates"] if row["name"] == name]
    return str(found)


def test_every_sink_has_a_table_of_every_gate(tmp_path: Path) -> None:
    result = explained(tmp_path)

    assert result.exit_code == 0, result.output
    for table in ("\n" + result.stdout).split("\nsink ")[1:]:
        names = [line.split()[0] for line in table.splitlines() if line.startswith("  ")]
        assert names == ["gate", *ROWS, "in"]
    assert "sink analytics: content.mode raw_content, policy p" in result.stdout
    assert "sink diagnostic: content.mode off" in result.stdout
    assert "in all: at most raw_content, on records" in result.stdout


def test_it_says_what_becomes_of_identifiers(tmp_path: Path) -> None:
    said_so = explained(tmp_path).stdout
    assert "replaced by the word replaced, since identifiers.key is not set" in said_so
    hashed = said_so.partition("references always replaced:")[2].partition("\n  references")[0]
    assert "source.user" in hashed
    assert "subject.run" not in hashed
    assert SECRET not in said_so

    answer = told(tmp_path)["identifiers"]
    assert answer["keyed"] is False
    assert (answer["references"]["source.user"], answer["references"]["subject.run"]) == ("hash", "keep")


def test_a_sink_without_content_has_every_gate_closed(tmp_path: Path) -> None:
    answer = json.loads(explained(tmp_path, WIDE, None, "--json", "--sink", "diagnostic").stdout)

    assert {states(answer)[gate] for gate in CaptureGate} == {"closed"}
    assert answer["barriers"] == ["sinks.diagnostic.content.mode is off"]


def test_what_no_event_can_change_is_open_and_the_rest_depends(tmp_path: Path) -> None:
    assert states(told(tmp_path)) == {
        "policy_mode": "depends on the event",
        "policy_complete": "depends on the event",
        "source": "depends on the event",
        "sink": "open",
        "retention": "depends on the event",
        "sample": "open",
        "byte_limit": "depends on the event",
        "store": "open",
        "capture.payloads": "open",
        "attestation": "open",
    }


CLOSED = {
    "policy_mode": (changed("policies.p.mode", "payload_refs"), "capture.policies.p.mode is payload_refs"),
    "policy_complete": (changed("redaction.policy_id", ""), "capture.redaction.policy_id is not set"),
    "retention": (without("policies.p.retention_s"), "capture.policies.p.retention_s has no run_scoped"),
    "sample": (changed("policies.p.sample", {}), "capture.policies.p.sample.rate is 0"),
    "store": (changed("store", {"kind": "omit"}), "every part is left out"),
    "capture.payloads": (changed("policies.p.sample.rate", 1), "off"),
    "attestation": (changed("store", {"kind": "omit"}), "vouches for nothing"),
}


@pytest.mark.parametrize("name", CLOSED)
def test_a_gate_that_no_event_can_open_is_closed_with_the_key(tmp_path: Path, name: str) -> None:
    capture, reason = CLOSED[name]

    answer = told(tmp_path, {**capture, "payloads": False})

    assert states(answer)[name] == "closed"
    assert reason in why(answer, name)


def test_the_sinks_own_mode_is_a_gate(tmp_path: Path) -> None:
    answer = told(tmp_path, REFERENCES, content={"mode": "payload_refs", "policy": "p"})

    assert states(answer)["sink"] == "closed"
    assert why(answer, "sink") == "sinks.analytics.content.mode is payload_refs"
    assert (states(answer)["capture.payloads"], states(answer)["attestation"]) == ("not asked", "not asked")


def test_who_gets_raw_content_is_named_by_the_rule_that_decides(tmp_path: Path) -> None:
    """What has to be named is not among those that a rule for all others reaches."""
    wide = changed("policies.p.families", {"otherwise": RAW, "named": {"hook": {"mode": "off"}}})

    said_why = why(told(tmp_path, wide), "policy_mode")

    assert "agents all; families all but hook, child_lifecycle, subagent, extension, unknown;" in said_why
    assert "privacy public, internal; of foreign origins child_agent" in said_why


def test_with_an_event_it_shows_the_decision_and_the_redacted_result(tmp_path: Path) -> None:
    result = explained(tmp_path, WIDE, event())

    assert result.exit_code == 0, result.output
    assert "family model, privacy internal, from the agent itself; it permits raw_content" in result.stdout
    assert "this event: raw_content, as the sink was to get: every gate for raw content is open" in result.stdout
    assert "write to [REDACTED:email] on [REDACTED:project]" in result.stdout
    assert "message parts of kinds that never pass: 1" in result.stdout
    assert "system_instructions: the event has none" in result.stdout


def test_what_a_terminal_would_obey_is_spelled_out(tmp_path: Path) -> None:
    result = explained(tmp_path, WIDE, event())

    assert "I did." in result.stdout
    assert "\u202e" not in result.stdout
    assert "\u009b" not in result.stdout


def test_as_json_it_is_the_same_decision(tmp_path: Path) -> None:
    answer = told(tmp_path, WIDE, event())

    assert answer["event"] | {"time_us": 0} == {
        "content": True,
        "record": "progress",
        "family": "model",
        "privacy": "internal",
        "permits": "raw_content",
        "origins": [],
        "time_us": 0,
    }
    verdict = answer["verdict"]
    assert (verdict["allowed"], verdict["effective"], verdict["closed_gates"]) == (True, "raw_content", [])
    assert verdict["sample"] == {"rate": 1.0, "key_name": None, "included": True}
    assert verdict["closes_at_us"] == answer["event"]["time_us"] + 60_000_000
    assert answer["content"]["input_messages"]["disposition"] == "inline"
    (message,) = answer["content"]["input_messages"]["value"]
    assert message["parts"] == [{"type": "text", "content": "write to [REDACTED:email] on [REDACTED:project]"}]


def test_a_reference_is_named_and_nothing_is_kept(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    capture = {**REFERENCES, "store": {"kind": "reference", "url": kept.as_uri(), "name": "archive"}}

    answer = told(tmp_path, capture, event())

    part = answer["content"]["input_messages"]
    assert part["disposition"] == "reference"
    assert part["reference"].startswith("archive:sha256/")
    (message,) = part["value"]
    assert message["parts"] == [{"type": "text", "content": "write to [REDACTED:email] on [REDACTED:project]"}]
    assert not kept.exists()


REFUSED_EVENTS: dict[str, tuple[dict[str, Any], str]] = {
    "source": ({"content_capture": "metadata_only"}, "event"),
    "old": ({"timestamp": 1_700_000_000_000_000}, ""),
    "secret": ({"privacy": "secret"}, "privacy"),
    "child": ({"source": {"kind": "extension", "id": "x"}}, "origin"),
    "family": ({"event_family": "tool"}, "family"),
}


@pytest.mark.parametrize("name", REFUSED_EVENTS)
def test_an_event_that_may_not_leave_shows_no_content_and_says_why(tmp_path: Path, name: str) -> None:
    fields, axis = REFUSED_EVENTS[name]

    answer = told(tmp_path, WIDE, event(**fields))

    assert answer["content"] is None
    assert not answer["verdict"]["allowed"]
    assert axis in answer["verdict"]["narrowed_by"] or answer["verdict"]["closed_gates"] == ["retention"]
    result = explained(tmp_path, WIDE, event(**fields))
    assert "no content on the record" in result.stdout
    assert all(canary not in result.output for canary in (*CANARIES, "REDACTED"))


SWITCHED_OFF = {
    "payloads": ({**WIDE, "payloads": False}, "payloads_off"),
    "store": ({**WIDE, "payloads": False, "store": {"kind": "omit"}}, "store_omits"),
    "limit": (
        {
            **WIDE,
            "policies": {"p": {**WIDE["policies"]["p"], "agents": {"otherwise": {**RAW, "part_limit_bytes": 90}}}},
        },
        "part_limit",
    ),
}


@pytest.mark.parametrize("name", SWITCHED_OFF)
def test_a_part_that_is_left_out_says_why(tmp_path: Path, name: str) -> None:
    capture, reason = SWITCHED_OFF[name]

    answer = told(tmp_path, capture, event())

    assert answer["content"]["input_messages"]["disposition"] == "omitted"
    assert reason in answer["content"]["input_messages"]["reasons"]


def test_a_sink_that_does_not_select_the_first_record_is_told_so(tmp_path: Path) -> None:
    tree = yaml.safe_load(text(WIDE))
    tree["sinks"]["analytics"]["selection"] = {"kinds": ["run_terminal"]}
    config = tmp_path / "tailrace.yaml"
    config.write_text(yaml.safe_dump(tree), encoding="utf-8")
    (tmp_path / "event.avro").write_bytes(event())

    words = ["privacy", "explain", "-c", str(config), "--event", str(tmp_path / "event.avro")]
    result = CliRunner().invoke(app, words)

    assert "the sink's selection leaves out the record that content goes with" in result.stdout
    assert "REDACTED" not in result.stdout


@pytest.mark.parametrize(
    "capture",
    [WIDE, REFERENCES, SWITCHED_OFF["payloads"][0], SWITCHED_OFF["store"][0], SWITCHED_OFF["limit"][0]],
    ids=["inline", "references", "payloads off", "omit", "small"],
)
@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_nothing_private_is_shown_in_any_mode(
    tmp_path: Path, capture: dict[str, Any], options: tuple[str, ...]
) -> None:
    result = explained(tmp_path, capture, event(), *options)

    assert result.exit_code == 0, result.output
    assert all(canary not in result.output for canary in (*CANARIES, SECRET, "PROJECT-["))


@pytest.mark.parametrize("cut", [0, 1, 9, 40, -1])
def test_an_event_that_no_worker_reads_is_said_without_its_bytes(tmp_path: Path, cut: int) -> None:
    result = explained(tmp_path, WIDE, event()[:cut])

    assert result.exit_code == 1
    assert "event: no worker can read it: " in result.stdout
    assert all(canary not in result.output for canary in CANARIES)


def test_an_event_without_content_has_nothing_to_decide(tmp_path: Path) -> None:
    result = explained(tmp_path, WIDE, event(content=None))

    assert result.exit_code == 0
    assert "event: carries no content" in result.stdout
    assert "this event" not in result.stdout


def test_over_a_redactor_that_masks_nothing_no_part_is_shown(tmp_path: Path) -> None:
    settings = loaded(tmp_path, text(WIDE))
    found = read_event(event(), settings, store())
    assert isinstance(found, CarriesContent)

    seen = preview(found, settings, "analytics", NOOP_REDACTOR, time.time_ns() // 1_000)

    assert seen is not None
    assert seen.content is not None
    assert isinstance(seen.content.input_messages, OmittedPart)
    assert isinstance(seen.content.output_messages, OmittedPart)


def test_over_a_redactor_that_masks_nothing_what_a_store_would_keep_is_not_shown(tmp_path: Path) -> None:
    settings = loaded(tmp_path, text(REFERENCES))
    found = read_event(event(), settings, store())
    assert isinstance(found, CarriesContent)

    seen = preview(found, settings, "analytics", NOOP_REDACTOR, time.time_ns() // 1_000)

    assert seen is not None
    assert seen.content is not None
    assert isinstance(seen.content.input_messages, ReferencedPart)
    assert seen.kept == {}


def test_a_pattern_that_cannot_be_used_is_refused_by_its_key(tmp_path: Path) -> None:
    capture = {**WIDE, "redaction": {"policy_id": "r", "patterns": [{"category": "p", "pattern": "(nightjar"}]}}

    result = explained(tmp_path, capture)

    assert result.exit_code == 2
    assert "error: capture.redaction.patterns.0: " in result.stderr
    assert "nightjar" not in result.output


def test_a_sink_that_is_not_there_is_refused(tmp_path: Path) -> None:
    result = explained(tmp_path, WIDE, None, "--sink", "analytic")

    assert result.exit_code == 2
    assert all(word in result.output for word in ("no sink has the id analytic;", "diagnostic"))


def test_an_id_outside_the_grammar_is_decided_by_as_it_is_and_shown_nowhere(tmp_path: Path) -> None:
    value = event(run_id=f"run of {MAIL}", agent_id=f"agent of {MAIL}")
    found = read_event(value, loaded(tmp_path, text(WIDE)), store())

    assert isinstance(found, CarriesContent)
    assert MAIL in found.event.source.run_id
    assert MAIL not in found.record.run_key
    assert MAIL not in explained(tmp_path, WIDE, value).output


def test_the_class_of_events_is_the_one_they_are_read_with(tmp_path: Path) -> None:
    found = read_event(event(), loaded(tmp_path, text(WIDE)), store())

    assert isinstance(found, CarriesContent)
    assert found.event.source.retention is CLASS_OF_EVENTS
