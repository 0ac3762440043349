"""What a peer is asked to do, and the two lines by which it tells how far it is."""

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

VARIABLE = "TAILRACE_BENCH_TASK"

FIRST_EVENT = "first event"
"""The line a peer prints when it gets its first event: its start-up is not measured."""

PRODUCER = {
    "compression.type": "lz4",
    "linger.ms": 2,
    "acks": "all",
    "enable.idempotence": True,
    "partitioner": "murmur2_random",
}
"""What goes over the wire the same way for everybody: as tailrace's lanes and the null pipeline write. The rest of a
producer's and a consumer's settings is the peer's own."""


@dataclass(frozen=True, slots=True)
class Task:
    """Read one topic from its start as this group, and write each record to every sink's topic."""

    bootstrap: str
    events_topic: str
    group: str
    sink_topics: tuple[str, ...]
    schemas: str

    def variables(self) -> dict[str, str]:
        """The environment of the peer's process."""
        return {VARIABLE: json.dumps(asdict(self))}

    @classmethod
    def of_this_process(cls) -> "Task":
        fields = json.loads(os.environ[VARIABLE])
        return cls(**{**fields, "sink_topics": tuple(fields["sink_topics"])})

    @property
    def schema_folder(self) -> Path:
        return Path(self.schemas)


def say(event: str) -> None:
    print(json.dumps({"at": datetime.now(UTC).isoformat(), "event": event}), flush=True)
