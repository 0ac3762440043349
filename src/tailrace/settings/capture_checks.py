"""The rules that tie the keys about content together, across sinks, policies, keys and the store."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from tailrace.domain.privacy import ContentCaptureMode, RetentionClass, narrowest
from tailrace.settings.capture import (
    AgentCaps,
    FamilyCaps,
    InlineStoreSettings,
    OmitStoreSettings,
    PrivacyCaps,
    ReferenceStoreSettings,
)
from tailrace.settings.problems import Finding, error_at, listed, nearest, warning_at
from tailrace.settings.tree import Settings

CLASS_OF_EVENTS: Final = RetentionClass.RUN_SCOPED
"""Events do not state a retention class; this is the one that they are read with, and that their records have."""

LONGEST_WINDOW_S: Final = 10 * 366 * 86_400
"""Ten years: longer than any law on such data asks for, and shorter than a slip of three digits."""

_Caps = AgentCaps | FamilyCaps | PrivacyCaps


def policies_are_there(settings: Settings) -> Iterator[Finding]:
    known = settings.capture.policies
    for sink_id, sink in settings.sinks.items():
        if (name := sink.content.policy) is not None and name not in known:
            yield error_at(
                f"sinks.{sink_id}.content.policy",
                f"there is no policy {name} in capture.policies",
                _instead(name, known, f"Add capture.policies.{name}"),
            )


def sample_keys_are_there(settings: Settings) -> Iterator[Finding]:
    known = settings.capture.sample_keys
    for name, policy in settings.capture.policies.items():
        if (key := policy.sample.key) is not None and key not in known:
            yield error_at(
                f"capture.policies.{name}.sample.key",
                f"there is no key {key} in capture.sample_keys",
                _instead(key, known, f"Add capture.sample_keys.{key}, best as a variable"),
            )


def payloads_have_a_way(settings: Settings) -> Iterator[Finding]:
    """A switch that switches nothing is one that somebody believes in."""
    capture = settings.capture
    if not capture.payloads:
        return
    if not isinstance(capture.store, InlineStoreSettings):
        yield error_at(
            "capture.payloads",
            f"is on, but store {capture.store.kind} puts no content on records, and only store inline does",
            "Set capture.store.kind to inline, or remove payloads",
        )
    elif not any(widest_mode(settings, sink_id).captures_raw_content for sink_id in settings.sinks):
        yield error_at(
            "capture.payloads",
            "is on, but no sink can be granted raw_content, without which nothing leaves inline",
            "Set raw_content as the mode of a sink's content, of its policy and of that policy's agents, families and "
            "privacy, or remove payloads",
        )


def content_has_a_way(settings: Settings) -> Iterator[Finding]:
    for sink_id, sink in settings.sinks.items():
        if sink.content.mode.carries_content and (barriers := content_barriers(settings, sink_id)):
            yield warning_at(
                f"sinks.{sink_id}.content",
                f"no content will leave for this sink, whatever the event: {'; '.join(barriers)}",
                "Mend each of these if it is to get content, or set its content.mode to redacted_summary or less",
            )
        elif narrower := _rules_below(settings, sink_id, sink.content.mode):
            yield warning_at(
                f"sinks.{sink_id}.content",
                f"no event will have {sink.content.mode} for this sink: {'; '.join(narrower)}",
                f"Set {sink.content.mode} in each of these, or the sink's content.mode to what they let through",
            )


def limits_fit_into_each_other(settings: Settings) -> Iterator[Finding]:
    for name, policy in settings.capture.policies.items():
        if policy.part_limit_bytes > policy.event_limit_bytes:
            yield warning_at(
                f"capture.policies.{name}.part_limit_bytes",
                f"a part of {policy.part_limit_bytes} bytes would be above event_limit_bytes "
                f"({policy.event_limit_bytes}), and keep the other parts of its event back as well",
                "Lower it to event_limit_bytes, so that a large part is left out alone",
            )


def nothing_is_without_effect(settings: Settings) -> Iterator[Finding]:
    """A key that changes nothing is one that somebody believes in."""
    capture, contents = settings.capture, {sink_id: sink.content for sink_id, sink in settings.sinks.items()}
    for sink_id, content in contents.items():
        if content.policy is not None and content.mode is ContentCaptureMode.OFF:
            yield warning_at(
                f"sinks.{sink_id}.content.policy",
                f"{content.policy} has no effect, since content.mode is off",
                "Set content.mode, or remove the policy",
            )
    for name in sorted(capture.policies.keys() - {content.policy for content in contents.values()}):
        yield warning_at(
            f"capture.policies.{name}",
            "has no effect, since no sink names it",
            "Name it in a sink's content.policy, or remove it",
        )
    for name in sorted(capture.sample_keys.keys() - {policy.sample.key for policy in capture.policies.values()}):
        yield warning_at(
            f"capture.sample_keys.{name}",
            "has no effect, since no policy names it",
            "Name it in a policy's sample.key, or remove it",
        )


def windows_close(settings: Settings) -> Iterator[Finding]:
    for name, policy in settings.capture.policies.items():
        for retention, seconds in policy.retention_s.items():
            if seconds > LONGEST_WINDOW_S:
                yield warning_at(
                    f"capture.policies.{name}.retention_s.{retention}",
                    f"{seconds} seconds are more than ten years, so that this window never closes",
                    "Write how long content may leave after its event, in seconds",
                )


def stores_keep(settings: Settings) -> Iterator[Finding]:
    store = settings.capture.store
    if isinstance(store, ReferenceStoreSettings) and store.url.startswith("memory:"):
        yield warning_at(
            "capture.store.url",
            "is the worker's own memory: what is kept there ends with it, and nobody else can read it",
            "Name a directory or a bucket, unless this is a test",
        )


CAPTURE_RULES: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    policies_are_there,
    sample_keys_are_there,
    payloads_have_a_way,
    content_has_a_way,
    limits_fit_into_each_other,
    nothing_is_without_effect,
    windows_close,
    stores_keep,
)


def content_barriers(settings: Settings, sink_id: str) -> tuple[str, ...]:
    """Why no content of any event can reach this sink, in words that name the keys; empty if some event's could.

    Also empty for a sink whose policy is not there: that is an error of its own. KeyError for an unknown sink.
    """
    content, capture = settings.sinks[sink_id].content, settings.capture
    if not content.mode.carries_content:
        return (f"sinks.{sink_id}.content.mode is {content.mode}",)
    if content.policy is None or (policy := capture.policies.get(content.policy)) is None:
        return ()
    key = f"capture.policies.{content.policy}"
    found = _rules_below(settings, sink_id, ContentCaptureMode.PAYLOAD_REFS)
    if CLASS_OF_EVENTS not in policy.retention_s:
        found.append(f"{key}.retention_s has no {CLASS_OF_EVENTS}, which is the class of every event")
    if policy.sample.rate == 0:
        found.append(f"{key}.sample.rate is 0")
    if not capture.redaction.policy_id:
        found.append("capture.redaction.policy_id is not set")
    return (*found, *_barriers_of_store(settings, sink_id))


def _rules_below(settings: Settings, sink_id: str, mode: ContentCaptureMode) -> list[str]:
    """What in a sink's policy keeps every event narrower than `mode`; empty if nothing does, or there is no policy."""
    name, policies = settings.sinks[sink_id].content.policy, settings.capture.policies
    if name is None or (policy := policies.get(name)) is None:
        return []
    key = f"capture.policies.{name}"
    axes: dict[str, _Caps] = {"agents": policy.agents, "families": policy.families, "privacy": policy.privacy}
    widest = {axis: _widest(caps) for axis, caps in axes.items()}
    found = [] if policy.mode.width >= mode.width else [f"{key}.mode is {policy.mode}"]
    return found + [f"{key}.{axis} is {most} at most" for axis, most in widest.items() if most.width < mode.width]


