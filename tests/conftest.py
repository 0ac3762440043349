"""Properties are tried on the same examples in every run of all tests; TAILRACE_TEST_RANDOM=1 tries others each time.

Hypothesis mixes constants of all imported sources in, those of `bench` too: another constant anywhere, or a run of some
tests only, tries other examples.
"""

import os

from hypothesis import settings

settings.register_profile("same", derandomize=True, database=None)
settings.register_profile("random", derandomize=False)
settings.load_profile("random" if os.environ.get("TAILRACE_TEST_RANDOM") == "1" else "same")
