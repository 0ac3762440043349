"""`tailrace privacy`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from textwrap import fill
from typing import Annotated, Any, Final, assert_never

import typer
from rich.console import Console

from tailrace.bootstrap.capturing import make_redactor
from tailrace.cli import exits
from tailrace.cli.columns import columns
from tailrace.cli.configuration import ConfigOption, configured
from tailrace.cli.event_preview import CarriesContent, EventRead, NoContent, SinkPreview, preview, read_event
from tailrace.cli.gate_table import GateRow, at_most, gate_rows
from tailrace.cli.teaching import Teaching
from tailrace.codec.schemas import SchemaStore
from tailrace.domain.capture_record import ContentOnRecord, InlinePart, OmittedPart, PartOnRecord, ReferencedPart
from tailrace.domain.errors import ConfigurationNeeded
from tailrace.domain.identifiers import REF_KINDS, UNKEYED, RefTreatment
from tailrace.domain.payload import PayloadRedactor, RedactedPart
from tailrace.domain.projected import Undecodable
from tailrace.runtime.clock import SystemClock
from tailrace.settings import Settings
from tailrace.settings.capture_checks import content_barriers

_TREATED: Final = {
    RefTreatment.HASH: "always replaced",
    RefTreatment.ALIAS: "by your own name, or replaced where there is none",
    RefTreatment.KEEP: "kept",
    RefTreatment.KEEP_BUT_PATHS: "kept, but replaced with a slash, which may make a path of them",
}

_WIDTH: Final = 118

app = typer.Typer(no_args_is_help=True, help="What may happen to what agents and their users said.")


@app.callback()
def privacy() -> None:
    """The group's own options: none."""


EXPLAIN = Teaching(
    promise="Show for every sink what stands between it and the content of events.",
    about="""
        First what becomes of ids, which go to every sink. Without --event: each gate, whether it is open, closed or up
        to the event, and why. With --event: the decision for this event as of now, and what would be on the record,
        redacted, by the functions that a worker uses. What is not redacted is never printed.

        The event is the value of one message as it is on the topic, such as kcat writes it. The file then holds what
        users said: keep it as you would keep the topic.

        It asks no cluster, keeps nothing in the store, and changes nothing.
    """,
    examples=(
        ("tailrace privacy explain -c tailrace.yaml", ""),
        ("kcat -b kafka:9092 -C -t agent.events -p 0 -o 42 -c 1 -f %s > event.avro", "message 42 of partition 0"),
        ("tailrace privacy explain -c tailrace.yaml --event event.avro", "what would become of it"),
        ("tailrace privacy explain -c tailrace.yaml --json", "the same for programs"),
    ),
    ok="shown",
    failed="no worker could read the event; the output says why",
)


@app.command(help=EXPLAIN.text())
def explain(
    config: ConfigOption,
    *,
    event: Annotated[
        Path | None,
        typer.Option("--event", metavar="FILE", exists=True, dir_okay=False, readable=True, help="A message's value."),
    ] = None,
    sink: Annotated[
        list[str] | None, typer.Option("--sink", metavar="ID", help="Only this sink; may be given several times.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object per sink, one per line.")] = False,
) -> None:
    settings = configured(config)
    out = Console(soft_wrap=True, highlight=False, markup=False)
    if unknown := set(sink or []) - set(settings.sinks):
        there = ", ".join(sorted(settings.sinks))
        raise typer.BadParameter(
            f"no sink has the id {', '.join(sorted(unknown))}; there are {there}", param_hint="--sink"
        )
    redactor = _redactor(settings)
    found = None if event is None else read_event(event.read_bytes(), settings, SchemaStore())
    if found is not None and not as_json:
        out.print(_about(found))
    if not as_json:
        out.print("\n".join(_identifier_lines(settings)))
    now_us = SystemClock().wall_us()
    for sink_id in sorted(sink or settings.sinks):
        rows = gate_rows(settings, sink_id)
        seen = preview(found, settings, sink_id, redactor, now_us) if isinstance(found, CarriesContent) else None
        if as_json:
            typer.echo(json.dumps(_as_json(settings, sink_id, rows, found, seen)))
        else:
            out.print("\n".join(("", *_as_text(settings, sink_id, rows, seen))))
    raise typer.Exit(exits.FAILED if isinstance(found, Undecodable) else exits.OK)


