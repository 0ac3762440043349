"""Random values as bytes, written straight from a schema in one of several spellings, and what can befall them.

The writer here knows nothing of the code under test: it is made to write what no library would.
"""

from collections.abc import Callable
from random import Random
from typing import Any

CANONICAL = "canonical"
BLOCKS = "blocks with sizes, several per array"
LONG_VARINTS = "varints longer than they need to be"
BROKEN_TEXT = "texts that are no UTF-8, or only together"
WRONG_NUMBERS = "indexes and booleans that mean nothing, lengths and numbers out of range"
SPELLINGS = (CANONICAL, BLOCKS, LONG_VARINTS, BROKEN_TEXT, WRONG_NUMBERS)

LEGAL = {CANONICAL, BLOCKS}
"""What known libraries write: the compiled function has to take these itself."""

_KINDS = (b"run_completed", b"run_failed", b"run_cancelled", b"run_timed_out", b"turn_started", b"tool_completed")
_FAMILIES = ("model", "run", "subagent", "unknown")


_REFERENCES = {".subject_ref.id", ".source.id", ".policy_refs.id"}

_IN_NO_RECORD = (".tags", ".correlation", ".related_refs", ".causal_refs")


class Speller:
    """Writes values of one schema in one spelling."""

    def __init__(self, chance: Random, schema: Any, spelling: str) -> None:
        self._chance = chance
        self._schema = schema
        self._spelling = spelling
        self._named: dict[str, Any] = {}
        self._cut = False
        self._plain = False

    def value(self) -> bytes:
        """The next random value. In half of them no identifier has to be replaced, as in nearly all of the field."""
        self._plain = self._chance.random() < 0.5
        return self._write(self._schema, "")

    def _write(self, schema: Any, path: str) -> bytes:
        chance = self._chance
        match schema:
            case str() if schema in self._named:
                return self._write(self._named[schema], path)
            case str():
                return self._primitive(schema, path)
            case list():
                return self._union(schema, path)
            case {"type": "array", "items": items}:
                return self._blocks(lambda: self._write(items, path))
            case {"type": "map", "values": values}:
                return self._blocks(lambda: self._text() + self._write(values, path))
            case {"type": "enum", "name": name, "symbols": symbols}:
                self._named[name] = schema
                return self._enum(symbols, path)
            case {"type": "fixed", "name": name, "size": size}:
                self._named[name] = schema
                return chance.randbytes(size)
            case {"type": "record", "name": name, "fields": fields}:
                self._named[name] = schema
                return b"".join([self._write(one["type"], f"{path}.{one['name']}") for one in fields])
            case {"type": inner}:
                return self._write(inner, path)
        raise AssertionError(schema)

    def _primitive(self, name: str, path: str) -> bytes:
        chance = self._chance
        match name:
            case "null":
                return b""
            case "boolean":
                return b"\x02" if self._errs() else chance.choice((b"\x00", b"\x01"))
            case "int":
                return self._number(31)
            case "long":
                return self._number(63, time=path in {".timestamp", ".recorded_at", ".started_at"})
            case "float":
                return chance.randbytes(4)
            case "double":
                return chance.randbytes(8)
            case "bytes" if not path.endswith(("event_kind", "_id", "run", ".tool")):
                size = chance.choice((0, 3, 70, 9_000)) if chance.random() < 0.2 else chance.randrange(6)
                return self._length(size) + chance.randbytes(size)
            case _:
                if path == ".event_kind" and chance.random() < 0.7:
                    kind = chance.choice(_KINDS)
                    return self._length(len(kind)) + kind
                # Without a text a reference is plain whatever its kind, and most kinds are not.
                if self._plain and path in _REFERENCES and chance.random() < 0.8:
                    return self._length(0)
                return self._text(path)

    def _number(self, bits: int, *, time: bool = False) -> bytes:
        chance = self._chance
        if self._errs():
            return varint(chance.choice((1 << 32, 1 << 70, 1 << 64)))
        if time and chance.random() < 0.9:
            return self._varint(1_700_000_000_000_000 + chance.randrange(1 << 40))
        return self._varint(chance.choice((0, 1, -1, 100, -(1 << bits), (1 << bits) - 1, chance.randrange(1 << 13))))

    def _union(self, branches: list[Any], path: str) -> bytes:
        chance = self._chance
        index = chance.randrange(len(branches))
        if "null" in branches and chance.random() < 0.5:
            index = branches.index("null")
        if self._errs():
            return varint(chance.choice((-1, len(branches), len(branches), 64, 1 << 40)))
        return self._varint(index) + self._write(branches[index], path)

    def _enum(self, symbols: list[str], path: str) -> bytes:
        chance = self._chance
        if self._errs():
            return varint(chance.choice((-1, len(symbols), len(symbols), len(symbols) + 1, 1 << 40)))
        likely = [symbols.index(one) for one in _FAMILIES if one in symbols]
        if path == ".event_family" and likely and chance.random() < 0.8:
            return self._varint(chance.choice(likely))
        return self._varint(chance.randrange(len(symbols)))

    def _blocks(self, entry: Callable[[], bytes]) -> bytes:
        chance = self._chance
        left = chance.choice((0, 0, 1, 2, 3))
        out = b""
        while left:
            count = chance.randint(1, left) if self._spelling == BLOCKS else left
            entries = b"".join([entry() for _ in range(count)])
            if self._spelling == BLOCKS and chance.random() < 0.6:
                out += self._varint(-count) + self._varint(len(entries)) + entries
            elif self._errs():
                out += varint(-count) + varint(len(entries) + chance.choice((-1, 1))) + entries
            else:
                out += self._varint(count) + entries
            left -= count
        return out + self._varint(0)

    def _text(self, path: str = "") -> bytes:
        chance = self._chance
        if self._spelling == BROKEN_TEXT and (self._cut or chance.random() < 0.04):
            return self._broken_text()
        size = chance.choice((0, 40, 63, 64, 86, 200)) if chance.random() < 0.15 else chance.randrange(1, 12)
        text = bytes(chance.choices(b"abcdefghij-0123456789", k=size))
        if chance.random() < 0.05 and (not self._plain or path.startswith(_IN_NO_RECORD)):
            text += chance.choice(("é", "漢字", "🙂", "\x7f", "\x00")).encode()
        return self._length(len(text)) + text

    def _broken_text(self) -> bytes:
        """A sequence cut in two: by the end of one text, and the length and text that come next."""
        chance = self._chance
        if self._cut:
            # A length of 86 is AC 01, and of 64 + n it begins like the rest of a sequence.
            self._cut = False
            size = chance.choice((86, 70, 64))
            return varint(size) + b"x" * size
        text = chance.choice((b"ab\xe2\x82", b"\xc3", b"\xff", b"\xed\xa0\x80", b"\xf0\x9f\x99", b"\xe2\x82\xac\xe2"))
        self._cut = chance.random() < 0.7
        return varint(len(text)) + text

    def _length(self, size: int) -> bytes:
        return varint(self._chance.choice((-1, 1 << 40))) if self._errs() else self._varint(size)

    def _varint(self, value: int) -> bytes:
        plain = varint(value)
        if self._spelling == LONG_VARINTS and len(plain) < 10 and self._chance.random() < 0.02:
            more = self._chance.choice((0, 0, self._chance.randrange(10 - len(plain))))
            return plain[:-1] + bytes((plain[-1] | 0x80,)) + b"\x80" * more + b"\x00"
        return plain

    def _errs(self) -> bool:
        return self._spelling == WRONG_NUMBERS and self._chance.random() < 0.02


