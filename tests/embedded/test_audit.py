"""An audit of a story that was written to a broker: real topics, real groups, real files, a process of its own."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tailrace.adapters.embedded import EmbeddedBroker
from tailrace.audit import (
    AuditOptions,
    AuditPlan,
    Cluster,
    EvidenceUnreadable,
    FileDestination,
    FindingCode,
    KafkaEvidence,
    NoteCode,
    Omission,
    plan_to_json,
    run_audit,
)
from tests.embedded.conftest import StartBroker
from tests.unit.audit.corruptions import copy_of, first, remove, rewrite
from tests.unit.audit.stories import TOPIC, Story, Temper, health_message, story_of

TOPICS = {TOPIC: 2, "health": 1, "letters": 1, "analytics": 3, "billing": 3}


@dataclass(frozen=True, slots=True)
class Stage:
    """A story on a broker and on disk."""

    story: Story
    broker: EmbeddedBroker
    plan: AuditPlan
    folder: Path


SetStage = Callable[[Story], Stage]


@pytest.fixture
def set_stage(start_broker: StartBroker, tmp_path: Path) -> SetStage:
    def on_stage(story: Story) -> Stage:
        broker = start_broker(TOPICS)
        sinks = []
        for sink in story.sinks.values():
            placed = isinstance(sink.plan.destination, FileDestination)
            destination = FileDestination(tmp_path / "local.jsonl") if placed else sink.plan.destination
            sinks.append(replace(sink.plan, destination=destination))
        plan = replace(story.plan, cluster=Cluster({"bootstrap.servers": broker.bootstrap_servers}), sinks=tuple(sinks))
        _write(story, broker)
        _commit(story, broker)
        lines = [record.value for record in story.sinks["local"].records]
        half = len(lines) // 2
        (tmp_path / "local.jsonl.1").write_bytes(b"".join(line + b"\n" for line in lines[:half]))
        (tmp_path / "local.jsonl").write_bytes(b"".join(line + b"\n" for line in lines[half:]))
        return Stage(story, broker, plan, tmp_path)

    return on_stage


def _write(story: Story, broker: EmbeddedBroker) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "enable.idempotence": True, "linger.ms": 1})
    for partition, messages in story.events.items():
        for message in messages:
            producer.produce(TOPIC, key=message.key, value=message.value, partition=partition)
    for name in ("analytics", "billing"):
        for record in story.sinks[name].records:
            producer.produce(name, key=record.key, value=record.value, partition=record.sink_partition)
    for letter in story.letters:
        producer.produce("letters", key=letter.key, value=letter.value, partition=0, headers=list(letter.headers))
    for offset, written in enumerate(story.ledger):
        message = health_message(offset, written)
        producer.produce("health", key=message.key, value=message.value, partition=0)
    assert producer.flush(30) == 0


def _commit(story: Story, broker: EmbeddedBroker) -> None:
    for sink_id, cursors in story.cursors.items():
        consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": f"group.{sink_id}"})
        consumer.commit(offsets=[TopicPartition(TOPIC, p, c) for p, c in cursors.items()], asynchronous=False)
        consumer.close()


def story(temper: Temper | None = None) -> Story:
    """Without holes: the embedded broker has no transaction markers to make them of."""
    return story_of(1, temper, count=150, hole_rate=0.0)


def codes(stage: Stage, options: AuditOptions | None = None) -> set[str]:
    return {str(finding.code) for finding in run_audit(stage.plan, options).findings}


def test_a_true_story_adds_up_and_is_read_to_the_last_record(set_stage: SetStage) -> None:
    told = story()
    report = run_audit(set_stage(told).plan, AuditOptions(require_complete=True, min_events=150))
    assert report.findings == ()
    assert report.events == 150
    exported = {sink.sink_id: sink.totals.exported for sink in report.sinks}
    assert exported["analytics"] == len(told.sinks["analytics"].records)
    assert exported["local"] == len(told.sinks["local"].records)
    assert exported["dead_letter"] == len(told.letters)


def test_a_story_with_every_trouble_adds_up_too(set_stage: SetStage) -> None:
    told = story(Temper(lives=3, drops=0.1, failures=0.05, refusals=0.05, stops_early=True))
    assert codes(set_stage(told)) == set()


def test_a_record_that_never_reached_its_topic_is_missing(set_stage: SetStage) -> None:
    told = story()
    remove(told, "analytics", first(told, "analytics").unit)
    assert codes(set_stage(told)) == {FindingCode.MISSING}


@pytest.mark.parametrize("sink", ["analytics", "local"])
def test_a_record_that_differs_is_looked_at_again_for_the_field(set_stage: SetStage, sink: str) -> None:
    told = story()
    rewrite(told, sink, first(told, sink), lambda fields: fields.update(agent_id="another"))
    (finding,) = run_audit(set_stage(told).plan).findings
    assert (finding.code, finding.detail) == (FindingCode.ALTERED, "agent_id")


def test_a_record_that_is_there_twice_is_found(set_stage: SetStage) -> None:
    told = story()
    told.sinks["billing"].records.append(copy_of(first(told, "billing")))
    assert codes(set_stage(told)) == {FindingCode.DUPLICATE_UNEXPLAINED}


def test_a_canary_in_a_header_is_found(set_stage: SetStage) -> None:
    told = story()
    told.letters[0].headers.append(("note", b"CANARY"))
    assert codes(set_stage(told), AuditOptions(canaries=(b"CANARY",))) == {FindingCode.CANARY_FOUND}


def test_a_path_that_leads_elsewhere_from_here_leaves_no_verdict(set_stage: SetStage) -> None:
    stage = set_stage(story())
    elsewhere = FileDestination(stage.folder / "elsewhere" / "local.jsonl")
    sinks = tuple(replace(one, destination=elsewhere) if one.sink_id == "local" else one for one in stage.plan.sinks)
    with pytest.raises(EvidenceUnreadable, match="is not there") as unreadable:
        run_audit(replace(stage.plan, sinks=sinks))
    assert unreadable.value.source == str(elsewhere.path)


def test_a_log_that_retention_shortened_is_read_from_where_it_begins(set_stage: SetStage) -> None:
    stage = set_stage(story())
    stage.broker.delete_records(TOPIC, 0, 20)
    report = run_audit(stage.plan)
    assert report.findings == ()
    assert NoteCode.EVENTS_TRIMMED in {note.code for note in report.notes}
    assert codes(stage, AuditOptions(require_complete=True)) == {FindingCode.UNVERIFIABLE}


def test_retention_at_work_while_a_partition_is_read_does_no_harm(set_stage: SetStage) -> None:
    """The low watermark is asked first; what is deleted between that and the first fetch is jumped over."""
    stage = set_stage(story())
    with KafkaEvidence(stage.plan) as evidence:
        reads = evidence.events()
        read = next(reads)
        assert read.low == 0
        stage.broker.delete_records(TOPIC, read.partition, 30)
        offsets = [message.offset for message in read.messages]
    assert read.low == 30
    assert offsets == list(range(30, read.high))


def test_a_topic_that_is_not_there_leaves_no_verdict(set_stage: SetStage) -> None:
    stage = set_stage(story())
    with pytest.raises(EvidenceUnreadable, match="nowhere"):
        run_audit(replace(stage.plan, health_topic="nowhere"))


def test_an_audit_changes_no_cursor_and_leaves_no_group_behind(set_stage: SetStage) -> None:
    stage = set_stage(story())
    with KafkaEvidence(stage.plan) as evidence:
        before = {sink: dict(evidence.cursors(sink)) for sink in stage.story.cursors}
        run_audit(stage.plan)
        assert {sink: dict(evidence.cursors(sink)) for sink in stage.story.cursors} == before
    assert before == stage.story.cursors


def test_a_sink_that_never_committed_has_no_cursor(set_stage: SetStage) -> None:
    told = story()
    del told.cursors["blind"]
    stage = set_stage(told)
    with KafkaEvidence(stage.plan) as evidence:
        assert evidence.cursors("blind") == {}


def _process(stage: Stage, *options: str) -> "subprocess.CompletedProcess[str]":
    file = stage.folder / "plan.json"
    file.write_text(plan_to_json(stage.plan), encoding="utf-8")
    command = [sys.executable, "-m", "tailrace.audit", str(file), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_as_a_process_it_ends_with_0_when_it_adds_up_and_with_1_when_a_record_is_hidden(set_stage: SetStage) -> None:
    stage = set_stage(story())
    good = _process(stage, "--json", "--require-complete", "--expect-no-duplicates", "--min-events", "150")
    assert good.returncode == 0, good.stdout + good.stderr
    assert json.loads(good.stdout)["adds_up"] is True
    for sink in ("analytics", "local", "billing", "dead_letter"):
        hidden = _process(stage, "--without-record", sink)
        assert hidden.returncode == 1, hidden.stdout + hidden.stderr
        assert f"✗ missing {sink}" in hidden.stdout


def test_as_a_process_it_ends_with_2_when_it_cannot_come_to_a_verdict(set_stage: SetStage) -> None:
    stage = set_stage(story())
    assert _process(stage, "--without-record", "blind").returncode == 2
    without = replace(stage, plan=replace(stage.plan, events_topic="nowhere"))
    ended = _process(without)
    assert ended.returncode == 2
    assert "no verdict: topic nowhere" in ended.stderr


def test_omissions_in_the_library_are_those_of_the_command(set_stage: SetStage) -> None:
    stage = set_stage(story())
    partition, offset, kind = first(stage.story, "analytics").unit
    options = AuditOptions(omissions=(Omission("analytics", partition, offset, kind),))
    assert codes(stage, options) == {FindingCode.MISSING}
