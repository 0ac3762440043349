"""How much memory a configuration can take, and the sizes derived from it.

The one place where a size of the configuration becomes a size of a client: adapters take their queue limits from here,
and the memory budget is the sum over the same numbers, so that neither can drift from the other. librdkafka's own
defaults would allow one GiB per producer and 64 MiB per consumer.

Wart: a queue is limited unpacked, a response as it is sent, packed. A topic that packs far better than
`_UNPACKED_FACTOR`, or whose batches are larger than a response without being one event, can take more than its line for
a moment.
"""

from dataclasses import dataclass
from importlib.util import find_spec

from tailrace.domain.content_form import MAX_PARSED_BYTES, MAX_VALUES
from tailrace.domain.privacy import ContentCaptureMode
from tailrace.settings.capture import InlineStoreSettings
from tailrace.settings.kafka import Property
from tailrace.settings.sinks import KIB, MIB, BatchSettings, DurableTraceSettings, LaneSettings
from tailrace.settings.tree import EventsSettings, Settings

PROJECTIONS_PER_EVENT = 3
"""Most projections one event yields; they enter a buffer whole or not at all (docs/DESIGN.md, Projections)."""

OFFERS_PER_BUFFER = 4
"""An intake offers at most this part of the smallest buffer at once, so a buffer has to hold as many offers."""

PROJECTED_EXTRA_BYTES = 16 * KIB
"""What a projection can add to the fields it copies from its event: ids, position, versions, framing. Measured on the
largest identifiers the generator writes: below 2 KiB."""

CATCH_UP_FETCH_KBYTES = 2_048
"""Read-ahead of a lane that catches up. Paced to 10 000 events a second, events of 300 bytes need 3 MB in that second;
the reader polls far more often, so 2 MiB never starves it, and ten lanes stay at a budget a worker can have."""

LEDGER_QUEUE_KBYTES = 4_096
"""Ledger entries, or letters of refused records, on their way; what does not fit the runtime offers again."""

JOURNAL_ENTRIES = 5_000
"""Ledger entries, or letters, that wait for their producer; what does not fit its owner keeps."""

JOURNAL_BYTES = JOURNAL_ENTRIES * 2 * KIB
"""An entry is a few identifiers and offsets, only a gap of very many runs is larger; a letter with raw bytes is what
its record was, so these are the bound that counts for letters."""

# Measured as for a buffered record: the objects around the bytes of a message, its ticket and its place in the queue.
_JOURNAL_EXTRA_BYTES = 640

_INTAKE_RESPONSE_BYTES = 4 * MIB
"""One response of one broker. Fetching stops when the queue is full, but what has been asked for still arrives."""

_READER_RESPONSE_BYTES = MIB
"""The least that librdkafka takes is 1 000 000. A reader of 10 000 events a second takes 14 MiB with this and 35 with
4 MiB, for the same processor time; alone it gets 260 000 a second, more than any sink takes [measured, one broker]."""

_UNPACKED_FACTOR = 3
"""Measured: 2.75, the generator's events in batches with lz4."""

_BROKERS = 3
"""Brokers that answer at the same moment. More leaders than this for one worker's partitions is a large cluster, whose
operator has the memory."""

# Measured with events of 300 bytes on three brokers: a full queue of 16 MiB holds 56 000 of them and takes 36 MiB.
_FETCHED_FACTOR = 2.5

# Measured: 474 bytes of objects around the bytes of a record whose fields are not shared; and computed: 144 for its
# place in a load, with the running sums and the columns of that. By columns it is 379 in all, and 547 once somebody
# has looked at each of them [measured].
_BUFFERED_RECORD_EXTRA_BYTES = 640

# Measured with events of 1 MB: conversations take 4 to 12 times their bytes while they are parsed and redacted. What is
# made of many small values takes up to 172 times its bytes, 700 for each value, and their number is bounded.
_PARSED_FACTOR = 12
_SMALL_VALUES_FACTOR = 172
_VALUE_BYTES = 700
_PARTS_OF_CONTENT = 3

# Measured: 231 bytes beside a message of 330 bytes in a producer's queue.
_QUEUED_MESSAGE_EXTRA_BYTES = 256

# Measured: 313 bytes per event of which a lane has something to note before its cursor passes it.
_NOTE_BYTES = 384

