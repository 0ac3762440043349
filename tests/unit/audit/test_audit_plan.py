"""A plan's JSON form: what is written is read back, and anything else names the key."""

import json
from pathlib import Path
from typing import Any

import pytest

from tailrace.audit import (
    AuditPlan,
    Cluster,
    DeadLetterPlan,
    FileDestination,
    KafkaDestination,
    NoDestination,
    PlanInvalid,
    Selection,
    SinkPlan,
    plan_from_json,
    plan_to_json,
)

FULL = AuditPlan(
    cluster=Cluster({"bootstrap.servers": "127.0.0.1:9092", "sasl.password": "not-a-real-one"}),
    events_topic="agent.events",
    group="tailrace",
    health_topic="telemetry.health",
    sinks=(
        SinkPlan(
            sink_id="analytics",
            destination=KafkaDestination("telemetry.analytics", Cluster({"bootstrap.servers": "127.0.0.1:9093"})),
            selection=Selection(frozenset({"usage"}), frozenset({"model"}), frozenset({"agent-1"})),
            config_digest="4567",
            earlier_selections={"0123": Selection(kinds=frozenset({"progress"}))},
            start_at="latest",
            max_resent_offsets=500,
            max_late_records=0,
            may_drop=False,
            content_mode="payload_refs",
        ),
        SinkPlan(sink_id="same-cluster", destination=KafkaDestination("telemetry.two")),
        SinkPlan(sink_id="local", destination=FileDestination(Path("/tmp/local.jsonl"), 7)),  # noqa: S108 - never opened
        SinkPlan(sink_id="otel", destination=NoDestination()),
    ),
    dead_letter=DeadLetterPlan(topic="letters", lane_id="letters", raw=True, config_digest="89ab"),
    max_event_bytes=1_000,
    schema_directories=(Path("/schemas"),),
)

LEAST: dict[str, Any] = {
    "cluster": {"bootstrap.servers": "127.0.0.1:9092"},
    "events_topic": "e",
    "group": "g",
    "health_topic": "h",
    "sinks": [{"sink_id": "s", "topic": "t"}],
}


def test_what_is_written_is_read_back() -> None:
    assert plan_from_json(plan_to_json(FULL)) == FULL


def test_what_is_left_out_has_its_default() -> None:
    plan = plan_from_json(json.dumps(LEAST))
    assert plan.dead_letter is None
    assert plan.max_event_bytes == 1024 * 1024
    assert plan.sinks == (SinkPlan(sink_id="s", destination=KafkaDestination("t")),)


def test_a_printed_plan_shows_no_property_of_a_cluster() -> None:
    assert "not-a-real-one" not in repr(FULL)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"cluster": None}, "cluster"),
        ({"cluster": {"bootstrap.servers": []}}, "cluster.bootstrap.servers"),
        ({"events_topic": ""}, "events_topic"),
        ({"group": 5}, "group"),
        ({"health_topic": None}, "health_topic"),
        ({"sinks": []}, "sinks"),
        ({"sinks": [7]}, "sinks[0]"),
        ({"sinks": [{"topic": "t"}]}, "sinks[0].sink_id"),
        ({"sinks": [{"sink_id": "s", "colour": "red"}]}, "sinks[0].colour"),
        ({"sinks": [{"sink_id": "s", "topic": "t", "file": "f"}]}, "sinks[0].file"),
        ({"sinks": [{"sink_id": "s", "start_at": "middle"}]}, "sinks[0].start_at"),
        ({"sinks": [{"sink_id": "s", "may_drop": "yes"}]}, "sinks[0].may_drop"),
        ({"sinks": [{"sink_id": "s", "content_mode": "everything"}]}, "sinks[0].content_mode"),
        ({"sinks": [{"sink_id": "s", "max_resent_offsets": -1}]}, "sinks[0].max_resent_offsets"),
        ({"sinks": [{"sink_id": "s", "selection": {"kinds": "usage"}}]}, "sinks[0].selection.kinds"),
        ({"sinks": [{"sink_id": "s", "selection": {"kind": []}}]}, "sinks[0].selection.kind"),
        ({"sinks": [{"sink_id": "s", "earlier_selections": {"d": 1}}]}, "sinks[0].earlier_selections.d"),
        ({"dead_letter": {"lane_id": "x"}}, "dead_letter.topic"),
        ({"sinks": [{"sink_id": "s", "config_digest": ""}]}, "sinks[0].config_digest"),
        ({"dead_letter": {"topic": "t", "config_digest": 5}}, "dead_letter.config_digest"),
        ({"dead_letter": {"topic": "t", "raw": 1}}, "dead_letter.raw"),
        ({"max_event_bytes": True}, "max_event_bytes"),
        ({"schema_directories": [1]}, "schema_directories"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_wrong_plan_names_the_key(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(PlanInvalid) as refused:
        plan_from_json(json.dumps({**LEAST, **changes}))
    assert refused.value.place == place
