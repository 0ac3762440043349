"""Which identifiers leave as they are, and what stands in place of the others.

An identifier of an event is a text somebody else chose: mostly a UUID, sometimes an e-mail address, and in a broken
producer a sentence. So a record holds it as it is only within the grammar:

    identifier = at most 200 of:  A-Z  a-z  0-9  .  _  :  /  -          the empty text is one, and tells nothing

and anything else becomes `hashed:` and 32 hex digits, the first half of

    HMAC-SHA256(key, "tailrace.identifier.v1" + 0x00 + kind of id + 0x00 + id)

The kind is in the hash so that the same text in two roles cannot be matched; fields that name the same sort of thing
share their kind, so that parents still find their children. Without a key everything outside the grammar becomes one
constant, because a hash that anybody can compute is undone by trying (docs/PRIVACY.md, Identifiers).

All of it is pure; any thread.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from tailrace.domain.errors import InvalidField
from tailrace.domain.refs import EntityKind, PolicyKind, SourceKind

IDENTIFIER_CHARACTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/-"
"""What UUIDs, ULIDs, W3C trace ids, `gen_ai` model names and namespaced names are made of, and nothing that a sentence,
an e-mail address, a query or a telephone number in its usual form needs: no blank, no `@`, `=`, `+`, `?`, `%`. Other
numbers and keys can be written with these (docs/PRIVACY.md, Identifiers, known limits)."""

MAX_IDENTIFIER_CHARACTERS: Final = 200
"""Longer than any id in use (a W3C trace state key has 256, ids in it far less), and short for a text."""

LEAST_KEY_BYTES: Final = 16  # 128 bits, below which a key can be searched for

UNKEYED: Final = "replaced"
"""What stands for every foreign identifier where there is no key."""

_PREFIX: Final = "hashed:"
_DOMAIN: Final = b"tailrace.identifier.v1\0"  # so that the key, used for something else, gives unrelated hashes
_HEX_DIGITS: Final = 32  # 128 bits: ids do not collide by chance, nor can anybody make them without the key
_WITHIN: Final = re.compile(rb"[A-Za-z0-9._:/-]{0,%d}" % MAX_IDENTIFIER_CHARACTERS)


class IdentifierKind(StrEnum):
    """The role of an identifier outside of references: separates hashes, so equal texts in two roles do not match.

    Values that are also an `EntityKind` are on purpose: a subject that is the run has the hash of the run id.
    """

    EVENT = "event"
    RUN = "run"
    SESSION = "session"
    AGENT = "agent"
    TURN = "turn"
    ATTEMPT = "attempt"
    MESSAGE = "message"
    TRACE = "trace"
    SPAN = "span"
    THREAD = "thread"
    JOURNAL_CURSOR = "journal_cursor"
    RUNTIME_PACKAGE = "runtime_package"
    REDACTION_POLICY = "redaction_policy"
    EVENT_KIND = "event_kind"
    PROVIDER = "provider"
    PROVIDER_NAME = "provider_name"
    MODEL = "model"
    TOOL = "tool"
    FINISH_REASON = "finish_reason"
    ERROR_TYPE = "error_type"
    CURRENCY = "currency"
    RATE_TABLE = "rate_table"
    COST_RECORD = "cost_record"


class RefSide(StrEnum):
    """Which of a record's references: kinds of the three have words in common that mean different things."""

    SUBJECT = "subject"
    SOURCE = "source"
    POLICY = "policy"


class RefTreatment(StrEnum):
    """What becomes of the ids of one kind of reference."""

    KEEP = "keep"  # as any other identifier
    HASH = "hash"  # replaced even within the grammar
    ALIAS = "alias"  # the operator's own name for it, and hashed where there is none
    KEEP_BUT_PATHS = "keep_but_paths"  # as any other identifier, but one with a slash may be a path and is hashed


UNKNOWN_KIND: Final = "unknown"

REF_KINDS: Final[frozenset[str]] = frozenset(
    {f"{RefSide.SUBJECT}.{kind}" for kind in (*EntityKind, UNKNOWN_KIND)}
    | {f"{RefSide.SOURCE}.{kind}" for kind in (*SourceKind, UNKNOWN_KIND)}
    | {f"{RefSide.POLICY}.{kind}" for kind in (*PolicyKind, UNKNOWN_KIND)}
)
"""Every kind of reference in a record, as settings name it: `subject.tool_call`, `source.user`, `policy.permission`."""

_OWN_FIELDS: Final = frozenset({"run", "turn", "attempt", "agent", "event", "message"})

