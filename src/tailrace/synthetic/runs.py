"""What happens in an invented agent run, as a script: order and facts as in real ones, all names invented.

run_started ─ turn ─ turn ─ … ─ run_completed | run_failed | run_cancelled | run_timed_out | run_expired | nothing
               │
               ├─ turn_started, message_accepted, context_assembled?
               ├─ attempt: model_attempt_started, model_stream_delta*, model_message_completed (usage, cost)
               │                                                     | model_attempt_failed, next attempt
               ├─ tool call*: tool_requested, approval?, tool_started, tool_completed | tool_failed | tool_denied
               ├─ subagent?: subagent_started, a run of its own, subagent_completed (aggregate usage)
               └─ turn_completed | turn_failed
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from tailrace.synthetic.chance import Chance

EventFields: TypeAlias = dict[str, object]
"""An event as an Avro library takes it; fields left out have their schema's default. Times are filled in later."""

_MODELS = (
    # provider id, provider name, model asked for, model that answers, micros per 1000 input and output tokens
    ("alder-responses", "alder", "alder-large", "alder-large-0611", 3_000, 15_000),
    ("alder-responses", "alder", "alder-small", "alder-small-0611", 250, 1_250),
    ("birch-messages", "birch", "birch-9", "birch-9-20260114", 5_000, 25_000),
)
_TOOLS = ("search_documents", "read_file", "run_query", "send_message", "calculator")
_AGENTS = ("researcher", "coder", "reviewer", "planner", "support")
_MODEL_ERRORS = ("rate_limited", "overloaded", "context_too_long", "connection_reset")
_TOOL_ERRORS = ("not_found", "permission_denied", "invalid_arguments", "timeout")
_WORDS = (
    "report",
    "ledger",
    "table",
    "noon",
    "checked",
    "before",
    "against",
    "three",
    "größer",
    "naïve",
    "漢字",
    "and",
)

_MAX_DEPTH = 2  # a subagent may have subagents, these not


