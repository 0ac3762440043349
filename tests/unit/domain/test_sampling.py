"""Deterministic sampling: docs/PRIVACY.md, Sampling."""

import hashlib
import hmac
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.domain.errors import InvalidField
from tailrace.domain.sampling import LEAST_KEY_BYTES, SampleKey, SampleOutcome, SampleRule

KEY = SampleKey("sample.2025", b"k" * 32)
OTHER_KEY = SampleKey("sample.2026", b"l" * 32)
RUNS = [f"run.{number}" for number in range(20_000)]
rates = st.floats(0, 1)
run_ids = st.text(min_size=1, max_size=30)


def sample(rule: SampleRule) -> set[str]:
    return {run for run in RUNS if rule.outcome(run).included}


def test_outcome_is_the_hash_anybody_with_the_key_would_find() -> None:
    """Written out once more, so that another process, in whatever language, can be held to it."""
    for run_id in ("run.1", "läuft", "x" * 500):
        mac = hmac.new(b"k" * 32, b"tailrace.sample.v1\x00" + run_id.encode(), hashlib.sha256).digest()
        share = int.from_bytes(mac[:8], "big") / 2**64
        for rate in (share * 0.999, share * 1.001):
            assert SampleRule(rate, KEY).outcome(run_id).included == (share < rate)


@given(run_id=run_ids, low=rates, high=rates)
def test_lower_rate_samples_among_a_higher_ones_runs(run_id: str, low: float, high: float) -> None:
    """Sinks with the same key see nested samples, so that their runs can be compared."""
    low, high = sorted((low, high))
    if SampleRule(low, KEY).outcome(run_id).included:
        assert SampleRule(high, KEY).outcome(run_id).included


@given(run_id=run_ids)
def test_rates_zero_and_one_are_none_and_all(run_id: str) -> None:
    """With a key or without."""
    for key in (None, KEY):
        assert not SampleRule(0.0, key).outcome(run_id).included
        assert SampleRule(1.0, key).outcome(run_id).included


def test_nothing_is_sampled_unless_somebody_said_so() -> None:
    """The rule that nobody configured."""
    assert SampleRule().outcome("run.1") == SampleOutcome(rate=0.0, key_name=None, included=False)


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5, 0.9])
def test_share_of_runs_is_the_rate(rate: float) -> None:
    """20 000 runs, within five standard deviations."""
    share = len(sample(SampleRule(rate, KEY))) / len(RUNS)
    assert abs(share - rate) < 5 * math.sqrt(rate * (1 - rate) / len(RUNS))


def test_another_key_gives_an_unrelated_sample() -> None:
    """Half of the one half is in the other half: what a key samples says nothing about another's."""
    both = len(sample(SampleRule(0.5, KEY)) & sample(SampleRule(0.5, OTHER_KEY))) / len(RUNS)
    assert abs(both - 0.25) < 5 * math.sqrt(0.25 * 0.75 / len(RUNS))


def test_outcome_names_the_key_and_nothing_shows_it() -> None:
    """The record tells rate, name and outcome; the secret is in no text."""
    rule = SampleRule(0.5, KEY)
    outcome = rule.outcome("run.1")
    assert (outcome.rate, outcome.key_name) == (0.5, "sample.2025")
    for text in (repr(rule), repr(KEY), str(KEY), repr(outcome)):
        assert "kkk" not in text


@pytest.mark.parametrize("rate", [-0.01, 1.01, math.nan, math.inf])
def test_rate_out_of_range_is_refused(rate: float) -> None:
    with pytest.raises(InvalidField) as refused:
        SampleRule(rate, KEY)
    assert refused.value.field == "rate"


def test_rate_in_between_needs_a_key_and_a_key_needs_length() -> None:
    """A guessable key would let a caller choose run ids that are sampled, or that are not."""
    with pytest.raises(InvalidField) as keyless:
        SampleRule(0.5)
    assert keyless.value.field == "key"
    SampleKey("short.enough", b"s" * LEAST_KEY_BYTES)
    with pytest.raises(InvalidField) as short:
        SampleKey("too.short", b"s" * (LEAST_KEY_BYTES - 1))
    assert short.value.field == "secret"
    with pytest.raises(InvalidField) as nameless:
        SampleKey("", b"s" * LEAST_KEY_BYTES)
    assert nameless.value.field == "name"