def _barriers_of_store(settings: Settings, sink_id: str) -> Iterator[str]:
    capture = settings.capture
    if isinstance(capture.store, OmitStoreSettings):
        yield "capture.store.kind is omit"
    elif isinstance(capture.store, InlineStoreSettings):
        widest = widest_mode(settings, sink_id)
        if widest is ContentCaptureMode.PAYLOAD_REFS:
            yield f"capture.store.kind is inline, which needs raw_content, and {widest} is the most the sink can get"
        if not capture.payloads:
            yield "capture.payloads is false"


def widest_mode(settings: Settings, sink_id: str) -> ContentCaptureMode:
    """The most that any event's content could get at this sink, by modes alone; off if its policy is not there."""
    content, policies = settings.sinks[sink_id].content, settings.capture.policies
    if content.policy is None or (policy := policies.get(content.policy)) is None:
        return ContentCaptureMode.OFF
    axes = (_widest(policy.agents), _widest(policy.families), _widest(policy.privacy))
    return narrowest(content.mode, policy.mode, *axes)


def _widest(caps: _Caps) -> ContentCaptureMode:
    modes = [caps.otherwise.mode, *(rule.mode for rule in caps.named.values())]
    return max(modes, key=lambda mode: mode.width)


def _instead(name: str, known: Mapping[str, object], add: str) -> str:
    near = nearest(name, known)
    there = f"; there are {listed(sorted(known))}" if known else ""
    return f"{f'Did you mean {near}? ' if near else ''}{add}, or name another{there}"
