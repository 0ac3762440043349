"""The commands that talk to Kafka, each against a broker."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
from typer.testing import CliRunner, Result

from tailrace.adapters.cursor_metadata import to_metadata
from tailrace.adapters.embedded import EmbeddedBroker
from tailrace.adapters.event_producer import produce_events
from tailrace.cli import app
from tailrace.runtime.ports import StoredCursor
from tailrace.settings import KafkaSettings, load
from tailrace.synthetic import SyntheticEvents

TOPICS = {"agent.events": 3, "telemetry.analytics": 3, "telemetry.health": 1}
QUESTIONS_PER_S = 25
StartBroker = Callable[..., EmbeddedBroker]


class FakeClock:
    """Time that passes only while somebody asks for it."""

    def __init__(self) -> None:
        self.asked = 0

    def now_s(self) -> float:
        self.asked += 1
        return self.asked / QUESTIONS_PER_S

    def wall_us(self) -> int:
        return 0


class Stop:
    def __init__(self, after_questions: int) -> None:
        self._left = after_questions

    def is_set(self) -> bool:
        self._left -= 1
        return self._left < 0

    def wait(self, timeout: float) -> bool:
        return self.is_set()


def configuration(folder: Path, bootstrap_servers: str) -> str:
    file = folder / "tailrace.yaml"
    file.write_text(
        f"kafka: {{bootstrap_servers: '{bootstrap_servers}'}}\n"
        "events: {topic: agent.events, group: g}\n"
        "sinks: {analytics: {kind: durable_trace, topic: telemetry.analytics}, rehearsal: {kind: test}}\n",
        encoding="utf-8",
    )
    return str(file)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def ends(broker: EmbeddedBroker) -> list[int]:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "ends"})
    found = [consumer.get_watermark_offsets(TopicPartition("agent.events", p), timeout=5)[1] for p in range(3)]
    consumer.close()
    return found


def commit(broker: EmbeddedBroker, group: str, partition: int, cursor: StoredCursor) -> None:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": group, "enable.auto.commit": False})
    place = TopicPartition("agent.events", partition, cursor.next_offset, to_metadata(cursor))
    consumer.commit(offsets=[place], asynchronous=False)
    consumer.close()


def test_produced_events_are_in_the_topic_and_the_same_seed_gives_the_same(
    start_broker: StartBroker, tmp_path: Path
) -> None:
    broker = start_broker(TOPICS)
    file = configuration(tmp_path, broker.bootstrap_servers)
    arguments = ("events", "produce", "-c", file, "-n", "500", "--seed", "3", "--poison-rate", "0.05")

    first = invoke(*arguments)
    after_first = ends(broker)
    second = invoke(*arguments)

    assert (first.exit_code, first.stdout) == (0, "500 records are in agent.events\n")
    assert second.exit_code == 0
    assert sum(after_first) == 500
    assert ends(broker) == [2 * end for end in after_first]


def test_produced_events_arrive_in_order_and_with_their_keys(start_broker: StartBroker) -> None:
    broker = start_broker(TOPICS)
    cluster = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)  # type: ignore[call-arg]
    sent = list(SyntheticEvents(seed=5, poison_rate=0.1).take(300))

    produced = produce_events(
        cluster,
        "agent.events",
        sent,
        rate_per_s=None,
        clock=FakeClock(),
        stop=Stop(10_000),
        on_progress=lambda _: None,
    )

    assert (produced.acknowledged, produced.failed) == (300, {})
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "r"})
    consumer.assign([TopicPartition("agent.events", p, 0) for p in range(3)])
    found: list[Message] = []
    while len(found) < 300:
        found += consumer.consume(300 - len(found), timeout=5)
    consumer.close()
    for key in {event.key for event in sent}:
        assert [m.value() for m in found if m.key() == key] == [event.value for event in sent if event.key == key]
        assert len({m.partition() for m in found if m.key() == key}) == 1


def test_a_rate_is_kept_and_a_stop_ends_it_early(start_broker: StartBroker) -> None:
    broker = start_broker(TOPICS)
    cluster = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)  # type: ignore[call-arg]
    clock, progress = FakeClock(), list[int]()

    produced = produce_events(
        cluster,
        "agent.events",
        SyntheticEvents(seed=5).take(1_000),
        rate_per_s=10.0,
        clock=clock,
        stop=Stop(100),
        on_progress=progress.append,
    )

    assert 0 < produced.acknowledged < 200
    # Each record waited for its turn, ten to the second.
    assert clock.now_s() >= (produced.acknowledged - 1) / 10
    assert progress == sorted(progress)
    assert progress[-1] == produced.acknowledged


def test_records_that_kafka_refuses_are_counted_by_their_error(start_broker: StartBroker, tmp_path: Path) -> None:
    broker = start_broker(TOPICS)
    broker.refuse_topic("agent.events", KafkaError.TOPIC_AUTHORIZATION_FAILED)
    file = configuration(tmp_path, broker.bootstrap_servers)

    result = invoke("events", "produce", "-c", file, "-n", "20", "--quiet")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert "20 records are not in agent.events: TOPIC_AUTHORIZATION_FAILED." in result.stderr


def test_a_terminated_producer_waits_for_what_it_sent(start_broker: StartBroker, tmp_path: Path) -> None:
    broker = start_broker(TOPICS)
    file = configuration(tmp_path, broker.bootstrap_servers)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAILRACE_")}
    command = [sys.executable, "-m", "tailrace", "events", "produce", "-c", file, "-n", "100000", "--rate", "200"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True)
    while not sum(ends(broker)):
        assert process.poll() is None

    process.send_signal(signal.SIGTERM)
    stdout, _ = process.communicate(timeout=30)

    assert process.returncode == 0
    assert int(stdout.split()[0]) == sum(ends(broker))


def test_cursors_show_every_sink_on_every_partition(start_broker: StartBroker, tmp_path: Path) -> None:
    broker = start_broker(TOPICS)
    file = configuration(tmp_path, broker.bootstrap_servers)
    assert invoke("events", "produce", "-c", file, "-n", "100", "--quiet").exit_code == 0
    commit(broker, "g.analytics", 1, StoredCursor(7, 41, 3, "AbCd"))

    as_json = invoke("cursors", "show", "-c", file, "--json")
    as_text = invoke("cursors", "show", "-c", file, "--sink", "analytics")

    rows = [json.loads(line) for line in as_json.stdout.splitlines()]
    assert as_json.exit_code == 0
    assert [(row["sink_id"], row["partition"]) for row in rows] == [
        (sink_id, partition) for sink_id in ("analytics", "rehearsal") for partition in range(3)
    ]
    end = ends(broker)[1]
    assert rows[1] == {
        "sink_id": "analytics",
        "group": "g.analytics",
        "partition": 1,
        "committed": 7,
        "log_start": 0,
        "log_end": end,
        "exported": 41,
        "dropped": 3,
        "lag": end - 7,
    }
    assert (rows[0]["committed"], rows[0]["lag"]) == (None, None)
    assert as_text.exit_code == 0
    assert f"lag of analytics: {end - 7} on 1 partitions" in as_text.stdout
    assert "rehearsal" not in as_text.stdout
    assert "no cursor yet" in as_text.stdout


def test_a_cursor_beyond_its_log_fails_the_command(start_broker: StartBroker, tmp_path: Path) -> None:
    broker = start_broker(TOPICS)
    file = configuration(tmp_path, broker.bootstrap_servers)
    commit(broker, "g.rehearsal", 0, StoredCursor(5_000, 1, 0, None))

    result = invoke("cursors", "show", "-c", file)

    assert result.exit_code == 1
    assert "beyond the log: the topic was made anew" in result.stdout


def test_an_unknown_sink_is_wrong_usage_and_names_those_there_are(start_broker: StartBroker, tmp_path: Path) -> None:
    file = configuration(tmp_path, start_broker(TOPICS).bootstrap_servers)

    result = invoke("cursors", "show", "-c", file, "--sink", "analytic")

    assert result.exit_code == 2
    assert {"analytics,", "rehearsal"} <= set(result.stderr.split())


def test_a_missing_events_topic_is_said_and_not_made(start_broker: StartBroker, tmp_path: Path) -> None:
    broker = start_broker({})
    file = configuration(tmp_path, broker.bootstrap_servers)

    cursors = invoke("cursors", "show", "-c", file)
    plan = invoke("topics", "plan", "-c", file)

    assert cursors.exit_code == 1
    assert "The events topic agent.events does not exist." in cursors.stderr
    assert plan.exit_code == 1
    assert plan.stdout.count("missing") == 3


def test_a_cluster_that_cannot_make_topics_says_so_at_once(start_broker: StartBroker, tmp_path: Path) -> None:
    broker = start_broker({"agent.events": 3})
    file = configuration(tmp_path, broker.bootstrap_servers)

    result = invoke("topics", "apply", "-c", file)

    assert result.exit_code == 1
    assert "not made: telemetry.analytics. This cluster cannot make topics" in result.stdout
    assert "not made: telemetry.health." in result.stdout
    assert "agent.events" not in result.stdout.replace("not made", "")


def test_topics_that_are_all_there_are_a_plan_without_work(start_broker: StartBroker, tmp_path: Path) -> None:
    file = configuration(tmp_path, start_broker(TOPICS).bootstrap_servers)

    plan, apply = invoke("topics", "plan", "-c", file), invoke("topics", "apply", "-c", file)

    assert plan.exit_code == 0, plan.stdout
    assert (apply.exit_code, apply.stdout) == (0, "every topic is there\n")
    settings, _ = load(Path(file), {})
    assert plan.stdout.count(" ok") == len(TOPICS) == len(settings.sinks) + 1


def test_validate_looks_at_the_topics_unless_told_not_to(start_broker: StartBroker, tmp_path: Path) -> None:
    file = configuration(tmp_path, start_broker({"agent.events": 3}).bootstrap_servers)

    assert invoke("validate", "-c", file, "--offline").exit_code == 0
    online = invoke("validate", "-c", file)
    assert online.exit_code == 1
    assert "to make: telemetry.analytics with 3 partitions" in online.stdout


def test_an_unreachable_cluster_is_a_failure_with_its_address(tmp_path: Path) -> None:
    file = configuration(tmp_path, "127.0.0.1:1")

    cursors = invoke("cursors", "show", "-c", file, "--timeout", "0.3")
    apply = invoke("topics", "apply", "-c", file, "--timeout", "0.3")

    assert (cursors.exit_code, apply.exit_code) == (1, 1)
    assert "did not answer within 0.3 s" in cursors.stderr
    assert "127.0.0.1:1 did not answer" in apply.stdout
