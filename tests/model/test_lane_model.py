"""The lane's mode, position and cursor against an outsider's books, in simulated workers that live through everything.

What runs is the runtime itself, from the intake to the exporter; only the ports are fakes. Its threads are strands that
stop wherever a port is called or a doorbell rings, so offers, reads, acknowledgements, revocations and crashes meet in
any order, also in the middle of a batch. The books (`proof.py`) check I1, I2, I3 and I6 at every arrival and commit; at
the end every lane has to reach the end of the log: first all but one whose sink is down, then that one, too.
"""

import random
from collections import Counter
from random import Random

import pytest

from tests.model.model_run import OPERATION_BYTES, SETUP_BYTES, Run

SEQUENCES = 2_500
OPERATIONS = 64

AT_LEAST = {
    # mode and position
    "offer taken": 50_000,
    "offer held": 5_000,
    "offer noted": 10_000,
    "offer too large for an empty buffer": 1_000,
    "detached": 2_000,
    "rejoined": 1_000,
    "rejoined, offers in between": 1_000,
    "isolated from a sink that is down": 200,
    "live again on a busy partition": 200,
    "detached in the middle of a batch": 100,
    # overflow
    "shed taken": 1_000,
    "shed held": 300,
    "AdmittedBySacrifice": 100,
    "AdmittedBySacrifice of another partition": 15,
    "TerminalLost": 2_000,
    "ProgressDropped": 100,
    "Coalesced": 100,
    "SinkMarkedFailed": 100,
    # exports
    "export accepted in part": 150,
    "export interrupted": 25,
    "arrived without an answer": 250,
    "refused, culprit named": 2_000,
    "refused, culprit among several": 2_000,
    "late arrival after the partition was gone": 2,
    "late acknowledgement after the partition was gone": 3,
    "duplicate explained": 1_000,
    # the ledger
    "gap overflow": 1_000,
    "gap undecodable": 5_000,
    "gap export_rejected": 2_000,
    "gap retention_lost": 500,
    "gap void by a lane start": 500,
    "exported beats gap": 8,
    "export mark": 20_000,
    # ends and beginnings
    "crash": 500,
    "crash in the middle of a batch": 50,
    "crash with an unacknowledged gap": 50,
    "stopped": 500,
    "clean hand-over": 500,
    "partition gone without a clean end": 1_000,
    "partition lost": 500,
    "another worker carried on": 200,
    "cursors expired": 500,
    "intake out of range": 200,
    "lane out of range": 70,
}
"""How often each branch has to be met over all sequences, or the test says nothing about it."""


def live(script: bytes, seen: Counter[str]) -> None:
    random.seed(script)  # the runtime's own jitter
    run = Run(script, seen)
    try:
        run.go()
    except BaseException as failure:
        failure.add_note(run.story())
        raise
    finally:
        run.close()


def fails_alike(script: bytes, failure: BaseException) -> bool:
    try:
        live(script, Counter())
    except Exception as other:
        return type(other) is type(failure)
    return False


def least_failing(script: bytes, failure: BaseException) -> bytes:
    """The script with every step that the failure does not need put to zero, which only looks: halves, quarters, ..."""
    steps = OPERATIONS
    while steps:
        for start in range(SETUP_BYTES, len(script), steps * OPERATION_BYTES):
            end = min(start + steps * OPERATION_BYTES, len(script))
            tried = script[:start] + bytes(end - start) + script[end:]
            if tried != script and fails_alike(tried, failure):
                script = tried
        steps //= 2
    return script


@pytest.mark.slow
def test_no_loss_no_step_back_order_and_no_duplicate_whatever_meets_whatever() -> None:
    """Invariants I1, I2, I3 and I6 of docs/DESIGN.md hold at every arrival and commit, and nobody waits for ever."""
    seen: Counter[str] = Counter()

    # Plain seeded bytes and not a property-testing library's: those weigh small and repeated values up, and change
    # with the library and with every constant in our own files, so that the counts below would hold one day in two.
    for seed in range(SEQUENCES):
        script = Random(seed).randbytes(SETUP_BYTES + OPERATION_BYTES * OPERATIONS)
        try:
            live(script, seen)
        except Exception as failure:
            live(least_failing(script, failure), Counter())
            raise
        seen["sequences"] += 1

    print()
    for name, times in sorted(seen.items()):
        print(f"{times:>9} {name}")
    assert seen["sequences"] >= SEQUENCES
    assert {name: seen[name] for name, least in AT_LEAST.items() if seen[name] < least} == {}
