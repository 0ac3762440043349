"""Run scenarios and write their results; tables and plots are made from those afterwards.

    python -m bench.compare --quick                      every scenario, medians of five, in an hour
    python -m bench.compare --full                       the same at full size, three hours
    python -m bench.compare --quick --scenario latency   one of them
    python -m bench.compare --tiny                       does everything still work? Its figures mean nothing
    python -m bench.compare --quick --without Bento      where Go is missing

Then `python -m bench.report` puts the tables into README.md, and `python -m bench.plots` draws.
"""

import argparse
import tempfile
from pathlib import Path

from bench.cluster import cluster
from bench.contestants import ALL
from bench.results import save
from bench.scenarios import SCENARIOS
from bench.turns import Setting, Size

TINY = Size(
    "tiny",
    turns=1,
    events={
        "one-record": 4_000,
        "one-record slow": 2_000,
        "mix": 4_000,
        "mix slow": 2_000,
        "sinks": 4_000,
        "event-sizes 0.3 KB": 4_000,
        "event-sizes 3 KB": 2_000,
        "event-sizes 100 KB": 200,
        "workers": 4_000,
        "content": 2_000,
        "content captured": 300,
        "content-in-turn stretch": 140_000,
        "latency": 20_000,
        "catch-up backlog": 100_000,
        "catch-up live": 700_000,
        "catch-up period ms": 1_600,
    },
    everybody_everywhere=True,
)

QUICK = Size(
    "quick",
    turns=5,
    events={
        "one-record": 150_000,
        "one-record slow": 30_000,
        "mix": 100_000,
        "mix slow": 20_000,
        "sinks": 100_000,
        "event-sizes 0.3 KB": 100_000,
        "event-sizes 3 KB": 50_000,
        "event-sizes 100 KB": 3_000,
        "workers": 200_000,
        "content": 150_000,
        "content captured": 2_000,
        "content-in-turn stretch": 200_000,
        "latency": 40_000,
        "catch-up backlog": 200_000,
        "catch-up live": 900_000,
        "catch-up period ms": 2_000,
    },
    everybody_everywhere=False,
)

FULL = Size(
    "full",
    turns=5,
    events={
        "one-record": 300_000,
        "one-record slow": 60_000,
        "mix": 200_000,
        "mix slow": 50_000,
        "sinks": 300_000,
        "event-sizes 0.3 KB": 300_000,
        "event-sizes 3 KB": 100_000,
        "event-sizes 100 KB": 5_000,
        "workers": 400_000,
        "content": 200_000,
        "content captured": 10_000,
        "content-in-turn stretch": 250_000,
        "latency": 150_000,
        "catch-up backlog": 1_000_000,
        "catch-up live": 1_500_000,
        "catch-up period ms": 2_000,
    },
    everybody_everywhere=True,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = parser.add_mutually_exclusive_group(required=True)
    for one in (TINY, QUICK, FULL):
        sizes.add_argument(f"--{one.name}", dest="size", action="store_const", const=one)
    parser.add_argument("--scenario", action="append", choices=sorted(SCENARIOS), help="only this one; repeatable")
    parser.add_argument("--without", action="append", choices=[one.name for one in ALL], default=[], metavar="NAME")
    parser.add_argument("--turns", type=int, help="instead of the size's own number")
    arguments = parser.parse_args()
    size: Size = arguments.size
    with cluster() as kafka, tempfile.TemporaryDirectory(prefix="tailrace-bench-") as folder:
        setting = Setting(kafka, Path(folder), size, arguments.turns or size.turns, frozenset(arguments.without))
        refused = 0
        for name, scenario in SCENARIOS.items():
            if arguments.scenario and name not in arguments.scenario:
                continue
            result = scenario(setting)
            refused += len(result.refusals)
            print(f"{name}: written to {save(result).name}", flush=True)
    if refused:
        raise SystemExit(f"{refused} runs did not count; the results say why")


if __name__ == "__main__":
    main()
