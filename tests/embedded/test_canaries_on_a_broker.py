"""Nothing private leaves a worker on the embedded broker: every byte that left it is searched for canaries."""

from collections.abc import Iterator

import pytest

from tailrace.adapters.embedded import EmbeddedBroker
from tests.canary.configurations import ALL
from tests.canary.outing import Field, Outcome
from tests.canary.suite import CanarySuite


class EmbeddedKafka:
    """The embedded broker as a cluster that the stage of the tests on a real Kafka can use."""

    def __init__(self, broker: EmbeddedBroker) -> None:
        self._broker = broker

    @property
    def bootstrap(self) -> str:
        return self._broker.bootstrap_servers

    def create_topic(self, name: str, partitions: int = 1, **config: str | int) -> None:
        del config
        self._broker.create_topic(name, partitions)


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    with EmbeddedBroker() as broker:
        yield Field(EmbeddedKafka(broker), tmp_path_factory.mktemp("canaries"))


@pytest.fixture(scope="module")
def outcomes(field: Field) -> dict[str, Outcome]:
    """Every configuration at once: they share the events, and a run costs the same seconds for one as for all."""
    return field.run(*ALL)


class TestCanariesOnTheEmbeddedBroker(CanarySuite):
    """The laws of the suite, here."""
