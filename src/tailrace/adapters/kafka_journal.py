"""A thread that writes records to one topic, in order and for good, and tells of each when it is there.

The ledger and the letters of refused records are written through it: many lanes hand in, one producer writes, and a
topic that is down delays cursors but stops no lane.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice, takewhile

from tailrace.adapters.kafka_shipping import Arrived, CalledOff, Shipment, Shipper, Stuck, Unwanted
from tailrace.runtime.clock import Deadline
from tailrace.runtime.failures import place_of
from tailrace.runtime.ports import Log
from tailrace.runtime.retry import Backoff

BATCH_RECORDS = 500
"""Records per round trip. Entries are small; more would only make a retry after a failure longer."""

IDLE_WAIT_S = 1.0
"""An idle journal looks around this often; handing in wakes it at once."""


@dataclass(frozen=True, slots=True)
class JournalCapacity:
    """What may wait at most; a single record larger than `bytes` may wait alone."""

    records: int
    bytes: int


class JournalTicket:
    """The fate of one record: `acknowledged` turns True once, when it is durable. Thread-safe by being one flag."""

    __slots__ = ("acknowledged", "withdrawn")

    def __init__(self) -> None:
        self.acknowledged = False
        self.withdrawn = False

    def withdraw(self) -> None:
        self.withdrawn = True


class Journal:
    """Writes what is handed in, in that order, and tries until it succeeds.

    `submit` from any thread. `start` once; `close` ends it, and what is not written by then stays unacknowledged, so
    that no cursor has passed it. `on_written` is called on the journal's thread after tickets turned.
    """

    def __init__(
        self, name: str, shipper: Shipper, capacity: JournalCapacity, on_written: Callable[[], None], logger: Log
    ) -> None:
        self.name = name
        self._shipper = shipper
        self._capacity = capacity
        self._queued_bytes = 0
        self._on_written = on_written
        self._logger = logger
        self._queue: deque[tuple[Shipment, JournalTicket]] = deque()
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"journal-{name}", daemon=True)
        self._backoff = Backoff()
        self.crash: BaseException | None = None

    def start(self) -> None:
        self._thread.start()

    def submit(self, message: Shipment) -> JournalTicket | None:
        """Queue a record; None when the queue is full or the journal is closed. Never blocks."""
        ticket = JournalTicket()
        with self._changed:
            if self._full(message) or self._closed.is_set():
                return None
            self._queue.append((message, ticket))
            self._queued_bytes += message.size_bytes
            self._changed.notify()
        return ticket

    def _full(self, message: Shipment) -> bool:
        if len(self._queue) >= self._capacity.records:
            return True
        return bool(self._queue) and self._queued_bytes + message.size_bytes > self._capacity.bytes

    def close(self, deadline: Deadline) -> bool:
        """Write what is queued, as far as `deadline` allows, and end the thread; whether all of it was written."""
        with self._changed:
            self._changed.wait_for(lambda: not self._queue or self._closed.is_set(), deadline.remaining_s())
            written = not self._queue
        self._closed.set()
        with self._changed:
            self._changed.notify()
        self._thread.join(max(1.0, deadline.remaining_s()))
        return written and not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._write_until_closed()
        except BaseException as error:  # noqa: BLE001 - a thread has nobody to raise to; the worker asks `crash`
            self.crash = error
            self._closed.set()
            with self._changed:
                self._changed.notify_all()  # whoever waits in `close` need not wait any longer
            self._logger.event(
                "journal crashed",
                level="error",
                journal=self.name,
                error=type(error).__name__,
                detail=place_of(error),
            )
            self._on_written()

    def _write_until_closed(self) -> None:
        while not self._closed.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closed.is_set(), IDLE_WAIT_S)
                batch = self._next_batch()
            self._shipper.listen()
            if batch and not self._closed.is_set():
                self._write([message for message, _ in batch])
        self._shipper.abandon()

    def _next_batch(self) -> list[tuple[Shipment, JournalTicket]]:
        """The records in front, without those that were withdrawn; the caller holds the lock."""
        while self._queue and self._queue[0][1].withdrawn:
            self._leave_queue()
            self._changed.notify_all()
        front = islice(self._queue, BATCH_RECORDS)
        return list(takewhile(lambda queued: not queued[1].withdrawn, front))

    def _write(self, messages: list[Shipment]) -> None:
        match self._shipper.ship(messages, self._closed):
            case Arrived():
                self._acknowledge(len(messages))
                if self._backoff.failures:
                    self._logger.event("journal writes again", journal=self.name)
                self._backoff.succeeded()
            case CalledOff(arrived=arrived):
                self._acknowledge(arrived)
            case Stuck(arrived=arrived, code=code):
                self._acknowledge(arrived)
                self._wait(code)
            case Unwanted(arrived=arrived, suspects=suspects, code=code):
                self._acknowledge(arrived)
                if suspects == 1:
                    self._strip_first(code)
                else:
                    # Smaller pieces find the culprit: what is in front of it is written and leaves the queue.
                    self._write(messages[arrived : arrived + max(1, suspects // 2)])

    def _strip_first(self, code: str) -> None:
        """A record refused for ever: its headers still say what it was, so it goes without its value, or its key."""
        with self._changed:
            message, ticket = self._queue[0]
            if message.headers and (message.value is not None or message.key is not None):
                # The value first; a key that is too large by itself goes the next time round.
                key = message.key if message.value is not None else None
                stripped = Shipment(key, None, message.headers)
                self._queued_bytes += stripped.size_bytes - message.size_bytes
                self._queue[0] = (stripped, ticket)
                return
        self._wait(code)

    def _wait(self, code: str) -> None:
        if self._backoff.failures == 0:
            self._logger.event("journal cannot write", level="warning", journal=self.name, detail=code)
        self._closed.wait(self._backoff.next_delay_s())

    def _acknowledge(self, records: int) -> None:
        if not records:
            return
        with self._changed:
            for _ in range(records):
                self._leave_queue().acknowledged = True
            self._changed.notify_all()
        self._on_written()

    def _leave_queue(self) -> JournalTicket:
        message, ticket = self._queue.popleft()
        self._queued_bytes -= message.size_bytes
        return ticket
