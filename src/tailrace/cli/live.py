"""The lanes on a terminal while a worker runs: a table that redraws itself, or a plain line now and then in a pipe.

It shows names, states and counts. The one text that comes from elsewhere, a lane's last failure, is shown only in the
form that logs allow for a code: no content can reach the screen through it (docs/DESIGN.md, invariant I7).
"""

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tailrace.adapters.log_fields import FIELDS
from tailrace.domain.sink_state import SinkState
from tailrace.runtime.clock import Clock
from tailrace.runtime.statistics import LaneSnapshot, WorkerSnapshot

REDRAW_EVERY_S: Final = 0.25
PLAIN_LINE_EVERY_S: Final = 5.0

_RATE_WINDOW_S = 1.0  # shorter windows make the figure jump with every batch
_WIDE_COLUMNS = 110  # from here on there is room for the rate and the failures; a usual terminal has 80
_WIDE_BAR_CELLS = 10
_NARROW_BAR_CELLS = 5

STATE_STYLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        SinkState.STARTING: "dim",
        SinkState.HEALTHY: "green",
        SinkState.CATCHING_UP: "yellow",
        SinkState.FAILED: "bold red",
        SinkState.RECOVERED: "cyan",
        SinkState.PAUSED: "magenta",
        SinkState.STOPPING: "dim",
        SinkState.STOPPED: "dim",
    }
)


def mode_of(lane: LaneSnapshot) -> str:
    """`live`, `catching up` with how many of how many partitions if it is not all of them, or `idle` without any."""
    partitions = lane.live_partitions + lane.catching_up_partitions
    if partitions == 0:
        return "idle"
    if lane.catching_up_partitions == 0:
        return "live"
    share = "" if lane.live_partitions == 0 else f" {lane.catching_up_partitions}/{partitions}"
    return f"catching up{share}"


def fill_of(lane: LaneSnapshot) -> float:
    """How full the buffer is, 0.0 to 1.0, by whichever of its two bounds is nearer."""
    return min(
        1.0,
        max(
            lane.buffered_records / max(1, lane.capacity_records),
            lane.buffered_bytes / max(1, lane.capacity_bytes),
        ),
    )


def failure_of(lane: LaneSnapshot) -> str:
    """The code of the lane's last failure; a text that is no code is withheld."""
    if lane.last_failure is None:
        return "-"
    return lane.last_failure if FIELDS["detail"](lane.last_failure) else "(withheld)"


