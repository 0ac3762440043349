"""No record is ever wider than the narrowest of all sides, whatever the configuration and the event.

Random configurations as an operator writes them, random events as a producer sends them, through settings, projector,
content stage and stores as a worker has them. What may come of it is reckoned by an oracle that reads the same words
and knows nothing of the program: plain dictionaries, and the rules of docs/PRIVACY.md written a second time.
"""

import hashlib
import hmac
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tailrace.adapters.local_diagnostic import RecordReader
from tailrace.adapters.reference_store import ReferenceStore
from tailrace.codec.compiled_projector import CompiledProjector
from tailrace.codec.event_content import ContentReader
from tailrace.codec.record_tail import TailEncoder
from tailrace.codec.schemas import SchemaStore
from tailrace.domain.capture_store import CaptureStore, InlineStore, OmitStore
from tailrace.domain.kinds import SinkKind
from tailrace.domain.payload import NOOP_REDACTOR
from tailrace.domain.projected import LaneItem, ProjectedRecord
from tailrace.domain.sinks import SinkSpec
from tailrace.redaction.redactor import usual_redactor
from tailrace.runtime.capture_news import CaptureNews
from tailrace.runtime.clock import Deadline
from tailrace.runtime.content_stage import ContentStage, CurrentInterrupt
from tailrace.runtime.ports import Interrupt
from tailrace.runtime.record_content import CaptureTools, ContentTerms
from tailrace.runtime.sink_port import Accepted, ExportOutcome
from tailrace.settings import Settings
from tests.canary.canaries import Canary, Planter, Reach, conversation
from tests.canary.events import Encoder
from tests.unit.runtime.fakes import FakeClock, FakeLog

CASES = 700
NOW_US = 1_790_000_000_000_000
MODES = ("off", "metadata_only", "redacted_summary", "payload_refs", "raw_content")
FOREIGN = {
    "family": {"subagent": "child_agent", "child_lifecycle": "child_agent", "extension": "extension"},
    "source": {"subagent": "child_agent", "extension": "extension"},
    "subject": {"subagent_run": "child_agent", "child_artifact": "child_agent", "extension_action": "extension"},
}
KEY = "a secret of sixteen bytes and more"


@dataclass(frozen=True, slots=True)
class Case:
    """What an operator wrote and what a producer sent."""

    sink_mode: str
    policy: dict[str, Any]
    capture: dict[str, Any]
    store: str
    event: dict[str, Any]
    canaries: tuple[Canary, ...]


