"""Whoever waits for Kafka is told why, and hears again when the reason changes."""

import io
from datetime import UTC, datetime

import pytest

from tailrace.adapters.embedded import EmbeddedBroker
from tailrace.adapters.kafka_cluster import wait_for_cluster
from tailrace.adapters.logs import StructuredLog
from tailrace.runtime.stop import Stop

SASL = {
    "security.protocol": "SASL_PLAINTEXT",
    "sasl.mechanism": "PLAIN",
    "sasl.username": "worker",
    "sasl.password": "not-checked",
}


class StopsAtTheFirstWait(StructuredLog):
    """Sets the stop when the waiting was said, and remembers how."""

    def __init__(self, stop: Stop) -> None:
        super().__init__("info", "json", io.StringIO(), lambda: datetime(2026, 1, 1, tzinfo=UTC))
        self._asked = stop
        self.waiting: list[dict[str, object]] = []

    def event(self, name: str, /, **fields: object) -> None:
        if name == "waiting for Kafka":
            self.waiting.append(fields)
            self._asked.set()


@pytest.mark.parametrize(
    ("properties", "detail"),
    [
        (SASL, "_AUTHENTICATION"),
        ({"bootstrap.servers": "no-such-host.invalid:9092"}, "_RESOLVE"),
        ({"bootstrap.servers": "127.0.0.1:1"}, "_TRANSPORT"),
    ],
)
def test_the_line_names_what_the_client_met(properties: dict[str, str], detail: str) -> None:
    """Wrong credentials and a name that does not resolve are not cured by waiting, so they come first."""
    stop = Stop()
    logger = StopsAtTheFirstWait(stop)
    with EmbeddedBroker() as broker:
        known = wait_for_cluster({"bootstrap.servers": broker.bootstrap_servers, **properties}, stop, logger)
    assert known is None
    assert [fields["detail"] for fields in logger.waiting] == [detail]


def test_a_cluster_that_answers_is_not_waited_for() -> None:
    """And says which topics there are."""
    stop = Stop()
    logger = StopsAtTheFirstWait(stop)
    with EmbeddedBroker() as broker:
        broker.create_topic("agent.events", 3)
        known = wait_for_cluster({"bootstrap.servers": broker.bootstrap_servers}, stop, logger)
    assert known is not None
    assert known.partitions == {"agent.events": 3}
    assert logger.waiting == []
