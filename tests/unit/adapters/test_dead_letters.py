"""A dead letter says where it comes from and whose it is, and an audit finds out from its headers."""

from collections.abc import Sequence
from hashlib import sha256
from threading import Event
from typing import cast

import pytest

from tailrace.adapters.kafka_shipping import Arrived, Shipment, Shipper
from tailrace.adapters.kafka_sink import DeadLetterSink, refused_letter
from tailrace.audit.evidence import Message, PartitionRead
from tailrace.audit.findings import Findings
from tailrace.audit.letters import Letters, read_letters
from tailrace.audit.plan import DeadLetterPlan
from tailrace.domain.kinds import ProjectionKind
from tailrace.domain.projected import Undecodable, UndecodableReason, record_of
from tailrace.runtime.ports import Interrupt, RefusedRecord
from tailrace.runtime.sink_port import Accepted

EVENTS, GROUP = "agent.events", "tailrace"
POISON = b"not an event"


class KeptShipments:
    """A shipper in memory."""

    def __init__(self) -> None:
        self.shipments: list[Shipment] = []

    def ship(self, shipments: Sequence[Shipment], interrupt: Interrupt) -> Arrived:
        self.shipments += shipments
        return Arrived()


def letter_of_a_refused_record(*, raw: bool) -> Shipment:
    record = record_of(
        partition=3,
        offset=40,
        kind=ProjectionKind.USAGE,
        run_key="run-1",
        family="model",
        agent_id="agent-1",
        key=b"run-1",
        prefix=b"prefix",
        tail=b"tail",
    )
    return refused_letter(EVENTS, GROUP, RefusedRecord("narrow", record, "MSG_SIZE_TOO_LARGE"), raw=raw)


def letter_of_an_undecodable_event(*, raw: bool) -> Shipment:
    kept = KeptShipments()
    event = Undecodable(
        partition=3,
        offset=41,
        reason=UndecodableReason.UNFRAMED,
        field="",
        value_sha256=sha256(POISON).hexdigest(),
        key=b"run-1",
        value=POISON,
    )
    sink = DeadLetterSink(cast("Shipper", kept), EVENTS, GROUP, raw=raw)
    assert sink.export([event], Event()) == Accepted()
    return kept.shipments[0]


def read_by(group: str, letters: Sequence[Shipment], *, raw: bool) -> tuple[Letters, Findings]:
    messages = [Message(n, letter.key, letter.value, letter.headers) for n, letter in enumerate(letters)]
    findings = Findings()
    reads = iter([PartitionRead(0, 0, len(messages), iter(messages))])
    return read_letters(reads, DeadLetterPlan(topic="letters", raw=raw), EVENTS, group, findings), findings


@pytest.mark.parametrize("raw", [False, True])
def test_an_audit_learns_from_a_letter_what_it_is_about(*, raw: bool) -> None:
    written = [letter_of_a_refused_record(raw=raw), letter_of_an_undecodable_event(raw=raw)]
    letters, findings = read_by(GROUP, written, raw=raw)
    assert not findings
    assert letters.refused == {("narrow", 3, 40)}
    (column,) = letters.undecodable.of(3).values()
    assert [unit >> 3 for unit in column.units] == [41]
    assert column.digest(0) == sha256(POISON).digest()[:16]


@pytest.mark.parametrize("raw", [False, True])
def test_an_audit_of_another_group_passes_a_letter_over(*, raw: bool) -> None:
    written = [letter_of_a_refused_record(raw=raw), letter_of_an_undecodable_event(raw=raw)]
    letters, findings = read_by("another", written, raw=raw)
    assert not findings
    assert (letters.refused, letters.undecodable.columns) == (set(), {})


def test_a_letter_tells_the_sink_that_refused_the_record_beside_the_names_that_other_tools_know() -> None:
    refused = dict(letter_of_a_refused_record(raw=True).headers)
    assert refused["tailrace.sink"] == b"narrow"
    assert refused["__connect.errors.class.name"] == b"tailrace.sink.narrow"
    assert "tailrace.sink" not in dict(letter_of_an_undecodable_event(raw=True).headers)
