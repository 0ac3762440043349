"""Threads that run one at a time and stop only where they are told to: any interleaving, the same one every time.

The code under test runs on real threads, but a baton decides which; a thread gives it back at pause points, which stand
in the fakes of the ports, outside every lock of the code under test.
"""

import threading
from collections.abc import Callable

TO_THE_END = 1_000_000


class Killed(BaseException):
    """The process this strand belonged to has crashed."""


class Strand:
    """Runs `turn` again and again, in slices; `under_way` tells that a turn has been begun and not ended."""

    def __init__(self, name: str, turn: Callable[[], None]) -> None:
        self.name = name
        self.under_way = False
        self._turn = turn
        self._points = 0
        self._go, self._back = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._back.acquire()
        self._thread: threading.Thread | None = None
        self._inline = False
        self._killed = False
        self._error: BaseException | None = None

    def run(self, points: int, *, may_block: bool) -> None:
        """Begin a turn, or go on with the one under way, up to the `points`-th pause point or the turn's end."""
        if points >= TO_THE_END and not self.under_way and not may_block:
            self._inline = True  # nothing can stop it on its way, so the caller's thread will do
            try:
                self._turn()
            finally:
                self._inline = False
            return
        self.under_way = True
        self._points = points
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=self.name, daemon=True)
            self._thread.start()
        self._swap()

    def pause(self, *, blocked: bool) -> None:
        """A pause point, on the strand's own thread; a `blocked` one always stops."""
        if self._inline:
            assert not blocked, "a turn that waits cannot run inline"
            return
        self._points -= 1
        if not self._killed and (self._points <= 0 or blocked):
            self._back.release()
            self._go.acquire()
        if self._killed:
            raise Killed

    def kill(self) -> None:
        """End the strand where it is."""
        self._killed = True
        if self._thread is not None:
            self._go.release()
            self._thread.join()

    def _swap(self) -> None:
        self._go.release()
        self._back.acquire()
        if self._error is not None:
            raise self._error

    def _serve(self) -> None:
        while True:
            self._go.acquire()
            if self._killed:
                return
            try:
                self._turn()
            except Killed:
                return
            except BaseException as error:
                self._error = error
            self.under_way = False
            self._back.release()


class Strands:
    """All strands of one simulated process, and which of them runs."""

    def __init__(self) -> None:
        self.running: Strand | None = None
        self._all: list[Strand] = []

    def new(self, name: str, turn: Callable[[], None]) -> Strand:
        strand = Strand(name, turn)
        self._all.append(strand)
        return strand

    def run(self, strand: Strand, points: int = TO_THE_END, *, may_block: bool = False) -> None:
        self.running = strand
        try:
            strand.run(points, may_block=may_block)
        finally:
            self.running = None

    def pause(self, *, blocked: bool = False) -> None:
        """What a fake calls where the scheduler may switch. Outside of any strand it does nothing."""
        if self.running is not None:
            self.running.pause(blocked=blocked)

    def kill(self) -> None:
        for strand in self._all:
            strand.kill()
        self._all.clear()
