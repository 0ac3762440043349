from pathlib import Path

import pytest
from pydantic import ValidationError

from tailrace.domain.kinds import EventFamily, OverflowPolicy, ProjectionKind
from tailrace.settings import DurableTraceSettings, LocalDiagnosticSettings, Settings, Severity, load
from tailrace.settings.digest import lane_digest
from tests.unit.settings.written import PLAIN, loaded, with_section, with_sink


def test_a_file_that_says_the_least_gets_the_documented_defaults(tmp_path: Path) -> None:
    settings = loaded(tmp_path)

    assert settings.events.session_timeout_ms == 45_000
    assert settings.events.max_event_bytes == 1_048_576
    assert settings.events.poison_limit == 100
    assert settings.health.topic == "telemetry.health"
    assert settings.dead_letter.topic is None
    assert settings.worker.shutdown_deadline_s == 20
    analytics = settings.sinks["analytics"]
    assert isinstance(analytics, DurableTraceSettings)
    assert (analytics.buffer.capacity_records, analytics.buffer.capacity_bytes) == (20_000, 32 * 1024 * 1024)
    assert analytics.buffer.reserve == 20_000 // 16
    assert (analytics.batch.records, analytics.batch.bytes, analytics.batch.linger_ms) == (2_500, 2_097_152, 50)
    assert (analytics.max_ahead_records, analytics.start_at) == (100_000, "earliest")
    assert settings.cursor_group("analytics") == "tailrace.analytics"


def test_the_overflow_policy_defaults_by_kind_and_can_be_chosen(tmp_path: Path) -> None:
    chosen = with_sink("other", "{kind: local_diagnostic, path: o.jsonl, overflow: coalesce_progress_by_run}")

    sinks = loaded(tmp_path, chosen).sinks

    assert sinks["analytics"].overflow_policy is OverflowPolicy.REPLAY_FROM_LOG
    assert sinks["diagnostic"].overflow_policy is OverflowPolicy.DROP_NON_TERMINAL_PROGRESS
    assert sinks["other"].overflow_policy is OverflowPolicy.COALESCE_PROGRESS_BY_RUN


def test_the_reserve_is_never_below_one_record(tmp_path: Path) -> None:
    small = with_sink("small", "{kind: test, buffer: {capacity_records: 12}}")

    assert loaded(tmp_path, small).sinks["small"].buffer.reserve == 1


def test_a_variable_overrides_the_file_and_leaves_its_neighbours(tmp_path: Path) -> None:
    environ = {
        "TAILRACE_EVENTS__GROUP": "other",
        "TAILRACE_SINKS__ANALYTICS__BUFFER__CAPACITY_RECORDS": "500",
        "TAILRACE_HEALTH__MARK_INTERVAL_S": "2.5",
        "TAILRACE_DEAD_LETTER__RAW": "false",
    }

    settings = loaded(tmp_path, environ=environ)

    assert (settings.events.group, settings.events.topic) == ("other", "agent.events")
    assert settings.sinks["analytics"].buffer.capacity_records == 500
    assert settings.sinks["analytics"].buffer.capacity_bytes == 32 * 1024 * 1024
    assert settings.health.mark_interval_s == 2.5


def test_a_sink_can_come_from_the_environment_alone(tmp_path: Path) -> None:
    environ = {"TAILRACE_SINKS__LATE__KIND": "local_diagnostic", "TAILRACE_SINKS__LATE__PATH": "late.jsonl"}

    late = loaded(tmp_path, environ=environ).sinks["late"]

    assert isinstance(late, LocalDiagnosticSettings)
    assert late.path == Path("late.jsonl")


def test_lists_and_mappings_come_as_json_and_single_keys_still_override_them(tmp_path: Path) -> None:
    environ = {
        "TAILRACE_SINKS__ANALYTICS__SELECTION__KINDS": '["usage", "run_terminal"]',
        "TAILRACE_KAFKA__LIBRDKAFKA": '{"socket.timeout.ms": 10000}',
        "TAILRACE_EVENTS": '{"poison_limit": 7, "fetch_kbytes": 2048}',
        "TAILRACE_EVENTS__POISON_LIMIT": "8",
    }

    settings = loaded(tmp_path, environ=environ)

    assert settings.sinks["analytics"].selection.kinds == (ProjectionKind.USAGE, ProjectionKind.RUN_TERMINAL)
    assert settings.kafka.librdkafka == {"socket.timeout.ms": 10_000}
    assert (settings.events.poison_limit, settings.events.fetch_kbytes) == (8, 2_048)


def test_null_unsets_a_key_that_may_be_unset(tmp_path: Path) -> None:
    letters = with_section("dead_letter: {topic: dead}")

    assert loaded(tmp_path, letters).dead_letter.topic == "dead"
    assert loaded(tmp_path, letters, {"TAILRACE_DEAD_LETTER__TOPIC": "null"}).dead_letter.topic is None


