"""Lines in a file that is rotated by size, so that all its files together never exceed a bound.

    name      being written      a line is in it whole or not at all
    name.1    the one before
    name.N    the oldest; N is keep_files - 1, and what would come after it is removed

A call that returns without an error has its lines on the disk. After a failed write the file is cut back to where that
write began, and after a crash to the end of its last whole line: a reader never meets half a record. `name.lock` keeps
a second process out, which would cut at its own idea of the end.
"""

import errno
import fcntl
import os
import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_SCAN_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Written:
    """All lines are on the disk."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The first `lines` are on the disk, of the others no byte is. `code` is the system's name of the error."""

    lines: int
    code: str


@dataclass(frozen=True, slots=True)
class TooLong:
    """The first `lines` are on the disk; the next one alone is larger than a file may be, and was not written."""

    lines: int


WriteOutcome = Written | Broken | TooLong

IN_USE = "in_use_by_another_process"
NOT_A_FILE = "not_a_regular_file"
FOREIGN_FILE = "not_a_file_of_this_sink"


class RotatingLines:
    """Appends lines, rotates, and never raises for what the disk does. One thread.

    Lines are bytes that begin with `first_byte` and hold no line end; the file at `path` is refused if it begins with
    another byte, because cutting a torn tail off somebody else's file would destroy it. `write` and `sync` are the
    system's; a test passes its own to run out of disk.
    """

    def __init__(
        self,
        path: Path,
        rotate_bytes: int,
        keep_files: int,
        *,
        first_byte: bytes,
        write: Callable[[int, bytes], int] = os.write,
        sync: Callable[[int], None] = os.fsync,
    ) -> None:
        self._path = path
        self._rotate_bytes = rotate_bytes
        self._keep_files = keep_files
        self._first_byte = first_byte
        self._write = write
        self._sync = sync
        self._file: int | None = None
        self._lock: int | None = None
        self._size_bytes = 0

    def append(self, lines: Sequence[bytes]) -> WriteOutcome:
        """Write the lines in order, each with a line end, and return once they are on the disk."""
        done = 0
        try:
            while done < len(lines):
                if self._file is None and (unusable := self._open()) is not None:
                    self._release()
                    return Broken(done, unusable)
                fitting = self._fitting(lines, done)
                if fitting:
                    self._put(b"".join(line + b"\n" for line in lines[done : done + fitting]))
                    done += fitting
                elif len(lines[done]) + 1 > self._rotate_bytes:
                    return TooLong(done)
                else:
                    self._rotate()
        except OSError as error:
            self._release()
            return Broken(done, errno.errorcode.get(error.errno or 0, "EIO"))
        return Written()

    def close(self) -> None:
        """Let go of the file and the lock; a later append opens them again."""
        self._release()

    def _fitting(self, lines: Sequence[bytes], start: int) -> int:
        room = self._rotate_bytes - self._size_bytes
        count = 0
        for line in lines[start:]:
            room -= len(line) + 1
            if room < 0:
                break
            count += 1
        return count

    def _put(self, chunk: bytes) -> None:
        assert self._file is not None
        begin = self._size_bytes
        try:
            rest = memoryview(chunk)
            while rest:
                rest = rest[self._write(self._file, bytes(rest)) :]
            self._sync(self._file)
        except OSError:
            # Also after a failed sync: which of the pages reached the disk is unknown, so none may count. If cutting
            # fails too, the file is opened anew before the next write, which cuts a torn line off; whole lines of this
            # chunk may then stay, and be written again.
            os.ftruncate(self._file, begin)
            raise
        self._size_bytes = begin + len(chunk)

    # --------------------------------------------------------------------------------------------- opening, rotating

    def _open(self) -> str | None:
        """Open the file at its last whole line; what speaks against that, None if nothing does."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if not self._take_lock():
            return IN_USE
        file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o640)
        self._file = file
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return NOT_A_FILE
        if os.pread(file, 1, 0) not in (b"", self._first_byte):
            return FOREIGN_FILE
        self._size_bytes = _end_of_last_line(file)
        os.ftruncate(file, self._size_bytes)
        self._remove_beyond_bound()
        _sync_folder(self._path.parent)
        return None

    def _take_lock(self) -> bool:
        if self._lock is not None:
            return True
        lock = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    def _rotate(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
        # Oldest first, so that a crash in between leaves a hole in the numbers and never two files under one name.
        for number in range(self._keep_files - 1, 0, -1):
            older = Path(f"{self._path}.{number - 1}") if number > 1 else self._path
            if older.exists():
                older.replace(f"{self._path}.{number}")

    def _remove_beyond_bound(self) -> None:
        name = re.compile(re.escape(self._path.name) + r"\.([1-9][0-9]*)")
        for file in self._path.parent.iterdir():
            if (match := name.fullmatch(file.name)) is not None and int(match[1]) >= self._keep_files:
                file.unlink()

    def _release(self) -> None:
        for descriptor in (self._file, self._lock):
            if descriptor is not None:
                os.close(descriptor)
        self._file = self._lock = None


def _end_of_last_line(file: int) -> int:
    """How long the file is up to and including its last line end; 0 if it has none."""
    end = os.fstat(file).st_size
    while end > 0:
        begin = max(0, end - _SCAN_BYTES)
        newline = os.pread(file, end - begin, begin).rfind(b"\n")
        if newline >= 0:
            return begin + newline + 1
        end = begin
    return 0


def _sync_folder(folder: Path) -> None:
    # A new file survives a power cut only once the folder that names it is on the disk too.
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
