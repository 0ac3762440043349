"""The embedded broker is a broker to every process, and each of its faults is felt by clients and ends when told to."""

import _ctypes
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from tailrace.adapters.embedded import RETAINED_BYTES_PER_PARTITION, ApiKey, EmbeddedBroker
from tailrace.domain.errors import ContractBroken, EmbeddedBrokerRefusal, EmbeddedBrokerUnavailable, InvalidField
from tests.embedded.conftest import StartBroker, assert_no_errors_left

_DEADLINE_S = 20.0

_ECHO_IN_ANOTHER_PROCESS = """
import json, sys
from confluent_kafka import Consumer, Producer
servers, source, target = sys.argv[1:]
consumer = Consumer({"bootstrap.servers": servers, "group.id": "echo", "auto.offset.reset": "earliest", "log_level": 0})
producer = Producer({"bootstrap.servers": servers, "log_level": 0})
consumer.subscribe([source])
values = []
while len(values) < 20:
    for message in consumer.consume(20, 1.0):
        values.append(message.value().decode())
        producer.produce(target, message.value())
left = producer.flush(10)
consumer.close()
print(json.dumps({"values": values, "left": left}))
"""


def _producer(broker: EmbeddedBroker, **overrides: object) -> Producer:
    return Producer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "log_level": 0,
            "linger.ms": 0,
            "reconnect.backoff.max.ms": 200,
            **overrides,
        }
    )


def _consumer(broker: EmbeddedBroker, group: str = "reader", **overrides: object) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "log_level": 0,
            "reconnect.backoff.max.ms": 200,
            **overrides,
        }
    )


