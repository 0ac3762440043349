"""What may happen to content: everything is off unless it is set, and a mistake is named with its key and a remedy."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tailrace.domain.capture_policy import AxisCap, ContentCap, ContentOrigin, SinkContentPolicy
from tailrace.domain.kinds import EventFamily, SinkKind
from tailrace.domain.privacy import ContentCaptureMode, PrivacyClass, RetentionClass
from tailrace.domain.refs import PolicyKind, PolicyRef
from tailrace.settings import Settings, Severity, load
from tailrace.settings.capture import InlineStoreSettings, OmitStoreSettings, ReferenceStoreSettings
from tailrace.settings.digest import lane_digest
from tests.unit.settings.written import PLAIN, loaded, only, refused

SECRET = "correct-horse-battery-staple"  # noqa: S105 - made up; looked for where it must not be
PATTERN = "PROJECT-NIGHTJAR-[0-9]+"
RAW = {"mode": "raw_content"}
WHOLE: dict[str, Any] = {
    "payloads": True,
    "store": {"kind": "inline"},
    "redaction": {"policy_id": "house-2026", "patterns": [{"category": "project", "pattern": PATTERN}]},
    "sample_keys": {"k2026": SECRET},
    "policies": {
        "p": {
            "mode": "raw_content",
            "part_limit_bytes": 1000,
            "event_limit_bytes": 2000,
            "agents": {"otherwise": RAW, "named": {"agent.support": {**RAW, "part_limit_bytes": 10}}},
            "families": {"named": {"model": {"mode": "payload_refs", "event_limit_bytes": 20}, "tool": RAW}},
            "privacy": {"otherwise": RAW, "named": {"sensitive": {"mode": "metadata_only"}}},
            "origins": ["child_agent"],
            "retention_s": {"run_scoped": 60},
            "sample": {"rate": 0.5, "key": "k2026"},
        }
    },
}
FACTS: dict[str, Any] = {
    "policies": {
        "p": {
            "mode": "metadata_only",
            "agents": {"otherwise": {"mode": "metadata_only"}},
            "families": {"named": {"model": {"mode": "redacted_summary"}}},
            "privacy": {"otherwise": {"mode": "metadata_only"}},
        }
    }
}
CONTENT = {"mode": "raw_content", "policy": "p"}


def changed(path: str, value: object) -> dict[str, Any]:
    """WHOLE with one key replaced, or added."""
    capture = deepcopy(WHOLE)
    *above, last = path.split(".")
    place = capture
    for step in above:
        place = place[step]
    place[last] = value
    return capture


def without(path: str) -> dict[str, Any]:
    capture = changed(path, None)
    *above, last = path.split(".")
    place = capture
    for step in above:
        place = place[step]
    del place[last]
    return capture


def text(capture: dict[str, Any] | None = None, content: object = CONTENT) -> str:
    """PLAIN with the section, and `content` for sink analytics."""
    tree = yaml.safe_load(PLAIN)
    tree["sinks"]["analytics"]["content"] = content
    tree["capture"] = WHOLE if capture is None else capture
    return yaml.safe_dump(tree, sort_keys=False)


def warnings(folder: Path, written: str) -> dict[str, str]:
    file = folder / "tailrace.yaml"
    file.write_text(written, encoding="utf-8")
    _, findings = load(file, {})
    assert all(finding.severity is Severity.WARNING for finding in findings)
    return {finding.key: finding.wrong for finding in findings}


def policy_of(settings: Settings, sink_id: str = "analytics") -> SinkContentPolicy:
    policy = settings.content_policy(sink_id)
    assert policy is not None
    return policy


def test_without_a_word_about_content_nobody_gets_any(tmp_path: Path) -> None:
    settings = loaded(tmp_path)

    assert not settings.captures
    assert settings.capture.payloads is False
    assert isinstance(settings.capture.store, OmitStoreSettings)
    assert settings.capture.redaction.policy_id == ""
    for sink_id in settings.sinks:
        assert settings.content_policy(sink_id) is None
        assert settings.sink_spec(sink_id).content_capture is ContentCaptureMode.OFF


def test_an_empty_policy_lets_nothing_through_on_any_axis(tmp_path: Path) -> None:
    capture: dict[str, Any] = {"policies": {"p": {}}}

    policy = policy_of(loaded(tmp_path, text(capture, {"mode": "metadata_only", "policy": "p"})))

    nothing = AxisCap(ContentCap())
    assert policy.cap == ContentCap()
    assert (policy.agents.otherwise, policy.families.otherwise, policy.privacy.otherwise) == (nothing,) * 3
    assert (policy.origins, dict(policy.retention.windows_s), policy.sampling.rate) == (frozenset(), {}, 0)
    assert policy.redaction_policy_id == ""


def test_a_sinks_policy_is_what_was_written(tmp_path: Path) -> None:
    settings = loaded(tmp_path, text())
    policy = policy_of(settings)

    assert settings.captures
    assert policy.policy_ref == PolicyRef(PolicyKind.PRIVACY, "p")
    assert policy.cap == ContentCap(mode=ContentCaptureMode.RAW_CONTENT, part_limit_bytes=1000, event_limit_bytes=2000)
    assert policy.agents.named["agent.support"].cap.part_limit_bytes == 10
    assert policy.families.named[EventFamily.MODEL].cap.mode is ContentCaptureMode.PAYLOAD_REFS
    assert policy.families.otherwise.cap.mode is ContentCaptureMode.OFF
    assert policy.privacy.named[PrivacyClass.SENSITIVE].cap.mode is ContentCaptureMode.METADATA_ONLY
    assert policy.origins == {ContentOrigin.CHILD_AGENT}
    assert policy.retention.windows_s == {RetentionClass.RUN_SCOPED: 60}
    assert policy.sampling.key is not None
    assert (policy.sampling.key.name, policy.sampling.key.secret) == ("k2026", SECRET.encode())
    assert policy.redaction_policy_id == "house-2026"


def test_a_rule_without_a_limit_has_the_policys(tmp_path: Path) -> None:
    policy = policy_of(loaded(tmp_path, text()))

    assert policy.agents.otherwise.cap == policy.cap
    assert policy.agents.named["agent.support"].cap.event_limit_bytes == 2000
    assert policy.families.named[EventFamily.MODEL].cap.part_limit_bytes == 1000
    assert policy.families.named[EventFamily.MODEL].cap.event_limit_bytes == 20


def test_a_sink_declares_its_id_kind_and_mode(tmp_path: Path) -> None:
    settings = loaded(tmp_path, text())

    spec = settings.sink_spec("analytics")

    assert (spec.sink_id, spec.sink_kind) == ("analytics", SinkKind.DURABLE_TRACE)
    assert spec.content_capture is ContentCaptureMode.RAW_CONTENT
    assert settings.content_policy("diagnostic") is None


def test_a_bare_off_is_the_mode_and_no_truth_value(tmp_path: Path) -> None:
    """YAML reads `off` as false."""
    written = text().replace("mode: raw_content\n      policy: p", "mode: off\n      policy: p")
    written = written.replace("payloads: true", "payloads: false")

    assert loaded(tmp_path, written).content_policy("analytics") is None


def test_a_reference_store_has_bounds_of_its_own(tmp_path: Path) -> None:
    store = {"kind": "reference", "url": "s3://bucket/prefix", "name": "archive"}
    capture = {**changed("store", store), "payloads": False}

    found = loaded(tmp_path, text(capture)).capture.store

    assert isinstance(found, ReferenceStoreSettings)
    assert (found.url, found.name, found.bound_s, found.plain_http) == ("s3://bucket/prefix", "archive", 10.0, False)


def test_variables_reach_every_part_of_it(tmp_path: Path) -> None:
    environ = {
        "TAILRACE_CAPTURE__PAYLOADS": "true",
        "TAILRACE_CAPTURE__STORE__KIND": "inline",
        "TAILRACE_CAPTURE__SAMPLE_KEYS__K1": SECRET,
        "TAILRACE_CAPTURE__REDACTION__POLICY_ID": "r",
        "TAILRACE_CAPTURE__REDACTION__SENSITIVE_KEYS": '["matricula"]',
        "TAILRACE_CAPTURE__REDACTION__PATTERNS": '[{"category": "badge", "pattern": "B[0-9]{6}"}]',
        "TAILRACE_CAPTURE__POLICIES__P__MODE": "raw_content",
        "TAILRACE_CAPTURE__POLICIES__P__PART_LIMIT_BYTES": "10",
        "TAILRACE_CAPTURE__POLICIES__P__EVENT_LIMIT_BYTES": "20",
        "TAILRACE_CAPTURE__POLICIES__P__AGENTS__OTHERWISE__MODE": "raw_content",
        "TAILRACE_CAPTURE__POLICIES__P__FAMILIES": '{"named": {"model": {"mode": "raw_content"}}}',
        "TAILRACE_CAPTURE__POLICIES__P__PRIVACY__OTHERWISE__MODE": "raw_content",
        "TAILRACE_CAPTURE__POLICIES__P__RETENTION_S__RUN_SCOPED": "60",
        "TAILRACE_CAPTURE__POLICIES__P__SAMPLE__RATE": "0.25",
        "TAILRACE_CAPTURE__POLICIES__P__SAMPLE__KEY": "k1",
        "TAILRACE_SINKS__ANALYTICS__CONTENT__MODE": "raw_content",
        "TAILRACE_SINKS__ANALYTICS__CONTENT__POLICY": "p",
    }

    settings = loaded(tmp_path, environ=environ)
    policy = policy_of(settings)

    assert isinstance(settings.capture.store, InlineStoreSettings)
    assert settings.capture.redaction.sensitive_keys == ("matricula",)
    assert [pattern.category for pattern in settings.capture.redaction.patterns] == ["badge"]
    assert (policy.sampling.rate, policy.retention.windows_s) == (0.25, {RetentionClass.RUN_SCOPED: 60})
    assert policy.families.named[EventFamily.MODEL].cap == policy.cap


REFUSED = {
    "a mode without a policy": (
        text(content={"mode": "raw_content"}),
        "sinks.analytics.content",
        "mode raw_content needs a policy",
        "Add policy: with the name of one of capture.policies",
    ),
    "a policy that is not there": (
        text(without("payloads"), {"mode": "raw_content", "policy": "pp"}),
        "sinks.analytics.content.policy",
        "there is no policy pp in capture.policies",
        "Did you mean p? Add capture.policies.pp, or name another; there are p",
    ),
    "a mode that is none": (
        text(content={"mode": "raw", "policy": "p"}),
        "sinks.analytics.content.mode",
        "not one of its values",
        "Write one of off, metadata_only, redacted_summary, payload_refs, raw_content",
    ),
    "on in place of a mode": (
        text(content={"mode": True, "policy": "p"}),
        "sinks.analytics.content.mode",
        "not one of its values",
        "Write one of off",
    ),
    "a sample key that is not there": (
        text(changed("policies.p.sample.key", "k2027")),
        "capture.policies.p.sample.key",
        "there is no key k2027 in capture.sample_keys",
        "Did you mean k2026? Add capture.sample_keys.k2027, best as a variable",
    ),
    "a sample key that is too short": (
        text(changed("sample_keys.k2026", SECRET[:15])),
        "capture.sample_keys.k2026",
        "is too short for a key: 15 bytes",
        "a random secret of 16 bytes or more",
    ),
    "a sample key that is a number": (
        text(changed("sample_keys.k2026", 1234567890123456789)),
        "capture.sample_keys.k2026",
        "is not a text",
        "in quotes",
    ),
    "the name of a key in capitals": (
        text({**WHOLE, "sample_keys": {"k2026": SECRET, "K27": SECRET}}),
        "capture.sample_keys.K27",
        "is not a name",
        "lower-case",
    ),
    "a rate between 0 and 1 without a key": (
        text(changed("policies.p.sample", {"rate": 0.5})),
        "capture.policies.p.sample",
        "rate 0.5 needs a key",
        "one of capture.sample_keys",
    ),
    "a rate above 1": (
        text(changed("policies.p.sample.rate", 50)),
        "capture.policies.p.sample.rate",
        "must be at most 1",
        "in range",
    ),
    "a rate that is a truth value": (
        text(changed("policies.p.sample.rate", True)),
        "capture.policies.p.sample.rate",
        "a truth value",
        "Write a number",
    ),
    "a policy without limits": (
        text(without("policies.p.part_limit_bytes")),
        "capture.policies.p",
        "mode raw_content with part_limit_bytes 0 lets no content through",
        "Set part_limit_bytes above 0, or mode to off",
    ),
    "a policy without a limit for events": (
        text(changed("policies.p.event_limit_bytes", 0)),
        "capture.policies.p",
        "with event_limit_bytes 0",
        "above 0",
    ),
    "a rule with a limit of 0": (
        text(changed("policies.p.families.named.model.event_limit_bytes", 0)),
        "capture.policies.p.families.named.model",
        "mode payload_refs with event_limit_bytes 0",
        "above 0",
    ),
    "a limit beyond all that is parsed": (
        text(changed("policies.p.part_limit_bytes", 2**40)),
        "capture.policies.p.part_limit_bytes",
        "must be at most 67108864",
        "in range",
    ),
    "a window of 0": (
        text(changed("policies.p.retention_s.run_scoped", 0)),
        "capture.policies.p.retention_s.run_scoped",
        "is no window",
        "seconds above 0, or remove the class",
    ),
    "a retention class nobody knows": (
        text(changed("policies.p.retention_s", {"for_ever": 10})),
        "capture.policies.p.retention_s.for_ever",
        "not one of its values",
        "run_scoped",
    ),
    "a family nobody knows": (
        text(changed("policies.p.families.named", {"models": RAW})),
        "capture.policies.p.families.named.models",
        "not one of its values",
        "model",
    ),
    "an agent id with a line end": (
        text(changed("policies.p.agents.named", {"a\nb": RAW})),
        "capture.policies.p.agents.named.a\nb",
        "is not an agent id",
        "as events have it",
    ),
    "an origin nobody knows": (
        text(changed("policies.p.origins", ["child"])),
        "capture.policies.p.origins.0",
        "not one of its values",
        "child_agent, extension",
    ),
    "a reference store without a place": (
        text(changed("store", {"kind": "reference", "name": "archive"})),
        "capture.store.url",
        "is missing",
        "Add url: s3://bucket/prefix under capture.store",
    ),
    "a reference store without a name": (
        text(changed("store", {"kind": "reference", "url": "file:///somewhere"})),
        "capture.store.name",
        "is missing",
        "Add name: archive under capture.store",
    ),
    "a URL with a password": (
        text(changed("store", {"kind": "reference", "url": f"s3://me:{SECRET}@bucket", "name": "a"})),
        "capture.store.url",
        "holds credentials",
        "come from the environment",
    ),
    "a URL of something else": (
        text(changed("store", {"kind": "reference", "url": f"https://{SECRET}/x", "name": "a"})),
        "capture.store.url",
        "is not the URL of an object store",
        "file://, memory://, s3://, gs://, az://",
    ),
    "a directory of another machine": (
        text(changed("store", {"kind": "reference", "url": f"file://{SECRET}/x", "name": "a"})),
        "capture.store.url",
        "is no directory of this machine",
        "file:///directory",
    ),
    "a key of another store": (
        text(changed("store", {"kind": "inline", "url": "s3://bucket"})),
        "capture.store.url",
        "is not a key of an inline store",
        "It belongs to kind reference",
    ),
    "a key of no store": (
        text(changed("store", {"kind": "reference", "url": "s3://b", "name": "a", "bounds": 1})),
        "capture.store.bounds",
        "is not a known key of a reference store",
        "Did you mean capture.store.bound_s?",
    ),
    "a store of no kind": (
        text(changed("store", {"url": "s3://bucket"})),
        "capture.store",
        "has no kind",
        "Add kind: with one of omit, inline, reference",
    ),
    "a store of an unknown kind": (
        text(changed("store", {"kind": "referenc"})),
        "capture.store.kind",
        "is not a kind of store",
        "Did you mean reference? Kinds there are: omit, inline, reference",
    ),
    "two patterns of one category": (
        text(changed("redaction.patterns", [{"category": "a", "pattern": "x"}, {"category": "a", "pattern": "y"}])),
        "capture.redaction",
        "has category a twice",
        "Join the two patterns",
    ),
    "a category in capitals": (
        text(changed("redaction.patterns", [{"category": "Badge", "pattern": "x"}])),
        "capture.redaction.patterns.0.category",
        "is not the name of a category",
        "lower-case",
    ),
    "a sensitive key of signs": (
        text(changed("redaction.sensitive_keys", ["--"])),
        "capture.redaction.sensitive_keys.0",
        "is no key that anybody writes",
        "a letter or digit",
    ),
    "a redaction policy with a blank": (
        text(changed("redaction.policy_id", "our rules")),
        "capture.redaction.policy_id",
        "is not the name of a redaction policy",
        "Use letters",
    ),
    "payloads with a store that keeps them off records": (
        text(changed("store", {"kind": "reference", "url": "s3://bucket", "name": "a"})),
        "capture.payloads",
        "store reference puts no content on records",
        "Set capture.store.kind to inline, or remove payloads",
    ),
    "payloads where no sink can have them": (
        text(content={"mode": "payload_refs", "policy": "p"}),
        "capture.payloads",
        "no sink can be granted raw_content",
        "or remove payloads",
    ),
}


@pytest.mark.parametrize(("written", "key", "wrong", "remedy"), REFUSED.values(), ids=REFUSED.keys())
def test_a_mistake_is_named_with_its_key_and_what_to_do(
    tmp_path: Path, written: str, key: str, wrong: str, remedy: str
) -> None:
    findings = [finding for finding in refused(tmp_path, written) if finding.severity is Severity.ERROR]

    finding = only(tuple(findings))
    assert finding.key == key
    assert wrong in finding.wrong
    assert remedy in finding.remedy
    assert finding.source.startswith(str(tmp_path / "tailrace.yaml"))


@pytest.mark.parametrize("written", [row[0] for row in REFUSED.values()], ids=REFUSED.keys())
def test_no_finding_repeats_a_secret_or_a_pattern(tmp_path: Path, written: str) -> None:
    said = "\n".join(str(finding) for finding in refused(tmp_path, written))

    assert SECRET[:8] not in said
    assert "NIGHTJAR" not in said


def test_no_representation_shows_a_secret_or_a_pattern(tmp_path: Path) -> None:
    settings = loaded(tmp_path, text(changed("redaction.sensitive_keys", ["nightjar_member"])))

    shown = f"{settings!r} {settings} {settings.content_policy('analytics')!r} {settings.model_dump_json()}"

    assert SECRET not in shown
    assert "nightjar" not in repr(settings).lower()


WARNED = {
    "no window": (without("policies.p.retention_s"), "capture.policies.p.retention_s has no run_scoped"),
    "a window for no event": (
        changed("policies.p.retention_s", {"durable": 60}),
        "capture.policies.p.retention_s has no run_scoped",
    ),
    "no sample": (changed("policies.p.sample.rate", 0), "capture.policies.p.sample.rate is 0"),
    "no name for the redaction": (changed("redaction.policy_id", ""), "capture.redaction.policy_id is not set"),
    "no agent": (changed("policies.p.agents", {}), "capture.policies.p.agents is off at most"),
    "no family": (changed("policies.p.families", {}), "capture.policies.p.families is off at most"),
    "no privacy class": (changed("policies.p.privacy", {}), "capture.policies.p.privacy is off at most"),
    "a policy without content": (changed("policies.p.mode", "redacted_summary"), "p.mode is redacted_summary"),
    "the switch is off": ({}, "capture.payloads is false"),
    "a store that keeps nothing": (changed("store", {"kind": "omit"}), "capture.store.kind is omit"),
    "an inline store for references": (changed("policies.p.mode", "payload_refs"), "which needs raw_content"),
}


@pytest.mark.parametrize(("capture", "why"), WARNED.values(), ids=WARNED.keys())
def test_a_sink_that_can_never_get_content_is_told_why(tmp_path: Path, capture: dict[str, Any], why: str) -> None:
    found = warnings(tmp_path, text({**WHOLE, **capture, "payloads": False}))

    assert found.keys() == {"sinks.analytics.content"}
    assert "no content will leave for this sink" in found["sinks.analytics.content"]
    assert why in found["sinks.analytics.content"]


def test_a_sink_for_less_than_content_is_told_if_its_policy_gives_even_less(tmp_path: Path) -> None:
    found = warnings(tmp_path, text(FACTS, {"mode": "redacted_summary", "policy": "p"}))

    (said,) = found.values()
    assert said.startswith(
        "no event will have redacted_summary for this sink: capture.policies.p.mode is metadata_only"
    )
    assert "capture.policies.p.agents is metadata_only at most" in said
    assert "families" not in said


def test_raw_content_without_switch_store_and_redaction_is_allowed_and_said_in_one_line(tmp_path: Path) -> None:
    capture = {**changed("redaction", {}), "payloads": False, "store": {"kind": "omit"}}

    (said,) = warnings(tmp_path, text(capture)).values()

    assert said.endswith("whatever the event: capture.redaction.policy_id is not set; capture.store.kind is omit")


def test_a_buffer_holds_four_events_with_their_content_beside_them(tmp_path: Path) -> None:
    """Every buffer: the first record of an event brings the event along, whoever is to get content of it."""
    tree = yaml.safe_load(text())
    tree["sinks"]["diagnostic"]["buffer"] = {"capacity_bytes": 8 * 1024 * 1024 - 1}

    finding = only(refused(tmp_path, yaml.safe_dump(tree)))

    assert finding.key == "sinks.diagnostic.buffer.capacity_bytes"
    assert "each with its content beside its first record (8388608 bytes)" in finding.wrong


def test_a_diagnostic_file_has_room_for_content_in_base64(tmp_path: Path) -> None:
    capture = changed("policies.p.event_limit_bytes", 3 * 1024 * 1024)
    tree = yaml.safe_load(text(capture))
    tree["sinks"]["diagnostic"] |= {"content": CONTENT, "rotate_bytes": 5 * 1024 * 1024 - 1}

    assert warnings(tmp_path, yaml.safe_dump(tree)).keys() == {"sinks.diagnostic.rotate_bytes"}


def test_a_part_limit_above_that_of_the_event_is_worth_a_word(tmp_path: Path) -> None:
    found = warnings(tmp_path, text(changed("policies.p.part_limit_bytes", 2001)))

    assert found.keys() == {"capture.policies.p.part_limit_bytes"}


@pytest.mark.parametrize(
    ("capture", "content"),
    [
        (WHOLE, CONTENT),
        ({**changed("store", {"kind": "reference", "url": "file:///parts", "name": "a"}), "payloads": False}, CONTENT),
        (FACTS, {"mode": "metadata_only", "policy": "p"}),
        ({**WHOLE, "payloads": False}, {"mode": "redacted_summary", "policy": "p"}),
    ],
    ids=["inline", "reference", "facts only", "summary"],
)
def test_what_does_something_passes_without_a_word(
    tmp_path: Path, capture: dict[str, Any], content: dict[str, str]
) -> None:
    assert warnings(tmp_path, text(capture, content)) == {}


@pytest.mark.parametrize(
    ("capture", "content", "key"),
    [
        ({**WHOLE, "payloads": False}, {"mode": "off", "policy": "p"}, "sinks.analytics.content.policy"),
        (changed("policies.other", FACTS["policies"]["p"]), CONTENT, "capture.policies.other"),
        (changed("sample_keys.old", SECRET), CONTENT, "capture.sample_keys.old"),
        (changed("policies.p.retention_s.run_scoped", 10**20), CONTENT, "capture.policies.p.retention_s.run_scoped"),
        (
            {**changed("store", {"kind": "reference", "url": "memory:///", "name": "a"}), "payloads": False},
            CONTENT,
            "capture.store.url",
        ),
    ],
    ids=["a policy beside mode off", "a policy nobody names", "a key nobody names", "an endless window", "in memory"],
)
def test_what_does_nothing_is_worth_a_word(
    tmp_path: Path, capture: dict[str, Any], content: dict[str, str], key: str
) -> None:
    assert key in warnings(tmp_path, text(capture, content))


def test_the_digest_of_a_lane_changes_with_its_content_mode_and_not_with_policies(tmp_path: Path) -> None:
    """What an audit compares does not depend on policies, so a change of one must not cost it its proof."""

    def digest(capture: dict[str, Any], content: object = CONTENT) -> str:
        return lane_digest(loaded(tmp_path, text(capture, content)), "analytics")

    whole = digest(WHOLE)

    assert digest(changed("policies.p.retention_s.run_scoped", 61)) == whole
    assert digest(changed("sample_keys.k2026", SECRET + "-other")) == whole
    assert digest({**WHOLE, "payloads": False, "store": {"kind": "omit"}}) == whole
    assert digest({**WHOLE, "payloads": False}, {"mode": "payload_refs", "policy": "p"}) != whole
    assert lane_digest(loaded(tmp_path), "analytics") != whole


def test_the_digest_of_a_lane_without_content_does_not_know_the_rules_of_others(tmp_path: Path) -> None:
    settings = loaded(tmp_path, text())
    before = lane_digest(loaded(tmp_path), "diagnostic")

    assert lane_digest(settings, "diagnostic") == before
