"""Properties are tried on the same examples in every run; TAILRACE_TEST_RANDOM=1 tries others each time."""

import os

from hypothesis import settings

settings.register_profile("same", derandomize=True, database=None)
settings.register_profile("random", derandomize=False)
settings.load_profile("random" if os.environ.get("TAILRACE_TEST_RANDOM") == "1" else "same")
