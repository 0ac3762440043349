"""A short name for what decides which records a sink gets, for the ledger's lane starts."""

import json
from collections.abc import Sequence
from hashlib import sha256

from tailrace.domain.privacy import ContentCaptureMode
from tailrace.settings.tree import Settings


def lane_digest(settings: Settings, sink_id: str) -> str:
    """16 hex digits that change exactly when this sink would get other records of the same events.

    An audit compares them across lane starts: with the same digest and projector version, the same event yields the
    same records. Sizes, timings, addresses and the order of lists leave it alone; so does a secret, which goes by its
    name. Raises KeyError for an unknown sink.
    """
    selection = settings.sinks[sink_id].selection.rule()
    facts = [sorted(selection.kinds), sorted(selection.families), sorted(selection.agents)]
    return _digest(
        [*facts, settings.events.max_event_bytes, *_content_facts(settings, sink_id), *_identifier_facts(settings)]
    )


def _identifier_facts(settings: Settings) -> list[object]:
    """What decides which ids records have; nothing where nobody has set anything. Of the key a hash under itself."""
    identifiers = settings.identifiers
    if identifiers.key is None and not identifiers.refs and not identifiers.aliases:
        return []
    aliases = {kind: dict(names) for kind, names in identifiers.aliases.items()}
    return ["identifiers", identifiers.policy.encoded("lane_digest", b" ").decode(), dict(identifiers.refs), aliases]


def _content_facts(settings: Settings, sink_id: str) -> list[object]:
    """Everything that decides what a record says of content; nothing for a sink without, whatever the others do."""
    content, capture = settings.sinks[sink_id].content, settings.capture
    if content.mode is ContentCaptureMode.OFF or content.policy is None:
        return []
    policy = capture.policies[content.policy].model_dump(mode="json")
    policy["origins"] = sorted(policy["origins"])
    redaction = capture.redaction
    return [
        content.mode,
        content.policy,
        policy,
        capture.payloads,
        capture.store.kind,
        getattr(capture.store, "name", ""),
        redaction.policy_id,
        sorted((pattern.category, pattern.pattern) for pattern in redaction.patterns),
        sorted(redaction.sensitive_keys),
    ]


def letters_digest(settings: Settings) -> str:
    """As `lane_digest`, for the lane of the dead letters: of the settings, only the largest event matters to it."""
    return _digest(["dead_letter", settings.events.max_event_bytes])


def _digest(facts: Sequence[object]) -> str:
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