def test_a_value_that_looks_like_a_number_stays_the_text_it_is(tmp_path: Path) -> None:
    assert loaded(tmp_path, environ={"TAILRACE_EVENTS__GROUP": "007"}).events.group == "007"


def test_what_names_the_file_or_steers_the_test_suite_is_not_a_setting(tmp_path: Path) -> None:
    environ = {"TAILRACE_CONFIG": "x.yaml", "TAILRACE_TEST_BOOTSTRAP": "kafka:9092", "PATH": "/bin"}

    assert loaded(tmp_path, environ=environ) == loaded(tmp_path)


def test_settings_built_directly_do_not_look_at_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILRACE_EVENTS__GROUP", "from-the-shell")
    monkeypatch.setenv("EVENTS", '{"group": "from-the-shell"}')
    tree = {
        "kafka": {"bootstrap_servers": "kafka:9092"},
        "events": {"topic": "agent.events", "group": "given"},
        "sinks": {"t": {"kind": "test"}},
    }

    assert Settings.model_validate(tree).events.group == "given"


def test_nothing_changes_after_load(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    sinks: object = settings.sinks
    properties: object = settings.kafka.librdkafka

    with pytest.raises(ValidationError):
        settings.events = settings.events
    with pytest.raises(ValidationError):
        settings.events.topic = "other"
    with pytest.raises(TypeError):
        sinks["new"] = 1  # type: ignore[index]
    with pytest.raises(TypeError):
        properties["new"] = 1  # type: ignore[index]


def test_a_selection_is_the_rule_the_lanes_apply(tmp_path: Path) -> None:
    text = with_sink("few", "{kind: test, selection: {kinds: [usage], families: [model], agents: [planner]}}")

    rule = loaded(tmp_path, text).sinks["few"].selection.rule()

    assert rule.kinds == {ProjectionKind.USAGE}
    assert rule.families == {EventFamily.MODEL}
    assert rule.agents == {"planner"}


def test_a_sink_without_a_cluster_of_its_own_is_on_that_of_the_events(tmp_path: Path) -> None:
    text = with_sink("far", "{kind: durable_trace, topic: far, kafka: {bootstrap_servers: 'far:9092'}}")

    settings = loaded(tmp_path, text)

    assert settings.cluster_of("analytics") is settings.kafka
    assert settings.cluster_of("far").bootstrap_servers == "far:9092"


@pytest.mark.parametrize(("deadline_s", "session_ms"), [("20", "45000"), ("60", "6000"), ("0.5", "6000")])
def test_a_drain_is_always_below_half_the_session_and_within_the_deadline(
    tmp_path: Path, deadline_s: str, session_ms: str
) -> None:
    environ = {"TAILRACE_WORKER__SHUTDOWN_DEADLINE_S": deadline_s, "TAILRACE_EVENTS__SESSION_TIMEOUT_MS": session_ms}

    drain_s = loaded(tmp_path, environ=environ).drain_s

    assert drain_s < float(session_ms) / 2_000
    assert drain_s <= float(deadline_s)


def test_warnings_come_back_with_the_settings_and_do_not_stop_them(tmp_path: Path) -> None:
    file = tmp_path / "tailrace.yaml"
    file.write_text(with_section("dead_letter: {topic: dead, raw: true}"), encoding="utf-8")

    settings, findings = load(file, {})

    assert settings.dead_letter.raw
    assert [(finding.severity, finding.key) for finding in findings] == [(Severity.WARNING, "dead_letter.raw")]
    assert findings[0].source == f"{file}:13"


def test_a_lanes_digest_changes_with_what_it_gets_and_with_nothing_else(tmp_path: Path) -> None:
    before = lane_digest(loaded(tmp_path), "analytics")
    bigger = lane_digest(
        loaded(tmp_path, environ={"TAILRACE_SINKS__ANALYTICS__BUFFER__CAPACITY_RECORDS": "500"}), "analytics"
    )
    fewer = lane_digest(
        loaded(tmp_path, environ={"TAILRACE_SINKS__ANALYTICS__SELECTION__KINDS": '["usage", "progress"]'}), "analytics"
    )
    swapped = lane_digest(
        loaded(tmp_path, environ={"TAILRACE_SINKS__ANALYTICS__SELECTION__KINDS": '["progress", "usage"]'}), "analytics"
    )

    assert before == bigger
    assert fewer == swapped
    assert before != fewer


def test_yaml_anchors_and_merge_keys_work(tmp_path: Path) -> None:
    text = (
        PLAIN.replace("  analytics:\n", "  analytics: &like\n") + "  more:\n    <<: *like\n    topic: telemetry.more\n"
    )

    more = loaded(tmp_path, text).sinks["more"]

    assert isinstance(more, DurableTraceSettings)
    assert more.topic == "telemetry.more"
