"""Nothing private leaves a worker on the embedded broker: every byte that left it is searched for canaries."""

from collections.abc import Iterator

import pytest

from tailrace.adapters.embedded import EmbeddedBroker
from tests.canary.configurations import ALL
from tests.canary.embedded_kafka import EmbeddedKafka
from tests.canary.outing import Field, Outcome
from tests.canary.suite import CanarySuite


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
