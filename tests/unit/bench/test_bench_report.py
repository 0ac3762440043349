"""Tables are made from results, stand between markers, and touch nothing else."""

from collections.abc import Mapping

import pytest

from bench.report import CLAIMS, NOT_MEASURED, README, TABLES, claims_table, moves, rendered, table
from bench.results import Refusal, Result, Row

MADE = {
    "at": "2026-01-02T03:04:05+00:00",
    "commit": "abc1234567",
    "uncommitted_changes": False,
    "cores": 2,
    "load_1_minute": 0.5,
}
BACKLOG = {"events": 1000, "records_for_each_sink": 1100, "mean_event_bytes": 389, "mean_record_bytes": 512}


def figures(pace: float, cpu: float) -> dict[str, float]:
    return {"events_per_s": pace, "cpu_us_per_event": cpu, "peak_rss_bytes": 100 * 2**20}


def backlog_result(rows: Mapping[str, dict[str, float]], refusals: tuple[Refusal, ...] = ()) -> Result:
    turn = [Row(name, "", row) for name, row in rows.items()]
    described = [[name, ""] for name in (*rows, *(refusal.contestant for refusal in refusals))]
    return Result("one-record", "quick", {"rows": described, "backlogs": [BACKLOG]}, MADE, [turn], refusals)


RESULT = backlog_result(
    {
        "null pipeline": figures(100_000, 8.0),
        "tailrace": figures(70_000, 12.0),
        "tailrace, projector by fastavro": figures(14_000, 80.0),
        "Quix Streams": figures(10_000, 96.0),
    }
)


def test_a_row_has_medians_and_ratios_to_the_floor_and_to_tailrace() -> None:
    lines = table(RESULT, TABLES["one-record"]).splitlines()
    assert lines[3] == "| tailrace | 70,000 | 12.0 | 83,333 | 0.70 | 1.0 | 100 |"
    assert lines[5] == "| Quix Streams | 10,000 | 96.0 | 10,417 | 0.10 | 8.0 | 100 |"


def test_rows_stand_in_the_order_of_the_scenario() -> None:
    lines = table(RESULT, TABLES["one-record"]).splitlines()[2:6]
    assert [line.split(" | ")[0] for line in lines] == [
        "| null pipeline",
        "| tailrace",
        "| tailrace, projector by fastavro",
        "| Quix Streams",
    ]


def test_below_a_table_stands_what_was_run_and_where() -> None:
    note = table(RESULT, TABLES["one-record"]).splitlines()[-1]
    assert "1,000 events of 389 bytes" in note
    assert "commit abc1234567, 2 cores, load 0.5 before" in note
    assert "uncommitted" not in note


def test_a_run_that_does_not_count_has_no_row_and_is_told() -> None:
    result = backlog_result({"tailrace": figures(1, 1)}, (Refusal("Arroyo", "", "lost 3 records\ndetails"),))
    text = table(result, TABLES["one-record"])
    assert "| Arroyo" not in text
    assert "A run of Arroyo did not count: lost 3 records\n" in text


def test_a_cell_without_its_comparison_is_empty() -> None:
    """Without the null pipeline nothing can be said of its pace."""
    lines = table(backlog_result({"tailrace": figures(70_000, 12.0)}), TABLES["one-record"]).splitlines()
    assert lines[2] == "| tailrace | 70,000 | 12.0 | 83,333 |  | 1.0 | 100 |"


def test_only_what_is_between_the_markers_changes() -> None:
    text = "before\n<!-- results: one-record -->\nold\n<!-- /results -->\nafter <!-- results -->\n"
    made = rendered(text, {"one-record": RESULT}.get)
    assert made.startswith("before\n<!-- results: one-record -->\n\n| | events/s")
    assert made.endswith("\n<!-- /results -->\nafter <!-- results -->\n")
    assert "old" not in made
    assert rendered(made, {"one-record": RESULT}.get) == made


def test_a_scenario_without_results_says_so() -> None:
    text = "<!-- results: mix -->\nstale figures\n<!-- /results -->\n"
    assert rendered(text, lambda _: None) == f"<!-- results: mix -->\n\n{NOT_MEASURED}\n<!-- /results -->\n"


def test_a_marker_of_no_scenario_is_refused() -> None:
    with pytest.raises(KeyError):
        rendered("<!-- results: nothing -->\n<!-- /results -->\n", lambda _: None)


