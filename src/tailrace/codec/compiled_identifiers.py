"""How generated functions make sure that no identifier leaves which a policy replaces.

A function only has to prove that an event has none, as nearly all have; any other event it refuses, and the projector
rewrites it (`compiled_projector`). So a field is proved by one match of a pattern for its usual form, and what that
does not match is put to the rules themselves. A pattern never takes what the rules replace; the reverse costs time.

Immutable; any thread.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from tailrace.codec.compiled_bytes import Unusual
from tailrace.codec.encoding import encode_long
from tailrace.codec.identifier_fields import REF_SIDES, TEXT_KINDS, IdentifierFields
from tailrace.codec.record_layout import RecordLayout
from tailrace.codec.schema_tree import Array, Enum, Record, SchemaTree, Union
from tailrace.domain.identifiers import IdentifierPolicy, RefTreatment, is_identifier

LONGEST_SHORT: Final = 63
"""Characters of a text whose length is one byte."""

SHORT_TEXT: Final = re.compile(rb"[A-Za-z0-9._:/-]{0,%d}" % LONGEST_SHORT).fullmatch
"""A short identifier without its length. Given a longer text without the *first* byte of its length, it finds too much:
what is left is at least a byte of length and 64 of text."""


class Guards:
    """The proofs for one event schema and policy: by the event's field, a pattern's match, and the rules' own word."""

    def __init__(self, event: Record, fields: IdentifierFields, policy: IdentifierPolicy) -> None:
        self._fields = fields
        self._policy = policy
        self.names = fields.names
        self._trees = trees = {name: event.field(name).type for name in fields.names}
        self.forms: Mapping[str, Callable[..., object]] = {
            name: re.compile(self._form(name, tree), re.DOTALL).fullmatch
            for name, tree in trees.items()
            if name not in TEXT_KINDS
        }
        """For what is no plain text, a match of the field's whole bytes."""

    @classmethod
    def of(cls, layout: RecordLayout, event: Record, policy: IdentifierPolicy) -> "Guards":
        """The guards for all that a layout copies."""
        return cls(event, IdentifierFields(event, frozenset(layout.copied.values()), policy), policy)

    def check(self, name: str) -> Callable[[bytes], bool]:
        """True for canonical bytes of the field that leave as they are; Unusual for others."""

        def is_kept(piece: bytes) -> bool:
            if self._fields.replaced_field(name, piece) != piece:
                raise Unusual
            return True

        return is_kept

    def plain_texts(self, name: str, v: bytes, first: int, last: int) -> list[tuple[int, int]] | None:
        """Where the identifiers of the field from `first` to `last` stand; None if any is not plain in its usual form.

        Plain by the grammar and by the kind of reference, so that any other text of the grammar in its place, without
        a slash where it had none, would be so too. What is replaced by itself is not plain.
        """
        if name in self.forms:
            if not self.forms[name](v, first, last):
                return None
            # Of one reference, kind and length are a byte each.
            return [(first + 2, last)] if isinstance(self._trees[name], Record) else _item_texts(v, first, last)
        if isinstance(self._trees[name], Union):
            if v[first] == 0:
                return []
            first += 1
        start = first + (1 if v[first] < _TWO_BYTES else 2)
        return [(start, last)] if is_identifier(v[start:last]) else None

    def _form(self, name: str, tree: SchemaTree) -> bytes:
        match tree:
            case Record() if name in REF_SIDES:
                return self._ref(name, tree)
            case Array(Record() as items) if name in REF_SIDES:
                return b"\\x00|%s(?:%s)+\\x00" % (_ONE_BYTE, self._ref(name, items))
            case Union((_, Record())) if name == "cost":
                # Amount, currency, price list, status, what it corrects: the order is checked by `IdentifierFields`.
                amount = rb"[\x80-\xff]*[\x00-\x7f]"
                return b"\\x00|\\x02%s\\x06[A-Z]{3}%s[\\x00-\\x08](?:\\x00|\\x02%s)" % (amount, _TEXT, _TEXT)
            case _:
                return _NOTHING

    def _ref(self, name: str, tree: Record) -> bytes:
        """The kinds that are kept, each with an id that may be kept."""
        kind = tree.fields[0].type
        assert isinstance(kind, Enum)
        by_treatment: dict[RefTreatment, list[bytes]] = {treatment: [] for treatment in RefTreatment}
        for index, symbol in enumerate(kind.symbols):
            treatment = self._policy.treatment(f"{REF_SIDES[name]}.{symbol}")
            by_treatment[treatment].append(re.escape(encode_long(index)))
        kept, but_paths = by_treatment[RefTreatment.KEEP], by_treatment[RefTreatment.KEEP_BUT_PATHS]
        either = [
            b"(?:%s)%s" % (b"|".join(kinds), text)
            for kinds, text in ((kept, _TEXT), (but_paths, _TEXT_WITHOUT_SLASH))
            if kinds
        ]
        return b"(?:%s)" % b"|".join([*either, _NOTHING])


def _item_texts(v: bytes, first: int, last: int) -> list[tuple[int, int]]:
    """Of a list of references that matched its form; of anything else nothing, so that it has to be the same."""
    found = []
    at = first + 1
    while at < last - 1:
        end = at + 2 + (v[at + 1] >> 1)
        found.append((at + 2, end))
        at = end
    return found


def _any_short(characters: bytes) -> bytes:
    """A length of one byte and so many characters."""
    sizes = range(LONGEST_SHORT + 1)
    return b"(?:%s)" % b"|".join(re.escape(encode_long(size)) + b"%s{%d}" % (characters, size) for size in sizes)


_TEXT: Final = _any_short(b"[A-Za-z0-9._:/-]")
_TEXT_WITHOUT_SLASH: Final = _any_short(b"[A-Za-z0-9._:-]")
_ONE_BYTE: Final = rb"[\x02-\x7e]"
_TWO_BYTES: Final = 0x80  # from here on a length goes on in a second byte; ids have 200 characters at most
_NOTHING: Final = rb"(?!)"
