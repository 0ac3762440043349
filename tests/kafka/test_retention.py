"""The log under a cursor is not what it was: retention took some of it, or the topic is another one by now."""

from collections import defaultdict

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from tailrace.domain.kinds import FailureKind
from tests.kafka.ledger_gaps import missed_offsets
from tests.kafka.proof import prove
from tests.kafka.sink_records import sink_records
from tests.kafka.stage import Stage, small_batch, synthetic, trace
from tests.kafka.waiting import eventually

ADMIN_TIMEOUT_S = 30
HALTED = "lane halted on a partition: it needs somebody to look at it"
LOST = "events were lost to retention before this sink got them"


@pytest.fixture
def admin(stage: Stage) -> AdminClient:
    return AdminClient({"bootstrap.servers": stage.kafka.bootstrap})


def delete_records(admin: AdminClient, stage: Stage, below: dict[int, int]) -> None:
    """As retention would: the log begins at these offsets from now on."""
    places = [TopicPartition(stage.events_topic, partition, offset) for partition, offset in below.items()]
    for done in admin.delete_records(places).values():
        done.result(ADMIN_TIMEOUT_S)


def make_anew(admin: AdminClient, stage: Stage) -> None:
    """Delete the events topic, and create it again under the same name."""
    for gone in admin.delete_topics([stage.events_topic]).values():
        gone.result(ADMIN_TIMEOUT_S)
    eventually(
        lambda: stage.events_topic not in admin.list_topics(timeout=ADMIN_TIMEOUT_S).topics,
        within_s=ADMIN_TIMEOUT_S,
        what="the topic is gone",
    )
    stage.kafka.create_topic(stage.events_topic, stage.partitions)


def test_what_retention_took_before_a_sink_got_it_is_a_gap_of_exactly_those_offsets(
    stage: Stage, admin: AdminClient
) -> None:
    """Between two runs and again during a catch-up: loud, counted offset by offset, and no neighbour is touched."""
    steady, behind = stage.unique("steady"), stage.unique("behind")
    stage.create_topics(steady, behind)
    slowly = trace(behind, catch_up_max_events_per_s=300, batch=small_batch(50))
    both = stage.write(stage.configuration({"steady": trace(steady), "behind": slowly}))
    steady_alone = stage.write(stage.configuration({"steady": trace(steady)}), "steady.yaml")
    worker = stage.start(both)
    stage.produce(synthetic(20, 800))
    stage.wait_until_drained("steady", "behind", "dead_letter")
    worker.stop_cleanly()
    stopped_at = stage.cursors("behind")
    worker = stage.start(steady_alone)
    stage.produce(synthetic(21, 6_000))
    stage.wait_until_drained("steady", "dead_letter")
    worker.stop_cleanly()

    first_kept = {partition: cursor + 100 for partition, cursor in stopped_at.items()}
    delete_records(admin, stage, first_kept)
    worker = stage.start(both)
    losses = worker.wait_for(LOST, count=stage.partitions, sink="behind")
    assert {line.level for line in losses} == {"error"}
    ranges = {line.fields["partition"]: (line.fields["first_offset"], line.fields["last_offset"]) for line in losses}
    assert ranges == {p: (stopped_at[p], first_kept[p] - 1) for p in range(stage.partitions)}

    # And once more, under its eyes: it reads 300 events a second, and what it would read later goes now.
    worker.wait_for("lane catches up from the log", sink="behind")
    kept_now = {partition: end - 50 for partition, end in stage.ends().items()}
    delete_records(admin, stage, kept_now)
    stage.wait_until_drained("steady", "behind", "dead_letter")
    worker.stop_cleanly()

    assert not worker.lines(LOST, sink="steady")
    again = worker.lines(LOST, sink="behind")[stage.partitions :]
    # Not of every partition: what it had fetched already it still exports.
    assert again, "the second deletion came too late"
    assert all(kept_now[line.fields["partition"]] == line.fields["last_offset"] + 1 for line in again)
    prove(both, complete=False, min_events=0)  # most events are gone, and the audit has only what is left to go by
    lost = missed_offsets(stage.kafka.bootstrap, stage.health_topic, "behind", FailureKind.RETENTION_LOST)
    exported: dict[int, set[int]] = defaultdict(set)
    for record in sink_records(stage.kafka.bootstrap, behind):
        exported[record.source_partition].add(record.source_offset)
    for partition, end in stage.ends().items():
        assert sorted([*exported[partition], *lost[partition]]) == list(range(end)), "not each offset in one of the two"
    assert not missed_offsets(stage.kafka.bootstrap, stage.health_topic, "steady", FailureKind.RETENTION_LOST)


def test_a_topic_made_anew_stops_every_lane_loudly_and_nothing_jumps(stage: Stage, admin: AdminClient) -> None:
    """The same name, other events: no cursor moves and no sink gets a record, until somebody decides what it means."""
    topic = stage.unique("analytics")
    stage.create_topics(topic)
    config = stage.write(stage.configuration({"analytics": trace(topic)}))
    worker = stage.start(config)
    stage.produce(synthetic(22, 5_100))
    stage.wait_until_drained("analytics", "dead_letter")
    worker.stop_cleanly()
    prove(config)
    records = len(sink_records(stage.kafka.bootstrap, topic))

    make_anew(admin, stage)
    # Kafka forgets the cursors together with the topic; the new one is as long, so that an old offset would fit it.
    eventually(lambda: not stage.cursors("analytics"), within_s=ADMIN_TIMEOUT_S, what="the cursors are gone, too")
    stage.produce(synthetic(23, 6_000))
    worker = stage.start(config)
    halted = worker.wait_for(HALTED, count=2 * stage.partitions)
    assert {(line.fields["sink"], line.fields["reason"]) for line in halted} == {
        ("analytics", "topic_replaced"),
        ("dead_letter", "topic_replaced"),
    }
    worker.wait_for("partition halted: it needs somebody to look at it", count=stage.partitions)
    worker.stop_cleanly()
    assert not stage.cursors("analytics"), "a cursor was written into a topic that nobody has vouched for"
    assert not stage.cursors("dead_letter")
    assert len(sink_records(stage.kafka.bootstrap, topic)) == records


def test_a_topic_made_anew_under_a_running_worker_ends_it_and_halts_the_next_one(
    stage: Stage, admin: AdminClient
) -> None:
    """The client goes on at the old offsets of the new log without a word: what lies below would never be read."""
    topic = stage.unique("analytics")
    stage.create_topics(topic)
    config = stage.write(stage.configuration({"analytics": trace(topic)}))
    worker = stage.start(config)
    stage.produce(synthetic(24, 5_100))
    stage.wait_until_drained("analytics", "dead_letter")
    make_anew(admin, stage)
    stage.produce(synthetic(25, 6_000))
    assert worker.wait() == 1
    assert worker.lines("the events topic was made anew: its cursors belong to the old one")
    assert not worker.lines("worker stopped")
    worker = stage.start(config)
    halted = worker.wait_for(HALTED, count=2 * stage.partitions)
    assert {line.fields["reason"] for line in halted} == {"topic_replaced"}
    worker.stop_cleanly()
