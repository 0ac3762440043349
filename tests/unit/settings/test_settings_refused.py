"""Every bad configuration gets one message that names the place, the key, what is wrong and how to mend it."""

from pathlib import Path

import pytest

from tailrace.settings import SettingsError, load
from tests.unit.settings.written import PLAIN, only, refused, with_section, with_sink

DURABLE = "kind: durable_trace, topic: t"

CASES = {
    "unknown key at the top": (with_section("evnts: {}"), "evnts", "not a known key", "Did you mean events?"),
    "unknown key at the top, nothing near": (
        with_section("zebra: 1"),
        "zebra",
        "not a known key",
        "Keys there: kafka, events, health, dead_letter, sinks, capture, identifiers, worker, logs",
    ),
    "unknown key in a section": (
        with_section("worker: {shutdown_deadline: 3}"),
        "worker.shutdown_deadline",
        "not a known key",
        "Did you mean worker.shutdown_deadline_s?",
    ),
    "unknown key in a sink": (
        with_sink("x", f"{{{DURABLE}, bufer: {{}}}}"),
        "sinks.x.bufer",
        "not a known key of a durable_trace sink",
        "Did you mean sinks.x.buffer?",
    ),
    "unknown key deep in a sink": (
        with_sink("x", f"{{{DURABLE}, buffer: {{capacity: 3}}}}"),
        "sinks.x.buffer.capacity",
        "not a known key",
        "Did you mean sinks.x.buffer.capacity_",
    ),
    "key of another kind": (
        with_sink("x", "{kind: local_diagnostic, path: p, topic: t}"),
        "sinks.x.topic",
        "not a key of a local_diagnostic sink",
        "belongs to kind durable_trace",
    ),
    "missing section": (
        PLAIN.replace("events:\n  topic: agent.events\n  group: tailrace\n", ""),
        "events",
        "is missing",
        "Add events:",
    ),
    "missing key": (
        PLAIN.replace("  topic: agent.events\n", ""),
        "events.topic",
        "is missing",
        "Add topic: agent.events under events",
    ),
    "missing kind": (with_sink("x", "{topic: t}"), "sinks.x", "has no kind", "Add kind: with one of durable_trace"),
    "misspelt kind": (
        with_sink("x", "{kind: durable_trac, topic: t}"),
        "sinks.x.kind",
        "not a kind of sink",
        "Did you mean durable_trace?",
    ),
    "kind that is not a text": (with_sink("x", "{kind: 3}"), "sinks.x.kind", "not a kind of sink", "Kinds there are"),
    "kind of a later version": (
        with_sink("x", "{kind: open_telemetry}"),
        "sinks.x.kind",
        "open_telemetry sinks are not in this version",
        "Kinds there are: durable_trace, local_diagnostic, test",
    ),
    "sink that is no mapping": (with_sink("x", "3"), "sinks.x", "not a mapping", "Indent its keys"),
    "sinks as a list": (
        PLAIN.partition("sinks:")[0] + "sinks:\n  - {kind: test}\n",
        "sinks",
        "not a mapping",
        "Indent its keys",
    ),
    "no sinks": (PLAIN.partition("sinks:")[0] + "sinks: {}\n", "sinks", "is empty", "Add at least one sink"),
    "sink id with a dot": (
        with_sink('"b.c"', f"{{{DURABLE}}}"),
        'sinks."b.c"',
        "not a sink id",
        "a dot would let the cursor groups",
    ),
    "sink id in capitals": (with_sink("Billing", f"{{{DURABLE}}}"), "sinks.Billing", "not a sink id", "lower-case"),
    "sink id too long": (
        with_sink("x" * 64, f"{{{DURABLE}}}"),
        f"sinks.{'x' * 64}",
        "not a sink id",
        "at most 63",
    ),
    "intake of its own": (
        with_sink("x", f"{{{DURABLE}, intake: own}}"),
        "sinks.x.intake",
        "comes with exactly-once delivery",
        "Write shared",
    ),
    "unknown overflow policy": (
        with_sink("x", f"{{{DURABLE}, overflow: drop}}"),
        "sinks.x.overflow",
        "not one of its values",
        "drop_non_terminal_progress, coalesce_progress_by_run, fail_sink_not_run, replay_from_log",
    ),
    "unknown projection kind": (
        with_sink("x", f"{{{DURABLE}, selection: {{kinds: [usag]}}}}"),
        "sinks.x.selection.kinds.0",
        "not one of its values",
        "Write one of progress, run_terminal, usage, cost_estimate, cost_correction",
    ),
    "projection kind that only exists in-process": (
        with_sink("x", f"{{{DURABLE}, selection: {{kinds: [sink_health]}}}}"),
        "sinks.x.selection.kinds.0",
        "not one of its values",
        "progress",
    ),
    "unknown family": (
        with_sink("x", f"{{{DURABLE}, selection: {{families: [models]}}}}"),
        "sinks.x.selection.families.0",
        "not one of its values",
        "model",
    ),
    "text where a list belongs": (
        with_sink("x", f"{{{DURABLE}, selection: {{families: model}}}}"),
        "sinks.x.selection.families",
        "not a list",
        "Write it like [",
    ),
    "script with a word nobody knows": (
        with_sink("x", "{kind: test, script: [accept, explode]}"),
        "sinks.x.script.1",
        "not an outcome",
        "retry:0.5",
    ),
    "reserve that leaves nothing": (
        with_sink("x", f"{{{DURABLE}, buffer: {{capacity_records: 50, reserve_records: 50}}}}"),
        "sinks.x.buffer",
        "leaves no room for progress",
        "Lower reserve_records",
    ),
    "topic name with a space": (
        with_sink("x", "{kind: durable_trace, topic: 'a b'}"),
        "sinks.x.topic",
        "not a topic name",
        "Use letters",
    ),
    "address without a port": (
        PLAIN.replace("kafka-1:9092", "kafka-1"),
        "kafka.bootstrap_servers",
        "not a list of addresses",
        "Write host:port",
    ),
    "number with a unit": (
        with_section("worker: {commit_interval_ms: 5s}"),
        "worker.commit_interval_ms",
        "not a whole number",
        "units are in the key's name",
    ),
    "truth value for a number": (
        with_section("worker: {commit_interval_ms: yes}"),
        "worker.commit_interval_ms",
        "a truth value",
        "Write a number",
    ),
    "number below its bound": (
        with_section("worker: {commit_interval_ms: 0}"),
        "worker.commit_interval_ms",
        "must be above 0",
        "in range",
    ),
    "session timeout that brokers refuse": (
        PLAIN.replace("  group: tailrace\n", "  group: tailrace\n  session_timeout_ms: 5999\n"),
        "events.session_timeout_ms",
        "must be at least 6000",
        "in range",
    ),
    "text for a truth value": (
        with_section("dead_letter: {topic: d, raw: maybe}"),
        "dead_letter.raw",
        "not a truth value",
        "true or false",
    ),
    "section without keys": (with_section("worker:"), "worker", "not a mapping", "Indent its keys"),
    "log format": (with_section("logs: {format: text}"), "logs.format", "not one of its values", "auto, json, console"),
}


