"""What an audit prints and returns."""

import json
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tailrace.audit import ADDS_UP, DOES_NOT_ADD_UP, NO_VERDICT, AuditReport, PlanInvalid
from tailrace.audit.__main__ import main
from tailrace.audit.command import omission_from, show
from tailrace.audit.findings import EXAMPLES, MEANINGS, FindingCode
from tailrace.audit.plan import Omission
from tests.unit.audit.corruptions import copy_of, first, remove
from tests.unit.audit.stories import Story, Temper, story_of


def calm() -> Story:
    return story_of(1, count=80)


def broken() -> AuditReport:
    story = calm()
    for _ in range(EXAMPLES + 2):
        remove(story, "analytics", first(story, "analytics").unit)
    return story.audit()


def printed(report: AuditReport, *, width: int = 200) -> str:
    out = StringIO()
    show(report, Console(file=out, width=width), as_json=False)
    return out.getvalue()


def test_the_exit_code_says_whether_it_adds_up() -> None:
    assert (calm().audit().exit_code, broken().exit_code) == (ADDS_UP, DOES_NOT_ADD_UP)


def test_findings_of_one_sort_are_one_finding_with_a_count_and_some_examples() -> None:
    (finding,) = broken().findings
    assert finding.count == EXAMPLES + 2
    assert len(finding.examples) == EXAMPLES
    assert finding.meaning == MEANINGS[FindingCode.MISSING]


def test_every_code_has_a_meaning() -> None:
    assert set(MEANINGS) == set(FindingCode)


def test_a_sinks_findings_are_counted_in_its_line() -> None:
    counts = {sink.sink_id: sink.findings for sink in broken().sinks}
    assert counts == {"analytics": EXAMPLES + 2, "local": 0, "blind": 0, "billing": 0, "dead_letter": 0}


def test_a_report_without_findings_says_that_it_adds_up() -> None:
    text = printed(calm().audit())
    assert "it adds up: 80 events of agent.events" in text
    assert "✗" not in text
    assert "blind cannot be read back" in text


def test_a_report_with_findings_says_what_where_and_how_many() -> None:
    text = printed(broken())
    assert "✗ missing analytics partition 0: below the cursor, and neither exported nor filtered" in text
    assert f"{EXAMPLES + 2} in all" in text
    assert f"it does not add up: {EXAMPLES + 2} findings over 80 events" in text


def test_a_narrow_terminal_cuts_nothing_off() -> None:
    wide = printed(broken(), width=400).split()
    assert printed(broken(), width=30).split() == wide


def test_columns_without_a_count_are_left_out() -> None:
    header = printed(calm().audit()).splitlines()[0]
    assert "gap: undecodable" in header
    assert "above cursor" not in header
    unfinished = story_of(1, Temper(stops_early=True), count=80).audit()
    assert "above cursor" in printed(unfinished).splitlines()[0]


def test_the_json_form_has_everything() -> None:
    story = calm()
    story.sinks["analytics"].records.append(copy_of(first(story, "analytics")))
    out = StringIO()
    show(story.audit(), Console(file=out, width=40), as_json=True)
    form = json.loads(out.getvalue())
    assert form["adds_up"] is False
    assert form["events"] == 80
    assert [partition["events"] for partition in form["partitions"]] == [40, 40]
    sinks = {sink["sink"]: sink for sink in form["sinks"]}
    assert sinks["analytics"]["duplicates"] == 1
    assert sinks["analytics"]["kind"] == "kafka"
    assert sinks["local"]["kind"] == "file"
    assert sinks["blind"]["kind"] == "cursor_only"
    assert sinks["dead_letter"]["kind"] == "dead_letters"
    assert form["findings"][0]["code"] == "duplicate_unexplained"
    assert form["findings"][0]["count"] == 1


@pytest.mark.parametrize(
    ("text", "omission"),
    [
        ("analytics", Omission("analytics")),
        ("analytics:2:77", Omission("analytics", 2, 77)),
        ("analytics:2:77:usage", Omission("analytics", 2, 77, "usage")),
    ],
)
def test_a_record_to_leave_out_is_named_by_sink_and_place(text: str, omission: Omission) -> None:
    assert omission_from(text) == omission


@pytest.mark.parametrize("text", ["", ":", "a:1", "a:x:1", "a:1:-1", "a:1:2:usage:more", "a:1:²"])
def test_another_name_of_a_record_is_refused(text: str) -> None:
    with pytest.raises(PlanInvalid):
        omission_from(text)


@pytest.mark.parametrize("plan", ["", "{", "[]", "{}"])
def test_a_plan_that_is_none_ends_without_a_verdict(
    plan: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "plan.json"
    file.write_text(plan)
    assert main([str(file)]) == NO_VERDICT
    assert "no verdict" in capsys.readouterr().err


def test_a_plan_that_is_not_there_ends_without_a_verdict(tmp_path: Path) -> None:
    assert main([str(tmp_path / "nowhere.json")]) == NO_VERDICT


def test_the_process_takes_its_plan_from_standard_input() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tailrace.audit", "-"], input=b"{}", capture_output=True, check=False, timeout=60
    )
    assert ended.returncode == NO_VERDICT
    assert b"cluster" in ended.stderr
