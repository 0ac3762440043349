"""All projectors as one: what holds of the reference holds of the compiled one and of its machine code."""

from collections.abc import Sequence
from typing import Any

from tailrace.codec.compiled_projector import CompiledProjector
from tailrace.codec.reference_projector import ReferenceProjector
from tailrace.codec.schemas import SchemaStore
from tailrace.domain.projected import Projected, ProjectorCounts


class BothProjectors:
    """Projects with both and fails when they do not say the same."""

    def __init__(self, events_topic: str, schemas: SchemaStore, **more: Any) -> None:
        self._reference = ReferenceProjector(events_topic, schemas, **more)
        self.compiled = CompiledProjector(events_topic, schemas, **more)
        self._native = CompiledProjector(events_topic, schemas, native=True, **more)
        assert self._native.native is not None
        self._native.native.wait()

    @property
    def usage_ignored(self) -> int:
        assert self.compiled.usage_ignored == self._native.usage_ignored == self._reference.usage_ignored
        return self._reference.usage_ignored

    def project(self, partition: int, offset: int, key: bytes | None, value: bytes | None) -> Projected:
        wanted = self._reference.project(partition, offset, key, value)
        assert self.compiled.project(partition, offset, key, value) == wanted
        assert self.project_all(partition, [offset], [key], [value]) == [wanted]
        assert self.compiled.disagreements == self.compiled.by_reference == 0
        return wanted

    def counts(self) -> ProjectorCounts:
        return self._native.counts()

    def project_all(
        self, partition: int, offsets: Sequence[int], keys: Sequence[bytes | None], values: Sequence[bytes | None]
    ) -> Sequence[Projected]:
        return self._native.project_all(partition, offsets, keys, values)