@pytest.mark.parametrize(("text", "key", "wrong", "remedy"), CASES.values(), ids=CASES.keys())
def test_one_mistake_in_the_file_is_one_finding_with_its_line(
    tmp_path: Path, text: str, key: str, wrong: str, remedy: str
) -> None:
    finding = only(refused(tmp_path, text))

    assert finding.key == key
    assert wrong in finding.wrong
    assert remedy in finding.remedy
    assert finding.source.startswith(str(tmp_path / "tailrace.yaml"))
    assert str(finding) == f"error: {finding.source}: {key}: {finding.wrong}. {finding.remedy}."


def test_a_finding_names_the_line_the_key_is_on(tmp_path: Path) -> None:
    finding = only(refused(tmp_path, with_sink("x", f"{{{DURABLE}, bufer: {{}}}}")))

    assert finding.source == f"{tmp_path / 'tailrace.yaml'}:13"


VARIABLES = {
    "unknown section": ("TAILRACE_EVNTS__TOPIC", "t", "no key of the configuration", "TAILRACE_EVENTS__TOPIC"),
    "unknown section, nothing near": ("TAILRACE_ZEBRA", "1", "no key of the configuration", "Keys there: kafka"),
    "unknown key": ("TAILRACE_EVENTS__TOPIK", "t", "called events.topik", "TAILRACE_EVENTS__TOPIC"),
    "single underscore": ("TAILRACE_EVENTS_TOPIC", "t", "called events_topic", "Rename or remove the variable"),
    "unknown key of a sink": (
        "TAILRACE_SINKS__ANALYTICS__BUFER__CAPACITY_RECORDS",
        "1",
        "called sinks.analytics.bufer",
        "TAILRACE_SINKS__ANALYTICS__BUFFER__CAPACITY_RECORDS",
    ),
    "key below a value": ("TAILRACE_EVENTS__TOPIC__NAME", "t", "has no keys of its own", "TAILRACE_EVENTS__TOPIC"),
    "nothing behind the prefix": ("TAILRACE_", "t", "no key of the configuration", "Keys there"),
    "list that is not JSON": (
        "TAILRACE_SINKS__ANALYTICS__SELECTION__KINDS",
        "usage",
        "not a list in JSON",
        '["usage", "run_terminal"]',
    ),
    "mapping that is a list": ("TAILRACE_KAFKA__LIBRDKAFKA", "[]", "not a mapping in JSON", '{"key": "value"}'),
}


