"""Compile the kernel now, and keep it on disk: what a worker would do at its first start on this machine.

python -m tailrace.codec.native
"""

import sys

from tailrace.codec.compiled_projector import CompiledProjector
from tailrace.codec.schemas import SchemaStore


def main() -> int:
    said: list[str] = []
    projector = CompiledProjector("events", SchemaStore(), native=True, on_native=said.append)
    if projector.native is not None:
        projector.native.wait()
    if said == [""]:
        from tailrace.codec.native import kernel  # noqa: PLC0415 - not before it is known to be there

        if kernel.project.stats.cache_path is not None:  # type: ignore[attr-defined]  # numba's own, without types
            return 0
        said = ["it cannot be kept: make NUMBA_CACHE_DIR a directory that may be written to"]
    print(f"no machine code: {', '.join(said)}", file=sys.stderr)  # noqa: T201 - it is a command
    return 1


if __name__ == "__main__":
    sys.exit(main())
