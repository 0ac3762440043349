"""What signals ask of a process, as requests that its own loop looks at. Main thread only."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tailrace.runtime.stop import Stop


@contextmanager
def stopping_on_signals(stop: Stop) -> Iterator[None]:
    """Within, SIGTERM and SIGINT set `stop` and do nothing else; a second one changes nothing."""
    previous = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in previous:
        signal.signal(number, lambda *_: stop.set())
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def snapshot_requests() -> Stop:
    """Set from now on by each SIGUSR1, where the system has it; whoever serves the request clears it.

    A request and not an answer: a handler may interrupt this very thread inside a lock that a snapshot takes.
    """
    asked = Stop()
    if hasattr(signal, "SIGUSR1"):
        signal.signal(signal.SIGUSR1, lambda *_: asked.set())
    return asked


def children_are_awaited() -> None:
    """Let the system keep how a child ended until this process asks for it.

    A launcher may ignore SIGCHLD, and that is inherited through its exec: then every child's end is thrown away.
    """
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
