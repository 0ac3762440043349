"""The JSON forms: exactly the agent SDK's, read back to the same value, refused with the field's name otherwise."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace import (
    AUTHORITY,
    Acknowledgement,
    AgentScope,
    AllEvents,
    ArchiveCursor,
    AuthorityBoundary,
    CorrelationEntry,
    CostCursor,
    CostStatus,
    DrainReport,
    EventCursor,
    ExportCursor,
    ExportCursorRecord,
    FailureKind,
    FanoutConfig,
    FanoutReport,
    FilterScope,
    InvalidJson,
    JournalCursor,
    OverflowPolicy,
    Projection,
    RunScope,
    SinkError,
    SinkFailureRecord,
    SinkHealthState,
    SinkKind,
    SinkRecoveryRecord,
    SinkSpec,
    SourceKind,
    SourceRef,
    TelemetryRecord,
    UsageCursor,
    UsageScope,
    cost_record,
    from_json,
    from_jsonable,
    sink_health_projection,
    to_json,
    to_jsonable,
    usage_record,
)
from tailrace.domain.cursors import EventStreamScope, SourceCursor
from tailrace.domain.json_form import JsonValue
from tailrace.domain.records import record_about
from tests.unit.domain import samples

LINEAGE: dict[str, Any] = {
    "schema_version": 1,
    "run_id": "run.sample",
    "agent_id": "agent.sample",
    "runtime_package_fingerprint": "sha256:package",
    "privacy": "content_refs_only",
    "retention": "run_scoped",
    "content_capture": "off",
    "redaction_policy_id": "redaction.default",
    "policy_refs": [{"kind": "host", "id": "policy.derived"}],
}


def a_failure(**changes: Any) -> TelemetryRecord:
    failure = SinkFailureRecord(
        sink_id="s.1",
        sink_kind=SinkKind.TEST,
        failure_kind=FailureKind.SINK_UNAVAILABLE,
        terminal_preserved=True,
        dropped_count=0,
        last_acknowledged_cursor=ExportCursor(sink_id="s.1"),
        repair_cursor=JournalCursor("journal.end"),
        redacted_summary="gone for lunch",
    )
    return record_about(samples.terminal(), "telemetry.s.1.sink_failed.1", replace(failure, **changes))


def test_failure_record_has_the_form_of_the_agent_sdk_nulls_included() -> None:
    """Payloads are tagged, three fields of a failure are written even when null, other missing ones are left out."""
    assert to_jsonable(a_failure()) == {
        **LINEAGE,
        "record_id": "telemetry.s.1.sink_failed.1",
        "source_cursor": {"type": "journal", "cursor": "journal.end"},
        "payload": {
            "type": "sink_failed",
            "record": {
                "sink_id": "s.1",
                "sink_kind": "test",
                "failure_kind": "sink_unavailable",
                "terminal_preserved": True,
                "dropped_count": 0,
                "last_acknowledged_cursor": {"sink_id": "s.1", "export_seq": 0},
                "repair_cursor": {"type": "journal", "cursor": "journal.end"},
                "unsafe_pending_reason": None,
                "redacted_summary": "gone for lunch",
            },
        },
    }


def test_usage_record_has_the_form_of_the_agent_sdk() -> None:
    """Units that were not measured are left out."""
    assert to_jsonable(usage_record(samples.usage(), "accounts.1")) == {
        **LINEAGE,
        "record_id": "telemetry.record.telemetry.usage.event.use",
        "payload": {
            "type": "usage",
            "record": {
                "usage_record_id": "accounts.1",
                "units": {"input_tokens": 12, "output_tokens": 5, "total_tokens": 17},
                "provider_id": "provider.sample",
                "model_id": "model.sample",
            },
        },
    }


def test_projection_has_the_form_of_the_agent_sdk_and_the_scope_of_its_usage_besides() -> None:
    """`usage_scope` is ours; a reader of the SDK's form passes over it."""
    projection = samples.usage()
    written = to_jsonable(projection)
    assert isinstance(written, dict)
    assert written.pop("usage_scope") == "leaf"
    assert written == {
        **LINEAGE,
        "projection_id": "telemetry.usage.event.use",
        "projection_kind": "usage",
        "source_record": {"event_family": "model", "event_kind": "model_message_completed"},
        "event_id": "event.use",
        "trace_id": "trace.1",
        "span_id": "span.1",
        "source": {
            "kind": "sdk",
            "id": "source.loop",
            "trust": "host_provided",
            "privacy": "content_refs_only",
        },
        "destination": {
            "kind": "telemetry",
            "id": "destination.telemetry.usage",
            "privacy": "content_refs_only",
            "retention": "host_policy",
        },
        "subject_ref": {"kind": "run", "id": "run.sample", "privacy": "content_refs_only"},
        "provider_id": "provider.sample",
        "model_id": "model.sample",
        "usage": {"input_tokens": 12, "output_tokens": 5, "total_tokens": 17},
        "terminal_status": "completed",
        "redacted_summary": projection.redacted_summary,
    }
    assert from_jsonable(Projection, written) == replace(projection, usage_scope=None)
    assert projection.usage_scope is UsageScope.LEAF


