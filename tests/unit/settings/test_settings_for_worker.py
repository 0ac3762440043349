"""Several workers share a configuration, and nothing that only one of them can have."""

from pathlib import Path

import pytest

from tailrace.settings import LocalDiagnosticSettings
from tailrace.settings.digest import lane_digest
from tests.unit.settings.written import PLAIN, loaded


def file_of(folder: Path, path: str, number: int) -> str:
    sink = loaded(folder, PLAIN.replace("diagnostic.jsonl", path)).for_worker(number).sinks["diagnostic"]
    assert isinstance(sink, LocalDiagnosticSettings)
    return str(sink.path)


@pytest.mark.parametrize(
    ("path", "of_second"),
    [
        ("diagnostic.jsonl", "diagnostic.worker-2.jsonl"),
        ("/var/lib/tailrace/diagnostic.jsonl", "/var/lib/tailrace/diagnostic.worker-2.jsonl"),
        ("log.d/diagnostic", "log.d/diagnostic.worker-2"),
        (".hidden", ".hidden.worker-2"),
        ("a.b.jsonl", "a.b.worker-2.jsonl"),
    ],
)
def test_each_worker_writes_a_file_of_its_own_beside_the_one_that_is_set(
    path: str, of_second: str, tmp_path: Path
) -> None:
    """In the same folder and with the same ending, so that what collects the one collects the others."""
    assert file_of(tmp_path, path, 2) == of_second


@pytest.mark.parametrize("path", ["diagnostic.jsonl", "log.d/diagnostic", ".hidden", "a.b.jsonl", ".worker-7"])
def test_the_plain_path_is_the_same_for_all_of_them(path: str, tmp_path: Path) -> None:
    """By it two sinks are told apart, whichever workers there are."""
    settings = loaded(tmp_path, PLAIN.replace("diagnostic.jsonl", path))
    plain = set()
    for one in (settings, settings.for_worker(1), settings.for_worker(23)):
        sink = one.sinks["diagnostic"]
        assert isinstance(sink, LocalDiagnosticSettings)
        plain.add(str(sink.plain_path))
    assert plain == {path}


def test_nothing_else_differs(tmp_path: Path) -> None:
    """Cursors, groups and digests are of the sink, whoever works for it."""
    settings = loaded(tmp_path)
    second = settings.for_worker(2)
    assert second.model_dump(exclude={"sinks"}) == settings.model_dump(exclude={"sinks"})
    assert second.sinks["analytics"] == settings.sinks["analytics"]
    for sink_id in settings.sinks:
        assert lane_digest(second, sink_id) == lane_digest(settings, sink_id)
        assert second.cursor_group(sink_id) == settings.cursor_group(sink_id)
