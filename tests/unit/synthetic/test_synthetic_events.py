"""Synthetic events are the same for a seed everywhere, realistic enough to exercise every rule, and as bad as asked."""

import hashlib
import subprocess
import sys
from collections import Counter, defaultdict
from io import BytesIO
from itertools import islice
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_reader

from tailrace.codec.schemas import SchemaStore
from tailrace.domain.errors import InvalidField
from tailrace.domain.projected import UndecodableReason
from tailrace.synthetic import POISONS, SyntheticEvent, SyntheticEvents
from tailrace.synthetic.chance import Chance

AVRO: Any = parse_schema(SchemaStore().agent_event.json)  # type: ignore[arg-type]


def fields(event: SyntheticEvent) -> dict[str, Any]:
    assert event.value is not None
    source = BytesIO(event.value[10:])
    decoded: Any = schemaless_reader(source, AVRO, None)
    assert not source.read()
    return dict(decoded)


def digest(events: list[SyntheticEvent]) -> str:
    seen = hashlib.sha256()
    for event in events:
        seen.update(event.key + b"|" + (event.value or b"-") + b"|" + (event.poison or "").encode())
    return seen.hexdigest()


def test_a_seed_gives_the_same_bytes_everywhere() -> None:
    """Pinned: measured on one machine, true on all. It changes with the schema or the script, and only then."""
    events = list(SyntheticEvents(seed=42, poison_rate=0.1, content=True).take(500))
    assert digest(events) == "b05e9b82ee4f3baf506a334ae02db5a12c55dedf4db7dfc3ecafc90027fdc26e"


def test_draws_are_pinned_too() -> None:
    """What Python promises for a seed, and what is built on it."""
    chance = Chance("tailrace 1")
    drawn = [chance.between(1, 6) for _ in range(8)], chance.hex_digits(8), chance.one_of("abcdef"), chance.happens(0.5)
    assert drawn == ([2, 6, 2, 2, 1, 5, 6, 6], "d2446737", "a", False)


def test_another_seed_gives_other_runs() -> None:
    """No key in common, so streams of two seeds may share a topic."""
    one, two = ({event.key for event in SyntheticEvents(seed=seed).take(500)} for seed in (1, 2))
    assert not one & two


def test_a_stream_in_pieces_is_the_same_stream() -> None:
    whole = list(SyntheticEvents(seed=5, poison_rate=0.1).take(300))
    pieces = SyntheticEvents(seed=5, poison_rate=0.1)
    assert [*pieces.take(100), *islice(pieces, 200)] == whole


@pytest.mark.parametrize("poison_rate", [0.0, 0.2])
def test_every_run_comes_whole_and_in_order(poison_rate: float) -> None:
    """Per run `event_seq` goes 1, 2, 3 …, time never goes back, ids are unique: poison takes nothing away."""
    by_run: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in SyntheticEvents(seed=8, poison_rate=poison_rate).take(3_000):
        if event.poison is None:
            decoded = fields(event)
            assert event.key == decoded["run_id"].encode()
            by_run[decoded["run_id"]].append(decoded)
    assert len(by_run) > 50
    for events in by_run.values():
        assert [event["event_seq"] for event in events] == list(range(1, len(events) + 1))
        times = [event["timestamp"] for event in events]
        assert times == sorted(times)
        assert all(event["recorded_at"] > event["timestamp"] for event in events)
    ids = [event["event_id"] for events in by_run.values() for event in events]
    assert len(ids) == len(set(ids))


def test_runs_take_turns() -> None:
    """Several runs are under way at any time, each with its subagents; or one after the other if one is wanted."""
    keys = [event.key.decode().split("-sub")[0] for event in SyntheticEvents(seed=8, active_runs=4).take(400)]
    windows = [len(set(keys[start : start + 40])) for start in range(0, 400, 40)]
    assert min(windows) >= 3
    alone = [event.key.decode().split("-sub")[0] for event in SyntheticEvents(seed=8, active_runs=1).take(400)]
    assert alone == sorted(alone)


