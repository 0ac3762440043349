"""Which projector a worker has, and what its log hears of it."""

from typing import Final

from tailrace.adapters.logs import StructuredLog
from tailrace.codec.compiled_projector import CompiledProjector
from tailrace.codec.reference_projector import ReferenceProjector
from tailrace.codec.schemas import SchemaStore
from tailrace.runtime.ports import Projector
from tailrace.settings import Settings

READY_WITHIN_S: Final = 2.0
"""How long a worker puts off reading for machine code: four times what it takes to read it from disk on a slow machine.
Where it has to be compiled first, the worker begins without."""


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
    projector = CompiledProjector(
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
    if projector.native is not None:
        projector.native.wait(READY_WITHIN_S)
    return projector


def _tell(logger: StructuredLog, reason: str) -> None:
    if reason:
        logger.event("events are projected by generated Python, without machine code", detail=reason)
    else:
        logger.event("events are projected in machine code from now on")
