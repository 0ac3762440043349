"""The live board shows every lane as its snapshot says, in the columns there are, and never a text from outside."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from tailrace.cli.live import PLAIN_LINE_EVERY_S, STATE_STYLES, LaneBoard, failure_of, fill_of, mode_of
from tailrace.domain.kinds import SinkKind
from tailrace.domain.sink_state import SinkState
from tailrace.runtime.statistics import LaneSnapshot, WorkerSnapshot

_ANALYTICS = LaneSnapshot(
    sink_id="analytics",
    kind=SinkKind.DURABLE_TRACE,
    state=SinkState.HEALTHY,
    buffered_records=500,
    capacity_records=2_000,
    buffered_bytes=100,
    capacity_bytes=1_000,
    live_partitions=4,
    catching_up_partitions=0,
    exported=1_234_567,
    filtered=0,
    dropped=0,
    failed_exports=0,
    detached=0,
    lag_records=0,
    cursors={},
    positions={},
    last_failure=None,
)
_ARCHIVE = replace(
    _ANALYTICS,
    sink_id="archive",
    state=SinkState.FAILED,
    buffered_records=2_000,
    live_partitions=1,
    catching_up_partitions=3,
    exported=88,
    dropped=17,
    failed_exports=7,
    lag_records=12_345,
    last_failure="TOPIC_AUTHORIZATION_FAILED",
)


class _StoppedClock:
    def __init__(self) -> None:
        self.s = 1_000.0

    def now_s(self) -> float:
        return self.s

    def wall_us(self) -> int:
        return 0


class _Worker:
    """A worker of which only the snapshot exists; a test sets the lanes."""

    def __init__(self, *lanes: LaneSnapshot) -> None:
        self.lanes = lanes
        self.halted_partitions = 0
        self.undecodable_events = 0

    def snapshot(self) -> WorkerSnapshot:
        return WorkerSnapshot(
            assigned_partitions=4,
            consumed_events=98_765,
            undecodable_events=self.undecodable_events,
            halted_partitions=self.halted_partitions,
            lanes=self.lanes,
        )


class _Screen:
    """A board on a console that keeps what was written."""

    def __init__(self, worker: _Worker, *, terminal: bool = True, width: int = 140, encoding: str = "utf-8") -> None:
        self.clock = _StoppedClock()
        self._bytes = io.BytesIO()
        self._file = io.TextIOWrapper(self._bytes, encoding=encoding, write_through=True)
        self._console = Console(
            file=self._file,
            force_terminal=terminal,
            width=width,
            color_system="standard" if terminal else None,
            record=True,
        )
        self.board = LaneBoard(worker.snapshot, self._console, self.clock)

    def draw(self, *, styles: bool = False) -> list[str]:
        self._console.export_text(clear=True)
        self._console.print(self.board.renderable())
        return self._console.export_text(clear=True, styles=styles).splitlines()

    def written(self) -> list[str]:
        return self._bytes.getvalue().decode().splitlines()


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.replace("  ", "\t").split("\t") if cell.strip()]


def test_a_wide_table_says_everything_of_each_lane() -> None:
    """One line per lane with mode, state, fill, counts and the last failure, under a headline and above the totals."""
    screen = _Screen(_Worker(_ANALYTICS, _ARCHIVE))
    screen.board.headline("the broker refuses telemetry.archive")
    headline, names, analytics, archive, totals = screen.draw()
    assert headline == "the broker refuses telemetry.archive"
    assert _cells(names) == (
        ["lane", "mode", "state", "buffer", "exported", "per s", "dropped", "lag", "failed", "last failure"]
    )
    assert _cells(analytics) == (
        ["analytics", "live", "healthy", "███░░░░░░░", "25%", "1 234 567", "0", "0", "0", "0", "-"]
    )
    assert _cells(archive)[:4] == ["archive", "catching up 3/4", "failed", "██████████ 100%"]
    assert _cells(archive)[4:] == ["88", "0", "17", "12 345", "7", "TOPIC_AUTHORIZATION_FAILED"]
    assert _cells(totals) == ["0 s", "98 765 events", "4 partitions"]


def test_a_usual_terminal_keeps_every_number_whole() -> None:
    """In 80 columns a long sink id loses its end, no count does."""
    long = replace(_ARCHIVE, sink_id="a-sink-with-a-name-of-some-length", exported=7_654_321, lag_records=1_000_000)
    lines = _Screen(_Worker(_ANALYTICS, long), width=80).draw()
    assert all(len(line) <= 80 for line in lines)
    row = next(line for line in lines if line.startswith("a-sink"))
    assert "…" in _cells(row)[0]
    assert _cells(row)[1:] == ["catching up 3/4", "failed", "█████ 100%", "7 654 321", "17", "1 000 000"]


@pytest.mark.parametrize("state", list(SinkState))
def test_every_state_has_its_colour(state: SinkState) -> None:
    """No state of the table of states is left without a style, and the style reaches the screen."""
    assert STATE_STYLES[state]
    drawn = "\n".join(_Screen(_Worker(replace(_ANALYTICS, state=state))).draw(styles=True))
    assert any(f"\x1b[{code}m{state}" in drawn for code in ("2", "32", "33", "1;31", "36", "35"))


@pytest.mark.parametrize(
    ("live", "catching_up", "mode"),
    [(4, 0, "live"), (3, 1, "catching up 1/4"), (0, 4, "catching up"), (0, 0, "idle")],
)
def test_the_mode_is_that_of_all_partitions(live: int, catching_up: int, mode: str) -> None:
    """A lane is live only if all its partitions are, and idle without any."""
    assert mode_of(replace(_ANALYTICS, live_partitions=live, catching_up_partitions=catching_up)) == mode


@pytest.mark.parametrize(
    ("records", "size_bytes", "fill", "bar"),
    [
        (0, 0, 0.0, "░░░░░░░░░░   0%"),
        (1, 0, 0.0005, "█░░░░░░░░░   0%"),
        (1_000, 100, 0.5, "█████░░░░░  50%"),
        (10, 750, 0.75, "████████░░  75%"),
        (1_999, 0, 0.9995, "█████████░  99%"),
        (2_000, 0, 1.0, "██████████ 100%"),
        (3_000, 0, 1.0, "██████████ 100%"),
    ],
)
def test_the_bar_follows_the_nearer_bound(records: int, size_bytes: int, fill: float, bar: str) -> None:
    """Records or bytes, whichever is fuller; a drop shows, and full is shown only of what is full."""
    lane = replace(_ANALYTICS, buffered_records=records, buffered_bytes=size_bytes)
    assert fill_of(lane) == pytest.approx(fill)
    assert bar in _Screen(_Worker(lane)).draw()[2]


def test_a_terminal_without_unicode_gets_an_ascii_bar() -> None:
    """What cannot be encoded is not sent."""
    assert "###.......  25%" in _Screen(_Worker(_ANALYTICS), encoding="ascii").draw()[2]


def test_the_rate_is_that_of_the_last_second() -> None:
    """Records exported between two drawings at least a second apart, per second."""
    worker = _Worker(replace(_ANALYTICS, exported=1_000))
    screen = _Screen(worker)
    rates = []
    for elapsed_s, exported in ((0.0, 1_000), (0.5, 1_400), (1.5, 3_000), (0.25, 9_000), (1.75, 3_000)):
        screen.clock.s += elapsed_s
        worker.lanes = (replace(_ANALYTICS, exported=exported),)
        rates.append(_cells(screen.draw()[2])[6])
    assert rates == ["0", "0", "1 000", "1 000", "0"]


def test_what_is_halted_or_undecodable_is_said() -> None:
    """The totals grow by what needs attention."""
    worker = _Worker(_ANALYTICS)
    worker.halted_partitions, worker.undecodable_events = 2, 1_500
    assert _cells(_Screen(worker).draw()[-1])[3:] == ["1 500 undecodable", "2 HALTED"]


@pytest.mark.parametrize(
    "text",
    [
        "the prompt was: tell me a secret",
        "[bold]markup[/bold]",
        "line\nbreak",
        "\x1b[2J",
    ],
)
def test_a_failure_that_is_no_code_is_withheld(text: str) -> None:
    """Only the form of a code is shown, on a terminal and in a pipe."""
    lane = replace(_ARCHIVE, last_failure=text)
    assert failure_of(lane) == "(withheld)"
    on_terminal = "\n".join(_Screen(_Worker(lane)).draw())
    piped = _Screen(_Worker(lane), terminal=False)
    piped.board.print_line()
    for shown in (on_terminal, "\n".join(piped.written())):
        assert "(withheld)" in shown
        assert text not in shown


def test_a_pipe_gets_a_line_every_five_seconds() -> None:
    """Nothing before the time is over, one line per period after it, however often it is asked for."""
    screen = _Screen(_Worker(_ANALYTICS, _ARCHIVE), terminal=False)
    for _ in range(int(PLAIN_LINE_EVERY_S * 4 * 3)):
        screen.clock.s += 0.25
        screen.board.print_line_if_due()
    assert [line.partition(",")[0] for line in screen.written()] == ["5 s", "10 s", "15 s"]
    assert screen.written()[0] == (
        "5 s, 98765 events | analytics: healthy, live, buffer 25%, exported 1234567, dropped 0, lag 0, last failure -"
        " | archive: failed, catching up 3/4, buffer 100%, exported 88, dropped 17, lag 12345, "
        "last failure TOPIC_AUTHORIZATION_FAILED"
    )


def test_a_pipe_gets_headlines_at_once_and_as_they_are() -> None:
    """A headline is a line of its own; what looks like markup is only text."""
    screen = _Screen(_Worker(_ANALYTICS), terminal=False)
    screen.board.headline("the broker refuses [red]telemetry.archive")
    assert screen.written() == ["-- the broker refuses [red]telemetry.archive"]
