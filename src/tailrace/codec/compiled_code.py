"""Lines of Python on their way to becoming a function: indentation, fresh names, and marks.

A mark is a place in the code where `p`, how far the walk has come, is kept. It is written down only if a slice needs
it, so neighbouring fields that are copied become one slice.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tailrace.codec.compiled_pieces import Mark

_INDENT = "    "


@dataclass(slots=True)
class Code:
    """Lines of Python, with marks among them. One function's worth; one thread."""

    _lines: "list[tuple[int, str | Mark | Code]]" = field(default_factory=list)
    _depth: int = 1
    _names: set[str] = field(default_factory=set)
    _here: Mark | None = None

    def line(self, text: str) -> None:
        """Code after which `p` may be another."""
        self._lines.append((self._depth, text))
        self._here = None

    def still(self, text: str) -> None:
        """A comment, or code that leaves `p` as it is."""
        self._lines.append((self._depth, text))

    def blank(self) -> None:
        self._lines.append((0, ""))

    def mark(self, name: str) -> Mark:
        """A mark here: the one that is already, by the new name if nobody knew its old one."""
        if self._here is None:
            self._here = Mark(self.fresh(f"at_{name}"))
            self._lines.append((self._depth, self._here))
        elif not self._here.used:
            self._here.name = self.fresh(f"at_{name}")
        return self._here

    def marks(self) -> frozenset[Mark]:
        """All marks so far."""
        return frozenset(one for _, one in self._lines if isinstance(one, Mark))

    def later(self) -> "Code":
        """A place for code that is written when more is known, and leaves `p` as it is."""
        place = Code(_depth=self._depth, _names=self._names)
        self._lines.append((self._depth, place))
        return place

    def fresh(self, name: str) -> str:
        """`name` as a variable, with a number behind it when it is taken.

        For names out of a writer's schema, which may be words of Python: to be given with a prefix.
        """
        name = unique = "".join(letter if letter.isalnum() else "_" for letter in name)
        number = 1
        while unique in self._names:
            number += 1
            unique = f"{name}_{number}"
        self._names.add(unique)
        return unique

    @contextmanager
    def inside(self, head: str) -> Iterator[None]:
        """What is written inside stands under `head`, and is `pass` when it is nothing."""
        self.line(head)
        before = len(self._lines)
        self._depth += 1
        yield
        if all(not isinstance(one, str) or one.startswith("#") for _, one in self._lines[before:]):
            self.line("pass")
        self._depth -= 1
        self._here = None

    def text(self) -> str:
        out = []
        for depth, one in self._lines:
            if isinstance(one, Mark):
                if one.used:
                    out.append(f"{_INDENT * depth}{one.name} = p")
            elif isinstance(one, Code):
                out += one.text().splitlines()
            else:
                out.append(f"{_INDENT * depth}{one}".rstrip())
        return "\n".join(out) + "\n"
