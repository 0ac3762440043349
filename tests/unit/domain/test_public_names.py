"""What `import tailrace` offers, and what it costs."""

import subprocess
import sys

import tailrace


def test_every_public_name_exists_and_none_is_left_out() -> None:
    """`__all__` is the whole in-process API, sorted by ruff."""
    offered = {name for name in vars(tailrace) if not name.startswith("_")}
    submodules = {name for name in offered if type(getattr(tailrace, name)).__name__ == "module"}
    assert set(tailrace.__all__) == offered - submodules


def test_importing_tailrace_loads_the_standard_library_only() -> None:
    """An agent process that embeds the fan-out pays for no Kafka client, no Avro and no settings."""
    code = "import sys, tailrace; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(result.stdout.split())
    assert "tailrace" in loaded
    assert (
        loaded & {"confluent_kafka", "fastavro", "pydantic", "tenacity", "structlog", "typer", "rich", "yaml"} == set()
    )
