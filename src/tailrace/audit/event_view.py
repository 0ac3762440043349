"""One readable event, worked out once for however many sinks."""

import json
from functools import partial
from typing import Any

from tailrace.audit.arrivals import digest, json_form
from tailrace.audit.content import OFF, permitted_forms, width
from tailrace.audit.evidence import Evidence, Message
from tailrace.audit.plan import FileDestination, SinkPlan
from tailrace.audit.sink_check import ReadableEvent, Wanted
from tailrace.audit.verdicts import Judge, Readable
from tailrace.audit.wire import FRAME_BYTES, Schema


class EventView:
    """What each sink should hold of one event. What costs time is done when first asked for, and once."""

    def __init__(self, record_schema: Schema, readable: Readable, message: Message, judge: Judge) -> None:
        self._schema = record_schema
        self._readable = readable
        self._message = message
        self._judge = judge
        self._avro: dict[int, bytes] = {}
        self._json: dict[int, bytes] = {}
        self._doubtful: bool | None = None

    def for_sink(self, sink: SinkPlan, evidence: Evidence) -> ReadableEvent:
        """The event as `sink` is checked for it; `evidence` is asked again only for records that differ."""
        as_json = isinstance(sink.destination, FileDestination)
        content = self._json_content if as_json else self._avro_content
        differs = self._differs_in_json if as_json else self._differs_in_avro
        wanted = [
            Wanted(
                expected.rank,
                partial(content, index),
                partial(self._with_content, index, sink.content_mode),
                partial(differs, index, evidence, sink.sink_id),
            )
            for index, expected in enumerate(self._readable.expected)
        ]
        return ReadableEvent(
            self._message.offset, self._readable.family, self._readable.agent, wanted, self._is_doubtful
        )

    def _is_doubtful(self) -> bool:
        if self._doubtful is None:
            self._doubtful = self._judge.is_doubtful(self._message.value or b"")
        return self._doubtful

    def _avro_content(self, index: int) -> bytes:
        if index not in self._avro:
            self._avro[index] = digest(self._schema.encode(self._readable.expected[index].record))
        return self._avro[index]

    def _json_content(self, index: int) -> bytes:
        if index not in self._json:
            self._json[index] = digest(json_form(self._readable.expected[index].record))
        return self._json[index]

    def _with_content(self, index: int, sink_mode: str, found: bytes, *, whatever_sink: bool) -> bool:
        """Whether `found` is the digest of the record as a sink may have it that may get content."""
        expected = self._readable.expected[index]
        if expected.content_mode is None:
            return False
        widest = expected.content_mode
        if not whatever_sink:
            if sink_mode == OFF:
                return False
            widest = min(widest, sink_mode, key=width)
        return any(digest(form) == found for form in permitted_forms(expected.record, widest))

    def _differs_in_avro(self, index: int, evidence: Evidence, sink_id: str, partition: int, place: int) -> str:
        value = evidence.sink_value(sink_id, partition, place)
        return "" if value is None else self._compared(index, self._schema.decode(value[FRAME_BYTES:]))

    def _differs_in_json(self, index: int, evidence: Evidence, sink_id: str, partition: int, place: int) -> str:
        value = evidence.sink_value(sink_id, partition, place)
        return "" if value is None else self._compared(index, json.loads(value))

    def _compared(self, index: int, found: Any) -> str:
        """The fields in which the sink's record differs; of a value that cannot be read as one, nothing is said."""
        if not isinstance(found, dict):
            return ""
        expected = self._readable.expected[index].record
        names = sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))
        return ", ".join(names) or "its encoding"
