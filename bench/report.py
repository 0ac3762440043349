"""Put the results into README.md: a table between each pair of markers, and nothing else is touched.

    python -m bench.report                    the full size where it was run, else the quick one
    python -m bench.report --size quick
    python -m bench.report --before FOLDER    print, not write: how each median moved since those results

A marker is `<!-- results: NAME -->`, its end `<!-- /results -->`; NAME is a scenario or `claims`.
"""

import argparse
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.results import RESULTS, Result, load, newest

README = Path(__file__).parent / "README.md"

SIZES = ("full", "quick")

_BLOCK = re.compile(r"(<!-- results: (?P<name>[a-z-]+) -->\n).*?(<!-- /results -->)", re.DOTALL)

NOT_MEASURED = "Not measured at this version: `python -m bench.compare --quick` does.\n"

NULL, TAILRACE, FASTAVRO = "null pipeline", "tailrace", "tailrace, projector by fastavro"
PEERS = ("Quix Streams", "FastStream", "Arroyo")
TWO_WORKERS = "tailrace, two workers"
WITHOUT, WITH = "events without content", "content nobody may get"
ALONE, BESIDE = "alone", "beside a lane that catches up"

CPU, PACE = "cpu_us_per_event", "events_per_s"
OWN_CPU = "own_cpu_us_per_event"


@dataclass(frozen=True, slots=True)
class Column:
    """A heading and what stands under it for one contestant and variant. LookupError leaves the cell empty."""

    heading: str
    cell: Callable[[Result, str, str], str]


def median_of(figure: str, form: str, scale: float = 1.0) -> Callable[[Result, str, str], str]:
    return lambda result, who, variant: format(result.median(who, figure, variant) * scale, form)


def _times_null(result: Result, who: str, variant: str) -> str:
    return format(result.ratio((who, variant), (NULL, variant), PACE), ".2f")


def _times_tailrace(result: Result, who: str, variant: str) -> str:
    return format(result.ratio((who, variant), (TAILRACE, variant), CPU), ".1f")


BACKLOG_COLUMNS = (
    Column("events/s", median_of(PACE, ",.0f")),
    Column("CPU µs/event", median_of(CPU, ".1f")),
    Column("events per CPU s", lambda r, who, variant: f"{1e6 / r.median(who, CPU, variant):,.0f}"),
    Column("of null's events/s", _times_null),
    Column("CPU, tailrace = 1", _times_tailrace),
    Column("peak RSS MiB", median_of("peak_rss_bytes", ".0f", 1 / 2**20)),
)

LATENCY_COLUMNS = (
    Column("p50 ms", median_of("p50_ms", ".0f")),
    Column("p99 ms", median_of("p99_ms", ".0f")),
    Column("longest ms", median_of("max_ms", ".0f")),
    Column("CPU µs/event", median_of(CPU, ".1f")),
    Column("sent/s", median_of("sent_per_s", ",.0f")),
)

CATCH_UP_COLUMNS = (
    Column("live lanes, events/s", median_of("healthy_events_per_s", ",.0f")),
    Column("of alone", lambda r, who, v: format(r.ratio((who, v), (who, ALONE), "healthy_events_per_s"), ".2f")),
    Column("late lane, events/s", median_of("late_lane_events_per_s", ",.0f")),
    Column("CPU µs per live event", median_of(CPU, ".1f")),
    Column("worker, cores", median_of("worker_cores", ".2f")),
    Column("broker, cores", median_of("broker_cores", ".2f")),
)

MEMORY_COLUMNS = (
    Column("after s", median_of("after_s", ",.0f")),
    Column("healthy lanes let go", median_of("behind", ".0f")),
    Column("RSS MiB", median_of("rss_mib", ".1f")),
    Column("highest since the line before", median_of("highest_mib", ".1f")),
)

CONTENT_COLUMNS = (
    *BACKLOG_COLUMNS[:2],
    Column("events/s, without content = 1", lambda r, who, v: format(r.ratio((who, v), (who, WITHOUT), PACE), ".2f")),
    Column("CPU, without content = 1", lambda r, who, v: format(r.ratio((who, v), (who, WITHOUT), CPU), ".2f")),
    Column("own threads' CPU µs/event", median_of(OWN_CPU, ".1f")),
    Column("the same, without = 1", lambda r, who, v: format(r.ratio((who, v), (who, WITHOUT), OWN_CPU), ".2f")),
)

