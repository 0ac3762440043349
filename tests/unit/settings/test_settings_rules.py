"""The rules that tie keys together: what each refuses, what it lets pass, and what it says."""

from pathlib import Path

import pytest

from tailrace.settings import Severity, load
from tests.unit.settings.written import PLAIN, loaded, only, refused, with_section, with_sink

FAR = "kafka: {bootstrap_servers: 'far:9092'}"

REFUSED = {
    "two sinks, one topic": (
        with_sink("again", "{kind: durable_trace, topic: telemetry.analytics}"),
        "sinks.again.topic",
        "topic telemetry.analytics cannot be for sink again: it is already for sink analytics (sinks.analytics.topic)",
        "its own topic",
    ),
    "two sinks, one topic of another cluster": (
        with_sink("x", f"{{kind: durable_trace, topic: t, {FAR}}}")
        + f"  y: {{kind: durable_trace, topic: t, {FAR}}}\n",
        "sinks.y.topic",
        "already for sink x",
        "its own topic",
    ),
    "a sink on the events topic": (
        with_sink("x", "{kind: durable_trace, topic: agent.events}"),
        "sinks.x.topic",
        "already for the events (events.topic)",
        "its own topic",
    ),
    "a sink on the health topic": (
        with_sink("x", "{kind: durable_trace, topic: telemetry.health}"),
        "sinks.x.topic",
        "already for the health records (health.topic)",
        "its own topic",
    ),
    "health on the events topic": (
        with_section("health: {topic: agent.events}"),
        "health.topic",
        "already for the events",
        "its own topic",
    ),
    "dead letters on the events topic": (
        with_section("dead_letter: {topic: agent.events}"),
        "dead_letter.topic",
        "already for the events",
        "its own topic",
    ),
    "dead letters on the health topic": (
        with_section("dead_letter: {topic: telemetry.health}"),
        "dead_letter.topic",
        "already for the health records",
        "its own topic",
    ),
    "a sink on the dead letters": (
        with_section("dead_letter: {topic: telemetry.analytics}"),
        "sinks.analytics.topic",
        "already for the dead letters",
        "its own topic",
    ),
    "two sinks, one file": (
        with_sink("x", "{kind: local_diagnostic, path: ./diagnostic.jsonl}"),
        "sinks.x.path",
        "sink diagnostic writes to the same file",
        "its own file",
    ),
    "two sinks, one file by two names": (
        with_sink("x", "{kind: local_diagnostic, path: ./below/../diagnostic.jsonl}"),
        "sinks.x.path",
        "sink diagnostic writes to the same file",
        "its own file",
    ),
    "a sink where another one keeps its earlier lines": (
        with_sink("x", "{kind: local_diagnostic, path: ./diagnostic.jsonl.3}"),
        "sinks.x.path",
        "sink diagnostic keeps earlier lines, or its lock, under that name",
        "followed by a number",
    ),
    "a sink in another one's lock": (
        with_sink("x", "{kind: local_diagnostic, path: ./diagnostic.jsonl.lock}"),
        "sinks.x.path",
        "sink diagnostic keeps earlier lines, or its lock, under that name",
        "followed by a number",
    ),
    "two sinks whose workers would share a file": (
        with_sink("x", "{kind: local_diagnostic, path: ./diagnostic.worker-2.jsonl}"),
        "sinks.x.path",
        "or would with several workers",
        "its own file",
    ),
    "the id of the dead-letter lane": (
        with_sink("dead_letter", "{kind: test}"),
        "sinks.dead_letter",
        "share one cursor group",
        "another id",
    ),
    "a buffer below four offers": (
        with_sink("x", "{kind: test, batch: {records: 5}, buffer: {capacity_records: 11}}"),
        "sinks.x.buffer.capacity_records",
        "fewer than four offers of one event (12 records)",
        "Raise it to 12",
    ),
    "a reserve that keeps progress out": (
        with_sink("x", "{kind: test, batch: {records: 5}, buffer: {capacity_records: 20, reserve_records: 18}}"),
        "sinks.x.buffer.reserve_records",
        "less than one event can bring",
        "Lower reserve_records",
    ),
    "a buffer below four large events": (
        with_sink("x", "{kind: test, batch: {bytes: 1000}, buffer: {capacity_bytes: 4194303}}"),
        "sinks.x.buffer.capacity_bytes",
        "fewer than four of the largest events (4194304 bytes)",
        "or lower events.max_event_bytes",
    ),
    "more memory than there is": (
        with_section("worker: {memory_limit_bytes: 100000000}"),
        "worker.memory_limit_bytes",
        "with everything full at once the worker takes",
        "lower the buffers",
    ),
    "raw letters that go nowhere": (
        with_section("dead_letter: {raw: true}"),
        "dead_letter.raw",
        "there is no dead-letter topic",
        "Set dead_letter.topic",
    ),
}