def _redactor(settings: Settings) -> PayloadRedactor:
    try:
        return make_redactor(settings.capture.redaction)
    except ConfigurationNeeded as refusal:
        err = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
        err.print(f"error: {refusal}. Mend or remove the pattern.")
        raise typer.Exit(exits.USAGE) from None


def _about(found: EventRead) -> str:
    """One line on the event, of closed lists and numbers only: ids may be anybody's."""
    match found:
        case Undecodable(reason=reason, field=field):
            return f"event: no worker can read it: {reason}{f' at {field}' if field else ''}. It goes nowhere but gaps."
        case NoContent():
            return "event: carries no content, so there is nothing to decide."
        case CarriesContent(event=event, record=record):
            source = event.source
            origins = ", ".join(sorted(source.origins)) or "the agent itself"
            return (
                f"event: of {_time(source.event_time_us)}, family {source.family}, privacy "
                f"{source.privacy or 'unknown'}, from {origins}; it permits {source.permitted_mode}. Content would go "
                f"with its {record.kind} record."
            )
        case _:
            assert_never(found)


# ----------------------------------------------------------------------------------------------------- as text


def _as_text(settings: Settings, sink_id: str, rows: Sequence[GateRow], seen: SinkPreview | None) -> Iterator[str]:
    content = settings.sinks[sink_id].content
    policy = f", policy {content.policy}" if content.policy else ""
    yield f"sink {sink_id}: content.mode {content.mode}{policy}"
    yield columns(("  gate", "state", "why"), [(f"  {row.name}", row.state, row.why) for row in rows])
    barriers = content_barriers(settings, sink_id)
    most = f"no content leaves: {'; '.join(barriers)}" if barriers else f"at most {at_most(settings, sink_id)}"
    yield f"  in all: {most}"
    if seen is not None:
        yield from _decision_lines(seen)
        yield from _content_lines(seen)


def _identifier_lines(settings: Settings) -> Iterator[str]:
    """What becomes of ids, which go to every sink whatever it may get."""
    keyed = settings.identifiers.key is not None
    way = "a keyed hash" if keyed else f"the word {UNKEYED}, since identifiers.key is not set"
    yield f"identifiers, at every sink: one that is no plain id is replaced by {way}"
    for treatment, words in _TREATED.items():
        kinds = [kind for kind, its_treatment in _treatments(settings).items() if its_treatment is treatment]
        if kinds:
            shown = "all others" if treatment is RefTreatment.KEEP_BUT_PATHS else ", ".join(kinds)
            yield fill(f"references {words}: {shown}", _WIDTH, initial_indent="  ", subsequent_indent="    ")


def _treatments(settings: Settings) -> Mapping[str, RefTreatment]:
    policy = settings.identifiers.policy
    return {kind: policy.treatment(kind) for kind in sorted(REF_KINDS)}


def _decision_lines(seen: SinkPreview) -> Iterator[str]:
    verdict, decision = seen.verdict, seen.verdict.decision
    granted = (
        f"{decision.effective_mode}, as the sink was to get"
        if decision.allowed
        else (f"{decision.effective_mode} in place of {decision.requested_mode}")
    )
    yield f"  this event: {granted}: {decision.reason}"
    sample = verdict.sample
    key = f", key {sample.key_name}" if sample.key_name else ""
    closes = "there is none" if verdict.closes_at_us is None else f"closes at {_time(verdict.closes_at_us)}"
    facts = [
        ("closed gates", ", ".join(decision.closed_gates) or "none"),
        ("narrowed by", ", ".join(verdict.narrowed_by) or "nothing"),
        ("sample", f"{'in' if sample.included else 'out'}, rate {sample.rate:g}{key}"),
        ("window", closes),
        ("policies", ", ".join(ref.id for ref in decision.policy_refs)),
        ("redaction", decision.redaction_policy_id or "has no name"),
    ]
    yield from (f"    {name:<14}{value}" for name, value in facts)


