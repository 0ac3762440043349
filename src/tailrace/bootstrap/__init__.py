"""From settings to a running worker, or to several."""

from tailrace.bootstrap.assembly import EventsTopic, build_worker
from tailrace.bootstrap.capturing import capturing_refusal
from tailrace.bootstrap.crew import run_crew
from tailrace.bootstrap.running import run_supervised_worker, run_worker

__all__ = ["EventsTopic", "build_worker", "capturing_refusal", "run_crew", "run_supervised_worker", "run_worker"]
