"""Getting messages to one Kafka topic in order, and knowing afterwards which of them are there.

The way a batch goes: produce all, poll until the producer holds nothing, then look at what failed. Only failures are
reported back (`delivery.report.only.error`), so an empty producer without failures means that all arrived; `flush` is
not used, since it can end the thread on a fatal error.

After any failure the producer is broken up and the caller resumes at the first failed message with a new one, because
order survives in no other way: without the gapless guarantee a refused set is overtaken by the one behind it, and with
it the producer is dead. For the same reason messages have no time-out of their own (`message.timeout.ms=0`): a set that
times out is not fatal even under the guarantee, and what was produced after it would pass it. The deadline is ours.

`produce_batch` is not used. It queues on behind a message that it could not queue, which breaks the order; and it takes
longer: 1.2 to 1.3 microseconds per message with the dictionaries it wants, against 0.9 for `produce` called as it is
here, arguments by position and callbacks made before. Made for each message, with arguments by name, the same call took
2.2 [measured: 50 000 messages of 350 bytes, in batches of 1 000]. From columns it takes 0.8 where it takes 0.95 from
records, which are not in the processor's cache any more [measured: 200 000 messages of 480 bytes, in random order].
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from tailrace.domain.errors import ContractBroken
from tailrace.runtime.clock import Clock, Deadline
from tailrace.runtime.ports import Interrupt

POLL_S = 0.05
"""How long one poll may wait, and so how late an interrupt can be noticed."""

SETTLE_S = 2.0
"""How long a request that is on its way may take to be answered after another one failed: a round trip, generously."""

BREAK_UP_POLLS = 100
"""Bound on draining a purged producer. Measured: 100 000 purged messages are drained in under 0.1 s, two polls."""

REFUSED_FOR_EVER = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_MSG,
        KafkaError.INVALID_TIMESTAMP,
        87,  # INVALID_RECORD: the broker refuses what is in the message; confluent-kafka has no constant for it
    }
)
"""Verdicts on a message. Every other code is about the topic, the cluster or us, and may be different next time."""

ORDERED_PRODUCER: Mapping[str, str | int | bool] = {
    "enable.idempotence": True,
    "enable.gapless.guarantee": True,
    "acks": "all",
    "message.timeout.ms": 0,
    "delivery.report.only.error": True,
    # Keys land where Java producers put them, so that streams of one run can be joined across teams.
    "partitioner": "murmur2_random",
    # A lane hands over whole batches; waiting longer for more would only add to each batch's round trip.
    "linger.ms": 2,
}
"""What order and completeness rest on, measured on the mock and on a real broker. Nothing overrides these."""

PREFERRED: Mapping[str, str | int | bool] = {"compression.type": "lz4"}
"""What a producer does unless the configuration says otherwise."""


PARTITION_BY_KEY = -1
"""librdkafka's PARTITION_UA: the partitioner decides."""


_Headers = list[tuple[str, str | bytes | None]]


class Shipment(NamedTuple):
    """One message with its headers, ready to send."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()

    @property
    def size_bytes(self) -> int:
        """Key and value; headers of ours are some two hundred bytes."""
        return len(self.key or b"") + len(self.value or b"")


@dataclass(frozen=True, slots=True)
class Arrived:
    """Everything is in the topic."""


@dataclass(frozen=True, slots=True)
class Stuck:
    """The first `arrived` messages are in the topic, the next one is not, and may be later. `code` is Kafka's name."""

    arrived: int
    code: str


@dataclass(frozen=True, slots=True)
class Unwanted:
    """Among the `suspects` messages after the first `arrived` ones is one that the broker will never take."""

    arrived: int
    suspects: int
    code: str


@dataclass(frozen=True, slots=True)
class CalledOff:
    """The caller gave up; the first `arrived` messages are in the topic."""

    arrived: int


ShippingOutcome = Arrived | Stuck | Unwanted | CalledOff


@dataclass(frozen=True, slots=True)
class _Failure:
    index: int
    code: int
    name: str


@dataclass(frozen=True, slots=True)
class _Columns:
    """Messages by columns: nobody makes, or looks at, an object for each."""

    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Sequence[_Headers | None] | None

    def __post_init__(self) -> None:
        if len(self.keys) != len(self.values):
            raise ContractBroken("ship", f"{len(self.keys)} keys are not for {len(self.values)} values")


class _Queued:
    """How many of a batch's messages the client has queued. `go_on` queues the rest, or raises at the first refused."""

    def __init__(
        self, produce: Callable[..., None], topic: str, batch: _Columns, notes: Sequence[Callable[..., None]]
    ) -> None:
        self._produce = produce
        self._topic = topic
        self._batch = batch
        self._notes = notes
        self.messages = 0

    def go_on(self) -> None:
        """Raises what `Producer.produce` raises, with `messages` at the one that was refused."""
        produce, topic, batch, queued = self._produce, self._topic, self._batch, self.messages
        rest = islice(zip(batch.keys, batch.values, self._notes, strict=False), queued, None)
        try:
            if batch.headers is None:
                for key, value, note in rest:
                    produce(topic, value, key, PARTITION_BY_KEY, note)
                    queued += 1
            else:
                for (key, value, note), headers in zip(rest, batch.headers[queued:], strict=True):
                    produce(topic, value, key, PARTITION_BY_KEY, note, None, 0, headers)
                    queued += 1
        finally:
            self.messages = queued