@pytest.mark.parametrize(("text", "key", "wrong", "remedy"), REFUSED.values(), ids=REFUSED.keys())
def test_parts_that_do_not_fit_together_are_refused(
    tmp_path: Path, text: str, key: str, wrong: str, remedy: str
) -> None:
    finding = only(refused(tmp_path, text))

    assert finding.severity is Severity.ERROR
    assert finding.key == key
    assert wrong in finding.wrong
    assert remedy in finding.remedy
    assert str(tmp_path / "tailrace.yaml") in finding.source


def test_a_rule_broken_by_a_variable_is_blamed_on_it(tmp_path: Path) -> None:
    finding = only(refused(tmp_path, environ={"TAILRACE_HEALTH__TOPIC": "agent.events"}))

    assert finding.source == "environment variable TAILRACE_HEALTH__TOPIC"


ACCEPTED = {
    "a short session, and no word about the deadline": PLAIN.replace(
        "  group: tailrace\n", "  group: tailrace\n  session_timeout_ms: 6000\n"
    ),
    "one topic name on two clusters": with_sink("x", f"{{kind: durable_trace, topic: telemetry.analytics, {FAR}}}"),
    "a buffer of four offers": with_sink("x", "{kind: test, batch: {records: 5}, buffer: {capacity_records: 12}}"),
    "a deadline just below half the session": with_section("worker: {shutdown_deadline_s: 22.4}"),
}


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_is_just_inside_a_rule_passes_without_a_word(tmp_path: Path, text: str) -> None:
    file = tmp_path / "tailrace.yaml"
    file.write_text(text, encoding="utf-8")

    assert load(file, {})[1] == ()


WARNED = {
    "a deadline as long as half the session": (
        with_section("worker: {shutdown_deadline_s: 22.5}"),
        "worker.shutdown_deadline_s",
        "22.5 s is not below half of events.session_timeout_ms (22.5 s)",
    ),
    "a diagnostic file below one event": (
        with_sink("x", "{kind: local_diagnostic, path: p, rotate_bytes: 65536}"),
        "sinks.x.rotate_bytes",
        "no room for the largest events",
    ),
    "a durable sink that may lose": (
        with_sink("x", "{kind: durable_trace, topic: t, overflow: drop_non_terminal_progress}"),
        "sinks.x.overflow",
        "loses progress records",
    ),
    "raw letters": (with_section("dead_letter: {topic: d, raw: true}"), "dead_letter.raw", "may hold content"),
}


@pytest.mark.parametrize(("text", "key", "wrong"), WARNED.values(), ids=WARNED.keys())
def test_what_works_but_costs_something_is_a_warning(tmp_path: Path, text: str, key: str, wrong: str) -> None:
    file = tmp_path / "tailrace.yaml"
    file.write_text(text, encoding="utf-8")

    finding = only(load(file, {})[1])

    assert (finding.severity, finding.key) == (Severity.WARNING, key)
    assert wrong in finding.wrong


def test_the_plain_configuration_has_nothing_to_complain_about(tmp_path: Path) -> None:
    file = tmp_path / "tailrace.yaml"
    file.write_text(PLAIN, encoding="utf-8")

    assert load(file, {})[1] == ()
    assert loaded(tmp_path).sinks.keys() == {"analytics", "diagnostic"}
