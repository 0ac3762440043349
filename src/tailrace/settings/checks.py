"""The rules that tie several keys together, each a pure function from settings to what it finds.

A rule about one key alone is in that key's type; what only the cluster can tell (topics, retention, permissions) is
`tailrace topics plan`.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tailrace.domain.kinds import OverflowPolicy, SinkKind
from tailrace.settings.budget import OFFERS_PER_BUFFER, PROJECTIONS_PER_EVENT, content_limit_bytes, memory_budget
from tailrace.settings.capture_checks import CAPTURE_RULES
from tailrace.settings.kafka import KafkaSettings
from tailrace.settings.problems import Finding, error_at, warning_at
from tailrace.settings.sinks import MIB, DurableTraceSettings, LocalDiagnosticSettings
from tailrace.settings.tree import Settings

DEAD_LETTER_LANE_ID = "dead_letter"
"""The lane of undecodable events has its cursors in `<group>.dead_letter`, so no sink may have this id."""


_ROTATED = re.compile(r"\.([0-9]+|lock)")


def check(settings: Settings) -> tuple[Finding, ...]:
    """Everything that speaks against these settings, or is worth knowing about them. Pure."""
    return tuple(finding for rule in RULES for finding in rule(settings))


@dataclass(frozen=True, slots=True)
class _Use:
    """One place that a topic is read from or written to."""

    key: str
    what: str
    cluster: KafkaSettings
    topic: str


def topics_are_apart(settings: Settings) -> Iterator[Finding]:
    """Every topic has one purpose: one that is read and written feeds itself, one written twice cannot be audited."""
    uses = [_Use("events.topic", "the events", settings.kafka, settings.events.topic)]
    uses.append(_Use("health.topic", "the health records", settings.kafka, settings.health.topic))
    if settings.dead_letter.topic is not None:
        uses.append(_Use("dead_letter.topic", "the dead letters", settings.kafka, settings.dead_letter.topic))
    uses += [
        _Use(f"sinks.{sink_id}.topic", f"sink {sink_id}", settings.cluster_of(sink_id), sink.topic)
        for sink_id, sink in settings.sinks.items()
        if isinstance(sink, DurableTraceSettings)
    ]
    for index, later in enumerate(uses):
        for earlier in uses[:index]:
            if later.topic == earlier.topic and later.cluster.is_same_cluster_as(earlier.cluster):
                yield error_at(
                    later.key,
                    f"topic {later.topic} cannot be for {later.what}: it is already for {earlier.what} ({earlier.key})",
                    "Give each its own topic",
                )


def files_are_apart(settings: Settings) -> Iterator[Finding]:
    """Two sinks in one file would truncate each other's lines, also where only the files of several workers collide.

    A file's name followed by `.N` or `.lock` is its own too: a rotation puts there what was written before, in place of
    whatever another sink has under that name.
    """
    sinks_by_file: defaultdict[Path, list[str]] = defaultdict(list)
    for sink_id, sink in settings.sinks.items():
        if isinstance(sink, LocalDiagnosticSettings):
            sinks_by_file[(Path.cwd() / sink.plain_path).resolve()].append(sink_id)
    for file, (first, *others) in sinks_by_file.items():
        for other in others:
            yield error_at(
                f"sinks.{other}.path",
                f"sink {first} writes to the same file, or would with several workers",
                "Give each its own file",
            )
        for taken, (owner, *_) in sinks_by_file.items():
            if file.parent == taken.parent and _ROTATED.fullmatch(file.name.removeprefix(taken.name)):
                yield error_at(
                    f"sinks.{first}.path",
                    f"sink {owner} keeps earlier lines, or its lock, under that name",
                    "Give it a name that is not another sink's followed by a number",
                )


def ids_are_free(settings: Settings) -> Iterator[Finding]:
    if DEAD_LETTER_LANE_ID in settings.sinks:
        yield error_at(
            f"sinks.{DEAD_LETTER_LANE_ID}",
            "has the id of the dead-letter lane, and the two would share one cursor group",
            "Choose another id",
        )


def buffers_hold_offers(settings: Settings) -> Iterator[Finding]:
    """An intake offers at most a quarter of the smallest buffer, and one event's projections enter whole."""
    least_records = OFFERS_PER_BUFFER * PROJECTIONS_PER_EVENT
    # With content somewhere, an event's first record brings the event along, in every buffer.
    least_bytes = OFFERS_PER_BUFFER * settings.events.max_event_bytes * (2 if settings.captures else 1)
    for sink_id, sink in settings.sinks.items():
        buffer, key = sink.buffer, f"sinks.{sink_id}.buffer"
        if buffer.capacity_records < least_records:
            yield error_at(
                f"{key}.capacity_records",
                f"{buffer.capacity_records} records are fewer than four offers of one event ({least_records} records)",
                f"Raise it to {least_records} at the least; thousands keep a lane busy",
            )
        elif buffer.capacity_records - buffer.reserve < PROJECTIONS_PER_EVENT:
            yield error_at(
                f"{key}.reserve_records",
                f"of {buffer.capacity_records} records progress may use {buffer.capacity_records - buffer.reserve}: "
                "less than one event can bring",
                "Lower reserve_records or raise capacity_records",
            )
        if buffer.capacity_bytes < least_bytes:
            yield error_at(
                f"{key}.capacity_bytes",
                f"{buffer.capacity_bytes} bytes are fewer than four of the largest events"
                f"{', each with its content beside its first record' if settings.captures else ''} "
                f"({least_bytes} bytes)",
                f"Raise it to {least_bytes} at the least, or lower events.max_event_bytes",
            )


