"""The synchronous fan-out: docs/DESIGN.md, The buffer, B3 to B7, as an agent process sees them."""

from dataclasses import replace

import pytest

from tailrace import (
    AUTHORITY,
    Acknowledgement,
    AgentEvent,
    ConfigurationNeeded,
    ContentCaptureMode,
    CorrelationEntry,
    ExportCursor,
    FailureKind,
    FanoutConfig,
    FanoutReport,
    JournalCursor,
    MissingField,
    OverflowPolicy,
    Projection,
    SinkError,
    SinkFailureRecord,
    SinkKind,
    SinkRecoveryRecord,
    SinkSpec,
    SinkState,
    TelemetryFanout,
    TelemetryRecord,
    projections_from_event,
    to_jsonable,
)
from tests.unit.domain import samples


class TestSink:
    """Accepts everything, unless told what to answer next."""

    __test__ = False

    def __init__(self, sink_id: str = "s.1", capacity: int = 2, spec: SinkSpec | None = None) -> None:
        self._spec = SinkSpec.test(sink_id, capacity) if spec is None else spec
        self.exported: list[Projection] = []
        self.shown: list[ExportCursor] = []
        self.next_answers: list[SinkError | BaseException] = []
        self.meanwhile: list[Projection] = []
        self.fanout: TelemetryFanout | None = None

    @property
    def spec(self) -> SinkSpec:
        return self._spec

    def export(self, projection: Projection, cursor: ExportCursor) -> Acknowledgement | SinkError:
        self.shown.append(cursor)
        if self.fanout is not None:
            for more in self.meanwhile:
                self.fanout.try_record(more)
            self.meanwhile = []
        if self.next_answers:
            answer = self.next_answers.pop(0)
            if isinstance(answer, BaseException):
                raise answer
            return answer
        self.exported.append(projection)
        return Acknowledgement.accepted(cursor.acknowledged(projection.source_record.source_cursor))


def fanout_of(
    *sinks: TestSink, overflow: OverflowPolicy = OverflowPolicy.DROP_NON_TERMINAL_PROGRESS
) -> TelemetryFanout:
    fanout = TelemetryFanout(replace(FanoutConfig.tiny_for_tests(), overflow=overflow))
    for sink in sinks:
        fanout.register_sink(sink)
    return fanout


def failure(record: TelemetryRecord) -> SinkFailureRecord:
    assert isinstance(record.payload, SinkFailureRecord)
    return record.payload


def test_defaults_are_64_and_4_and_tests_get_2_and_1() -> None:
    """B1."""
    safe, tiny = FanoutConfig.safe_defaults(), FanoutConfig.tiny_for_tests()
    assert (safe.queue_capacity, safe.terminal_reserve) == (64, 4)
    assert (tiny.queue_capacity, tiny.terminal_reserve) == (2, 1)
    assert safe.overflow is tiny.overflow is OverflowPolicy.DROP_NON_TERMINAL_PROGRESS
    local = SinkSpec.safe_local_diagnostic("d")
    assert (local.sink_kind, local.queue_capacity, local.terminal_reserve) == (SinkKind.LOCAL_DIAGNOSTIC, 64, 4)
    assert local.content_capture is ContentCaptureMode.OFF
    assert local.requires_idempotent_replay


def test_safe_defaults_hold_sixty_records_of_progress() -> None:
    """A fan-out without configuration sheds at 64 minus 4."""
    fanout = TelemetryFanout.safe_defaults()
    fanout.register_sink(TestSink(spec=SinkSpec.safe_local_diagnostic("d")))
    reports = [fanout.try_record(samples.progress(str(number))) for number in range(61)]
    assert [report.enqueued for report in reports] == [1] * 60 + [0]
    assert fanout.sink_queue_len("d") == 60


def test_slow_sink_keeps_the_terminal_at_the_cost_of_progress() -> None:
    """B3: the report counts both, and the record says that the terminal is preserved."""
    sink = TestSink()
    fanout = fanout_of(sink)
    assert fanout.try_record(samples.progress("1")) == FanoutReport(enqueued=1)
    second = fanout.try_record(samples.progress("2"))
    assert (second.enqueued, second.dropped) == (0, 1)
    fanout.try_record(samples.terminal("1"))
    third = fanout.try_record(samples.terminal("2"))
    assert (third.enqueued, third.dropped) == (1, 1)
    (record,) = third.records
    assert failure(record).terminal_preserved
    assert failure(record).dropped_count == 2
    assert [p.event_id for p in fanout.queued_for_sink("s.1")] == ["event.1", "event.2"]
    assert all(p.terminal_preserved for p in fanout.queued_for_sink("s.1"))