@pytest.mark.parametrize(
    ("scope", "form"),
    [
        (AllEvents(), "all"),
        (RunScope("r"), {"run": "r"}),
        (AgentScope("a"), {"agent": "a"}),
        (FilterScope("f", "sha"), {"filter": {"filter_id": "f", "filter_fingerprint": "sha"}}),
    ],
)
def test_every_scope_of_an_event_stream_has_its_form(scope: EventStreamScope, form: JsonValue) -> None:
    """A scope is named by its key; only the one without fields is a string."""
    cursor = EventCursor(scope=scope, event_seq=4, event_id="e")
    assert to_jsonable(cursor) == {"scope": form, "event_seq": 4, "event_id": "e"}
    assert from_json(EventCursor, to_json(cursor)) == cursor


@pytest.mark.parametrize(
    ("cursor", "form"),
    [
        (JournalCursor("j"), {"type": "journal", "cursor": "j"}),
        (ArchiveCursor("t/0/7"), {"type": "archive", "cursor": "t/0/7"}),
        (UsageCursor("u"), {"type": "usage", "cursor": "u"}),
        (CostCursor("c"), {"type": "cost", "cursor": "c"}),
        (
            EventCursor(scope=AllEvents(), event_seq=1, event_id="e", journal_cursor=JournalCursor("j")),
            {
                "type": "event",
                "cursor": {"scope": "all", "event_seq": 1, "event_id": "e", "journal_cursor": "j"},
            },
        ),
    ],
)
def test_every_source_cursor_has_its_form(cursor: SourceCursor, form: JsonValue) -> None:
    """A source cursor says which kind of place it names."""
    export = ExportCursor(sink_id="s", export_seq=2, last_acknowledged_source=cursor)
    assert to_jsonable(export) == {"sink_id": "s", "export_seq": 2, "last_acknowledged_source": form}
    assert from_json(ExportCursor, to_json(export)) == export


def test_config_reports_and_boundary_have_their_forms() -> None:
    """Empty `records` are left out."""
    assert to_json(FanoutConfig.safe_defaults()) == (
        '{"queue_capacity":64,"terminal_reserve":4,"overflow":"drop_non_terminal_progress",'
        '"sink_isolation":"isolate_each_sink"}'
    )
    assert to_json(FanoutReport(enqueued=1)) == '{"enqueued":1,"dropped":0}'
    assert to_json(DrainReport(exported=3)) == '{"exported":3}'
    assert from_json(DrainReport, '{"exported":3}') == DrainReport(exported=3)
    assert to_jsonable(FanoutReport(dropped=1, records=(a_failure(),))) == {
        "enqueued": 0,
        "dropped": 1,
        "records": [to_jsonable(a_failure())],
    }
    assert to_jsonable(AUTHORITY) == {
        "can_decide_run_state": False,
        "can_decide_policy_outcome": False,
        "can_decide_output_delivery": False,
        "can_decide_side_effect_status": False,
    }


