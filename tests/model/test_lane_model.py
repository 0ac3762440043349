"""The lane's mode, position and cursor against an outsider's books, in simulated workers that live through everything.

What runs is the runtime itself, from the intake to the exporter; only the ports are fakes. Its threads are strands that
stop wherever a port is called or a doorbell rings, so offers, reads, acknowledgements, revocations and crashes meet in
any order, also in the middle of a batch. The books (`proof.py`) check I1, I2, I3 and I6 at every arrival and commit; at
the end every lane has to reach the end of the log: first all but one whose sink is down, then that one, too.
"""

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tests.model.model_run import OPERATION_BYTES, SETUP_BYTES, Run

SEQUENCES = 2_500
OPERATIONS = 64

AT_LEAST = {
    # mode and position
    "offer taken": 50_000,
    "offer held": 20_000,
    "offer noted": 20_000,
    "offer too large for an empty buffer": 1_000,
    "detached": 2_000,
    "rejoined": 1_000,
    "rejoined, offers in between": 1_000,
    "isolated from a sink that is down": 200,
    # overflow
    "shed taken": 2_000,
    "shed held": 500,
    "AdmittedBySacrifice": 200,
    "AdmittedBySacrifice of another partition": 100,
    "TerminalLost": 2_000,
    "ProgressDropped": 200,
    "Coalesced": 200,
    "SinkMarkedFailed": 200,
    # exports
    "export accepted in part": 500,
    "export interrupted": 100,
    "arrived without an answer": 500,
    "refused, culprit named": 2_000,
    "refused, culprit among several": 2_000,
    "late arrival after the partition was gone": 5,
    "late acknowledgement after the partition was gone": 20,
    "duplicate explained": 2_000,
    # the ledger
    "gap overflow": 1_000,
    "gap undecodable": 5_000,
    "gap export_rejected": 2_000,
    "gap retention_lost": 500,
    "gap void by a lane start": 1_000,
    "exported beats gap": 100,
    "export mark": 20_000,
    # ends and beginnings
    "crash": 500,
    "crash in the middle of a batch": 50,
    "crash with an unacknowledged gap": 50,
    "stopped": 500,
    "clean hand-over": 1_000,
    "partition gone without a clean end": 1_000,
    "partition lost": 500,
    "another worker carried on": 200,
    "cursors expired": 500,
    "intake out of range": 50,
    "lane out of range": 25,
}
"""How often each branch has to be met over all sequences, or the test says nothing about it."""


@pytest.mark.slow
def test_no_loss_no_step_back_order_and_no_duplicate_whatever_meets_whatever() -> None:
    """Invariants I1, I2, I3 and I6 of docs/DESIGN.md hold at every arrival and commit, and nobody waits for ever."""
    seen: Counter[str] = Counter()

    @settings(
        max_examples=SEQUENCES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.binary(
            min_size=SETUP_BYTES + OPERATION_BYTES * OPERATIONS, max_size=SETUP_BYTES + OPERATION_BYTES * OPERATIONS
        )
    )
    def sequences(script: bytes) -> None:
        run = Run(script, seen)
        try:
            run.go()
        except BaseException:
            note(run.story())
            raise
        finally:
            run.close()
        seen["sequences"] += 1

    sequences()

    print()
    for name, times in sorted(seen.items()):
        print(f"{times:>9} {name}")
    assert seen["sequences"] >= SEQUENCES
    assert {name: seen[name] for name, least in AT_LEAST.items() if seen[name] < least} == {}
