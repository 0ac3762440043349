"""A process under measurement: started alone, watched through /proc, ended by SIGTERM."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

SAMPLE_S = 0.1
"""Processor time in /proc comes in hundredths of a second; looking more often would not be more exact."""

END_TIMEOUT_S = 60.0

CLIENT_THREADS = "rdk:"
"""How librdkafka names its threads."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the child's log; `at_s` and `seen_s`, when it was read here, are seconds since the epoch."""

    at_s: float
    seen_s: float
    event: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """The child at one moment: processor time of the process and of librdkafka's threads alone, and its memory."""

    at_s: float
    cpu_s: float
    client_cpu_s: float
    rss_bytes: int


@dataclass(frozen=True, slots=True)
class Ended:
    """How the child ended, and what the system says it used from its start to its end."""

    code: int
    cpu_s: float
    peak_rss_bytes: int


def python(module: str, *arguments: str) -> list[str]:
    """The command line of a module, run by the interpreter that runs this."""
    return [sys.executable, "-m", module, *arguments]


class Child:
    """A running child; `sample` is taken ten times a second by a thread of the parent. Linux only: it reads /proc.

    What its own children use is counted with it, as long as they run: a child that supervises others ends after them.
    """

    def __init__(self, command: Sequence[str], log: Path, variables: Mapping[str, str] | None = None) -> None:
        if not Path("/proc/self/stat").exists():
            raise SystemExit("measuring reads /proc, which this system does not have: run it on Linux")
        # What is measured is what the configuration says, not what the caller's shell adds to it.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TAILRACE_")}
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**environment, **(variables or {})},
            )
        self._log = log
        self._read_bytes = 0
        self._lines: list[Line] = []
        self._done = threading.Event()
        self.samples: list[Sample] = []
        self._sampler = threading.Thread(target=self._watch, name="sampler", daemon=True)
        self._sampler.start()

    # ----------------------------------------------------------------------------------------------------- its log

    def lines(self, event: str) -> list[Line]:
        """The lines of this event so far."""
        with self._log.open("rb") as log:
            log.seek(self._read_bytes)
            new, newline, _ = log.read().rpartition(b"\n")
        self._read_bytes += len(new) + len(newline)
        self._lines += [line for line in map(_line, new.decode(errors="replace").splitlines()) if line is not None]
        return [line for line in self._lines if line.event == event]

    def wait_for(self, event: str, within_s: float, count: int = 1) -> list[Line]:
        """The lines of this event as soon as there are `count` of them. Ends the measurement if the child has died."""
        give_up_s = time.monotonic() + within_s
        while len(found := self.lines(event)) < count:
            self.must_run()
            if time.monotonic() > give_up_s:
                raise SystemExit(f"no '{event}' in {self._log} within {within_s} s")
            time.sleep(0.05)
        return found

    def must_run(self) -> None:
        if self._process.poll() is not None:
            tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])
            raise SystemExit(f"the process under measurement ended with {self._process.returncode}:\n{tail}")

    # ------------------------------------------------------------------------------------------------- what it uses

    def cpu_at_s(self, at_s: float) -> tuple[float, float]:
        """Processor seconds used up to this moment, by the process and by librdkafka's threads, between samples."""
        after = min(max(1, bisect_left(self.samples, at_s, key=lambda s: s.at_s)), len(self.samples) - 1)
        a, b = self.samples[after - 1], self.samples[after]
        share = min(1.0, max(0.0, (at_s - a.at_s) / (b.at_s - a.at_s)))
        return a.cpu_s + share * (b.cpu_s - a.cpu_s), a.client_cpu_s + share * (b.client_cpu_s - a.client_cpu_s)

    def _watch(self) -> None:
        while not self._done.wait(SAMPLE_S):
            try:
                self.samples.append(self._sample())
            except (OSError, IndexError):
                return  # it has ended between two looks

    def _sample(self) -> Sample:
        cpu_s = client_cpu_s = 0.0
        rss_bytes = 0
        for process in _with_descendants(self._process.pid):
            cpu_s += _cpu_s(process / "stat")[1]
            client_cpu_s += _client_cpu_s(process)
            rss_bytes += int((process / "statm").read_text().split()[1]) * PAGE_BYTES
        return Sample(time.time(), cpu_s, client_cpu_s, rss_bytes)

    # ------------------------------------------------------------------------------------------------ what is done

    def signal(self, number: signal.Signals) -> None:
        self.must_run()
        os.kill(self._process.pid, number)

    def end(self) -> Ended:
        """Ask it to stop, and wait; it is killed when it takes longer than a minute."""
        self.signal(signal.SIGTERM)
        killer = threading.Timer(END_TIMEOUT_S, self._process.kill)
        killer.start()
        # wait4 and not Popen.wait: it alone tells what this one child has used.
        _, status, used = os.wait4(self._process.pid, 0)
        killer.cancel()
        self._done.set()
        self._sampler.join()
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return Ended(self._process.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)

    def discard(self) -> None:
        """Gone when this returns, whatever its state is."""
        self._done.set()
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait()


def processor_s(pid: int) -> float:
    """Processor seconds of a process and its descendants so far. OSError if it has ended."""
    return sum(_cpu_s(process / "stat")[1] for process in _with_descendants(pid))


def _with_descendants(pid: int) -> list[Path]:
    """The process, its children, theirs and so on, as they are now. OSError if it has ended itself."""
    process = Path(f"/proc/{pid}")
    found = [process]
    for task in (process / "task").iterdir():
        try:
            children = (task / "children").read_text().split()
        except OSError:
            continue  # a thread that ended between the listing and the look
        for child in children:
            try:
                found += _with_descendants(int(child))
            except OSError:
                continue  # likewise a child
    return found


def _client_cpu_s(process: Path) -> float:
    """Processor seconds of librdkafka's threads."""
    used_s = 0.0
    for task in (process / "task").iterdir():
        try:
            name, thread_s = _cpu_s(task / "stat")
        except OSError:
            continue  # a thread that ended between the listing and the look
        used_s += thread_s if name.startswith(CLIENT_THREADS) else 0.0
    return used_s


def _cpu_s(stat: Path) -> tuple[str, float]:
    """Name and processor seconds (user and system) of a process or thread."""
    name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
    fields = rest.split()
    return name, (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def _line(text: str) -> Line | None:
    """None for what is no line of ours: peers and libraries log in forms of their own."""
    try:
        fields = json.loads(text) if text.startswith("{") else {}
        at_s = datetime.fromisoformat(fields.pop("at")).timestamp()
        return Line(at_s, time.time(), str(fields.pop("event")), fields)
    except (ValueError, LookupError):
        return None
