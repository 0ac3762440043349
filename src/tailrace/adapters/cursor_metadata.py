"""The text beside a sink's committed offset: what only its owner knows, readable in Kafka's own tools.

v=1;seq=4711;dropped=0;topic=AbCdEfGhIjKlMnOpQrStUv
"""

from tailrace.runtime.ports import StoredCursor


def to_metadata(cursor: StoredCursor) -> str:
    topic = f";topic={cursor.topic_id}" if cursor.topic_id else ""
    return f"v=1;seq={cursor.export_seq};dropped={cursor.dropped}{topic}"


def from_metadata(next_offset: int, metadata: str) -> StoredCursor:
    """Read what `to_metadata` wrote; anything else, such as a cursor set by hand, counts from zero."""
    parts = dict(part.split("=", 1) for part in metadata.split(";") if "=" in part)
    return StoredCursor(
        next_offset, _count(parts.get("seq", "")), _count(parts.get("dropped", "")), parts.get("topic") or None
    )


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() else 0