def test_the_script_exercises_every_rule() -> None:
    """Every ending, leaf and aggregate usage, every cost status, with and without a journal, subagents, failures."""
    seen: Counter[str] = Counter()
    for event in SyntheticEvents(seed=8).take(8_000):
        decoded = fields(event)
        seen[decoded["event_kind"]] += 1
        seen[f"{decoded['event_family']} usage"] += decoded["usage"] is not None
        seen[f"cost {(decoded['cost'] or {}).get('status')}"] += 1
        seen["journal" if decoded["journal_cursor"] else "no journal"] += 1
        seen["content"] += decoded["content"] is not None
    wanted = {
        *("run_started", "run_completed", "run_failed", "run_cancelled", "run_timed_out", "run_expired"),
        *("turn_failed", "model_attempt_failed", "tool_failed", "tool_denied", "subagent_completed", "cost_corrected"),
        *("model usage", "run usage", "subagent usage"),
        *("cost estimated", "cost provider_reported", "cost corrected", "journal", "no journal"),
    }
    assert {name for name in wanted if seen[name] < 5} == set()
    assert seen["content"] == 0
    assert seen["tool usage"] == seen["turn usage"] == seen["telemetry usage"] == 0


def test_aggregates_are_the_sum_of_their_leaves() -> None:
    """A run's usage is what its own model calls and its subagents used."""
    leaves: Counter[str] = Counter()
    compared = 0
    for event in SyntheticEvents(seed=8).take(5_000):
        decoded = fields(event)
        root = decoded["run_id"].split("-sub")[0]
        if decoded["event_family"] == "model" and decoded["usage"]:
            leaves[root] += decoded["usage"]["total_tokens"]
        if decoded["event_family"] == "run" and decoded["usage"] and decoded["run_id"] == root:
            assert decoded["usage"]["total_tokens"] == leaves[root]
            compared += 1
    assert compared > 20


def test_poison_is_as_frequent_as_asked_and_of_every_kind() -> None:
    events = list(SyntheticEvents(seed=8, poison_rate=0.25).take(4_000))
    kinds = Counter(event.poison for event in events if event.poison is not None)
    assert set(kinds) == set(POISONS)
    assert 0.22 < sum(kinds.values()) / len(events) < 0.28
    assert all(event.value is None for event in events if event.poison is UndecodableReason.NULL_VALUE)


def test_poison_leaves_the_good_events_as_they_are_for_their_run() -> None:
    """The poison of a run carries that run's key, so that it meets the same partition."""
    for event in SyntheticEvents(seed=8, poison_rate=0.3).take(500):
        assert event.key.startswith(b"run-8-")


def test_content_comes_only_when_asked_for() -> None:
    texts = [fields(event)["content"] for event in SyntheticEvents(seed=8, content=True).take(500)]
    found = [content for content in texts if content is not None]
    assert len(found) > 10
    assert all(content["input_messages"].startswith(b"[{") for content in found)
    assert any("größer".encode() in content["input_messages"] for content in found)


@pytest.mark.parametrize("min_event_bytes", [100, 1_000, 20_000])
def test_events_are_padded_to_the_size_asked_for(min_event_bytes: int) -> None:
    """Good events only, in tags only, and hardly over the size."""
    plain = list(SyntheticEvents(seed=8).take(50))
    padded = list(SyntheticEvents(seed=8, min_event_bytes=min_event_bytes).take(50))
    for small, large in zip(plain, padded, strict=True):
        assert small.value is not None
        assert large.value is not None
        assert min_event_bytes <= len(large.value) <= max(min_event_bytes + 5, len(small.value))
        assert {**fields(small), "tags": []} == {**fields(large), "tags": []}


@pytest.mark.parametrize("arguments", [{"active_runs": 0}, {"poison_rate": 1.0}, {"poison_rate": -0.1}])
def test_arguments_out_of_range_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidField):
        SyntheticEvents(seed=1, **arguments)


def test_it_needs_no_kafka_client_and_no_projector() -> None:
    """Imported in an interpreter of its own: nothing of Kafka, settings, projector or runtime comes along."""
    program = "import sys, tailrace.synthetic; print(*sorted(sys.modules))"
    listed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(listed.stdout.split())
    assert "tailrace.synthetic.events" in loaded
    unwanted = {"confluent_kafka", "pydantic", "tailrace.codec.reference_projector", "tailrace.codec.record_layout"}
    assert not loaded & unwanted
    assert not any(name.startswith(("tailrace.runtime", "tailrace.adapters", "tailrace.settings")) for name in loaded)
