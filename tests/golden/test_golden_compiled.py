"""The code that projects events of a released schema is what it was."""

from pathlib import Path

import pytest

from tests.golden.compiled_sources import SOURCES, explained, recorded, schemas


@pytest.mark.parametrize("schema", schemas(), ids=lambda file: file.stem)
def test_a_released_schema_gives_the_recorded_function(schema: Path) -> None:
    """If this fails on purpose: python -m tests.golden.compiled_sources, and look at the difference."""
    assert explained(schema) == recorded(schema).read_text(encoding="utf-8")


def test_every_release_has_its_file() -> None:
    """And none is left over."""
    assert schemas()
    assert {file.name for file in SOURCES.iterdir()} == {recorded(schema).name for schema in schemas()}