class Chance:
    """Draws cases: open, but for some sides that are drawn anew, so that narrow and wide records are both frequent."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._categories = ("plain", "email", "anthropic_key", "card")

    def case(self, number: int) -> Case:
        draw = self._random
        policy, event, others = self._open_policy(), self._open_event(number), self._open_others()
        sides = [
            *((policy, name, make) for name, make in self._of_policy().items()),
            *((event, name, make) for name, make in self._of_event().items()),
            *((others, name, make) for name, make in self._of_others().items()),
        ]
        for side, name, make in draw.sample(sides, draw.choice((0, 1, 1, 2, 3, len(sides)))):
            side[name] = make()
        planter = Planter(number)
        said = conversation(planter.at("case", draw.choice(self._categories)))
        event["content"] = {
            "capture_kind": "turn_chat",
            "thread_id": "thread-1",
            "turn_number": 0,
            "span_is_recording": draw.random() < 0.5,
            "system_instructions": draw.choice((None, said.system_instructions)),
            "input_messages": said.input_messages,
            "output_messages": draw.choice((said.output_messages, b"[]", b"not JSON")),
        }
        capture = {
            "payloads": others["payloads"],
            "redaction": {"policy_id": others["redaction"]},
            "sample_keys": {"key": KEY},
            "policies": {"policy": policy},
        }
        return Case(others["sink_mode"], policy, capture, others["store"], event, tuple(planter.planted))

    def _open_policy(self) -> dict[str, Any]:
        raw = {"mode": "raw_content"}
        return {
            "mode": "raw_content",
            "part_limit_bytes": 100_000,
            "event_limit_bytes": 100_000,
            "agents": {"otherwise": raw},
            "families": {"otherwise": raw},
            "privacy": {"otherwise": raw},
            "origins": [],
            "retention_s": {"run_scoped": 3_600},
            "sample": {"rate": 1.0},
        }

    def _open_others(self) -> dict[str, Any]:
        return {"sink_mode": "raw_content", "payloads": True, "redaction": "redaction-1", "store": self._store()}

    def _open_event(self, number: int) -> dict[str, Any]:
        return {
            "event_id": f"event-{number}",
            "event_seq": number,
            "event_family": "model",
            "event_kind": "model_message_completed",
            "timestamp": NOW_US - 60_000_000,
            "recorded_at": NOW_US,
            "run_id": f"run-{number}",
            "agent_id": "agent.support",
            "trace_id": "t",
            "span_id": "s",
            "subject_ref": {"kind": "run", "id": f"run-{number}"},
            "source": {"kind": "host", "id": "host-1"},
            "privacy": "internal",
            "content_capture": "raw_content",
        }

    def _of_policy(self) -> dict[str, Any]:
        draw = self._random
        return {
            "mode": self._mode,
            "part_limit_bytes": lambda: draw.choice((1, 1_000, 4_000, 8_000)),
            "event_limit_bytes": lambda: draw.choice((1, 1_000, 8_000, 12_000)),
            "agents": lambda: self._axis(("agent.support", "agent.billing")),
            "families": lambda: self._axis(("model", "tool", "subagent", "extension", "unknown")),
            "privacy": lambda: self._axis(("public", "internal", "content_refs_only", "sensitive", "secret")),
            "origins": lambda: draw.sample(("child_agent", "extension"), draw.randint(0, 2)),
            "retention_s": lambda: draw.choice(({}, {"durable": 60}, {"run_scoped": 59}, {"run_scoped": 61})),
            "sample": lambda: draw.choice(({"rate": 0.0}, {"rate": 1.0}, {"rate": 0.5, "key": "key"})),
        }

    def _of_event(self) -> dict[str, Any]:
        draw = self._random
        families = ("model", "tool", "subagent", "child_lifecycle", "extension", "unknown", "message")
        sources = ("host", "subagent", "extension", "unknown", "user")
        subjects = ("run", "subagent_run", "child_artifact", "extension_action", "unknown", "tool_call")
        return {
            "event_family": lambda: draw.choice(families),
            "timestamp": lambda: NOW_US + draw.choice((-61, -59, 0, 299, 301)) * 1_000_000,
            "agent_id": lambda: draw.choice(("agent.support", "agent.billing", "agent.other")),
            "source": lambda: {"kind": draw.choice(sources), "id": "source-1"},
            "subject_ref": lambda: {"kind": draw.choice(subjects), "id": "subject-1"},
            "privacy": lambda: draw.choice(
                ("unknown", "public", "internal", "content_refs_only", "sensitive", "secret")
            ),
            "content_capture": lambda: draw.choice(("unknown", *MODES)),
        }

    def _of_others(self) -> dict[str, Any]:
        draw = self._random
        return {
            "sink_mode": self._mode,
            "payloads": lambda: draw.random() < 0.5,
            "redaction": lambda: draw.choice(("", "redaction-2")),
            "store": self._store,
        }

    def _mode(self) -> str:
        return self._random.choice(MODES)

    def _store(self) -> str:
        return self._random.choice(("inline", "inline", "reference", "inline over noop", "omit"))

    def _axis(self, names: Sequence[str]) -> dict[str, Any]:
        """Some rules, with limits of their own now and then."""

        def rule() -> dict[str, Any]:
            limits = {"part_limit_bytes": 3_000} if self._random.random() < 0.3 else {}
            return {"mode": self._mode(), **limits}

        named = self._random.sample(names, self._random.randint(0, len(names)))
        return {"otherwise": rule(), "named": {name: rule() for name in named}}


# -------------------------------------------------------------------------------------------------------- the oracle


@dataclass(frozen=True, slots=True)
class Permitted:
    """The most that may be on a record: a mode, and how large a part, and all of them, may be."""

    mode: str
    part_bytes: int
    all_bytes: int


def permitted(case: Case) -> Permitted:
    """The narrowest of every side, by the words of the configuration and of the event alone."""
    event, policy = case.event, case.policy
    rules = [policy, *(_rule(policy[axis], name) for axis, name in _axes(event).items())]
    modes = [
        case.sink_mode,
        event["content_capture"] if event["content_capture"] in MODES else "off",
        *(rule["mode"] for rule in rules),
        "raw_content" if _origins(event) <= set(policy["origins"]) else "off",
    ]
    if event["privacy"] == "content_refs_only" and "content_refs_only" not in policy["privacy"].get("named", {}):
        modes.append("payload_refs")
    if not (_kept(case) and _sampled(case) and case.capture["redaction"]["policy_id"]):
        modes.append("redacted_summary")
    limits = [min(rule.get(name, policy[name]) for rule in rules) for name in ("part_limit_bytes", "event_limit_bytes")]
    return Permitted(min(modes, key=MODES.index), *limits)


def _axes(event: dict[str, Any]) -> dict[str, str]:
    privacy = "secret" if event["privacy"] == "unknown" else event["privacy"]
    return {"agents": event["agent_id"], "families": event["event_family"], "privacy": privacy}


def _rule(axis: dict[str, Any], name: str) -> dict[str, Any]:
    """What is not named has the rule of the others, but for what must be named."""
    closed = {"mode": "off"}
    found: dict[str, Any] = axis.get("named", {}).get(
        name, closed if name in MUST_BE_NAMED else axis.get("otherwise", closed)
    )
    return found


MUST_BE_NAMED = frozenset(("subagent", "child_lifecycle", "extension", "unknown", "sensitive", "secret"))


def _origins(event: dict[str, Any]) -> set[str]:
    kinds = {
        "family": event["event_family"],
        "source": event["source"]["kind"],
        "subject": event["subject_ref"]["kind"],
    }
    if "unknown" in (kinds["source"], kinds["subject"]):
        return {"child_agent", "extension"}
    return {FOREIGN[side][kind] for side, kind in kinds.items() if kind in FOREIGN[side]}


def _kept(case: Case) -> bool:
    window_s = case.policy["retention_s"].get("run_scoped", 0)
    age_us = NOW_US - case.event["timestamp"]
    return bool(-300_000_000 <= age_us < window_s * 1_000_000)


def _sampled(case: Case) -> bool:
    sample = case.policy["sample"]
    if "key" not in sample:
        return bool(sample["rate"] == 1.0)
    digest = hmac.new(KEY.encode(), b"tailrace.sample.v1\0" + case.event["run_id"].encode(), hashlib.sha256).digest()
    return bool(int.from_bytes(digest[:8], "big") / 2**64 < sample["rate"])


# ---------------------------------------------------------------------------------------------------------- the run


class Shelf:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.records: list[LaneItem] = []

    def export(self, batch: Sequence[LaneItem], interrupt: Interrupt) -> ExportOutcome:
        del interrupt
        self.records += batch
        return Accepted()

    def abandon(self) -> None:
        pass

    def tend(self) -> None:
        pass

    def close(self, deadline: Deadline) -> None:
        pass


class NeverGivenUp:
    def is_set(self) -> bool:
        return False

    def wait(self, timeout: float) -> bool:
        del timeout
        return False


class Line:
    """Settings, projector, stage and stores in a row, made anew for each case where the case decides."""

    def __init__(self, folder: Path) -> None:
        self._schemas = SchemaStore()
        self._encoder = Encoder(self._schemas)
        self._projector = CompiledProjector("events", self._schemas, keep_content=True)
        self._events, self._tails = ContentReader(self._schemas), TailEncoder(self._schemas)
        self._reader = RecordReader(self._schemas)
        redactor = usual_redactor()
        self._stores: dict[str, CaptureStore] = {
            "omit": OmitStore(),
            "inline": InlineStore(redactor),
            "inline over noop": InlineStore(NOOP_REDACTOR),
            "reference": ReferenceStore(folder.as_uri(), name="archive", redactor=redactor),
        }

    def record(self, case: Case) -> tuple[bytes, dict[str, Any]]:
        """The event's first record, which is the one that may have content, as the sink gets it: bytes and fields."""
        items = self._projector.project(0, case.event["event_seq"], b"key", self._encoder.encode(case.event))
        assert isinstance(items, tuple)
        shelf = Shelf()
        policy = _settings(case).content_policy("sink")
        stage = self._stage(case, shelf) if policy is not None else shelf
        assert stage.export(items, NeverGivenUp()) == Accepted()
        (first, *others) = shelf.records
        assert isinstance(first, ProjectedRecord)
        for other in others:
            assert isinstance(other, ProjectedRecord)
            fields = self._reader.read(other.value)
            assert isinstance(fields, dict)
            assert (fields["content_capture"], fields["content"]) == ("off", None)
        record = self._reader.read(first.value)
        assert isinstance(record, dict)
        return first.value, record

    def _stage(self, case: Case, shelf: Shelf) -> ContentStage:
        settings = _settings(case)
        policy = settings.content_policy("sink")
        assert policy is not None
        clock, log = FakeClock(NOW_US / 1e6), FakeLog()
        return ContentStage(
            shelf,
            ContentTerms(
                sink=SinkSpec(
                    sink_id="sink",
                    sink_kind=SinkKind.DURABLE_TRACE,
                    content_capture=settings.sinks["sink"].content.mode,
                ),
                policy=policy,
                payloads_allowed=settings.capture.payloads,
            ),
            CaptureTools(
                store=self._stores[case.store], events=self._events, tails=self._tails, new_capture_id=lambda: "capture"
            ),
            piece_bytes=1_000_000,
            interrupt=CurrentInterrupt(),
            clock=clock,
            news=CaptureNews("sink", clock, log),
        )


