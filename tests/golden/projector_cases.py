"""Events and the exact bytes that the projectors make of them.

    python -m tests.golden.projector_cases      writes the `*.records.json` anew from the `*.event.json`

Each case is a pair of files in `projector/`. The event is written by hand; the records are written by the command above
and reviewed as a diff: any change there is a change of what every sink receives, and needs a new projector version.
"""

import json
from pathlib import Path
from typing import Any

from tailrace.codec.schemas import SchemaStore
from tailrace.domain.projected import Projected, Undecodable
from tests.unit.codec.both import BothProjectors
from tests.unit.codec.oracle import decoded
from tests.unit.codec.written import framed

CASES = Path(__file__).parent / "projector"
PLACE = (7, 123_456_789)
"""Partition and offset of every case."""


def names() -> list[str]:
    return sorted(file.name.removesuffix(".event.json") for file in CASES.glob("*.event.json"))


def event_bytes(name: str) -> bytes:
    """The case's event in canonical Avro, content parts given as text."""
    event = json.loads((CASES / f"{name}.event.json").read_text(encoding="utf-8"))
    for part in ("system_instructions", "input_messages", "output_messages"):
        if (event.get("content") or {}).get(part) is not None:
            event["content"][part] = event["content"][part].encode()
    return framed(event)


def recorded(name: str) -> Any:
    return json.loads((CASES / f"{name}.records.json").read_text(encoding="utf-8"))


def projected(name: str) -> Any:
    """What the projector makes of the case today, in the form of its file."""
    value = event_bytes(name)
    return {
        "event_avro": value.hex(),
        "projected": _as_json(BothProjectors("agent.events", SchemaStore()).project(*PLACE, b"key", value)),
    }


def _as_json(outcome: Projected) -> Any:
    if isinstance(outcome, Undecodable):
        return {"undecodable": outcome.reason, "field": outcome.field, "sha256": outcome.value_sha256}
    return [
        {
            "kind": record.kind,
            "terminal_preserved": record.terminal_preserved,
            "key": record.key.hex(),
            "prefix": record.prefix.hex(),
            "tail": record.tail.hex(),
            "fields": decoded(record),
        }
        for record in outcome
    ]


if __name__ == "__main__":
    for case in names():
        text = json.dumps(projected(case), indent=1, ensure_ascii=False)
        (CASES / f"{case}.records.json").write_text(f"{text}\n", encoding="utf-8")
