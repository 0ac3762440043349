"""A real, single-node Apache Kafka in a container, as the tests need one: stoppable, restartable, with its own tools.

The image is any that keeps the contract of `apache/kafka`: KAFKA_* variables become the broker's properties and its
start script formats the storage once, so that a container started again finds the data of its first life.
"""

import os
import random
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from docker.errors import APIError  # type: ignore[import-untyped]  # docker-py ships no types
from testcontainers.core.container import DockerContainer

DEFAULT_IMAGE = "apache/kafka:4.3.1"
HOST_PORT_IN_CONTAINER = 9092
INTERNAL_LISTENER = "localhost:19092"
RUN_LABEL = "tailrace-test.run"

# A start takes about five seconds on two idle cores; this is for two busy ones.
START_TIMEOUT_S = 120.0
ADMIN_TIMEOUT_S = 30.0
POLL_INTERVAL_S = 0.1

# Below the range from which systems take local ports for outgoing connections (32768 and up on Linux): a port in that
# range could be lost to somebody's client while the broker is down, and the broker must come back on the same one.
HOST_PORTS = range(20_000, 32_000)
PORT_ATTEMPTS = 5

SETTINGS: Mapping[str, str] = {
    "node.id": "1",
    "process.roles": "broker,controller",
    "controller.quorum.voters": "1@localhost:9093",
    "listeners": f"HOST://:{HOST_PORT_IN_CONTAINER},INTERNAL://:19092,CONTROLLER://:9093",
    "listener.security.protocol.map": "HOST:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "INTERNAL",
    "controller.listener.names": "CONTROLLER",
    "log.dirs": "/var/lib/kafka/data",
    # One node: nothing can have a second replica, and nothing is created but by a test.
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "auto.create.topics.enable": "false",
    # Few partitions of the internal topics: a restart loads each of them.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    # A test of an expiry should take seconds. The defaults are 3 s, 6 s, 45 s and 10 s.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.min.heartbeat.interval.ms": "200",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
    # After a kill the node may not register again before the session of its first life is over. Shorter than a busy
    # machine stands still (2 s were seen), a living node would be fenced.
    "broker.session.timeout.ms": "5000",
    "broker.heartbeat.interval.ms": "500",
    # Rules per topic or group by kafka-acls.sh; what has no rule stays open.
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}

JVM: Mapping[str, str] = {
    "KAFKA_HEAP_OPTS": "-Xms256m -Xmx512m",
    # The serial collector and the quick compiler: on two cores they halve the start of the broker and of every tool.
    "KAFKA_JVM_PERFORMANCE_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
}


@dataclass
class ToolError(Exception):
    """One of Kafka's own tools ended with another code than 0."""

    tool: str
    exit_code: int
    output: str


@dataclass
class BrokerNotReadyError(Exception):
    """The broker did not answer in time, or its container ended; `log` is the end of its output."""

    container_status: str
    log: str


class Kafka(Protocol):
    """A cluster that a test may use but not harm: in a container, or one that was given."""

    @property
    def bootstrap(self) -> str:
        """Where clients of this host connect, as `host:port`."""
        ...

    def create_topic(self, name: str, partitions: int = 1, **config: str | int) -> None:
        """The topic exists and every partition has a leader when this returns; `retention_ms=1` is `retention.ms`."""
        ...