_PRIVATE: Final = frozenset(
    {
        # Provider accounts and the accounts of people.
        "source.user",
        # Handles by which somebody else's system is reached.
        "source.remote_channel",
        "source.external_runtime",
        "subject.realtime_session",
        "subject.execution_environment",
        "subject.output_delivery",
        # Paths and object names, whose words say what is in them.
        "subject.content",
        "subject.artifact",
        "subject.child_artifact",
        "subject.package_sidecar",
        # Credentials: what a permission was given to may be named by the credential it was given with.
        "subject.capability",
        # A kind newer than this version may be any of those.
        f"subject.{UNKNOWN_KIND}",
        f"source.{UNKNOWN_KIND}",
        f"policy.{UNKNOWN_KIND}",
    }
)


def _default(ref_kind: str) -> RefTreatment:
    if ref_kind in _PRIVATE:
        return RefTreatment.HASH
    side, _, kind = ref_kind.partition(".")
    # What stands in a field of its own as it is need not be hidden beside it.
    return RefTreatment.KEEP if side == RefSide.SUBJECT and kind in _OWN_FIELDS else RefTreatment.KEEP_BUT_PATHS


DEFAULT_REFS: Final[Mapping[str, RefTreatment]] = MappingProxyType({kind: _default(kind) for kind in sorted(REF_KINDS)})
"""The treatment of each kind of reference that the operator says nothing about."""


def is_identifier(text: bytes) -> bool:
    """Whether a text (UTF-8) is within the grammar, and so leaves as it is."""
    return _WITHIN.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class IdentifierPolicy:
    """What becomes of every identifier of a record. The same policy gives the same text for the same id, everywhere.

    `refs` changes the treatment of kinds of reference (`REF_KINDS`), `aliases` holds, for kinds treated so, the
    operator's own name by id. `key` is the secret that all workers share.

    Raises InvalidField for a key of fewer than 16 bytes, a kind that is none, and an alias outside the grammar.
    """

    key: bytes | None = field(default=None, repr=False)
    refs: Mapping[str, RefTreatment] = field(default_factory=dict)
    aliases: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.key is not None and len(self.key) < LEAST_KEY_BYTES:
            raise InvalidField("key", f"must have {LEAST_KEY_BYTES} bytes or more")
        for name, kinds in (("refs", self.refs), ("aliases", self.aliases)):
            if not kinds.keys() <= REF_KINDS:
                raise InvalidField(name, "names a kind of reference that is none")
        for names in self.aliases.values():
            if not all(alias and is_identifier(alias.encode()) for alias in names.values()):
                raise InvalidField("aliases", "has an alias outside the grammar of identifiers")

    def treatment(self, ref_kind: str) -> RefTreatment:
        """What becomes of this kind of reference; one that nobody knows is hashed."""
        return self.refs.get(ref_kind) or DEFAULT_REFS.get(ref_kind, RefTreatment.HASH)

    def identifier(self, kind: IdentifierKind, text: str) -> str:
        """The identifier as it may leave. Never raises, whatever the text."""
        return self.encoded(kind, text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def encoded(self, kind: str, text: bytes) -> bytes:
        """As `identifier`, of a text in UTF-8."""
        return text if is_identifier(text) else self._replacement(kind, text)

    def ref(self, side: RefSide, kind: str, text: bytes) -> bytes:
        """The id (UTF-8) of a reference as it may leave; an empty one tells nothing and stays."""
        ref_kind = f"{side}.{kind}"
        # A subject that is a run has to be found by the run's id.
        domain = kind if side is RefSide.SUBJECT else ref_kind
        match self.treatment(ref_kind):
            case _ if not text:
                return text
            case RefTreatment.ALIAS:
                alias = self.aliases.get(ref_kind, {}).get(text.decode("utf-8", "replace"))
                return self._replacement(domain, text) if alias is None else alias.encode()
            case RefTreatment.HASH:
                return self._replacement(domain, text)
            case RefTreatment.KEEP_BUT_PATHS if b"/" in text:
                return self._replacement(domain, text)
            case _:
                return self.encoded(domain, text)

    def cost_record(self, text: bytes) -> bytes:
        """The id (UTF-8) of a cost record that another one corrects: as that record has it in its projection id."""
        if text.startswith(_COST_RECORD):
            return _COST_RECORD + self.encoded(IdentifierKind.EVENT, text.removeprefix(_COST_RECORD))
        return self.encoded(IdentifierKind.COST_RECORD, text)

    def _replacement(self, kind: str, text: bytes) -> bytes:
        if self.key is None:
            return UNKEYED.encode()
        digest = hmac.digest(self.key, _DOMAIN + kind.encode() + b"\0" + text, "sha256")
        return f"{_PREFIX}{digest.hex()[:_HEX_DIGITS]}".encode()


_COST_RECORD: Final = b"telemetry.cost."