# Measured on three brokers, connected and idle: 0.8 MB per consumer, 0.5 MB per producer.
_CONSUMER_BYTES = 820 * KIB
_PRODUCER_BYTES = 512 * KIB

# Measured: 48 MiB with every library imported and 5 MiB with the first client, on Python 3.11 and x86-64 Linux.
_PROCESS_BYTES = 64 * MIB

# Measured: 170 MB with the code read from disk, 200 MB once it was compiled. Nothing where numba is not installed.
_NATIVE_BYTES = 200 * MIB


def max_record_bytes(events: EventsSettings) -> int:
    """The largest message an event of this topic can become without content: key, value and protocol overhead."""
    return events.max_event_bytes + PROJECTED_EXTRA_BYTES


def content_limit_bytes(settings: Settings, sink_id: str) -> int:
    """The most that content can add to a record of this sink; 0 if its records never hold any.

    References are in `PROJECTED_EXTRA_BYTES`. KeyError for an unknown sink.
    """
    inline = isinstance(settings.capture.store, InlineStoreSettings) and settings.capture.payloads
    raw = settings.sinks[sink_id].content.mode.captures_raw_content
    return _event_limit_bytes(settings, sink_id) if inline and raw else 0


def _event_limit_bytes(settings: Settings, sink_id: str) -> int:
    """Of the sink's policy; 0 where that is not there, which is an error of its own."""
    policy = settings.capture.policies.get(settings.sinks[sink_id].content.policy or "")
    return 0 if policy is None else policy.event_limit_bytes


def max_record_bytes_of(settings: Settings, sink_id: str) -> int:
    """The largest message that can go to this sink, content included."""
    return max_record_bytes(settings.events) + content_limit_bytes(settings, sink_id)


def intake_properties(events: EventsSettings) -> dict[str, Property]:
    """The librdkafka properties that bound what the intake fetches ahead."""
    return _fetch_properties(events.fetch_kbytes, _INTAKE_RESPONSE_BYTES)


def catch_up_properties() -> dict[str, Property]:
    """The librdkafka properties that bound what a lane's log reader, or the ledger's, fetches ahead."""
    return _fetch_properties(CATCH_UP_FETCH_KBYTES, _READER_RESPONSE_BYTES)


def _fetch_properties(queue_kbytes: int, response_bytes: int) -> dict[str, Property]:
    return {
        "queued.max.messages.kbytes": queue_kbytes,
        # A broker sends a batch that is larger than both sizes all the same, alone in its response (KIP-74).
        "fetch.max.bytes": response_bytes,
        "fetch.message.max.bytes": MIB,
        # A cap on what a broker may send, not an allocation: a client that refuses a response asks for it for ever, and
        # gets nothing else from that broker.
        "receive.message.max.bytes": 1_000_000_000,
        # The client's own second after a full queue would be a stall of a second at sizes this small.
        "fetch.queue.backoff.ms": 20,
    }


def sink_producer_properties(
    batch: BatchSettings, events: EventsSettings, *, content_bytes: int = 0
) -> dict[str, Property]:
    """The librdkafka properties that bound one lane's producer to one batch on its way, and one record over.

    `content_bytes` is what content can add to a record: `content_limit_bytes`.
    """
    return {
        "queue.buffering.max.kbytes": _producer_queue_bytes(batch, events, content_bytes) // KIB,
        "queue.buffering.max.messages": max(1_000, batch.records + PROJECTIONS_PER_EVENT),
        "message.max.bytes": max_record_bytes(events) + content_bytes,
    }


def _producer_queue_bytes(batch: BatchSettings, events: EventsSettings, content_bytes: int) -> int:
    return (batch.bytes + max_record_bytes(events) + content_bytes + KIB) // KIB * KIB


