"""Counting what Python executes: a measure of work that is the same on every machine."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def opcodes(function: Callable[[], object]) -> int:
    """Instructions of Python that it executes, whatever the machine."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return count
