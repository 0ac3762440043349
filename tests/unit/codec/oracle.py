"""What an event's records have to be, worked out from the decoded event by other means than the code under test.

The rules are written down here once more, from the design's words (docs/DESIGN.md, Which projections an event yields),
and fastavro does the decoding.
"""

import re
from typing import Any

from tailrace.domain.projected import ProjectedRecord
from tests.unit.codec.written import Event, frame, read, schema_json

_STATUS = {
    "run_completed": "completed",
    "run_failed": "failed",
    "run_cancelled": "cancelled",
    "run_timed_out": "timed_out",
}
_SCOPE = {"model": "leaf", "run": "aggregate", "subagent": "aggregate"}

_CARRIED = """
    event_family event_kind timestamp recorded_at run_id session_id agent_id turn_id attempt_id message_id trace_id
    span_id parent_event_id parent_span_id subject_ref policy_refs journal_cursor privacy runtime_package_fingerprint
    provider_id provider_name model_id response_model tool_name started_at finish_reason error_type redaction_policy_id
""".split()  # noqa: SIM905 - thirty names read better as prose


def decoded(record: ProjectedRecord) -> Any:
    """The record as fastavro reads it, to the last byte, behind the frame of the shipped record schema."""
    schema = schema_json("telemetry_record")
    value = record.value
    assert value.startswith(frame(schema))
    return read(schema, value[10:])


def is_misplaced(event: Event) -> bool:
    return event["usage"] is not None and event["event_family"] not in {*_SCOPE, "unknown"}


def expected(event: Event, topic: str, partition: int, offset: int) -> list[dict[str, Any]]:
    """The records of an event whose usage is in its place, as dictionaries, from a worker without a key for ids."""
    event = _shown(event)
    made = []
    status = _STATUS.get(event["event_kind"])
    if status is None and event["event_family"] == "run" and event["terminal"]:
        status = "unknown"
    if status is not None:
        made.append(_record(event, "run_terminal", "terminal", terminal_status=status))
    if event["usage"] is not None and event["event_family"] != "unknown":
        scope = _SCOPE[event["event_family"]]
        usage = {"terminal_status": "completed", "usage_scope": scope, "usage": event["usage"]}
        made.append(_record(event, "usage", "usage", **usage))
    if event["cost"] is not None:
        kind = "cost_correction" if event["cost"]["status"] == "corrected" else "cost_estimate"
        made.append(_record(event, kind, "cost", cost=event["cost"]))
    made = made or [_record(event, "progress", "progress")]
    for record in made:
        record["source"] = {"topic": topic, "partition": partition, "offset": offset}
        record["source_cursor"] = _source_cursor(event, record["projection_kind"], topic, partition, offset)
    return made


_TEXTS = """
    event_id event_kind run_id session_id agent_id turn_id attempt_id message_id trace_id span_id parent_event_id
    parent_span_id journal_cursor runtime_package_fingerprint provider_id provider_name model_id response_model
    tool_name finish_reason error_type redaction_policy_id
""".split()  # noqa: SIM905 - as above

_ALWAYS = {
    "subject_ref": "unknown realtime_session execution_environment output_delivery content artifact child_artifact "
    "package_sidecar capability",
    "source": "unknown user remote_channel external_runtime",
    "policy_refs": "unknown",
}
_WITH_SLASH = {"subject_ref": ("run", "turn", "attempt", "agent", "event", "message"), "source": (), "policy_refs": ()}


def _shown(event: Event) -> Event:
    """The event with the identifiers that its records may have."""
    cost = event["cost"]
    if cost is not None:
        texts = {name: shown_id(cost[name]) for name in ("currency", "rate_table_version")}
        corrects = cost["corrects"]
        if corrects is not None and corrects.startswith("telemetry.cost."):
            corrects = "telemetry.cost." + shown_id(corrects[len("telemetry.cost.") :])
        elif corrects is not None:
            corrects = shown_id(corrects)
        cost = {**cost, **texts, "corrects": corrects}
    return {
        **event,
        **{name: None if event[name] is None else shown_id(event[name]) for name in _TEXTS},
        "subject_ref": _ref("subject_ref", event["subject_ref"]),
        "source": _ref("source", event["source"]),
        "policy_refs": [_ref("policy_refs", ref) for ref in event["policy_refs"]],
        "cost": cost,
    }


def shown_id(text: str) -> str:
    return text if re.fullmatch("[A-Za-z0-9._:/-]{0,200}", text, re.ASCII) else "replaced"


def _ref(field: str, ref: dict[str, str]) -> dict[str, str]:
    hidden = ref["kind"] in _ALWAYS[field].split() or ("/" in ref["id"] and ref["kind"] not in _WITH_SLASH[field])
    return {**ref, "id": "replaced" if hidden and ref["id"] else shown_id(ref["id"])}


def _record(event: Event, kind: str, label: str, **own: Any) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "projector_version": 1,
        "projection_kind": kind,
        "retention": "run_scoped",
        "destination": {"kind": "telemetry", "id": f"destination.telemetry.{label}"},
        "terminal_status": None,
        "usage_scope": None,
        "sink_health": None,
        "projection_id": f"telemetry.{label}.{event['event_id']}",
        "event_cursor": {"scope": "run", "event_id": event["event_id"], "event_seq": event["event_seq"]},
        "source_ref": event["source"],
        "usage": None,
        "cost": None,
        "content_capture": "off",
        "capture": None,
        "content": None,
        **{name: event[name] for name in _CARRIED},
        **own,
    }


def _source_cursor(event: Event, kind: str, topic: str, partition: int, offset: int) -> dict[str, Any]:
    if event["journal_cursor"] is not None:
        return {"type": "journal", "cursor": event["journal_cursor"], "event_seq": None}
    if kind == "usage":
        return {"type": "event", "cursor": event["event_id"], "event_seq": event["event_seq"]}
    return {"type": "archive", "cursor": f"{topic}/{partition}/{offset}", "event_seq": None}


def without_summary(record: dict[str, Any]) -> dict[str, Any]:
    """The summary is prose of the rules; what it must not do is looked at on its own."""
    return {name: value for name, value in record.items() if name != "redacted_summary"}