def journal_producer_properties(events: EventsSettings) -> dict[str, Property]:
    """The librdkafka properties that bound the ledger's producer, and that of refused records."""
    return {
        "queue.buffering.max.kbytes": max(LEDGER_QUEUE_KBYTES, 2 * max_record_bytes(events) // KIB),
        "queue.buffering.max.messages": 10_000,
        "message.max.bytes": max_record_bytes(events),
    }


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """One part of the process, the most memory it takes, and how that number comes about."""

    part: str
    size_bytes: int
    how: str


@dataclass(frozen=True, slots=True)
class MemoryBudget:
    """The most memory one worker takes with every buffer and queue full at once."""

    lines: tuple[BudgetLine, ...]
    limit_bytes: int

    @property
    def total_bytes(self) -> int:
        return sum(line.size_bytes for line in self.lines)

    @property
    def fits(self) -> bool:
        return self.total_bytes <= self.limit_bytes

    def of_workers_bytes(self, workers: int) -> int:
        """The most that so many workers of one machine take, and the process that supervises them if it is not one."""
        return self.total_bytes if workers == 1 else workers * self.total_bytes + _PROCESS_BYTES


def _has_machine_code(settings: Settings) -> bool:
    return settings.worker.projector == "native" and find_spec("numba") is not None


def memory_budget(settings: Settings) -> MemoryBudget:
    """The budget of this configuration, whether it fits or not. Pure: nothing is measured, nothing allocated."""
    events = settings.events
    lines = [
        BudgetLine("process", _PROCESS_BYTES, "interpreter and libraries"),
        *([BudgetLine("machine code", _NATIVE_BYTES, "numba")] if _has_machine_code(settings) else []),
        BudgetLine(
            "intake",
            _reader_bytes(events, events.fetch_kbytes, _INTAKE_RESPONSE_BYTES),
            _reader_how(events, events.fetch_kbytes, _INTAKE_RESPONSE_BYTES),
        ),
        BudgetLine("offers", _offer_bytes(settings), "a quarter of the smallest buffer"),
        BudgetLine("ledger", _journal_bytes(events), f"producer, {JOURNAL_ENTRIES} entries"),
        BudgetLine(
            "ledger reader",
            _reader_bytes(events, CATCH_UP_FETCH_KBYTES, _READER_RESPONSE_BYTES),
            _reader_how(events, CATCH_UP_FETCH_KBYTES, _READER_RESPONSE_BYTES),
        ),
    ]
    for sink_id, sink in settings.sinks.items():
        content_bytes = content_limit_bytes(settings, sink_id)
        has_producer = isinstance(sink, DurableTraceSettings)
        lines += _lane_lines(f"sink {sink_id}", sink, settings, has_producer=has_producer, content_bytes=content_bytes)
        if sink.content.mode is not ContentCaptureMode.OFF:
            lines.append(_content_line(settings, sink_id))
    if settings.dead_letter.topic is not None:
        lines += _lane_lines("dead letters", LaneSettings(), settings, has_producer=True)
        letters = f"producer, {JOURNAL_ENTRIES} letters"
        lines.append(BudgetLine("refused records", _journal_bytes(events), letters))
    return MemoryBudget(tuple(lines), settings.worker.memory_limit_bytes)


def _content_line(settings: Settings, sink_id: str) -> BudgetLine:
    """What the stage in front of a sink holds: a batch as it came and as it leaves, and one event in its hands."""
    sink = settings.sinks[sink_id]
    part, batches_bytes = f"sink {sink_id}: content", 2 * sink.batch.bytes
    if not sink.content.mode.carries_content:
        return BudgetLine(part, batches_bytes, "a batch as it came and as it leaves")
    event_bytes = min(settings.events.max_event_bytes, _PARTS_OF_CONTENT * MAX_PARSED_BYTES)
    of_values = event_bytes * _PARSED_FACTOR + _PARTS_OF_CONTENT * MAX_VALUES * _VALUE_BYTES
    parsed_bytes = min(of_values, event_bytes * _SMALL_VALUES_FACTOR)
    return BudgetLine(
        part,
        batches_bytes + parsed_bytes + _event_limit_bytes(settings, sink_id),
        "a batch as it came and as it leaves, an event parsed, at worst of small values",
    )


def _lane_lines(
    name: str, lane: LaneSettings, settings: Settings, *, has_producer: bool, content_bytes: int = 0
) -> list[BudgetLine]:
    events, buffer, batch = settings.events, lane.buffer, lane.batch
    # Records travel by parts of their offer, and stay in memory until the whole of it has left.
    offer_bytes = _offer_bytes(settings)
    lines = [
        BudgetLine(
            f"{name}: buffer",
            buffer.capacity_bytes + buffer.capacity_records * _BUFFERED_RECORD_EXTRA_BYTES + offer_bytes,
            f"{buffer.capacity_bytes // MIB} MiB, {buffer.capacity_records} x {_BUFFERED_RECORD_EXTRA_BYTES} B around, "
            "what is left of an offer",
        ),
        BudgetLine(
            f"{name}: notes",
            lane.max_ahead_records * _NOTE_BYTES,
            f"{lane.max_ahead_records} x {_NOTE_BYTES} B before the cursor passes",
        ),
        BudgetLine(
            f"{name}: log reader",
            _reader_bytes(events, CATCH_UP_FETCH_KBYTES, _READER_RESPONSE_BYTES)
            + _read_bytes(events, batch, with_events=lane.content.mode.carries_content),
            f"{_reader_how(events, CATCH_UP_FETCH_KBYTES, _READER_RESPONSE_BYTES)}, {batch.records} events as records",
        ),
    ]
    if has_producer:
        lines.append(
            BudgetLine(
                f"{name}: producer",
                2 * _producer_queue_bytes(batch, events, content_bytes)
                + batch.records * _QUEUED_MESSAGE_EXTRA_BYTES
                + _PRODUCER_BYTES,
                "a batch, queued and in requests",
            )
        )
    else:
        lines.append(BudgetLine(f"{name}: batch", 2 * batch.bytes, "a batch, as records and as lines"))
    return lines


def _reader_bytes(events: EventsSettings, queue_kbytes: int, response_bytes: int) -> int:
    """A consumer with its queue full and a response of every broker.

    Measured on one broker, events of 396 bytes, read slowly: 35 MiB for a queue of 2 MiB and a response of 4, 66 for 16
    and 4, 14 for 2 and 1.
    """
    responses_bytes = _BROKERS * _response_bytes(events, response_bytes)
    return int(queue_kbytes * KIB * _FETCHED_FACTOR) + responses_bytes + _CONSUMER_BYTES


def _response_bytes(events: EventsSettings, response_bytes: int) -> int:
    """A response as it came, and what comes out of it; or one event that is larger, whose objects weigh nothing."""
    unpacked_bytes = int(response_bytes * _UNPACKED_FACTOR * _FETCHED_FACTOR)
    return max(response_bytes + unpacked_bytes, 2 * events.max_event_bytes)


def _read_bytes(events: EventsSettings, batch: BatchSettings, *, with_events: bool) -> int:
    """One read of the log, which waits in front of the buffer: the records of each event, and for content the event.

    A read is a batch of events, of no more bytes than the reader may have fetched ahead. Three records of every event
    are more than any stream yields, which leaves room for the few hundred bytes that a record adds to its event.
    """
    response_bytes = max(_READER_RESPONSE_BYTES * _UNPACKED_FACTOR, events.max_event_bytes)
    fetched_bytes = CATCH_UP_FETCH_KBYTES * KIB + _BROKERS * response_bytes
    copies = PROJECTIONS_PER_EVENT + with_events
    return copies * fetched_bytes + PROJECTIONS_PER_EVENT * batch.records * _BUFFERED_RECORD_EXTRA_BYTES


def _reader_how(events: EventsSettings, queue_kbytes: int, response_bytes: int) -> str:
    queue = f"{queue_kbytes // KIB} MiB ahead x {_FETCHED_FACTOR}"
    if _response_bytes(events, response_bytes) == 2 * events.max_event_bytes:
        return f"{queue}, {_BROKERS} events of {events.max_event_bytes // MIB} MiB x 2"
    return f"{queue}, {_BROKERS} responses of {response_bytes // MIB} MiB x {1 + _UNPACKED_FACTOR * _FETCHED_FACTOR}"


def _offer_bytes(settings: Settings) -> int:
    smallest = min(sink.buffer.capacity_bytes for sink in settings.sinks.values())
    records = min(sink.buffer.capacity_records for sink in settings.sinks.values())
    return (smallest + records * _BUFFERED_RECORD_EXTRA_BYTES) // OFFERS_PER_BUFFER


def _journal_bytes(events: EventsSettings) -> int:
    kbytes = int(str(journal_producer_properties(events)["queue.buffering.max.kbytes"]))
    waiting_bytes = JOURNAL_BYTES + max_record_bytes(events) + JOURNAL_ENTRIES * _JOURNAL_EXTRA_BYTES
    return 2 * kbytes * KIB + waiting_bytes + _PRODUCER_BYTES
