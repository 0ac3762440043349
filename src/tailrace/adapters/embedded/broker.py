"""The embedded broker: librdkafka's mock cluster with the faults that tests and the demo cause on purpose.

What it gets wrong compared with Apache Kafka, and therefore never proves (docs/DESIGN.md, Tests): aborted records are
visible to every reader, offsets sent to a transaction are not stored, zombies are not fenced, sequence numbers are
checked for transactional producers only, admin requests that create or describe are not answered, delivery reports
carry a constant timestamp.
"""

import ctypes
import threading
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from tailrace.adapters.embedded.library import open_mock_library, unavailable
from tailrace.domain.errors import ContractBroken, EmbeddedBrokerRefusal, InvalidField

RETAINED_BYTES_PER_PARTITION: Final = 5 * 1024 * 1024
"""A partition's oldest message sets vanish, silently, once the sets kept exceed this many bytes *as they were sent*.

`rd_kafka_mock_partition_init` in librdkafka sets it and no function of 2.16 changes it. Seen with 2.16.1: 60 000
uncompressed records of about 240 bytes left offsets 40 209 to 59 999; the same records compressed with lz4 or zstd were
all kept; of 101 000 one-byte records sent one by one, 69 bytes each as a message set, the last 75 983 were. The other
bound set there, 100 000 message sets, can therefore not be reached. So a demo keeps its volume below this, compresses,
or spreads over more partitions.
"""

ALL_BROKERS: Final = -1

_PRODUCER_HANDLE: Final = 0  # rd_kafka_type_t; the cluster only needs a client to hang on, which never sends
_LOG_LEVEL: Final = b"4"  # syslog warning: hides the notice that this client has no bootstrap servers
_MAX_REPLICAS: Final = 3
_LEADER_NOT_AVAILABLE: Final = 5
_NUDGES_PER_PARTITION: Final = 2


