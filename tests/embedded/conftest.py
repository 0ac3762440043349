import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tailrace.adapters.embedded import EmbeddedBroker
from tailrace.domain.errors import EmbeddedBrokerUnavailable

_HERE = Path(__file__).parent

StartBroker = Callable[..., EmbeddedBroker]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.embedded)


def assert_no_errors_left(broker: EmbeddedBroker) -> None:
    """A pushed error that nobody met is a fault that never fired: the test would have passed without it."""
    left = broker.errors_left()
    if left:
        pytest.fail(f"{left} pushed errors were never met by a request: the fault of this test did not fire")


@pytest.fixture
def start_broker() -> Iterator[StartBroker]:
    """Starts brokers that end with the test, each checked for errors that did not fire."""
    started: list[EmbeddedBroker] = []

    def start(topics: Mapping[str, int] | None = None, *, brokers: int = 1) -> EmbeddedBroker:
        try:
            broker = EmbeddedBroker(topics, brokers=brokers)
        except EmbeddedBrokerUnavailable as unavailable:
            if sys.platform == "linux":  # the wheel for Linux has the symbols: their absence is our defect
                raise
            pytest.skip(str(unavailable))
        started.append(broker)
        return broker

    yield start
    try:
        for broker in started:
            if not broker.closed:
                assert_no_errors_left(broker)
    finally:
        for broker in started:
            broker.close()


@pytest.fixture
def embedded(start_broker: StartBroker) -> EmbeddedBroker:
    """One broker without topics, for this test alone."""
    return start_broker()
