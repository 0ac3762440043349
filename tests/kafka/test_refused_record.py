"""A record that one sink will never take: found inside its batch, written off, and everything around it arrives."""

import json

from tests.kafka.crafted import good, large
from tests.kafka.proof import prove
from tests.kafka.sink_records import read_topic, sink_records
from tests.kafka.stage import Stage, small_batch, synthetic, trace

LIMIT_BYTES = 48 * 1024
LARGE_BYTES = 64 * 1024


def test_records_too_large_for_one_sinks_topic_are_letters_and_gaps_there_and_records_elsewhere(stage: Stage) -> None:
    """Each is found by halving its batch; its neighbours are in that sink too, and the other sink has everything."""
    roomy, narrow = stage.unique("roomy"), stage.unique("narrow")
    stage.create_topics()
    stage.kafka.create_topic(roomy, 3)
    stage.kafka.create_topic(narrow, 3, max_message_bytes=LIMIT_BYTES)
    # Message sets of ten: several of one partition are on their way at once, and whatever stands behind a refused one
    # could overtake what was refused with it. And none is too large but for the sake of one record.
    sets_of_ten = {"bootstrap_servers": stage.kafka.bootstrap, "librdkafka": {"batch.num.messages": 10}}
    config = stage.write(
        stage.configuration(
            {"narrow": trace(narrow, batch=small_batch(300), kafka=sets_of_ten), "roomy": trace(roomy)},
            events={"max_event_bytes": 2 * LARGE_BYTES},
        )
    )
    ordinary = list(synthetic(30, 5_100))
    worker = stage.start(config)

    places: list[tuple[int, int]] = []
    for number in range(6):
        stage.produce(ordinary[number * 800 : (number + 1) * 800])
        places += stage.produce([large(good(300 + number), LARGE_BYTES)])
    stage.produce(ordinary[6 * 800 :])
    stage.wait_until_drained("narrow", "roomy", "dead_letter")
    worker.stop_cleanly()

    proof = prove(config, duplicates=True)
    assert proof.sinks["narrow"].missed == {"export_rejected": len(places)}
    assert proof.sinks["roomy"].missed == {}
    assert proof.duplicates["roomy"] == 0
    assert set(places) <= {record.source for record in sink_records(stage.kafka.bootstrap, roomy)}
    refused = worker.lines("record refused for ever by its sink", sink="narrow", detail="MSG_SIZE_TOO_LARGE")
    assert sorted((line.fields["partition"], line.fields["offset"]) for line in refused) == sorted(places)
    letters = read_topic(stage.kafka.bootstrap, stage.dead_letter_topic)
    described = [json.loads(letter.value() or b"") for letter in letters]
    assert sorted((letter["partition"], letter["offset"]) for letter in described) == sorted(places)
    assert {(letter["sink"], letter["reason"]) for letter in described} == {("narrow", "MSG_SIZE_TOO_LARGE")}
    for letter in letters:
        headers = dict(letter.headers() or [])
        assert headers["__connect.errors.stage"] == b"TASK_PUT"
        assert headers["__connect.errors.class.name"] == b"tailrace.sink.narrow"
        assert headers["tailrace.group"] == stage.group.encode()
        assert headers["tailrace.sink"] == b"narrow"
