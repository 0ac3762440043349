"""Redaction beside Presidio's recognisers and scrubadub, on the same texts; precision and recall; hostile inputs.

    python -m bench.redaction [--conversations 400] [--samples 22000] [--turns 5]

Prints the tables of `bench/README.md`, Redaction. Needs no broker. Figures are megabytes of UTF-8 per second of
processor time, medians of the turns; the peers run in an environment of their own.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from bench.peers.environment import python_of
from tailrace.domain.json_form import JsonValue
from tailrace.domain.payload import RedactedJson, RedactedPart, redact_part
from tailrace.redaction import RedactedText, Redactor, usual_redactor
from tests.corpus.samples import Sample, conversations, samples
from tests.corpus.scoring import Score, scores
from tests.unit.redaction.hostile import HOSTILE, repeated

SEED = 20_260_102
PEERS = ("Presidio", "scrubadub")
EIGHTH, MB = 125_000, 1_000_000
# Presidio has one entity for both kinds of address.
SHARED = ("email", "phone", "card", "iban", "us_ssn", "ip")
PROGRAM = Path(__file__).parent / "peers" / "redactors.py"


@dataclass(frozen=True, slots=True)
class Masked:
    texts: list[str]
    cpu_s: list[float]


def leaves(value: object) -> Iterator[str]:
    """Every string of a JSON value that a reader would call text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)


def cpu_s(work: Callable[[], object], turns: int) -> list[float]:
    work()
    seconds = []
    for _ in range(turns):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return seconds


def by_peer(peer: str, texts: Sequence[str], turns: int) -> Masked:
    task = json.dumps({"peer": peer, "texts": texts, "turns": turns})
    answer = subprocess.run(
        [python_of("redactors"), str(PROGRAM)], input=f"{task}\n", capture_output=True, text=True, check=True
    )
    told = json.loads(answer.stdout.splitlines()[-1])
    return Masked(told["masked"], told["cpu_s"])


def by_tailrace(redactor: Redactor, texts: Sequence[str]) -> list[str]:
    masked = []
    for text in texts:
        outcome = redactor.redact_text(text)
        masked.append(outcome.value if isinstance(outcome, RedactedText) else "")
    return masked


def size(texts: Sequence[str]) -> int:
    return sum(len(text.encode()) for text in texts)


def speed(count: int, turns: int) -> None:
    redactor = usual_redactor()
    given: list[JsonValue] = conversations(SEED, count)  # type: ignore[assignment]
    encoded = [json.dumps(one, ensure_ascii=False).encode() for one in given]
    texts = [text for one in given for text in leaves(one)]
    peers_texts = texts[: len(texts) // 8]

    def whole() -> None:
        for octets in encoded:
            assert isinstance(redact_part(json.loads(octets), redactor), RedactedPart)

    def read_and_write() -> None:
        for octets in encoded:
            redact_part(json.loads(octets), Redactor())

    total = sum(map(len, encoded))
    rows = [
        ("tailrace, whole messages: parsed, redacted, written", total, cpu_s(whole, turns)),
        ("of it parsing and writing alone", total, cpu_s(read_and_write, turns)),
        ("tailrace, text by text", size(texts), cpu_s(lambda: by_tailrace(redactor, texts), turns)),
    ]
    rows += [(f"{peer}, text by text", size(peers_texts), by_peer(peer, peers_texts, turns).cpu_s) for peer in PEERS]
    print(f"\n{count} conversations, {total / count:.0f} bytes each; medians of {turns} turns\n")
    print("| | MB/s | slowest and fastest |\n|---|---:|---:|")
    for name, octets, seconds in rows:
        fastest, slowest = octets / min(seconds) / 1e6, octets / max(seconds) / 1e6
        print(f"| {name} | {octets / median(seconds) / 1e6:.2f} | {slowest:.2f} to {fastest:.2f} |")


def quality(count: int) -> None:
    given = list(samples(SEED, count))
    redactor = usual_redactor()
    masked: list[str] = []
    for first in range(0, count, 200):
        outcome = redactor.redact_json([sample.text for sample in given[first : first + 200]])
        assert isinstance(outcome, RedactedJson)
        assert isinstance(outcome.value, list)
        masked += [str(text) for text in outcome.value]
    ours, inexact = scores(given, masked)
    print(f"\n{count} samples, {len(inexact)} of them not masked to the character\n")
    print("| category | values | recall | precision |\n|---|---:|---:|---:|")
    for category, score in ours.items():
        print(f"| {category} | {score.wanted} | {score.recall:.4f} | {score.precision:.4f} |")
    part = given[: count // 4]
    joined = [
        Sample(one.text, tuple((_shared(category), value) for category, value in one.wanted), one.sort) for one in part
    ]
    table: dict[str, dict[str, Score]] = {"tailrace": _scored(joined, masked[: len(part)])}
    for peer in PEERS:
        table[peer] = _scored(joined, by_peer(peer, [sample.text for sample in part], 1).texts)
    print(f"\nCategories that a peer has as well, {len(part)} of these samples: recall / precision\n")
    print(f"| category | {' | '.join(table)} |\n|---|{'---:|' * len(table)}")
    for category in SHARED:
        cells = [_cell(found.get(category)) for found in table.values()]
        print(f"| {category} | {' | '.join(cells)} |")


def _scored(given: Sequence[Sample], masked: Sequence[str]) -> dict[str, Score]:
    renamed = [
        text.replace("[REDACTED:ipv4]", "[REDACTED:ip]").replace("[REDACTED:ipv6]", "[REDACTED:ip]") for text in masked
    ]
    return scores(given, renamed)[0]


def _shared(category: str) -> str:
    return "ip" if category in {"ipv4", "ipv6"} else category


def _cell(score: Score | None) -> str:
    if score is None or score.found + score.wrong == 0:
        return "none"
    return f"{score.recall:.3f} / {score.precision:.3f}"


def hostile() -> None:
    redactor = usual_redactor()
    rows = []
    for piece in HOSTILE:
        eighth, whole = (
            min(cpu_s(partial(redactor.redact_text, repeated(piece, octets)), 2)) for octets in (EIGHTH, MB)
        )
        rows.append((whole, whole / max(eighth, 1e-4), piece))
    slowest = sorted(rows, reverse=True)
    print(f"\n{len(rows)} hostile texts of 1 MB\n\n| text, repeated | CPU s | times an eighth of it |\n|---|---:|---:|")
    for seconds, ratio, piece in slowest[:8]:
        print(f"| `{json.dumps(piece)}` | {seconds:.2f} | {ratio:.1f} |")
    print(f"| *median of all* | {median(row[0] for row in rows):.3f} | {median(row[1] for row in rows):.1f} |")
    print(f"| *highest ratio, of those above 0.1 s* | | {max(row[1] for row in rows if row[0] > 0.1):.1f} |")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=400)
    parser.add_argument("--samples", type=int, default=22_000)
    parser.add_argument("--turns", type=int, default=5)
    chosen = parser.parse_args()
    speed(chosen.conversations, chosen.turns)
    quality(chosen.samples)
    hostile()
    return 0


if __name__ == "__main__":
    sys.exit(main())