class Shipper:
    """Ships messages to one topic. One thread at a time; the producer inside is made on first use."""

    def __init__(self, make_producer: Callable[[], Producer], topic: str, timeout_s: float, clock: Clock) -> None:
        self._make_producer = make_producer
        self._topic = topic
        self._timeout_s = timeout_s
        self._clock = clock
        self._producer: Producer | None = None
        self._failures: list[_Failure] = []
        self._notes: list[Callable[..., None]] = []

    def ship(self, batch: Sequence[Shipment], interrupt: Interrupt) -> ShippingOutcome:
        """Send all of `batch` in order and wait until the fate of each is known, at most the time-out.

        Messages may arrive twice if an earlier call ended with anything but `Arrived`; none arrives out of order.
        """
        columns = [message.key for message in batch], [message.value for message in batch]
        return self._ship(_Columns(*columns, [list(message.headers) or None for message in batch]), interrupt)

    def ship_bare(
        self, keys: Sequence[bytes | None], values: Sequence[bytes | None], interrupt: Interrupt
    ) -> ShippingOutcome:
        """Like `ship`, for messages without headers, of which these are the keys and the values."""
        return self._ship(_Columns(keys, values, None), interrupt)

    def connect(self) -> None:
        """Make the producer now, so that it is ready when there is something to send.

        A producer asks for its id when it is made, finds no connection, and asks again half a second later [measured].
        """
        self._producer = self._producer or self._make_producer()

    def _ship(self, batch: _Columns, interrupt: Interrupt) -> ShippingOutcome:
        self._failures = []
        deadline = Deadline.after(self._clock, self._timeout_s)
        self.connect()
        producer = self._producer
        assert producer is not None
        refused_at_once = self._produce_all(producer, batch, interrupt, deadline)
        while len(producer) and not self._failures and not interrupt.is_set() and not deadline.passed:
            self._poll(producer, POLL_S)
        if not len(producer) and not self._failures and refused_at_once is None:
            return Arrived()
        overdue = deadline.passed and not self._failures
        if not (overdue or interrupt.is_set()):
            self._settle(producer, interrupt)
        if not self.abandon():
            # Only failures are reported, so of what the client still holds nobody knows whether it arrived.
            return CalledOff(0) if interrupt.is_set() else Stuck(0, "producer_not_drained")
        return self._outcome(refused_at_once, called_off=interrupt.is_set(), overdue=overdue)

    def _settle(self, producer: Producer, interrupt: Interrupt) -> None:
        """After a failure: send nothing more, and learn of what is on its way already, as far as that takes no time.

        Taken back as well, sets for other partitions that do arrive would be sent again at every attempt.
        """
        with suppress(KafkaException):
            producer.purge(in_queue=True, in_flight=False)
        settled_by = Deadline.after(self._clock, SETTLE_S)
        while len(producer) and not settled_by.passed and not interrupt.is_set():
            self._poll(producer, POLL_S)

    def listen(self) -> None:
        """Take what the producer has to say between two batches, such as log lines about a broker that is away.

        Without this it keeps them for the next batch: three a second for as long as an outage lasts [measured].
        """
        if self._producer is not None:
            self._poll(self._producer, 0)

    def abandon(self) -> bool:
        """Break up the producer: nothing it held can arrive after this. Whether it told the fate of all it held."""
        producer, self._producer = self._producer, None
        if producer is None:
            return True
        with suppress(KafkaException):  # it is dead already, which is all that is wanted
            producer.purge()
        for _ in range(BREAK_UP_POLLS):
            if not len(producer):
                return True
            self._poll(producer, POLL_S)
        return not len(producer)

    def _produce_all(
        self, producer: Producer, batch: _Columns, interrupt: Interrupt, deadline: Deadline
    ) -> _Failure | None:
        """Queue the batch; the failure of the message that the client would not queue, if there is one."""
        queued = _Queued(producer.produce, self._topic, batch, self._notes_for(len(batch.keys)))
        # Nothing is queued behind a failure: what follows a failed message must not arrive before it. Reports come
        # from polls only, so between two of them nothing has to be looked at.
        while not self._failures:
            try:
                queued.go_on()
            except BufferError:
                # The queue holds one batch; only what is still there from this one can be in the way.
                if interrupt.is_set() or deadline.passed:
                    return _Failure(queued.messages, KafkaError._QUEUE_FULL, "queue_full")  # noqa: SLF001 - its name
                self._poll(producer, POLL_S)
            except KafkaException as refusal:
                error = refusal.args[0]
                return _Failure(queued.messages, error.code(), error.name())
            else:
                return None
        return None

    def _notes_for(self, messages: int) -> Sequence[Callable[..., None]]:
        """One callback per place in a batch, kept from batch to batch."""
        self._notes += [partial(self._note, index) for index in range(len(self._notes), messages)]
        return self._notes

    def _note(self, index: int, error: KafkaError | None, message: Message) -> None:
        del message
        if error is not None:
            self._failures.append(_Failure(index, error.code(), error.name()))

    @staticmethod
    def _poll(producer: Producer, timeout_s: float) -> None:
        with suppress(KafkaException):  # a dead producer; its messages still get their reports from later polls
            producer.poll(timeout_s)

    def _outcome(self, at_once: _Failure | None, *, called_off: bool, overdue: bool) -> ShippingOutcome:
        failures = sorted([*self._failures, *([at_once] if at_once else [])], key=lambda failure: failure.index)
        if not failures:
            return Arrived()
        first = failures[0]
        if called_off:
            return CalledOff(first.index)
        refused = [failure for failure in failures if failure.code in REFUSED_FOR_EVER]
        if refused:
            # The refused set reports the broker's code, what was queued behind it that it was purged, and a set for
            # another partition in front of it may have been taken back with it: the culprit is among all of these.
            return Unwanted(first.index, refused[-1].index + 1 - first.index, refused[-1].name)
        return Stuck(first.index, "delivery_timeout" if overdue else first.name)
