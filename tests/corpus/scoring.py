"""Precision and recall of a redaction over samples, by category."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tests.corpus.samples import Sample

_MASK = re.compile(r"\[REDACTED:([a-z0-9_]+)\]")


@dataclass(frozen=True, slots=True)
class Score:
    """Of one category: values that were there, those found, and masks where nothing of it was."""

    wanted: int
    found: int
    wrong: int

    @property
    def recall(self) -> float:
        return self.found / self.wanted if self.wanted else 1.0

    @property
    def precision(self) -> float:
        masked = self.found + self.wrong
        return self.found / masked if masked else 1.0


def scores(samples: Iterable[Sample], redacted: Iterable[str]) -> tuple[dict[str, Score], list[tuple[Sample, str]]]:
    """Scores by category, and the samples that did not come out exactly as they should, with what came out.

    A value counts as found only if no trace of it is left and the mask names its category; a mask of a category that
    the sample does not hold is wrong.
    """
    wanted: Counter[str] = Counter()
    found: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    missed = []
    for sample, text in zip(samples, redacted, strict=True):
        masks = Counter(_MASK.findall(text))
        for category, value in sample.wanted:
            wanted[category] += 1
            if masks[category] and value not in text:
                found[category] += 1
                masks[category] -= 1
        wrong += masks
        expected = sample.text
        for category, value in sample.wanted:
            expected = expected.replace(value, f"[REDACTED:{category}]")
        if text != expected:
            missed.append((sample, text))
    categories = sorted(set(wanted) | set(wrong))
    return {name: Score(wanted[name], found[name], wrong[name]) for name in categories}, missed
