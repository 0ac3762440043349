"""A worker's reports never hold it up, whatever its supervisor does."""

import os
from collections.abc import Iterator

import pytest

from tailrace.adapters.supervised import Every, ReportPipe
from tailrace.runtime.clock import Deadline
from tests.unit.runtime.fakes import FakeClock

CLOCK = FakeClock()
LINE = b'{"events":1}\n'


class Pipe:
    """Both ends of a pipe whose reader does not block either."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)

    def read(self) -> bytes:
        found = b""
        while True:
            try:
                chunk = os.read(self.reader, 1 << 16)
            except BlockingIOError:
                return found
            if not chunk:
                return found
            found += chunk

    def fill(self) -> None:
        """Until not one byte fits."""
        os.set_blocking(self.writer, False)
        for size in (1 << 16, 1):
            try:
                while True:
                    os.write(self.writer, b"." * size)
            except BlockingIOError:
                continue

    def close(self) -> None:
        for end in (self.reader, self.writer):
            try:
                os.close(end)
            except OSError:
                continue


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def test_a_line_offered_is_there_at_once(pipe: Pipe) -> None:
    """Nothing is kept back for company."""
    reports = ReportPipe(pipe.writer)
    reports.offer(LINE)
    reports.offer(LINE)
    assert pipe.read() == LINE * 2


def test_a_supervisor_that_does_not_read_costs_reports_and_no_time(pipe: Pipe) -> None:
    """A full pipe takes nothing; of what was offered meanwhile one line is sent, whole, once it can be."""
    reports = ReportPipe(pipe.writer)
    pipe.fill()
    for _ in range(1_000):
        reports.offer(LINE)
    assert LINE not in pipe.read()
    reports.offer(LINE)
    assert pipe.read() == LINE


def test_a_line_larger_than_the_pipe_arrives_in_pieces_and_whole(pipe: Pipe) -> None:
    """The next line does not cut into it."""
    reports = ReportPipe(pipe.writer)
    large = b"x" * 300_000 + b"\n"
    reports.offer(large)
    found = b""
    for _ in range(20):
        found += pipe.read()
        reports.offer(LINE)
    found += pipe.read()
    assert found.startswith(large)
    assert set(found.removeprefix(large).splitlines(keepends=True)) == {LINE}


def test_the_last_line_comes_after_what_is_left_of_an_earlier_one(pipe: Pipe) -> None:
    """It would be no line otherwise."""
    reports = ReportPipe(pipe.writer)
    pipe.fill()
    reports.offer(LINE)
    pipe.read()
    assert reports.finish(b"last\n", Deadline.after(CLOCK, 10.0))
    assert pipe.read() == LINE + b"last\n"


def test_the_last_line_is_given_up_at_the_deadline(pipe: Pipe) -> None:
    """A supervisor that is stopped must not keep a drained worker alive."""
    reports = ReportPipe(pipe.writer)
    pipe.fill()
    assert not reports.finish(LINE, Deadline.after(CLOCK, 0.0))


def test_a_supervisor_that_is_gone_is_no_failure(pipe: Pipe) -> None:
    """The worker drains, and says so in the log; nobody reads its reports."""
    reports = ReportPipe(pipe.writer)
    os.close(pipe.reader)
    reports.offer(LINE)
    reports.offer(LINE)
    assert not reports.finish(LINE, Deadline.after(CLOCK, 10.0))


def test_an_interval_has_passed_at_once_and_then_again_and_again() -> None:
    """The first report says that the worker is up; one that comes late does not make the next come early."""
    clock = FakeClock()
    every = Every(1.0, clock)
    found = []
    for _ in range(6):
        found.append(every.passed())
        clock.passes(0.5)
    assert found == [True, False, True, False, True, False]
    clock.passes(10.0)
    assert every.passed()
    assert not every.passed()
