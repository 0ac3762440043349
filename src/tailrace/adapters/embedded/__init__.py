"""A Kafka broker inside this process, for the demo and the tests: no Docker, no Java, loopback only."""

from tailrace.adapters.embedded.broker import (
    RETAINED_BYTES_PER_PARTITION,
    ApiKey,
    EmbeddedBroker,
)

__all__ = ["RETAINED_BYTES_PER_PARTITION", "ApiKey", "EmbeddedBroker"]
