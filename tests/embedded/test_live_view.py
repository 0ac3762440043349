"""The live view draws on its own while its context is open, and the last thing it shows is how things ended."""

import io
import threading

import pytest
from rich.console import Console

from tailrace.cli.live import live_view
from tailrace.runtime.clock import SystemClock
from tailrace.runtime.statistics import WorkerSnapshot

_DEADLINE_S = 20.0


class _CountingWorker:
    """Each snapshot has one event more than the one before; `several` is set once the view has looked five times."""

    def __init__(self) -> None:
        self.taken = 0
        self.several = threading.Event()

    def snapshot(self) -> WorkerSnapshot:
        self.taken += 1
        if self.taken >= 5:
            self.several.set()
        return WorkerSnapshot(
            assigned_partitions=1, consumed_events=self.taken, undecodable_events=0, halted_partitions=0, lanes=()
        )


def _view_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "live-view"]


def test_a_terminal_is_redrawn_until_the_end() -> None:
    """Snapshots are taken without anybody asking, the end is drawn, and no thread is left."""
    worker, screen = _CountingWorker(), io.StringIO()
    with live_view(worker.snapshot, Console(file=screen, force_terminal=True, width=80), SystemClock()) as headline:
        headline("under way")
        assert worker.several.wait(_DEADLINE_S)
    assert _view_threads() == []
    assert "under way" in screen.getvalue()
    assert f"{worker.taken} events" in screen.getvalue()


def test_a_pipe_gets_the_end_without_waiting_for_it() -> None:
    """A context of less than five seconds prints its headlines and one last line, in order."""
    worker, pipe = _CountingWorker(), io.StringIO()
    with live_view(worker.snapshot, Console(file=pipe, force_terminal=False, width=80), SystemClock()) as headline:
        headline("one")
        headline("two")
    assert _view_threads() == []
    first, second, last = pipe.getvalue().splitlines()
    assert [first, second] == ["-- one", "-- two"]
    assert last.startswith("0 s, 1 events")


def test_an_error_in_the_context_ends_the_view() -> None:
    """The error comes through as it was, and the thread ends all the same."""
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    with pytest.raises(KeyError, match="mine"), live_view(_CountingWorker().snapshot, console, SystemClock()):
        raise KeyError("mine")
    assert _view_threads() == []
