"""The compiled projector: one generated function per writer schema, and the reference projector behind them.

    value ── its frame's function ──────────────────────> records
                 │ not what a canonical writer writes
                 v
             the event anew, in our own schema ── our own function ──> records
                 │ cannot be walked                   │ the rules refuse it
                 v                                    v
             reference projector ────────────────────────────────────> the verdict

The second line is for what is legal Avro and that no known writer writes, such as a varint longer than it needs to be:
the reference walk gives its bytes in canonical form. The reference has the last word on every refusal, so reason and
field are the same whoever is asked; an event that it then takes after all is a *disagreement*, a mistake in this code.
"""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Final

from tailrace.codec.compiled_bytes import Unusual, body
from tailrace.codec.compiled_identifiers import Guards
from tailrace.codec.compiled_records import Rules
from tailrace.codec.compiled_source import CompiledFunction, OutOfReach, SourceWriter
from tailrace.codec.framing import CONFLUENT_FRAME_BYTES, SINGLE_OBJECT_FRAME_BYTES, SchemaIds, single_object_frame
from tailrace.codec.identifier_fields import IdentifierFields
from tailrace.codec.native.tier import NativeTier
from tailrace.codec.record_layout import RecordLayout
from tailrace.codec.reference_projector import DEFAULT_MAX_EVENT_BYTES, ReferenceProjector
from tailrace.codec.reference_resolution import Mismatch, resolve_record
from tailrace.codec.reference_walker import RecordStep, Walk, WalkError
from tailrace.codec.schemas import AGENT_EVENT, SchemaStore, record_tree
from tailrace.domain.errors import SchemaInvalid
from tailrace.domain.identifiers import IdentifierPolicy
from tailrace.domain.projected import Projected, ProjectedRecord, ProjectorCounts, one_by_one
from tailrace.domain.record_columns import AllProjected

_REFUSALS: Final = (Unusual, LookupError, UnicodeDecodeError, WalkError, NameError)
"""How a function says that it cannot do with an event: LookupError past the end or in a table without that index.

NameError would be a mistake of the compiler, a way through a function on which a variable is not set. It costs the long
way then and counts as a disagreement, which tests and the log show, instead of ending the worker.
"""

_FRAME_BYTES: Final = {0x00: CONFLUENT_FRAME_BYTES, 0xC3: SINGLE_OBJECT_FRAME_BYTES}


