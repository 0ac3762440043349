"""Topics of a configuration against those of its clusters, as text."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tailrace.adapters.topic_rules import Existing, ToCreate, TopicStep, plan_topics, wanted_topics
from tailrace.adapters.topics import Unreachable, find_topics
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


def print_steps(steps: tuple[TopicStep, ...], out: Console) -> None:
    table = Table("topic", "for", "key", "partitions", "state", title="Topics", title_justify="left")
    for step in steps:
        wanted = step.wanted
        partitions = step.partitions if isinstance(step, ToCreate) else step.found.partitions
        table.add_row(wanted.name, wanted.role.value, wanted.key, str(partitions), _state(step))
    out.print(table)
    for step in steps:
        if isinstance(step, Existing):
            for remark in step.remarks:
                sort = "wrong" if remark.breaks_promise else "note"
                out.print(f"{sort}: {step.wanted.name} {remark.wrong}. {remark.remedy}.", markup=False)


def _state(step: TopicStep) -> str:
    match step:
        case ToCreate(replicas=replicas, config=config):
            settings = ", ".join(f"{name}={value}" for name, value in config.items())
            copies = "the cluster's default of" if replicas == -1 else str(replicas)
            return f"missing: would be made with {copies} replicas, {settings}"
        case Existing(fits=True):
            return "ok"
        case Existing():
            return "wrong, see below"
