"""In what a record may differ where its sink may get content: the fields at its end, and only as its event permits.

    mode           width    content on the record
    -------------  -------  ---------------------------------
    off            0        none
    metadata_only  1        none
    redacted_…     2        none
    payload_refs   3        references, or nothing but reasons
    raw_content    4        inline, too

What an operator's policies made of that nobody can work out anew: they go by the moment of export. So the end of such a
record is compared in a *form*: all other fields as they are, the mode that was granted, and whether there is content.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

MODES: Final = ("off", "metadata_only", "redacted_summary", "payload_refs", "raw_content")
"""Every mode lets through what the one before it does, and more."""

OFF: Final = MODES[0]

_LEAST_FOR: Final = {"omitted": MODES.index("payload_refs"), "reference": MODES.index("payload_refs")}
_LEAST_FOR_INLINE: Final = MODES.index("raw_content")
_PARTS: Final = ("system_instructions", "input_messages", "output_messages")


def width(mode: str) -> int:
    """0 for off, and for what nobody knows."""
    return MODES.index(mode) if mode in MODES else 0


def form_of(record: Mapping[str, Any]) -> bytes | None:
    """The form of a record that says how content was decided; None if it does not, or contradicts itself.

    A record without a form is compared as it is, and one that contradicts itself is like no other.
    """
    capture, content = record.get("capture"), record.get("content")
    if not isinstance(capture, Mapping):
        return None
    granted = capture.get("effective")
    if granted != record.get("content_capture") or granted not in MODES:
        return None
    if width(granted) > width(str(capture.get("requested"))):
        return None
    if content is not None and not _is_within(content, width(granted)):
        return None
    return _spelled(record, granted, has_content=content is not None)


def permitted_forms(record: Mapping[str, Any], widest: str) -> Iterator[bytes]:
    """Every form that `record`, as a sink without content has it, may have where up to `widest` may be granted."""
    for mode in MODES[: width(widest) + 1]:
        yield _spelled(record, mode, has_content=False)
        if width(mode) >= min(_LEAST_FOR.values()):
            yield _spelled(record, mode, has_content=True)


def _is_within(content: object, granted: int) -> bool:
    if not isinstance(content, Mapping):
        return False
    for name in _PARTS:
        part = content.get(name)
        if part is None and name == _PARTS[0]:
            continue
        disposition = part.get("disposition") if isinstance(part, Mapping) else None
        least = _LEAST_FOR_INLINE if disposition == "inline" else _LEAST_FOR.get(str(disposition), len(MODES))
        if granted < least:
            return False
    return True


def _spelled(record: Mapping[str, Any], mode: str, *, has_content: bool) -> bytes:
    """One spelling for all that may not differ. Whose redaction is named with content is the policy's own matter."""
    fields = {**record, "content_capture": mode, "capture": True, "content": has_content}
    if has_content:
        fields["redaction_policy_id"] = None
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