class ApiKey(IntEnum):
    """Kafka request types that errors can be pushed for (Kafka protocol guide, "Api Keys")."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    LEAVE_GROUP = 13
    SYNC_GROUP = 14
    INIT_PRODUCER_ID = 22
    ADD_PARTITIONS_TO_TXN = 24
    ADD_OFFSETS_TO_TXN = 25
    END_TXN = 26
    TXN_OFFSET_COMMIT = 28


class _ArmedErrors(NamedTuple):
    pushed: int
    seen_before: int  # requests of the type counted when they were pushed


class EmbeddedBroker:
    """A running broker from construction until `close`; every process of this machine can reach it by its address.

    `topics` maps names to partition counts. Groups get their first assignment at once: the initial rebalance delay,
    3 s in librdkafka's mock, is switched off. Broker ids are 1 to `brokers`; wherever an id is taken, ALL_BROKERS means
    each of them. `library` names a librdkafka other than the installed one.

    Raises EmbeddedBrokerUnavailable when the installed librdkafka has no mock cluster. Commands raise
    EmbeddedBrokerRefusal when the cluster refuses, and ContractBroken after `close`.

    Any thread may call any method; commands run one after the other, each applied when its call returns. Clients should
    be closed before the broker is: they log refused connections otherwise. A child made by fork must not touch it.
    """

    def __init__(
        self, topics: Mapping[str, int] | None = None, *, brokers: int = 1, library: Path | None = None
    ) -> None:
        if brokers < 1:
            raise InvalidField("brokers", "must be at least 1")
        self._library = open_mock_library(library)
        self._command_lock = threading.Lock()
        self._topics: dict[str, int] = {}
        self._deleted_below: dict[tuple[str, int], int] = {}
        self._armed: dict[int, _ArmedErrors] = {}
        self._brokers = brokers
        self._client = self._start_client()
        self._cluster: int | None = self._library.rd_kafka_mock_cluster_new(self._client, brokers)
        if self._cluster is None:
            self._library.rd_kafka_destroy(self._client)
            raise unavailable("no loopback port could be opened", "free some ports, or raise the limit of open files")
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        self.bootstrap_servers: Final = str(self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode())
        for topic, partitions in (topics or {}).items():
            self.create_topic(topic, partitions)

    def _start_client(self) -> int:
        reason = ctypes.create_string_buffer(512)
        configuration = self._library.rd_kafka_conf_new()
        self._library.rd_kafka_conf_set(configuration, b"log_level", _LOG_LEVEL, reason, len(reason))
        client = self._library.rd_kafka_new(_PRODUCER_HANDLE, configuration, reason, len(reason))
        if client is None:
            raise unavailable(reason.value.decode(), "raise the limits of threads and open files")
        return int(client)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stops the broker and drops every record and committed offset. A second call does nothing."""
        with self._command_lock:
            cluster, self._cluster = self._cluster, None
            if cluster is not None:
                self._library.rd_kafka_mock_cluster_destroy(cluster)
                self._library.rd_kafka_destroy(self._client)

    @property
    def closed(self) -> bool:
        return self._cluster is None

    # -- topics ------------------------------------------------------------------------------------------------------

    def create_topic(self, topic: str, partitions: int = 1) -> None:
        """An empty topic, replicated to at most three brokers. Refused if it exists."""
        if partitions < 1:
            raise InvalidField("partitions", "must be at least 1")
        self._command("topic_create", topic.encode(), partitions, min(_MAX_REPLICAS, self._brokers))
        self._topics[topic] = partitions

    def delete_topic(self, topic: str) -> None:
        """The topic with its records and the offsets committed for it; a topic of that name can be created anew."""
        self._command("topic_delete", topic.encode())
        self._topics.pop(topic, None)
        for place in [place for place in self._deleted_below if place[0] == topic]:
            del self._deleted_below[place]

    def delete_records(self, topic: str, partition: int, before_offset: int) -> None:
        """Moves the partition's low watermark up to `before_offset`, as retention does.

        Refused beyond the end. Never moves it back below an earlier call's: the mock would, and would then serve
        records a second time.
        """
        if before_offset <= self._deleted_below.get((topic, partition), 0):
            return
        self._command("partition_delete_records", topic.encode(), partition, before_offset)
        self._deleted_below[topic, partition] = before_offset

    def set_leader(self, topic: str, partition: int, broker_id: int) -> None:
        """Moves the partition's leader to another running broker, with a new leader epoch."""
        if not 1 <= broker_id <= self._brokers:
            # -1 means "no leader" to librdkafka, and crashes the process at the next produce request (seen in 2.16.0).
            raise InvalidField("broker_id", f"must be 1 to {self._brokers}")
        self._command("partition_set_leader", topic.encode(), partition, broker_id)

    def refuse_topic(self, topic: str, error_code: int) -> None:
        """From now on clients are told `error_code` when they ask about the topic, such as 29 for no authorization.

        Clients ask on a schedule of minutes, so the next produce requests to each partition are answered once with a
        retriable error that makes the producer ask at once: its queued messages then fail with `error_code`, within
        some 10 ms, and `produce` raises it. Readers that have begun go on; one that starts now finds no partitions.
        Other topics are not touched.
        """
        partitions = self._partitions_of(topic)
        self._call("topic_set_error", topic.encode(), error_code)
        for partition in range(partitions):
            nudges = [ctypes.c_int(_LEADER_NOT_AVAILABLE)] * _NUDGES_PER_PARTITION
            self._command(
                "partition_push_request_errors", topic.encode(), partition, ApiKey.PRODUCE, len(nudges), *nudges
            )

    def accept_topic(self, topic: str) -> None:
        """Ends `refuse_topic`; producers are served again within a second, at their next attempt."""
        self._partitions_of(topic)
        self._call("topic_set_error", topic.encode(), 0)

    def _partitions_of(self, topic: str) -> int:
        if topic not in self._topics:
            raise InvalidField("topic", "was not created by create_topic")
        return self._topics[topic]

    # -- brokers and coordinators ------------------------------------------------------------------------------------

    def down(self, broker_id: int = ALL_BROKERS) -> None:
        """Cuts every connection and refuses new ones; records, leaders and the port stay."""
        self._command("broker_set_down", broker_id)

    def up(self, broker_id: int = ALL_BROKERS) -> None:
        self._command("broker_set_up", broker_id)

    def rtt_ms(self, delay_ms: int, broker_id: int = ALL_BROKERS) -> None:
        """Holds every answer back by `delay_ms`; 0 ends it. Answers already held back go out when they are due."""
        if delay_ms < 0:
            raise InvalidField("delay_ms", "must not be negative")
        self._command("broker_set_rtt", broker_id, delay_ms)

    def coordinator(self, group: str, broker_id: int) -> None:
        """Makes `broker_id` the group's coordinator; without this a hash of the group's name picks one."""
        self._command("coordinator_set", b"group", group.encode(), broker_id)

    def transaction_coordinator(self, transactional_id: str, broker_id: int) -> None:
        self._command("coordinator_set", b"transaction", transactional_id.encode(), broker_id)

    # -- errors on purpose -------------------------------------------------------------------------------------------

    def push_errors(self, api_key: ApiKey, *error_codes: int) -> None:
        """The next requests of this type, to whichever broker, are answered with these codes, in this order.

        0 lets a request pass, and -195 (_TRANSPORT) cuts the connection instead of answering.
        """
        codes = (ctypes.c_int * len(error_codes))(*error_codes)
        with self._command_lock:
            cluster = self._running()
            if not self._armed:
                self._library.rd_kafka_mock_clear_requests(cluster)
                self._library.rd_kafka_mock_start_request_tracking(cluster)
            left = self._left(cluster, api_key)
            self._library.rd_kafka_mock_push_request_errors_array(cluster, api_key, len(codes), codes)
            # librdkafka cannot be asked how many of these are left, but each request takes exactly one, and requests
            # can be counted. Counted after the push: a request that slips in between is one too many left, never one
            # too few, so a test that asserts "all fired" cannot pass for nothing.
            self._armed[api_key] = _ArmedErrors(left + len(codes), self._seen(cluster, api_key))

    def errors_left(self, api_key: ApiKey | None = None) -> int:
        """How many pushed codes no request has taken yet, of one type or of all."""
        with self._command_lock:
            cluster = self._running()
            keys = [api_key] if api_key is not None else list(self._armed)
            return sum(self._left(cluster, key) for key in keys)

    def clear_errors(self, api_key: ApiKey | None = None) -> None:
        """Forgets what `push_errors` left, of one type or of all."""
        with self._command_lock:
            cluster = self._running()
            for key in [api_key] if api_key is not None else list(self._armed):
                self._library.rd_kafka_mock_clear_request_errors(cluster, key)
                self._armed.pop(key, None)
            if not self._armed:
                self._library.rd_kafka_mock_stop_request_tracking(cluster)
                self._library.rd_kafka_mock_clear_requests(cluster)

    def _left(self, cluster: int, api_key: int) -> int:
        armed = self._armed.get(api_key)
        return max(0, armed.pushed - (self._seen(cluster, api_key) - armed.seen_before)) if armed else 0

    def _seen(self, cluster: int, api_key: int) -> int:
        count = ctypes.c_size_t()
        requests = self._library.rd_kafka_mock_get_requests(cluster, ctypes.byref(count))
        try:
            keys = [self._library.rd_kafka_mock_request_api_key(requests[index]) for index in range(count.value)]
            return keys.count(api_key)
        finally:
            self._library.rd_kafka_mock_request_destroy_array(requests, count)

    # -- calls -------------------------------------------------------------------------------------------------------

    def _running(self) -> int:
        if self._cluster is None:
            raise ContractBroken("EmbeddedBroker", "it has been closed")
        return self._cluster

    def _call(self, command: str, *arguments: object) -> int:
        with self._command_lock:
            result = getattr(self._library, f"rd_kafka_mock_{command}")(self._running(), *arguments)
        return int(result or 0)

    def _command(self, command: str, *arguments: object) -> None:
        error_code = self._call(command, *arguments)
        if error_code:
            raise EmbeddedBrokerRefusal(command, error_code, self._library.rd_kafka_err2name(error_code).decode())
