"""A short name for what decides which records a sink gets, for the ledger's lane starts."""

import json
from hashlib import sha256

from tailrace.settings.tree import Settings


def lane_digest(settings: Settings, sink_id: str) -> str:
    """16 hex digits that change exactly when this sink would get other records of the same events.

    An audit compares them across lane starts: with the same digest and projector version, the same event yields the
    same records. Sizes, timings, addresses and the order of lists leave it alone. Raises KeyError for an unknown sink.
    """
    selection = settings.sinks[sink_id].selection.rule()
    facts = [sorted(selection.kinds), sorted(selection.families), sorted(selection.agents)]
    return sha256(json.dumps([*facts, settings.events.max_event_bytes]).encode()).hexdigest()[:16]
