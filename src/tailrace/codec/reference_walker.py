"""The steps of the reference walk: each reads one value strictly and gives it back in canonical bytes.

Strict: every byte is bounds-checked and must mean something. Varints end within 10 bytes and fit their type, lengths
and indexes are in range, booleans are 0 or 1, strings are UTF-8 (so no lone surrogates), and a block that names its
size has that size.

Canonical: what the Avro specification lets a writer spell in several ways comes out one way: varints are as short as
can be (a longer spelling of at most 10 bytes is legal on input), arrays and maps are one positive block. So equal
values give equal bytes whoever wrote them, and whichever projector reads them.

A step is built for one pair of writer and reader schema (`reference_resolution`) and is immutable: any thread.
"""

import struct
from dataclasses import dataclass
from typing import Protocol

from tailrace.codec.encoding import INT_MAX, INT_MIN, encode_bytes, encode_long
from tailrace.domain.projected import UndecodableReason

_LONGEST_VARINT_BYTES = 10  # 64 bits, seven to a byte


class WalkError(Exception):
    """How a step stops the walk; never leaves the codec. `steps` collects field names from the inside out.

    Whoever raises it gives it no name: a frame that names an exception and is in its traceback is a cycle, which keeps
    what all its callers hold, a batch of thousands of records, until the collector looks.
    """

    def __init__(self, reason: UndecodableReason, *steps: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.steps = list(steps)

    @property
    def path(self) -> str:
        """The field at which the walk stopped, such as `usage.input_tokens`."""
        return ".".join(reversed(self.steps))


class Walk:
    """A position in one value's bytes. One thread."""

    __slots__ = ("data", "position")

    def __init__(self, data: bytes, position: int) -> None:
        self.data = data
        self.position = position

    def take(self, size_bytes: int) -> bytes:
        """The next `size_bytes`, a size that came from the bytes themselves and may be anything."""
        if size_bytes < 0:
            raise WalkError(UndecodableReason.MALFORMED)
        start = self.position
        end = start + size_bytes
        if end > len(self.data):
            raise WalkError(UndecodableReason.TRUNCATED)
        self.position = end
        return self.data[start:end]

    def int64(self) -> int:
        """The next zig-zag varint as a 64-bit number."""
        start = self.position
        zigzag = shift = 0
        for byte in self.data[start : start + _LONGEST_VARINT_BYTES]:
            zigzag |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                if zigzag >= 1 << 64:
                    raise WalkError(UndecodableReason.MALFORMED)
                self.position = start + shift // 7
                return (zigzag >> 1) ^ -(zigzag & 1)
        cut = len(self.data) < start + _LONGEST_VARINT_BYTES
        raise WalkError(UndecodableReason.TRUNCATED if cut else UndecodableReason.MALFORMED)

    def int32(self) -> int:
        """The next zig-zag varint as a 32-bit number."""
        value = self.int64()
        if not INT_MIN <= value <= INT_MAX:
            raise WalkError(UndecodableReason.MALFORMED)
        return value


class Step(Protocol):
    """Reads one value as its writer wrote it, and gives its bytes as its reader would write it."""

    def read(self, walk: Walk) -> bytes: ...


@dataclass(frozen=True, slots=True)
class NullStep:
    def read(self, walk: Walk) -> bytes:  # noqa: ARG002 - a null has no bytes to walk over
        return b""


@dataclass(frozen=True, slots=True)
class BooleanStep:
    def read(self, walk: Walk) -> bytes:
        value = walk.take(1)
        if value > b"\x01":
            raise WalkError(UndecodableReason.MALFORMED)
        return value


@dataclass(frozen=True, slots=True)
class NumberStep:
    """An int or long, read as an int, a long, or (`float_format`, a struct format) as a float or double."""

    is_int: bool
    float_format: str | None = None

    def read(self, walk: Walk) -> bytes:
        value = walk.int32() if self.is_int else walk.int64()
        return encode_long(value) if self.float_format is None else struct.pack(self.float_format, value)


@dataclass(frozen=True, slots=True)
class FloatToDoubleStep:
    def read(self, walk: Walk) -> bytes:
        return struct.pack("<d", *struct.unpack("<f", walk.take(4)))


@dataclass(frozen=True, slots=True)
class FixedStep:
    """A float, a double or a fixed: so many bytes, each of any value."""

    size_bytes: int

    def read(self, walk: Walk) -> bytes:
        return walk.take(self.size_bytes)


@dataclass(frozen=True, slots=True)
class BytesStep:
    """Bytes, of which nothing is looked at."""

    def read(self, walk: Walk) -> bytes:
        return encode_bytes(walk.take(walk.int64()))


@dataclass(frozen=True, slots=True)
class TextStep:
    """A string, bytes read as a string, or a string read as bytes: UTF-8 in each case."""

    def read(self, walk: Walk) -> bytes:
        text = walk.take(walk.int64())
        try:
            text.decode()
        except UnicodeDecodeError:
            raise WalkError(UndecodableReason.MALFORMED) from None
        return encode_bytes(text)


@dataclass(frozen=True, slots=True)
class EnumStep:
    """`symbols` holds, per writer index, the reader's index as bytes; None where the reader has no such symbol."""

    symbols: tuple[bytes | None, ...]

    def read(self, walk: Walk) -> bytes:
        index = walk.int32()
        if not 0 <= index < len(self.symbols):
            raise WalkError(UndecodableReason.MALFORMED)
        symbol = self.symbols[index]
        if symbol is None:
            raise WalkError(UndecodableReason.SCHEMA_MISMATCH)
        return symbol


@dataclass(frozen=True, slots=True)
class UnionStep:
    """`branches` holds a step per writer branch; None where the reader cannot take it."""

    branches: tuple[Step | None, ...]

    def read(self, walk: Walk) -> bytes:
        index = walk.int64()
        if not 0 <= index < len(self.branches):
            raise WalkError(UndecodableReason.MALFORMED)
        branch = self.branches[index]
        if branch is None:
            raise WalkError(UndecodableReason.SCHEMA_MISMATCH)
        return branch.read(walk)


@dataclass(frozen=True, slots=True)
class BranchStep:
    """A value that the reader keeps in a union; `index` is its branch there, as bytes."""

    index: bytes
    value: Step

    def read(self, walk: Walk) -> bytes:
        return self.index + self.value.read(walk)


@dataclass(frozen=True, slots=True)
class BlocksStep:
    """An array or a map, in any number of blocks; `entry` reads one item, or one key and value.

    An entry takes at least one byte (`safety`), so a block cannot claim more entries than there are bytes.
    """

    entry: Step

    def read(self, walk: Walk) -> bytes:
        entries: list[bytes] = []
        while (count := walk.int64()) != 0:
            if count > 0:
                self._read_block(walk, count, entries)
                continue
            size_bytes = walk.int64()
            start = walk.position
            self._read_block(walk, -count, entries)
            if walk.position - start != size_bytes:
                raise WalkError(UndecodableReason.MALFORMED)
        return encode_long(len(entries)) + b"".join(entries) + b"\x00" if entries else b"\x00"

    def _read_block(self, walk: Walk, count: int, entries: list[bytes]) -> None:
        entries.extend(self.entry.read(walk) for _ in range(count))


@dataclass(frozen=True, slots=True)
class MapEntryStep:
    key: Step
    value: Step

    def read(self, walk: Walk) -> bytes:
        return self.key.read(walk) + self.value.read(walk)


@dataclass(frozen=True, slots=True)
class RecordStep:
    """The writer's fields in its order: name, step, and the reader's place for it; None for what the reader drops.

    `places` holds the reader's fields in its order: the default's bytes, or None where the writer has the field.
    """

    fields: tuple[tuple[str, Step, int | None], ...]
    places: tuple[bytes | None, ...]

    def read(self, walk: Walk) -> bytes:
        return b"".join(self.read_fields(walk))

    def read_fields(self, walk: Walk) -> list[bytes]:
        """The reader's fields one by one, in its order."""
        pieces = list(self.places)
        for name, step, place in self.fields:
            try:
                piece = step.read(walk)
            except WalkError as error:
                error.steps.append(name)
                raise
            if place is not None:
                pieces[place] = piece
        return [piece for piece in pieces if piece is not None]
