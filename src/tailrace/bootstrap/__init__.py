"""From settings to a running worker."""

from tailrace.bootstrap.assembly import build_worker
from tailrace.bootstrap.running import run_worker

__all__ = ["build_worker", "run_worker"]
