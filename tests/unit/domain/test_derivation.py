"""Projections and records derived in process: ids, cursors, fixed fields, and what each projection carries."""

from dataclasses import replace

import pytest

from tailrace import (
    ContentCaptureMode,
    CostRecord,
    CostStatus,
    DestinationKind,
    DestinationRef,
    EventCursor,
    EventFacts,
    EventFamily,
    JournalCursor,
    MissingField,
    ProjectionKind,
    RetentionClass,
    RunScope,
    SinkHealthState,
    SinkKind,
    TelemetryFailure,
    TerminalStatus,
    UsageRecord,
    UsageScope,
    UsageUnits,
    cost_record,
    projections_from_event,
    sink_health_projection,
    terminal_from_event,
    usage_from_event,
    usage_record,
)
from tests.unit.domain import samples

EVERYTHING = EventFacts(
    provider_id="provider.p", model_id="model.m", tool_name="search", usage=samples.USAGE, cost=samples.COST
)


def test_projection_takes_its_lineage_from_the_event_and_its_fixed_fields_from_the_rules() -> None:
    """Destination, retention and capture mode are fixed; everything else is the event's."""
    event = samples.event(EventFamily.RUN, "run_completed", journal="j.1")
    projection = terminal_from_event(event)
    for name in (
        *("run_id", "agent_id", "turn_id", "attempt_id", "event_id", "journal_cursor", "trace_id", "span_id"),
        *("runtime_package_fingerprint", "source", "subject_ref", "policy_refs", "privacy", "redaction_policy_id"),
    ):
        assert getattr(projection, name) == getattr(event, name), name
    assert projection.schema_version == 1
    assert projection.projection_id == "telemetry.terminal.event.1"
    assert projection.destination == DestinationRef(DestinationKind.TELEMETRY, "destination.telemetry.terminal")
    assert projection.retention is RetentionClass.RUN_SCOPED
    assert projection.content_capture is ContentCaptureMode.OFF
    assert projection.raw_content is None


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("run_completed", TerminalStatus.COMPLETED),
        ("run_cancelled", TerminalStatus.CANCELLED),
        ("run_failed", TerminalStatus.FAILED),
        ("run_timed_out", TerminalStatus.TIMED_OUT),
        ("tool_completed", TerminalStatus.UNKNOWN),
    ],
)
def test_terminal_from_event_takes_its_status_from_the_kind_alone(kind: str, status: TerminalStatus) -> None:
    """The caller says that the run has ended; the kind says how, or `unknown`."""
    assert terminal_from_event(samples.event(EventFamily.TOOL, kind)).terminal_status is status


def test_terminal_has_event_cursor_always_and_source_cursor_only_from_the_journal() -> None:
    """What is not in the journal has no durable source to repair from."""
    without = terminal_from_event(samples.event()).source_record
    assert without.event_cursor == EventCursor(scope=RunScope(samples.RUN_ID), event_seq=1, event_id="event.1")
    assert without.source_cursor is None
    with_journal = terminal_from_event(samples.event(journal="j.1")).source_record
    assert with_journal.source_cursor == JournalCursor("j.1")
    assert with_journal.event_cursor is not None
    assert with_journal.event_cursor.journal_cursor == JournalCursor("j.1")


def test_usage_source_cursor_is_journal_then_given_event_cursor_then_none() -> None:
    """The fallback of docs/DESIGN.md, Which projections an event yields."""
    here = EventCursor(scope=RunScope("r"), event_seq=3, event_id="e")
    plain, journaled = samples.event(), samples.event(journal="j.1")
    assert usage_from_event(plain, samples.USAGE).source_record.source_cursor is None
    assert usage_from_event(plain, samples.USAGE, event_cursor=here).source_record.source_cursor == here
    assert usage_from_event(journaled, samples.USAGE, event_cursor=here).source_record.source_cursor == JournalCursor(
        "j.1"
    )


def test_usage_carries_its_amount_status_completed_and_the_given_provider() -> None:
    """Usage is accounted for without any content."""
    projection = samples.usage()
    assert projection.usage == samples.USAGE
    assert projection.usage_scope is UsageScope.LEAF
    assert projection.terminal_status is TerminalStatus.COMPLETED
    assert (projection.provider_id, projection.model_id) == ("provider.sample", "model.sample")
    assert (projection.cost, projection.tool_name, projection.raw_content) == (None, None, None)


@pytest.mark.parametrize("family", [EventFamily.TOOL, EventFamily.TURN, EventFamily.UNKNOWN])
def test_usage_from_another_family_is_a_telemetry_failure_that_needs_repair(family: EventFamily) -> None:
    """Whoever counts usage there counts it twice."""
    with pytest.raises(TelemetryFailure) as failure:
        usage_from_event(samples.event(family), samples.USAGE)
    assert failure.value.retry == "repair_needed"
    assert failure.value.field == "usage"


