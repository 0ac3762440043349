"""The JSON form of a plan, for starting an audit as a process of its own.

    {
      "cluster": {"bootstrap.servers": "127.0.0.1:9092"},
      "events_topic": "agent.events", "group": "tailrace", "health_topic": "telemetry.health",
      "dead_letter": {"topic": "telemetry.dead-letters", "lane_id": "dead_letter", "raw": false},
      "sinks": [
        {"sink_id": "analytics", "topic": "telemetry.analytics", "cluster": {…}},
        {"sink_id": "local", "file": "/var/lib/tailrace/local.jsonl", "keep_files": 4},
        {"sink_id": "otel"}
      ],
      "max_event_bytes": 1048576, "schema_directories": []
    }

A sink with `topic` is read from Kafka, one with `file` from files, any other cannot be read back. Further keys of a
sink: `selection` (`kinds`, `families`, `agents`), `config_digest`, `earlier_selections` (by config digest), `start_at`,
`max_resent_offsets`, `max_late_records`, `may_drop` and `content_mode`; the dead letters may have a `config_digest`,
too. Unknown keys are errors.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from tailrace.audit.content import MODES, OFF
from tailrace.audit.errors import PlanInvalid
from tailrace.audit.plan import (
    DEFAULT_DEAD_LETTER_LANE,
    DEFAULT_MAX_EVENT_BYTES,
    DEFAULT_MAX_LATE_RECORDS,
    AuditPlan,
    Cluster,
    DeadLetterPlan,
    Destination,
    FileDestination,
    KafkaDestination,
    NoDestination,
    Property,
    Selection,
    SinkPlan,
)


def plan_to_json(plan: AuditPlan) -> str:
    """The plan as JSON text, secrets of the clusters included: for a pipe or a private file, never a log."""
    form: dict[str, Any] = {
        "cluster": dict(plan.cluster.properties),
        "events_topic": plan.events_topic,
        "group": plan.group,
        "health_topic": plan.health_topic,
        "max_event_bytes": plan.max_event_bytes,
        "schema_directories": [str(directory) for directory in plan.schema_directories],
        "sinks": [_sink_form(sink) for sink in plan.sinks],
    }
    if plan.dead_letter is not None:
        letters = plan.dead_letter
        form["dead_letter"] = {"topic": letters.topic, "lane_id": letters.lane_id, "raw": letters.raw}
        if letters.config_digest is not None:
            form["dead_letter"]["config_digest"] = letters.config_digest
    return json.dumps(form, indent=2)


def plan_from_json(text: str) -> AuditPlan:
    """The plan that `text` describes. Raises PlanInvalid, naming the key, for anything else."""
    try:
        form = _Form("", json.loads(text))
    except ValueError:
        raise PlanInvalid("", "is no JSON") from None
    letters = form.below("dead_letter")
    plan = AuditPlan(
        cluster=_cluster(form.below("cluster") or _Form("cluster", None)),
        events_topic=form.text("events_topic"),
        group=form.text("group"),
        health_topic=form.text("health_topic"),
        sinks=tuple(_sink(sink) for sink in form.forms("sinks")),
        dead_letter=None if letters is None else _dead_letter(letters),
        max_event_bytes=form.number("max_event_bytes") or DEFAULT_MAX_EVENT_BYTES,
        schema_directories=tuple(Path(place) for place in form.texts("schema_directories")),
    )
    form.refuse_others()
    return plan


def _sink_form(sink: SinkPlan) -> dict[str, Any]:
    form: dict[str, Any] = {"sink_id": sink.sink_id, "start_at": sink.start_at, "may_drop": sink.may_drop}
    if sink.content_mode != OFF:
        form["content_mode"] = sink.content_mode
    match sink.destination:
        case KafkaDestination(topic, cluster):
            form["topic"] = topic
            if cluster is not None:
                form["cluster"] = dict(cluster.properties)
        case FileDestination(path, keep_files):
            form |= {"file": str(path), "keep_files": keep_files}
        case NoDestination():
            pass
    form["selection"] = _selection_form(sink.selection)
    if sink.config_digest is not None:
        form["config_digest"] = sink.config_digest
    if sink.earlier_selections:
        form["earlier_selections"] = {
            digest: _selection_form(selection) for digest, selection in sink.earlier_selections.items()
        }
    form["max_late_records"] = sink.max_late_records
    if sink.max_resent_offsets is not None:
        form["max_resent_offsets"] = sink.max_resent_offsets
    return form


def _selection_form(selection: Selection) -> dict[str, list[str]]:
    return {name: sorted(getattr(selection, name)) for name in ("kinds", "families", "agents")}


def _sink(form: "_Form") -> SinkPlan:
    earlier = form.below("earlier_selections")
    selection = form.below("selection")
    sink = SinkPlan(
        sink_id=form.text("sink_id"),
        destination=_destination(form),
        selection=Selection() if selection is None else _selection(selection),
        config_digest=form.text("config_digest") if form.has("config_digest") else None,
        earlier_selections={} if earlier is None else {digest: _selection(one) for digest, one in earlier.each()},
        start_at=_start_at(form),
        max_resent_offsets=form.number("max_resent_offsets"),
        max_late_records=DEFAULT_MAX_LATE_RECORDS if (late := form.number("max_late_records")) is None else late,
        may_drop=form.flag("may_drop", otherwise=True),
        content_mode=_content_mode(form),
    )
    form.refuse_others()
    return sink


def _destination(form: "_Form") -> Destination:
    if form.has("topic"):
        cluster = form.below("cluster")
        return KafkaDestination(form.text("topic"), None if cluster is None else _cluster(cluster))
    if form.has("file"):
        return FileDestination(Path(form.text("file")), form.number("keep_files") or 4)
    return NoDestination()


def _start_at(form: "_Form") -> Literal["earliest", "latest"]:
    match form.text("start_at") if form.has("start_at") else "earliest":
        case "earliest":
            return "earliest"
        case "latest":
            return "latest"
        case _:
            raise form.wrong("start_at", "must be earliest or latest")


def _content_mode(form: "_Form") -> str:
    mode = form.text("content_mode") if form.has("content_mode") else OFF
    if mode not in MODES:
        raise form.wrong("content_mode", f"must be one of {', '.join(MODES)}")
    return mode


def _selection(form: "_Form") -> Selection:
    selection = Selection(*(frozenset(form.texts(name)) for name in ("kinds", "families", "agents")))
    form.refuse_others()
    return selection


def _dead_letter(form: "_Form") -> DeadLetterPlan:
    letters = DeadLetterPlan(
        topic=form.text("topic"),
        lane_id=form.text("lane_id") if form.has("lane_id") else DEFAULT_DEAD_LETTER_LANE,
        raw=form.flag("raw", otherwise=False),
        config_digest=form.text("config_digest") if form.has("config_digest") else None,
    )
    form.refuse_others()
    return letters


def _cluster(form: "_Form") -> Cluster:
    return Cluster(form.properties())


class _Form:
    """One JSON object that is read key by key; keys that nobody asked for are errors."""

    def __init__(self, place: str, value: object) -> None:
        self._place = place
        if not isinstance(value, dict):
            raise PlanInvalid(place, "must be an object")
        self._left: dict[str, Any] = dict(value)

    def wrong(self, key: str, problem: str) -> PlanInvalid:
        return PlanInvalid(f"{self._place}.{key}".lstrip("."), problem)

    def has(self, key: str) -> bool:
        return key in self._left

    def text(self, key: str) -> str:
        value = self._left.pop(key, None)
        if not isinstance(value, str) or not value:
            raise self.wrong(key, "must be a text that is not empty")
        return value

    def texts(self, key: str) -> list[str]:
        value = self._left.pop(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self.wrong(key, "must be a list of texts")
        return value

    def number(self, key: str) -> int | None:
        value = self._left.pop(key, None)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
            raise self.wrong(key, "must be a whole number, at least 0")
        return value

    def flag(self, key: str, *, otherwise: bool) -> bool:
        value = self._left.pop(key, otherwise)
        if not isinstance(value, bool):
            raise self.wrong(key, "must be true or false")
        return value

    def below(self, key: str) -> "_Form | None":
        value = self._left.pop(key, None)
        return None if value is None else _Form(f"{self._place}.{key}".lstrip("."), value)

    def forms(self, key: str) -> list["_Form"]:
        value = self._left.pop(key, None)
        if not isinstance(value, list) or not value:
            raise self.wrong(key, "must be a list that is not empty")
        return [_Form(f"{self._place}.{key}[{index}]".lstrip("."), one) for index, one in enumerate(value)]

    def each(self) -> list[tuple[str, "_Form"]]:
        return [(key, _Form(f"{self._place}.{key}", value)) for key, value in self._left.items()]

    def properties(self) -> Mapping[str, Property]:
        for key, value in self._left.items():
            if not isinstance(value, (str, int, float)):
                raise self.wrong(key, "must be a text, a number or a truth value")
        return dict(self._left)

    def refuse_others(self) -> None:
        if self._left:
            raise self.wrong(min(self._left), "is no key of a plan")
