"""Saying where something failed without saying what it was about."""

import traceback
from pathlib import Path


def place_of(error: BaseException) -> str:
    """File and line where `error` was raised: its text may hold content, its place cannot."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown"
