"""Events and projections to test with; every value is fixed."""

from tailrace import (
    AgentEvent,
    CostStatus,
    CostUnits,
    EntityKind,
    EntityRef,
    EventFacts,
    EventFamily,
    JournalCursor,
    PolicyKind,
    PolicyRef,
    PrivacyClass,
    Projection,
    SourceKind,
    SourceRef,
    UsageUnits,
    projections_from_event,
    terminal_from_event,
    usage_from_event,
)

RUN_ID = "run.sample"
USAGE = UsageUnits(input_tokens=12, output_tokens=5, total_tokens=17)
COST = CostUnits(
    amount_micros=1_250, currency="EUR", rate_table_version="rates.1", estimate_status=CostStatus.ESTIMATED
)


def event(
    family: EventFamily = EventFamily.MODEL,
    kind: str = "model_stream_delta",
    event_id: str = "event.1",
    *,
    terminal: bool = False,
    run_id: str = RUN_ID,
    journal: str | None = None,
    facts: EventFacts | None = None,
) -> AgentEvent:
    return AgentEvent(
        event_id=event_id,
        event_seq=1,
        event_family=family,
        event_kind=kind,
        terminal=terminal,
        timestamp_us=1_750_000_000_000_000,
        recorded_at_us=1_750_000_000_000_250,
        run_id=run_id,
        agent_id="agent.sample",
        trace_id="trace.1",
        span_id="span.1",
        subject_ref=EntityRef(EntityKind.RUN, run_id),
        source=SourceRef(SourceKind.SDK, "source.loop"),
        policy_refs=(PolicyRef(PolicyKind.HOST, "policy.derived"),),
        journal_cursor=None if journal is None else JournalCursor(journal),
        privacy=PrivacyClass.CONTENT_REFS_ONLY,
        redaction_policy_id="redaction.default",
        runtime_package_fingerprint="sha256:package",
        facts=EventFacts() if facts is None else facts,
    )


def progress(name: str = "1", run_id: str = RUN_ID) -> Projection:
    (projection,) = projections_from_event(event(event_id=f"event.{name}", run_id=run_id))
    return projection


def terminal(name: str = "end", run_id: str = RUN_ID) -> Projection:
    return terminal_from_event(
        event(EventFamily.RUN, "run_completed", f"event.{name}", run_id=run_id, journal=f"journal.{name}")
    )


def usage(name: str = "use", run_id: str = RUN_ID) -> Projection:
    source = event(EventFamily.MODEL, "model_message_completed", f"event.{name}", run_id=run_id)
    return usage_from_event(source, USAGE, provider_id="provider.sample", model_id="model.sample")


def cost(name: str = "cost", units: CostUnits = COST) -> Projection:
    (projection,) = projections_from_event(
        event(EventFamily.TOOL, "tool_completed", f"event.{name}", facts=EventFacts(tool_name="search", cost=units))
    )
    return projection
