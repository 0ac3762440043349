"""The fan-out's rules as plain lists and loops, written from docs/DESIGN.md alone; it shares nothing with the code.

What it knows of a projection is what decides: id, run, whether it is terminal, its source cursor, its raw content.
"""

from collections import Counter
from dataclasses import dataclass, field

DROP, COALESCE, FAIL = "drop_non_terminal_progress", "coalesce_progress_by_run", "fail_sink_not_run"


@dataclass(frozen=True)
class Fact:
    projection_id: str
    run_id: str
    terminal: bool
    source: str | None
    raw: str | None
    mode: str


@dataclass(frozen=True)
class Cursor:
    seq: int = 0
    acknowledged: str | None = None
    attempted: str | None = None


@dataclass(frozen=True)
class Failure:
    record_id: str
    run_id: str
    failure_kind: str
    terminal_preserved: bool
    dropped_count: int
    last_acknowledged: Cursor
    repair: str | None
    says_replay_is_unsafe: bool


@dataclass(frozen=True)
class Recovery:
    record_id: str
    run_id: str
    cursor: Cursor


@dataclass
class NaiveSink:
    capacity: int
    reserve: int
    replay_is_safe: bool
    grants_raw: bool
    queue: list[Fact] = field(default_factory=list)
    cursor: Cursor = field(default_factory=Cursor)
    failed: bool = False
    dropped: int = 0
    records: int = 0


@dataclass
class NaiveFanout:
    policy: str
    capacity: int
    reserve: int
    branches: Counter[str]
    sinks: dict[str, NaiveSink] = field(default_factory=dict)

    def register(self, sink_id: str, capacity: int, reserve: int, *, replay_is_safe: bool, grants_raw: bool) -> None:
        smaller = min(capacity, self.capacity)
        self.sinks[sink_id] = NaiveSink(smaller, min(max(reserve, self.reserve), smaller), replay_is_safe, grants_raw)

    def record(self, fact: Fact) -> tuple[int, int, list[Failure]]:
        """Enqueued, dropped and the records, sinks in the order of their ids."""
        enqueued = dropped = 0
        records: list[Failure] = []
        for sink_id in sorted(self.sinks):
            came_in, went_out, made = self._record(sink_id, self.sinks[sink_id], fact)
            enqueued += came_in
            dropped += went_out
            records += made
        return enqueued, dropped, records

    def _record(self, sink_id: str, sink: NaiveSink, fact: Fact) -> tuple[int, int, list[Failure]]:
        if fact.raw is not None and not (sink.grants_raw and fact.mode == "raw_content"):
            fact = Fact(
                fact.projection_id,
                fact.run_id,
                fact.terminal,
                fact.source,
                None,
                "redacted_summary" if fact.mode == "raw_content" else fact.mode,
            )
        if room(sink, fact):
            sink.queue.append(fact)
            return 1, 0, []
        if fact.terminal:
            return self._record_terminal(sink_id, sink, fact)
        if self.policy == COALESCE:
            return self._coalesce(sink, fact)
        self.branches["B4 drop" if self.policy == DROP else "B4 fail"] += 1
        sink.failed = sink.failed or self.policy == FAIL
        sink.dropped += 1
        return 0, 1, [failure(sink_id, sink, fact, "overflow", terminal_preserved=True)]

    def _record_terminal(self, sink_id: str, sink: NaiveSink, fact: Fact) -> tuple[int, int, list[Failure]]:
        gone = 0
        while not room(sink, fact) and any(not queued.terminal for queued in sink.queue):
            sink.queue.remove(next(queued for queued in sink.queue if not queued.terminal))
            gone += 1
        sink.dropped += gone
        if room(sink, fact):
            self.branches["B3 admitted"] += 1
            sink.queue.append(fact)
            return 1, gone, [failure(sink_id, sink, fact, "overflow", terminal_preserved=True)]
        self.branches["B3 lost"] += 1
        sink.dropped += 1
        return 0, gone + 1, [failure(sink_id, sink, fact, "overflow", terminal_preserved=False)]

    def _coalesce(self, sink: NaiveSink, fact: Fact) -> tuple[int, int, list[Failure]]:
        same = [queued for queued in sink.queue if not queued.terminal and queued.run_id == fact.run_id]
        if same:
            sink.queue.remove(same[0])
        admitted = room(sink, fact)
        if admitted:
            sink.queue.append(fact)
        lost = bool(same) + (not admitted)
        sink.dropped += lost
        self.branches[f"B4 coalesce, {'one' if same else 'none'} removed, {'in' if admitted else 'out'}"] += 1
        return int(admitted), lost, []

    def drain(self, sink_id: str, answers: list[tuple[str, int]]) -> tuple[int, list[Failure | Recovery], list[Cursor]]:
        """Exported, the records, and the cursors the sink was shown; each answer is a word and a number."""
        sink = self.sinks[sink_id]
        exported = 0
        records: list[Failure | Recovery] = []
        shown: list[Cursor] = []
        while sink.queue:
            fact = sink.queue[0]
            shown.append(Cursor(sink.cursor.seq, sink.cursor.acknowledged, fact.source))
            word, number = answers.pop(0) if answers else ("accept", 0)
            if word not in ("accept", "duplicate", "jump"):
                self.branches[f"B5 {word}"] += 1
                sink.failed = True
                records.append(failure(sink_id, sink, fact, word, terminal_preserved=fact.terminal))
                break
            self.branches[f"B5 {word}"] += 1
            sink.cursor = Cursor(sink.cursor.seq + 1 + number, fact.source, None)
            sink.queue.pop(0)
            exported += 1
            if sink.failed:
                self.branches["B5 recovered"] += 1
                sink.failed = False
                sink.records += 1
                name = f"telemetry.{sink_id}.sink_recovered.{sink.records}"
                records.append(Recovery(name, fact.run_id, sink.cursor))
        return exported, records, shown


def room(sink: NaiveSink, fact: Fact) -> bool:
    if len(sink.queue) >= sink.capacity:
        return False
    progress = sum(not queued.terminal for queued in sink.queue)
    return fact.terminal or progress < sink.capacity - sink.reserve


def failure(sink_id: str, sink: NaiveSink, fact: Fact, kind: str, *, terminal_preserved: bool) -> Failure:
    sink.records += 1
    return Failure(
        record_id=f"telemetry.{sink_id}.sink_failed.{sink.records}",
        run_id=fact.run_id,
        failure_kind=kind,
        terminal_preserved=terminal_preserved,
        dropped_count=sink.dropped,
        last_acknowledged=sink.cursor,
        repair=fact.source,
        says_replay_is_unsafe=not sink.replay_is_safe,
    )
