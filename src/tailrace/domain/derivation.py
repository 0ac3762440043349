"""Telemetry values derived from agent events inside a process, by the rules of `projection_rules`."""

from dataclasses import replace

from tailrace.domain.cursors import EventCursor, RunScope, SourceCursor
from tailrace.domain.errors import MissingField, TelemetryFailure
from tailrace.domain.events import AgentEvent, EventFacts, UsageUnits
from tailrace.domain.kinds import EventFamily, ProjectionKind, SinkKind, TerminalStatus
from tailrace.domain.privacy import ContentCaptureMode, RetentionClass
from tailrace.domain.projection_rules import (
    TERMINAL_STATUS_BY_EVENT_KIND,
    USAGE_SCOPE_BY_FAMILY,
    MisplacedUsage,
    PlannedProjection,
    plan,
    planned,
)
from tailrace.domain.projections import Projection, SinkHealth, SinkHealthState, SourceRecord
from tailrace.domain.records import CostRecord, TelemetryRecord, UsageRecord, record_about
from tailrace.domain.refs import DestinationKind, DestinationRef


def projections_from_event(event: AgentEvent) -> tuple[Projection, ...]:
    """Everything an event yields: one to three projections, in the order terminal, usage, cost, or one of progress.

    Raises TelemetryFailure if the event carries usage that its family may not have; then it yields nothing, and the
    producer needs repair. Usage of an unknown family is left out. Source: docs/DESIGN.md, Which projections an event
    yields.
    """
    cost = event.facts.cost
    decided = plan(
        event.event_family,
        event.event_kind,
        terminal=event.terminal,
        has_usage=event.facts.usage is not None,
        cost_status=None if cost is None else cost.estimate_status,
    )
    if isinstance(decided, MisplacedUsage):
        raise _misplaced(decided.family)
    return tuple(_projection(event, rule) for rule in decided.projections)


def terminal_from_event(event: AgentEvent) -> Projection:
    """The run-terminal projection of an event that the caller knows to end its run.

    The status follows the event's kind and is `unknown` for a kind that ends no run. The source cursor is the journal
    cursor or none: a terminal fact without a durable source has nothing to be repaired from.
    """
    status = TERMINAL_STATUS_BY_EVENT_KIND.get(event.event_kind, TerminalStatus.UNKNOWN)
    return _projection(event, planned(ProjectionKind.RUN_TERMINAL, terminal_status=status))


def usage_from_event(
    event: AgentEvent,
    usage: UsageUnits,
    *,
    event_cursor: EventCursor | None = None,
    provider_id: str | None = None,
    model_id: str | None = None,
) -> Projection:
    """The usage projection of `event` with amounts that the caller measured, whatever the event's own facts say.

    The source cursor is the event's journal cursor, else `event_cursor`, else none. Raises TelemetryFailure, retry
    classification repair_needed, if the event's family is not model, run or subagent.
    """
    scope = USAGE_SCOPE_BY_FAMILY.get(event.event_family)
    if scope is None:
        raise _misplaced(event.event_family)
    rule = planned(ProjectionKind.USAGE, terminal_status=TerminalStatus.COMPLETED, usage_scope=scope)
    facts = EventFacts(provider_id=provider_id, model_id=model_id, usage=usage)
    return _carrying(event, rule, facts, event_cursor, event.journal_cursor or event_cursor)


def usage_record(projection: Projection, usage_record_id: str) -> TelemetryRecord:
    """The persisted record of a projection's usage, id `telemetry.record.<projection id>`; no usage counts as empty."""
    payload = UsageRecord(
        usage_record_id=usage_record_id,
        units=projection.usage or UsageUnits(),
        provider_id=projection.provider_id,
        model_id=projection.model_id,
    )
    return record_about(projection, _record_id(projection), payload)


def cost_record(projection: Projection, cost_record_id: str, correction_ref: str | None = None) -> TelemetryRecord:
    """The persisted record of a projection's cost, id `telemetry.record.<projection id>`.

    `correction_ref` is the id of the cost record this one replaces; left out, it is the one the event itself names.
    Raises MissingField if the projection has no cost.
    """
    if projection.cost is None:
        raise MissingField("telemetry.cost")
    payload = CostRecord(
        cost_record_id=cost_record_id,
        units=replace(projection.cost, corrects=None),  # said once, in correction_ref
        correction_ref=projection.cost.corrects if correction_ref is None else correction_ref,
    )
    return record_about(projection, _record_id(projection), payload)


def sink_health_projection(basis: Projection, sink_id: str, sink_kind: SinkKind, state: SinkHealthState) -> Projection:
    """A projection that reports a sink's health, with the lineage of `basis` and none of its raw content.

    Its id, `telemetry.sink_health.<sink id>`, is the same every time: never remove duplicates by it.
    """
    return replace(
        basis.without_raw_content(),
        projection_id=f"telemetry.sink_health.{sink_id}",
        projection_kind=ProjectionKind.SINK_HEALTH,
        sink_health=SinkHealth(
            sink_id=sink_id, sink_kind=sink_kind, state=state, terminal_preserved=True, dropped_count=0
        ),
    )


def _projection(event: AgentEvent, rule: PlannedProjection) -> Projection:
    here = event.cursor(RunScope(event.run_id))
    source_cursor: SourceCursor | None = event.journal_cursor
    facts = event.facts
    match rule.kind:
        case ProjectionKind.RUN_TERMINAL:
            facts = EventFacts()
        case ProjectionKind.USAGE:
            facts = replace(facts, tool_name=None)
            source_cursor = source_cursor or here
        case _:
            pass
    return _carrying(event, rule, facts, here, source_cursor)


def _carrying(
    event: AgentEvent,
    rule: PlannedProjection,
    facts: EventFacts,
    event_cursor: EventCursor | None,
    source_cursor: SourceCursor | None,
) -> Projection:
    return Projection(
        projection_id=rule.projection_id(event.event_id),
        projection_kind=rule.kind,
        source_record=SourceRecord(
            event_family=event.event_family,
            event_kind=event.event_kind,
            event_cursor=event_cursor,
            source_cursor=source_cursor,
        ),
        run_id=event.run_id,
        agent_id=event.agent_id,
        turn_id=event.turn_id,
        attempt_id=event.attempt_id,
        event_id=event.event_id,
        journal_cursor=event.journal_cursor,
        trace_id=event.trace_id,
        span_id=event.span_id,
        runtime_package_fingerprint=event.runtime_package_fingerprint,
        source=event.source,
        destination=DestinationRef(DestinationKind.TELEMETRY, rule.destination_id),
        subject_ref=event.subject_ref,
        policy_refs=event.policy_refs,
        privacy=event.privacy,
        retention=RetentionClass.RUN_SCOPED,
        content_capture=ContentCaptureMode.OFF,
        redaction_policy_id=event.redaction_policy_id,
        provider_id=facts.provider_id,
        model_id=facts.model_id,
        tool_name=facts.tool_name,
        usage=facts.usage if rule.carries_usage else None,
        usage_scope=rule.usage_scope,
        cost=facts.cost if rule.carries_cost else None,
        terminal_status=rule.terminal_status,
        redacted_summary=rule.summary,
    )


def _record_id(projection: Projection) -> str:
    return f"telemetry.record.{projection.projection_id}"


def _misplaced(family: EventFamily) -> TelemetryFailure:
    return TelemetryFailure("usage", f"an event of family {family} may not carry it; model, run and subagent may")