def test_sink_error_writes_its_null_and_sink_health_its_missing_failure() -> None:
    """Two more fields that the SDK writes as null."""
    assert to_jsonable(SinkError.unavailable("x")) == {
        "failure_kind": "sink_unavailable",
        "redacted_summary": "x",
        "unsafe_pending_reason": None,
    }
    health = sink_health_projection(samples.progress(), "s", SinkKind.TEST, SinkHealthState.HEALTHY).sink_health
    assert to_jsonable(health) == {
        "sink_id": "s",
        "sink_kind": "test",
        "state": "healthy",
        "failure_kind": None,
        "terminal_preserved": True,
        "dropped_count": 0,
    }


VALUES = [
    *(FanoutConfig.safe_defaults(), FanoutConfig.tiny_for_tests(), FanoutReport(records=(a_failure(), a_failure()))),
    *(samples.progress(), samples.terminal(), samples.usage(), samples.cost(), AUTHORITY),
    sink_health_projection(samples.terminal(), "s", SinkKind.CLI_SUMMARY, SinkHealthState.RECOVERED),
    replace(samples.progress(), raw_content='quotes " and \\ and \n and ✓', tool_name=""),
    replace(
        samples.progress(),
        source=SourceRef(SourceKind.USER, "u", correlation=(CorrelationEntry("k", "v"),), redacted_summary="who"),
    ),
    usage_record(samples.usage(), "u.1"),
    cost_record(samples.cost(units=replace(samples.COST, estimate_status=CostStatus.CORRECTED, corrects="c")), "c.2"),
    a_failure(last_acknowledged_cursor=None, repair_cursor=None, unsafe_pending_reason="cannot tell"),
    record_about(
        samples.usage(),
        "r",
        SinkRecoveryRecord(
            sink_id="s",
            sink_kind=SinkKind.TEST,
            export_cursor=ExportCursor(sink_id="s", export_seq=9, sink_dedupe_key="k"),
            redacted_summary="back",
        ),
    ),
    record_about(samples.usage(), "r", ExportCursorRecord(cursor=ExportCursor(sink_id="s"))),
    SinkSpec.safe_local_diagnostic("d"),
    Acknowledgement.duplicate(ExportCursor(sink_id="s", export_seq=1)),
    SinkError.schema_mismatch("other fields"),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_value_reads_back_as_itself(value: object) -> None:
    """Writing and reading lose nothing, and the text is JSON to any parser."""
    text = to_json(value)
    assert from_json(type(value), text) == value
    assert json.loads(text) == to_jsonable(value)
    assert from_jsonable(type(value), to_jsonable(value)) == value


@settings(max_examples=150, deadline=None)
@given(
    st.builds(
        FanoutConfig,
        queue_capacity=st.integers(1, 2**64 - 1),
        terminal_reserve=st.integers(1, 2**64 - 1),
        overflow=st.sampled_from(OverflowPolicy),
    )
)
def test_every_config_reads_back_as_itself(config: FanoutConfig) -> None:
    """At both ends of every range too."""
    assert from_json(FanoutConfig, to_json(config)) == config


def test_unknown_keys_are_passed_over_and_missing_optional_ones_are_none() -> None:
    """What a newer writer adds does no harm."""
    written = to_jsonable(samples.usage())
    assert isinstance(written, dict)
    assert from_jsonable(Projection, {**written, "added_later": {"x": 1}}) == samples.usage()
    assert from_jsonable(Projection, {**written, "turn_id": None}) == samples.usage()


def changed(path: str, value: JsonValue) -> Any:
    """A report with one part of it changed, or removed if the value is the word `gone`."""
    report: Any = to_jsonable(FanoutReport(enqueued=1, records=(a_failure(), a_failure())))
    part = report
    *way, last = path.split("/")
    for step in way:
        part = part[int(step) if step.isdigit() else step]
    part[last] = value
    if value == "gone":
        del part[last]
    return report


RECORD = "records/1/payload/record"


@pytest.mark.parametrize(
    ("path", "value", "field", "problem"),
    [
        ("enqueued", "gone", "enqueued", "missing"),
        ("enqueued", -1, "enqueued", "between 0"),
        ("enqueued", 2**64, "enqueued", "between 0"),
        ("enqueued", True, "enqueued", "whole number"),
        ("enqueued", 1.0, "enqueued", "whole number"),
        ("enqueued", None, "enqueued", "whole number"),
        ("records", {}, "records", "list"),
        ("records/0/run_id", "", "records[0].run_id", "empty"),
        ("records/0/run_id", "a\tb", "records[0].run_id", "control"),
        ("records/0/schema_version", 65536, "records[0].schema_version", "between"),
        ("records/1/privacy", "SECRET", "records[1].privacy", "one of public"),
        ("records/1/privacy", 7, "records[1].privacy", "one of public"),
        ("records/1/payload", [], "records[1].payload", "object"),
        ("records/1/payload/type", "gone", "records[1].payload.type", "missing"),
        ("records/1/payload/type", "sink_fell_over", "records[1].payload.type", "one of usage"),
        ("records/1/payload/type", "usage", "records[1].payload.record.usage_record_id", "missing"),
        (f"{RECORD}/sink_kind", "kafka", "records[1].payload.record.sink_kind", "one of open_telemetry"),
        (f"{RECORD}/terminal_preserved", 1, "records[1].payload.record.terminal_preserved", "true or false"),
        (f"{RECORD}/redacted_summary", "\ud800", "records[1].payload.record.redacted_summary", "Unicode"),
        (f"{RECORD}/repair_cursor/cursor", "", "records[1].payload.record.repair_cursor.cursor", "empty"),
        (f"{RECORD}/repair_cursor/type", "event", "records[1].payload.record.repair_cursor.cursor", "object"),
        (
            f"{RECORD}/last_acknowledged_cursor/export_seq",
            "1",
            "records[1].payload.record.last_acknowledged_cursor.export_seq",
            "whole number",
        ),
        (f"{RECORD}/last_acknowledged_cursor", "s", "records[1].payload.record.last_acknowledged_cursor", "object"),
    ],
)
def test_wrong_form_is_refused_with_the_path_of_the_field(
    path: str, value: JsonValue, field: str, problem: str
) -> None:
    """One error type, and it says where."""
    with pytest.raises(InvalidJson) as refusal:
        from_jsonable(FanoutReport, changed(path, value))
    assert refusal.value.field == field
    assert problem in refusal.value.problem


@pytest.mark.parametrize(
    ("scope", "field"),
    [
        ("some", "scope"),
        ({"all": None}, "scope.all"),
        ("run", "scope"),
        ({"run": "a", "agent": "b"}, "scope"),
        ({"run": 7}, "scope.run"),
        ({"run": ""}, "scope.run"),
        ({"filter": {"filter_id": "f"}}, "scope.filter.filter_fingerprint"),
        (None, "scope"),
    ],
)
def test_wrong_scope_is_refused_with_the_path_of_the_field(scope: JsonValue, field: str) -> None:
    """A union written by its case's name is refused as precisely as any other field."""
    with pytest.raises(InvalidJson) as refusal:
        from_jsonable(EventCursor, {"scope": scope, "event_seq": 1, "event_id": "e"})
    assert refusal.value.field == field


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1,]",
        "NaN",
        '{"exported":NaN}',
        "[" * 100_000,
        "9" * 5_000,
        '{"exported":1,"exported":1}',
        "null",
        "3",
    ],
    ids=["empty", "open", "comma", "nan", "nan inside", "deep", "huge number", "twice", "null", "number"],
)
def test_text_that_is_no_json_object_of_the_kind_is_refused(text: str) -> None:
    """The refusal never repeats the text."""
    with pytest.raises(InvalidJson) as refusal:
        from_json(DrainReport, text)
    assert refusal.value.field == ""
    assert refusal.value.__cause__ is None


def test_boundary_reads_back_from_json() -> None:
    """The authority boundary is a value like any other."""
    assert from_json(AuthorityBoundary, to_json(AUTHORITY)) == AUTHORITY
