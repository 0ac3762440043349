"""Reads events with the worker's consumer settings and does nothing with them: what reading alone costs.

Says when it has read each of the numbers of events that it was given, and waits to be told to end.
"""

import argparse
import signal
from collections.abc import Sequence
from pathlib import Path

from bench.null_pipeline import consumer_of, received, say
from tailrace.bootstrap.collector import rare_collections
from tailrace.settings import Settings, load

READ = "so many events read"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--say-at", type=int, nargs="+", required=True, help="ascending; the last one ends the reading")
    arguments = parser.parse_args()
    # Blocked in every thread, so that the wait at the end is what receives it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    settings, _ = load(arguments.config, {})
    with rare_collections():
        run(settings, arguments.say_at)
    signal.sigwait({signal.SIGTERM})


def run(settings: Settings, say_at: Sequence[int]) -> None:
    consumer = consumer_of(settings)
    say("reading a partition")
    read = value_bytes = 0
    for number in say_at:
        while read < number:
            for message in received(consumer):
                read += 1
                value_bytes += len(message.value() or b"")  # asked for, as whoever does something with it does
        say(READ, events=read, value_bytes=value_bytes)


if __name__ == "__main__":
    main()
