"""A worker with another projector than the shipped one behind the same port; everything else is as shipped."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from bench.fastavro_projector import FastavroProjector
from tailrace.adapters.logs import StructuredLog, system_now
from tailrace.bootstrap import assembly, run_worker
from tailrace.bootstrap.projectors import make_projector
from tailrace.codec.reference_projector import ReferenceProjector
from tailrace.codec.schemas import SchemaStore
from tailrace.runtime.ports import Projector
from tailrace.settings import Settings, load

PROJECTORS: dict[str, Callable[..., Projector]] = {"reference": ReferenceProjector, "fastavro": FastavroProjector}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--projector", choices=sorted(PROJECTORS), required=True)
    arguments = parser.parse_args()

    def make(settings: Settings, schemas: SchemaStore, _logger: StructuredLog) -> Projector:
        bound = settings.events.max_event_bytes
        return PROJECTORS[arguments.projector](settings.events.topic, schemas, max_event_bytes=bound)

    setattr(assembly, make_projector.__name__, make)
    settings, _ = load(arguments.config, {})
    raise SystemExit(run_worker(settings, StructuredLog("info", "json", sys.stderr, system_now)))


if __name__ == "__main__":
    main()
