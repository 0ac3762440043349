"""What a record has to have in place of an event's identifiers, worked out once more (docs/PRIVACY.md, Identifiers)."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_PLAIN = re.compile(r"[A-Za-z0-9._:/\-]{0,200}", re.ASCII)
_KINDS = {
    **{name: name.removesuffix("_id") for name in ("event_id", "run_id", "session_id", "agent_id", "turn_id")},
    **{name: name.removesuffix("_id") for name in ("attempt_id", "message_id", "trace_id", "span_id", "provider_id")},
    **{name: name for name in ("event_kind", "journal_cursor", "provider_name", "finish_reason", "error_type")},
    "parent_event_id": "event",
    "parent_span_id": "span",
    "redaction_policy_id": "redaction_policy",
    "runtime_package_fingerprint": "runtime_package",
    "model_id": "model",
    "response_model": "model",
    "tool_name": "tool",
}
_OWN_FIELDS = {f"subject.{kind}" for kind in ("run", "turn", "attempt", "agent", "event", "message")}
_HASHED = {
    *("source.user", "source.remote_channel", "source.external_runtime", "subject.realtime_session"),
    *("subject.execution_environment", "subject.output_delivery", "subject.content", "subject.artifact"),
    *("subject.child_artifact", "subject.package_sidecar", "subject.capability"),
    *("subject.unknown", "source.unknown", "policy.unknown"),
}
_CORRECTED = "telemetry.cost."


@dataclass(frozen=True, slots=True)
class Identifiers:
    """What the operator has set about them; nothing by default."""

    key: bytes | None = field(default=None, repr=False)
    refs: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)

    def shown(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The event as its records may tell it."""
        texts = {name: event[name] and self._text(kind, event[name]) for name, kind in _KINDS.items()}
        cost = event["cost"]
        return {
            **event,
            **texts,
            "subject_ref": self._ref("subject", event["subject_ref"]),
            "source": self._ref("source", event["source"]),
            "policy_refs": [self._ref("policy", ref) for ref in event["policy_refs"]],
            "cost": cost and self._cost(cost),
        }

    def _cost(self, cost: Mapping[str, Any]) -> dict[str, Any]:
        corrects = cost["corrects"]
        if corrects and corrects.startswith(_CORRECTED):
            corrects = _CORRECTED + self._text("event", corrects[len(_CORRECTED) :])
        elif corrects:
            corrects = self._text("cost_record", corrects)
        currency, table = self._text("currency", cost["currency"]), self._text("rate_table", cost["rate_table_version"])
        return {**cost, "currency": currency, "rate_table_version": table, "corrects": corrects}

    def _ref(self, side: str, ref: Mapping[str, Any]) -> dict[str, Any]:
        name, text = f"{side}.{ref['kind']}", ref["id"]
        role = ref["kind"] if side == "subject" else name
        rule = self.refs.get(name) or ("hash" if name in _HASHED else "keep" if name in _OWN_FIELDS else "no_paths")
        if not text:
            shown = text
        elif rule == "alias":
            shown = self.aliases.get(name, {}).get(text) or self._hash(role, text)
        elif rule == "hash" or (rule == "no_paths" and "/" in text):
            shown = self._hash(role, text)
        else:
            shown = self._text(role, text)
        return {**ref, "id": shown}

    def _text(self, kind: str, text: str) -> str:
        return text if _PLAIN.fullmatch(text) else self._hash(kind, text)

    def _hash(self, kind: str, text: str) -> str:
        if self.key is None:
            return "replaced"
        message = b"\0".join((b"tailrace.identifier.v1", kind.encode(), text.encode("utf-8", "surrogatepass")))
        return f"hashed:{hmac.new(self.key, message, hashlib.sha256).hexdigest()[:32]}"
