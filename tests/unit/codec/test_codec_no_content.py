"""What a worker projects holds no content, whatever events permit: docs/PRIVACY.md, What is wired."""

import ast
import base64
import json
from pathlib import Path
from typing import Any

import pytest

import tailrace
from tailrace.codec.reference_projector import ReferenceProjector
from tailrace.codec.schemas import SchemaStore
from tailrace.domain.privacy import ContentCaptureMode
from tests.golden.projector_cases import CASES, names
from tests.unit.codec.oracle import decoded
from tests.unit.codec.written import framed

CANARY = "canary-5f3a9e"
CONTENT_MODULES = {
    "tailrace.domain.capture",
    "tailrace.domain.capture_record",
    "tailrace.domain.capture_store",
    "tailrace.domain.capture_verdict",
    "tailrace.domain.content_form",
}
"""Where an event's content is a value."""

CONTENT_PARTS = {
    "tailrace.codec.event_content",
    "tailrace.codec.record_tail",
    "tailrace.runtime.content_stage",
    "tailrace.runtime.record_content",
    "tailrace.runtime.store_pause",
    "tailrace.runtime.capture_news",
    "tailrace.bootstrap.capturing",
    "tailrace.adapters.reference_store",
}
"""The parts of a worker that a sink with content has in front of it, and no other."""

INTAKE = {
    "tailrace.codec.compiled_projector",
    "tailrace.codec.reference_projector",
    "tailrace.runtime.intake",
    "tailrace.runtime.feed",
    "tailrace.runtime.lane",
    "tailrace.runtime.worker",
    "tailrace.adapters.kafka_source",
    "tailrace.adapters.kafka_log",
}
"""What every event comes through, whoever is to get it."""

SOURCES = Path(tailrace.__file__).parent
FILES = {
    ".".join(("tailrace", *file.relative_to(SOURCES).with_suffix("").parts)).removesuffix(".__init__"): file
    for file in sorted(SOURCES.rglob("*.py"))
}


def with_content(name: str, mode: str) -> bytes:
    event = json.loads((CASES / f"{name}.event.json").read_text(encoding="utf-8"))
    said = json.dumps([{"role": "user", "parts": [{"type": "text", "content": CANARY}]}]).encode()
    event["content_capture"] = mode
    event["content"] = {
        "capture_kind": "turn_chat",
        "thread_id": CANARY,
        "turn_number": 1,
        "span_is_recording": True,
        "system_instructions": said,
        "input_messages": said,
        "output_messages": said,
    }
    return framed(event)


@pytest.mark.parametrize("mode", [*ContentCaptureMode, "unknown"])
def test_no_record_holds_a_byte_of_content(mode: str) -> None:
    """Events that permit anything, of every sort there is a case for: not the text, not the thread, not encoded."""
    projector = ReferenceProjector("agent.events", SchemaStore())
    records = 0
    canary = CANARY.encode()
    for name in names():
        value = with_content(name, mode)
        assert canary in value
        projected: Any = projector.project(0, 1, b"key", value)
        for record in projected if isinstance(projected, tuple) else ():
            records += 1
            fields: Any = decoded(record)
            assert (fields["content_capture"], fields["capture"], fields["content"]) == ("off", None, None)
            assert record.event is None
            for form in (canary, canary.hex().encode(), base64.b64encode(canary), canary.decode().encode("utf-16-le")):
                assert form not in record.value + record.key
    assert records > 10


def imported(module: str) -> set[str]:
    """The modules of tailrace that one of them imports, wherever in its text; a package stands for its `__init__`."""
    found = set()
    for node in ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return found & FILES.keys()


def reached(roots: set[str]) -> set[str]:
    """Everything that these modules import, directly or through others."""
    found: set[str] = set()
    waiting = set(roots)
    while waiting:
        found |= waiting
        waiting = {name for module in waiting for name in imported(module)} - found
    return found


def test_nothing_that_takes_events_in_can_parse_content() -> None:
    """From poll to buffer: projectors, intake, feeds and lanes reach no module that could even read it."""
    assert FILES.keys() >= INTAKE
    assert reached(INTAKE) & (CONTENT_MODULES | CONTENT_PARTS) == set()
    assert len(reached(INTAKE)) > 50


def test_who_works_with_content_is_known_by_name() -> None:
    """A further module that learns to capture is a decision: it is added here, and looked at."""
    layers = ("tailrace.bootstrap.", "tailrace.codec.", "tailrace.runtime.", "tailrace.adapters.")
    working = {name for name in FILES if name.startswith(layers)}
    found = {name for name in working if imported(name) & CONTENT_MODULES}
    assert "tailrace.runtime.record_content" in found
    assert found <= CONTENT_PARTS


def test_the_stage_is_the_only_way_from_runtime_to_content() -> None:
    """Nobody of the runtime imports it: only who builds a lane for a sink with content puts it in."""
    runtime = {name for name in FILES if name.startswith("tailrace.runtime.")} - CONTENT_PARTS
    assert {name for name in runtime if imported(name) & CONTENT_PARTS} == set()