def _content_lines(seen: SinkPreview) -> Iterator[str]:
    if not seen.selected:
        yield "    the sink's selection leaves out the record that content goes with: it gets none of this event"
    elif seen.content is None:
        yield "    no content on the record"
    else:
        if seen.parts_left_out:
            yield f"    message parts of kinds that never pass: {seen.parts_left_out}"
        for name, part in _parts(seen.content).items():
            yield f"    {name}: {_part_text(part, seen.kept)}"


def _part_text(part: PartOnRecord | None, kept: Mapping[str, RedactedPart]) -> str:
    match part:
        case None:
            return "the event has none"
        case InlinePart(part=redacted):
            return f"inline, {redacted.size_bytes} bytes: {_printable(redacted.encoded.decode())}"
        case ReferencedPart(reference=reference, size_bytes=size_bytes):
            shown = f": {_printable(kept[reference].encoded.decode())}" if reference in kept else ""
            return f"would be kept as {reference}, {size_bytes} bytes{shown}"
        case OmittedPart(reasons=reasons):
            return f"left out: {', '.join(reasons)}"
        case _:
            assert_never(part)


def _printable(text: str) -> str:
    """Without what a terminal would obey: controls, and marks that turn text around."""
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)


def _time(time_us: int) -> str:
    try:
        return datetime.fromtimestamp(time_us / 1_000_000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return f"{time_us} microseconds since 1970"


# ----------------------------------------------------------------------------------------------------- as JSON


def _as_json(
    settings: Settings, sink_id: str, rows: Sequence[GateRow], found: EventRead | None, seen: SinkPreview | None
) -> Mapping[str, Any]:
    content = settings.sinks[sink_id].content
    told: dict[str, Any] = {
        "sink": sink_id,
        "mode": content.mode,
        "policy": content.policy,
        "gates": [asdict(row) for row in rows],
        "barriers": content_barriers(settings, sink_id),
        "identifiers": {"keyed": settings.identifiers.key is not None, "references": _treatments(settings)},
    }
    match found:
        case Undecodable(reason=reason, field=field):
            told["event"] = {"unreadable": reason, "field": field}
        case NoContent():
            told["event"] = {"content": False}
        case CarriesContent(event=event, record=record):
            source = event.source
            told["event"] = {
                "content": True,
                "record": record.kind,
                "family": source.family,
                "privacy": source.privacy,
                "permits": source.permitted_mode,
                "origins": sorted(source.origins),
                "time_us": source.event_time_us,
            }
    if seen is not None:
        told["verdict"] = _verdict_json(seen)
        told["content"] = _content_json(seen)
    return told


def _verdict_json(seen: SinkPreview) -> Mapping[str, Any]:
    verdict, decision = seen.verdict, seen.verdict.decision
    return {
        "allowed": decision.allowed,
        "requested": decision.requested_mode,
        "effective": decision.effective_mode,
        "reason": decision.reason,
        "closed_gates": decision.closed_gates,
        "narrowed_by": verdict.narrowed_by,
        "policy_refs": [ref.id for ref in decision.policy_refs],
        "redaction_policy_id": decision.redaction_policy_id,
        "sample": asdict(verdict.sample),
        "closes_at_us": verdict.closes_at_us,
        "selected": seen.selected,
    }


def _content_json(seen: SinkPreview) -> Mapping[str, Any] | None:
    if seen.content is None or not seen.selected:
        return None
    parts = {name: _part_json(part, seen.kept) for name, part in _parts(seen.content).items()}
    return {**parts, "parts_left_out": seen.parts_left_out}


def _part_json(part: PartOnRecord | None, kept: Mapping[str, RedactedPart]) -> Mapping[str, Any] | None:
    match part:
        case None:
            return None
        case InlinePart(part=redacted):
            return {"disposition": "inline", "size_bytes": redacted.size_bytes, "value": redacted.value()}
        case ReferencedPart(reference=reference, size_bytes=size_bytes):
            value = {"value": kept[reference].value()} if reference in kept else {}
            return {"disposition": "reference", "size_bytes": size_bytes, "reference": reference, **value}
        case OmittedPart(reasons=reasons):
            return {"disposition": "omitted", "reasons": reasons}
        case _:
            assert_never(part)


def _parts(content: ContentOnRecord) -> Mapping[str, PartOnRecord | None]:
    return {
        "system_instructions": content.system_instructions,
        "input_messages": content.input_messages,
        "output_messages": content.output_messages,
    }
