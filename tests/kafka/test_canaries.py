"""Nothing private leaves a worker on a real Kafka: every byte that left it is searched for canaries."""

import pytest

from tests.canary.configurations import ALL
from tests.canary.outing import Field, Outcome
from tests.canary.suite import CanarySuite
from tests.kafka.broker import Kafka


@pytest.fixture(scope="module")
def field(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Field:
    return Field(kafka, tmp_path_factory.mktemp("canaries"))


@pytest.fixture(scope="module")
def outcomes(field: Field) -> dict[str, Outcome]:
    """Every configuration at once: they share the events, and a run costs the same seconds for one as for all."""
    return field.run(*ALL)


class TestCanariesOnKafka(CanarySuite):
    """The laws of the suite, here."""
