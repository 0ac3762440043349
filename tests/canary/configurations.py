"""The configurations under which nothing may get out, and those under which something may, and what."""

from collections.abc import Mapping
from typing import Any

from tests.canary.outing import TROUBLE, Configured

FAILING: Mapping[str, Any] = {"kind": "test", "script": list(TROUBLE), "batch": {"records": 8, "linger_ms": 5}}
"""A sink that is out for a while and refuses records: each of those becomes a dead letter."""

OFF = Configured(
    "off",
    {"analytics": {"kind": "durable_trace"}, "diagnostic": {"kind": "local_diagnostic"}, "trouble": FAILING},
)
"""What an operator gets who never heard of content."""

RAW_LETTERS = Configured(
    "raw letters",
    {"analytics": {"kind": "durable_trace"}, "trouble": FAILING},
    {"dead_letter": {"raw": True}},
)
"""Dead letters with what nobody could read in them, because the operator wants to have it."""

ALL = (OFF, RAW_LETTERS)
