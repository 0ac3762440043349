"""The function that projects the events of one writer schema, as source text with the names that it refers to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tailrace.codec import compiled_bytes
from tailrace.codec.compiled_function import FunctionWriter
from tailrace.codec.compiled_identifiers import SHORT_TEXT, Guards
from tailrace.codec.compiled_plan import MAX_STEPS, count_steps
from tailrace.codec.compiled_records import ENDING_SIZES, ENDINGS, Places, Rules
from tailrace.codec.framing import SINGLE_OBJECT_FRAME_BYTES
from tailrace.codec.record_layout import RecordLayout
from tailrace.codec.reference_resolution import Mismatch, resolve_record
from tailrace.codec.reference_walker import RecordStep
from tailrace.codec.schema_tree import Record
from tailrace.codec.schemas import AGENT_EVENT, SchemaStore, WriterSchema, record_tree
from tailrace.domain.identifiers import IdentifierPolicy
from tailrace.domain.projected import ProjectedRecord

CompiledFunction = Callable[[int, int, bytes], tuple[ProjectedRecord, ...]]
"""Partition, offset and value to records. Any thread."""


@dataclass(frozen=True, slots=True)
class OutOfReach:
    """A schema that no function is generated for: how many steps it takes, which are too many."""

    steps: int


@dataclass(frozen=True, slots=True)
class Source:
    """A function as source text, and the names that it refers to."""

    text: str
    names: Mapping[str, object]

    def compile(self, title: str) -> CompiledFunction:
        """The function; `title` stands for its file in a traceback."""
        scope = dict(self.names)
        exec(compile(self.text, f"<{title}>", "exec"), scope)  # noqa: S102 - our own text; names in it are Avro names
        function: CompiledFunction = scope["project"]  # type: ignore[assignment]
        return function


class SourceWriter:
    """Writes functions for one events topic. Immutable once made; any thread.

    `count_ignored` is called by the functions for each event whose usage does not count. With `keep_content` their
    first record brings an event with content along; without it they do not even ask. Raises SchemaInvalid from the
    constructor when schemas and rules do not belong together.
    """

    def __init__(
        self, layout: RecordLayout, event: Record, count_ignored: Callable[[], None], *, keep_content: bool = False
    ) -> None:
        self._layout = layout
        self._event = event
        self._rules = Rules(layout, event)
        self._places = Places(layout)
        self._count_ignored = count_ignored
        self._keep_content = keep_content

    def write(self, step: RecordStep, body_start: int, guards: Guards | None = None) -> Source | OutOfReach:
        """The function for events that `step` walks, whose bodies begin at `body_start`.

        With `guards` it refuses events with identifiers that have to be replaced; without, they have been.
        """
        if (steps := count_steps(step)) > MAX_STEPS:
            return OutOfReach(steps)
        names: dict[str, object] = {
            **_calls(),
            "ENDINGS": ENDINGS,
            "FAMILIES_BY_INDEX": self._rules.families,
            "cost_status_of": self._rules.cost_status_of,
            "PLACES": self._places,
            "ENDING_SIZES": ENDING_SIZES,
            "ProjectedRecord": ProjectedRecord,
            "new": tuple.__new__,
            "count_ignored": self._count_ignored,
            "SHORT_TEXT": SHORT_TEXT,
        }
        function = FunctionWriter(
            self._layout, self._event, self._rules, names, guards, keep_content=self._keep_content
        )
        return Source(function.write(step, body_start), names)


def explain(schema: WriterSchema, schemas: SchemaStore) -> Source | OutOfReach | Mismatch:
    """What a worker makes of a writer schema: the function for events in single-object frames, or why there is none.

    Raises SchemaInvalid when the schemas of `schemas` are not those that this version of the code belongs to.
    """
    event = record_tree(schemas.agent_event, AGENT_EVENT)
    step = resolve_record(schema.tree, event)
    if isinstance(step, Mismatch):
        return step
    # The topic stands in what the function looks up, not in its text.
    layout = RecordLayout("events", schemas)
    guards = Guards.of(layout, event, IdentifierPolicy())
    return SourceWriter(layout, event, lambda: None).write(step, SINGLE_OBJECT_FRAME_BYTES, guards)


def _calls() -> dict[str, object]:
    names = (
        "BOOLEAN EIGHT_BYTE_LONG ONE SHAPE TEXT TWO block body bytes_size check_texts int_size items_block long_size "
        "long_text one_block text_size unusual walked"
    )
    return {name: getattr(compiled_bytes, name) for name in names.split()}