def varint(value: int) -> bytes:
    """Zig-zag, as short as can be, of any size."""
    zigzag = value << 1 if value >= 0 else (-value << 1) - 1
    out = bytearray()
    while zigzag > 0x7F:
        out.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    return bytes((*out, zigzag))


def _place(chance: Random, value: bytes) -> int:
    """Behind the frame, mostly."""
    return (
        chance.randrange(len(value) + 1)
        if chance.random() < 0.02
        else chance.randrange(min(10, len(value)), len(value) + 1)
    )


def _cut(chance: Random, value: bytes) -> bytes:
    return value[: _place(chance, value)]


def _lengthened(chance: Random, value: bytes) -> bytes:
    return value + chance.randbytes(chance.randint(1, 3))


def _flipped(chance: Random, value: bytes) -> bytes:
    at = min(_place(chance, value), len(value) - 1)
    return value[:at] + bytes((value[at] ^ 1 << chance.randrange(8),)) + value[at + 1 :]


def _replaced(chance: Random, value: bytes) -> bytes:
    at = min(_place(chance, value), len(value) - 1)
    return value[:at] + bytes((chance.choice((0, 1, 2, 0x7F, 0x80, 0xC3, 0xFF)),)) + value[at + 1 :]


def _removed(chance: Random, value: bytes) -> bytes:
    at = _place(chance, value)
    return value[:at] + value[at + chance.randint(1, 4) :]


def _inserted(chance: Random, value: bytes) -> bytes:
    at = _place(chance, value)
    return value[:at] + chance.choice((b"\x00", b"\x02", b"\x80", b"\x80\x00", chance.randbytes(2))) + value[at:]


def _repeated(chance: Random, value: bytes) -> bytes:
    at, size = _place(chance, value), chance.randint(1, 12)
    return value[: at + size] + value[at:]


MUTATIONS: dict[str, Callable[[Random, bytes], bytes]] = {
    "cut": _cut,
    "lengthened": _lengthened,
    "a bit flipped": _flipped,
    "a byte replaced": _replaced,
    "bytes removed": _removed,
    "bytes inserted": _inserted,
    "bytes repeated": _repeated,
}
