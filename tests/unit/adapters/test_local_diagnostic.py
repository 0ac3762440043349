"""The file a person reads: whole lines only, bounded on disk, and acknowledged only once they are there."""

import errno
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tailrace.adapters.local_diagnostic import LINE_TOO_LONG, NOT_READABLE, LocalDiagnosticSink, RecordReader
from tailrace.adapters.rotating_lines import (
    FOREIGN_FILE,
    IN_USE,
    NOT_A_FILE,
    Broken,
    RotatingLines,
    TooLong,
    Written,
)
from tailrace.codec.reference_projector import ReferenceProjector
from tailrace.codec.schemas import SchemaStore
from tailrace.domain.kinds import FailureKind
from tailrace.domain.projected import ProjectedRecord, Undecodable
from tailrace.runtime.clock import Deadline, SystemClock
from tailrace.runtime.sink_port import Accepted, Interrupted, Refused, Retriable
from tailrace.synthetic import SyntheticEvents

SCHEMAS = SchemaStore()
KIB = 1024


def projected(events: int, seed: int = 1) -> list[ProjectedRecord]:
    projector = ReferenceProjector("agent.events", SCHEMAS)
    records: list[ProjectedRecord] = []
    for offset, event in enumerate(SyntheticEvents(seed=seed).take(events)):
        found = projector.project(3, offset, event.key, event.value)
        assert not isinstance(found, Undecodable)
        records += found
    return records


def diagnostic(path: Path, rotate_bytes: int = 1024 * KIB, keep_files: int = 4) -> LocalDiagnosticSink:
    return LocalDiagnosticSink(lines_at(path, rotate_bytes, keep_files), RecordReader(SCHEMAS))


def lines_at(
    path: Path,
    rotate_bytes: int = 1024 * KIB,
    keep_files: int = 4,
    *,
    write: Callable[[int, bytes], int] = os.write,
    sync: Callable[[int], None] = os.fsync,
) -> RotatingLines:
    return RotatingLines(path, rotate_bytes, keep_files, first_byte=b"{", write=write, sync=sync)


class FullDisk:
    """A disk with so many bytes left; a write that does not fit leaves what did fit, as a real one does."""

    def __init__(self, room_bytes: int) -> None:
        self.room_bytes = room_bytes
        self.refusals = 0

    def write(self, file: int, chunk: bytes) -> int:
        if not self.room_bytes:
            self.refusals += 1
            raise OSError(errno.ENOSPC, "no space left on device")
        written = os.write(file, chunk[: self.room_bytes])
        self.room_bytes -= written
        return written