class CompiledProjector:
    """As `ReferenceProjector`, record for record and verdict for verdict, about twenty times as fast; never raises.

    With `native` batches are projected in machine code as soon as there were enough events and it is ready, which
    `on_native` hears of with an empty text, or with the reason why it never will be.

    A writer schema whose function would be too large is served by the reference: `on_out_of_reach` is called once per
    schema, with the frame that names it. `on_disagreement` is called once, when the reference takes an event that the
    functions refuse. Both are called on the thread that projects. Thread-safe.
    """

    def __init__(
        self,
        events_topic: str,
        schemas: SchemaStore,
        *,
        ids: SchemaIds | None = None,
        max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES,
        keep_content: bool = False,
        identifiers: IdentifierPolicy | None = None,
        native: bool = False,
        on_out_of_reach: Callable[[bytes], None] = lambda _: None,
        on_disagreement: Callable[[], None] = lambda: None,
        on_native: Callable[[str], None] = lambda _: None,
    ) -> None:
        policy = identifiers or IdentifierPolicy()
        self._reference = ReferenceProjector(
            events_topic,
            schemas,
            ids=ids,
            max_event_bytes=max_event_bytes,
            keep_content=keep_content,
            identifiers=policy,
        )
        self._max_event_bytes = max_event_bytes
        self._on_out_of_reach = on_out_of_reach
        self._on_disagreement = on_disagreement
        self._lock = Lock()
        self._usage_ignored = self._rewritten = self._replaced = self._by_reference = self._disagreements = 0
        event = record_tree(schemas.agent_event, AGENT_EVENT)
        layout = RecordLayout(events_topic, schemas)
        self._names = [field.name for field in event.fields]
        self._identifiers = IdentifierFields(event, frozenset(layout.copied.values()), policy)
        self._guards = Guards(event, self._identifiers, policy)
        self._writer = SourceWriter(layout, event, self._count_ignored, keep_content=keep_content)
        self.native = (
            NativeTier(layout, Rules(layout, event), event, policy, keep_content=keep_content, on_ready=on_native)
            if native
            else None
        )
        # By frame, as the reference does. Written under the lock; read without, since a dict's look-up is whole.
        self._functions: dict[bytes, CompiledFunction] = {}
        self._out_of_reach: set[bytes] = set()
        self._own_frame = single_object_frame(schemas.agent_event)
        step = resolve_record(event, event)
        # For events whose identifiers have been replaced: what a policy put there may be what it would replace again.
        own = OutOfReach(0) if isinstance(step, Mismatch) else self._writer.write(step, len(self._own_frame), None)
        if isinstance(own, OutOfReach) or isinstance(step, Mismatch):
            raise SchemaInvalid(AGENT_EVENT, "", "out_of_the_compiler_s_reach")
        self._own = own.compile(f"tailrace {self._own_frame.hex()}, replaced")
        if self.native is not None:
            self.native.learn(self._own_frame, step)
            self.native.begin()

    @property
    def usage_ignored(self) -> int:
        """Events so far whose usage did not count because their family is newer than this version."""
        return self._usage_ignored + self._reference.usage_ignored

    @property
    def rewritten(self) -> int:
        """Events so far that were legal and not canonical, and so took as long as with the reference."""
        return self._rewritten

    @property
    def replaced(self) -> int:
        """Events so far with identifiers that were replaced, and so took as long as with the reference."""
        return self._replaced

    @property
    def by_reference(self) -> int:
        """Events so far that the reference served because their schema is out of reach."""
        return self._by_reference

    @property
    def disagreements(self) -> int:
        """Events so far that the functions refused and the reference took. Anything but 0 is a mistake in this code."""
        return self._disagreements

    def counts(self) -> ProjectorCounts:
        """All of these at one moment."""
        with self._lock:
            return ProjectorCounts(
                self._by_reference, self._rewritten, self._replaced, self.usage_ignored, self._disagreements
            )

    def project(self, partition: int, offset: int, key: bytes | None, value: bytes | None) -> Projected:
        """The event's one to three records in rule order, or the reason there are none.

        `key` is kept for the dead letter only; a record is keyed by the run id that its event states.
        """
        if value is not None and len(value) <= self._max_event_bytes:
            try:
                return self._functions[value[: _FRAME_BYTES[value[0]]]](partition, offset, value)
            except _REFUSALS as refusal:
                if isinstance(refusal, NameError):
                    self._disagree()
                return self._not_at_once(partition, offset, key, value)
        return self._reference.project(partition, offset, key, value)

    def project_all(
        self,
        partition: int,
        offsets: Sequence[int],
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
    ) -> Sequence[Projected]:
        """As `project` for each of these events, which are columns of one length."""
        made = None if self.native is None else self.native.project(partition, offsets, values, self._max_event_bytes)
        if made is None:
            return one_by_one(self.project, partition, offsets, keys, values)
        if isinstance(made, AllProjected):
            return made
        return [
            self.project(partition, offsets[place], keys[place], values[place]) if records is None else records
            for place, records in enumerate(made)
        ]

    def _not_at_once(self, partition: int, offset: int, key: bytes | None, value: bytes) -> Projected:
        """What to do with an event whose frame has no function yet, or whose function refused it."""
        try:
            step, body_start = self._reference.step_for(value)
        except WalkError:
            return self._reference.project(partition, offset, key, value)
        frame = value[:body_start]
        if frame not in self._functions:
            function = self._compile(frame, step)
            if function is None:
                with self._lock:
                    self._by_reference += 1
                return self._reference.project(partition, offset, key, value)
            try:
                return function(partition, offset, value)
            except _REFUSALS:
                pass
        records = self._rewrite(step, body_start, partition, offset, value)
        return self._verdict(partition, offset, key, value) if records is None else records

    def _rewrite(
        self, step: RecordStep, body_start: int, partition: int, offset: int, value: bytes
    ) -> tuple[ProjectedRecord, ...] | None:
        walk = Walk(value, body_start)
        try:
            fields = dict(zip(self._names, step.read_fields(walk), strict=True))
            if walk.position != len(value):
                return None
            shown = self._identifiers.replaced(fields)
            canonical = self._own_frame + b"".join(shown.values())
            records = self._own(partition, offset, canonical)
        except _REFUSALS:
            return None
        is_replaced = shown != fields
        with self._lock:
            self._replaced += is_replaced
            self._rewritten += not is_replaced
        # Beside a record stands what came: its agent id, and the event of the first one if some sink may get content.
        first, *others = records
        if first.event is not None:
            first = first._replace(event=value, size_bytes=first.size_bytes + len(value) - len(canonical))
        agent_id = body(fields["agent_id"]).decode()
        return tuple(record._replace(agent_id=agent_id) for record in (first, *others))

    def _verdict(self, partition: int, offset: int, key: bytes | None, value: bytes) -> Projected:
        verdict = self._reference.project(partition, offset, key, value)
        if isinstance(verdict, tuple):
            self._disagree()
        return verdict

    def _disagree(self) -> None:
        with self._lock:
            self._disagreements += 1
            is_first = self._disagreements == 1
        if is_first:
            self._on_disagreement()

    def _compile(self, frame: bytes, step: RecordStep) -> CompiledFunction | None:
        """The function for this frame, made once; None when its schema is out of reach."""
        with self._lock:
            if frame in self._functions or frame in self._out_of_reach:
                return self._functions.get(frame)
            source = self._writer.write(step, len(frame), self._guards)
            if not isinstance(source, OutOfReach):
                function = self._functions[frame] = source.compile(f"tailrace {frame.hex()}")
                if self.native is not None:
                    self.native.learn(frame, step)
                return function
            self._out_of_reach.add(frame)
        self._on_out_of_reach(frame)
        return None

    def _count_ignored(self) -> None:
        with self._lock:
            self._usage_ignored += 1
