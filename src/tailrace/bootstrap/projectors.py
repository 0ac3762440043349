"""Which projector a worker has, and what its log hears of it."""

from typing import Final

from tailrace.adapters.logs import StructuredLog
from tailrace.codec.compiled_projector import CompiledProjector
from tailrace.codec.reference_projector import ReferenceProjector
from tailrace.codec.schemas import SchemaStore
from tailrace.runtime.clock import Clock, Deadline
from tailrace.runtime.ports import Projector
from tailrace.runtime.stop import LOOK_S, Stop
from tailrace.settings import Settings

READY_WITHIN_S: Final = 5.0
"""How long a worker puts off reading for machine code. To load it takes half a second; on a machine at half its speed,
with a broker at work beside it, three [measured]. Where it has to be compiled first, the worker begins without."""


def make_projector(settings: Settings, schemas: SchemaStore, logger: StructuredLog) -> Projector:
    """The projector that `worker.projector` names; it keeps content along if some sink may get it.

    Raises SchemaInvalid when the schemas are not this version's.
    """
    topic, max_event_bytes, keep_content = settings.events.topic, settings.events.max_event_bytes, settings.captures
    identifiers = settings.identifiers.policy
    if settings.worker.projector == "reference":
        return ReferenceProjector(
            topic, schemas, max_event_bytes=max_event_bytes, keep_content=keep_content, identifiers=identifiers
        )
    return CompiledProjector(
        topic,
        schemas,
        max_event_bytes=max_event_bytes,
        keep_content=keep_content,
        identifiers=identifiers,
        native=settings.worker.projector == "native",
        on_native=lambda reason: _tell(logger, reason),
        on_out_of_reach=lambda frame: logger.event(
            "a writer schema is too large to compile: its events are read by the reference projector",
            level="warning",
            detail=f"frame.{frame.hex()}",
        ),
        on_disagreement=lambda: logger.event(
            "the compiled projector refused what the reference took: please report it, no event is lost",
            level="error",
        ),
    )


def await_machine_code(projector: Projector, clock: Clock, stop: Stop) -> None:
    """Let a worker begin with machine code if that is ready soon; a stop ends the wait."""
    native = projector.native if isinstance(projector, CompiledProjector) else None
    deadline = Deadline.after(clock, READY_WITHIN_S)
    while native is not None and not native.wait(LOOK_S) and not stop.is_set() and not deadline.passed:
        pass


def _tell(logger: StructuredLog, reason: str) -> None:
    if reason:
        logger.event("events are projected by generated Python, without machine code", detail=reason)
    else:
        logger.event("events are projected in machine code from now on")
