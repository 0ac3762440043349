"""Bento as a binary with the few components the job needs, built with Go once and kept outside the source tree."""

import json
import subprocess
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from shutil import copy, which
from typing import Any

from bench.peers.environment import cache_folder
from bench.peers.task import Task

SOURCE = Path(__file__).parent / "bento"

PIPELINE = SOURCE / "pipeline.yaml"

SINKS = 3
"""Outputs in the pipeline file."""

BEGINS = "Input type kafka_franz is now active"
"""Its log's line when the client is connected, before the first event."""


def binary() -> Path | None:
    """The program, built now if this source has none yet (five minutes, 200 modules); None where there is no Go."""
    sources = [SOURCE / name for name in ("go.mod", "go.sum", "main.go")]
    digest = sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()[:12]
    folder = cache_folder() / f"bento-{digest}"
    program = folder / "bento"
    if program.exists():
        return program
    if which("go") is None:
        return None
    print("  building Bento; this takes minutes, once", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    for file in sources:
        copy(file, folder)
    building = folder / "bento.building"
    command = ["go", "build", "-trimpath", "-ldflags", "-s -w", "-o", str(building), "."]
    subprocess.run(command, cwd=folder, check=True)
    building.rename(program)
    return program


def variables(task: Task, folder: Path) -> dict[str, str]:
    """The pipeline file's variables. Its library makes a time of a logical type: the schemas go in without them."""
    if len(task.sink_topics) != SINKS:
        raise ValueError(f"the pipeline has {SINKS} outputs, the task {len(task.sink_topics)} sinks")
    schemas = {}
    for name in ("agent_event", "telemetry_record"):
        schemas[name] = folder / f"bento-{name}.avsc"
        plain = _without_logical_types(json.loads((task.schema_folder / f"{name}.avsc").read_text(encoding="utf-8")))
        schemas[name].write_text(json.dumps(plain), encoding="utf-8")
    return {
        "BENCH_BOOTSTRAP": task.bootstrap,
        "BENCH_EVENTS_TOPIC": task.events_topic,
        "BENCH_GROUP": task.group,
        "BENCH_EVENT_SCHEMA": str(schemas["agent_event"]),
        "BENCH_RECORD_SCHEMA": str(schemas["telemetry_record"]),
        **{f"BENCH_SINK_{number}": topic for number, topic in enumerate(task.sink_topics, 1)},
    }


def _without_logical_types(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        return {key: _without_logical_types(value) for key, value in schema.items() if key != "logicalType"}
    return [_without_logical_types(one) for one in schema] if isinstance(schema, list) else schema
