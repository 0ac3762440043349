"""Rotated files as one stream of lines, the oldest first."""

from pathlib import Path

import pytest

from tailrace.audit import EvidenceUnreadable, FileDestination
from tailrace.audit.line_files import line_at, read_lines, streams


def texts(destination: FileDestination) -> list[bytes]:
    return [line.text for line in read_lines(destination).lines]


def is_complete(destination: FileDestination) -> bool:
    read = read_lines(destination)
    list(read.lines)
    return read.complete


@pytest.fixture
def sink(tmp_path: Path) -> FileDestination:
    return FileDestination(tmp_path / "local.jsonl", keep_files=3)


def write(sink: FileDestination, number: int, text: bytes) -> None:
    Path(f"{sink.path}.{number}" if number else sink.path).write_bytes(text)


def test_no_file_is_a_sink_that_got_nothing(sink: FileDestination) -> None:
    read = read_lines(sink)
    assert (list(read.lines), read.complete, read.there) == ([], True, False)


def test_one_file_is_enough_to_be_there(sink: FileDestination) -> None:
    """After a rotation there is no live file until the next line."""
    write(sink, 1, b"a\n")
    read = read_lines(sink)
    assert ([line.text for line in read.lines], read.there) == ([b"a"], True)


def test_lines_come_oldest_first_over_all_files(sink: FileDestination) -> None:
    write(sink, 0, b"e\nf\n")
    write(sink, 1, b"c\nd\n")
    write(sink, 2, b"a\nb\n")
    assert texts(sink) == [b"a", b"b", b"c", b"d", b"e", b"f"]


def test_a_hole_in_the_numbers_is_passed_over(sink: FileDestination) -> None:
    """A crash in the middle of a rotation leaves one."""
    write(sink, 0, b"c\n")
    write(sink, 2, b"a\nb\n")
    assert texts(sink) == [b"a", b"b", b"c"]


def test_older_lines_may_be_gone_once_the_oldest_file_exists(sink: FileDestination) -> None:
    write(sink, 0, b"a\n")
    write(sink, 1, b"b\n")
    assert is_complete(sink)
    write(sink, 2, b"c\n")
    assert not is_complete(sink)


def test_files_beyond_the_number_kept_are_not_the_sinks(sink: FileDestination) -> None:
    write(sink, 0, b"a\n")
    write(sink, 3, b"older\n")
    assert texts(sink) == [b"a"]


def test_a_last_line_without_its_end_is_marked(sink: FileDestination) -> None:
    write(sink, 0, b"a\nb")
    assert [(line.text, line.whole) for line in read_lines(sink).lines] == [(b"a", True), (b"b", False)]


def test_what_is_written_after_the_opening_is_left_to_a_later_audit(sink: FileDestination) -> None:
    write(sink, 0, b"a\n")
    read = read_lines(sink)
    with sink.path.open("ab") as file:
        file.write(b"b\n")
    assert [line.text for line in read.lines] == [b"a"]


def test_a_rotation_after_the_opening_changes_nothing(sink: FileDestination) -> None:
    write(sink, 0, b"b\n")
    write(sink, 1, b"a\n")
    read = read_lines(sink)
    Path(f"{sink.path}.1").replace(f"{sink.path}.2")
    sink.path.replace(f"{sink.path}.1")
    write(sink, 0, b"c\n")
    assert [line.text for line in read.lines] == [b"a", b"b"]


def test_a_line_can_be_looked_at_again(sink: FileDestination) -> None:
    write(sink, 0, b"c\nd\n")
    write(sink, 1, b"a\nb\n")
    assert [line_at(sink, row) for row in (0, 2, 3, 4)] == [b"a", b"c", b"d", None]


def test_a_folder_in_the_place_of_the_file_cannot_be_read(sink: FileDestination) -> None:
    sink.path.mkdir()
    with pytest.raises(EvidenceUnreadable):
        read_lines(sink)


def test_the_files_of_several_workers_are_streams_of_their_own(sink: FileDestination) -> None:
    """Whatever number of workers wrote them, and whether any of them runs today."""
    folder = sink.path.parent
    (folder / "local.worker-2.jsonl").write_bytes(b"c\n")
    (folder / "local.worker-2.jsonl.1").write_bytes(b"b\n")
    (folder / "local.worker-10.jsonl.2").write_bytes(b"d\n")
    write(sink, 0, b"a\n")
    found = streams(sink)
    assert list(found) == [0, 2, 10]
    assert [texts(found[number]) for number in found] == [[b"a"], [b"b", b"c"], [b"d"]]
    assert [is_complete(found[number]) for number in found] == [True, True, False]


def test_files_with_other_names_are_no_streams(sink: FileDestination) -> None:
    """Locks, another sink's files, and copies that somebody made."""
    folder = sink.path.parent
    for name in (
        "local.worker-2.jsonl.lock",
        "local.worker-0.jsonl",
        "local.worker-.jsonl",
        "local.worker-2.json",
        "other.worker-2.jsonl",
        "local.worker-2.jsonl.bak",
        "localxworker-2.jsonl",
    ):
        (folder / name).write_bytes(b"x\n")
    assert list(streams(sink)) == [0]


def test_a_folder_that_is_not_there_has_no_streams_but_the_sole_writers(tmp_path: Path) -> None:
    """A sink that never ran on this machine."""
    assert list(streams(FileDestination(tmp_path / "none" / "local.jsonl"))) == [0]
