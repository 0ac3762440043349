"""A worker has the projector that its settings name, and its log says what that one cannot do."""

import io
import json
import math
from pathlib import Path
from typing import Any

import pytest

from tailrace.adapters.logs import StructuredLog, system_now
from tailrace.bootstrap.assembly import EventsTopic, build_worker
from tailrace.bootstrap.projectors import READY_WITHIN_S, await_machine_code, make_projector
from tailrace.codec.compiled_projector import CompiledProjector
from tailrace.codec.native.tier import NativeTier
from tailrace.codec.reference_projector import ReferenceProjector
from tailrace.runtime.stop import Stop
from tailrace.settings import Settings
from tests.unit.codec.written import MINIMAL, frame, framed, schema_json, store, store_with, write
from tests.unit.runtime.fakes import FakeClock

MESSAGES = ("input_messages", "output_messages")


def settings(content: dict[str, str] | None = None, **worker: Any) -> Settings:
    return Settings.model_validate(
        {
            "kafka": {"bootstrap_servers": "localhost:9092"},
            "events": {"topic": "agent.events", "group": "tailrace"},
            "sinks": {
                "analytics": {"kind": "durable_trace", "topic": "telemetry.analytics", "content": content or {}},
                "diagnostic": {"kind": "local_diagnostic", "path": "diagnostic.jsonl"},
            },
            "capture": {"policies": {"p": {}}},
            "worker": worker,
        }
    )


@pytest.mark.parametrize(
    ("named", "kind"),
    [
        ({}, CompiledProjector),
        ({"projector": "compiled"}, CompiledProjector),
        ({"projector": "reference"}, ReferenceProjector),
    ],
    ids=str,
)
def test_the_settings_choose(named: dict[str, str], kind: type) -> None:
    log = StructuredLog("info", "json", io.StringIO(), now=system_now)
    assert type(make_projector(settings(None, **named), store(), log)) is kind


@pytest.mark.parametrize("named", [{}, {"projector": "reference"}], ids=str)
@pytest.mark.parametrize("content", [{}, {"mode": "off"}, {"mode": "metadata_only", "policy": "p"}], ids=str)
def test_an_event_with_content_is_kept_only_if_some_sink_has_a_mode(
    named: dict[str, str], content: dict[str, str]
) -> None:
    """Facts about the content count: they are told per record, by the same stage."""
    log = StructuredLog("info", "json", io.StringIO(), now=system_now)
    value = framed({**MINIMAL, "content": {"thread_id": "t", "turn_number": 0, **dict.fromkeys(MESSAGES, b"[]")}})
    (projected,) = make_projector(settings(content, **named), store(), log).project_all(0, [1], [None], [value])
    assert isinstance(projected, tuple)
    assert projected[0].event == (value if content.get("policy") else None)


def test_a_schema_out_of_reach_is_one_line(tmp_path: Path) -> None:
    """Its events are served all the same."""
    writer = schema_json("agent_event")
    added = [{"name": f"f{number}", "type": "int"} for number in range(1_900)]
    body = write(writer, MINIMAL) + bytes(len(added))
    writer["fields"] += added
    lines = io.StringIO()
    projector = make_projector(
        settings(projector="compiled"),
        store_with(tmp_path, large=writer),
        StructuredLog("info", "json", lines, now=system_now),
    )
    for offset in range(2):
        (projected,) = projector.project_all(0, [offset], [None], [frame(writer) + body])
        assert isinstance(projected, tuple)
    (line,) = map(json.loads, lines.getvalue().splitlines())
    assert line["event"] == "a writer schema is too large to compile: its events are read by the reference projector"
    assert line["level"] == "warning"
    assert line["detail"] == f"frame.{frame(writer).hex()}"


def test_the_log_says_when_events_are_projected_in_machine_code() -> None:
    lines = io.StringIO()
    projector = make_projector(settings(), store(), StructuredLog("info", "json", lines, now=system_now))
    assert isinstance(projector, CompiledProjector)
    assert projector.native is not None
    projector.native.wait()
    (line,) = map(json.loads, lines.getvalue().splitlines())
    assert line["event"] == "events are projected in machine code from now on"


def test_machine_code_can_be_ruled_out() -> None:
    log = StructuredLog("info", "json", io.StringIO(), now=system_now)
    projector = make_projector(settings(projector="compiled"), store(), log)
    assert isinstance(projector, CompiledProjector)
    assert projector.native is None


class Waits:
    """A compiler that is done after so many looks at it, each of a second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, looks: float, stopped_after: float = math.inf) -> None:
        self.clock, self.stop, self.looked = FakeClock(), Stop(), 0
        self._looks, self._stopped_after = looks, stopped_after
        monkeypatch.setattr(NativeTier, "wait", self._wait)

    def _wait(self, _: object) -> bool:
        self.looked += 1
        self.clock.passes(1.0)
        if self.looked >= self._stopped_after:
            self.stop.set()
        return self.looked >= self._looks

    def of(self, projector: str) -> int:
        """How often a worker with this projector looks before it begins."""
        log = StructuredLog("info", "json", io.StringIO(), now=system_now)
        await_machine_code(make_projector(settings(projector=projector), store(), log), self.clock, self.stop)
        return self.looked


def test_a_worker_begins_when_machine_code_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Waits(monkeypatch, looks=3).of("native") == 3


def test_a_worker_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Waits(monkeypatch, looks=math.inf).of("native") == int(READY_WITHIN_S)


def test_a_stop_ends_the_wait_for_machine_code(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Waits(monkeypatch, looks=math.inf, stopped_after=2).of("native") == 2


@pytest.mark.parametrize("projector", ["compiled", "reference"])
def test_without_machine_code_nobody_waits(monkeypatch: pytest.MonkeyPatch, projector: str) -> None:
    assert Waits(monkeypatch, looks=math.inf).of(projector) == 0


def test_a_worker_is_made_only_when_the_wait_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients are made here and connect to nobody: there is no broker at that port, and nothing is started."""
    waits, stop = Waits(monkeypatch, looks=3), Stop()
    log = StructuredLog("error", "json", io.StringIO(), now=system_now)
    build_worker(settings(), schemas=store(), topic=EventsTopic(), stop=stop, clock=waits.clock, logger=log)
    assert waits.looked == 3
