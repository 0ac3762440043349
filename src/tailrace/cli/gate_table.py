"""What a configuration alone says about each gate, in an operator's words: open, closed, or up to the event.

The seven gates are the domain's (`capture_gates`); behind them stand the store, the operator's switch and the store's
word for its redactor. Who gets what by agent, family and privacy class is asked of the rule that decides at export, so
that this text cannot say anything else.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from tailrace.domain.capture_gates import CaptureGate
from tailrace.domain.capture_policy import Axis, ContentSource, SinkContentPolicy, matched_caps
from tailrace.domain.kinds import EventFamily
from tailrace.domain.privacy import ContentCaptureMode, PrivacyClass, RetentionClass
from tailrace.domain.refs import EntityKind, SourceKind
from tailrace.settings import Settings
from tailrace.settings.capture import InlineStoreSettings, OmitStoreSettings, ReferenceStoreSettings
from tailrace.settings.capture_checks import CLASS_OF_EVENTS, widest_mode

RAW = ContentCaptureMode.RAW_CONTENT


class GateState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    DEPENDS = "depends on the event"
    NOT_ASKED = "not asked"


@dataclass(frozen=True, slots=True)
class GateRow:
    """One thing that can keep content back from a sink, how it stands, and why, naming keys and never a secret."""

    name: str
    state: GateState
    why: str


def gate_rows(settings: Settings, sink_id: str) -> tuple[GateRow, ...]:
    """The seven gates in their order, then store, switch and attestation. KeyError for an unknown sink."""
    policy = settings.content_policy(sink_id)
    if policy is None:
        key = f"sinks.{sink_id}.content.mode"
        off = "the sink has no policy in force"
        seven = dict.fromkeys(CaptureGate, (GateState.CLOSED, off))
        seven[CaptureGate.SINK] = (GateState.CLOSED, f"{key} is off")
    else:
        table = _Gates(settings, sink_id, policy)
        seven = {gate: explained() for gate, explained in table.by_gate().items()}
    return (*(GateRow(gate, *seven[gate]) for gate in CaptureGate), *_behind_the_gates(settings))


@dataclass(frozen=True, slots=True)
class _Gates:
    settings: Settings
    sink_id: str
    policy: SinkContentPolicy

    def by_gate(self) -> Mapping[CaptureGate, Callable[[], tuple[GateState, str]]]:
        return {
            CaptureGate.POLICY_MODE: self.policy_mode,
            CaptureGate.POLICY_COMPLETE: self.policy_complete,
            CaptureGate.SOURCE: self.source,
            CaptureGate.SINK: self.sink,
            CaptureGate.RETENTION: self.retention,
            CaptureGate.SAMPLE: self.sample,
            CaptureGate.BYTE_LIMIT: self.byte_limit,
        }

    @property
    def key(self) -> str:
        return f"capture.policies.{self.policy.policy_ref.id}"

    def policy_mode(self) -> tuple[GateState, str]:
        if not self.policy.cap.mode.captures_raw_content:
            return GateState.CLOSED, f"{self.key}.mode is {self.policy.cap.mode}"
        who = {
            "agents": self._agents(),
            "families": _named(EventFamily, self._has_raw(Axis.FAMILY, lambda family: {"family": family})),
            "privacy": _named(PrivacyClass, self._has_raw(Axis.PRIVACY, lambda privacy: {"privacy": privacy})),
        }
        if shut := [f"{self.key}.{axis}" for axis, names in who.items() if names == _NONE]:
            return GateState.CLOSED, f"no event has raw_content by {' and '.join(shut)}"
        origins = ", ".join(sorted(self.policy.origins)) or "none"
        said = "; ".join(f"{axis} {names}" for axis, names in who.items())
        return GateState.DEPENDS, f"open for {said}; of foreign origins {origins}"

    def policy_complete(self) -> tuple[GateState, str]:
        lacking = []
        if not self.policy.cap.mode.captures_raw_content:
            lacking.append(f"{self.key}.mode is {self.policy.cap.mode}")
        if not self._sink_mode.captures_raw_content:
            lacking.append(f"sinks.{self.sink_id}.content.mode is {self._sink_mode}")
        if not self.policy.redaction_policy_id:
            lacking.append("capture.redaction.policy_id is not set")
        if CLASS_OF_EVENTS not in self.policy.retention.windows_s:
            lacking.append(f"{self.key}.retention_s has no {CLASS_OF_EVENTS}")
        if self.policy.sampling.rate == 0:
            lacking.append(f"{self.key}.sample.rate is 0")
        if self.policy.cap.event_limit_bytes == 0:
            lacking.append(f"{self.key}.event_limit_bytes is 0")
        if lacking:
            return GateState.CLOSED, "; ".join(lacking)
        return GateState.DEPENDS, "complete by itself; open where policy_mode and source are"

    def source(self) -> tuple[GateState, str]:
        return GateState.DEPENDS, "open if the event's own content_capture is raw_content"

    def sink(self) -> tuple[GateState, str]:
        state = GateState.OPEN if self._sink_mode.captures_raw_content else GateState.CLOSED
        return state, f"sinks.{self.sink_id}.content.mode is {self._sink_mode}"

    def retention(self) -> tuple[GateState, str]:
        window_s = self.policy.retention.windows_s.get(CLASS_OF_EVENTS)
        if window_s is None:
            return GateState.CLOSED, f"{self.key}.retention_s has no {CLASS_OF_EVENTS}, the class of every event"
        return GateState.DEPENDS, f"open until {window_s} s after the event, asked again at every export"

    def sample(self) -> tuple[GateState, str]:
        rate, key = self.policy.sampling.rate, self.policy.sampling.key
        if rate == 0:
            return GateState.CLOSED, f"{self.key}.sample.rate is 0"
        if rate == 1:
            return GateState.OPEN, "every run is in the sample"
        name = "" if key is None else f", chosen by key {key.name}"
        return GateState.DEPENDS, f"open for {rate * 100:g} % of runs{name}"

    def byte_limit(self) -> tuple[GateState, str]:
        cap = self.policy.cap
        if cap.event_limit_bytes == 0:
            return GateState.CLOSED, f"{self.key}.event_limit_bytes is 0"
        limits = f"{cap.event_limit_bytes} bytes of redacted JSON, of which a part has {cap.part_limit_bytes} at most"
        return GateState.DEPENDS, f"open up to {limits}; narrower rules may say less"

    @property
    def _sink_mode(self) -> ContentCaptureMode:
        return self.settings.sinks[self.sink_id].content.mode

    def _agents(self) -> str:
        named = self.policy.agents.named
        others = self.policy.agents.otherwise.cap.mode is RAW
        exceptions = sorted(name for name, rule in named.items() if (rule.cap.mode is RAW) is not others)
        if others:
            return f"all but {', '.join(exceptions)}" if exceptions else "all"
        return ", ".join(exceptions) or _NONE

    def _has_raw(self, axis: Axis, about: Callable[[str], Mapping[str, object]]) -> Callable[[str], bool]:
        def has_raw(name: str) -> bool:
            source = replace(_ANY, **about(name))  # type: ignore[arg-type]
            return matched_caps(self.policy, source).modes[axis] is RAW

        return has_raw


_NONE = "none"
_ANY = ContentSource(
    run_id="any",
    agent_id="any",
    family=EventFamily.MODEL,
    privacy=PrivacyClass.INTERNAL,
    content_capture=RAW,
    source_kind=SourceKind.SDK,
    subject_kind=EntityKind.RUN,
    retention=RetentionClass.RUN_SCOPED,
    event_time_us=0,
)


def _named(members: Iterable[StrEnum], passes: Callable[[StrEnum], bool]) -> str:
    """Those that pass, by whichever list is shorter."""
    asked = {member: passes(member) for member in members}
    yes, no = ([member for member, passed in asked.items() if passed is wanted] for wanted in (True, False))
    if not yes:
        return _NONE
    if not no:
        return "all"
    return ", ".join(yes) if len(yes) <= len(no) else f"all but {', '.join(no)}"


def _behind_the_gates(settings: Settings) -> Iterator[GateRow]:
    store = settings.capture.store
    payloads = "on" if settings.capture.payloads else "off"
    match store:
        case OmitStoreSettings():
            yield GateRow("store", GateState.CLOSED, "capture.store.kind is omit: every part is left out")
            yield GateRow("capture.payloads", GateState.CLOSED, f"{payloads}, and store omit has no use for it")
            yield GateRow("attestation", GateState.CLOSED, "store omit vouches for nothing")
        case InlineStoreSettings():
            yield GateRow("store", GateState.OPEN, "inline: redacted parts on the record, where raw_content is granted")
            yield GateRow(
                "capture.payloads", GateState.OPEN if settings.capture.payloads else GateState.CLOSED, payloads
            )
            yield GateRow("attestation", GateState.OPEN, "store inline vouches for its redactor, which masks")
        case ReferenceStoreSettings():
            why = f"reference: redacted parts are kept, records say {store.name}:…; payload_refs is enough"
            yield GateRow("store", GateState.OPEN, why)
            yield GateRow("capture.payloads", GateState.NOT_ASKED, "a reference puts no text on a record")
            yield GateRow("attestation", GateState.NOT_ASKED, "a reference puts no text on a record")
        case _:
            assert_never(store)


def at_most(settings: Settings, sink_id: str) -> str:
    """The most this sink can ever get, and where, in words."""
    mode = widest_mode(settings, sink_id)
    if not mode.carries_content:
        return mode
    match settings.capture.store:
        case InlineStoreSettings():
            return f"{mode}, on records"
        case ReferenceStoreSettings():
            return f"{mode}, as references on records"
        case _:
            return mode
