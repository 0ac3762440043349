"""What an event has to yield, stated a second time and on decoded values (docs/DESIGN.md, Which projections an event
yields): a defect in the projector's own table must not be able to agree with itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KINDS = ("run_terminal", "usage", "cost_estimate", "cost_correction", "progress", "sink_health", "repair_cursor")
"""Kinds of telemetry record, in the order in which one event's records come."""

WHOLE_EVENT = len(KINDS)
"""Stands for an event of which nobody could tell the kinds: its gap, or its dead letter."""

UNIT_NAMES = (*KINDS, "event")

RANKS = {kind: rank for rank, kind in enumerate(KINDS)}

_RANK_BITS = 3
RANK_MASK = (1 << _RANK_BITS) - 1


def unit(offset: int, rank: int) -> int:
    """One thing a sink has to get, as a number that sorts by offset and then by the order within the event."""
    return offset << _RANK_BITS | rank


def offset_of(number: int) -> int:
    return number >> _RANK_BITS


def name_of(number: int) -> str:
    return f"{number >> _RANK_BITS}:{UNIT_NAMES[number & RANK_MASK]}"


_ENDINGS = {
    "run_completed": "completed",
    "run_failed": "failed",
    "run_cancelled": "cancelled",
    "run_timed_out": "timed_out",
}
_SCOPES = {"model": "leaf", "run": "aggregate", "subagent": "aggregate"}
_NO_CONTENT = "holds no prompt, tool or model content"
_WORDS = {
    "run_terminal": ("terminal", "how the run ended; holds no content"),
    "usage": ("usage", f"what was consumed, in units; {_NO_CONTENT}"),
    "cost_estimate": ("cost", f"a cost as far as it is known; {_NO_CONTENT}"),
    "cost_correction": ("cost", f"a cost that replaces an earlier one; {_NO_CONTENT}"),
    "progress": ("progress", "a step of the run; holds no content"),
}

# Fields that a record has from its event, under the same name.
_CARRIED = (
    *("event_family", "event_kind", "timestamp", "recorded_at", "run_id", "session_id", "agent_id", "turn_id"),
    *("attempt_id", "message_id", "trace_id", "span_id", "parent_event_id", "parent_span_id", "subject_ref"),
    *("policy_refs", "journal_cursor", "privacy", "runtime_package_fingerprint", "provider_id", "provider_name"),
    *("model_id", "response_model", "tool_name", "started_at", "finish_reason", "error_type", "redaction_policy_id"),
)


@dataclass(frozen=True, slots=True)
class Position:
    """Where an event stands on Kafka."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Expected:
    """One telemetry record that an event has to yield, as a sink without content has it.

    `content_mode` is the most that its event lets any sink have of its content; None where there is none, and on all
    records of an event but the first, with which content goes.
    """

    rank: int
    record: Mapping[str, Any]
    content_mode: str | None = None


def expected_records(event: Mapping[str, Any], position: Position) -> list[Expected] | None:
    """The records of a decoded event in order, for a sink without content; None when its usage is misplaced."""
    family, usage, cost = event["event_family"], event["usage"], event["cost"]
    if usage is not None and family not in _SCOPES and family != "unknown":
        return None
    found: list[Expected] = []

    def add(kind: str, **special: Any) -> None:
        mode = None if found or event["content"] is None else event["content_capture"]
        found.append(Expected(RANKS[kind], _record(event, kind, position, special), mode))

    ending = _ENDINGS.get(event["event_kind"])
    if ending is None and family == "run" and event["terminal"]:
        ending = "unknown"
    if ending is not None:
        add("run_terminal", terminal_status=ending)
    if usage is not None and family in _SCOPES:
        add("usage", terminal_status="completed", usage_scope=_SCOPES[family], usage=usage)
    if cost is not None:
        add("cost_correction" if cost["status"] == "corrected" else "cost_estimate", cost=cost)
    if not found:
        add("progress")
    return found


def _record(event: Mapping[str, Any], kind: str, position: Position, special: Mapping[str, Any]) -> dict[str, Any]:
    word, summary = _WORDS[kind]
    return {
        "schema_version": 1,
        "projector_version": 1,
        "projection_kind": kind,
        "retention": "run_scoped",
        "destination": {"kind": "telemetry", "id": f"destination.telemetry.{word}"},
        "terminal_status": None,
        "usage_scope": None,
        "sink_health": None,
        "redacted_summary": summary,
        "projection_id": f"telemetry.{word}.{event['event_id']}",
        "source": {"topic": position.topic, "partition": position.partition, "offset": position.offset},
        "source_cursor": _source_cursor(event, kind, position),
        "event_cursor": {"scope": "run", "event_id": event["event_id"], "event_seq": event["event_seq"]},
        "source_ref": event["source"],
        "usage": None,
        "cost": None,
        "content_capture": "off",
        "capture": None,
        "content": None,
        **{name: event[name] for name in _CARRIED},
        **special,
    }


def _source_cursor(event: Mapping[str, Any], kind: str, position: Position) -> dict[str, Any]:
    if event["journal_cursor"] is not None:
        return {"type": "journal", "cursor": event["journal_cursor"], "event_seq": None}
    if kind == "usage":
        return {"type": "event", "cursor": event["event_id"], "event_seq": event["event_seq"]}
    return {"type": "archive", "cursor": f"{position.topic}/{position.partition}/{position.offset}", "event_seq": None}
