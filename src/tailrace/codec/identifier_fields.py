"""Where the identifiers of a telemetry record stand among the event's encoded fields, and how each is replaced.

Every text that a record of this version copies from its event is named here, and a test holds the schemas to it. What
a later schema adds is treated as an identifier too, each field as a kind of its own: a text that nobody thought about
leaves only within the grammar.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from tailrace.codec.encoding import encode_bytes, encode_long
from tailrace.codec.reference_walker import Walk
from tailrace.codec.schema_tree import Array, Enum, Fixed, Map, Primitive, Record, SchemaTree, Union
from tailrace.domain.identifiers import IdentifierKind, IdentifierPolicy, RefSide

TEXT_KINDS: Final[Mapping[str, IdentifierKind]] = {
    "event_id": IdentifierKind.EVENT,
    "parent_event_id": IdentifierKind.EVENT,
    "event_kind": IdentifierKind.EVENT_KIND,  # an open set of words, so whatever a producer writes
    "run_id": IdentifierKind.RUN,
    "session_id": IdentifierKind.SESSION,
    "agent_id": IdentifierKind.AGENT,
    "turn_id": IdentifierKind.TURN,
    "attempt_id": IdentifierKind.ATTEMPT,
    "message_id": IdentifierKind.MESSAGE,
    "trace_id": IdentifierKind.TRACE,
    "span_id": IdentifierKind.SPAN,
    "parent_span_id": IdentifierKind.SPAN,
    "journal_cursor": IdentifierKind.JOURNAL_CURSOR,
    "redaction_policy_id": IdentifierKind.REDACTION_POLICY,
    "runtime_package_fingerprint": IdentifierKind.RUNTIME_PACKAGE,
    "provider_id": IdentifierKind.PROVIDER,
    "provider_name": IdentifierKind.PROVIDER_NAME,
    "model_id": IdentifierKind.MODEL,
    "response_model": IdentifierKind.MODEL,
    "tool_name": IdentifierKind.TOOL,
    "finish_reason": IdentifierKind.FINISH_REASON,  # as the provider names it: no word list to hold it to
    "error_type": IdentifierKind.ERROR_TYPE,  # should be a class; a message has blanks in it
    "cost.currency": IdentifierKind.CURRENCY,
    "cost.rate_table_version": IdentifierKind.RATE_TABLE,
}
"""Texts of the event by their path, outside of references. `cost.corrects` holds the id of another record."""

REF_SIDES: Final[Mapping[str, RefSide]] = {
    "subject_ref": RefSide.SUBJECT,
    "source": RefSide.SOURCE,
    "policy_refs": RefSide.POLICY,
}
"""Fields of the event that are references, one or a list."""

_CORRECTS: Final = "cost.corrects"
COST_TEXT_PATHS: Final = frozenset({_CORRECTS})
"""Texts with a rule of their own."""

_FIXED_BYTES: Final = {"null": 0, "boolean": 1, "float": 4, "double": 8}


class IdentifierFields:
    """Replaces the identifiers among an event's fields by a policy. Immutable; any thread.

    `names` are the fields in `copied` that hold texts, and the event's id, of which ids and cursors are made.
    """

    def __init__(self, event: Record, copied: frozenset[str], policy: IdentifierPolicy) -> None:
        self._policy = policy
        trees = {name: event.field(name).type for name in {*copied, "event_id"}}
        self._trees = {name: tree for name, tree in trees.items() if any(text_paths(tree, name))}
        self.names = frozenset(self._trees)

    def replaced(self, fields: Mapping[str, bytes]) -> dict[str, bytes]:
        """The fields with every identifier as it may leave; both in canonical bytes under the event's schema."""
        return {**fields, **{name: self.replaced_field(name, fields[name]) for name in self._trees}}

    def replaced_field(self, name: str, piece: bytes) -> bytes:
        """One field's bytes as they may leave. KeyError for a field without identifiers."""
        return self._value(self._trees[name], name, Walk(piece, 0))

    def _value(self, tree: SchemaTree, path: str, walk: Walk) -> bytes:  # noqa: PLR0911 - one for each kind of type
        match tree:
            case Primitive("string"):
                return encode_bytes(self._text(path, _text(walk)))
            case Record(fields=(kind, _)) if path in REF_SIDES and isinstance(kind.type, Enum):
                index = walk.int64()
                return encode_long(index) + encode_bytes(
                    self._policy.ref(REF_SIDES[path], kind.type.symbols[index], _text(walk))
                )
            case Record(fields=fields):
                return b"".join([self._value(one.type, f"{path}.{one.name}", walk) for one in fields])
            case Union(branches):
                index = walk.int64()
                return encode_long(index) + self._value(branches[index], path, walk)
            case Array(items):
                return _blocks(walk, lambda: self._value(items, path, walk))
            case Map(values):
                key = Primitive("string")
                return _blocks(walk, lambda: self._value(key, path, walk) + self._value(values, path, walk))
            case Primitive("bytes"):
                return encode_bytes(_text(walk))
            case Primitive(name) if name in _FIXED_BYTES:
                return walk.take(_FIXED_BYTES[name])
            case Fixed(size_bytes=size_bytes):
                return walk.take(size_bytes)
            case _:
                return encode_long(walk.int64())

    def _text(self, path: str, text: bytes) -> bytes:
        return (
            self._policy.cost_record(text)
            if path == _CORRECTS
            else self._policy.encoded(TEXT_KINDS.get(path, path), text)
        )


def text_paths(tree: SchemaTree, path: str) -> Iterator[str]:
    """Where texts stand in a type, such as `cost.currency`; those of a list's items stand at the list."""
    match tree:
        case Primitive("string"):
            yield path
        case Union(branches):
            for branch in branches:
                yield from text_paths(branch, path)
        case Array(inside):
            yield from text_paths(inside, path)
        case Map():
            yield path
        case Record(fields=fields):
            for one in fields:
                yield from text_paths(one.type, f"{path}.{one.name}")
        case _:
            return


def _blocks(walk: Walk, entry: Callable[[], bytes]) -> bytes:
    # Canonical: one block at most, and the end.
    out = []
    while count := walk.int64():
        out += [encode_long(count), *(entry() for _ in range(count))]
    return b"".join([*out, b"\x00"])


def _text(walk: Walk) -> bytes:
    return walk.take(walk.int64())
