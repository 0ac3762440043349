"""Topics of a configuration against those of its clusters, as text."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console

from tailrace.adapters.topic_rules import Existing, Remark, ToCreate, TopicStep, plan_topics, wanted_topics
from tailrace.adapters.topics import Unreachable, find_topics
from tailrace.cli.columns import columns
from tailrace.settings import Settings

TIMEOUT_S = 10.0

Timeout = Annotated[
    float, typer.Option("--timeout", metavar="SECONDS", min=0.1, max=600.0, help="How long to wait for a cluster.")
]


def report_topics(settings: Settings, timeout_s: float, out: Console) -> bool:
    """Print the plan; True if every topic is there and as it has to be."""
    steps = topic_steps(settings, timeout_s, out)
    if steps is None:
        return False
    print_steps(steps, out)
    return all(isinstance(step, Existing) and step.fits for step in steps)


def topic_steps(
    settings: Settings, timeout_s: float, out: Console, *, partitions: int | None = None, replicas: int = -1
) -> tuple[TopicStep, ...] | None:
    """The plan, or None after a line about the cluster that did not answer."""
    found = find_topics(wanted_topics(settings), timeout_s)
    if isinstance(found, Unreachable):
        out.print(
            f"topics         unknown: {found.servers} did not answer within {timeout_s:g} s ({found.code}). "
            "Check kafka.bootstrap_servers and kafka.security.",
            markup=False,
        )
        return None
    return plan_topics(settings, found, partitions=partitions, replicas=replicas)


def print_steps(steps: Sequence[TopicStep], out: Console) -> None:
    """The topics in aligned columns, and below them what is to be made, what is wrong, and what is worth knowing."""
    out.print(columns(("topic", "for", "key", "partitions", "state"), list(map(_row, steps)), right=[3]), markup=False)
    for step in steps:
        if isinstance(step, ToCreate):
            out.print(f"to make: {step.wanted.name} with {_how(step)}", markup=False)
    topics_by_remark: dict[Remark, list[str]] = {}
    for step in steps:
        if isinstance(step, Existing):
            for remark in step.remarks:
                topics_by_remark.setdefault(remark, []).append(step.wanted.name)
    for remark, topics in sorted(topics_by_remark.items(), key=lambda one: not one[0].breaks_promise):
        sort = "wrong" if remark.breaks_promise else "note"
        out.print(f"{sort}: {', '.join(topics)}: {remark.wrong}. {remark.remedy}.", markup=False)


def _row(step: TopicStep) -> tuple[str, ...]:
    wanted = step.wanted
    match step:
        case ToCreate(partitions=partitions):
            state = "missing"
        case Existing(found=found, fits=fits):
            partitions, state = found.partitions, "ok" if fits else "wrong"
    return wanted.name, wanted.role.value, wanted.key, str(partitions), state


def _how(step: ToCreate) -> str:
    replicas = "the cluster's default of replicas" if step.replicas == -1 else f"{step.replicas} replicas"
    config = "".join(f", {name}={value}" for name, value in step.config.items())
    return f"{step.partitions} partitions, {replicas}{config}"