def test_each_record_is_one_line_with_its_source_and_projection(tmp_path: Path) -> None:
    records = projected(30)
    sink = diagnostic(tmp_path / "d.jsonl")

    assert sink.export(records, threading.Event()) == Accepted()

    lines = [json.loads(line) for line in (tmp_path / "d.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(lines) == len(records)
    for line, record in zip(lines, records, strict=True):
        assert line["source"] == {"topic": "agent.events", "partition": 3, "offset": record.offset}
        assert line["projection_kind"] == record.kind.value
        assert line["projection_id"].startswith("telemetry.")
        assert (line["run_id"], line["event_family"]) == (record.run_key, record.family)
        assert isinstance(line["timestamp"], int)


def test_batches_follow_each_other_and_a_restart_appends(tmp_path: Path) -> None:
    records = projected(20)
    first, second = diagnostic(tmp_path / "d.jsonl"), diagnostic(tmp_path / "d.jsonl")

    first.export(records[:5], threading.Event())
    first.export(records[5:10], threading.Event())
    first.close(Deadline.after(SystemClock(), 1))
    second.export(records[10:], threading.Event())

    lines = [json.loads(line) for line in (tmp_path / "d.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["source"]["offset"] for line in lines] == [record.offset for record in records]


def test_an_interrupted_export_writes_nothing(tmp_path: Path) -> None:
    interrupt = threading.Event()
    interrupt.set()

    assert diagnostic(tmp_path / "d.jsonl").export(projected(3), interrupt) == Interrupted(0)
    assert not (tmp_path / "d.jsonl").exists()


BYTES_OF_NOBODY = {
    "no frame": b"plain",
    "a schema nobody has": b"\xc3\x01" + b"\x07" * 8,
    "a frame without a body": None,
    "a byte too many": b"",
}


@pytest.mark.parametrize("case", BYTES_OF_NOBODY)
def test_a_record_that_cannot_be_read_is_refused_alone(tmp_path: Path, case: str) -> None:
    good = projected(5)
    whole = good[2].value
    bad = {"a frame without a body": whole[:10], "a byte too many": whole + b"\x00"}.get(case, BYTES_OF_NOBODY[case])
    assert bad is not None
    batch = [*good[:2], good[2]._replace(value=bad), *good[3:]]

    outcome = diagnostic(tmp_path / "d.jsonl").export(batch, threading.Event())

    assert outcome == Refused(2, 1, FailureKind.SERIALIZATION, NOT_READABLE)
    assert len((tmp_path / "d.jsonl").read_bytes().splitlines()) == 2


def test_a_record_longer_than_a_file_is_refused_alone(tmp_path: Path) -> None:
    records = projected(4)
    sink = diagnostic(tmp_path / "d.jsonl", rotate_bytes=200)

    assert sink.export(records, threading.Event()) == Refused(0, 1, FailureKind.EXPORT_REJECTED, LINE_TOO_LONG)
    assert lines_at(tmp_path / "e", 10).append([b"{12345678", b"{123456789", b"{"]) == TooLong(1)
    assert (tmp_path / "e").read_bytes() == b"{12345678\n"


def test_a_full_disk_is_retriable_and_leaves_no_part_of_the_batch(tmp_path: Path) -> None:
    records = projected(40)
    disk = FullDisk(room_bytes=100_000)
    lines = lines_at(tmp_path / "d.jsonl", write=disk.write)
    sink = LocalDiagnosticSink(lines, RecordReader(SCHEMAS))
    assert sink.export(records[:10], threading.Event()) == Accepted()
    before = (tmp_path / "d.jsonl").read_bytes()
    disk.room_bytes = 2_000

    outcome = sink.export(records[10:], threading.Event())

    assert outcome == Retriable(0, FailureKind.SINK_UNAVAILABLE, "ENOSPC")
    assert disk.refusals == 1
    assert (tmp_path / "d.jsonl").read_bytes() == before

    disk.room_bytes = 1_000_000
    assert sink.export(records[10:], threading.Event()) == Accepted()
    after = [json.loads(line) for line in (tmp_path / "d.jsonl").read_bytes().splitlines()]
    assert [line["source"]["offset"] for line in after] == [record.offset for record in records]


def test_what_was_written_before_a_rotation_counts_when_the_next_file_fails(tmp_path: Path) -> None:
    disk = FullDisk(room_bytes=25)
    lines = lines_at(tmp_path / "d", rotate_bytes=20, write=disk.write)

    assert lines.append([b"{00000000"] * 4) == Broken(2, "ENOSPC")
    assert (tmp_path / "d.1").read_bytes() == b"{00000000\n" * 2
    assert (tmp_path / "d").read_bytes() == b""


def test_a_sync_that_fails_takes_the_batch_back(tmp_path: Path) -> None:
    failing = [False]

    def sync(file: int) -> None:
        if failing[0]:
            raise OSError(errno.EIO, "input/output error")
        os.fsync(file)

    lines = lines_at(tmp_path / "d", sync=sync)
    assert lines.append([b"{1"]) == Written()
    failing[0] = True

    assert lines.append([b"{2", b"{3"]) == Broken(0, "EIO")
    assert (tmp_path / "d").read_bytes() == b"{1\n"


def test_the_files_together_never_exceed_their_bound(tmp_path: Path) -> None:
    lines = lines_at(tmp_path / "d", rotate_bytes=100, keep_files=3)
    for number in range(200):
        assert lines.append([b"{%03d" % number] * (number % 7)) == Written()
        files = sorted(file for file in tmp_path.iterdir() if file.name != "d.lock")
        assert len(files) <= 3
        assert all(file.stat().st_size <= 100 for file in files)

    kept = b"".join((tmp_path / name).read_bytes() for name in ("d.2", "d.1", "d")).splitlines()
    numbers = [int(line[1:]) for line in kept]
    assert numbers == sorted(numbers)
    assert numbers[-1] == 199


def test_files_of_a_larger_bound_are_removed_and_their_neighbours_are_not(tmp_path: Path) -> None:
    for name in ("d.2", "d.3", "d.12", "d.old", "d.03", "other.9"):
        (tmp_path / name).write_bytes(b"{}\n")

    lines_at(tmp_path / "d", keep_files=3).append([b"{"])

    assert {file.name for file in tmp_path.iterdir()} == {"d", "d.lock", "d.2", "d.old", "d.03", "other.9"}


TORN = {
    "a torn tail": (b'{"a":1}\n{"b', b'{"a":1}\n'),
    "nothing but a torn line": (b'{"a', b""),
    "a tail longer than one look": (b"{}\n{" + b"x" * 200_000, b"{}\n"),
    "whole lines": (b"{}\n{}\n", b"{}\n{}\n"),
    "an empty file": (b"", b""),
}


@pytest.mark.parametrize(("left", "kept"), TORN.values(), ids=TORN.keys())
def test_what_a_crash_tore_is_cut_off_at_the_next_open(tmp_path: Path, left: bytes, kept: bytes) -> None:
    (tmp_path / "d").write_bytes(left)

    assert lines_at(tmp_path / "d").append([b"{new"]) == Written()
    assert (tmp_path / "d").read_bytes() == kept + b"{new\n"


def test_somebody_elses_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "d").write_bytes(b"dear diary")

    assert lines_at(tmp_path / "d").append([b"{"]) == Broken(0, FOREIGN_FILE)
    assert (tmp_path / "d").read_bytes() == b"dear diary"


def test_only_a_regular_file_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()

    assert lines_at(tmp_path / "pipe").append([b"{"]) == Broken(0, NOT_A_FILE)
    assert lines_at(tmp_path / "folder").append([b"{"]) == Broken(0, "EISDIR")
    assert lines_at(tmp_path / "file" / "below").append([b"{"]) == Broken(0, "EEXIST")


def test_a_second_writer_waits_until_the_first_lets_go(tmp_path: Path) -> None:
    first, second = lines_at(tmp_path / "d"), lines_at(tmp_path / "d")
    first.append([b"{1"])

    assert second.append([b"{2"]) == Broken(0, IN_USE)
    first.close()
    assert second.append([b"{2"]) == Written()
    assert (tmp_path / "d").read_bytes() == b"{1\n{2\n"


def test_the_folder_is_made_if_it_is_not_there(tmp_path: Path) -> None:
    assert lines_at(tmp_path / "a" / "b" / "d").append([b"{"]) == Written()