def drains_in_time(settings: Settings) -> Iterator[Finding]:
    """A revocation that outlasts the session loses the partitions before their cursors are committed."""
    half_s = settings.events.session_timeout_ms / 2_000
    # The default is nobody's wish: only who asked for a long stop is told what it does not do.
    asked = "shutdown_deadline_s" in settings.worker.model_fields_set
    if asked and settings.worker.shutdown_deadline_s >= half_s:
        yield warning_at(
            "worker.shutdown_deadline_s",
            f"{settings.worker.shutdown_deadline_s:g} s is not below half of events.session_timeout_ms ({half_s:g} s): "
            f"a stop may take that long, but partitions that move to another worker get {settings.drain_s:g} s",
            "Raise events.session_timeout_ms if sinks need longer than that to finish a batch",
        )


def diagnostics_take_large_records(settings: Settings) -> Iterator[Finding]:
    for sink_id, sink in settings.sinks.items():
        # Lines hold content in base64, which makes four bytes of three.
        largest_bytes = settings.events.max_event_bytes + 4 * content_limit_bytes(settings, sink_id) // 3
        if isinstance(sink, LocalDiagnosticSettings) and sink.rotate_bytes < largest_bytes:
            yield warning_at(
                f"sinks.{sink_id}.rotate_bytes",
                f"a file of {sink.rotate_bytes} bytes has no room for the largest events: they become gaps",
                f"Raise it above {largest_bytes}: events.max_event_bytes, and content if there is any",
            )


def losses_are_meant(settings: Settings) -> Iterator[Finding]:
    for sink_id, sink in settings.sinks.items():
        if sink.kind is SinkKind.DURABLE_TRACE and sink.overflow_policy is not OverflowPolicy.REPLAY_FROM_LOG:
            yield warning_at(
                f"sinks.{sink_id}.overflow",
                f"with {sink.overflow_policy} this sink loses progress records whenever it is slower than another",
                "Remove the key unless that is meant; every loss is in the ledger",
            )


def raw_letters_are_meant(settings: Settings) -> Iterator[Finding]:
    letters = settings.dead_letter
    if letters.raw and letters.topic is None:
        yield error_at(
            "dead_letter.raw", "is on, but there is no dead-letter topic", "Set dead_letter.topic or remove it"
        )
    elif letters.raw:
        yield warning_at(
            "dead_letter.raw",
            "keys and values of undecodable events, which may hold content, go to the dead-letter topic",
            "Turn it off unless that topic may hold content",
        )


def fits_in_memory(settings: Settings) -> Iterator[Finding]:
    budget = memory_budget(settings)
    if not budget.fits:
        largest = max(budget.lines, key=lambda line: line.size_bytes)
        yield error_at(
            "worker.memory_limit_bytes",
            f"allows {budget.limit_bytes / MIB:.0f} MiB, but with everything full at once the worker takes "
            f"{budget.total_bytes / MIB:.0f}; the largest part is {largest.part} with {largest.size_bytes / MIB:.0f}",
            "Raise the limit if the machine has the memory, or lower the buffers",
        )


RULES: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    topics_are_apart,
    files_are_apart,
    ids_are_free,
    buffers_hold_offers,
    drains_in_time,
    diagnostics_take_large_records,
    losses_are_meant,
    raw_letters_are_meant,
    *CAPTURE_RULES,
    fits_in_memory,
)
