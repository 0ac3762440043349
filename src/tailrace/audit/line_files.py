"""JSON-lines files that are rotated by size, as one stream of lines: the oldest file first.

Several workers of one machine write a stream each: that of worker 2 is in `name.worker-2.jsonl`, where a sole worker's
is in `name.jsonl`. All of them are read, whichever workers run today.

The files may be rotated while they are opened. All are opened before any is read, and the opening is repeated until the
names still belong to the same files afterwards; what is open stays readable however often it is renamed.
"""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from io import BufferedReader
from itertools import islice
from pathlib import Path

from tailrace.audit.errors import EvidenceUnreadable
from tailrace.audit.evidence import FileRead, Line
from tailrace.audit.plan import FileDestination

_OPENING_ATTEMPTS = 20

SOLE_WRITER = 0
"""The number of the stream that a worker writes which is not one of several."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file by the name it had when it was opened, and how much of it there was then."""

    path: Path
    file: BufferedReader
    size_bytes: int


def streams(destination: FileDestination) -> dict[int, FileDestination]:
    """The streams there are, by the number of the worker that wrote each; that of a sole writer always among them.

    Raises EvidenceUnreadable if the folder cannot be looked into.
    """
    path = destination.path
    of_worker = re.compile(re.escape(path.stem) + r"\.worker-([1-9][0-9]*)" + re.escape(path.suffix) + r"(\.[0-9]+)?")
    try:
        names = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
    except OSError as error:
        raise EvidenceUnreadable(str(path.parent), type(error).__name__) from None
    numbers = {int(match[1]) for name in names if (match := of_worker.fullmatch(name)) is not None}
    found = {SOLE_WRITER: destination}
    for number in sorted(numbers):
        name = f"{path.stem}.worker-{number}{path.suffix}"
        found[number] = replace(destination, path=path.with_name(name))
    return found


def read_lines(destination: FileDestination) -> FileRead:
    """The lines of all files. The oldest file that may exist means that still older ones may have been removed.

    Raises EvidenceUnreadable for a file that cannot be read. No file at all is a sink that has got nothing, or a path
    that leads elsewhere from here: `there` is False then.
    """
    opened = _open_all(destination)
    oldest = Path(f"{destination.path}.{destination.keep_files - 1}")
    return FileRead(all(one.path != oldest for one in opened), _lines(opened), there=bool(opened))


def line_at(destination: FileDestination, row: int) -> bytes | None:
    """The line that was at `row` of the stream; another one if files have been rotated since."""
    return next((line.text for line in islice(read_lines(destination).lines, row, row + 1)), None)


def _open_all(destination: FileDestination) -> list[_Opened]:
    paths = [Path(f"{destination.path}.{number}") for number in range(destination.keep_files - 1, 0, -1)]
    paths.append(destination.path)
    for _ in range(_OPENING_ATTEMPTS):
        with ExitStack() as stack:
            try:
                opened = [_open(stack, path) for path in paths if path.exists()]
                if _inodes(paths) == [os.fstat(one.file.fileno()).st_ino for one in opened]:
                    stack.pop_all()
                    return opened
            except FileNotFoundError:
                continue  # renamed between the look and the opening
            except OSError as error:
                raise EvidenceUnreadable(str(destination.path), type(error).__name__) from None
    raise EvidenceUnreadable(str(destination.path), "is being rotated faster than it can be opened")


def _open(stack: ExitStack, path: Path) -> _Opened:
    file = stack.enter_context(path.open("rb"))
    return _Opened(path, file, os.fstat(file.fileno()).st_size)


def _inodes(paths: list[Path]) -> list[int]:
    return [path.stat().st_ino for path in paths if path.exists()]


def _lines(opened: list[_Opened]) -> Iterator[Line]:
    with ExitStack() as stack:
        for one in opened:
            stack.enter_context(one.file)
        for one in opened:
            left = one.size_bytes
            for number, text in enumerate(one.file, start=1):
                # What was written after the opening belongs to a later audit.
                seen, left = text[:left], left - len(text)
                if seen:
                    yield Line(one.path.name, number, seen.rstrip(b"\n"), whole=seen.endswith(b"\n"))
                if left <= 0:
                    break