def test_a_claim_holds_or_does_not_by_its_limit() -> None:
    lines = claims_table({"one-record": RESULT}.get).splitlines()
    assert "| tailrace's events/s, null pipeline = 1 | ≥ 0.65 | 0.70 | yes |" in lines
    assert "| tailrace's events per CPU second, Quix Streams = 1 | ≥ 4 | 8.00 | yes |" in lines
    slow = backlog_result({"null pipeline": figures(100_000, 8.0), "tailrace": figures(64_000, 12.0)})
    lines = claims_table({"one-record": slow}.get).splitlines()
    assert "| tailrace's events/s, null pipeline = 1 | ≥ 0.65 | 0.64 | **no** |" in lines


def test_a_claim_of_at_most_holds_below_its_limit() -> None:
    def workers(two_us: float) -> Result:
        turn = [Row("tailrace", "", figures(1, 10.0)), Row("tailrace, two workers", "", figures(2, two_us))]
        return Result("workers", "quick", {"rows": [], "backlogs": []}, MADE, [turn])

    text = "CPU per event of two workers, one worker = 1 | ≤ 1.15"
    assert f"| {text} | 1.10 | yes |" in claims_table({"workers": workers(11.0)}.get)
    assert f"| {text} | 1.20 | **no** |" in claims_table({"workers": workers(12.0)}.get)


def content_result(with_content: Mapping[str, tuple[float, float]]) -> Result:
    """Pace and processor time with content; without, 100 000 events a second and 10 µs."""
    turn = [
        row
        for who, (pace, cpu) in with_content.items()
        for row in (
            Row(who, "events without content", figures(100_000, 10.0)),
            Row(who, "content nobody may get", figures(pace, cpu)),
        )
    ]
    return Result("content-in-turn", "quick", {"rows": [], "backlogs": []}, MADE, [turn])


def test_what_content_costs_is_held_to_what_it_costs_the_null_pipeline() -> None:
    def lines(pace: float, cpu: float) -> list[str]:
        found = content_result({"tailrace": (pace, cpu), "null pipeline": (90_000, 11.0)})
        return [line for line in claims_table({"content-in-turn": found}.get).splitlines() if "null" in line][1:]

    as_cheap, dearer = lines(90_000, 11.0), lines(72_000, 13.0)
    assert [line.partition("null")[2] for line in as_cheap] == [
        "'s share = 1 | ≥ 0.9 | 1.00 | yes |",
        ", tailrace's event without = 1 | ≤ 0.1 | 0.00 | yes |",
    ]
    assert [line.partition("null")[2] for line in dearer] == [
        "'s share = 1 | ≥ 0.9 | 0.80 | **no** |",
        ", tailrace's event without = 1 | ≤ 0.1 | 0.20 | **no** |",
    ]


def test_the_worst_row_decides_what_skipping_costs() -> None:
    def held(far_us: float) -> str:
        turn = [
            Row(where, variant, figures(1, us))
            for where, us_of in (("near", 2.2), ("far", far_us))
            for variant, us in (("mix", 2.0), ("mix, 3 KB", 9.0), ("mix, 100 KB", 2.1), ("mix, 100 KB twice", us_of))
        ]
        rows = [[row.contestant, row.variant] for row in turn]
        skipped = Result("content-skipped", "quick", {"rows": rows, "backlogs": []}, MADE, [turn])
        return next(line for line in claims_table({"content-skipped": skipped}.get).splitlines() if "100 KB" in line)

    assert held(2.3).endswith("| ≤ 1.2 | 1.15 | yes |")
    assert held(2.5).endswith("| ≤ 1.2 | 1.25 | **no** |")


def test_a_claim_without_its_measurement_is_open() -> None:
    lines = claims_table(lambda _: None).splitlines()
    assert len(lines) == 2 + len(CLAIMS)
    assert all(line.endswith("| not measured | |") for line in lines[2:])


def test_the_readme_has_a_place_for_every_table_and_for_the_claims() -> None:
    text = README.read_text(encoding="utf-8")
    for name in (*TABLES, "claims"):
        assert text.count(f"<!-- results: {name} -->") == 1, name
    assert text.count("<!-- /results -->") == len(TABLES) + 1


def test_how_a_median_moved_is_told_in_per_cent() -> None:
    faster = backlog_result({"tailrace": figures(140_000, 6.0), "Arroyo": figures(1, 1)})
    lines = list(moves(RESULT, faster))
    assert "one-record: tailrace: events_per_s 7e+04 -> 1.4e+05, +100.0%" in lines
    assert "one-record: tailrace: cpu_us_per_event 12 -> 6, -50.0%" in lines
    assert not [line for line in lines if "Arroyo" in line]