SKIPPED_COLUMNS = (
    Column("CPU µs/event", median_of(CPU, ".2f")),
    Column("without conversation = 1", lambda r, who, v: format(_of_without(r, who, v), ".2f")),
)

WORKER_COLUMNS = (*BACKLOG_COLUMNS[:3], *BACKLOG_COLUMNS[4:])

TABLES: dict[str, Sequence[Column]] = {
    "one-record": BACKLOG_COLUMNS,
    "mix": BACKLOG_COLUMNS,
    "sinks": BACKLOG_COLUMNS,
    "event-sizes": BACKLOG_COLUMNS,
    "workers": WORKER_COLUMNS,
    "content": BACKLOG_COLUMNS,
    "content-in-turn": CONTENT_COLUMNS,
    "content-skipped": SKIPPED_COLUMNS,
    "latency": LATENCY_COLUMNS,
    "catch-up": CATCH_UP_COLUMNS,
    "memory": MEMORY_COLUMNS,
    "memory-let-go": MEMORY_COLUMNS,
}


def table(result: Result, columns: Sequence[Column]) -> str:
    """One line per contestant and variant, and below it what was run, and what did not count."""
    lines = [
        "| | " + " | ".join(column.heading for column in columns) + " |",
        "|---" + "|---:" * len(columns) + "|",
    ]
    for who, variant in result.pairs():
        cells = [_cell(column, result, who, variant) for column in columns]
        lines.append("| " + " | ".join([f"{who}, {variant}" if variant else who, *cells]) + " |")
    lines += ["", *_notes(result)]
    return "\n".join(lines) + "\n"


def _cell(column: Column, result: Result, who: str, variant: str) -> str:
    try:
        return column.cell(result, who, variant)
    except LookupError:
        return ""


def _size_of(mean_bytes: int) -> str:
    return f" of {mean_bytes} bytes" if mean_bytes else ""


def _notes(result: Result) -> Iterator[str]:
    made = result.made
    changed = " and uncommitted changes" if made["uncommitted_changes"] else ""
    backlogs = "; ".join(
        f"{one['events']:,} events of {one['mean_event_bytes']} bytes, {one['records_for_each_sink']:,} records"
        f"{_size_of(one['mean_record_bytes'])} for each sink"
        for one in result.parameters["backlogs"]
    )
    turns = f"Medians of {len(result.turns)} turns" if len(result.turns) > 1 else "One turn"
    yield (
        f"{turns}, size {result.size}{': ' + backlogs if backlogs else ''}. "
        f"{made['at'][:10]}, commit {made['commit']}{changed}, {made['cores']} cores, "
        f"load {made['load_1_minute']} before."
    )
    for holds, text in result.parameters.get("claims", ()):
        yield f"- {'' if holds else '**does not hold:** '}{text}"
    for refusal in result.refusals:
        who = f"{refusal.contestant}, {refusal.variant}" if refusal.variant else refusal.contestant
        yield f"A run of {who} did not count: {refusal.reason.splitlines()[0]}"


# ------------------------------------------------------------------------------------------------------------- claims


@dataclass(frozen=True, slots=True)
class Claim:
    """Something the figures have to show: a scenario, a value from it, and on which side of the limit it has to lie."""

    text: str
    scenario: str
    value: Callable[[Result], float]
    limit: float
    at_least: bool = True


def _added(result: Result, who: str) -> float:
    """Processor time per event: median over turns of what content adds to the stretch beside it."""
    pairs = list(zip(result.runs(who, WITH), result.runs(who, WITHOUT), strict=True))
    if not pairs:
        raise LookupError(f"{result.scenario} has no {who}")
    return median(with_it[CPU] - without[CPU] for with_it, without in pairs)


def _of_without(result: Result, who: str, variant: str) -> float:
    """Of the projector's time for the same events without a conversation."""
    return result.ratio((who, variant), (who, variant.partition(", ")[0]), CPU)


