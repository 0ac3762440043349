"""What a command's exit code says."""

OK = 0
FAILED = 1
"""The command did its work, and what it found or did is not all right; what and where is in its output."""

USAGE = 2
"""The command could not begin: an option or the configuration is wrong, and the message says how to mend it."""
