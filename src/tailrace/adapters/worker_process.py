"""A worker as a process of its own, started by the supervisor of `tailrace run --workers N`.

It is `tailrace run` itself, executed anew: nothing is inherited that a Kafka client could break on (a fork after one
exists hangs its child), and a worker of many is the same program as one alone. Between the two runs what every process
has, so that no descriptor has to be passed:

    standard input    the lifeline. The word `STOP_WORD` and its end ask to drain; its end without the word means that
                      the supervisor is gone, however it went, and asks the same
    standard output   a report per second, one line of JSON each, and one at the end
    standard error    the supervisor's own, shared: a log goes on when the supervisor is gone
"""

import errno
import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress

from tailrace.runtime.crew import NotStarted
from tailrace.runtime.seat import Ended
from tailrace.runtime.work_report import WorkReport

STOP_WORD = b"stop\n"

_READ_BYTES = 64 * 1024


def start_worker_process(command: Sequence[str]) -> "SpawnedWorker | NotStarted":
    """Execute `command`, with this process's environment and directory, in a process group of its own."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl-C signals the whole group of a terminal. A worker hears of a stop one way only, which it understands
            # from its first instruction on; a signal would meet an interpreter that is just importing.
            process_group=0,
        )
    except OSError as error:
        return NotStarted(errno.errorcode.get(error.errno or 0, "EIO"))
    return SpawnedWorker(process)


class SpawnedWorker:
    """Implements the runtime's `WorkerProcess`.

    Signals go to its id only while it has not been awaited: until then the system gives the id to nobody else.
    """

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._unread = b""
        self._report: WorkReport | None = None
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def report(self) -> WorkReport | None:
        return self._report

    def look(self) -> Ended | None:
        # Not Popen.poll: wait4 alone tells what this one process has used.
        pid, status, used = os.wait4(self._process.pid, os.WNOHANG)
        # Read after that, so that the last report of one that has ended is in the pipe.
        self._read()
        if pid == 0:
            return None
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self._close()
        return Ended(self._process.returncode, used.ru_utime + used.ru_stime)

    def drain(self) -> None:
        lifeline = self._process.stdin
        assert lifeline is not None
        with suppress(BrokenPipeError):  # it may just have ended by itself
            os.write(lifeline.fileno(), STOP_WORD)
        lifeline.close()

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def ask_snapshot(self) -> None:
        self._signal(signal.SIGUSR1)

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            os.kill(self._process.pid, number)

    def _read(self) -> None:
        assert self._process.stdout is not None
        while True:
            try:
                chunk = os.read(self._process.stdout.fileno(), _READ_BYTES)
            except BlockingIOError:
                return
            if not chunk:
                return
            *lines, self._unread = (self._unread + chunk).split(b"\n")
            for line in lines:
                self._report = WorkReport.from_line(line) or self._report

    def _close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
