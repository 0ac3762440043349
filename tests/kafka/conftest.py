"""The real Kafka of a test run: started once, shared by all its tests, and never silently missing."""

import os
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from docker.errors import DockerException  # type: ignore[import-untyped]  # docker-py ships no types
from tests.kafka.broker import GivenCluster, Kafka, KafkaBroker

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder is a `kafka` test, and none can forget to say so."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.kafka)


def skip_or_fail(reason: str) -> NoReturn:
    """Skips the test; where a real Kafka was required (TAILRACE_REQUIRE_KAFKA=1), the same reason is a failure."""
    if os.environ.get("TAILRACE_REQUIRE_KAFKA") == "1":
        pytest.fail(f"TAILRACE_REQUIRE_KAFKA=1, but {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """The cluster of this run: the one named by TAILRACE_TEST_BOOTSTRAP, or one broker in a container."""
    given = os.environ.get("TAILRACE_TEST_BOOTSTRAP")
    if given:
        yield GivenCluster(given)
        return
    try:
        container = KafkaBroker()
    except DockerException:
        skip_or_fail("no Docker engine answers and TAILRACE_TEST_BOOTSTRAP names no cluster")
    with container:
        yield container


@pytest.fixture
def broker(kafka: Kafka) -> KafkaBroker:
    """The run's own broker, with its tools and faults; a test that stops it starts it again."""
    if not isinstance(kafka, KafkaBroker):
        skip_or_fail("this test stops the broker or runs its tools, and a given cluster is not ours to do that to")
    return kafka


@pytest.fixture
def unique(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Names for topics, groups and transactional ids that no other test of any run uses: `unique("events")`."""
    test = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40]
    run = uuid.uuid4().hex[:8]
    return lambda purpose: f"{test}.{run}.{purpose}"
