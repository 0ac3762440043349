"""The real Kafka of a test run: started once, shared by all its tests, and never silently missing."""

import gc
import os
import re
import uuid
import warnings
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from docker.errors import APIError, DockerException  # type: ignore[import-untyped]  # docker-py ships no types
from testcontainers.core.docker_client import DockerClient

from tests.kafka.broker import GivenCluster, Kafka, KafkaBroker
from tests.kafka.stage import Stage

HERE = Path(__file__).parent


NO_ENGINE = "no Docker engine answers, and TAILRACE_TEST_BOOTSTRAP names no cluster"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder is a `kafka` test; all are skipped in one go where no Kafka can be had."""
    ours = [item for item in items if item.path.is_relative_to(HERE)]
    missing = bool(ours) and "TAILRACE_TEST_BOOTSTRAP" not in os.environ and not _engine_answers()
    for item in ours:
        item.add_marker(pytest.mark.kafka)
        if missing:
            item.add_marker(pytest.mark.skip(reason=NO_ENGINE))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With TAILRACE_TEST_REQUIRE_KAFKA=1, a test skipped here, for any reason, has failed."""
    report = yield
    if os.environ.get("TAILRACE_TEST_REQUIRE_KAFKA") == "1" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: TAILRACE_TEST_REQUIRE_KAFKA=1, but {reason}"
    return report


def _engine_answers() -> bool:
    with warnings.catch_warnings():
        # docker-py drops its socket unclosed when nobody listens; collected here, that cannot fail some later test.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            DockerClient().client.close()
        except DockerException:
            answers = False
        else:
            answers = True
        gc.collect()
    return answers


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """The cluster of this run: the one named by TAILRACE_TEST_BOOTSTRAP, or one broker in a container."""
    given = os.environ.get("TAILRACE_TEST_BOOTSTRAP")
    if given:
        yield GivenCluster(given)
        return
    container = KafkaBroker()
    try:
        container.start()
        yield container
    except APIError as error:
        pytest.skip(f"the engine cannot start {container.image}: {error.explanation}")
    finally:
        container.stop()


@pytest.fixture
def broker(kafka: Kafka) -> KafkaBroker:
    """The run's own broker, with its tools and faults; a test that stops it starts it again."""
    if not isinstance(kafka, KafkaBroker):
        pytest.skip("this test stops the broker or runs its tools, and a given cluster is not ours to do that to")
    return kafka


@pytest.fixture
def unique(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Names for topics, groups and transactional ids that no other test of any run uses: `unique("events")`."""
    test = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40]
    run = uuid.uuid4().hex[:8]
    return lambda purpose: f"{test}.{run}.{purpose}"


@pytest.fixture
def stage(kafka: Kafka, tmp_path: Path, unique: Callable[[str], str]) -> Iterator[Stage]:
    """Topics, configuration and workers of this test; what still runs at its end is ended."""
    made = Stage(kafka, tmp_path, unique)
    yield made
    made.end_all()
