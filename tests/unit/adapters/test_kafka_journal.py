"""A journal writes everything that is handed in, in order and once it is durable, and never gives up in silence."""

import threading
from collections import deque
from collections.abc import Callable, Sequence

import pytest
from confluent_kafka import Producer

from tailrace.adapters.kafka_journal import BATCH_RECORDS, Journal, JournalCapacity, JournalTicket
from tailrace.adapters.kafka_shipping import Arrived, CalledOff, Shipment, Shipper, ShippingOutcome, Stuck, Unwanted
from tailrace.runtime.clock import Deadline, SystemClock
from tailrace.runtime.ports import Interrupt
from tailrace.runtime.retry import FIRST_DELAY_S
from tests.unit.runtime.fakes import FakeClock, FakeLog

HEADERS = [("__connect.errors.offset", b"7")]


def no_producer() -> Producer:
    raise AssertionError("nothing here talks to Kafka")


class FakeShipper(Shipper):
    """Takes everything but what `refuses` names; `outcomes` come first, one per call."""

    def __init__(self) -> None:
        super().__init__(no_producer, "topic", 1.0, FakeClock())
        self.written: list[Shipment] = []
        self.calls = 0
        self.outcomes: deque[ShippingOutcome] = deque()
        self.refuses: Callable[[Shipment], bool] = lambda _: False
        self.suspects: Callable[[int, int], tuple[int, int]] = lambda _culprit, total: (0, total)

    def ship(self, batch: Sequence[Shipment], interrupt: Interrupt) -> ShippingOutcome:
        self.calls += 1
        outcome = self.outcomes.popleft() if self.outcomes else self._verdict(batch)
        arrived = len(batch) if isinstance(outcome, Arrived) else outcome.arrived
        self.written.extend(batch[:arrived])
        return outcome

    def _verdict(self, batch: Sequence[Shipment]) -> ShippingOutcome:
        culprit = next((index for index, message in enumerate(batch) if self.refuses(message)), None)
        if culprit is None:
            return Arrived()
        arrived, suspects = self.suspects(culprit, len(batch))
        return Unwanted(arrived, suspects, "MSG_SIZE_TOO_LARGE")

    def listen(self) -> None:
        """There is no client."""

    def abandon(self) -> bool:
        """Nothing is ever on its way."""
        return True


class Unhurried(threading.Event):
    """Waits no time, and remembers how long it should have."""

    def __init__(self) -> None:
        super().__init__()
        self.waits_s: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits_s.append(timeout)
        return self.is_set()


class Rig:
    """A journal whose rounds are turned by hand."""

    def __init__(self, capacity: int = 10_000, capacity_bytes: int = 1_000_000) -> None:
        self.shipper = FakeShipper()
        self.logger = FakeLog()
        self.rings = 0
        self.journal = Journal(
            "ledger", self.shipper, JournalCapacity(capacity, capacity_bytes), self._ring, self.logger
        )
        self.journal._closed = self.closed = Unhurried()

    def _ring(self) -> None:
        self.rings += 1

    def submit(self, *names: str, headers: Sequence[tuple[str, bytes]] = ()) -> list[JournalTicket]:
        tickets = [self.journal.submit(Shipment(b"key", name.encode(), headers)) for name in names]
        assert None not in tickets
        return [ticket for ticket in tickets if ticket is not None]

    def round(self, times: int = 1) -> None:
        """What the journal's thread does between two waits."""
        for _ in range(times):
            with self.journal._changed:
                batch = self.journal._next_batch()
            if batch:
                self.journal._write([message for message, _ in batch])

    @property
    def values(self) -> list[bytes | None]:
        return [message.value for message in self.shipper.written]


def turned(tickets: Sequence[JournalTicket]) -> list[bool]:
    return [ticket.acknowledged for ticket in tickets]


def names(first: int, end: int) -> list[str]:
    return [str(number) for number in range(first, end)]


