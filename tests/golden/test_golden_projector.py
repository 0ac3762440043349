"""The bytes of every telemetry record are what they were."""

import pytest

from tests.golden.projector_cases import CASES, names, projected, recorded


@pytest.mark.parametrize("name", names())
def test_an_event_gives_the_recorded_bytes(name: str) -> None:
    """A difference reaches every sink: it needs a reason, these files anew, and, behind the frame, a new version."""
    assert projected(name) == recorded(name)


def test_the_cases_cover_every_outcome_of_the_rules() -> None:
    """Each kind of record and a refusal; no file without its partner."""
    outcomes = [recorded(name)["projected"] for name in names()]
    kinds = {record["kind"] for outcome in outcomes if isinstance(outcome, list) for record in outcome}
    assert kinds == {"progress", "run_terminal", "usage", "cost_estimate", "cost_correction"}
    assert {outcome["undecodable"] for outcome in outcomes if isinstance(outcome, dict)} == {"misplaced_usage"}
    statuses = {
        record["fields"]["terminal_status"]
        for outcome in outcomes
        if isinstance(outcome, list)
        for record in outcome
        if record["kind"] == "run_terminal"
    }
    assert statuses == {"completed", "failed", "cancelled", "timed_out", "unknown"}
    written = {file.name.removesuffix(".records.json") for file in CASES.glob("*.records.json")}
    assert written == set(names())
