"""How long to wait before the next attempt. The only module that knows tenacity."""

from dataclasses import dataclass, field

from tenacity import RetryCallState, Retrying, wait_random_exponential

FIRST_DELAY_S = 0.2
"""Upper end of the first delay. Lower hammers a broker that is just electing a leader; higher is felt as a stall."""

LONGEST_DELAY_S = 5.0
"""Upper end of every later delay: a sink that came back is found within this; 100 workers make 20 probes a second."""

SHORTEST_DELAY_S = 0.05
"""Full jitter can draw zero; a run of zeros would be a busy loop against a sink that is down."""

_wait = wait_random_exponential(multiplier=FIRST_DELAY_S, max=LONGEST_DELAY_S)


@dataclass(slots=True)
class Backoff:
    """Consecutive failures of one thing, and the delay they call for: exponential with full jitter. Not thread-safe."""

    failures: int = field(default=0)

    def next_delay_s(self, asked_s: float | None = None) -> float:
        """Count a failure; seconds to wait, at least `asked_s` when the other side named a delay."""
        self.failures += 1
        state = RetryCallState(Retrying(), None, (), {})
        state.attempt_number = self.failures
        return max(SHORTEST_DELAY_S, _wait(state), asked_s or 0.0)

    def succeeded(self) -> None:
        self.failures = 0