def encoded(first: int, end: int) -> list[bytes]:
    return [str(number).encode() for number in range(first, end)]


class TestWriting:
    def test_records_are_written_in_the_order_in_which_they_were_handed_in(self) -> None:
        """Whoever handed them in, and however many fit into one batch."""
        rig = Rig()
        tickets = rig.submit(*names(0, 2 * BATCH_RECORDS + 1))
        rig.round(3)
        assert rig.values == encoded(0, 2 * BATCH_RECORDS + 1)
        assert all(turned(tickets))
        assert rig.shipper.calls == 3

    def test_a_ticket_turns_when_its_record_is_there_and_not_before(self) -> None:
        """Cursors wait for it: a ticket that turned for nothing would lose what its record accounts for."""
        rig = Rig()
        rig.shipper.outcomes.append(Stuck(2, "_TRANSPORT"))
        tickets = rig.submit(*names(0, 5))
        assert turned(tickets) == [False] * 5
        rig.round()
        assert turned(tickets) == [True, True, False, False, False]
        assert rig.rings == 1
        rig.round()
        assert turned(tickets) == [True] * 5
        assert rig.values == encoded(0, 5)

    def test_an_outage_is_waited_out_and_told_once(self) -> None:
        """One line when it begins and one when it is over, and a growing pause between the attempts."""
        rig = Rig()
        rig.shipper.outcomes.extend([Stuck(0, "_TRANSPORT")] * 30)
        tickets = rig.submit(*names(0, 5))
        rig.round(31)
        assert all(turned(tickets))
        assert [fields["detail"] for fields in rig.logger.said("journal cannot write")] == ["_TRANSPORT"]
        assert len(rig.logger.said("journal writes again")) == 1
        assert len(rig.closed.waits_s) == 30
        assert rig.closed.waits_s[0] <= FIRST_DELAY_S < max(rig.closed.waits_s)

    def test_a_full_journal_takes_nothing_and_blocks_nobody(self) -> None:
        """Whoever hands in keeps the record and tries again; what is queued is not pushed out."""
        rig = Rig(capacity=3)
        tickets = rig.submit(*names(0, 3))
        assert rig.journal.submit(Shipment(b"key", b"3")) is None
        rig.round()
        assert rig.values == encoded(0, 3)
        assert all(turned(tickets))
        assert rig.journal.submit(Shipment(b"key", b"3")) is not None

    def test_what_waits_is_bounded_by_bytes_too(self) -> None:
        """Letters that carry raw records, for a topic that is down, would take the memory of as many records."""
        rig = Rig(capacity_bytes=20)
        rig.submit("0123456", "0123456")
        assert rig.journal.submit(Shipment(b"k", None)) is None
        rig.round()
        assert len(rig.values) == 2
        assert rig.journal.submit(Shipment(b"key", b"x" * 100)) is not None, "alone, or it could never be written"
        assert rig.journal.submit(Shipment(b"k", None)) is None

    def test_what_was_withdrawn_or_stripped_makes_room(self) -> None:
        """Or a journal would be full for ever with nothing in it."""
        rig = Rig(capacity_bytes=20)
        first, _ = rig.submit("0123456", "0123456")
        first.withdraw()
        rig.shipper.refuses = lambda message: message.value is not None
        rig.round(10)
        rig.shipper.refuses = lambda message: False
        rig.round(10)
        assert rig.journal.submit(Shipment(b"key", b"x" * 17)) is not None


