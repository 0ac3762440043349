"""The outcome of an audit: what was there, where it went, and what does not add up."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tailrace.audit.findings import Finding
from tailrace.audit.standing import Totals

ADDS_UP = 0
DOES_NOT_ADD_UP = 1
NO_VERDICT = 2
"""Exit codes. The last one means that the plan was wrong or something could not be read: nothing was proved."""


@dataclass(frozen=True, slots=True)
class PartitionEnds:
    """One partition of the events topic: the log from `low` to `high`, and the readable records in it."""

    partition: int
    low: int
    high: int
    events: int


@dataclass(frozen=True, slots=True)
class SinkReport:
    """One sink's totals over all partitions. `kind` is kafka, file, cursor_only or dead_letters."""

    sink_id: str
    kind: str
    cursors: Mapping[int, int]
    totals: Totals
    findings: int


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found. `adds_up` is the verdict: no finding at all."""

    events_topic: str
    partitions: tuple[PartitionEnds, ...]
    sinks: tuple[SinkReport, ...]
    findings: tuple[Finding, ...]
    notes: tuple[Finding, ...]

    @property
    def events(self) -> int:
        return sum(partition.events for partition in self.partitions)

    @property
    def adds_up(self) -> bool:
        return not self.findings

    @property
    def exit_code(self) -> int:
        return ADDS_UP if self.adds_up else DOES_NOT_ADD_UP

    def to_json(self) -> str:
        """The whole report as one JSON object, for programs."""
        return json.dumps(
            {
                "adds_up": self.adds_up,
                "events_topic": self.events_topic,
                "events": self.events,
                "partitions": [
                    {"partition": p.partition, "low": p.low, "high": p.high, "events": p.events}
                    for p in self.partitions
                ],
                "sinks": [_sink_form(sink) for sink in self.sinks],
                "findings": [_finding_form(finding) for finding in self.findings],
                "notes": [_finding_form(note) for note in self.notes],
            },
            indent=2,
        )


def _sink_form(sink: SinkReport) -> dict[str, Any]:
    totals = sink.totals
    return {
        "sink": sink.sink_id,
        "kind": sink.kind,
        "cursors": {str(partition): cursor for partition, cursor in sorted(sink.cursors.items())},
        "units": totals.units,
        "exported": totals.exported,
        "filtered": totals.filtered,
        "missed": dict(sorted(totals.missed.items())),
        "before_start": totals.before_start,
        "pending": totals.pending,
        "trusted": totals.trusted,
        "unverifiable": totals.unverifiable,
        "missing": totals.missing,
        "duplicates": totals.duplicates,
        "gone_offsets": totals.gone_offsets,
        "gone_records": totals.gone_records,
        "findings": sink.findings,
    }


def _finding_form(finding: Finding) -> dict[str, Any]:
    return {
        "code": str(finding.code),
        "meaning": finding.meaning,
        "sink": finding.sink_id,
        "partition": finding.partition,
        "count": finding.count,
        "examples": list(finding.examples),
        "detail": finding.detail,
    }