def test_lost_terminal_is_recorded_as_not_preserved() -> None:
    """B3: the one failure record that says a terminal is gone."""
    fanout = fanout_of(TestSink(capacity=1))
    fanout.try_record(samples.terminal("1"))
    report = fanout.try_record(samples.terminal("2"))
    assert (report.enqueued, report.dropped) == (0, 1)
    assert not failure(report.records[0]).terminal_preserved
    assert failure(report.records[0]).repair_cursor == JournalCursor("journal.2")


def test_coalescing_makes_no_record_and_counts_what_it_dropped() -> None:
    """B4: as in the agent SDK; a worker's ledger learns both."""
    fanout = fanout_of(TestSink(), overflow=OverflowPolicy.COALESCE_PROGRESS_BY_RUN)
    fanout.try_record(samples.progress("1"))
    assert fanout.try_record(samples.progress("2")) == FanoutReport(enqueued=1, dropped=1)
    assert fanout.try_record(samples.progress("3", run_id="run.other")) == FanoutReport(enqueued=0, dropped=1)
    assert [p.event_id for p in fanout.queued_for_sink("s.1")] == ["event.2"]


def test_sink_failed_by_overflow_recovers_with_its_next_export() -> None:
    """B4 and B5: the run is untouched, and the recovery is on record."""
    fanout = fanout_of(TestSink(), overflow=OverflowPolicy.FAIL_SINK_NOT_RUN)
    fanout.try_record(samples.progress("1"))
    report = fanout.try_record(samples.progress("2"))
    assert failure(report.records[0]).failure_kind is FailureKind.OVERFLOW
    assert fanout.sink_state("s.1") is SinkState.FAILED
    drained = fanout.drain_sink("s.1")
    assert drained.exported == 1
    (record,) = drained.records
    assert record.record_id == "telemetry.s.1.sink_recovered.2"
    assert isinstance(record.payload, SinkRecoveryRecord)
    assert fanout.sink_state("s.1") is SinkState.HEALTHY


def test_one_sink_failing_leaves_the_others_alone() -> None:
    """Isolation in process: each drain touches its own sink."""
    failing, healthy = TestSink("failing"), TestSink("healthy")
    failing.next_answers.append(SinkError.unavailable("down"))
    fanout = fanout_of(failing, healthy)
    assert fanout.try_record(samples.terminal()).enqueued == 2
    assert fanout.drain_sink("failing").exported == 0
    assert fanout.drain_sink("healthy").exported == 1
    assert (len(failing.exported), len(healthy.exported)) == (0, 1)
    assert (fanout.sink_queue_len("failing"), fanout.sink_queue_len("healthy")) == (1, 0)
    assert (fanout.sink_state("failing"), fanout.sink_state("healthy")) == (SinkState.FAILED, SinkState.HEALTHY)


def test_refused_export_stops_the_drain_and_stays_in_front() -> None:
    """B5: the failure's kind and the projection's own flag are on record; nothing is exported out of order."""
    sink = TestSink(capacity=8)
    fanout = TelemetryFanout(FanoutConfig.safe_defaults())
    fanout.register_sink(sink)
    for projection in (samples.terminal("1"), samples.progress("2"), samples.terminal("3")):
        fanout.try_record(projection)
    sink.next_answers = [SinkError.schema_mismatch("other fields")]
    first = fanout.drain_sink("s.1")
    assert (first.exported, len(first.records)) == (0, 1)
    assert failure(first.records[0]).failure_kind is FailureKind.SCHEMA_MISMATCH
    assert failure(first.records[0]).terminal_preserved
    assert failure(first.records[0]).redacted_summary == "other fields"
    second = fanout.drain_sink("s.1")
    assert second.exported == 3
    assert [p.event_id for p in sink.exported] == ["event.1", "event.2", "event.3"]
    (recovery,) = second.records
    assert isinstance(recovery.payload, SinkRecoveryRecord)
    assert recovery.payload.export_cursor.export_seq == 1
    assert recovery.record_id == "telemetry.s.1.sink_recovered.2"


def test_failed_export_of_progress_says_that_no_terminal_is_at_stake() -> None:
    """B5: the flag is the projection's own."""
    sink = TestSink()
    fanout = fanout_of(sink)
    fanout.try_record(samples.progress())
    sink.next_answers = [SinkError(failure_kind=FailureKind.SERIALIZATION, redacted_summary="cannot encode")]
    (record,) = fanout.drain_sink("s.1").records
    assert failure(record).failure_kind is FailureKind.SERIALIZATION
    assert not failure(record).terminal_preserved
    assert failure(record).repair_cursor is None


