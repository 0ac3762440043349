"""A worker in which one protection is disabled: `python -m tests.canary.sabotaged_worker NAME run --config …`.

Every sabotage is a few patches of the program under test, and belongs to nothing else. A *setting* is a condition that
no configuration makes, such as a store that does not vouch for its redactor: by itself it must let nothing out.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

from tailrace.adapters.kafka_ledger import KafkaRefusedLetters
from tailrace.adapters.kafka_sink import DeadLetterSink
from tailrace.cli import main
from tailrace.codec.native import kernel, walk_program
from tailrace.domain import capture, capture_gates, capture_verdict
from tailrace.domain.capture_gates import CaptureGate
from tailrace.domain.capture_policy import (
    Axis,
    ContentCap,
    ContentSource,
    MatchedCaps,
    SinkContentPolicy,
    matched_caps,
)
from tailrace.domain.capture_record import content_on_record
from tailrace.domain.capture_store import InlineStore
from tailrace.domain.capture_verdict import CaptureVerdict, decide_capture
from tailrace.domain.content_form import Allowed, Unreadable
from tailrace.domain.identifiers import IdentifierPolicy, RefTreatment
from tailrace.domain.payload import RedactedPart
from tailrace.domain.privacy import ContentCaptureMode, narrowest
from tailrace.redaction.sensitive_keys import KeyRules
from tailrace.runtime import record_content
from tailrace.runtime.clock import SystemClock

RAW = ContentCaptureMode.RAW_CONTENT
DECADE_US = 10 * 365 * 86_400 * 1_000_000


def patch(owner: Any, **replacements: object) -> None:
    for name, replacement in replacements.items():
        setattr(owner, name, replacement)


def open_gate(gate: CaptureGate) -> None:
    """The gate is never closed; whatever else keeps content back still does."""
    gates = tuple((one, (lambda _: True) if one is gate else opens) for one, opens in capture_gates._OPENS)
    patch(capture_gates, _OPENS=gates)


def forget_axes(*forgotten: Axis) -> None:
    """What these sides say does not count."""

    def without(policy: SinkContentPolicy, source: ContentSource) -> MatchedCaps:
        found = matched_caps(policy, source)
        modes = {axis: RAW if axis in forgotten else mode for axis, mode in found.modes.items()}
        cap = replace(policy.cap, mode=narrowest(*modes.values()))
        return replace(found, cap=cap, modes=modes)

    patch(capture_verdict, matched_caps=without)


def change_question(change: Callable[[Any, Any, Any], tuple[Any, Any, Any]]) -> None:
    """Source, sink and policy are other ones than they are, wherever the stage asks about them."""

    def asked(source: object, sink: object, policy: object, **others: Any) -> object:
        return decide_capture(*change(source, sink, policy), **others)

    patch(record_content, decide_capture=asked)


def policy_mode() -> None:
    open_gate(CaptureGate.POLICY_MODE)
    forget_axes(Axis.SINK)


def policy_complete() -> None:
    """An absent redaction policy goes for a present one."""
    change_question(lambda source, sink, policy: (source, sink, replace(policy, redaction_policy_id="any")))


def source_permission() -> None:
    change_question(lambda source, sink, policy: (replace(source, content_capture=RAW), sink, policy))


def sink_permission() -> None:
    change_question(lambda source, sink, policy: (source, sink.with_content_capture(RAW), policy))


def retention() -> None:
    """No window is ever over, neither for the gate nor for what is about to leave."""
    open_gate(CaptureGate.RETENTION)
    patch(CaptureVerdict, still_open=lambda *_: True)


def part_limit() -> None:
    meet = ContentCap.meet
    patch(ContentCap, meet=lambda one, other: replace(meet(one, other), part_limit_bytes=2**40))


def origins() -> None:
    patch(ContentSource, origins=property(lambda _: frozenset()))


def boundary() -> None:
    """Whatever is JSON passes the allow-list."""

    def everything(encoded: bytes) -> Allowed | Unreadable:
        try:
            return Allowed(json.loads(encoded), 0)
        except ValueError:
            return Unreadable()

    patch(capture, allowed_messages=everything, allowed_instructions=everything)


def redactor() -> None:
    """Every part counts as redacted as it is."""
    patch(capture, redact_part=lambda value, _: RedactedPart(json.dumps(value, ensure_ascii=False).encode()))


def sensitive_keys() -> None:
    patch(KeyRules, category_of=lambda *_: None)


def identifiers() -> None:
    """What is to be replaced stays as it came."""
    patch(IdentifierPolicy, _replacement=lambda _, __, text: text)


def identifiers_in_machine_code() -> None:
    """The kernel holds no text to the grammar, and no reference to its kind."""
    unchecked = {**vars(kernel), "IDENTIFIER": kernel.TEXT}
    patch(walk_program, kernel=SimpleNamespace(**unchecked), _FORBIDDEN=dict.fromkeys(RefTreatment, 0))


def payloads_switch() -> None:
    def switched_on(*given: Any, **_: object) -> object:
        return content_on_record(*given, payloads_allowed=True)

    patch(record_content, content_on_record=switched_on)


def store_that_does_not_vouch() -> None:
    """A setting: the store has a redactor and does not stand by it."""
    patch(InlineStore, acknowledge_pii_redaction=lambda _: False)


def attestation() -> None:
    """The stage takes every store to vouch for its redactor."""
    store_that_does_not_vouch()

    def attested(captured: Any, *given: Any, **others: Any) -> object:
        return content_on_record(replace(captured, attested=True), *given, **others)

    patch(record_content, content_on_record=attested)


def store_that_outlasts_the_window() -> None:
    """A setting: capturing takes ten years."""
    answer, late_us = InlineStore.capture, [0]

    def slow(self: InlineStore, bundle: Any) -> object:
        late_us[0] = DECADE_US
        return answer(self, bundle)

    patch(InlineStore, capture=slow)
    patch(SystemClock, wall_us=lambda _: time.time_ns() // 1_000 + late_us[0])


def retention_at_export() -> None:
    """What was open when the store was asked counts as open when the record leaves."""
    store_that_outlasts_the_window()
    patch(CaptureVerdict, still_open=lambda *_: True)


def raw_letters() -> None:
    """Letters hold raw bytes although the operator did not ask for them."""
    owners: tuple[Any, ...] = (DeadLetterSink, KafkaRefusedLetters)
    for owner in owners:
        made = owner.__init__

        def raw(self: object, *given: Any, made: Any = made, **others: Any) -> None:
            made(self, *given, **{**others, "raw": True})

        patch(owner, __init__=raw)


SABOTAGES: Mapping[str, Callable[[], None]] = {
    "gate policy_mode alone": partial(open_gate, CaptureGate.POLICY_MODE),
    "gate policy_complete alone": partial(open_gate, CaptureGate.POLICY_COMPLETE),
    "gate source alone": partial(open_gate, CaptureGate.SOURCE),
    "gate sink alone": partial(open_gate, CaptureGate.SINK),
    "gate retention alone": partial(open_gate, CaptureGate.RETENTION),
    "policy_mode": policy_mode,
    "policy_complete": policy_complete,
    "source": source_permission,
    "sink": sink_permission,
    "retention": retention,
    "sample": partial(open_gate, CaptureGate.SAMPLE),
    "byte_limit": partial(open_gate, CaptureGate.BYTE_LIMIT),
    "part limit": part_limit,
    "agent": partial(forget_axes, Axis.AGENT),
    "family": partial(forget_axes, Axis.FAMILY),
    "privacy": partial(forget_axes, Axis.PRIVACY),
    "origins": origins,
    "boundary": boundary,
    "redactor": redactor,
    "sensitive keys": sensitive_keys,
    "identifiers": identifiers,
    "identifiers in machine code": identifiers_in_machine_code,
    "payloads switch": payloads_switch,
    "a store that does not vouch": store_that_does_not_vouch,
    "attestation": attestation,
    "a store that outlasts the window": store_that_outlasts_the_window,
    "retention at export": retention_at_export,
    "raw letters": raw_letters,
}
"""By what is disabled."""


if __name__ == "__main__":
    SABOTAGES[sys.argv.pop(1)]()
    main()
