"""What a worker sends holds no content, whatever events permit: docs/PRIVACY.md, What is wired."""

import ast
import base64
import json
from collections.abc import Iterator
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
SOURCES = Path(tailrace.__file__).parent
WORKING = [file for layer in ("bootstrap", "codec", "runtime") for file in sorted((SOURCES / layer).rglob("*.py"))]


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
            for form in (canary, canary.hex().encode(), base64.b64encode(canary), canary.decode().encode("utf-16-le")):
                assert form not in record.value + record.key
    assert records > 10


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def test_nothing_that_works_on_events_knows_how_content_is_captured() -> None:
    """No worker can send what none of its parts can even read."""
    assert len(WORKING) > 30
    assert {name for file in WORKING for name in imported(file)} & CONTENT_MODULES == set()
