"""Draw the results: one PNG and one SVG for each scenario that has results, into bench/plots/.

    python -m bench.plots                  what `python -m bench.report` would put into tables
    python -m bench.plots --size quick

What is drawn (`charts`) is worked out without the library; only `draw` needs it (dependency group `bench`).
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.report import CPU, NULL, PACE, SIZES, TAILRACE
from bench.results import RESULTS, Result, newest
from bench.skipped import FAR, NEAR

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLOTS = Path(__file__).parent / "plots"

OURS = "#1f6f8b"
OTHERS = "#b8b8b8"
FLOOR = "#e0a458"

DOTS_PER_INCH = 120

# A letter of nine points' width takes 0.073 inches on average (DejaVu Sans, our labels). A panel narrower than its
# labels has no room for bars: the library then gives up on the layout and cuts the numbers off.
INCHES_PER_LETTER = 0.075
INCHES_OF_BARS = 3.6


@dataclass(frozen=True, slots=True)
class Bar:
    """A median, and the least and greatest turn around it."""

    label: str
    value: float
    least: float
    greatest: float
    colour: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One axis with bars, from top to bottom."""

    title: str
    bars: Sequence[Bar]

    def width(self) -> float:
        """Inches, with room for the longest label beside the bars."""
        return INCHES_OF_BARS + INCHES_PER_LETTER * max((len(bar.label) for bar in self.bars), default=0)


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture: its file's name without ending, a line above it, a line below it, and panels side by side."""

    name: str
    title: str
    footnote: str
    panels: Sequence[Panel]


FIGURES: dict[str, tuple[str, Sequence[tuple[str, str]]]] = {
    "one-record": ("Events that yield one record, three Kafka sinks", ((CPU, "CPU µs/event"), (PACE, "events/s"))),
    "mix": ("The demonstration's mix, three Kafka sinks", ((CPU, "CPU µs/event"), (PACE, "events/s"))),
    "sinks": ("One, four and eight Kafka sinks", ((CPU, "CPU µs/event"), (PACE, "events/s"))),
    "event-sizes": ("Events with a conversation that no sink may get", ((CPU, "CPU µs/event"), (PACE, "events/s"))),
    "content": ("A conversation of 1 KB, three Kafka sinks", ((CPU, "CPU µs/event"), (PACE, "events/s"))),
    "content-in-turn": ("With content and without, in turn", ((CPU, "CPU µs/event"), (PACE, "events/s"))),
    "content-skipped": ("The projector alone, conversations that no sink may get", ((CPU, "CPU µs/event"),)),
    "workers": ("One worker and two", ((CPU, "CPU µs/event"), (PACE, "events/s"))),
    "latency": ("From send to every sink's log, 5 000 events/s", (("p50_ms", "p50 ms"), ("p99_ms", "p99 ms"))),
    "memory": (
        "Resident memory with one of three sinks stalled",
        (("rss_mib", "MiB"), ("highest_mib", "highest, MiB")),
    ),
    "memory-let-go": (
        "Resident memory with one sink stalled, and a second one's lane let go",
        (("rss_mib", "MiB"), ("highest_mib", "highest, MiB")),
    ),
    "catch-up": (
        "Two live lanes, and one that catches up",
        (("healthy_events_per_s", "live lanes, events/s"), ("late_lane_events_per_s", "late lane, events/s")),
    ),
}
"""By scenario, the title and the figures drawn."""


def chart(result: Result) -> Chart:
    title, figures = FIGURES[result.scenario]
    made = result.made
    turns = (
        f"medians of {len(result.turns)} turns, lines from least to greatest" if len(result.turns) > 1 else "one turn"
    )
    footnote = f"{turns}; size {result.size}, commit {made['commit']}, {made['cores']} cores"
    return Chart(
        result.scenario,
        title,
        footnote,
        [Panel(name, list(_bars(result, figure))) for figure, name in figures],
    )


