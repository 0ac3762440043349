"""Precision and recall on samples whose generator knows nothing of the detectors."""

import ast
from pathlib import Path

import pytest

from tailrace.domain.payload import RedactedJson
from tailrace.redaction import usual_redactor
from tests.corpus import formats
from tests.corpus.samples import Sample, samples
from tests.corpus.scoring import Score, scores

CORPUS = Path(formats.__file__).parent
SAMPLES = 22_000
# What a sample should be is a matter of exact characters; these few are numbers that happen to be something else too.
MOST_INEXACT = 20


@pytest.fixture(scope="module")
def judged() -> tuple[dict[str, Score], list[tuple[Sample, str]]]:
    given = list(samples(seed=20_260_101, count=SAMPLES))
    came_out: list[str] = []
    redactor = usual_redactor()
    for first in range(0, SAMPLES, 200):
        outcome = redactor.redact_json([sample.text for sample in given[first : first + 200]])
        assert isinstance(outcome, RedactedJson)
        assert isinstance(outcome.value, list)
        came_out += [str(text) for text in outcome.value]
    return scores(given, came_out)


@pytest.mark.parametrize("category", sorted(formats.POSITIVES))
def test_recall_and_precision_of_every_category(
    judged: tuple[dict[str, Score], list[tuple[Sample, str]]], category: str
) -> None:
    """Of what is there at least 99 in 100 is masked, and of what is masked at least 98 in 100 was there."""
    score = judged[0][category]

    assert score.wanted >= 500
    assert score.recall >= 0.99
    assert score.precision >= 0.98


def test_nothing_but_the_values_is_masked(judged: tuple[dict[str, Score], list[tuple[Sample, str]]]) -> None:
    """Each mask stands exactly where the value stood, brackets and full stops around it untouched."""
    assert len(judged[1]) <= MOST_INEXACT, judged[1][:3]


def test_the_samples_are_the_same_for_the_same_seed() -> None:
    """A score can be repeated."""
    assert list(samples(7, 50)) == list(samples(7, 50))
    assert list(samples(7, 50)) != list(samples(8, 50))


def test_the_generator_knows_nothing_of_the_detectors() -> None:
    """Otherwise it would agree with their mistakes."""
    for source in CORPUS.glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.startswith("tailrace")], source
