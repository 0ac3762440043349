"""Writes the Python that walks one value: straight-line code that advances `p` through the bytes `v`.

Each step of the reference walk becomes a line or a few. What comes out of a value is said in `Piece`s: the bytes
between two marks where canonical bytes carry over, and else an expression.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from tailrace.codec.compiled_bytes import one_byte_indexes
from tailrace.codec.compiled_code import Code
from tailrace.codec.compiled_pieces import Constant, Copied, Expression, Piece, joined
from tailrace.codec.compiled_plan import carries_over, describe, holds_text, in_reach
from tailrace.codec.reference_walker import (
    BlocksStep,
    BooleanStep,
    BranchStep,
    BytesStep,
    EnumStep,
    FixedStep,
    MapEntryStep,
    NullStep,
    NumberStep,
    RecordStep,
    Step,
    TextStep,
    UnionStep,
)

_DEEPEST_LOOP = 4
"""Loops within loops. Python allows twenty blocks within one another, and each array takes two."""


class WalkWriter:
    """Writes the walk into `code`. `names` collects what the code refers to. One function's worth; one thread.

    Of texts, `a` is where the stretch begins that still has to be validated (`compiled_bytes`, UTF-8). Whether there is
    such a stretch at a point of the code is known here, and is the same whichever way the code got there.

    `expects_time` says that the next longs are probably times, which take eight bytes.
    """

    def __init__(self, code: Code, names: dict[str, object]) -> None:
        self.code = code
        self.names = names
        self.expects_time = False
        self._stretch = False
        self._loops = 0
        self._branches = 0

    def begin_text(self) -> None:
        """Texts follow: from here on, if not from further back, there is a stretch to validate."""
        if not self._stretch:
            self.code.still("a = p")
            self._stretch = True

    def end_text(self) -> None:
        """What follows is no text and may hold any byte: the stretch ends here."""
        if self._stretch:
            self.code.still("v[a:p].isascii() or check_texts(v, a, p, breaks)")
            self._stretch = False

    def finish(self) -> None:
        """The end of the walk: what is left to validate, often nothing when the last field was no text."""
        if self._stretch:
            self.code.still("a == p or v[a:p].isascii() or check_texts(v, a, p, breaks)")
            self._stretch = False
        with self.code.inside("if p != len(v):"):
            self.code.line("unusual()")

    def skip(self, step: Step, path: str) -> None:
        """Walk over a value that goes nowhere, as strictly as over any other."""
        self._walk(step, path, copying=False, captures={})

    def take(self, step: Step, path: str, captures: Mapping[int, tuple[str, str]] | None = None) -> list[Piece]:
        """Walk over a value; the pieces are its bytes as the reader writes them.

        `captures` is for a record: by the reader's place of an enum in it, a variable, and the table to look the
        writer's index byte up in for that variable.
        """
        if not carries_over(step, in_entry=self._loops > 0):
            return self._take_anew(step, path, captures or {})
        first = self.code.mark(path)
        self._walk(step, path, copying=True, captures=captures or {})
        return [Copied(first, self.code.mark(f"{path}_end"))]

    def named(self, name: str, value: object) -> str:
        """A name under which the code finds `value`: this one, or with a number behind it when it means another."""
        number = 1
        unique = name = "".join(letter if letter.isalnum() else "_" for letter in name)
        while unique in self.names and self.names[unique] != value:
            number += 1
            unique = f"{name}_{number}"
        self.names[unique] = value
        return unique

    # ------------------------------------------------------------------------------------------ bytes that carry over

    def _walk(self, step: Step, path: str, *, copying: bool, captures: Mapping[int, tuple[str, str]]) -> None:
        """Walk over a value whose bytes stay as they are; `copying` says whether anybody copies them."""
        match step:
            case _ if not self._reaches(step):
                self._walked(step, path)
            case BranchStep(_, value):
                self._walk(value, path, copying=copying, captures=captures)
            case UnionStep(branches):
                self._walk_union(branches, path, copying=copying, captures=captures)
            case BlocksStep(entry):
                self._walk_blocks(entry, path, copying=copying)
            case MapEntryStep(key, value):
                self._walk(key, path, copying=copying, captures={})
                self._walk(value, path, copying=copying, captures={})
            case RecordStep(fields):
                for name, inside, place in fields:
                    self.code.still(f"# {path}.{name}: {describe(inside)}")
                    self.capture(inside, place, captures)
                    self._walk(inside, f"{path}.{name}", copying=copying, captures={})
            case _:
                self._walk_single(step)

    def _walk_single(self, step: Step) -> None:
        """Walk over a value without others in it."""
        line = self.code.line
        match step:
            case BooleanStep():
                line("p += BOOLEAN[v[p]] or unusual()")
            case NumberStep(True, _):
                line("p += ONE[v[p]] or int_size(v, p, breaks)")
            case NumberStep():
                self._walk_long()
            case FixedStep(size_bytes):
                self.end_text()
                line(f"p += {size_bytes}")
            case BytesStep():
                self.end_text()
                line("p += TEXT[v[p]] or bytes_size(v, p)")
            case TextStep():
                self.begin_text()
                line("p += TEXT[v[p]] or text_size(v, p, breaks)")
            case EnumStep(symbols):
                line(f"p += {self.index_table(symbols)}[v[p]] or unusual()")

    def capture(self, step: Step, place: int | None, captures: Mapping[int, tuple[str, str]]) -> None:
        """Keep what an enum's byte stands for, if anybody asked."""
        if place is not None and place in captures and isinstance(step, EnumStep):
            variable, table = captures[place]
            self.code.still(f"{variable} = {table}[v[p]]")

    def index_table(self, symbols: Sequence[bytes | None]) -> str:
        """The name of the table with the one-byte indexes of these symbols."""
        known = [symbol is not None for symbol in symbols]
        name = f"INDEX_OF_{len(symbols)}" if all(known) else f"INDEX_OF_{sum(known)}_IN_{len(symbols)}"
        return self.named(name, one_byte_indexes(known))

    def _walk_long(self) -> None:
        if self._stretch and not self._branches and not self._loops:
            # One that is often small and stands alone between texts: the stretch goes on across its single byte.
            with self.code.inside("if v[p] < 0x80:"):
                self.code.line("p += 1")
            with self.code.inside("else:"):
                self.end_text()
                self.code.line("p += TWO[v[p + 1]] or long_size(v, p)")
                self.begin_text()
            return
        self.end_text()
        size = "ONE[v[p]] or TWO[v[p + 1]] or long_size(v, p)"
        if self.expects_time:
            size = f"8 if v[p : p + 8].translate(SHAPE) == EIGHT_BYTE_LONG else {size}"
        self.code.line(f"p += {size}")

    def _walk_union(
        self,
        branches: Sequence[Step | None],
        path: str,
        *,
        copying: bool,
        captures: Mapping[int, tuple[str, str]],
    ) -> None:
        match branches:
            case [null, value] if null is not None and _is_nothing(null) and value is not None:
                self._walk_optional(value, path, copying=copying, captures=captures)
                return
        with self._branching(branches, path) as branch_of:
            for place, branch in enumerate(branches):
                if branch is None or _is_nothing(branch):
                    continue
                with branch_of(place):
                    self._walk_branch(branch, path, copying=copying, captures=captures)

    def _walk_optional(self, value: Step, path: str, *, copying: bool, captures: Mapping[int, tuple[str, str]]) -> None:
        """A union of null and a value, as most are, in the way that is shortest for null."""
        if holds_text(value):
            self.begin_text()
        stretch = self._stretch
        with self.code.inside("if v[p]:"):
            self.code.still("v[p] == 2 or unusual()")
            self.code.line("p += 1")
            self._branches += 1
            self._walk_branch(value, path, copying=copying, captures=captures)
            self._branches -= 1
            self._return_to(stretch)
        with self.code.inside("else:"):
            self.code.line("p += 1")

    def _walk_branch(self, branch: Step, path: str, *, copying: bool, captures: Mapping[int, tuple[str, str]]) -> None:
        # Where no text can follow, the stretch before ends once here, and not at each number in the branch.
        if not holds_text(branch):
            self.end_text()
        self._walk(branch, path, copying=copying, captures=captures)

    def _walk_blocks(self, entry: Step, path: str, *, copying: bool) -> None:
        line, depth = self.code.line, self._loops
        if holds_text(entry):
            self.begin_text()
        if not copying or depth:
            with self._each_entry():
                self._walk(entry, path, copying=False, captures={})
            line("p += 1")
            return
        with self.code.inside("if v[p]:"):
            line("start, blocks = p, []")
            with self._each_entry(before="first = p", after="blocks.append((count, first, p))"):
                self._walk(entry, path, copying=False, captures={})
            line("p += 1")
            with self.code.inside("if end >= 0 or len(blocks) > 1:"):
                stretch = self._stretch
                self.end_text()
                line("v, p = one_block(v, start, p, blocks)")
                line("breaks.clear()")
                if stretch:
                    self.begin_text()
        with self.code.inside("else:"):
            line("p += 1")

    @contextmanager
    def _each_entry(self, *, before: str = "", after: str = "") -> Iterator[None]:
        """Loops over blocks and over the entries of each; what is written inside is for one entry."""
        suffix = f"_{self._loops}" if self._loops else ""
        line = self.code.line
        stretch = self._stretch
        with self.code.inside("while v[p]:"):
            line(f"count{suffix}, end{suffix}, p = block(v, p, breaks)")
            if before:
                line(before)
            with self.code.inside(f"for _ in range(count{suffix}):"):
                self._loops += 1
                yield
                self._loops -= 1
                self._return_to(stretch)
            with self.code.inside(f"if end{suffix} >= 0 and p != end{suffix}:"):
                line("unusual()")
            if after:
                line(after)

    # --------------------------------------------------------------------------------------------- bytes made anew

    def _take_anew(self, step: Step, path: str, captures: Mapping[int, tuple[str, str]]) -> list[Piece]:
        match step:
            case EnumStep(symbols) if self._reaches(step):
                pieces: list[Piece] = [Expression(self._take_enum(symbols, path))]
            case BranchStep(index, value):
                pieces = [Constant(index), *self.take(value, path, captures)]
            case UnionStep(branches) if self._reaches(step):
                pieces = [Expression(self._take_union(branches, path, captures))]
            case BlocksStep(entry) if self._reaches(step):
                pieces = [Expression(self._take_entries(entry, path))]
            case MapEntryStep(key, value):
                pieces = [*self.take(key, f"{path}_key"), *self.take(value, path)]
            case RecordStep(fields, places):
                pieces = self._take_record(fields, places, path, captures)
            case _:
                pieces = [Expression(self._walked(step, path))]
        return pieces

    def _take_enum(self, symbols: Sequence[bytes | None], path: str) -> str:
        indexes = {2 * index: symbol for index, symbol in enumerate(symbols) if symbol is not None}
        variable = self.code.fresh(f"the_{path}")
        self.code.still(f"{variable} = {self.named(f'{path.upper()}_INDEX', indexes)}[v[p]]")
        self.code.line("p += 1")
        return variable

    def _take_union(self, branches: Sequence[Step | None], path: str, captures: Mapping[int, tuple[str, str]]) -> str:
        variable = self.code.fresh(f"the_{path}")
        with self._branching(branches, path) as branch_of:
            for place, branch in enumerate(branches):
                if branch is not None:
                    with branch_of(place):
                        pieces = self.take(branch, path, captures)
                        self.code.still(f"{variable} = {joined(pieces)}")
        return variable

    def _take_entries(self, entry: Step, path: str) -> str:
        items = self.code.fresh(f"the_{path}_items")
        if holds_text(entry):
            self.begin_text()
        self.code.still(f"{items} = []")
        with self._each_entry():
            pieces = self.take(entry, path)
            self.code.still(f"{items}.append({joined(pieces)})")
        self.code.line("p += 1")
        return f"items_block({items})"

    def _take_record(
        self,
        fields: Sequence[tuple[str, Step, int | None]],
        places: Sequence[bytes | None],
        path: str,
        captures: Mapping[int, tuple[str, str]],
    ) -> list[Piece]:
        taken: list[list[Piece]] = [[] if default is None else [Constant(default)] for default in places]
        for name, inside, place in fields:
            self.code.still(f"# {path}.{name}: {describe(inside)}{'; dropped' if place is None else ''}")
            if place is None:
                self.skip(inside, f"{path}.{name}")
            else:
                self.capture(inside, place, captures)
                taken[place] = self.take(inside, f"{path}.{name}")
        return [piece for pieces in taken for piece in pieces]

    # ------------------------------------------------------------------------------------------------------- both

    def _reaches(self, step: Step) -> bool:
        return in_reach(step) and not (isinstance(step, BlocksStep) and self._loops >= _DEEPEST_LOOP)

    def _walked(self, step: Step, path: str) -> str:
        """Leave the value to the reference walk, which validates its texts itself."""
        self.end_text()
        name = self.named(f"{path.upper()}_STEP", step)
        variable = self.code.fresh(f"the_{path}")
        self.code.line(f"{variable}, p = walked({name}, v, p)")
        return variable

    @contextmanager
    def _branching(self, branches: Sequence[Step | None], path: str) -> Iterator["_BranchOf"]:
        """An `if` with a case for each branch that is written inside; other branches are refused, or take no bytes."""
        if any(branch is not None and holds_text(branch) for branch in branches):
            self.begin_text()
        index = self.code.fresh(f"which_{path}")
        self.code.still(f"{index} = v[p]")
        self.code.line("p += 1")
        chain = _BranchOf(self, index, self._stretch)
        self._branches += 1
        yield chain
        self._branches -= 1
        nothing = [2 * place for place, branch in enumerate(branches) if branch is not None and _is_nothing(branch)]
        chain.refuse_but([value for value in nothing if value not in chain.written])

    def _return_to(self, stretch: bool) -> None:  # noqa: FBT001 - the state itself
        """Whichever way the code went, there is a stretch behind it if there was one before."""
        if stretch:
            self.begin_text()
        assert self._stretch == stretch


