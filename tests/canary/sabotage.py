"""Shows that the canaries' laws can fail: disables one protection after the other and runs what holds it.

    python -m tests.canary.sabotage                      all of them, on embedded brokers; about four minutes
    python -m tests.canary.sabotage boundary redactor    these

Prints a table: what was disabled, and the first check that fails. Exit code 1 if that is not the one that has to. Run
by hand, and not part of the test run. *Alone* disables a gate and leaves the protection that stands behind it: nothing
gets out, and what fails is that records name other gates than are closed. Of two conditions that no configuration
makes, by themselves harmless, the table says who holds them.
"""

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tailrace.adapters.embedded import EmbeddedBroker
from tests.canary.configurations import (
    INLINE_SINKS,
    NO_REDACTION_GATES,
    NO_REDACTION_POLICY,
    OFF,
    PAYLOADS_OFF,
    Capturing,
    Gates,
    gates_to_name,
    inline,
)
from tests.canary.embedded_kafka import EmbeddedKafka
from tests.canary.events import Group, Sowing
from tests.canary.outing import Configured, Field, Outcome
from tests.canary.suite import inline_places
from tests.canary.verdicts import assert_gates_named, assert_nothing_left, assert_only, assert_there

AT_ONCE = 5
"""Workers beside each other: more would only wait for processors."""

Check = Callable[[Sowing, Outcome], None]
Expected = Mapping[tuple[str, Group], Gates]
GATES_NAMED = "records name the gates that are closed"


@dataclass(frozen=True, slots=True)
class Trial:
    """A sabotage, the configuration it is tried in, and what is checked there: only the last check is to fail.

    Where none is to fail, `held_by` says which protection is behind the one that was taken away.
    """

    sabotage: str
    configured: Configured
    checks: Mapping[str, Check]
    held_by: str = ""

    @property
    def to_fail(self) -> str:
        return "" if self.held_by else list(self.checks)[-1]

    @property
    def outing(self) -> Configured:
        return replace(self.configured, name=self.sabotage, program=(*PROGRAM, self.sabotage), killed=False)


PROGRAM = ("tests.canary.sabotaged_worker",)


def _sinks(*names: str, alone: bool = False) -> Callable[[str], Trial]:
    """These sinks, of which those that are granted something must get it, and nobody anything else.

    With a gate taken away *alone* that has to hold all the same, and records have to name other gates.
    """
    sinks = {name: INLINE_SINKS[name] for name in ("granted", *names)}

    def trial(sabotage: str) -> Trial:
        checks: dict[str, Check] = {"inline content is redacted and only where it was granted": _only_granted(sinks)}
        if alone:
            checks[GATES_NAMED] = _gates_named(gates_to_name(sinks))
        return Trial(sabotage, inline(sabotage, sinks), checks)

    return trial


def _only_granted(sinks: Mapping[str, Capturing]) -> Check:
    def check(sowing: Sowing, outcome: Outcome) -> None:
        places = inline_places(sowing, sinks)
        assert_only(sowing, outcome, places)
        for place, canaries in places.items():
            assert_there(sowing, outcome, place, canaries)

    return check


def _gates_named(expected: Expected) -> Check:
    return lambda sowing, outcome: assert_gates_named(sowing, outcome, expected)


def _nothing(configured: Configured, held_by: str = "", named: Expected | None = None) -> Callable[[str], Trial]:
    """Nothing may get out; where `named` is given that has to hold, and records have to name other gates."""

    def trial(sabotage: str) -> Trial:
        checks: dict[str, Check] = {"where content is granted to nobody nothing leaves": assert_nothing_left}
        if named is not None:
            checks[GATES_NAMED] = _gates_named(named)
        return Trial(sabotage, configured, checks, held_by)

    return trial


GRANTED_ALONE = inline("granted to one", {"granted": INLINE_SINKS["granted"]})

TRIALS: Mapping[str, Callable[[str], Trial]] = {
    "gate policy_mode alone": _sinks("policy-refs", "policy-summary", alone=True),
    "gate policy_complete alone": _nothing(NO_REDACTION_POLICY, named=NO_REDACTION_GATES),
    "gate source alone": _sinks(alone=True),
    "gate sink alone": _sinks("sink-refs", "sink-metadata", alone=True),
    "gate retention alone": _sinks("retention-over", alone=True),
    "policy_mode": _sinks("policy-refs", "policy-summary"),
    "policy_complete": _nothing(NO_REDACTION_POLICY),
    "source": _sinks(),
    "sink": _sinks("sink-refs", "sink-metadata"),
    "retention": _sinks("retention-over"),
    "sample": _sinks("sample"),
    "byte_limit": _sinks("byte-limit"),
    "part limit": _sinks("part-limit", "part-limit-some"),
    "agent": _sinks("agent"),
    "family": _sinks("family"),
    "privacy": _sinks("privacy"),
    "origins": _sinks(),
    "boundary": _sinks(),
    "redactor": _sinks(),
    "sensitive keys": _sinks(),
    "identifiers": _nothing(OFF),
    "identifiers in machine code": _nothing(OFF),
    "payloads switch": _nothing(PAYLOADS_OFF),
    "a store that does not vouch": _nothing(GRANTED_ALONE, held_by="the attestation"),
    "attestation": _nothing(GRANTED_ALONE),
    "a store that outlasts the window": _nothing(GRANTED_ALONE, held_by="the retention check at export"),
    "retention at export": _nothing(GRANTED_ALONE),
    "raw letters": _nothing(OFF),
}
"""What each sabotage is tried on."""


def first_failure(trial: Trial, sowing: Sowing, outcome: Outcome) -> tuple[str, str]:
    """Name of the first check that fails, and how; empty if all hold."""
    for name, check in trial.checks.items():
        try:
            check(sowing, outcome)
        except AssertionError as failed:
            lines = str(failed).splitlines()
            return name, f"{lines[0]} {lines[1] if len(lines) > 1 else ''}"
    return "", ""


def run(trials: Sequence[Trial], folder: Path) -> int:
    wrong = 0
    for start in range(0, len(trials), AT_ONCE):
        some = trials[start : start + AT_ONCE]
        with EmbeddedBroker() as broker:
            field = Field(EmbeddedKafka(broker), folder / str(start))
            outcomes = field.run(*(trial.outing for trial in some))
        for trial in some:
            failed, how = first_failure(trial, field.sowing, outcomes[trial.sabotage])
            wrong += failed != trial.to_fail
            verdict = f"{failed}: {how}" if failed else f"nothing fails: held by {trial.held_by or 'NOTHING KNOWN'}"
            print(f"{'WRONG ' if failed != trial.to_fail else ''}{trial.sabotage} -> {verdict}", flush=True)
    return wrong


def main(names: Sequence[str]) -> int:
    trials = [TRIALS[name](name) for name in names or TRIALS]
    with tempfile.TemporaryDirectory() as folder:
        return 1 if run(trials, Path(folder)) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
