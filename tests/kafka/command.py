"""The command line, run to its end in a process of its own."""

import subprocess
import sys

TIMEOUT_S = 120.0


def tailrace(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`tailrace` with these arguments; whatever its exit code is."""
    return subprocess.run(
        [sys.executable, "-m", "tailrace", *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