@pytest.mark.parametrize(("name", "value", "wrong", "remedy"), VARIABLES.values(), ids=VARIABLES.keys())
def test_a_variable_that_matches_nothing_is_refused_by_name(
    tmp_path: Path, name: str, value: str, wrong: str, remedy: str
) -> None:
    finding = only(refused(tmp_path, environ={name: value}))

    assert finding.source == f"environment variable {name}"
    assert wrong in finding.wrong
    assert remedy in finding.remedy


def test_a_bad_value_from_a_variable_is_blamed_on_the_variable(tmp_path: Path) -> None:
    finding = only(refused(tmp_path, environ={"TAILRACE_EVENTS__FETCH_KBYTES": "many"}))

    assert finding.source == "environment variable TAILRACE_EVENTS__FETCH_KBYTES"
    assert finding.key == "events.fetch_kbytes"


def test_a_variable_for_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    finding = only(refused(tmp_path, environ={"TAILRACE_SINKS__DIAGNOSTIC__TOPIC": "t"}))

    assert finding.source == "environment variable TAILRACE_SINKS__DIAGNOSTIC__TOPIC"
    assert "belongs to kind durable_trace" in finding.remedy


def test_every_mistake_is_reported_at_once(tmp_path: Path) -> None:
    text = with_section("evnts: {}").replace("topic: agent.events", "topik: agent.events")

    keys = {finding.key for finding in refused(tmp_path, text, {"TAILRACE_ZEBRA": "1"})}

    assert keys == {"evnts", "events.topik", "events.topic", "zebra"}


FILES = {
    "absent": (None, "does not exist", "--config"),
    "empty": (b"", "not a mapping of keys", "Begin with"),
    "a list": (b"- a\n", "not a mapping of keys", "Begin with"),
    "broken YAML": (b"kafka: [\n", "not valid YAML", "indentation"),
    "several documents": (b"a: 1\n---\nb: 2\n", "not valid YAML", "indentation"),
    "a Python object": (b"kafka: !!python/object/apply:os.getcwd []\n", "not valid YAML", "indentation"),
    "not UTF-8": (b"kafka: \xff\n", "not UTF-8", "UTF-8"),
    "a key that is a number": (b"1: 2\n", "a key that is not a text", "quotes"),
    "a key written twice": (PLAIN.encode() + b"  analytics: {kind: test}\n", "written twice", "its own id"),
    "an alias of itself": (b"kafka: &k\n  security: *k\n", "contains itself", "Remove the alias"),
}


@pytest.mark.parametrize(("content", "wrong", "remedy"), FILES.values(), ids=FILES.keys())
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, content: bytes | None, wrong: str, remedy: str) -> None:
    file = tmp_path / "named.yaml"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(SettingsError) as raised:
        load(file, {})

    finding = only(raised.value.findings)
    assert finding.source.startswith(str(file))
    assert wrong in finding.wrong
    assert remedy in finding.remedy


def test_a_directory_in_place_of_the_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is a directory"):
        load(tmp_path, {})


def test_a_key_written_twice_is_named_with_its_second_line(tmp_path: Path) -> None:
    finding = only(refused(tmp_path, PLAIN + "  analytics: {kind: test}\n"))

    assert (finding.key, finding.source) == ("sinks.analytics", f"{tmp_path / 'tailrace.yaml'}:13")
