"""How sensitive a fact is, how long it may be kept, how far its origin is trusted, and how much content may travel."""

from enum import StrEnum


class PrivacyClass(StrEnum):
    """Who may see a fact; the label travels with it, and nothing here widens it."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONTENT_REFS_ONLY = "content_refs_only"
    SENSITIVE = "sensitive"
    SECRET = "secret"  # noqa: S105 - the name of a class of privacy, and no secret


class RetentionClass(StrEnum):
    """How long a receiver may keep a fact."""

    EPHEMERAL = "ephemeral"
    RUN_SCOPED = "run_scoped"
    SESSION_SCOPED = "session_scoped"
    DURABLE = "durable"
    PERSISTENT = "persistent"
    HOST_POLICY = "host_policy"


class TrustClass(StrEnum):
    """How far the origin of a fact is trusted."""

    TRUSTED = "trusted"
    SDK_GENERATED = "sdk_generated"
    HOST_PROVIDED = "host_provided"
    USER_PROVIDED = "user_provided"
    EXTERNAL = "external"
    UNTRUSTED = "untrusted"


class ContentCaptureMode(StrEnum):
    """How much of a conversation may travel; off unless every gate has granted more (docs/PRIVACY.md, Modes).

    The members stand in order of width: each lets through what the one before it does, and more.
    """

    OFF = "off"
    METADATA_ONLY = "metadata_only"
    REDACTED_SUMMARY = "redacted_summary"
    PAYLOAD_REFS = "payload_refs"
    RAW_CONTENT = "raw_content"

    @property
    def captures_raw_content(self) -> bool:
        return self is ContentCaptureMode.RAW_CONTENT

    @property
    def carries_content(self) -> bool:
        """Whether a record of this mode may hold texts, or references under which texts are kept."""
        return self.width >= ContentCaptureMode.PAYLOAD_REFS.width

    @property
    def width(self) -> int:
        """0 for off, higher for whatever lets more through; only the order means anything."""
        return _WIDTHS[self]


_WIDTHS = {mode: width for width, mode in enumerate(ContentCaptureMode)}


def narrowest(*modes: ContentCaptureMode) -> ContentCaptureMode:
    """The mode that lets through least of those given; off when none is given, since nothing was granted."""
    return min(modes, key=_WIDTHS.__getitem__, default=ContentCaptureMode.OFF)


class DeliverySemantics(StrEnum):
    """What stands behind an event: a durable journal, or only the live stream."""

    BEST_EFFORT_LIVE = "best_effort_live"
    JOURNAL_BACKED = "journal_backed"
    DERIVED_REPLAY = "derived_replay"
    DIAGNOSTIC_ONLY = "diagnostic_only"
