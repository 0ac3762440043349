"""`tailrace topics`."""

from typing import Annotated

import typer
from rich.console import Console

from tailrace.adapters.topic_rules import Existing, ToCreate
from tailrace.adapters.topics import NO_CONTROLLER, Created, CreateOutcome, NotCreated, create_topics
from tailrace.cli import exits
from tailrace.cli.configuration import ConfigOption, configured
from tailrace.cli.teaching import Teaching
from tailrace.cli.topic_report import TIMEOUT_S, Timeout, print_steps, topic_steps

app = typer.Typer(no_args_is_help=True, help="The topics a configuration needs: compare them, make them.")

Partitions = Annotated[
    int | None,
    typer.Option(
        "--partitions",
        metavar="N",
        min=1,
        max=10_000,
        help="Partitions of topics to be made; by default as many as the events topic has, or 6.",
    ),
]
Replicas = Annotated[
    int,
    typer.Option("--replicas", metavar="N", min=-1, max=100, help="Their replicas; -1 is the cluster's default."),
]


PLAN = Teaching(
    promise="Show which topics are missing, and what is wrong with those that are there.",
    about="""
        Wrong is what costs records: a compacted topic, or a ledger that forgets sooner than the topics it speaks of.
        It changes nothing.
    """,
    examples=(("tailrace topics plan -c tailrace.yaml", ""),),
    ok="every topic is there and right",
    failed="a topic is missing or wrong, or the cluster did not answer",
)

APPLY = Teaching(
    promise="Make the topics that are missing.",
    about="""
        Never deletes, shrinks or reconfigures a topic; 'topics plan' has the commands for those that are wrong.
    """,
    examples=(
        ("tailrace topics apply -c tailrace.yaml", ""),
        ("tailrace topics apply -c tailrace.yaml --partitions 24 --replicas 3", ""),
    ),
    ok="every topic is there and right now",
    failed="a topic could not be made, or one that was there is wrong",
)


@app.command(help=PLAN.text())
def plan(
    config: ConfigOption, partitions: Partitions = None, replicas: Replicas = -1, timeout_s: Timeout = TIMEOUT_S
) -> None:
    settings = configured(config)
    out = Console(soft_wrap=True, highlight=False)
    steps = topic_steps(settings, timeout_s, out, partitions=partitions, replicas=replicas)
    if steps is None:
        raise typer.Exit(exits.FAILED)
    print_steps(steps, out)
    right = all(isinstance(step, Existing) and step.fits for step in steps)
    raise typer.Exit(exits.OK if right else exits.FAILED)


@app.command(help=APPLY.text())
def apply(
    config: ConfigOption, partitions: Partitions = None, replicas: Replicas = -1, timeout_s: Timeout = TIMEOUT_S
) -> None:
    settings = configured(config)
    out = Console(soft_wrap=True, highlight=False)
    steps = topic_steps(settings, timeout_s, out, partitions=partitions, replicas=replicas)
    if steps is None:
        raise typer.Exit(exits.FAILED)
    missing = [step for step in steps if isinstance(step, ToCreate)]
    outcomes = list(create_topics(missing, timeout_s))
    for outcome in outcomes:
        out.print(_said(outcome), markup=False)
    if not missing:
        out.print("every topic is there")
    existing = tuple(step for step in steps if isinstance(step, Existing) and not step.fits)
    if existing:
        print_steps(existing, out)
    right = not existing and all(isinstance(outcome, Created) for outcome in outcomes)
    raise typer.Exit(exits.OK if right else exits.FAILED)


def _said(outcome: CreateOutcome) -> str:
    match outcome:
        case Created(topic=topic):
            return f"made {topic}"
        case NotCreated(topic=topic, code=code) if code == NO_CONTROLLER:
            return (
                f"not made: {topic}. This cluster cannot make topics: it is librdkafka's embedded one, which gets its "
                "topics when it is started, or it has no controller just now."
            )
        case NotCreated(topic=topic, code=code):
            return f"not made: {topic}, refused with {code}. Ask whoever runs the cluster, or make it by hand."
