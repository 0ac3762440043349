"""From an event's frame to the walk over its body: what a writer schema means under the current event schema."""

from tailrace.codec.framing import Confluent, CutFrame, NoRegistry, SchemaIds, SingleObject, Unframed, recognise
from tailrace.codec.reference_resolution import Mismatch, resolve_record
from tailrace.codec.reference_walker import RecordStep, WalkError
from tailrace.codec.schemas import AGENT_EVENT, RefusedSchema, SchemaStore, WriterSchema, record_tree
from tailrace.domain.projected import UndecodableReason


class EventSteps:
    """The walks for all schemas that a store or a registry knows, each resolved when its first event comes. Any thread.

    `ids` finds schemas by a registry's id.
    """

    def __init__(self, schemas: SchemaStore, ids: SchemaIds | None = None) -> None:
        self.event = record_tree(schemas.agent_event, AGENT_EVENT)
        self._schemas = schemas
        self._ids = ids or NoRegistry()
        # By frame: schemas with one fingerprint may differ in logical types. Two threads may both fill it; they agree.
        self._steps: dict[bytes, RecordStep | Mismatch] = {}

    def step_for(self, value: bytes) -> tuple[RecordStep, int]:
        """The walk for the schema that the value names, and where its body begins; WalkError when there is none."""
        match recognise(value):
            case SingleObject(fingerprint, body_start):
                schema = self._schemas.writer(fingerprint)
            case Confluent(schema_id, body_start):
                schema = self._ids.schema(schema_id)
            case CutFrame():
                raise WalkError(UndecodableReason.TRUNCATED)
            case Unframed():
                raise WalkError(UndecodableReason.UNFRAMED)
        match schema:
            case None:
                raise WalkError(UndecodableReason.UNKNOWN_SCHEMA)
            case RefusedSchema():
                raise WalkError(UndecodableReason.UNSAFE_SCHEMA)
            case WriterSchema():
                return self._resolved(value[:body_start], schema), body_start

    def _resolved(self, frame: bytes, schema: WriterSchema) -> RecordStep:
        step = self._steps.get(frame)
        if step is None:
            step = self._steps[frame] = resolve_record(schema.tree, self.event)
        if isinstance(step, Mismatch):
            raise WalkError(UndecodableReason.SCHEMA_MISMATCH, step.path)
        return step
