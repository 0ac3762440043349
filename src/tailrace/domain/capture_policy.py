"""What an operator lets a sink have of content: a cap for the sink, and narrower ones by agent, family and privacy.

    sink ─────┐
    agent ────┤
    family ───┼──> the narrowest of all that match
    privacy ──┤
    origin ───┘

Every cap is off unless it was set, so content needs a word from each side. Caps meet part by part, and a meeting is
never wider than what met: no rule can widen another one (docs/PRIVACY.md, Policies).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import reduce
from types import MappingProxyType
from typing import Final, Generic, TypeVar

from tailrace.domain.fields import Checked, Count
from tailrace.domain.kinds import EventFamily
from tailrace.domain.privacy import ContentCaptureMode, PrivacyClass, RetentionClass, narrowest
from tailrace.domain.refs import EntityKind, PolicyRef, SourceKind
from tailrace.domain.retention import RetentionWindows
from tailrace.domain.sampling import SampleRule

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentCap(Checked):
    """The most that one rule lets through. Made without further words it lets nothing through.

    The limits count bytes of redacted UTF-8 JSON: of one part (system instructions, input or output messages) and of
    all parts of an event that are within the former.
    """

    mode: ContentCaptureMode = ContentCaptureMode.OFF
    part_limit_bytes: Count = 0
    event_limit_bytes: Count = 0

    def meet(self, other: "ContentCap") -> "ContentCap":
        """The widest cap that is no wider than either."""
        return ContentCap(
            mode=narrowest(self.mode, other.mode),
            part_limit_bytes=min(self.part_limit_bytes, other.part_limit_bytes),
            event_limit_bytes=min(self.event_limit_bytes, other.event_limit_bytes),
        )


NOTHING: Final = ContentCap()


class Axis(StrEnum):
    """What can narrow, as verdicts name it: the event's own mode, or the cap that a policy ties to one of the rest."""

    EVENT = "event"
    SINK = "sink"
    AGENT = "agent"
    FAMILY = "family"
    PRIVACY = "privacy"
    ORIGIN = "origin"


class ContentOrigin(StrEnum):
    """Whose words content may be, besides the agent's own. Either is left out unless a policy names it."""

    CHILD_AGENT = "child_agent"
    EXTENSION = "extension"


@dataclass(frozen=True, slots=True)
class AxisCap:
    """A cap, and the reference by which records name it; without one, that of the sink's policy speaks for it."""

    cap: ContentCap = NOTHING
    policy_ref: PolicyRef | None = None


