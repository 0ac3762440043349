"""Where every sink stands, read from Kafka: committed offsets against the ends of the log.

Read by plain consumers that never subscribe, one per group. An AdminClient would need one, and can end the process
after a coordinator's outage (docs/DESIGN.md, Cursors).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaException, TopicPartition

from tailrace.adapters.cursor_metadata import from_metadata
from tailrace.settings.checks import DEAD_LETTER_LANE_ID
from tailrace.settings.tree import Settings

_NO_OFFSET = -1001  # librdkafka's OFFSET_INVALID: the group has no committed offset


@dataclass(frozen=True, slots=True)
class CursorRow:
    """One sink on one partition. `committed` is the next offset to export, None before the first commit.

    The log holds the offsets from `log_start` to below `log_end`. `exported` and `dropped` are the sink's own counts.
    """

    sink_id: str
    group: str
    partition: int
    committed: int | None
    log_start: int
    log_end: int
    exported: int
    dropped: int

    @property
    def lag(self) -> int | None:
        """Offsets from the cursor to the log's end; None before the first commit, negative beyond the end."""
        return None if self.committed is None else self.log_end - self.committed


@dataclass(frozen=True, slots=True)
class CursorsUnknown:
    """The cluster could not be asked; `code` is Kafka's name of the error, or `topic_is_missing`."""

    code: str


TOPIC_IS_MISSING = "topic_is_missing"


def lanes_of(settings: Settings) -> list[str]:
    """The ids of this configuration's lanes: its sinks, and the dead letters if there is a topic for them."""
    letters = [DEAD_LETTER_LANE_ID] if settings.dead_letter.topic is not None else []
    return [*sorted(settings.sinks), *letters]


def read_cursors(settings: Settings, timeout_s: float) -> tuple[CursorRow, ...] | CursorsUnknown:
    """Every lane's cursor on every partition of the events topic; each question waits at most `timeout_s`."""
    try:
        ends = _log_ends(settings, timeout_s)
        if ends is None:
            return CursorsUnknown(TOPIC_IS_MISSING)
        return tuple(row for lane in lanes_of(settings) for row in _rows(settings, lane, ends, timeout_s))
    except KafkaException as error:
        return CursorsUnknown(error.args[0].name())


def _log_ends(settings: Settings, timeout_s: float) -> Mapping[int, tuple[int, int]] | None:
    consumer = _consumer(settings, settings.events.group)
    try:
        # All topics: asking for one by name may make it, on a cluster that creates topics on their first use.
        topic = consumer.list_topics(timeout=timeout_s).topics.get(settings.events.topic)
        if topic is None or topic.error is not None:
            return None
        ends: dict[int, tuple[int, int]] = {}
        for partition in sorted(topic.partitions):
            place = TopicPartition(settings.events.topic, partition)
            ends[partition] = consumer.get_watermark_offsets(place, timeout=timeout_s, cached=False)
        return ends
    finally:
        consumer.close()


def _rows(settings: Settings, lane: str, ends: Mapping[int, tuple[int, int]], timeout_s: float) -> Iterator[CursorRow]:
    group = settings.cursor_group(lane)
    consumer = _consumer(settings, group)
    try:
        places = consumer.committed([TopicPartition(settings.events.topic, p) for p in ends], timeout=timeout_s)
    finally:
        consumer.close()
    for place in places:
        if place.error is not None:
            raise KafkaException(place.error)
        cursor = from_metadata(place.offset, place.metadata or "")
        low, high = ends[place.partition]
        committed = None if place.offset == _NO_OFFSET else place.offset
        yield CursorRow(lane, group, place.partition, committed, low, high, cursor.export_seq, cursor.dropped)


def _consumer(settings: Settings, group: str) -> Consumer:
    quiet = {"group.id": group, "enable.auto.commit": False, "auto.offset.reset": "error", "log_level": 2}
    return Consumer({**settings.kafka.properties(), **quiet})