def _bars(result: Result, figure: str) -> Iterator[Bar]:
    for who, variant in result.pairs():
        values = [run[figure] for run in result.runs(who, variant) if figure in run]
        if values:
            label = f"{who}, {variant}" if variant else who
            median = result.median(who, figure, variant)
            yield Bar(label, median, min(values), max(values), _colour(who))


def _colour(who: str) -> str:
    if who == NULL:
        return FLOOR
    # Without Kafka around it, the projector is called by where its events are; it is still tailrace's.
    return OURS if who.startswith(TAILRACE) or who in (NEAR, FAR) else OTHERS


def shown(value: float, _tick: int | None = None) -> str:
    """A figure as a reader says it: whole and with its thousands apart from a thousand up, else four digits.

    Also a tick's label, hence the second argument.
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def charts(find: Callable[[str], Result | None]) -> list[Chart]:
    """Of every scenario with results, in the order of the tables."""
    return [chart(result) for scenario in FIGURES if (result := find(scenario)) is not None]


def draw(chart: Chart, folder: Path) -> list[Path]:
    """Write the chart as PNG and SVG. ImportError without the dependency group `bench`."""
    import matplotlib as mpl  # noqa: PLC0415 - charts are worked out, and tested, without it
    from matplotlib.figure import Figure  # noqa: PLC0415

    rows = max(len(panel.bars) for panel in chart.panels)
    # The same results give the same bytes: no random ids, no date.
    with mpl.rc_context({"svg.hashsalt": chart.name, "font.size": 9, "svg.fonttype": "none"}):
        width = sum(panel.width() for panel in chart.panels)
        figure = Figure(figsize=(width, 1.4 + 0.32 * rows), layout="constrained")
        figure.suptitle(chart.title, fontweight="bold")
        figure.supxlabel(chart.footnote, fontsize=7)
        for place, panel in enumerate(chart.panels, 1):
            _draw_panel(figure.add_subplot(1, len(chart.panels), place), panel)
        folder.mkdir(parents=True, exist_ok=True)
        files = [folder / f"{chart.name}.png", folder / f"{chart.name}.svg"]
        figure.savefig(files[0], dpi=DOTS_PER_INCH, metadata={"Software": None})
        figure.savefig(files[1], metadata={"Date": None})
    return files


def _draw_panel(axes: "Axes", panel: Panel) -> None:
    places = range(len(panel.bars))
    values = [bar.value for bar in panel.bars]
    around = [
        [bar.value - bar.least for bar in panel.bars],
        [bar.greatest - bar.value for bar in panel.bars],
    ]
    style: dict[str, Any] = {"ecolor": "#444444", "capsize": 2, "error_kw": {"linewidth": 0.8}}
    axes.barh(places, values, xerr=around, color=[bar.colour for bar in panel.bars], **style)
    axes.set_yticks(places, [bar.label for bar in panel.bars])
    axes.invert_yaxis()
    axes.set_title(panel.title, loc="left", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", linewidth=0.4, alpha=0.5)
    axes.set_axisbelow(True)
    for place, bar in zip(places, panel.bars, strict=True):
        axes.annotate(shown(bar.value), (bar.greatest, place), (4, 0), textcoords="offset points", va="center")
    axes.margins(x=0.18)
    axes.locator_params(axis="x", nbins=5)
    axes.xaxis.set_major_formatter(shown)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("full", "quick", "tiny"), help="only this size")
    parser.add_argument("--folder", type=Path, default=PLOTS)
    arguments = parser.parse_args()
    sizes = (arguments.size,) if arguments.size else SIZES
    drawn = charts(lambda scenario: newest(scenario, sizes, RESULTS))
    if not drawn:
        raise SystemExit("no results to draw; `python -m bench.compare --quick` makes some")
    for one in drawn:
        print(", ".join(file.name for file in draw(one, arguments.folder)))


if __name__ == "__main__":
    main()