class LaneBoard:
    """What to show of a worker, redrawn from its snapshots.

    Any thread may set a headline; the other methods belong to whichever thread draws.
    """

    def __init__(self, snapshot: Callable[[], WorkerSnapshot], console: Console, clock: Clock) -> None:
        self._snapshot = snapshot
        self._console = console
        self._clock = clock
        self._started_s = clock.now_s()
        self._headline = ""
        self._line_due_s = self._started_s + PLAIN_LINE_EVERY_S
        self._rates: dict[str, _Rate] = {}

    def headline(self, text: str) -> None:
        """What is going on, in a few words: above the table, or a line of its own at once."""
        self._headline = text
        if not self._console.is_terminal:
            self._print(f"-- {text}")

    def renderable(self) -> RenderableType:
        """The table as of now."""
        snapshot = self._snapshot()
        wide = self._console.width >= _WIDE_COLUMNS
        # Only the columns that may wrap are squeezed when space is short: a name or a code can lose its end, a number
        # that lost its end would be another number.
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("lane", overflow="ellipsis")
        for name in ("mode", "state", "buffer"):
            table.add_column(name, no_wrap=True)
        for name in ("exported", *(("per s",) if wide else ()), "dropped", "lag", *(("failed",) if wide else ())):
            table.add_column(name, justify="right", no_wrap=True)
        if wide:
            table.add_column("last failure", overflow="ellipsis")
        for lane in snapshot.lanes:
            table.add_row(*self._cells(lane, wide=wide))
        return Group(Text(self._headline, style="bold"), table, self._footer(snapshot))

    def print_line_if_due(self) -> None:
        """A plain line of all lanes, if the last one is long enough ago."""
        if self._clock.now_s() >= self._line_due_s:
            self.print_line()

    def print_line(self) -> None:
        self._line_due_s = self._clock.now_s() + PLAIN_LINE_EVERY_S
        snapshot = self._snapshot()
        lanes = " | ".join(map(_plain, snapshot.lanes))
        self._print(f"{self._elapsed_s():.0f} s, {snapshot.consumed_events} events | {lanes}")

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _cells(self, lane: LaneSnapshot, *, wide: bool) -> Iterator[Text]:
        mode = mode_of(lane)
        yield Text(lane.sink_id)
        yield Text(mode, style="yellow" if lane.catching_up_partitions else "")
        yield Text(lane.state, style=STATE_STYLES.get(lane.state, ""))
        yield self._bar(lane, _WIDE_BAR_CELLS if wide else _NARROW_BAR_CELLS)
        yield Text(_grouped(lane.exported))
        if wide:
            now_s = self._clock.now_s()
            rate = self._rates.setdefault(lane.sink_id, _Rate(lane.exported, now_s))
            yield Text(_grouped(round(rate.per_s(lane.exported, now_s))))
        yield Text(_grouped(lane.dropped), style="red" if lane.dropped else "")
        yield Text(_grouped(lane.lag_records), style="yellow" if lane.lag_records else "")
        if wide:
            yield Text(_grouped(lane.failed_exports), style="red" if lane.failed_exports else "")
            yield Text(failure_of(lane), style="red" if lane.last_failure else "dim")

    def _bar(self, lane: LaneSnapshot, cells: int) -> Text:
        fill = fill_of(lane)
        # Rounded up, but never to the end: a buffer that holds anything shows it, and only a full one shows as full.
        full = cells if fill == 1.0 else min(cells - 1, math.ceil(fill * cells))
        mark, rest = ("#", ".") if self._console.options.ascii_only else ("█", "░")
        style = "red" if fill == 1.0 else "yellow" if fill >= 0.5 else "green"
        return Text.assemble((mark * full + rest * (cells - full), style), f" {_percent(fill):>4}")

    def _footer(self, snapshot: WorkerSnapshot) -> Text:
        parts = [
            f"{self._elapsed_s():.0f} s",
            f"{_grouped(snapshot.consumed_events)} events",
            f"{snapshot.assigned_partitions} partitions",
        ]
        if snapshot.undecodable_events:
            parts.append(f"{_grouped(snapshot.undecodable_events)} undecodable")
        if snapshot.halted_partitions:
            parts.append(f"{snapshot.halted_partitions} HALTED")
        return Text("  ".join(parts), style="dim")

    def _elapsed_s(self) -> float:
        return self._clock.now_s() - self._started_s


class _Rate:
    """Records per second over the last full window."""

    def __init__(self, count: int, now_s: float) -> None:
        self._count = count
        self._since_s = now_s
        self._per_s = 0.0

    def per_s(self, count: int, now_s: float) -> float:
        elapsed_s = now_s - self._since_s
        if elapsed_s >= _RATE_WINDOW_S:
            self._per_s = (count - self._count) / elapsed_s
            self._count, self._since_s = count, now_s
        return self._per_s


def _plain(lane: LaneSnapshot) -> str:
    return (
        f"{lane.sink_id}: {lane.state}, {mode_of(lane)}, buffer {_percent(fill_of(lane))}, exported {lane.exported}, "
        f"dropped {lane.dropped}, lag {lane.lag_records}, last failure {failure_of(lane)}"
    )


def _percent(share: float) -> str:
    """Rounded down: 100% is said of what is full, not of what nearly is."""
    return f"{math.floor(share * 100)}%"


def _grouped(number: int) -> str:
    return f"{number:,}".replace(",", " ")


@contextmanager
def live_view(
    snapshot: Callable[[], WorkerSnapshot], console: Console, clock: Clock
) -> Iterator[Callable[[str], None]]:
    """Shows the lanes until the context ends, then once more as they are at the end; the value takes a headline.

    On a terminal a table is redrawn four times a second, otherwise a plain line is printed every five seconds.
    `snapshot` is called from a thread of the view, must not block for long and must not raise.
    """
    board = LaneBoard(snapshot, console, clock)
    if not console.is_terminal:
        with _repeating(board.print_line_if_due):
            yield board.headline
        board.print_line()
        return
    with Live(board.renderable(), console=console, auto_refresh=False) as live:

        def redraw() -> None:
            live.update(board.renderable(), refresh=True)

        with _repeating(redraw):
            yield board.headline
        redraw()


@contextmanager
def _repeating(draw: Callable[[], None]) -> Iterator[None]:
    """Draws from a thread of its own; none is under way any more when the context has ended."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(REDRAW_EVERY_S):
            draw()

    thread = threading.Thread(target=repeat, name="live-view", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
