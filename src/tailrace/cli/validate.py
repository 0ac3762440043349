"""`tailrace validate`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tailrace.adapters.client_check import refused_properties
from tailrace.bootstrap.capturing import capturing_refusal, make_redactor
from tailrace.cli import exits
from tailrace.cli.columns import columns
from tailrace.cli.configuration import ConfigOption, configured
from tailrace.cli.teaching import Teaching
from tailrace.cli.topic_report import TIMEOUT_S, Timeout, report_topics
from tailrace.cli.workers import WorkersOption
from tailrace.codec.schemas import SchemaStore
from tailrace.domain.errors import ConfigurationNeeded, SchemaInvalid
from tailrace.domain.identifiers import UNKEYED
from tailrace.domain.privacy import ContentCaptureMode
from tailrace.settings import Settings
from tailrace.settings.budget import MemoryBudget, memory_budget
from tailrace.settings.capture import ReferenceStoreSettings
from tailrace.settings.sinks import MIB

TEACHING = Teaching(
    promise="Check a configuration, and print how much memory it can take.",
    about="""
        Reads the file and the environment as strictly as a worker does, tries the redaction and the store of content,
        loads the schemas, tries the librdkafka properties, and adds up every buffer and queue as if all were full at
        once: for one worker, and with --workers for as many. Without --offline it also looks at the topics, like
        'topics plan'. It changes nothing.
    """,
    examples=(
        ("tailrace validate -c tailrace.yaml --offline", "in a build, before a deployment"),
        ("tailrace validate -c tailrace.yaml", "with the cluster's topics"),
        ("tailrace validate -c tailrace.yaml --offline --workers 4", "memory of them all"),
    ),
    ok="a worker can run with it",
    failed="redaction, store, schemas, client properties or topics are not right",
)


def validate(
    config: ConfigOption,
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no cluster: for a build or a laptop.")] = False,
    workers: WorkersOption = 1,
    timeout_s: Timeout = TIMEOUT_S,
) -> None:
    settings = configured(config)
    out = Console(soft_wrap=True, highlight=False)
    # What fails is printed where it belongs; every check is made, so that one run shows all there is to mend.
    checks = [
        _say_configuration(config, settings, out),
        _say_content(settings, out),
        _say_schemas(out),
        _say_clients(settings, out),
    ]
    _say_identifiers(settings, out)
    _say_budget(memory_budget(settings), workers, out)
    if not offline:
        checks.append(report_topics(settings, timeout_s, out))
    raise typer.Exit(exits.OK if all(checks) else exits.FAILED)


def _say_configuration(file: Path, settings: Settings, out: Console) -> bool:
    out.print(f"configuration  ok: {file}, sinks {', '.join(sorted(settings.sinks))}", markup=False)
    return True


def _say_content(settings: Settings, out: Console) -> bool:
    if (refusal := _content_refusal(settings)) is not None:
        out.print(f"content        wrong: {refusal}. Mend it, or remove it.", markup=False)
        return False
    modes = {sink_id: sink.content.mode for sink_id, sink in sorted(settings.sinks.items())}
    told = ", ".join(f"{sink_id} {mode}" for sink_id, mode in modes.items() if mode is not ContentCaptureMode.OFF)
    out.print(f"content        ok: {told or 'off for every sink'}", markup=False)
    return True


def _content_refusal(settings: Settings) -> ConfigurationNeeded | None:
    """Why no worker could redact or keep as it is told; None if nothing is in the way. Makes nothing on the disk."""
    capture = settings.capture
    try:
        make_redactor(capture.redaction)
    except ConfigurationNeeded as refusal:
        return refusal
    if isinstance(capture.store, ReferenceStoreSettings) and capture.store.url.startswith("file:"):
        # A store on disk makes its directory when it is made, so one in memory is tried in its place.
        in_memory = capture.store.model_copy(update={"url": "memory:///"})
        settings = settings.model_copy(update={"capture": capture.model_copy(update={"store": in_memory})})
    return capturing_refusal(settings)


def _say_schemas(out: Console) -> bool:
    try:
        store = SchemaStore()
    except SchemaInvalid as error:
        out.print(f"schemas        wrong: {error}. Reinstall tailrace.", markup=False)
        return False
    out.print(f"schemas        ok: {len(store.known)} known, events are read by fingerprint", markup=False)
    for refused in store.refused:
        out.print(f"               {refused.source} is never read with: {refused.unsafe.rule}", markup=False)
    return True


def _say_clients(settings: Settings, out: Console) -> bool:
    clusters = {"kafka": settings.kafka} | {
        f"sinks.{sink_id}.kafka": settings.cluster_of(sink_id)
        for sink_id in settings.sinks
        if settings.cluster_of(sink_id) is not settings.kafka
    }
    refusals = {
        key: refused for key, cluster in clusters.items() if (refused := refused_properties(cluster)) is not None
    }
    for key, refused in refusals.items():
        out.print(f"clients        wrong: {key}.librdkafka: {refused}. Mend or remove the property.", markup=False)
    if not refusals:
        out.print("clients        ok: librdkafka takes the properties", markup=False)
    return not refusals


def _say_identifiers(settings: Settings, out: Console) -> None:
    if settings.identifiers.key is not None:
        out.print("identifiers    ok: those outside the grammar are hashed with identifiers.key", markup=False)
        return
    out.print(
        f"identifiers    ok: those outside the grammar become '{UNKEYED}', all alike; identifiers.key tells them apart",
        markup=False,
    )


def _say_budget(budget: MemoryBudget, workers: int, out: Console) -> None:
    rows = [(f"  {line.part}", f"{line.size_bytes / MIB:.1f}", line.how) for line in budget.lines]
    limit = f"worker.memory_limit_bytes is {budget.limit_bytes / MIB:.1f} MiB"
    rows.append(("  in all", f"{budget.total_bytes / MIB:.1f}", limit))
    if workers > 1:
        all_bytes = budget.of_workers_bytes(workers)
        rows.append((f"  {workers} workers", f"{all_bytes / MIB:.1f}", f"{workers} x in all, and their supervisor"))
    out.print("memory         ok: with everything of a worker full at once")
    out.print(columns(("  part", "MiB", "how"), rows, right=[1]), markup=False)
