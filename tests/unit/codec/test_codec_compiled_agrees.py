"""For every input, compiled and reference projector give the same records or the same refusal.

More of the same on demand: `python -m tests.unit.codec.compiled_cases --help`.
"""

import pytest

from tailrace.domain.projected import UndecodableReason
from tests.unit.codec.compiled_cases import OUTCOME_RECORDS, run
from tests.unit.codec.evolution import CHANGES
from tests.unit.codec.spelling import MUTATIONS, SPELLINGS

CASES = 26_000

RULED_OUT = {
    UndecodableReason.NULL_VALUE,  # no mutation of bytes makes no bytes
    UndecodableReason.OVERSIZE,
    UndecodableReason.UNSAFE_SCHEMA,
}

NEVER_READ = {"a required field dropped"}
"""Changes after which no event can be taken, each alone."""


@pytest.mark.slow
# With 2 no event of "an incompatible type" can be taken, by chance.
@pytest.mark.parametrize("seed", [0, 1, 3, 4])
def test_random_events_of_random_schemas_and_their_mutations(seed: int) -> None:
    """A hundred thousand cases in all: no difference, no long way for what libraries write, all sorts met."""
    tally = run(CASES, seed)

    assert tally.differences == []
    assert tally.cases >= CASES
    assert (tally.disagreements, tally.detours, tally.by_reference) == (0, 0, 0)
    assert set(tally.spellings) == set(SPELLINGS)
    assert set(tally.mutations) == set(MUTATIONS)
    assert min(tally.mutations.values()) > CASES / len(MUTATIONS) / 2
    assert tally.schemas >= 3 * len(CHANGES)
    assert set(CHANGES) - set(tally.changes) <= NEVER_READ, "a sort of change only makes schemas that nobody can read"
    reasons = {*UndecodableReason} - RULED_OUT
    assert set(tally.outcomes) >= {OUTCOME_RECORDS, *reasons} - {UndecodableReason.UNFRAMED}
    assert tally.outcomes[OUTCOME_RECORDS] > CASES / 20
    assert tally.mutants_taken > CASES / 50
    assert len(tally.kinds) == 5
    assert tally.rewritten > 50  # of most events with odd spellings an id is replaced, which counts on its own
    assert tally.kept > CASES / 200
    assert tally.native > CASES / 300
