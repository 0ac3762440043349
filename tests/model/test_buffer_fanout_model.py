"""TelemetryFanout against the naive model, operation by operation, with sinks that answer by script."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tailrace import (
    Acknowledgement,
    ConfigurationNeeded,
    ContentCaptureMode,
    ExportCursor,
    FailureKind,
    FanoutConfig,
    JournalCursor,
    OverflowPolicy,
    Projection,
    ProjectionKind,
    SinkError,
    SinkFailureRecord,
    SinkRecoveryRecord,
    SinkSpec,
    SinkState,
    TelemetryFanout,
    TelemetryRecord,
)
from tailrace.domain.cursors import SourceCursor
from tests.model.naive_fanout import COALESCE, DROP, FAIL, Cursor, Fact, Failure, NaiveFanout, Recovery
from tests.unit.domain import samples

SEQUENCES = 10_000
LEAST_OPERATIONS = 50
LEAST_HITS = 1_000

BRANCHES = (
    "B3 admitted",
    "B3 lost",
    "B4 drop",
    "B4 fail",
    "B4 coalesce, one removed, in",
    "B4 coalesce, none removed, out",
    "B5 accept",
    "B5 duplicate",
    "B5 jump",
    "B5 export_rejected",
    "B5 schema_mismatch",
    "B5 sink_unavailable",
    "B5 recovered",
)
POLICIES = (DROP, COALESCE, FAIL)
ANSWERS = ("accept", "accept", "duplicate", "jump", "export_rejected", "schema_mismatch", "sink_unavailable", "raise")
SINK_IDS = ("b", "a.dotted", "c")

SETUP_BYTES, OPERATION_BYTES = 4, 2


def _pool() -> list[Projection]:
    """A projection for every operation byte: kind, run and raw content vary; ids and cursors are all different."""
    kinds = [kind for kind in ProjectionKind if kind is not ProjectionKind.PROGRESS]
    made = []
    for number in range(256):
        raw = number % 5 == 4
        some = samples.terminal(f"t{number}", f"run.{number % 2}") if number % 3 == 2 else None
        projection = some or samples.progress(f"p{number}", f"run.{number // 3 % 2}")
        made.append(
            replace(
                projection,
                projection_kind=kinds[number % len(kinds)] if some else ProjectionKind.PROGRESS,
                raw_content="raw text" if raw else None,
                content_capture=ContentCaptureMode.RAW_CONTENT if raw and number % 2 else ContentCaptureMode.OFF,
            )
        )
    return made


POOL = _pool()


class ScriptedSink:
    """Answers by script and remembers what it was shown."""

    def __init__(self, spec: SinkSpec) -> None:
        self._spec = spec
        self.answers: list[tuple[str, int]] = []
        self.shown: list[ExportCursor] = []
        self.exported: list[Projection] = []

    @property
    def spec(self) -> SinkSpec:
        return self._spec

    def export(self, projection: Projection, cursor: ExportCursor) -> Acknowledgement | SinkError:
        self.shown.append(cursor)
        word, number = self.answers.pop(0) if self.answers else ("accept", 0)
        if word == "raise":
            raise OSError(projection.projection_id)
        if word not in ("accept", "duplicate", "jump"):
            return SinkError(failure_kind=FailureKind(word), redacted_summary="as scripted")
        self.exported.append(projection)
        answer = Acknowledgement.duplicate if word == "duplicate" else Acknowledgement.accepted
        then = cursor.acknowledged(projection.source_record.source_cursor)
        return answer(replace(then, export_seq=then.export_seq + number))


class Pair:
    """The fan-out and its model, given the same operations. A zero byte only looks."""

    def __init__(self, setup: bytes, branches: Counter[str]) -> None:
        policy, capacity, reserve, sinks = setup
        self.policy = POLICIES[policy % 3]
        self.branches = branches
        self.model = NaiveFanout(self.policy, 1 + capacity % 8, 1 + reserve % 3, branches)
        self.fanout = TelemetryFanout(
            FanoutConfig(
                queue_capacity=1 + capacity % 8,
                terminal_reserve=1 + reserve % 3,
                overflow=OverflowPolicy(self.policy),
            )
        )
        self.sinks: dict[str, ScriptedSink] = {}
        for index in range(1 + (sinks % 4 == 3) + (sinks % 16 == 15)):
            self.register(SINK_IDS[index], sinks * 7 + 11 * index)

    def register(self, sink_id: str, argument: int) -> None:
        raw, safe = argument % 2 == 1, argument // 2 % 2 == 1
        sink = ScriptedSink(
            SinkSpec.test(sink_id, 1 + argument // 4 % 8)
            .with_terminal_reserve(1 + argument // 32 % 3)
            .with_content_capture(ContentCaptureMode.RAW_CONTENT if raw else ContentCaptureMode.METADATA_ONLY)
        )
        if not safe:
            sink = ScriptedSink(replace(sink.spec, requires_idempotent_replay=False))
        self.sinks[sink_id] = sink
        self.fanout.register_sink(sink)
        self.model.register(
            sink_id, sink.spec.queue_capacity, sink.spec.terminal_reserve, replay_is_safe=safe, grants_raw=raw
        )

    def apply(self, code: int, argument: int) -> str:
        match code % 32:
            case 0:
                return "look"
            case 1 if argument < 64:
                sink_id = sorted(self.sinks)[argument % len(self.sinks)]
                self.register(sink_id, argument)
                return f"register {sink_id} again with {self.sinks[sink_id].spec}"
            case 2:
                with pytest.raises(ConfigurationNeeded):
                    self.fanout.drain_sink("nobody")
                assert self.fanout.queued_for_sink("nobody") == ()
                assert self.fanout.sink_queue_len("nobody") is None
                return "ask for a sink that is not there"
            case kind if kind < 9:
                return self.drain(argument)
            case _:
                return self.record(argument)

    def record(self, argument: int) -> str:
        projection = POOL[argument]
        enqueued, dropped, records = self.model.record(FACTS[argument])
        report = self.fanout.try_record(projection)
        assert (report.enqueued, report.dropped) == (enqueued, dropped)
        assert [plain(record) for record in report.records] == records
        return f"record {projection.projection_id} -> {enqueued} in, {dropped} out"

    def drain(self, argument: int) -> str:
        sink_id = sorted(self.sinks)[argument % len(self.sinks)]
        sink = self.sinks[sink_id]
        script = [(ANSWERS[argument // 2 % 8], 0), (ANSWERS[argument // 16 % 8], 0), ("sink_unavailable", 0)]
        script = [(word, 7 if word == "jump" else 0) for word, _ in script[argument // 128 :]]
        sink.answers, sink.shown = list(script), []
        told = [("sink_unavailable" if word == "raise" else word, number) for word, number in script]
        exported, records, shown = self.model.drain(sink_id, told)
        report = self.fanout.drain_sink(sink_id)
        assert report.exported == exported
        assert [plain(record) for record in report.records] == records
        assert [plain_cursor(cursor) for cursor in sink.shown] == shown
        return f"drain {sink_id} with {script} -> {exported} exported, {len(records)} records"

    def compare(self) -> None:
        for sink_id, sink in self.model.sinks.items():
            assert self.fanout.sink_queue_len(sink_id) == len(sink.queue)
            assert [
                (queued.projection_id, queued.raw_content, queued.content_capture)
                for queued in self.fanout.queued_for_sink(sink_id)
            ] == [(queued.projection_id, queued.raw, queued.mode) for queued in sink.queue]
            assert self.fanout.sink_state(sink_id) is (SinkState.FAILED if sink.failed else SinkState.HEALTHY)


def plain_source(cursor: SourceCursor | None) -> str | None:
    assert cursor is None or isinstance(cursor, JournalCursor)
    return None if cursor is None else cursor.position


def fact(projection: Projection) -> Fact:
    return Fact(
        projection_id=projection.projection_id,
        run_id=projection.run_id,
        terminal=projection.projection_kind != "progress",
        source=plain_source(projection.source_record.source_cursor),
        raw=projection.raw_content,
        mode=projection.content_capture.value,
    )


FACTS = [fact(projection) for projection in POOL]


def plain_cursor(cursor: ExportCursor) -> Cursor:
    return Cursor(
        cursor.export_seq, plain_source(cursor.last_acknowledged_source), plain_source(cursor.last_attempted_source)
    )


def plain(record: TelemetryRecord) -> Failure | Recovery:
    match record.payload:
        case SinkFailureRecord() as failed:
            assert failed.last_acknowledged_cursor is not None
            assert record.source_cursor == failed.repair_cursor
            return Failure(
                record_id=record.record_id,
                run_id=record.run_id,
                failure_kind=failed.failure_kind.value,
                terminal_preserved=failed.terminal_preserved,
                dropped_count=failed.dropped_count,
                last_acknowledged=plain_cursor(failed.last_acknowledged_cursor),
                repair=plain_source(failed.repair_cursor),
                says_replay_is_unsafe=failed.unsafe_pending_reason is not None,
            )
        case SinkRecoveryRecord() as recovered:
            return Recovery(record.record_id, record.run_id, plain_cursor(recovered.export_cursor))
        case _:
            raise AssertionError(f"a fan-out makes no {type(record.payload).__name__}")


def operations(script: bytes) -> Sequence[tuple[int, int]]:
    return list(zip(script[SETUP_BYTES::OPERATION_BYTES], script[SETUP_BYTES + 1 :: OPERATION_BYTES], strict=False))


@pytest.mark.slow
@pytest.mark.timeout(1200)  # under a minute alone; on a crowded machine the wall clock says little
def test_fanout_equals_naive_model_over_ten_thousand_sequences() -> None:
    """Counts, ids, flags, cursors and queues are those of rules B1 to B7 in docs/DESIGN.md, The buffer."""
    branches: Counter[str] = Counter()
    ran: Counter[str] = Counter()

    @settings(
        max_examples=SEQUENCES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.binary(
            min_size=SETUP_BYTES + OPERATION_BYTES * LEAST_OPERATIONS,
            max_size=SETUP_BYTES + OPERATION_BYTES * (LEAST_OPERATIONS + 4),
        )
    )
    def sequences(script: bytes) -> None:
        pair = Pair(script[:SETUP_BYTES], branches)
        done: list[str] = []
        try:
            for code, argument in operations(script):
                done.append(f"{code % 32}({argument})")
                done[-1] = pair.apply(code, argument)
                pair.compare()
        except BaseException:
            specs = "\n".join(str(sink.spec) for sink in pair.sinks.values())
            note(f"{pair.model.policy}\n{specs}\n" + "\n".join(step for step in done if step != "look"))
            raise
        assert len(done) >= LEAST_OPERATIONS
        ran["sequences"] += 1
        ran["operations"] += len(done)
        ran[pair.policy] += 1
        for sink in pair.model.sinks.values():
            ran[f"capacity {sink.capacity}"] += 1

    sequences()
    print(f"\n{dict(ran)}\n" + "\n".join(f"{branches[name]:>8} {name}" for name in BRANCHES))
    assert ran["sequences"] >= SEQUENCES
    assert all(ran[policy] >= LEAST_HITS for policy in POLICIES)
    assert all(ran[f"capacity {capacity}"] for capacity in range(1, 9))
    assert {name: branches[name] for name in BRANCHES if branches[name] < LEAST_HITS} == {}
    assert set(branches) <= set(BRANCHES)
