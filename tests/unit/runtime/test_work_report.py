"""What a worker reports arrives as it was sent, adds up, and ends in the log."""

import pytest

from tailrace.runtime.work_report import Life, SinkTally, WorkReport, log_lives, log_run
from tests.unit.runtime.test_crew import Lines

REPORT = WorkReport(7, 2, {"analytics": SinkTally(4, 1, 0), "diagnostic": SinkTally(3, 0, 2)})


def test_a_report_survives_its_way_as_a_line() -> None:
    """One line, whatever is in it: the reader cuts at line ends."""
    line = REPORT.to_line()
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert WorkReport.from_line(line) == REPORT


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"warning: something a library printed",
        b"7",
        b"{}",
        b'{"events":1,"undecodable":0,"sinks":[]}',
        b'{"events":1,"undecodable":0,"sinks":{"a":[1,2,3,4]}}',
        b'{"events":1,"undecodable":0,"sinks":{"a":["x",2,3]}}',
        b'{"events":1,"undecodable":0,"sinks":{"a":1}}',
        b"\xff\xfe",
    ],
)
def test_anything_else_is_no_report(line: bytes) -> None:
    """A supervisor does not fall over what a library may print."""
    assert WorkReport.from_line(line) is None


def test_reports_add_up_sink_by_sink() -> None:
    """Also where one worker has lanes that another has not."""
    other = WorkReport(1, 1, {"diagnostic": SinkTally(1, 1, 1), "late": SinkTally(0, 1, 0)})
    assert WorkReport.total([REPORT, other]) == WorkReport(
        8, 3, {"analytics": SinkTally(4, 1, 0), "diagnostic": SinkTally(4, 1, 3), "late": SinkTally(0, 1, 0)}
    )
    assert WorkReport.total([]) == WorkReport()


def test_the_summary_of_a_run_has_a_line_per_sink_and_one_over_all() -> None:
    """Per sink what it got and did not get; over all how much it cost."""
    log = Lines()
    log_run(REPORT, workers=2, restarts=1, cpu_s=1.239, elapsed_s=10.004, exit_code=0, logger=log)
    assert log.of("sink summary") == [
        {"sink": "analytics", "exported": 4, "filtered": 1, "dropped": 0},
        {"sink": "diagnostic", "exported": 3, "filtered": 0, "dropped": 2},
    ]
    assert log.of("run summary") == [
        {
            "workers": 2,
            "events": 7,
            "undecodable": 2,
            "restarts": 1,
            "cpu_s": 1.24,
            "elapsed_s": 10.0,
            "exit_code": 0,
        }
    ]


def test_every_worker_has_its_own_lines() -> None:
    """The same numbers, said of one."""
    log = Lines()
    log_lives([Life(number=2, report=REPORT, restarts=3, cpu_s=0.5, exit_code=-9)], log)
    assert [(line["worker"], line["sink"], line["exported"]) for line in log.of("sink summary")] == [
        (2, "analytics", 4),
        (2, "diagnostic", 3),
    ]
    assert log.of("worker summary") == [
        {"worker": 2, "events": 7, "undecodable": 2, "restarts": 3, "cpu_s": 0.5, "exit_code": -9}
    ]
