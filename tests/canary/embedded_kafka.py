"""The embedded broker as a cluster that the stage of the tests on a real Kafka can use."""

from tailrace.adapters.embedded import EmbeddedBroker


class EmbeddedKafka:
    """One broker, by the two things that a stage needs of a cluster."""

    def __init__(self, broker: EmbeddedBroker) -> None:
        self._broker = broker

    @property
    def bootstrap(self) -> str:
        return self._broker.bootstrap_servers

    def create_topic(self, name: str, partitions: int = 1, **config: str | int) -> None:
        """Returns once the topic is there; `config` is not looked at, for there is nothing the broker could do."""
        del config
        self._broker.create_topic(name, partitions)
