"""Sinks that are Kafka topics: telemetry records, and the dead letters of events nobody could decode."""

import json
from collections.abc import Sequence

from tailrace.adapters.kafka_shipping import Arrived, CalledOff, Shipment, Shipper, ShippingOutcome, Stuck, Unwanted
from tailrace.domain.kinds import FailureKind
from tailrace.domain.load import column
from tailrace.domain.projected import ProjectedRecord, Undecodable
from tailrace.runtime.clock import Deadline
from tailrace.runtime.ports import Interrupt, RefusedRecord
from tailrace.runtime.sink_port import Accepted, ExportOutcome, Interrupted, Refused, Retriable

UNDECODABLE_STAGE = "VALUE_CONVERTER"
REFUSED_STAGE = "TASK_PUT"
"""Kafka Connect's names of the stages at which a record fails, so that tools made for its dead letters work on ours."""


class DurableTraceSink:
    """Telemetry records on a Kafka topic, keyed by run id, in order and without gaps."""

    def __init__(self, shipper: Shipper) -> None:
        self._shipper = shipper

    def export(self, batch: Sequence[ProjectedRecord], interrupt: Interrupt) -> ExportOutcome:
        return as_export(self._shipper.ship_bare(column(batch, "key"), column(batch, "value"), interrupt))

    def abandon(self) -> None:
        self._shipper.abandon()

    def tend(self) -> None:
        self._shipper.listen()

    def close(self, deadline: Deadline) -> None:
        del deadline  # nothing is on its way, so there is nothing to wait for
        self._shipper.abandon()


class DeadLetterSink:
    """The dead letters of undecodable events: where, how large, why; raw bytes only if the operator says so."""

    def __init__(self, shipper: Shipper, topic: str, group: str, *, raw: bool) -> None:
        self._shipper = shipper
        self._topic = topic
        self._group = group
        self._raw = raw

    def export(self, batch: Sequence[Undecodable], interrupt: Interrupt) -> ExportOutcome:
        return as_export(self._shipper.ship([self._letter(event) for event in batch], interrupt))

    def abandon(self) -> None:
        self._shipper.abandon()

    def tend(self) -> None:
        self._shipper.listen()

    def close(self, deadline: Deadline) -> None:
        del deadline
        self._shipper.abandon()

    def _letter(self, event: Undecodable) -> Shipment:
        headers = letter_headers(
            self._topic,
            event.partition,
            event.offset,
            stage=UNDECODABLE_STAGE,
            class_name="tailrace.projector",
            reason=event.reason.value,
            group=self._group,
        )
        if self._raw:
            return Shipment(event.key, event.value, headers)
        described: dict[str, str | int] = {
            "topic": self._topic,
            "partition": event.partition,
            "offset": event.offset,
            "reason": event.reason.value,
            "field": event.field,
            "size_bytes": event.size_bytes,
            "value_sha256": event.value_sha256,
        }
        return Shipment(_letter_key(self._topic, event.partition), _as_json(described), headers)


def refused_letter(topic: str, group: str, refused: RefusedRecord, *, raw: bool) -> Shipment:
    """The dead letter of a telemetry record that one sink refused for ever."""
    record = refused.record
    headers = letter_headers(
        topic,
        record.partition,
        record.offset,
        stage=REFUSED_STAGE,
        class_name=f"tailrace.sink.{refused.sink_id}",
        reason=refused.detail,
        group=group,
    )
    headers.append(("tailrace.sink", refused.sink_id.encode()))
    if raw:
        return Shipment(record.key, record.value, headers)
    described: dict[str, str | int] = {
        "topic": topic,
        "partition": record.partition,
        "offset": record.offset,
        "kind": record.kind.value,
        "sink": refused.sink_id,
        "reason": refused.detail,
        "size_bytes": len(record.key) + len(record.value),
    }
    return Shipment(_letter_key(topic, record.partition), _as_json(described), headers)


def letter_headers(
    topic: str, partition: int, offset: int, *, stage: str, class_name: str, reason: str, group: str
) -> list[tuple[str, bytes]]:
    """Where a dead letter comes from, in Kafka Connect's header names; never a message text or a stack trace.

    `tailrace.group` says whose it is: groups that read the same events may share a topic for their dead letters, and
    each has to account for an event nobody can read with a letter of its own.
    """
    return [
        ("__connect.errors.topic", topic.encode()),
        ("__connect.errors.partition", str(partition).encode()),
        ("__connect.errors.offset", str(offset).encode()),
        ("__connect.errors.stage", stage.encode()),
        ("__connect.errors.class.name", class_name.encode()),
        ("tailrace.reason", reason.encode()),
        ("tailrace.group", group.encode()),
    ]


def as_export(outcome: ShippingOutcome) -> ExportOutcome:
    """What shipping came to, in the words of the sink port."""
    match outcome:
        case Arrived():
            return Accepted()
        case Stuck(arrived=arrived, code=code):
            return Retriable(arrived, FailureKind.SINK_UNAVAILABLE, code)
        case Unwanted(arrived=arrived, suspects=suspects, code=code):
            return Refused(arrived, suspects, FailureKind.EXPORT_REJECTED, code)
        case CalledOff(arrived=arrived):
            return Interrupted(arrived)


def _letter_key(topic: str, partition: int) -> bytes:
    return f"{topic}|{partition}".encode()


def _as_json(described: dict[str, str | int]) -> bytes:
    return json.dumps(described, separators=(",", ":")).encode()
