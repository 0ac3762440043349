"""What content costs a worker: events without any, content nobody may get, redacted on records, and kept by reference.

One of the three sinks captures; the other two show what the capturing lane costs its neighbours, since the clock stops
only when all three have everything.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from bench.child import python
from bench.contestants import WORKER_BEGINS, Contestant, Course, Process, worker_groups

CONTENT_BYTES = 1_000
WITHOUT_CONTENT = "events without content"
WITH_CONTENT = "content nobody may get"

POLICY: dict[str, Any] = {
    "mode": "raw_content",
    "part_limit_bytes": 1_000_000,
    "event_limit_bytes": 2_000_000,
    "agents": {"otherwise": {"mode": "raw_content"}},
    "families": {
        "otherwise": {"mode": "raw_content"},
        "named": {family: {"mode": "raw_content"} for family in ("subagent", "child_lifecycle", "extension")},
    },
    "privacy": {"otherwise": {"mode": "raw_content"}, "named": {"content_refs_only": {"mode": "raw_content"}}},
    "origins": ["child_agent", "extension"],
    # The events are made with dates of their own; every window has to be open for them.
    "retention_s": {"run_scoped": 1_000_000_000},
    "sample": {"rate": 1.0},
}
"""Open on every side, so that every event's content is redacted and captured."""


def _capturing(mode: str, store: Callable[[Course], dict[str, Any]]) -> Callable[[Course], Process]:
    def process(course: Course) -> Process:
        tree = yaml.safe_load(course.config.read_text(encoding="utf-8"))
        kept = store(course)
        tree["capture"] = {
            "payloads": kept["kind"] == "inline",
            "store": kept,
            "redaction": {"policy_id": "bench"},
            "policies": {"open": POLICY},
        }
        tree["sinks"][course.sinks[0]]["content"] = {"mode": mode, "policy": "open"}
        config = Path(f"{course.config}.content.yaml")
        config.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
        return Process(python("tailrace", "run", "--config", str(config)))

    return process


def _folder(course: Course) -> dict[str, Any]:
    return {"kind": "reference", "url": (course.folder / f"{course.names.run}.kept").as_uri(), "name": "kept"}


# Of what they write, the capturing sink's records are none that another projection knows, so all are only counted.
INLINE = Contestant(
    "tailrace, one sink with redacted content",
    WORKER_BEGINS,
    _capturing("raw_content", lambda _: {"kind": "inline"}),
    worker_groups,
    writes_the_records=False,
)
REFERENCED = Contestant(
    "tailrace, one sink with references",
    WORKER_BEGINS,
    _capturing("payload_refs", _folder),
    worker_groups,
    writes_the_records=False,
)
