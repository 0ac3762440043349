"""The machine code beside the generated functions: made ready while they work, and asked first from then on.

    getting ready, in a thread of its own ──> ready
                └── no numba, or it fails ──> never

Getting ready takes half a second where numba has kept the code on disk, and five seconds where it has to compile it. It
begins when the projector is made; among threads that have much to do the same takes three to ten times as long
[measured].
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from tailrace.codec.compiled_records import Places, Rules
from tailrace.codec.framing import frame_of
from tailrace.codec.record_layout import RecordLayout
from tailrace.codec.reference_walker import RecordStep
from tailrace.codec.schema_tree import Record
from tailrace.domain.identifiers import IdentifierPolicy
from tailrace.domain.projected import ProjectedRecord
from tailrace.domain.record_columns import AllProjected

if TYPE_CHECKING:
    from tailrace.codec.native.batch import NativeProjection
    from tailrace.codec.native.walk_program import NotNative

Projections = tuple[ProjectedRecord, ...]


class NativeTier:
    """Projects the events of every writer schema it was told of. Any thread.

    `on_ready` is called once, with an empty text, or with the reason why there will be no machine code.
    """

    def __init__(
        self,
        layout: RecordLayout,
        rules: Rules,
        event: Record,
        policy: IdentifierPolicy,
        *,
        keep_content: bool,
        on_ready: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._layout = layout
        self._rules = rules
        self._event = event
        self._policy = policy
        self._keep_content = keep_content
        self._on_ready = on_ready
        self._places = Places(layout)
        self._lock = threading.Lock()
        self._new: dict[bytes, RecordStep] = {}
        self._made: dict[bytes, NativeProjection | NotNative] = {}
        # Replaced as a whole, so that readers need no lock.
        self._ready: Mapping[bytes, NativeProjection] = {}
        self._is_ready = False
        # Not a daemon: the process must not end while the compiler is at work.
        self._thread = threading.Thread(target=self._get_ready, name="native-projection")

    def begin(self) -> None:
        """Get ready in the background; once."""
        self._thread.start()

    def learn(self, frame: bytes, step: RecordStep) -> None:
        """From now on events behind this frame are for us to project as well; some milliseconds to prepare."""
        with self._lock:
            if frame in self._made:
                return
            self._new[frame] = step
        if self._is_ready:
            self._make_new()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Return when it is ready or never will be, or after the time-out; whether that is decided."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def frames(self) -> frozenset[bytes]:
        """The frames whose events are projected here."""
        return frozenset(self._ready)

    def project(
        self, partition: int, offsets: Sequence[int], values: Sequence[bytes | None], max_event_bytes: int
    ) -> AllProjected | list[Projections | None] | None:
        """The records of each event, None for one that is to be projected elsewhere; None for all while not ready."""
        ready = self._ready
        # The copy counts a reference in each, one right after the other, so that the processor waits for their pages
        # together: 0.1 us less for each large one [measured: 500 events of 100 KB, after 64 MB were copied].
        values = list(values)
        # Without a value there is no frame, either.
        there = [b"" if value is None else value for value in values]
        if not ready or set(map(type, there)) != {bytes}:
            return None
        if len(ready) == 1:
            (only,) = ready.values()
            return only.project(partition, offsets, there, max_event_bytes)
        by_frame: dict[bytes, list[int]] = {}
        for place, value in enumerate(there):
            by_frame.setdefault(frame_of(value), []).append(place)
        if len(by_frame) == 1 and (alone := ready.get(next(iter(by_frame)))) is not None:
            return alone.project(partition, offsets, there, max_event_bytes)
        out: list[Projections | None] = [None] * len(there)
        for frame, places in by_frame.items():
            projection = ready.get(frame)
            if projection is not None:
                its_offsets, its_values = [offsets[place] for place in places], [there[place] for place in places]
                made = projection.project(partition, its_offsets, its_values, max_event_bytes)
                for place, records in zip(places, made, strict=True):
                    out[place] = records
        return out

    def _get_ready(self) -> None:
        try:
            from tailrace.codec.native.batch import NativeProjection  # noqa: PLC0415 - loads the compiler

            self._make_new()
            for projection in self._made.values():
                if isinstance(projection, NativeProjection):
                    projection.project(0, [0], [b""], 0)  # which is when numba compiles
            self._is_ready = True
            self._make_new()
        except ModuleNotFoundError:
            self._on_ready("numba_is_not_installed")
        except Exception as error:  # noqa: BLE001 - whatever a compiler can meet, the functions in Python go on
            self._on_ready(type(error).__name__)
        else:
            self._on_ready("")

    def _make_new(self) -> None:
        """Make what was learned and is not made yet, and let it be asked once the kernel is compiled."""
        from tailrace.codec.native.batch import NativeProjection  # noqa: PLC0415 - loads the compiler
        from tailrace.codec.native.walk_program import NotNative  # noqa: PLC0415 - likewise

        while (one := self._next()) is not None:
            frame, step = one
            try:
                made: NativeProjection | NotNative = NativeProjection.of(
                    self._layout,
                    self._rules,
                    self._event,
                    self._policy,
                    places=self._places,
                    frame=frame,
                    step=step,
                    keep_content=self._keep_content,
                )
            except Exception:  # noqa: BLE001 - a schema nobody thought of must not end the worker: functions do it
                made = NotNative("")
            with self._lock:
                self._made = {**self._made, frame: made}
        if self._is_ready:
            # Under the lock: of two threads that learn at once, the one with fewer must not be the last to write.
            with self._lock:
                self._ready = {frame: made for frame, made in self._made.items() if isinstance(made, NativeProjection)}

    def _next(self) -> tuple[bytes, RecordStep] | None:
        with self._lock:
            return self._new.popitem() if self._new else None
