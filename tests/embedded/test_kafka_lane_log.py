"""A lane's commits against a broker: refused or taken, the answer is there in a moment."""

import time

import pytest
from confluent_kafka import Consumer, KafkaError

from tailrace.adapters.embedded import ApiKey
from tailrace.adapters.kafka_log import KafkaLaneLog, log_properties
from tailrace.runtime.clock import Deadline, SystemClock
from tailrace.runtime.ports import StoredCursor
from tests.embedded.conftest import StartBroker
from tests.unit.runtime.fakes import FakeLog

CLOCK = SystemClock()
TIME_OUT_S = 30.0


@pytest.mark.parametrize("code", [KafkaError.UNKNOWN_MEMBER_ID, KafkaError.GROUP_AUTHORIZATION_FAILED])
def test_a_refused_commit_is_answered_at_once(start_broker: StartBroker, code: int) -> None:
    """Somebody joined the sink's own group, or a right is missing: the lane exports on, and its log says why."""
    broker = start_broker({"agent.events": 1})
    client = {"bootstrap.servers": broker.bootstrap_servers, "log_level": 0, **log_properties("tailrace.a")}
    logger = FakeLog()
    log = KafkaLaneLog(lambda on_commit: Consumer({**client, "on_commit": on_commit}), "agent.events", CLOCK, logger)
    try:
        assert log.commit({0: StoredCursor(5, 5, 0, None)}, TIME_OUT_S), "the group is there"
        broker.push_errors(ApiKey.OFFSET_COMMIT, code)
        began_s = time.monotonic()
        assert not log.commit({0: StoredCursor(7, 7, 0, None)}, TIME_OUT_S)
        assert time.monotonic() - began_s < TIME_OUT_S / 3
        assert [line["detail"] for line in logger.said("cursor commit refused")] == [KafkaError(code).name()]
        assert log.commit({0: StoredCursor(9, 9, 0, None)}, TIME_OUT_S)
        assert log.load([0], TIME_OUT_S) == {0: StoredCursor(9, 9, 0, None)}
    finally:
        log.close(Deadline.after(CLOCK, 5.0))
