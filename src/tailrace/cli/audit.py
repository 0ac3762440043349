"""`tailrace audit`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tailrace.audit import (
    NO_VERDICT,
    AuditError,
    AuditOptions,
    AuditPlan,
    Cluster,
    DeadLetterPlan,
    FileDestination,
    KafkaDestination,
    NoDestination,
    Selection,
    SinkPlan,
    run_audit,
)
from tailrace.audit.command import omission_from, show
from tailrace.audit.identifiers import Identifiers
from tailrace.audit.plan import Destination
from tailrace.cli.configuration import ConfigOption, configured
from tailrace.cli.teaching import Teaching
from tailrace.domain.kinds import OverflowPolicy
from tailrace.domain.privacy import ContentCaptureMode
from tailrace.settings import DurableTraceSettings, LocalDiagnosticSettings, Settings, SinkSettings
from tailrace.settings.checks import DEAD_LETTER_LANE_ID
from tailrace.settings.digest import lane_digest, letters_digest

TEACHING = Teaching(
    promise="Prove that every event was exported or accounted for, per sink.",
    about="""
        Reads the events, every sink that can be read back, the dead letters, the ledger and the cursors, works out
        anew what each event yields, and adds up. It shares no code with the worker and changes nothing.

        With the worker stopped the proof covers everything, beside a running one all that lies below the cursors. What
        retention has taken, or a sink that cannot be read back, is counted as not provable. So is what a sink did not
        get under another selection than today's, unless --earlier-config names the file of that time. Exit code 2 also
        means that something could not be read: nothing was proved then.
    """,
    examples=(
        ("tailrace audit -c tailrace.yaml", ""),
        ("tailrace audit -c tailrace.yaml --require-complete", "after a stop: is everything through"),
        ("tailrace audit -c tailrace.yaml --earlier-config tailrace-june.yaml", "after a change of selection"),
        ("tailrace audit -c tailrace.yaml --canary 'my secret' --json", "and has it leaked"),
    ),
    ok="it adds up",
    failed="it does not: the output says what, where and how many",
)


def audit(
    config: ConfigOption,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="The report as one JSON object.")] = False,
    min_events: Annotated[
        int, typer.Option("--min-events", metavar="N", min=0, help="Fewer events than this do not add up.")
    ] = 0,
    require_complete: Annotated[
        bool, typer.Option("--require-complete", help="Every sink has to be at the end of the log.")
    ] = False,
    expect_no_duplicates: Annotated[
        bool, typer.Option("--expect-no-duplicates", help="No sink may have a record twice, whatever the reason.")
    ] = False,
    earlier_config: Annotated[
        list[Path] | None,
        typer.Option("--earlier-config", metavar="FILE", help="What workers ran with before: what sinks wanted then."),
    ] = None,
    canary: Annotated[
        list[str] | None,
        typer.Option("--canary", metavar="TEXT", help="Must not occur in any sink, health record or dead letter."),
    ] = None,
    without_record: Annotated[list[str] | None, typer.Option("--without-record", hidden=True)] = None,
) -> None:
    settings = configured(config)
    earlier = [configured(file) for file in earlier_config or ()]
    try:
        options = AuditOptions(
            min_events=min_events,
            require_complete=require_complete,
            expect_no_duplicates=expect_no_duplicates,
            canaries=tuple(text.encode() for text in canary or ()),
            omissions=tuple(omission_from(spec) for spec in without_record or ()),
        )
        report = run_audit(plan_of(settings, Path.cwd(), earlier), options)
    except AuditError as problem:
        Console(stderr=True, soft_wrap=True).print(f"no verdict: {problem}", markup=False)
        raise typer.Exit(NO_VERDICT) from None
    show(report, Console(), as_json=as_json)
    raise typer.Exit(report.exit_code)


def plan_of(settings: Settings, directory: Path, earlier: Sequence[Settings] = ()) -> AuditPlan:
    """What an audit has to know of a configuration; relative paths of files are taken from `directory`.

    `earlier` are configurations that workers of the group ran with before.
    """
    letters = settings.dead_letter
    return AuditPlan(
        cluster=Cluster(settings.kafka.properties()),
        events_topic=settings.events.topic,
        group=settings.events.group,
        health_topic=settings.health.topic,
        sinks=tuple(_sink_plan(settings, sink_id, directory, earlier) for sink_id in sorted(settings.sinks)),
        dead_letter=None
        if letters.topic is None
        else DeadLetterPlan(
            topic=letters.topic,
            lane_id=DEAD_LETTER_LANE_ID,
            raw=letters.raw,
            config_digest=letters_digest(settings),
        ),
        max_event_bytes=settings.events.max_event_bytes,
        identifiers=Identifiers(
            key=settings.identifiers.policy.key,
            refs=dict(settings.identifiers.refs),
            aliases=settings.identifiers.aliases,
        ),
    )


def _sink_plan(settings: Settings, sink_id: str, directory: Path, earlier: Sequence[Settings]) -> SinkPlan:
    sink = settings.sinks[sink_id]
    return SinkPlan(
        sink_id=sink_id,
        destination=_destination(settings, sink_id, sink, directory),
        selection=_selection(sink),
        config_digest=lane_digest(settings, sink_id),
        earlier_selections=_earlier_selections(settings, sink_id, earlier),
        start_at=sink.start_at,
        # A lane looks at its bound before it takes an offer or a batch, so it may be one of them over.
        max_resent_offsets=sink.max_ahead_records + sink.buffer.capacity_records + sink.batch.records,
        max_late_records=sink.batch.records,
        may_drop=sink.overflow_policy is not OverflowPolicy.REPLAY_FROM_LOG,
        content_mode=_widest_content_mode(sink_id, [settings, *earlier]).value,
    )


def _widest_content_mode(sink_id: str, told: Sequence[Settings]) -> ContentCaptureMode:
    """The most that any of these configurations lets the sink have: records of before stay what they were."""
    modes = [settings.sinks[sink_id].content.mode for settings in told if sink_id in settings.sinks]
    return max(modes, key=lambda mode: mode.width)


def _selection(sink: SinkSettings) -> Selection:
    selection = sink.selection
    return Selection(
        kinds=frozenset(kind.value for kind in selection.kinds),
        families=frozenset(family.value for family in selection.families),
        agents=frozenset(selection.agents),
    )


def _earlier_selections(settings: Settings, sink_id: str, earlier: Sequence[Settings]) -> Mapping[str, Selection]:
    """What the sink wanted before, by the digests that its lane starts had then.

    A configuration with another limit on events is left out: a selection says nothing about events above the limit.
    """
    found = {
        lane_digest(one, sink_id): _selection(one.sinks[sink_id])
        for one in earlier
        if sink_id in one.sinks and one.events.max_event_bytes == settings.events.max_event_bytes
    }
    return {digest: selection for digest, selection in found.items() if digest != lane_digest(settings, sink_id)}


def _destination(settings: Settings, sink_id: str, sink: SinkSettings, directory: Path) -> Destination:
    match sink:
        case DurableTraceSettings(topic=topic):
            return KafkaDestination(topic, Cluster(settings.cluster_of(sink_id).properties()))
        case LocalDiagnosticSettings(path=path, keep_files=keep_files):
            return FileDestination(directory / path, keep_files)
        case _:
            return NoDestination()