class TestRefusals:
    def test_a_letter_refused_for_ever_is_found_among_many_and_goes_without_its_value(self) -> None:
        """Its headers still say which record it was; everything else arrives whole, once and in order."""
        rig = Rig()
        rig.shipper.refuses = lambda message: message.value == b"311"
        tickets = rig.submit(*names(0, BATCH_RECORDS), headers=HEADERS)
        for _ in range(60):
            rig.round()
        expected = [None if value == b"311" else value for value in encoded(0, BATCH_RECORDS)]
        assert rig.values == expected
        stripped = rig.shipper.written[311]
        assert (stripped.key, list(stripped.headers)) == (b"key", HEADERS)
        assert all(turned(tickets))
        assert rig.shipper.calls <= 40, "halving, and not one by one"

    @pytest.mark.parametrize(
        "suspects",
        [
            lambda culprit, total: (culprit, 1),
            lambda culprit, total: (culprit // 2, total - culprit // 2),
            lambda culprit, total: (0, culprit + 1),
        ],
        ids=["named at once", "half of it arrived", "among those up to it"],
    )
    def test_whatever_the_verdict_says_only_the_culprits_are_stripped(
        self, suspects: Callable[[int, int], tuple[int, int]]
    ) -> None:
        """A verdict may name one record or many, and there may be several culprits."""
        rig = Rig()
        rig.shipper.suspects = suspects
        culprits = {b"0", b"17", b"18", b"49"}
        rig.shipper.refuses = lambda message: message.value in culprits
        tickets = rig.submit(*names(0, 50), headers=HEADERS)
        rig.round(200)
        assert rig.values == [None if value in culprits else value for value in encoded(0, 50)]
        assert all(turned(tickets))

    def test_a_letter_that_is_refused_without_its_value_goes_without_its_key_too(self) -> None:
        """The key alone may be too large; where the record came from is in the headers."""
        rig = Rig()
        rig.shipper.refuses = lambda message: message.key is not None
        (ticket,) = rig.submit("0", headers=HEADERS)
        rig.round(3)
        assert [(m.key, m.value, list(m.headers)) for m in rig.shipper.written] == [(None, None, HEADERS)]
        assert ticket.acknowledged

    def test_a_ledger_entry_is_never_stripped_or_dropped(self) -> None:
        """Without its value it says nothing: its cursor waits, loudly, and so does what is behind it."""
        rig = Rig()
        rig.shipper.refuses = lambda message: message.value == b"1"
        tickets = rig.submit(*names(0, 3))
        rig.round(50)
        assert rig.values == [b"0"]
        assert turned(tickets) == [True, False, False]
        assert len(rig.logger.said("journal cannot write")) == 1
        assert len(rig.closed.waits_s) > 10, "and it is not tried again and again without a pause"


class TestWithdrawal:
    def test_what_was_withdrawn_is_not_written_and_holds_nothing_up(self) -> None:
        """Whoever owns the partition now speaks for it; what others handed in before and after is written."""
        rig = Rig()
        tickets = rig.submit(*names(0, 6))
        for index in (0, 2, 3, 5):
            tickets[index].withdraw()
        rig.round(4)
        assert rig.values == [b"1", b"4"]
        assert [index for index, ticket in enumerate(tickets) if ticket.acknowledged] == [1, 4]

    def test_what_was_withdrawn_while_it_was_under_way_is_acknowledged_for_what_it_is(self) -> None:
        """It is in the topic already, and the records behind it are not taken for it."""
        rig = Rig()
        tickets = rig.submit(*names(0, 3))

        def ship(batch: Sequence[Shipment], interrupt: Interrupt) -> ShippingOutcome:
            tickets[0].withdraw()
            rig.shipper.written.extend(batch[:2])
            return Stuck(2, "_TRANSPORT")

        rig.shipper.ship = ship  # type: ignore[method-assign]
        rig.round()
        del rig.shipper.ship
        rig.round()
        assert rig.values == encoded(0, 3)
        assert all(turned(tickets))


class TestEnds:
    """With the journal's own thread, since its end is what this is about."""

    def test_what_is_queued_is_written_before_the_end(self) -> None:
        """Closing within its deadline loses nothing."""
        rig = Rig()
        tickets = rig.submit(*names(0, 100))
        rig.journal.start()
        assert rig.journal.close(Deadline.after(SystemClock(), 10.0))
        assert all(turned(tickets))
        assert rig.values == encoded(0, 100)
        assert rig.journal.submit(Shipment(b"key", b"late")) is None

    def test_what_cannot_be_written_in_time_stays_unacknowledged(self) -> None:
        """No cursor has passed it, so the next owner writes it again."""
        rig = Rig()
        rig.shipper.ship = lambda batch, interrupt: Stuck(0, "_TRANSPORT")  # type: ignore[method-assign]
        tickets = rig.submit(*names(0, 3))
        rig.journal.start()
        assert not rig.journal.close(Deadline.after(SystemClock(), 0.1))
        assert turned(tickets) == [False] * 3
        assert not rig.journal._thread.is_alive()

    def test_a_shipment_that_is_called_off_at_the_end_counts_for_what_arrived(self) -> None:
        """The rest stays unacknowledged."""
        rig = Rig()
        rig.shipper.outcomes.append(CalledOff(2))
        tickets = rig.submit(*names(0, 3))
        rig.round()
        assert turned(tickets) == [True, True, False]

    def test_a_crash_is_seen_and_takes_nothing_more_in(self) -> None:
        """Silent, it would keep taking records that are never written, and every cursor would stand still for ever."""
        rig = Rig()
        rung = threading.Event()
        rig.journal._on_written = rung.set

        def ship(batch: Sequence[Shipment], interrupt: Interrupt) -> ShippingOutcome:
            raise RuntimeError("a value that nobody may read")

        rig.shipper.ship = ship  # type: ignore[method-assign]
        (ticket,) = rig.submit("0")
        rig.journal.start()
        assert rung.wait(10.0)
        assert isinstance(rig.journal.crash, RuntimeError)
        assert not ticket.acknowledged
        assert rig.journal.submit(Shipment(b"key", b"1")) is None
        (line,) = rig.logger.said("journal crashed")
        assert (line["journal"], line["error"], line["level"]) == ("ledger", "RuntimeError", "error")
        assert "nobody may read" not in repr(rig.logger.lines)
        assert not rig.journal.close(Deadline.after(SystemClock(), 10.0))

    def test_a_crash_ends_a_close_that_waits(self) -> None:
        """There is nothing left to wait for, and the shutdown's time is others' too."""
        rig = Rig()
        closing = threading.Event()

        def ship(batch: Sequence[Shipment], interrupt: Interrupt) -> ShippingOutcome:
            closing.wait(10.0)
            raise RuntimeError

        rig.shipper.ship = ship  # type: ignore[method-assign]
        rig.submit("0")
        rig.journal.start()
        deadline = a_minute(closing)
        assert not rig.journal.close(deadline)
        assert deadline.remaining_s() > 30, "it did not wait for the deadline"

    def test_a_withdrawal_of_all_that_is_left_ends_a_close_that_waits(self) -> None:
        """Everything that is still to be written has been written."""
        rig = Rig()
        closing = threading.Event()
        tickets: list[JournalTicket] = []

        def ship(batch: Sequence[Shipment], interrupt: Interrupt) -> ShippingOutcome:
            closing.wait(10.0)
            for ticket in tickets:
                ticket.withdraw()
            return Stuck(0, "_TRANSPORT")

        rig.shipper.ship = ship  # type: ignore[method-assign]
        tickets.extend(rig.submit(*names(0, 3)))
        rig.journal.start()
        deadline = a_minute(closing)
        assert rig.journal.close(deadline)
        assert deadline.remaining_s() > 30, "it did not wait for the deadline"


class AskedClock(SystemClock):
    """Tells when somebody asks for the time, as `close` does before it waits."""

    def __init__(self, asked: threading.Event) -> None:
        self._asked = asked

    def now_s(self) -> float:
        self._asked.set()
        return super().now_s()


def a_minute(asked: threading.Event) -> Deadline:
    return Deadline(AskedClock(asked), SystemClock().now_s() + 60.0)
