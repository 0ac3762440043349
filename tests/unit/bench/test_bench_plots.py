"""A chart shows the medians of the tables, with the turns around them, and is written as PNG and SVG."""

from pathlib import Path

import pytest

from bench.plots import FIGURES, INCHES_OF_BARS, OURS, Chart, chart, charts, draw, shown
from bench.report import TABLES
from bench.results import Result, Row

MADE = {"commit": "abc1234567", "cores": 2}


def latency_result() -> Result:
    turns = [
        [Row("tailrace", "", {"p50_ms": p50, "p99_ms": 90.0}), Row("Arroyo", "", {"p50_ms": 40.0, "p99_ms": 200.0})]
        for p50 in (30.0, 20.0, 26.0)
    ]
    return Result("latency", "quick", {"rows": [["tailrace", ""], ["Arroyo", ""]], "backlogs": []}, MADE, turns)


def test_a_bar_is_the_median_with_the_least_and_the_greatest_turn() -> None:
    first = chart(latency_result()).panels[0].bars[0]
    assert (first.label, first.value, first.least, first.greatest) == ("tailrace", 26.0, 20.0, 30.0)


def test_there_is_a_panel_for_each_figure_and_a_bar_for_each_row() -> None:
    panels = chart(latency_result()).panels
    assert [(panel.title, [bar.label for bar in panel.bars]) for panel in panels] == [
        ("p50 ms", ["tailrace", "Arroyo"]),
        ("p99 ms", ["tailrace", "Arroyo"]),
    ]


def test_a_row_without_the_figure_has_no_bar() -> None:
    turn = [
        Row("tailrace", "alone", {"healthy_events_per_s": 50.0}),
        Row("tailrace", "beside", {"healthy_events_per_s": 48.0, "late_lane_events_per_s": 9.0}),
    ]
    rows = [["tailrace", "alone"], ["tailrace", "beside"]]
    panels = chart(Result("catch-up", "quick", {"rows": rows, "backlogs": []}, MADE, [turn])).panels
    assert [bar.label for bar in panels[1].bars] == ["tailrace, beside"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(118_383.4, "118,383"), (20_000, "20,000"), (1000, "1,000"), (999.94, "999.9"), (2.057, "2.057"), (0, "0")],
)
def test_a_figure_is_shown_without_an_exponent(value: float, text: str) -> None:
    assert shown(value) == text


def test_a_panel_has_room_for_its_bars_however_long_a_label_is() -> None:
    turn = [Row("events in the cache", name, {"cpu_us_per_event": 2.0}) for name in ("", "a " * 40)]
    rows = [["events in the cache", row.variant] for row in turn]
    panel = chart(Result("content-skipped", "quick", {"rows": rows, "backlogs": []}, MADE, [turn])).panels[0]
    assert panel.width() > INCHES_OF_BARS + 6.0
    assert {bar.colour for bar in panel.bars} == {OURS}


def test_every_table_can_be_drawn() -> None:
    assert set(FIGURES) == set(TABLES)


def test_only_what_was_measured_is_drawn() -> None:
    assert [one.name for one in charts({"latency": latency_result()}.get)] == ["latency"]


@pytest.fixture
def drawn() -> Chart:
    pytest.importorskip("matplotlib", reason="drawing needs the dependency group `bench`")
    return chart(latency_result())


@pytest.mark.filterwarnings("error")
def test_a_chart_is_written_as_png_and_svg(drawn: Chart, tmp_path: Path) -> None:
    png, svg = draw(drawn, tmp_path)
    assert png.read_bytes().startswith(b"\x89PNG")
    text = svg.read_text(encoding="utf-8")
    for part in ("tailrace", "Arroyo", "p99 ms", "commit abc1234567", "26"):
        assert part in text


def test_the_same_results_give_the_same_files(drawn: Chart, tmp_path: Path) -> None:
    once, again = draw(drawn, tmp_path / "a"), draw(drawn, tmp_path / "b")
    assert [file.read_bytes() for file in once] == [file.read_bytes() for file in again]


@pytest.mark.filterwarnings("error")
def test_long_labels_leave_room_in_the_picture(drawn: Chart, tmp_path: Path) -> None:
    del drawn
    turn = [Row("events in the cache", "model_message_completed, 100 KB with instructions", {"cpu_us_per_event": 2.0})]
    rows = [[row.contestant, row.variant] for row in turn]
    long = chart(Result("content-skipped", "quick", {"rows": rows, "backlogs": []}, MADE, [turn]))
    assert [file.suffix for file in draw(long, tmp_path)] == [".png", ".svg"]
