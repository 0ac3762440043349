"""A short name for what decides which records a sink gets, for the ledger's lane starts."""

import json
from collections.abc import Sequence
from hashlib import sha256

from tailrace.domain.privacy import ContentCaptureMode
from tailrace.settings.tree import Settings


def lane_digest(settings: Settings, sink_id: str) -> str:
    """16 hex digits that change exactly when this sink would get other records of the same events.

    An audit compares them across lane starts: with the same digest and projector version, the same event yields the
    same records, but for what their content fields say. Of those the sink's mode alone is in it, as the most they can
    be: policies go by the moment of export, and each record says how it was decided. Sizes, timings, addresses and the
    order of lists leave it alone. Raises KeyError for an unknown sink.
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
    mode = settings.sinks[sink_id].content.mode
    return [] if mode is ContentCaptureMode.OFF else ["content", mode]


def letters_digest(settings: Settings) -> str:
    """As `lane_digest`, for the lane of the dead letters: of the settings, only the largest event matters to it."""
    return _digest(["dead_letter", settings.events.max_event_bytes])


def _digest(facts: Sequence[object]) -> str:
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