def test_failure_record_matches_the_agent_sdk_down_to_ids_and_json() -> None:
    """B6: the whole record, cursor of zero included."""
    sink = TestSink("telemetry.repairable", 4)
    sink.next_answers = [SinkError.unavailable("out of reach")]
    fanout = TelemetryFanout.safe_defaults()
    fanout.register_sink(sink)
    fanout.try_record(samples.terminal("1"))
    (record,) = fanout.drain_sink("telemetry.repairable").records
    assert to_jsonable(record) == {
        "schema_version": 1,
        "record_id": "telemetry.telemetry.repairable.sink_failed.1",
        "run_id": "run.sample",
        "agent_id": "agent.sample",
        "source_cursor": {"type": "journal", "cursor": "journal.1"},
        "runtime_package_fingerprint": "sha256:package",
        "privacy": "content_refs_only",
        "retention": "run_scoped",
        "content_capture": "off",
        "redaction_policy_id": "redaction.default",
        "policy_refs": [{"kind": "host", "id": "policy.derived"}],
        "payload": {
            "type": "sink_failed",
            "record": {
                "sink_id": "telemetry.repairable",
                "sink_kind": "test",
                "failure_kind": "sink_unavailable",
                "terminal_preserved": True,
                "dropped_count": 0,
                "last_acknowledged_cursor": {"sink_id": "telemetry.repairable", "export_seq": 0},
                "repair_cursor": {"type": "journal", "cursor": "journal.1"},
                "unsafe_pending_reason": None,
                "redacted_summary": "out of reach",
            },
        },
    }


def test_record_numbers_run_over_all_labels_of_a_sink_and_start_at_one() -> None:
    """B6: `telemetry.<sink id>.<label>.<n>`."""
    sink = TestSink()
    fanout = fanout_of(sink, TestSink("s.2"))
    fanout.try_record(samples.progress("1"))
    ids = [record.record_id for record in fanout.try_record(samples.progress("2")).records]
    sink.next_answers = [SinkError.unavailable("down")]
    ids += [record.record_id for record in fanout.drain_sink("s.1").records]
    ids += [record.record_id for record in fanout.drain_sink("s.1").records]
    assert ids == [
        "telemetry.s.1.sink_failed.1",
        "telemetry.s.2.sink_failed.1",
        "telemetry.s.1.sink_failed.2",
        "telemetry.s.1.sink_recovered.3",
    ]


def test_sink_that_cannot_tell_replays_says_so_in_every_failure() -> None:
    """B6: whoever repairs has to look before it sends again."""
    spec = replace(SinkSpec.test("s.1", 1), requires_idempotent_replay=False)
    fanout = fanout_of(TestSink(spec=spec))
    (record,) = fanout.try_record(samples.progress()).records
    assert failure(record).unsafe_pending_reason


def test_sink_sees_an_attempted_cursor_and_its_acknowledgement_replaces_the_cursor() -> None:
    """B5: an attempt acknowledges nothing; the sink's own cursor counts, also if it jumps."""
    sink = TestSink(capacity=8)
    fanout = TelemetryFanout.safe_defaults()
    fanout.register_sink(sink)
    for name in ("1", "2"):
        fanout.try_record(samples.terminal(name))
    fanout.drain_sink("s.1")
    first, second = sink.shown
    assert (first.export_seq, first.last_acknowledged_source) == (0, None)
    assert first.last_attempted_source == JournalCursor("journal.1")
    assert (second.export_seq, second.last_acknowledged_source) == (1, JournalCursor("journal.1"))
    assert second.last_attempted_source == JournalCursor("journal.2")


def test_exception_of_a_sink_counts_as_unavailable_and_its_text_is_not_recorded() -> None:
    """A broken sink never harms the run, and never leaks what it was given."""
    sink = TestSink()
    sink.next_answers = [RuntimeError("could not send 'what was said'")]
    fanout = fanout_of(sink)
    fanout.try_record(samples.terminal())
    (record,) = fanout.drain_sink("s.1").records
    assert failure(record).failure_kind is FailureKind.SINK_UNAVAILABLE
    assert "RuntimeError" in failure(record).redacted_summary
    assert "what was said" not in str(record)
    assert fanout.drain_sink("s.1").exported == 1


def test_interrupt_during_an_export_passes_and_leaves_the_projection_in_front() -> None:
    """What stops the process is not a sink's failure."""
    sink = TestSink()
    sink.next_answers = [KeyboardInterrupt()]
    fanout = fanout_of(sink)
    fanout.try_record(samples.terminal())
    with pytest.raises(KeyboardInterrupt):
        fanout.drain_sink("s.1")
    assert fanout.sink_state("s.1") is SinkState.HEALTHY
    assert fanout.drain_sink("s.1").exported == 1


def test_projection_under_export_is_not_sacrificed_for_one_recorded_meanwhile() -> None:
    """B2: a sink that records while it exports cannot push out what it holds."""
    sink = TestSink()
    fanout = fanout_of(sink)
    fanout.try_record(samples.progress("1"))
    sink.fanout, sink.meanwhile = fanout, [samples.terminal("2"), samples.terminal("3")]
    assert fanout.drain_sink("s.1").exported == 2
    assert [p.event_id for p in sink.exported] == ["event.1", "event.2"]