CLAIMS = (
    Claim(
        "tailrace's events/s, null pipeline = 1",
        "one-record",
        lambda r: r.ratio((TAILRACE, ""), (NULL, ""), PACE),
        0.65,
    ),
    Claim(
        "tailrace's events/s, tailrace with a projector by fastavro = 1",
        "one-record",
        lambda r: r.ratio((TAILRACE, ""), (FASTAVRO, ""), PACE),
        4.0,
    ),
    *(
        Claim(
            f"tailrace's events per CPU second, {peer} = 1",
            "one-record",
            lambda r, peer=peer: r.ratio((peer, ""), (TAILRACE, ""), CPU),  # type: ignore[misc]
            4.0,
        )
        for peer in PEERS
    ),
    Claim(
        "CPU per event of two workers, one worker = 1",
        "workers",
        lambda r: r.ratio((TWO_WORKERS, ""), (TAILRACE, ""), CPU),
        1.15,
        at_least=False,
    ),
    Claim(
        "live lanes' events/s beside a lane that catches up, alone = 1",
        "catch-up",
        lambda r: r.ratio((TAILRACE, BESIDE), (TAILRACE, ALONE), "healthy_events_per_s"),
        0.9,
    ),
    Claim(
        "CPU per event of the projector with a conversation of 100 KB, without = 1 (the worst of all rows)",
        "content-skipped",
        lambda r: max(_of_without(r, who, kind) for who, kind in r.pairs() if "100 KB" in kind),
        1.2,
        at_least=False,
    ),
    Claim(
        "share of its events/s that tailrace keeps with content nobody may get (3.7 times the bytes), null's share = 1",
        "content-in-turn",
        lambda r: r.ratio((TAILRACE, WITH), (TAILRACE, WITHOUT), PACE) / r.ratio((NULL, WITH), (NULL, WITHOUT), PACE),
        0.9,
    ),
    Claim(
        "CPU per event that such content adds to tailrace beyond what it adds to null, tailrace's event without = 1",
        "content-in-turn",
        lambda r: (_added(r, TAILRACE) - _added(r, NULL)) / r.median(TAILRACE, CPU, WITHOUT),
        0.1,
        at_least=False,
    ),
)


def claims_table(find: Callable[[str], Result | None]) -> str:
    lines = ["| claim | limit | measured | holds |", "|---|---:|---:|---|"]
    for claim in CLAIMS:
        result = find(claim.scenario)
        try:
            value = None if result is None else claim.value(result)
        except LookupError:
            value = None
        limit = f"{'≥' if claim.at_least else '≤'} {claim.limit:g}"
        if value is None:
            lines.append(f"| {claim.text} | {limit} | not measured | |")
        else:
            holds = value >= claim.limit if claim.at_least else value <= claim.limit
            lines.append(f"| {claim.text} | {limit} | {value:.2f} | {'yes' if holds else '**no**'} |")
    return "\n".join(lines) + "\n"


# -------------------------------------------------------------------------------------------------------------- files


def rendered(text: str, find: Callable[[str], Result | None]) -> str:
    """The text with the blocks between its markers made anew. KeyError for a marker of no scenario."""

    def block(found: re.Match[str]) -> str:
        name = found["name"]
        if name == "claims":
            made = claims_table(find)
        else:
            columns, result = TABLES[name], find(name)
            made = NOT_MEASURED if result is None else table(result, columns)
        return f"{found[1]}\n{made}\n{found[3]}"

    return _BLOCK.sub(block, text)


def moves(before: Result, after: Result) -> Iterator[str]:
    """One line per row and figure that both have."""
    for who, variant in after.pairs():
        for figure in sorted(after.runs(who, variant)[0]):
            try:
                old, new = before.median(who, figure, variant), after.median(who, figure, variant)
            except LookupError:
                continue
            change = f"{new / old - 1:+.1%}" if old else "new"
            yield f"{after.scenario}: {who} {variant}".rstrip() + f": {figure} {old:.4g} -> {new:.4g}, {change}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("full", "quick", "tiny"), help="only this size")
    parser.add_argument("--before", type=Path, help="a folder of earlier results of one size, to compare with")
    arguments = parser.parse_args()
    sizes = (arguments.size,) if arguments.size else SIZES

    def find(scenario: str) -> Result | None:
        return newest(scenario, sizes, RESULTS)

    if arguments.before:
        for file in sorted(arguments.before.glob("*.json")):
            before = load(file)
            after = find(before.scenario)
            for line in moves(before, after) if after else ():
                print(line)
        return
    README.write_text(rendered(README.read_text(encoding="utf-8"), find), encoding="utf-8")


if __name__ == "__main__":
    main()