class _Reports:
    """What became of produced messages, in the order of the reports."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self.seen: list[tuple[bytes | None, int | None]] = []

    def produce(self, topic: str, *values: bytes, partition: int = 0) -> None:
        for value in values:
            self._producer.produce(topic, value, partition=partition, on_delivery=self._report)

    def _report(self, error: KafkaError | None, message: Message) -> None:
        self.seen.append((message.value(), None if error is None else error.code()))

    def settle(self, deadline_s: float = _DEADLINE_S) -> list[int | None]:
        """The error codes of all reports since the last call, None for an acknowledgement."""
        end = time.monotonic() + deadline_s
        while len(self._producer) and time.monotonic() < end:
            self._producer.poll(0.05)
        assert len(self._producer) == 0
        codes = [code for _, code in self.seen]
        self.seen.clear()
        return codes


def _read(broker: EmbeddedBroker, topic: str, count: int, partition: int = 0, offset: int = 0) -> list[bytes]:
    consumer = _consumer(broker)
    consumer.assign([TopicPartition(topic, partition, offset)])
    values: list[bytes] = []
    end = time.monotonic() + _DEADLINE_S
    while len(values) < count and time.monotonic() < end:
        for message in consumer.consume(count - len(values), 0.2):
            assert message.error() is None
            values.append(message.value() or b"")
    consumer.close()
    return values


def _watermarks(broker: EmbeddedBroker, topic: str) -> tuple[int, int]:
    consumer = _consumer(broker)
    low_high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=_DEADLINE_S)
    consumer.close()
    assert low_high is not None
    return low_high


def test_another_process_reads_and_writes(embedded: EmbeddedBroker) -> None:
    """A child process joins a group, reads what this one wrote, and this one reads the child's answer."""
    embedded.create_topic("question", 1)
    embedded.create_topic("answer", 1)
    reports = _Reports(_producer(embedded))
    values = [b"%d" % number for number in range(20)]
    reports.produce("question", *values)
    assert reports.settle() == [None] * 20
    child = subprocess.run(
        [sys.executable, "-c", _ECHO_IN_ANOTHER_PROCESS, embedded.bootstrap_servers, "question", "answer"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    assert json.loads(child.stdout) == {"values": [value.decode() for value in values], "left": 0}
    assert sorted(_read(embedded, "answer", 20)) == sorted(values)


def test_brokers_listen_on_loopback_only(start_broker: StartBroker) -> None:
    """Nothing outside this machine can connect, however many brokers there are."""
    servers = start_broker(brokers=3).bootstrap_servers.split(",")
    assert len(servers) == 3
    assert {server.rpartition(":")[0] for server in servers} == {"127.0.0.1"}


def test_two_brokers_share_nothing(start_broker: StartBroker) -> None:
    """Records of one broker are not on another one of the same process."""
    first, second = start_broker({"t": 1}), start_broker({"t": 1})
    reports = _Reports(_producer(first))
    reports.produce("t", b"x")
    assert reports.settle() == [None]
    assert _watermarks(first, "t") == (0, 1)
    assert _watermarks(second, "t") == (0, 0)


@pytest.mark.parametrize("gapless", [False, True])
def test_a_refused_topic_refuses_and_recovers_alone(start_broker: StartBroker, gapless: bool) -> None:
    """Producers that already know the topic meet the refusal at once; another topic's producer notices nothing."""
    broker = start_broker({"refused": 3, "other": 1})
    settings = {"enable.idempotence": True, "enable.gapless.guarantee": gapless}
    refused, other = _Reports(_producer(broker, **settings)), _Reports(_producer(broker, **settings))
    for reports, topic in ((refused, "refused"), (other, "other")):
        reports.produce(topic, b"before")
        assert reports.settle() == [None]

    broker.refuse_topic("refused", KafkaError.TOPIC_AUTHORIZATION_FAILED)
    refused.produce("refused", b"during 1")
    other.produce("other", b"during")
    started = time.monotonic()
    assert refused.settle() == [KafkaError.TOPIC_AUTHORIZATION_FAILED]
    assert time.monotonic() - started < 5
    assert other.settle() == [None]
    with pytest.raises(KafkaException) as raised:
        refused.produce("refused", b"at once")
    assert raised.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED

    broker.accept_topic("refused")
    end = time.monotonic() + _DEADLINE_S
    while time.monotonic() < end:
        try:
            refused.produce("refused", b"after")
            break
        except KafkaException:
            time.sleep(0.05)
    assert refused.settle() == [None]
    assert _read(broker, "refused", 2) == [b"before", b"after"]
    assert _read(broker, "other", 2) == [b"before", b"during"]


def test_a_new_producer_is_refused_too(start_broker: StartBroker) -> None:
    """A producer made while the topic is refused learns it from its first metadata."""
    broker = start_broker({"t": 1})
    broker.refuse_topic("t", KafkaError.TOPIC_AUTHORIZATION_FAILED)
    reports = _Reports(_producer(broker))
    reports.produce("t", b"x")
    assert reports.settle() == [KafkaError.TOPIC_AUTHORIZATION_FAILED]
    broker.accept_topic("t")
    assert _watermarks(broker, "t") == (0, 0)


def test_a_reader_goes_on_while_its_topic_is_refused(start_broker: StartBroker) -> None:
    """A consumer that already reads the topic gets what another one wrote before the refusal."""
    broker = start_broker({"t": 1})
    reports = _Reports(_producer(broker))
    reports.produce("t", b"1", b"2")
    assert reports.settle() == [None] * 2
    consumer = _consumer(broker)
    consumer.assign([TopicPartition("t", 0, 0)])
    first = consumer.consume(2, _DEADLINE_S)
    broker.refuse_topic("t", KafkaError.TOPIC_AUTHORIZATION_FAILED)
    consumer.seek(TopicPartition("t", 0, 0))
    again = consumer.consume(2, _DEADLINE_S)
    consumer.close()
    assert [message.value() for message in first] == [message.value() for message in again] == [b"1", b"2"]


def test_a_broker_that_was_down_comes_back_with_its_records(start_broker: StartBroker) -> None:
    """While down nothing is acknowledged; up again, the same clients go on and the log is whole."""
    broker = start_broker({"t": 1})
    reports = _Reports(_producer(broker))
    reports.produce("t", b"before")
    assert reports.settle() == [None]
    broker.down()
    reports.produce("t", b"while down")
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        reports._producer.poll(0.05)
    assert reports.seen == []
    broker.up()
    assert reports.settle() == [None]
    assert _read(broker, "t", 2) == [b"before", b"while down"]


def test_a_delay_is_felt_and_ends(start_broker: StartBroker) -> None:
    """Acknowledgements take at least the delay, and no longer do once it is set back."""
    broker = start_broker({"t": 1})
    reports = _Reports(_producer(broker))
    reports.produce("t", b"warm")
    assert reports.settle() == [None]
    broker.rtt_ms(1_000)
    started = time.monotonic()
    reports.produce("t", b"slow")
    assert reports.settle() == [None]
    assert time.monotonic() - started >= 1.0
    broker.rtt_ms(0)
    started = time.monotonic()
    reports.produce("t", b"fast")
    assert reports.settle() == [None]
    assert time.monotonic() - started < 1.0


def test_pushed_errors_fire_in_order_and_are_counted(start_broker: StartBroker) -> None:
    """Three requests meet refusal, passage, refusal; the count of what is left falls with each."""
    broker = start_broker({"t": 1})
    reports = _Reports(_producer(broker))
    reports.produce("t", b"warm")
    assert reports.settle() == [None]
    broker.push_errors(ApiKey.PRODUCE, KafkaError.MSG_SIZE_TOO_LARGE, 0, KafkaError.INVALID_RECORD)
    outcomes = []
    for number, left in ((1, 2), (2, 1), (3, 0), (4, 0)):
        reports.produce("t", b"%d" % number)
        outcomes += reports.settle()
        assert broker.errors_left(ApiKey.PRODUCE) == left
    assert outcomes == [KafkaError.MSG_SIZE_TOO_LARGE, None, KafkaError.INVALID_RECORD, None]
    assert _read(broker, "t", 3) == [b"warm", b"2", b"4"]


def test_errors_of_several_types_are_counted_apart(start_broker: StartBroker) -> None:
    """Codes pushed later add to those still left; other request types neither take nor hide them."""
    broker = start_broker({"t": 1}, brokers=2)
    reports = _Reports(_producer(broker))
    broker.push_errors(ApiKey.PRODUCE, KafkaError.INVALID_RECORD)
    broker.push_errors(ApiKey.OFFSET_COMMIT, KafkaError.OFFSET_METADATA_TOO_LARGE)
    broker.push_errors(ApiKey.OFFSET_COMMIT, KafkaError.INVALID_COMMIT_OFFSET_SIZE)
    assert broker.errors_left() == 3
    reports.produce("t", b"x")
    assert reports.settle() == [KafkaError.INVALID_RECORD]
    assert (broker.errors_left(ApiKey.PRODUCE), broker.errors_left(ApiKey.OFFSET_COMMIT)) == (0, 2)
    consumer = _consumer(broker)
    codes = []
    for _ in range(2):
        with pytest.raises(KafkaException) as raised:
            consumer.commit(offsets=[TopicPartition("t", 0, 1)], asynchronous=False)
        codes.append(raised.value.args[0].code())
    assert codes == [KafkaError.OFFSET_METADATA_TOO_LARGE, KafkaError.INVALID_COMMIT_OFFSET_SIZE]
    assert broker.errors_left() == 0
    consumer.commit(offsets=[TopicPartition("t", 0, 1)], asynchronous=False)
    consumer.close()


def test_cleared_errors_do_not_fire(start_broker: StartBroker) -> None:
    """A refusal without an end is ended by clearing it."""
    broker = start_broker({"t": 1})
    reports = _Reports(_producer(broker))
    broker.push_errors(ApiKey.PRODUCE, *[KafkaError.INVALID_RECORD] * 50)
    reports.produce("t", b"refused")
    assert reports.settle() == [KafkaError.INVALID_RECORD]
    assert broker.errors_left() == 49
    broker.clear_errors(ApiKey.PRODUCE)
    assert broker.errors_left() == 0
    reports.produce("t", b"taken")
    assert reports.settle() == [None]


def test_the_guard_fails_a_test_whose_fault_did_not_fire(start_broker: StartBroker) -> None:
    """The check that every fixture here runs at the end is red when a pushed error is left."""
    broker = start_broker({"t": 1})
    broker.push_errors(ApiKey.FETCH, KafkaError.INVALID_MSG)
    with pytest.raises(pytest.fail.Exception, match="1 pushed errors were never met"):
        assert_no_errors_left(broker)
    broker.clear_errors()
    assert_no_errors_left(broker)


def test_a_leader_moves_without_loss(start_broker: StartBroker) -> None:
    """Messages sent across leader changes all arrive, in order."""
    broker = start_broker({"t": 1}, brokers=2)
    reports = _Reports(_producer(broker, **{"enable.idempotence": True}))
    for number in range(6):
        broker.set_leader("t", 0, number % 2 + 1)
        reports.produce("t", b"%d" % number)
        assert reports.settle() == [None]
    assert _read(broker, "t", 6) == [b"%d" % number for number in range(6)]


def test_a_group_follows_its_coordinator(start_broker: StartBroker) -> None:
    """A commit works on the broker named as coordinator while the other one is down."""
    broker = start_broker({"t": 1}, brokers=2)
    broker.set_leader("t", 0, 2)
    broker.coordinator("cursors", 2)
    broker.down(1)
    consumer = _consumer(broker, "cursors")
    consumer.commit(offsets=[TopicPartition("t", 0, 7, metadata="seq=3")], asynchronous=False)
    found = consumer.committed([TopicPartition("t", 0)], timeout=_DEADLINE_S)
    assert [(place.offset, place.metadata) for place in found] == [(7, "seq=3")]
    consumer.close()


def test_deleted_records_are_gone_and_stay_gone(start_broker: StartBroker) -> None:
    """The low watermark moves up to the offset asked for, and a lower request does not move it back."""
    broker = start_broker({"t": 1})
    reports = _Reports(_producer(broker))
    reports.produce("t", *[b"%d" % number for number in range(30)])
    assert reports.settle() == [None] * 30
    broker.delete_records("t", 0, 25)
    broker.delete_records("t", 0, 5)
    assert _watermarks(broker, "t") == (25, 30)
    assert _read(broker, "t", 5, offset=25) == [b"%d" % number for number in range(25, 30)]
    with pytest.raises(EmbeddedBrokerRefusal) as refused:
        broker.delete_records("t", 0, 31)
    assert refused.value.error_code == KafkaError.OFFSET_OUT_OF_RANGE


def test_a_deleted_topic_can_be_made_anew(start_broker: StartBroker) -> None:
    """A topic of the same name starts empty and without committed offsets."""
    broker = start_broker({"t": 1})
    reports = _Reports(_producer(broker))
    reports.produce("t", b"old")
    assert reports.settle() == [None]
    consumer = _consumer(broker)
    consumer.commit(offsets=[TopicPartition("t", 0, 1)], asynchronous=False)
    broker.delete_topic("t")
    broker.create_topic("t", 1)
    assert _watermarks(broker, "t") == (0, 0)
    assert consumer.committed([TopicPartition("t", 0)], timeout=_DEADLINE_S)[0].offset < 0
    consumer.close()


def test_the_retained_size_is_as_stated(start_broker: StartBroker) -> None:
    """More than the stated bytes lose the oldest records; less loses none. Guards the constant against an upgrade."""
    broker = start_broker({"t": 1})
    reports = _Reports(_producer(broker, **{"compression.type": "none"}))
    value = bytes(64 * 1024)
    fitting = RETAINED_BYTES_PER_PARTITION // (len(value) + 1024)
    reports.produce("t", *[value] * fitting)
    assert reports.settle() == [None] * fitting
    assert _watermarks(broker, "t") == (0, fitting)
    reports.produce("t", *[value] * 40)
    assert reports.settle() == [None] * 40
    low, high = _watermarks(broker, "t")
    assert high == fitting + 40
    assert low > 0


def test_closing_twice_is_closing_once() -> None:
    """A second close does nothing, and commands after it are refused rather than crashing the process."""
    with EmbeddedBroker({"t": 1}) as broker:
        broker.rtt_ms(0)
    broker.close()
    assert broker.closed
    with pytest.raises(ContractBroken):
        broker.down()
    with pytest.raises(ContractBroken):
        broker.push_errors(ApiKey.PRODUCE, 1)


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (lambda broker: broker.create_topic("t", 1), EmbeddedBrokerRefusal),
        (lambda broker: broker.delete_topic("absent"), EmbeddedBrokerRefusal),
        (lambda broker: broker.down(9), EmbeddedBrokerRefusal),
        (lambda broker: broker.create_topic("none", 0), InvalidField),
        (lambda broker: broker.refuse_topic("absent", 29), InvalidField),
        (lambda broker: broker.set_leader("t", 0, -1), InvalidField),
        (lambda broker: broker.rtt_ms(-1), InvalidField),
    ],
    ids=["topic exists", "topic absent", "broker absent", "no partitions", "refuse absent", "no leader", "negative"],
)
def test_impossible_commands_are_refused(
    start_broker: StartBroker, command: Callable[[EmbeddedBroker], None], error: type[Exception]
) -> None:
    """A command that cannot be carried out raises and leaves the broker running."""
    broker = start_broker({"t": 1})
    with pytest.raises(error):
        command(broker)
    assert _watermarks(broker, "t") == (0, 0)


@pytest.mark.parametrize(
    ("library", "reason"),
    [
        (Path("/nonexistent/librdkafka-0.so.1"), "librdkafka-0.so.1 cannot be loaded"),
        (Path(_ctypes.__file__), "lacks"),
    ],
    ids=["absent", "without the symbols"],
)
def test_a_library_without_the_mock_cluster_says_what_to_do(library: Path, reason: str) -> None:
    """The error names the platform, what is missing, and the way out."""
    with pytest.raises(EmbeddedBrokerUnavailable) as raised:
        EmbeddedBroker(library=library)
    assert reason in raised.value.reason
    assert raised.value.platform
    assert "pip install" in raised.value.remedy
    assert str(raised.value).startswith(f"no embedded broker on {raised.value.platform}: {raised.value.reason}; ")
