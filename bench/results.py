"""Results as files: what was run, by which version, and every figure of every turn. Tables and plots read only these.

    bench/results/<size>/<scenario>.json

A size never overwrites another one's results. A scenario's file is written when all its turns are done, in one go, so
that what stands there is always one whole measurement of one version; an earlier one is in the history.
"""

import json
import os
import platform
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Row:
    """One run: who, in which variant of the scenario (or ""), and its figures by name."""

    contestant: str
    variant: str
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A run that does not count, and why."""

    contestant: str
    variant: str
    reason: str


@dataclass(frozen=True, slots=True)
class Result:
    """A scenario's turns, each with one row per contestant and variant unless that run was refused."""

    scenario: str
    size: str
    parameters: Mapping[str, Any]
    made: Mapping[str, Any]
    turns: Sequence[Sequence[Row]]
    refusals: Sequence[Refusal] = ()

    def pairs(self) -> list[tuple[str, str]]:
        """Every contestant and variant, in the order in which they first appear in a scenario's description."""
        order = [tuple(pair) for pair in self.parameters["rows"]]
        present = {(row.contestant, row.variant) for turn in self.turns for row in turn}
        return [pair for pair in order if pair in present]

    def runs(self, contestant: str, variant: str = "") -> list[Mapping[str, float]]:
        """The figures of every turn that has this row."""
        return [figures for turn in self.turns if (figures := _figures(turn, contestant, variant)) is not None]

    def median(self, contestant: str, figure: str, variant: str = "") -> float:
        """Raises LookupError if no turn has that row."""
        found = [run[figure] for run in self.runs(contestant, variant)]
        if not found:
            raise LookupError(f"{self.scenario} has no {contestant} {variant}")
        return median(found)

    def ratio(self, one: tuple[str, str], other: tuple[str, str], figure: str) -> float:
        """The median over turns of one's figure divided by the other's in the same turn: what the machine did to both
        divides out. Raises LookupError if no turn has both."""
        return median_ratio(
            (a[figure], b[figure])
            for turn in self.turns
            if (a := _figures(turn, *one)) is not None and (b := _figures(turn, *other)) is not None
        )


def median_ratio(pairs: Iterable[tuple[float, float]]) -> float:
    """The median of `a / b` over pairs. Raises LookupError without any pair."""
    ratios = [a / b for a, b in pairs]
    if not ratios:
        raise LookupError("no turn has both")
    return median(ratios)


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed; `share` above 0, at most 1."""
    rank = max(1, -(-len(sorted_values) * share // 1))
    return sorted_values[int(rank) - 1]


def _figures(turn: Sequence[Row], contestant: str, variant: str) -> Mapping[str, float] | None:
    for row in turn:
        if (row.contestant, row.variant) == (contestant, variant):
            return row.figures
    return None


def provenance(now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> dict[str, Any]:
    """Which version ran where, as far as it matters to a reader."""
    return {
        "at": now().isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short=10", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain", "--untracked-files=no", "--", "src", "bench")),
        "cores": os.cpu_count(),
        "load_1_minute": round(os.getloadavg()[0], 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "confluent_kafka": version("confluent-kafka"),
        "fastavro": version("fastavro"),
    }


def _git(*arguments: str) -> str:
    finished = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False, cwd=RESULTS.parent)
    return finished.stdout.strip() if finished.returncode == 0 else ""


def save(result: Result, folder: Path = RESULTS) -> Path:
    file = folder / result.size / f"{result.scenario}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(result), indent=1) + "\n", encoding="utf-8")
    draft.replace(file)
    return file


def load(file: Path) -> Result:
    tree = json.loads(file.read_text(encoding="utf-8"))
    turns = [[Row(**row) for row in turn] for turn in tree.pop("turns")]
    refusals = [Refusal(**refusal) for refusal in tree.pop("refusals")]
    return Result(**tree, turns=turns, refusals=tuple(refusals))


def newest(scenario: str, sizes: Sequence[str], folder: Path = RESULTS) -> Result | None:
    """The scenario's result of the first of these sizes that has one."""
    files = (folder / size / f"{scenario}.json" for size in sizes)
    return next((load(file) for file in files if file.exists()), None)
