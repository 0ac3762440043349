"""The command `tailrace`: its groups of commands, and what it says of itself."""

from importlib.metadata import version
from typing import Annotated

import typer

from tailrace.cli import audit, cursors, demo, events, privacy, run, schemas, topics, validate

BEGIN_HERE = """Carry agent events from a Kafka topic to telemetry sinks, and account for every one of them.

Each sink has a lane of its own: a bounded buffer, a producer, and committed offsets in the consumer group \
<events.group>.<sink id>. What a sink did not get is in the ledger, the health topic.

[bold]Begin here[/bold]
  tailrace demo                                  half a minute, nothing to install
  tailrace validate -c tailrace.yaml --offline   is my configuration right, how much memory can it take
  tailrace topics plan -c tailrace.yaml          which topics are missing on my cluster
  tailrace run -c tailrace.yaml                  work, until SIGTERM
  tailrace cursors show -c tailrace.yaml         where does each sink stand
  tailrace audit -c tailrace.yaml                was every event exported or accounted for
"""

app = typer.Typer(
    name="tailrace",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    # A traceback with local variables would print what was being worked on.
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _version(asked: bool) -> None:  # noqa: FBT001 - the shape of an option's callback
    if asked:
        typer.echo(f"tailrace {version('tailrace')}")
        raise typer.Exit


@app.callback(
    help=BEGIN_HERE,
    epilog="Exit codes: 0 all right, 1 failed (the output says what), 2 wrong usage or configuration.",
)
def tailrace(
    *,
    _version_asked: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """The options before any command."""


def main() -> None:
    """Run the command line and exit the process."""
    app(prog_name="tailrace")


app.command("demo", help=demo.DEMO.text())(demo.demo)
app.command("run", help=run.TEACHING.text())(run.run)
app.command("audit", help=audit.TEACHING.text())(audit.audit)
app.command("validate", help=validate.TEACHING.text())(validate.validate)
app.add_typer(cursors.app, name="cursors")
app.add_typer(topics.app, name="topics")
app.add_typer(events.app, name="events")
app.add_typer(schemas.app, name="schemas")
app.add_typer(privacy.app, name="privacy")