def test_event_with_everything_yields_each_amount_exactly_once() -> None:
    """A sum over an event's projections does not count twice."""
    event = samples.event(EventFamily.RUN, "run_failed", terminal=True, facts=EVERYTHING)
    ended, used, cost = projections_from_event(event)
    assert [p.projection_id for p in (ended, used, cost)] == [
        "telemetry.terminal.event.1",
        "telemetry.usage.event.1",
        "telemetry.cost.event.1",
    ]
    assert [p.usage for p in (ended, used, cost)] == [None, samples.USAGE, None]
    assert [p.cost for p in (ended, used, cost)] == [None, None, samples.COST]
    assert [p.provider_id for p in (ended, used, cost)] == [None, "provider.p", "provider.p"]
    assert [p.tool_name for p in (ended, used, cost)] == [None, None, "search"]
    assert used.usage_scope is UsageScope.AGGREGATE
    assert used.source_record.source_cursor == event.cursor(RunScope(samples.RUN_ID))
    assert cost.source_record.source_cursor is None


def test_plain_event_yields_progress_with_its_descriptive_facts() -> None:
    """Progress names provider, model and tool, and no amounts."""
    event = samples.event(EventFamily.TOOL, "tool_started", facts=EventFacts(tool_name="search", model_id="model.m"))
    (projection,) = projections_from_event(event)
    assert projection.projection_kind is ProjectionKind.PROGRESS
    assert projection.projection_id == "telemetry.progress.event.1"
    assert (projection.tool_name, projection.model_id) == ("search", "model.m")
    assert projection.terminal_status is None


def test_usage_of_unknown_family_is_left_out_and_misplaced_usage_raises() -> None:
    """In process the two cases of wrongly placed usage end as in a worker."""
    event = samples.event(EventFamily.UNKNOWN, "new_kind", facts=EventFacts(usage=samples.USAGE))
    (projection,) = projections_from_event(event)
    assert (projection.projection_kind, projection.usage) == (ProjectionKind.PROGRESS, None)
    with pytest.raises(TelemetryFailure):
        projections_from_event(replace(event, event_family=EventFamily.HOOK))


def test_usage_record_speaks_of_the_projection_under_its_own_id() -> None:
    """The persisted record's id is derived from the projection's."""
    record = usage_record(samples.usage("model.1"), "accounts.usage.1")
    assert record.record_id == "telemetry.record.telemetry.usage.event.model.1"
    assert record.payload == UsageRecord(
        usage_record_id="accounts.usage.1",
        units=samples.USAGE,
        provider_id="provider.sample",
        model_id="model.sample",
    )
    assert usage_record(samples.progress(), "u").payload == UsageRecord(usage_record_id="u", units=UsageUnits())


def test_cost_record_names_what_it_corrects_once() -> None:
    """The corrected record's id stands in `correction_ref`, from the caller or from the event."""
    correction = replace(samples.COST, estimate_status=CostStatus.CORRECTED, corrects="accounts.cost.1")
    projection = samples.cost(units=correction)
    assert projection.projection_kind is ProjectionKind.COST_CORRECTION
    record = cost_record(projection, "accounts.cost.2")
    assert record.record_id == "telemetry.record.telemetry.cost.event.cost"
    assert record.payload == CostRecord(
        cost_record_id="accounts.cost.2", units=replace(correction, corrects=None), correction_ref="accounts.cost.1"
    )
    given = cost_record(projection, "accounts.cost.3", "accounts.cost.2").payload
    assert isinstance(given, CostRecord)
    assert given.correction_ref == "accounts.cost.2"


def test_cost_record_of_a_projection_without_cost_is_refused() -> None:
    """There is no amount to make up."""
    with pytest.raises(MissingField) as refusal:
        cost_record(samples.usage(), "accounts.cost.1")
    assert refusal.value.field == "telemetry.cost"


def test_sink_health_projection_has_no_raw_content_and_is_terminal_preserved() -> None:
    """Health reports travel with a run's lineage and never with its content."""
    basis = replace(samples.progress(), raw_content="text", content_capture=ContentCaptureMode.RAW_CONTENT)
    projection = sink_health_projection(basis, "s.1", SinkKind.OPEN_TELEMETRY, SinkHealthState.FAILED)
    assert projection.projection_id == "telemetry.sink_health.s.1"
    assert projection.projection_kind is ProjectionKind.SINK_HEALTH
    assert projection.terminal_preserved
    assert projection.raw_content is None
    assert projection.content_capture is ContentCaptureMode.REDACTED_SUMMARY
    assert projection.run_id == basis.run_id
    assert projection.sink_health is not None
    assert projection.sink_health.state is SinkHealthState.FAILED
    assert (projection.sink_health.terminal_preserved, projection.sink_health.dropped_count) == (True, 0)


def test_raw_content_does_not_show_in_a_representation() -> None:
    """A projection that ends in a log line shows nothing of what was said."""
    assert "what was said" not in repr(replace(samples.progress(), raw_content="what was said"))
