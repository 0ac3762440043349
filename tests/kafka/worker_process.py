"""A worker as its operator runs it: a process of its own, started by the command line, known by its log and its end."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kafka.waiting import POLL_INTERVAL_S, eventually

LOG_TIMEOUT_S = 40.0
"""For one line of the log. A start takes two seconds, a rebalance with a dead member one session time-out more."""

STOP_TIMEOUT_S = 30.0

TAIL_LINES = 30


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a worker's log."""

    at: str
    level: str
    event: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LaneView:
    """A lane as its worker shows it on SIGUSR1; cursors and positions by partition."""

    state: str
    buffered: int
    exported: int
    cursors: Mapping[int, int]
    positions: Mapping[int, int]


class WorkerProcess:
    """A running `tailrace run`. Its standard error is a file, so that what it said survives any way it ends.

    `program` is the module that is run, with what goes before the command.
    """

    def __init__(self, config: Path, log: Path, *arguments: str, program: Sequence[str] = ("tailrace",)) -> None:
        self._log = log
        self._read_bytes = 0
        self._lines: list[LogLine] = []
        with log.open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *program, "run", "--config", str(config), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    # ------------------------------------------------------------------------------------------------- what it says

    def lines(self, event: str | None = None, /, **fields: object) -> list[LogLine]:
        """The log so far: complete lines only, those of `event` whose fields have these values."""
        self._read_on()
        return [
            line
            for line in self._lines
            if (event is None or line.event == event)
            and all(line.fields.get(name) == value for name, value in fields.items())
        ]

    def _read_on(self) -> None:
        with self._log.open("rb") as log:
            log.seek(self._read_bytes)
            complete, end, _ = log.read().rpartition(b"\n")
        self._read_bytes += len(complete) + len(end)
        self._lines += [_line(text) for text in complete.decode().splitlines() if text.startswith("{")]

    def wait_for(
        self,
        event: str,
        /,
        *,
        count: int = 1,
        within_s: float = LOG_TIMEOUT_S,
        every_s: float = POLL_INTERVAL_S,
        **fields: object,
    ) -> list[LogLine]:
        """The lines of `event` with these fields, as soon as there are `count` of them; the process must live on."""

        def enough() -> list[LogLine] | None:
            found = self.lines(event, **fields)
            return found if len(found) >= count else None

        what = f"{count} x '{event}' {fields or ''} in the log"
        try:
            return eventually(enough, within_s=within_s, what=what, gone_wrong=self._end, every_s=every_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; the log ends with\n{self.tail()}") from None

    def _end(self) -> str | None:
        return None if self.running else f"the worker ended with {self._process.returncode}"

    def log_text(self) -> str:
        """Everything it wrote, log lines or not."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def tail(self) -> str:
        return "\n".join(self.log_text().splitlines()[-TAIL_LINES:])

    def snapshot(self) -> dict[str, LaneView]:
        """Every lane by its sink id, as it is now: the worker is asked, and answers with one line per lane."""
        before = len(self.lines("worker snapshot"))
        self._send(signal.SIGUSR1)
        # Looked for often: what it says is true of the moment it was written, and lanes move on within milliseconds.
        end = self.wait_for("worker snapshot", count=before + 1, within_s=10, every_s=0.002)[-1]
        lanes = [line for line in self.lines("lane snapshot") if line.at <= end.at][-end.fields["lanes"] :]
        return {line.fields["sink"]: _view(line) for line in lanes}

    # ----------------------------------------------------------------------------------------------- what is done to it

    def kill(self) -> None:
        """`kill -9`, and wait until the process is gone."""
        self._send(signal.SIGKILL)
        assert self._process.wait(STOP_TIMEOUT_S) == -signal.SIGKILL, "it had ended before the kill"

    def terminate(self) -> int:
        """Ask it to stop; its exit code."""
        self._send(signal.SIGTERM)
        return self._process.wait(STOP_TIMEOUT_S)

    def stop_cleanly(self) -> None:
        """Ask it to stop, and see that it did so in every respect."""
        code = self.terminate()
        assert code == 0, f"exit code {code}\n{self.tail()}"
        assert self.lines("worker stopped"), self.tail()

    def wait(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Its exit code, when it ends by itself."""
        return self._process.wait(timeout_s)

    def suspend(self) -> None:
        """As a machine that sleeps or a very long pause: nothing of it runs, its connections stay open."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        self._send(signal.SIGCONT)

    def end(self) -> None:
        """Whatever its state is: gone when this returns."""
        if self.running:
            self._process.kill()
        self._process.wait(STOP_TIMEOUT_S)

    def _send(self, number: signal.Signals) -> None:
        if not self.running:
            raise AssertionError(self._end())
        os.kill(self.pid, number)


def _line(text: str) -> LogLine:
    fields = json.loads(text)
    return LogLine(fields.pop("at"), fields.pop("level"), fields.pop("event"), fields)


def _view(line: LogLine) -> LaneView:
    fields = line.fields
    partitions = fields["partitions"]
    return LaneView(
        fields["state"],
        fields["buffered"],
        fields["exported"],
        dict(zip(partitions, fields["cursors"], strict=True)),
        dict(zip(partitions, fields["positions"], strict=True)),
    )