def _is_nothing(branch: Step) -> bool:
    """Whether a union's branch takes no bytes and gives none but its index."""
    return isinstance(branch, NullStep) or (isinstance(branch, BranchStep) and isinstance(branch.value, NullStep))


class _BranchOf:
    """Opens one branch after the other of a chain of `if`s."""

    def __init__(self, writer: WalkWriter, index: str, stretch: bool) -> None:  # noqa: FBT001 - the state itself
        self._writer, self._index, self._stretch = writer, index, stretch
        self.written: list[int] = []

    @contextmanager
    def __call__(self, place: int) -> Iterator[None]:
        writer = self._writer
        word = "elif" if self.written else "if"
        self.written.append(2 * place)
        with writer.code.inside(f"{word} {self._index} == {2 * place}:"):
            writer._stretch = self._stretch  # noqa: SLF001 - one state machine, two classes
            yield
            writer._return_to(self._stretch)  # noqa: SLF001

    def refuse_but(self, values: Sequence[int]) -> None:
        """The end of the chain: every further index but these is refused."""
        word = "elif" if self.written else "if"
        match values:
            case []:
                head = "else:" if self.written else "if True:"
            case [0]:
                head = f"{word} {self._index}:"
            case [one]:
                head = f"{word} {self._index} != {one}:"
            case several:
                head = f"{word} {self._index} not in {tuple(several)}:"
        with self._writer.code.inside(head):
            self._writer.code.line("unusual()")
