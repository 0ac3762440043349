"""Content policies and their caps: docs/PRIVACY.md, Policies."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given

from tailrace import ContentCaptureMode, EventFamily, PrivacyClass
from tailrace.domain.capture_policy import (
    NOTHING,
    Axis,
    AxisCap,
    AxisCaps,
    ContentCap,
    ContentOrigin,
    ContentSource,
    SinkContentPolicy,
    matched_caps,
)
from tailrace.domain.privacy import narrowest
from tailrace.domain.refs import EntityKind, SourceKind
from tests.unit.domain.capture_samples import (
    OPEN_POLICY,
    OPEN_SOURCE,
    RAW,
    WIDE,
    anything,
    caps,
    narrowed,
    policies,
    ref,
    sources,
)

OFF = ContentCaptureMode.OFF
REFS = ContentCaptureMode.PAYLOAD_REFS
FOREIGN_FAMILIES = (EventFamily.SUBAGENT, EventFamily.CHILD_LIFECYCLE, EventFamily.EXTENSION)


def no_wider(one: ContentCap, other: ContentCap) -> bool:
    return (
        one.mode.width <= other.mode.width
        and one.part_limit_bytes <= other.part_limit_bytes
        and one.event_limit_bytes <= other.event_limit_bytes
    )


def test_modes_stand_in_order_of_width() -> None:
    """The order that everything about narrowing rests on, written out."""
    assert [mode.value for mode in sorted(ContentCaptureMode, key=lambda mode: mode.width)] == [
        "off",
        "metadata_only",
        "redacted_summary",
        "payload_refs",
        "raw_content",
    ]
    assert [mode for mode in ContentCaptureMode if mode.carries_content] == [REFS, RAW]


def test_narrowest_of_every_pair() -> None:
    """Symmetric, never wider than either, and off where nothing was granted."""
    for one, other in product(ContentCaptureMode, repeat=2):
        met = narrowest(one, other)
        assert met in (one, other)
        assert met.width == min(one.width, other.width)
        assert narrowest(other, one) is met
    assert narrowest() is OFF


@given(one=caps, other=caps, third=caps)
def test_caps_meet_as_a_lattice(one: ContentCap, other: ContentCap, third: ContentCap) -> None:
    """Order and repetition do not matter, and a meeting is the widest cap no wider than each."""
    met = one.meet(other)
    assert no_wider(met, one)
    assert no_wider(met, other)
    assert met == other.meet(one)
    assert one.meet(one) == one
    assert met.meet(third) == one.meet(other.meet(third))
    assert one.meet(NOTHING) == NOTHING
    if no_wider(third, one) and no_wider(third, other):
        assert no_wider(third, met)


def naive_caps(policy: SinkContentPolicy, source: ContentSource) -> list[ContentCap]:
    """The caps that apply, found a second way."""
    privacy = source.privacy.value if source.privacy else "secret"
    by_name = {str(key): cap.cap for key, cap in policy.privacy.named.items()}
    whole = replace(WIDE, part_limit_bytes=2**64 - 1, event_limit_bytes=2**64 - 1)
    found = [policy.cap]
    found.append((policy.agents.named.get(source.agent_id) or policy.agents.otherwise).cap)
    if source.family in policy.families.named:
        found.append(policy.families.named[source.family].cap)
    elif source.family.value in ("subagent", "child_lifecycle", "extension", "unknown"):
        found.append(ContentCap())
    else:
        found.append(policy.families.otherwise.cap)
    if privacy in by_name:
        found.append(by_name[privacy])
    elif privacy in ("secret", "sensitive"):
        found.append(ContentCap())
    else:
        found.append(policy.privacy.otherwise.cap)
        if privacy == "content_refs_only":
            found.append(replace(whole, mode=REFS))
    words = {str(source.family), str(source.source_kind), str(source.subject_kind)}
    child = bool(words & {"subagent", "child_lifecycle", "subagent_run", "child_artifact", "None"})
    extension = bool(words & {"extension", "extension_action", "None"})
    if child and ContentOrigin.CHILD_AGENT not in policy.origins:
        found.append(ContentCap())
    if extension and ContentOrigin.EXTENSION not in policy.origins:
        found.append(ContentCap())
    return found


@given(policy=policies, source=sources)
def test_matched_cap_is_the_narrowest_of_all_that_apply(policy: SinkContentPolicy, source: ContentSource) -> None:
    """For any policy and event: mode and both limits are the least that any rule allows, and no less."""
    applying = naive_caps(policy, source)
    matched = matched_caps(policy, source)
    assert matched.cap.mode.width == min(cap.mode.width for cap in applying)
    assert matched.cap.part_limit_bytes == min(cap.part_limit_bytes for cap in applying)
    assert matched.cap.event_limit_bytes == min(cap.event_limit_bytes for cap in applying)
    assert set(matched.modes) == set(Axis) - {Axis.EVENT}


@given(source=sources)
def test_policy_that_says_nothing_lets_nothing_through(source: ContentSource) -> None:
    """Every part of a policy defaults to off."""
    assert matched_caps(SinkContentPolicy(policy_ref=ref("policy.sink")), source).cap == NOTHING


@pytest.mark.parametrize("part", ["cap", "agents", "families", "privacy"])
def test_each_part_that_is_left_out_alone_closes(part: str) -> None:
    """A word is needed from the sink, for the agent, for the family and for the privacy class."""
    assert matched_caps(OPEN_POLICY, OPEN_SOURCE).cap == WIDE
    left_out: dict[str, Any] = {part: NOTHING if part == "cap" else AxisCaps()}
    policy = replace(OPEN_POLICY, **left_out)
    assert matched_caps(policy, OPEN_SOURCE).cap == NOTHING


def test_named_agent_counts_instead_of_otherwise() -> None:
    """One agent can be kept from a sink that has all others, and one alone be let in."""
    closed = replace(OPEN_POLICY, agents=AxisCaps({"agent.1": AxisCap()}, otherwise=anything()))
    alone = replace(OPEN_POLICY, agents=AxisCaps({"agent.1": anything()}))
    other = narrowed(OPEN_SOURCE, agent_id="agent.2")
    assert [matched_caps(closed, source).cap.mode for source in (OPEN_SOURCE, other)] == [OFF, RAW]
    assert [matched_caps(alone, source).cap.mode for source in (OPEN_SOURCE, other)] == [RAW, OFF]


def test_rule_cannot_widen_the_sink() -> None:
    """A raw cap for an agent under a sink of references leaves references."""
    policy = replace(
        OPEN_POLICY, cap=replace(WIDE, mode=REFS), agents=AxisCaps({"agent.1": AxisCap(replace(WIDE, mode=RAW))})
    )
    assert matched_caps(policy, OPEN_SOURCE).cap.mode is REFS


@pytest.mark.parametrize(
    ("change", "origins"),
    [
        ({"family": EventFamily.SUBAGENT}, {ContentOrigin.CHILD_AGENT}),
        ({"family": EventFamily.CHILD_LIFECYCLE}, {ContentOrigin.CHILD_AGENT}),
        ({"family": EventFamily.EXTENSION}, {ContentOrigin.EXTENSION}),
        ({"source_kind": SourceKind.SUBAGENT}, {ContentOrigin.CHILD_AGENT}),
        ({"source_kind": SourceKind.EXTENSION}, {ContentOrigin.EXTENSION}),
        ({"source_kind": None}, set(ContentOrigin)),
        ({"subject_kind": EntityKind.SUBAGENT_RUN}, {ContentOrigin.CHILD_AGENT}),
        ({"subject_kind": EntityKind.CHILD_ARTIFACT}, {ContentOrigin.CHILD_AGENT}),
        ({"subject_kind": EntityKind.EXTENSION_ACTION}, {ContentOrigin.EXTENSION}),
        ({"subject_kind": None}, set(ContentOrigin)),
        ({}, set()),
    ],
)
def test_child_and_extension_content_is_left_out_unless_named(
    change: dict[str, object], origins: set[ContentOrigin]
) -> None:
    """Whichever field tells it: family, source or subject; a kind this version does not know counts as both."""
    source = narrowed(OPEN_SOURCE, **change)
    families = AxisCaps(dict.fromkeys(FOREIGN_FAMILIES, anything()), otherwise=anything())
    policy = replace(OPEN_POLICY, families=families)
    assert source.origins == origins
    for named in (frozenset[ContentOrigin](), frozenset({ContentOrigin.CHILD_AGENT}), frozenset(ContentOrigin)):
        expected = RAW if origins <= named else OFF
        assert matched_caps(replace(policy, origins=named), source).cap.mode is expected


@pytest.mark.parametrize("family", [*FOREIGN_FAMILIES, EventFamily.UNKNOWN])
def test_catch_all_does_not_reach_families_that_must_be_named(family: EventFamily) -> None:
    """Naming the origin is not enough: its family has to be named too."""
    policy = replace(OPEN_POLICY, origins=frozenset(ContentOrigin))
    source = narrowed(OPEN_SOURCE, family=family)
    assert matched_caps(policy, source).cap.mode is OFF
    named = replace(policy, families=AxisCaps({family: anything()}))
    assert matched_caps(named, source).cap.mode is RAW


@pytest.mark.parametrize(
    ("privacy", "unnamed"),
    [
        (PrivacyClass.PUBLIC, RAW),
        (PrivacyClass.INTERNAL, RAW),
        (PrivacyClass.CONTENT_REFS_ONLY, REFS),
        (PrivacyClass.SENSITIVE, OFF),
        (PrivacyClass.SECRET, OFF),
        (None, OFF),
    ],
)
def test_catch_all_of_privacy_classes_stops_where_a_class_says_more(
    privacy: PrivacyClass | None, unnamed: ContentCaptureMode
) -> None:
    """An unknown class is a secret one; naming a class is what opens it."""
    source = narrowed(OPEN_SOURCE, privacy=privacy)
    assert matched_caps(OPEN_POLICY, source).cap.mode is unnamed
    named = replace(OPEN_POLICY, privacy=AxisCaps({privacy or PrivacyClass.SECRET: anything()}))
    assert matched_caps(named, source).cap.mode is RAW


def test_every_rule_that_was_asked_is_named_once() -> None:
    """The sink's first; a rule without a reference of its own is spoken for by it."""
    policy = replace(
        OPEN_POLICY,
        agents=AxisCaps({"agent.1": AxisCap(WIDE, ref("policy.agent"))}),
        families=AxisCaps(otherwise=AxisCap(WIDE, ref("policy.shared"))),
        privacy=AxisCaps(otherwise=AxisCap(WIDE, ref("policy.shared"))),
    )
    refs = matched_caps(policy, OPEN_SOURCE).policy_refs
    assert [policy_ref.id for policy_ref in refs] == ["policy.sink", "policy.agent", "policy.shared"]


def test_policy_does_not_follow_the_mapping_it_was_made_from() -> None:
    """A policy in force does not change because somebody kept the dictionary."""
    named = {"agent.2": anything()}
    policy = replace(OPEN_POLICY, agents=AxisCaps(named))
    named["agent.1"] = anything()
    assert matched_caps(policy, OPEN_SOURCE).cap == NOTHING
