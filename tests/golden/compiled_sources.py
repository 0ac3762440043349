"""The generated function of every released event schema, as `tailrace schemas explain` prints it.

    python -m tests.golden.compiled_sources      writes the files anew

A difference is a change of what runs for every event: it is reviewed as one, and measured (`bench/projection.py`).
"""

from pathlib import Path

from typer.testing import CliRunner

from tailrace.cli import app
from tailrace.codec.schemas import shipped_schema_directory

SOURCES = Path(__file__).parent / "compiled"


def schemas() -> list[Path]:
    return sorted((shipped_schema_directory() / "baseline").glob("agent_event.*.avsc"))


def explained(schema: Path) -> str:
    result = CliRunner().invoke(app, ["schemas", "explain", str(schema)])
    assert result.exit_code == 0, result.output
    return result.output


def recorded(schema: Path) -> Path:
    return SOURCES / f"{schema.stem}.txt"


if __name__ == "__main__":
    for file in schemas():
        recorded(file).write_text(explained(file), encoding="utf-8")
