"""The demonstration as a test: an outage that fires, a proof that holds, a proof that notices what is missing."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tailrace.demo import DemoPlan, run_demo
from tailrace.runtime.statistics import WorkerSnapshot

SHORT = DemoPlan(events=3_000, events_per_s=1_000, seed=5, refuse_at_s=0.5, accept_at_s=2.0)


@contextmanager
def unseen(snapshot: Callable[[], WorkerSnapshot]) -> Iterator[Callable[[str], None]]:
    yield lambda _: None


def events_of(log: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


@pytest.mark.slow
def test_every_event_is_accounted_for_although_a_sink_was_refused(tmp_path: Path) -> None:
    """The demonstration ends with 0 after an outage that its worker noticed and recovered from."""
    assert run_demo(SHORT, tmp_path, unseen, lambda _: None) == 0

    log = events_of(tmp_path / "worker.log")
    failed = [line for line in log if line["event"] == "sink failed"]
    assert {line["sink"] for line in failed} == {"archive"}
    assert [line["sink"] for line in log if line["event"] == "sink recovered"] == ["archive"]


@pytest.mark.slow
@pytest.mark.parametrize("sink", ["analytics", "diagnostic"])
def test_the_proof_fails_when_one_record_is_hidden_from_it(tmp_path: Path, sink: str) -> None:
    """Exit code 1, although the worker did everything right: the proof looks at what is there."""
    plan = DemoPlan(
        events=500, events_per_s=2_000, refuse_at_s=0.1, accept_at_s=0.2, audit_arguments=("--without-record", sink)
    )

    assert run_demo(plan, tmp_path, unseen, lambda _: None) == 1


def test_a_folder_with_an_earlier_demonstration_is_refused(tmp_path: Path) -> None:
    """Old records would be unexplained duplicates in the new proof."""
    (tmp_path / "diagnostic.jsonl").write_text("{}\n", encoding="utf-8")

    command = [sys.executable, "-m", "tailrace", "demo", "--keep", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert ended.returncode == 2
    assert "is not empty" in ended.stderr
