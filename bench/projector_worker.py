"""A worker with another projector than the shipped one behind the same port; everything else is as shipped."""

import argparse
import sys
from pathlib import Path

from bench.fastavro_projector import FastavroProjector
from tailrace.adapters.logs import StructuredLog, system_now
from tailrace.bootstrap import assembly, run_worker
from tailrace.codec.reference_projector import ReferenceProjector
from tailrace.settings import load

PROJECTORS = {"reference": ReferenceProjector, "fastavro": FastavroProjector}

_SHIPPED = ("CompiledProjector", "ReferenceProjector")
"""Names by which the assembly knows the projector it makes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--projector", choices=sorted(PROJECTORS), required=True)
    arguments = parser.parse_args()
    shipped = [name for name in _SHIPPED if hasattr(assembly, name)]
    if not shipped:
        raise SystemExit(f"the assembly makes its projector from none of {_SHIPPED}: mend this table")
    for name in shipped:
        setattr(assembly, name, PROJECTORS[arguments.projector])
    settings, _ = load(arguments.config, {})
    raise SystemExit(run_worker(settings, StructuredLog("info", "json", sys.stderr, system_now)))


if __name__ == "__main__":
    main()