def test_sink_that_drains_itself_is_told_off_and_loses_nothing() -> None:
    """Its order would be turned upside down otherwise."""
    sink = TestSink()
    fanout = fanout_of(sink)
    fanout.try_record(samples.terminal())

    class Recursive(TestSink):
        def export(self, projection: Projection, cursor: ExportCursor) -> Acknowledgement | SinkError:
            fanout.drain_sink("s.1")
            return super().export(projection, cursor)

    fanout.register_sink(Recursive())
    fanout.try_record(samples.terminal())
    report = fanout.drain_sink("s.1")
    assert report.exported == 0
    assert "ContractBroken" in failure(report.records[0]).redacted_summary
    assert fanout.sink_queue_len("s.1") == 1


def test_sink_never_gets_raw_content_it_was_not_granted() -> None:
    """B7: sink and projection must both grant it, or it is taken away before the projection enters."""
    granted = TestSink(spec=SinkSpec.test("granted", 8).with_content_capture(ContentCaptureMode.RAW_CONTENT))
    plain = TestSink("plain", 8)
    fanout = TelemetryFanout.safe_defaults()
    fanout.register_sink(granted)
    fanout.register_sink(plain)
    raw = replace(samples.progress(), raw_content="said", content_capture=ContentCaptureMode.RAW_CONTENT)
    ungranted = replace(raw, content_capture=ContentCaptureMode.METADATA_ONLY)
    for projection in (raw, ungranted):
        fanout.try_record(projection)
    seen = {
        sink_id: [(p.raw_content, p.content_capture) for p in fanout.queued_for_sink(sink_id)]
        for sink_id in ("granted", "plain")
    }
    assert seen == {
        "granted": [("said", ContentCaptureMode.RAW_CONTENT), (None, ContentCaptureMode.METADATA_ONLY)],
        "plain": [(None, ContentCaptureMode.REDACTED_SUMMARY), (None, ContentCaptureMode.METADATA_ONLY)],
    }


def test_empty_sink_id_is_refused_and_unknown_ids_are_answered() -> None:
    """B7."""
    fanout = TelemetryFanout()
    with pytest.raises(MissingField) as missing:
        fanout.register_sink(TestSink(""))
    assert missing.value.field == "telemetry.sink_id"
    assert fanout.sink_queue_len("nobody") is None
    assert fanout.queued_for_sink("nobody") == ()
    assert fanout.sink_state("nobody") is None
    with pytest.raises(ConfigurationNeeded) as needed:
        fanout.drain_sink("nobody")
    assert needed.value.setting == "sink"


def test_registering_an_id_again_replaces_queue_counts_and_numbers() -> None:
    """B7."""
    fanout = fanout_of(TestSink(capacity=1))
    fanout.try_record(samples.terminal("1"))
    fanout.try_record(samples.terminal("2"))
    fanout.register_sink(TestSink(capacity=1))
    assert fanout.sink_queue_len("s.1") == 0
    (record,) = fanout.try_record(samples.progress()).records
    assert record.record_id == "telemetry.s.1.sink_failed.1"
    assert failure(record).dropped_count == 1


def test_sinks_are_visited_in_the_order_of_their_ids() -> None:
    """B7: the order of registration does not show."""
    fanout = fanout_of(*(TestSink(sink_id, 1) for sink_id in ("b", "c", "a", "B")))
    report = fanout.try_record(samples.progress())
    assert [failure(record).sink_id for record in report.records] == ["B", "a", "b", "c"]


def test_replay_from_log_is_refused_in_process() -> None:
    """There is no log in an agent process to read again."""
    with pytest.raises(ConfigurationNeeded) as needed:
        TelemetryFanout(replace(FanoutConfig.safe_defaults(), overflow=OverflowPolicy.REPLAY_FROM_LOG))
    assert needed.value.setting == "overflow"


def test_recording_without_sinks_is_an_empty_report() -> None:
    """An agent process need not configure telemetry to run."""
    assert TelemetryFanout().try_record(samples.progress()) == FanoutReport()


def test_telemetry_decides_nothing() -> None:
    """Four times no, and the fan-out's methods return reports and never a decision."""
    assert {getattr(AUTHORITY, name) for name in AUTHORITY.__dataclass_fields__} == {False}
    assert len(AUTHORITY.__dataclass_fields__) == 4


def test_event_values_may_carry_correlation_and_tags_that_projections_do_not() -> None:
    """A projection is an allow-list: what the rules do not name stays behind."""
    event: AgentEvent = replace(samples.event(), tags=("t",), correlation=(CorrelationEntry("thread", "7"),))
    (projection,) = projections_from_event(event)
    assert "thread" not in str(to_jsonable(projection))
