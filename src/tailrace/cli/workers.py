"""The `--workers` option."""

from typing import Annotated

import typer

MOST_WORKERS = 256
"""More than any machine has use for: a typo is not to start a thousand processes."""

WorkersOption = Annotated[
    int,
    typer.Option(
        "--workers",
        "-w",
        metavar="N",
        min=1,
        max=MOST_WORKERS,
        help="Worker processes on this machine; those beyond the number of partitions stay idle.",
    ),
]
