"""Writes the short way into a generated function: past the walk, for stretches of a known shape (`compiled_shapes`).

The code stands where the walk of the stretch begins, and is written when that walk has been, since it needs its marks.
"""

from collections.abc import Sequence

from tailrace.codec.compiled_code import Code
from tailrace.codec.compiled_pieces import Copied, Expression, Mark, Piece, merged


class Shortcut:
    """The place for the code, and which cuts of the stretch it needs. One function's worth; one thread.

    `names` are the event's fields from here on.
    """

    def __init__(self, code: Code, names: frozenset[str]) -> None:
        self.names = names
        self._earlier = code.marks()
        self.begin = code.mark("rest")
        self.begin.use()
        self.code = code.later()
        self._cuts: list[tuple[Mark, Mark]] = []

    def is_inside(self, pieces: Sequence[Piece]) -> bool:
        """Whether a field's pieces are one copy out of the stretch."""
        match pieces:
            case [Copied(first, _)]:
                return first is self.begin or first not in self._earlier
            case _:
                return False

    def cut(self, pieces: Sequence[Piece]) -> list[Piece]:
        """The same bytes, with what is copied out of the stretch as variables that are cut from it."""
        out: list[Piece] = []
        for piece in merged(pieces):
            match piece:
                case Copied(first, last) if last in self._earlier or last is self.begin:
                    out.append(piece)
                case Copied(first, last) if first in self._earlier and first is not self.begin:
                    out += [Copied(first, self.begin), self._variable(self.begin, last)]
                case Copied(first, last):
                    out.append(self._variable(first, last))
                case _:
                    out.append(piece)
        return out

    def _variable(self, first: Mark, last: Mark) -> Piece:
        if (first, last) not in self._cuts:
            self._cuts.append((first, last))
        return Expression(f"cut_{self._cuts.index((first, last)) + 1}")

    @property
    def variables(self) -> list[str]:
        return [f"cut_{number}" for number, _ in enumerate(self._cuts, start=1)]

    @property
    def places(self) -> list[str]:
        """First and last of every cut, in the order of the variables."""
        return [mark.use() for cut in self._cuts for mark in cut]