def _settings(case: Case) -> Settings:
    sink = {"kind": "durable_trace", "topic": "t", "content": {"mode": case.sink_mode, "policy": "policy"}}
    tree: dict[str, Any] = {
        "kafka": {"bootstrap_servers": "127.0.0.1:1"},
        "events": {"topic": "events", "group": "g"},
        "sinks": {"sink": sink},
        "capture": case.capture,
    }
    return Settings(**tree)


def assert_not_wider(case: Case, value: bytes, record: dict[str, Any], tally: Counter[str]) -> None:
    most = permitted(case)
    told, content = record["content_capture"], record["content"]
    assert MODES.index(told) <= MODES.index(most.mode), f"{told} where {most.mode} was the narrowest"
    if record["capture"] is not None:
        assert record["capture"]["effective"] == told
    parts = [] if content is None else [content[name] for name in PARTS if content[name] is not None]
    assert content is None or MODES.index(most.mode) >= MODES.index("payload_refs")
    inline = [part for part in parts if part["disposition"] == "inline"]
    references = [part for part in parts if part["disposition"] == "reference"]
    if inline:
        assert (most.mode, case.store, case.capture["payloads"]) == ("raw_content", "inline", True)
    if references:
        assert case.store == "reference"
    sizes = [part["size_bytes"] for part in (*inline, *references)]
    assert all(size <= most.part_bytes for size in sizes)
    assert sum(sizes) <= most.all_bytes
    assert all(part["inline_bytes"] is None for part in parts if part not in inline)
    plain_may = {c.text for c in case.canaries if inline and c.category == "plain" and c.reach is Reach.GRANTED}
    lowered = value.lower()
    for canary in case.canaries:
        seen = any(needle.encode().lower() in lowered for needle in canary.needles)
        assert not seen or canary.text in plain_may, f"{canary} is on the record"
        tally["plain words seen"] += seen
    tally[f"told {told}"] += 1
    tally[f"permitted {most.mode}"] += 1
    tally["inline"] += bool(inline)
    tally["references"] += bool(references)
    tally["as wide as permitted"] += told == most.mode


PARTS = ("system_instructions", "input_messages", "output_messages")


def test_no_record_is_wider_than_the_narrowest_side(tmp_path: Path) -> None:
    """And the widest are as wide as they may be, often enough for that to mean something."""
    line, chance, tally = Line(tmp_path), Chance(20_261), Counter[str]()
    for number in range(CASES):
        case = chance.case(number)
        value, record = line.record(case)
        try:
            assert_not_wider(case, value, record, tally)
        except AssertionError as wider:
            shown = {name: text for name, text in case.event.items() if name != "content"}
            pytest.fail(
                f"{wider}\nsink {case.sink_mode}, store {case.store}\n{case.capture}\n{shown}\n{record['capture']}"
            )

    for mode in MODES:
        assert tally[f"told {mode}"] >= CASES // 50, f"hardly any record says {mode}: {tally}"
    for seen in ("inline", "references"):
        assert tally[seen] >= CASES // 50, f"hardly any record has content {seen}: {tally}"
    assert tally["plain words seen"] > CASES // 2
    # Limits and complete policies keep some further back than modes alone would.
    assert tally["as wide as permitted"] > CASES * 8 // 10
