"""A new user's first minutes: a configuration, topics that are not there yet, and a command that makes them."""

import json

from tests.kafka.broker import KafkaBroker
from tests.kafka.command import tailrace
from tests.kafka.proof import prove
from tests.kafka.stage import Stage, synthetic, trace


def test_missing_topics_are_named_and_made_by_topics_apply_and_a_sink_without_its_topic_waits_alone(
    stage: Stage, broker: KafkaBroker
) -> None:
    """Without its own topics a worker ends with 1; without a sink's topic it works, and that sink follows later."""
    there, missing = stage.unique("there"), stage.unique("missing")
    # Short, since each attempt without the topic lasts as long; but a machine that stands still for longer than that
    # makes duplicates of what the broker had already taken.
    sinks = {"there": trace(there), "missing": trace(missing, delivery_timeout_ms=4_000)}
    config = stage.write(stage.configuration(sinks))
    own = [stage.events_topic, stage.health_topic, stage.dead_letter_topic]

    refused = stage.start(config, wait=False)
    assert refused.wait() == 1
    (line,) = refused.lines("topics are missing: create them, for instance with 'tailrace topics apply'")
    assert line.fields["topics"] == sorted(own)

    stage.create_topics(there)
    planned = tailrace("topics", "plan", "--config", str(config))
    assert (planned.returncode, missing in planned.stdout) == (1, True), planned.stdout + planned.stderr
    worker = stage.start(config)
    stage.produce(synthetic(40, 5_100))
    stage.wait_until_drained("there", "dead_letter")
    worker.wait_for("sink failed", sink="missing")
    assert sum(stage.cursors("missing").values()) == 0

    applied = tailrace("topics", "apply", "--config", str(config))
    assert applied.returncode == 0, applied.stdout + applied.stderr
    worker.wait_for("sink recovered", sink="missing")
    stage.wait_until_drained("missing")
    worker.stop_cleanly()
    prove(config)
    shown = tailrace("cursors", "show", "--config", str(config), "--json")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    lines = [json.loads(text) for text in shown.stdout.splitlines()]
    assert len(lines) == 3 * stage.partitions
    assert {line["lag"] for line in lines} == {0}
    del broker  # it takes a cluster of our own: a given one might make topics by itself
