"""What a configuration needs of its topics, and what is said about those that are there."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tailrace.adapters.topic_rules import (
    DEFAULT_PARTITIONS,
    Existing,
    Found,
    FoundTopic,
    Role,
    ToCreate,
    TopicStep,
    plan_topics,
    wanted_topics,
)
from tailrace.settings import Settings
from tailrace.settings.budget import max_record_bytes, max_record_bytes_of
from tests.unit.settings.test_settings_capture import text as content_text
from tests.unit.settings.written import loaded

HOME, FAR = "home:9092", "far:9092"
DAY_MS = 86_400_000
GOOD = {"cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS), "max.message.bytes": "2000000"}
EVENTS = {**GOOD, "max.message.bytes": "1048588"}


def settings() -> Settings:
    return Settings.model_validate(
        {
            "kafka": {"bootstrap_servers": HOME},
            "events": {"topic": "events", "group": "g"},
            "health": {"topic": "health"},
            "dead_letter": {"topic": "dead"},
            "sinks": {
                "near": {"kind": "durable_trace", "topic": "near"},
                "far": {"kind": "durable_trace", "topic": "far", "kafka": {"bootstrap_servers": FAR}},
                "file": {"kind": "local_diagnostic", "path": "d"},
            },
        }
    )


def cluster(**configs: Mapping[str, str] | None) -> Found:
    """Every topic as it should be, three partitions each, but for those given."""
    good: dict[str, Mapping[str, str] | None] = dict.fromkeys(("near", "far", "health", "dead"), GOOD)
    good["events"] = EVENTS
    return {
        (FAR if name == "far" else HOME, name): FoundTopic(3, 3, config) for name, config in {**good, **configs}.items()
    }


def step_of(name: str, found: Found) -> TopicStep:
    return next(step for step in plan_topics(settings(), found) if step.wanted.name == name)


def existing(name: str, found: Found) -> Existing:
    step = step_of(name, found)
    assert isinstance(step, Existing)
    return step


def to_create(name: str, found: Found, **options: int) -> ToCreate:
    step = next(step for step in plan_topics(settings(), found, **options) if step.wanted.name == name)
    assert isinstance(step, ToCreate)
    return step


def test_every_topic_is_wanted_on_its_own_cluster_and_files_want_none() -> None:
    wanted = [(one.key, one.role, one.name, one.cluster.bootstrap_servers) for one in wanted_topics(settings())]

    assert wanted == [
        ("events.topic", Role.EVENTS, "events", HOME),
        ("sinks.near.topic", Role.SINK, "near", HOME),
        ("sinks.far.topic", Role.SINK, "far", FAR),
        ("health.topic", Role.HEALTH, "health", HOME),
        ("dead_letter.topic", Role.DEAD_LETTERS, "dead", HOME),
    ]


def test_topics_that_are_there_and_right_need_nothing() -> None:
    steps = plan_topics(settings(), cluster())

    assert all(isinstance(step, Existing) and step.fits and not step.remarks for step in steps)


def test_a_topic_of_the_same_name_on_another_cluster_does_not_count() -> None:
    found = dict(cluster())
    found[HOME, "far"] = found.pop((FAR, "far"))

    assert isinstance(step_of("far", found), ToCreate)


def test_new_topics_have_as_many_partitions_as_the_events() -> None:
    found = {(HOME, "events"): FoundTopic(12, 3, EVENTS)}

    assert {to_create(name, found).partitions for name in ("near", "far", "health", "dead")} == {12}
    assert to_create("events", {}).partitions == DEFAULT_PARTITIONS
    assert to_create("near", found, partitions=4, replicas=3).partitions == 4
    assert to_create("near", found, partitions=4, replicas=3).replicas == 3
    assert to_create("near", found).replicas == -1


def test_new_topics_never_compact_and_have_room_for_every_record() -> None:
    created = {name: to_create(name, {}).config for name in ("events", "near", "far", "health", "dead")}

    assert {config["cleanup.policy"] for config in created.values()} == {"delete"}
    assert int(created["events"]["max.message.bytes"]) > 1_048_576
    assert int(created["near"]["max.message.bytes"]) > int(created["events"]["max.message.bytes"])


@pytest.mark.parametrize(
    ("events_ms", "sink_ms", "needed_ms"),
    [(3, 3, 7), (30, 7, 30), (7, 90, 90), (-1, 7, -1), (7, -1, -1)],
)
def test_a_new_ledger_lasts_as_long_as_the_longest_topic_it_speaks_of(
    events_ms: int, sink_ms: int, needed_ms: int
) -> None:
    found = dict(cluster(events=retention(events_ms), far=retention(sink_ms)))
    del found[HOME, "health"]

    assert to_create("health", found).config["retention.ms"] == retention(needed_ms)["retention.ms"]


def retention(days: int) -> dict[str, str]:
    return {**EVENTS, "retention.ms": "-1" if days == -1 else str(days * DAY_MS)}


@pytest.mark.parametrize("name", ["events", "near", "far", "health", "dead"])
@pytest.mark.parametrize("policy", ["compact", "compact,delete"])
def test_a_compacted_topic_is_wrong_whatever_it_is_for(name: str, policy: str) -> None:
    step = existing(name, cluster(**{name: {**GOOD, "cleanup.policy": policy}}))

    assert not step.fits
    assert "compacted" in step.remarks[0].wrong
    server = FAR if name == "far" else HOME
    assert step.remarks[0].remedy == (
        f"kafka-configs.sh --bootstrap-server {server} --alter --topic {name} --add-config cleanup.policy=delete"
    )


def test_a_ledger_that_forgets_first_is_wrong() -> None:
    shorter = existing("health", cluster(health=retention(6)))
    endless_sink = existing("health", cluster(near={**GOOD, "retention.ms": "-1"}))
    endless_ledger = existing("health", cluster(health={**GOOD, "retention.ms": "-1"}))
    sized = existing("health", cluster(health={**GOOD, "retention.bytes": "1000"}))

    assert not shorter.fits
    assert f"--add-config retention.ms={7 * DAY_MS}" in shorter.remarks[0].remedy
    assert not endless_sink.fits
    assert "--add-config retention.ms=-1" in endless_sink.remarks[0].remedy
    assert endless_ledger.fits
    assert not sized.fits
    assert "--delete-config retention.bytes" in sized.remarks[0].remedy


def test_sizes_that_make_gaps_are_worth_knowing_but_not_wrong() -> None:
    large_events = existing("events", cluster(events={**EVENTS, "max.message.bytes": "9000000"}))
    small_sink = existing("near", cluster(near={**GOOD, "max.message.bytes": "1048588"}))

    assert large_events.fits
    assert "events.max_event_bytes" in large_events.remarks[0].remedy
    assert small_sink.fits
    assert "--add-config max.message.bytes=" in small_sink.remarks[0].remedy


def test_what_a_cluster_does_not_tell_is_said_and_not_guessed() -> None:
    step = existing("health", cluster(health=None))

    assert step.fits
    assert [remark.wrong for remark in step.remarks] == ["its configuration could not be read"]


def test_a_single_replica_is_worth_knowing() -> None:
    found = dict(cluster())
    found[HOME, "events"] = FoundTopic(3, 1, EVENTS)

    assert existing("events", found).fits
    assert "one replica" in existing("events", found).remarks[0].wrong


def test_a_sinks_topic_takes_records_with_their_content(tmp_path: Path) -> None:
    """The bound of a topic that is made counts what content can add, and one that does not is told."""
    configured = loaded(tmp_path, content_text())
    name = "telemetry.analytics"

    (made,) = [step for step in plan_topics(configured, {}) if step.wanted.name == name]
    assert isinstance(made, ToCreate)
    assert int(made.config["max.message.bytes"]) > max_record_bytes_of(configured, "analytics")

    tight = FoundTopic(1, 1, {**GOOD, "max.message.bytes": str(max_record_bytes(configured.events))})
    found = {(configured.kafka.bootstrap_servers, name): tight}
    (there,) = [step for step in plan_topics(configured, found) if step.wanted.name == name]
    assert isinstance(there, Existing)
    assert any("can be larger" in remark.wrong for remark in there.remarks)
