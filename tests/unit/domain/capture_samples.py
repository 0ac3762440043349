"""Events with content, sinks and policies that are open on every side, for tests that close one."""

from dataclasses import fields, replace
from typing import Any, TypeVar

from hypothesis import strategies as st

from tailrace import ContentCaptureMode, EventFamily, PolicyKind, PolicyRef, PrivacyClass, RetentionClass, SinkSpec
from tailrace.domain.capture_policy import (
    AxisCap,
    AxisCaps,
    ContentCap,
    ContentOrigin,
    ContentSource,
    SinkContentPolicy,
)
from tailrace.domain.refs import EntityKind, SourceKind
from tailrace.domain.retention import RetentionWindows
from tailrace.domain.sampling import SampleKey, SampleRule

RAW = ContentCaptureMode.RAW_CONTENT
NOW_US = 1_750_000_000_000_000
WINDOW_S = 3_600
PART_LIMIT = 1_000
EVENT_LIMIT = 2_000
KEY = SampleKey("sample.2025", b"k" * 32)

WIDE = ContentCap(mode=RAW, part_limit_bytes=PART_LIMIT, event_limit_bytes=EVENT_LIMIT)


def ref(name: str) -> PolicyRef:
    return PolicyRef(PolicyKind.PRIVACY, name)


def anything() -> AxisCap:
    return AxisCap(WIDE)


OPEN_POLICY = SinkContentPolicy(
    policy_ref=ref("policy.sink"),
    cap=WIDE,
    agents=AxisCaps(otherwise=anything()),
    families=AxisCaps(otherwise=anything()),
    privacy=AxisCaps(otherwise=anything()),
    retention=RetentionWindows({RetentionClass.RUN_SCOPED: WINDOW_S}),
    sampling=SampleRule(1.0),
    redaction_policy_id="redaction.1",
)
OPEN_SOURCE = ContentSource(
    run_id="run.1",
    agent_id="agent.1",
    family=EventFamily.MODEL,
    privacy=PrivacyClass.INTERNAL,
    content_capture=RAW,
    source_kind=SourceKind.SDK,
    subject_kind=EntityKind.RUN,
    retention=RetentionClass.RUN_SCOPED,
    event_time_us=NOW_US - 1,
)
RAW_SINK = SinkSpec.test("s.1", 2).with_content_capture(RAW)

modes = st.sampled_from(ContentCaptureMode)
limits = st.sampled_from([0, 1, PART_LIMIT, *[EVENT_LIMIT] * 4, *[2**64 - 1] * 4])
caps = st.builds(ContentCap, mode=modes, part_limit_bytes=limits, event_limit_bytes=limits)
# Mostly raw: otherwise hardly any example has every side open.
wide_modes = st.sampled_from([RAW] * 8 + list(ContentCaptureMode))  # one_of would draw equal branches once
wide_caps = st.builds(ContentCap, mode=wide_modes, part_limit_bytes=limits, event_limit_bytes=limits)
axis_caps = st.builds(AxisCap, cap=wide_caps, policy_ref=st.none() | st.sampled_from([ref("p.1"), ref("p.2")]))
agent_ids = st.sampled_from(["agent.1", "agent.2"])
wild_sources = st.builds(
    ContentSource,
    run_id=st.sampled_from([f"run.{number}" for number in range(8)]),
    agent_id=agent_ids,
    family=st.sampled_from([EventFamily.MODEL] * 8 + list(EventFamily)),
    privacy=st.none() | st.sampled_from(PrivacyClass),
    content_capture=wide_modes | st.none(),
    source_kind=st.sampled_from([SourceKind.SDK] * 8 + [None, *SourceKind]),
    subject_kind=st.sampled_from([EntityKind.RUN] * 20 + [None, *EntityKind]),
    retention=st.sampled_from([RetentionClass.RUN_SCOPED] * 4 + list(RetentionClass)),
    event_time_us=st.sampled_from([NOW_US, NOW_US - 1, NOW_US - WINDOW_S * 1_000_000, NOW_US + 10**12]),
)
wild_policies = st.builds(
    SinkContentPolicy,
    policy_ref=st.just(ref("policy.sink")),
    cap=wide_caps,
    agents=st.builds(AxisCaps, named=st.dictionaries(agent_ids, axis_caps), otherwise=axis_caps),
    families=st.builds(
        AxisCaps, named=st.dictionaries(st.sampled_from(EventFamily), axis_caps, max_size=4), otherwise=axis_caps
    ),
    privacy=st.builds(
        AxisCaps, named=st.dictionaries(st.sampled_from(PrivacyClass), axis_caps, max_size=4), otherwise=axis_caps
    ),
    origins=st.frozensets(st.sampled_from(ContentOrigin)),
    retention=st.sampled_from([RetentionWindows({RetentionClass.RUN_SCOPED: WINDOW_S})] * 4 + [RetentionWindows()]),
    sampling=st.sampled_from([SampleRule(1.0), SampleRule(1.0), SampleRule(0.5, KEY), SampleRule()]),
    redaction_policy_id=st.sampled_from(["redaction.1", "redaction.1", ""]),
)
sinks = wide_modes.map(RAW_SINK.with_content_capture)
Value = TypeVar("Value", ContentSource, SinkContentPolicy)


@st.composite
def nearly(draw: st.DrawFn, wide_open: Value, wild: st.SearchStrategy[Value]) -> Value:
    """`wide_open` with some fields as in a wild one: with all of them wild, hardly any example has content."""
    names = [field.name for field in fields(wide_open)]
    if draw(st.integers(0, 4)):
        names = draw(st.lists(st.sampled_from(names), max_size=2, unique=True))
    other = draw(wild)
    changes: dict[str, Any] = {name: getattr(other, name) for name in names}
    return replace(wide_open, **changes)


sources = nearly(OPEN_SOURCE, wild_sources)
policies = nearly(OPEN_POLICY, wild_policies)


def narrowed(source: ContentSource, **changes: object) -> ContentSource:
    return replace(source, **changes)  # type: ignore[arg-type]
