"""Small changes to a story, each of which breaks one promise."""

import json
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from typing import Any

from fastavro import schemaless_writer

from tailrace.audit import FileDestination
from tailrace.domain.kinds import FailureKind, ProjectionKind, SinkKind
from tailrace.domain.ledger import Gap, GapRun, LaneIdentity, LaneStarted
from tests.unit.audit.stories import TOPIC, Arrived, Story, Unit, Written, record_of, record_schema


def first(story: Story, sink_id: str, *, kind: str | None = None, partition: int = 0) -> Arrived:
    """The sink's first record of a source partition, of any or one kind."""
    return next(
        record
        for record in story.sinks[sink_id].records
        if record.unit[0] == partition and kind in (None, record.unit[2])
    )


def last(story: Story, sink_id: str, *, partition: int = 0) -> Arrived:
    return [record for record in story.sinks[sink_id].records if record.unit[0] == partition][-1]


def remove(story: Story, sink_id: str, unit: Unit) -> None:
    """Take every copy of a record out of a sink."""
    sink = story.sinks[sink_id]
    sink.records = [record for record in sink.records if record.unit != unit]


def rewrite(story: Story, sink_id: str, record: Arrived, change: Callable[[dict[str, Any]], None]) -> None:
    """Let a record say something else, in the form its sink keeps."""
    as_json = isinstance(story.sinks[sink_id].plan.destination, FileDestination)
    fields = json.loads(record.value) if as_json else record_of(record.value)
    change(fields)
    record.value = json.dumps(fields, separators=(",", ":")).encode() if as_json else framed(record.value[:10], fields)


def framed(frame: bytes, fields: dict[str, Any]) -> bytes:
    body = BytesIO()
    schemaless_writer(body, record_schema(), fields)
    return frame + body.getvalue()


def copy_of(record: Arrived) -> Arrived:
    return replace(record, headers=list(record.headers))


def add_gap(
    story: Story,
    sink_id: str,
    runs: list[tuple[int, int, tuple[str, ...]]],
    *,
    reason: str = "overflow",
    partition: int = 0,
    detail: str = "x",
    records: int | None = None,
) -> Written:
    """One more gap at the end of the ledger, in the name of the sink's last lane start."""
    made = tuple(GapRun(begin, end, tuple(map(ProjectionKind, kinds))) for begin, end, kinds in runs)
    written = Written(
        Gap(
            lane=lane_of(story, sink_id, partition),
            topic=TOPIC,
            partition=partition,
            reason=FailureKind(reason),
            detail=detail,
            runs=made,
            records=sum(run.records for run in made) if records is None else records,
        )
    )
    story.ledger.append(written)
    return written


def lane_of(story: Story, sink_id: str, partition: int = 0) -> LaneIdentity:
    starts = story.entries(sink_id, LaneStarted, partition)
    return (
        starts[-1].entry.lane
        if starts
        else LaneIdentity(sink_id=sink_id, sink_kind=SinkKind.DURABLE_TRACE, start_id="none")
    )


def drop_entries(story: Story, dropped: list[Written]) -> None:
    story.ledger = [written for written in story.ledger if not any(written is one for one in dropped)]


def unreadable_offset(story: Story, partition: int = 0) -> int:
    """The offset of an event nobody can read: one that every lane has a gap for."""
    gaps = story.entries("analytics", Gap, partition)
    entries = [written.entry for written in gaps]
    return next(e.runs[0].first_offset for e in entries if isinstance(e, Gap) and e.reason is FailureKind.UNDECODABLE)


def hole_offset(story: Story, partition: int = 0) -> int:
    """An offset below the log's end that holds no event."""
    taken = {message.offset for message in story.events[partition]}
    return next(offset for offset in range(story.ends[partition]) if offset not in taken)