class GivenCluster:
    """A cluster somebody else runs, known by its bootstrap servers only."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    @property
    def bootstrap(self) -> str:
        return self._bootstrap

    def create_topic(self, name: str, partitions: int = 1, **config: str | int) -> None:
        _create_topic(self._bootstrap, name, partitions, config)


class KafkaBroker(DockerContainer):
    """One broker of our own. A context manager: on leaving it, the container and its data are removed.

    `overrides` are broker properties by their Kafka names and go before `SETTINGS`. The host port is the same for the
    container's whole life, so that clients find the broker again after `stop_hard` and `start_again`.
    """

    def __init__(self, image: str | None = None, overrides: Mapping[str, str] | None = None) -> None:
        super().__init__(image or os.environ.get("TAILRACE_TEST_KAFKA_IMAGE", DEFAULT_IMAGE))
        self._overrides = dict(overrides or {})
        self._host = self.get_docker_client().host().replace("localhost", "127.0.0.1")
        self._port = 0
        self.with_envs(**JVM)
        self.with_kwargs(labels={RUN_LABEL: os.environ.get("TAILRACE_TEST_RUN", str(os.getpid()))})

    @property
    def bootstrap(self) -> str:
        return f"{self._host}:{self._port}"

    def start(self) -> Self:
        for attempt in range(PORT_ATTEMPTS):
            self._take_port(_free_port())
            try:
                super().start()
                break
            except APIError as error:
                if attempt == PORT_ATTEMPTS - 1 or "bind" not in str(error).lower():
                    raise
                # Between our look and the engine's bind another process took the port: once more, with another one.
                self.get_wrapped_container().remove(force=True, v=True)
        self.wait_until_ready()
        return self

    def _take_port(self, port: int) -> None:
        self._port = port
        # Published on the loopback address only, where the engine runs on this machine.
        address = (self._host, port) if self._host == "127.0.0.1" else port
        self.ports[f"{HOST_PORT_IN_CONTAINER}/tcp"] = address  # type: ignore[assignment]  # docker-py takes both forms
        advertised = f"HOST://{self.bootstrap},INTERNAL://{INTERNAL_LISTENER}"
        for name, value in {**SETTINGS, "advertised.listeners": advertised, **self._overrides}.items():
            self.with_env(_variable(name), value)

    def wait_until_ready(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Returns once a client can list the topics and every partition has a leader.

        Raises BrokerNotReadyError after `timeout_s`, or at once when the container has ended.
        """
        deadline_s = time.monotonic() + timeout_s
        admin = _admin(self.bootstrap)
        while not _has_all_leaders(admin):
            self.reload()
            if self.status == "exited" or time.monotonic() > deadline_s:
                log = self.get_wrapped_container().logs(tail=60).decode(errors="replace")
                raise BrokerNotReadyError(self.status, log)
            time.sleep(POLL_INTERVAL_S)

    def exec_tool(self, tool: str, *args: str) -> str:
        """What one of Kafka's own tools (say `kafka-topics.sh`) prints on standard output.

        Runs inside the container, already told where the broker is. Raises ToolError on any other exit code than 0.
        """
        result = self.get_wrapped_container().exec_run(
            [f"/opt/kafka/bin/{tool}", "--bootstrap-server", INTERNAL_LISTENER, *args],
            environment={"KAFKA_HEAP_OPTS": "-Xmx128m"},
            demux=True,
        )
        stdout, stderr = ((stream or b"").decode(errors="replace") for stream in result.output)
        if result.exit_code != 0:
            raise ToolError(tool, result.exit_code, stdout + stderr)
        return stdout

    def create_topic(self, name: str, partitions: int = 1, **config: str | int) -> None:
        """See `Kafka.create_topic`."""
        _create_topic(self.bootstrap, name, partitions, config)

    def stop_hard(self) -> None:
        """Kills the broker's process, as a power cut of that process would: nothing is flushed, nobody is told."""
        container = self.get_wrapped_container()
        container.kill()
        container.wait()

    def start_again(self) -> None:
        """Starts the stopped broker on the same port and data, and waits until it is ready."""
        self.get_wrapped_container().start()
        self.wait_until_ready()

    def pause(self) -> None:
        """Freezes every process of the broker: connections stay open and nothing answers, until `unpause`."""
        self.get_wrapped_container().pause()

    def unpause(self) -> None:
        self.get_wrapped_container().unpause()


def _variable(name: str) -> str:
    """The variable that the image's start script turns back into the property `name`."""
    return "KAFKA_" + name.replace("_", "__").replace("-", "___").replace(".", "_").upper()


def _free_port() -> int:
    for port in random.sample(HOST_PORTS, len(HOST_PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no free port in {HOST_PORTS}")


def _admin(bootstrap: str) -> AdminClient:
    # Quick to come back and silent: a broker that is not there yet is what the caller waits for.
    return AdminClient({"bootstrap.servers": bootstrap, "reconnect.backoff.max.ms": 200, "log_level": 0})


def _has_all_leaders(admin: AdminClient, topic: str | None = None) -> bool:
    try:
        listing = admin.list_topics(topic, timeout=2) if topic else admin.list_topics(timeout=2)
    except KafkaException:
        return False
    return bool(listing.brokers) and all(
        found.error is None and all(partition.leader >= 0 for partition in found.partitions.values())
        for found in listing.topics.values()
    )


def _create_topic(bootstrap: str, name: str, partitions: int, config: Mapping[str, str | int]) -> None:
    admin = _admin(bootstrap)
    settings = {key.replace("_", "."): str(value) for key, value in config.items()}
    admin.create_topics([NewTopic(name, num_partitions=partitions, config=settings)])[name].result(ADMIN_TIMEOUT_S)
    deadline_s = time.monotonic() + ADMIN_TIMEOUT_S
    while not _has_all_leaders(admin, name):
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"topic {name} has partitions without a leader after {ADMIN_TIMEOUT_S} s")
        time.sleep(POLL_INTERVAL_S)
