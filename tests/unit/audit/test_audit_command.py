"""`tailrace audit`: from a configuration to a plan, and the exit codes that need no broker."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tailrace.audit import (
    DeadLetterPlan,
    FileDestination,
    KafkaDestination,
    NoDestination,
    Selection,
    plan_from_json,
    plan_to_json,
)
from tailrace.cli import app
from tailrace.cli.audit import plan_of
from tailrace.settings.checks import DEAD_LETTER_LANE_ID
from tailrace.settings.digest import lane_digest, letters_digest
from tests.unit.settings.written import PLAIN, loaded, with_section, with_sink

ELSEWHERE = (
    "{kind: durable_trace, topic: billing, kafka: {bootstrap_servers: 'kafka-9:9092'}, start_at: latest, "
    "selection: {kinds: [usage], families: [model], agents: [a-1]}, max_ahead_records: 500, "
    "buffer: {capacity_records: 3000}, batch: {records: 200}}"
)


def test_every_sink_is_read_from_where_the_configuration_puts_it(tmp_path: Path) -> None:
    settings = loaded(tmp_path, with_sink("billing", ELSEWHERE) + "  rehearsal: {kind: test}\n")
    plan = plan_of(settings, Path("/srv"))
    assert [sink.sink_id for sink in plan.sinks] == ["analytics", "billing", "diagnostic", "rehearsal"]
    analytics, billing, diagnostic, rehearsal = plan.sinks
    assert isinstance(analytics.destination, KafkaDestination)
    assert analytics.destination.topic == "telemetry.analytics"
    assert analytics.destination.cluster is not None
    assert analytics.destination.cluster.properties["bootstrap.servers"] == "kafka-1:9092"
    assert isinstance(billing.destination, KafkaDestination)
    assert billing.destination.cluster is not None
    assert billing.destination.cluster.properties["bootstrap.servers"] == "kafka-9:9092"
    assert diagnostic.destination == FileDestination(Path("/srv/diagnostic.jsonl"), keep_files=4)
    assert rehearsal.destination == NoDestination()


def test_what_a_sink_wants_and_how_it_may_behave_is_carried_over(tmp_path: Path) -> None:
    settings = loaded(tmp_path, with_sink("billing", ELSEWHERE))
    analytics, billing, diagnostic = plan_of(settings, Path("/srv")).sinks
    assert billing.selection == Selection(frozenset({"usage"}), frozenset({"model"}), frozenset({"a-1"}))
    assert (analytics.config_digest, billing.config_digest) == tuple(
        lane_digest(settings, sink_id) for sink_id in ("analytics", "billing")
    )
    assert (analytics.start_at, billing.start_at) == ("earliest", "latest")
    assert billing.max_resent_offsets == 500 + 3_000 + 200
    assert (analytics.max_late_records, billing.max_late_records) == (2_500, 200)
    assert (analytics.may_drop, diagnostic.may_drop) == (False, True)


def test_a_sink_may_hold_as_much_content_as_any_configuration_let_it_have(tmp_path: Path) -> None:
    """Records of before the content was turned off are still there."""
    sink = "{kind: durable_trace, topic: billing, content: {mode: MODE, policy: p}}"
    policies = "\ncapture: {policies: {p: {}}}\n"
    off, refs = (
        loaded(tmp_path, with_sink("billing", sink.replace("MODE", mode)) + policies)
        for mode in ("off", "payload_refs")
    )
    for now, earlier, mode in ((off, [], "off"), (refs, [], "payload_refs"), (off, [refs], "payload_refs")):
        analytics, billing, _ = plan_of(now, Path("/srv"), earlier).sinks
        assert (analytics.content_mode, billing.content_mode) == ("off", mode)


def test_dead_letters_are_read_if_there_are_any(tmp_path: Path) -> None:
    assert plan_of(loaded(tmp_path), Path("/srv")).dead_letter is None
    settings = loaded(tmp_path, with_section("dead_letter: {topic: letters, raw: true}"))
    letters = plan_of(settings, Path("/srv")).dead_letter
    assert letters == DeadLetterPlan(
        topic="letters", lane_id=DEAD_LETTER_LANE_ID, raw=True, config_digest=letters_digest(settings)
    )


def test_what_a_sink_wanted_under_earlier_configurations_is_told_by_their_digests(tmp_path: Path) -> None:
    """One that had another limit on events is left out: what it did to an event of some size nobody can say."""
    settings = loaded(tmp_path, with_sink("billing", ELSEWHERE))
    former = loaded(tmp_path, with_sink("billing", ELSEWHERE.replace("kinds: [usage]", "kinds: [usage, progress]")))
    other_limit = loaded(
        tmp_path, with_sink("old", "{kind: test}").replace("events:\n", "events:\n  max_event_bytes: 500000\n")
    )
    analytics, billing, _ = plan_of(settings, Path("/srv"), [former, settings, other_limit]).sinks
    assert analytics.earlier_selections == {}
    assert dict(billing.earlier_selections) == {
        lane_digest(former, "billing"): Selection(
            frozenset({"usage", "progress"}), frozenset({"model"}), frozenset({"a-1"})
        )
    }


def test_another_limit_on_events_is_another_configuration_for_the_dead_letters(tmp_path: Path) -> None:
    larger = PLAIN.replace("events:\n", "events:\n  max_event_bytes: 500000\n")
    assert letters_digest(loaded(tmp_path)) != letters_digest(loaded(tmp_path, larger))
    other_sinks = loaded(tmp_path, with_sink("billing", ELSEWHERE))
    assert letters_digest(loaded(tmp_path)) == letters_digest(other_sinks)


def test_an_earlier_configuration_that_is_none_is_a_wrong_usage(tmp_path: Path) -> None:
    file = tmp_path / "tailrace.yaml"
    file.write_text(PLAIN, encoding="utf-8")
    ended = CliRunner().invoke(app, ["audit", "-c", str(file), "--earlier-config", str(tmp_path / "nowhere.yaml")])
    assert ended.exit_code == 2
    assert "nowhere.yaml" in ended.stderr


def test_the_plan_of_a_configuration_can_be_handed_to_another_process(tmp_path: Path) -> None:
    plan = plan_of(loaded(tmp_path, with_sink("billing", ELSEWHERE)), Path("/srv"))
    assert plan_from_json(plan_to_json(plan)) == plan


@pytest.mark.parametrize("spec", ["analytics:1", "analytics:x:1", ":0:0"])
def test_a_record_to_leave_out_that_cannot_be_understood_leaves_no_verdict(tmp_path: Path, spec: str) -> None:
    file = tmp_path / "tailrace.yaml"
    file.write_text(PLAIN, encoding="utf-8")
    ended = CliRunner().invoke(app, ["audit", "-c", str(file), "--without-record", spec])
    assert ended.exit_code == 2
    assert "no verdict" in ended.stderr


def test_a_configuration_that_is_none_is_a_wrong_usage(tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["audit", "-c", str(tmp_path / "nowhere.yaml")])
    assert ended.exit_code == 2