@dataclass(slots=True)
class Run:
    """One run's script and what its events have in common; iterate `script` once."""

    chance: Chance
    run_id: str
    content: bool
    depth: int = 0
    parent_event_id: str | None = None
    parent_span_id: str | None = None
    trace_id: str = ""
    _seq: int = 0
    _children: int = 0
    _last_event_id: str | None = None
    _common: EventFields = field(default_factory=dict)
    _totals: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.trace_id = self.trace_id or self.chance.hex_digits(32)
        agent = self.chance.one_of(_AGENTS)
        self._common = {
            "run_id": self.run_id,
            "session_id": f"session-{self.run_id}" if self.chance.happens(0.7) else None,
            "agent_id": f"agent-{agent}",
            "trace_id": self.trace_id,
            "source": {"kind": "subagent" if self.depth else "host", "id": f"host-{agent}"},
            "privacy": "content_refs_only",
            "content_capture": "raw_content" if self.content else "off",
            "redaction_policy_id": "redaction-default",
            "runtime_package_fingerprint": "package-" + self.chance.hex_digits(16),
            "delivery_semantics": "journal_backed" if self.chance.happens(0.8) else "best_effort_live",
        }

    def script(self) -> Iterator[EventFields]:
        """Every event of the run and of its subagents' runs, in order."""
        yield self._event("run", "run_started", parent_event_id=self.parent_event_id)
        for turn in range(self.chance.between(1, 4)):
            yield from self._turn(turn)
        yield from self._ending()

    def _turn(self, number: int) -> Iterator[EventFields]:
        turn = {"turn_id": f"{self.run_id}-turn-{number}"}
        yield self._event("turn", "turn_started", **turn)
        yield self._event("message", "message_accepted", message_id=f"{turn['turn_id']}-message", **turn)
        if self.chance.happens(0.3):
            yield self._event("context", "context_assembled", context_item_id=f"context-{self._seq}", **turn)
        answered = False
        for attempt in range(2):
            answered = self.chance.happens(0.93)
            yield from self._attempt(turn, number, attempt, answered=answered)
            if answered:
                break
        for call in range(self.chance.between(0, 2) if answered else 0):
            yield from self._tool_call(turn, call)
        if self.depth < _MAX_DEPTH and self.chance.happens(0.08):
            yield from self._subagent(turn)
        yield self._event("turn", "turn_completed" if answered else "turn_failed", terminal=True, **turn)

    def _attempt(self, turn: Mapping[str, str], number: int, attempt: int, *, answered: bool) -> Iterator[EventFields]:
        provider_id, provider_name, model_id, response_model, input_price, output_price = self.chance.one_of(_MODELS)
        call: EventFields = {
            **turn,
            "attempt_id": f"{turn['turn_id']}-attempt-{attempt}",
            "provider_id": provider_id,
            "provider_name": provider_name,
            "model_id": model_id,
        }
        yield self._event("model", "model_attempt_started", **call)
        for _ in range(self.chance.between(0, 3)):
            yield self._event("model", "model_stream_delta", **call)
        if not answered:
            failure = self.chance.one_of(_MODEL_ERRORS)
            yield self._event("model", "model_attempt_failed", terminal=True, error_type=failure, **call)
            return
        usage = self._usage()
        micros = (usage["input_tokens"] * input_price + usage["output_tokens"] * output_price) // 1000
        cost = {
            "amount_micros": micros,
            "currency": "EUR",
            "rate_table_version": "2026-03",
            "status": "provider_reported" if provider_name == "birch" else "estimated",
        }
        completed = self._event(
            "model",
            "model_message_completed",
            terminal=True,
            message_id=f"{call['attempt_id']}-answer",
            response_model=response_model,
            finish_reason=self.chance.one_of(("stop", "stop", "tool_calls", "length")),
            usage=usage,
            cost=cost if self.chance.happens(0.9) else None,
            **call,
        )
        if self.content and self.chance.happens(0.8):
            completed["content"] = self._content(number)
        yield completed
        if self.chance.happens(0.04):
            corrected = {**cost, "amount_micros": micros * 9 // 10, "status": "corrected"}
            corrected["corrects"] = f"telemetry.cost.{completed['event_id']}"
            yield self._event("telemetry", "cost_corrected", cost=corrected, **call)

    def _tool_call(self, turn: Mapping[str, str], number: int) -> Iterator[EventFields]:
        tool = self.chance.one_of(_TOOLS)
        call: EventFields = {
            **turn,
            "tool_name": tool,
            "subject_ref": {"kind": "tool_call", "id": f"{turn['turn_id']}-call-{number}"},
            "policy_refs": [{"kind": "permission", "id": f"policy-{tool}"}],
        }
        yield self._event("tool", "tool_requested", **call)
        if self.chance.happens(0.2):
            yield self._event("approval", "approval_requested", **call)
            granted = self.chance.happens(0.8)
            yield self._event("approval", "approval_responded" if granted else "approval_denied", terminal=True, **call)
            if not granted:
                yield self._event("tool", "tool_denied", terminal=True, **call)
                return
        yield self._event("tool", "tool_started", **call)
        if self.chance.happens(0.9):
            destination = {"kind": "tool", "id": tool} if self.chance.happens(0.5) else None
            yield self._event("tool", "tool_completed", terminal=True, destination=destination, **call)
        else:
            failure = self.chance.one_of(_TOOL_ERRORS)
            yield self._event("tool", "tool_failed", terminal=True, error_type=failure, **call)

    def _subagent(self, turn: Mapping[str, str]) -> Iterator[EventFields]:
        self._children += 1
        child_id = f"{self.run_id}-sub{self._children}"
        subject = {"subject_ref": {"kind": "subagent_run", "id": child_id}}
        started = self._event("subagent", "subagent_started", **turn, **subject)
        yield started
        child = Run(
            chance=self.chance,
            run_id=child_id,
            content=self.content,
            depth=self.depth + 1,
            parent_event_id=str(started["event_id"]),
            parent_span_id=str(started["span_id"]),
            trace_id=self.trace_id,
        )
        yield from child.script()
        usage = dict(child._totals) or None
        self._totals.update(child._totals)
        yield self._event("subagent", "subagent_completed", terminal=True, usage=usage, **turn, **subject)

    def _ending(self) -> Iterator[EventFields]:
        usage = dict(self._totals) or None
        draw = self.chance.between(1, 100)
        if draw <= 74:
            yield self._event("run", "run_completed", terminal=True, usage=usage)
        elif draw <= 84:
            failure = self.chance.one_of(_MODEL_ERRORS)
            yield self._event("run", "run_failed", terminal=True, usage=usage, error_type=failure)
        elif draw <= 90:
            yield self._event("run", "run_cancel_requested")
            yield self._event("run", "run_cancelled", terminal=True, usage=usage)
        elif draw <= 94:
            yield self._event("run", "run_timed_out", terminal=True, usage=usage, error_type="timeout")
        elif draw <= 97:
            yield self._event("run", "run_expired", terminal=True)  # a kind that no rule names
        # else: the agent's process died; its run has no end

    def _event(self, family: str, kind: str, **facts: object) -> EventFields:
        self._seq += 1
        event_id = f"{self.run_id}-{self._seq:05d}"
        event: EventFields = {
            **self._common,
            "event_id": event_id,
            "event_seq": self._seq,
            "event_family": family,
            "event_kind": kind,
            "span_id": self.chance.hex_digits(16),
            "parent_span_id": self.parent_span_id,
            "parent_event_id": self._last_event_id,
            "subject_ref": {"kind": "run", "id": self.run_id},
            **facts,
        }
        if self._common["delivery_semantics"] == "journal_backed":
            event["journal_cursor"] = f"journal-{self.run_id}-{self._seq * 3}"
        if self._seq % 7 == 0:
            event["tags"] = ["nightly", f"shard-{self._seq % 5}"]
            event["correlation"] = [{"key": "ticket", "value": f"ticket-{self._seq}"}]
            event["related_refs"] = [{"kind": "message", "id": f"{self.run_id}-message"}]
            cause = {"event_id": self._last_event_id, "subject_ref": event["subject_ref"], "reason": "follows"}
            event["causal_refs"] = [cause]
        self._last_event_id = event_id
        return event

    def _usage(self) -> dict[str, int]:
        usage = {"input_tokens": self.chance.between(200, 9_000), "output_tokens": self.chance.between(20, 1_500)}
        usage["total_tokens"] = usage["input_tokens"] + usage["output_tokens"]
        if self.chance.happens(0.5):
            usage["cache_read_tokens"] = usage["input_tokens"] // 2
        if self.chance.happens(0.3):
            usage["reasoning_tokens"] = usage["output_tokens"] // 3
        self._totals.update(usage)
        return usage

    def _content(self, turn_number: int) -> EventFields:
        def message(role: str, words: int) -> bytes:
            text = " ".join(self.chance.one_of(_WORDS) for _ in range(words))
            return f'[{{"role":"{role}","parts":[{{"type":"text","content":"{text}"}}]}}]'.encode()

        return {
            "capture_kind": "turn_chat",
            "thread_id": f"thread-{self.run_id}",
            "turn_number": turn_number,
            "span_is_recording": True,
            "system_instructions": message("system", 12) if self.chance.happens(0.5) else None,
            "input_messages": message("user", self.chance.between(10, 60)),
            "output_messages": message("assistant", self.chance.between(10, 60)),
        }
