"""The command line: parses, calls, and turns outcomes into text and exit codes. One module per command or group."""

from tailrace.cli.app import app, main

__all__ = ["app", "main"]