@dataclass(frozen=True)  # no slots: `AxisCaps[str](…)` would raise, since typing writes to the instance it made
class AxisCaps(Generic[Key]):
    """Caps by the value of one axis. What is not named gets `otherwise`, which is nothing unless it was set."""

    named: Mapping[Key, AxisCap] = field(default_factory=dict)
    otherwise: AxisCap = AxisCap()

    def __post_init__(self) -> None:
        object.__setattr__(self, "named", MappingProxyType(dict(self.named)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkContentPolicy:
    """Everything an operator said about one sink and content.

    `otherwise` of the families does not reach those of child agents and extensions, nor families this version does not
    know; `otherwise` of the privacy classes does not reach `sensitive` and `secret`, and reaches `content_refs_only` no
    wider than references. Those must be named. `origins` are the foreign origins that were named. Without a redaction
    policy, a window for the event's retention class, or a sample, no content passes, whatever the caps say.
    """

    policy_ref: PolicyRef
    cap: ContentCap = NOTHING
    agents: AxisCaps[str] = AxisCaps()
    families: AxisCaps[EventFamily] = AxisCaps()
    privacy: AxisCaps[PrivacyClass] = AxisCaps()
    origins: frozenset[ContentOrigin] = frozenset()
    retention: RetentionWindows = field(default_factory=RetentionWindows)
    sampling: SampleRule = field(default_factory=SampleRule)
    redaction_policy_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentSource:
    """What is known of an event before its content is looked at. None: a symbol this version does not know.

    An unknown privacy class counts as secret, an unknown capture mode as off, an unknown kind of source or subject as
    both foreign origins. `event_time_us` is the event's own time in microseconds since 1970-01-01T00:00:00Z.
    """

    run_id: str
    agent_id: str
    family: EventFamily
    privacy: PrivacyClass | None
    content_capture: ContentCaptureMode | None
    source_kind: SourceKind | None
    subject_kind: EntityKind | None
    retention: RetentionClass
    event_time_us: int

    @property
    def permitted_mode(self) -> ContentCaptureMode:
        """The most that the event itself lets anybody have."""
        return ContentCaptureMode.OFF if self.content_capture is None else self.content_capture

    @property
    def origins(self) -> frozenset[ContentOrigin]:
        """Whose words the content may be besides the agent's own, by any of the three fields that can tell."""
        found = {_ORIGIN_BY_FAMILY.get(self.family)}
        for kind, origins in ((self.source_kind, _ORIGIN_BY_SOURCE), (self.subject_kind, _ORIGIN_BY_SUBJECT)):
            if kind is None:
                return frozenset(ContentOrigin)
            found.add(origins.get(kind))
        return frozenset(origin for origin in found if origin is not None)


@dataclass(frozen=True, slots=True)
class MatchedCaps:
    """The caps of a policy that apply to one event.

    `cap` is all of them met, `modes` the mode of each, `policy_refs` every rule that was asked, the sink's first.
    """

    cap: ContentCap
    modes: Mapping[Axis, ContentCaptureMode]
    policy_refs: tuple[PolicyRef, ...]


_ORIGIN_BY_FAMILY: Final[Mapping[EventFamily, ContentOrigin]] = {
    EventFamily.SUBAGENT: ContentOrigin.CHILD_AGENT,
    EventFamily.CHILD_LIFECYCLE: ContentOrigin.CHILD_AGENT,
    EventFamily.EXTENSION: ContentOrigin.EXTENSION,
}
# A child's own model call has family `model`; that it is a child's stands only in its source or subject.
_ORIGIN_BY_SOURCE: Final[Mapping[str, ContentOrigin]] = {
    SourceKind.SUBAGENT: ContentOrigin.CHILD_AGENT,
    SourceKind.EXTENSION: ContentOrigin.EXTENSION,
}
_ORIGIN_BY_SUBJECT: Final[Mapping[str, ContentOrigin]] = {
    EntityKind.SUBAGENT_RUN: ContentOrigin.CHILD_AGENT,
    EntityKind.CHILD_ARTIFACT: ContentOrigin.CHILD_AGENT,
    EntityKind.EXTENSION_ACTION: ContentOrigin.EXTENSION,
}
_FAMILIES_TO_NAME: Final = frozenset((*_ORIGIN_BY_FAMILY, EventFamily.UNKNOWN))
_PRIVACY_TO_NAME: Final = frozenset((PrivacyClass.SENSITIVE, PrivacyClass.SECRET))

_MOST_BYTES: Final = 2**64 - 1
_NO_CAP: Final = ContentCap(
    mode=ContentCaptureMode.RAW_CONTENT, part_limit_bytes=_MOST_BYTES, event_limit_bytes=_MOST_BYTES
)
_REFERENCES: Final = replace(_NO_CAP, mode=ContentCaptureMode.PAYLOAD_REFS)


def matched_caps(policy: SinkContentPolicy, source: ContentSource) -> MatchedCaps:
    """What `policy` lets the sink have of this event's content at most: time, sample and size aside. Pure; any thread.

    Source: docs/PRIVACY.md, Policies.
    """
    foreign = source.origins - policy.origins
    caps = {
        Axis.SINK: AxisCap(policy.cap, policy.policy_ref),
        Axis.AGENT: policy.agents.named.get(source.agent_id, policy.agents.otherwise),
        Axis.FAMILY: _family_cap(policy.families, source.family),
        Axis.PRIVACY: _privacy_cap(policy.privacy, source.privacy or PrivacyClass.SECRET),
        Axis.ORIGIN: AxisCap(NOTHING if foreign else _NO_CAP),
    }
    refs = dict.fromkeys(cap.policy_ref for cap in caps.values() if cap.policy_ref is not None)
    return MatchedCaps(
        cap=reduce(ContentCap.meet, (cap.cap for cap in caps.values())),
        modes={axis: cap.cap.mode for axis, cap in caps.items()},
        policy_refs=tuple(refs),
    )


def _family_cap(caps: AxisCaps[EventFamily], family: EventFamily) -> AxisCap:
    if family in caps.named:
        return caps.named[family]
    return AxisCap() if family in _FAMILIES_TO_NAME else caps.otherwise


def _privacy_cap(caps: AxisCaps[PrivacyClass], privacy: PrivacyClass) -> AxisCap:
    if privacy in caps.named:
        return caps.named[privacy]
    if privacy in _PRIVACY_TO_NAME:
        return AxisCap()
    if privacy is PrivacyClass.CONTENT_REFS_ONLY:
        return replace(caps.otherwise, cap=caps.otherwise.cap.meet(_REFERENCES))
    return caps.otherwise
