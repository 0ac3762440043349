"""Property tests on a busy machine: how long an example takes says nothing about the law."""

from hypothesis import HealthCheck, settings

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
THOROUGH = settings(UNHURRIED, max_examples=300)
