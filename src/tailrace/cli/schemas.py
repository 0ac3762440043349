"""`tailrace schemas`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tailrace.cli import exits
from tailrace.cli.teaching import Teaching
from tailrace.codec.compiled_source import OutOfReach, Source, explain
from tailrace.codec.reference_resolution import Mismatch
from tailrace.codec.schemas import RefusedSchema, SchemaStore, WriterSchema, admit
from tailrace.domain.errors import SchemaInvalid

app = typer.Typer(no_args_is_help=True, help="The schemas that events are written with.")

EXPLAIN = Teaching(
    promise="Print what a worker makes of a writer schema: the Python it generates to project its events.",
    about="""
        FILE is an Avro schema in JSON, as a producer writes events with. The function that is printed is the one that
        runs, field by field in the producer's order: what is 'in no record' is walked over and goes nowhere, and a
        slice of the value is copied as it came.

        It asks no cluster and reads no configuration.
    """,
    examples=(
        ("tailrace schemas explain schemas/agent_event.avsc", "the event schema of this version"),
        ("tailrace schemas explain producer.avsc", "can a worker read what this producer writes?"),
    ),
    ok="events written with it are read; the output says how",
    failed="they cannot be read; the output says which field stands in the way",
)


@app.callback()
def schemas() -> None:
    """The group's own options: none."""


@app.command("explain", help=EXPLAIN.text())
def explain_schema(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True, help="A writer schema, *.avsc."),
    ],
) -> None:
    out = Console(soft_wrap=True, highlight=False, markup=False)
    match _admitted(file):
        case RefusedSchema(_, unsafe):
            where = f" at {unsafe.path}" if unsafe.path else ""
            out.print(f"never read with: {unsafe.rule}{where}. Its values could cost far more than their bytes.")
            raise typer.Exit(exits.FAILED)
        case WriterSchema() as schema:
            raise typer.Exit(exits.OK if _explain(schema, out) else exits.FAILED)


def _admitted(file: Path) -> WriterSchema | RefusedSchema:
    err = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    try:
        return admit(file.read_text(encoding="utf-8"), str(file))
    except UnicodeDecodeError:
        err.print(f"{file} is not text in UTF-8. Give the schema itself, not a value written with it.")
    except SchemaInvalid as error:
        err.print(f"{error}. Give one Avro schema in JSON, with every name defined in the same file.")
    raise typer.Exit(exits.USAGE)


def _explain(schema: WriterSchema, out: Console) -> bool:
    match explain(schema, SchemaStore()):
        case Mismatch(path, rule):
            out.print(f"events written with it cannot be read: {rule} at {path or 'its root'}.")
            return False
        case OutOfReach(steps):
            out.print(f"# fingerprint {schema.fingerprint.hex()}, as it stands behind C3 01")
            out.print(f"# read by the reference projector, which is slower: {steps} steps are too many to compile.")
        case Source(text):
            out.print(f"# fingerprint {schema.fingerprint.hex()}, as it stands behind C3 01")
            out.print(text, end="")
    return True
