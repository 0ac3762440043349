"""Counts consecutive undecodable events per partition, also across restarts, so that a flood of them stops loudly."""

from dataclasses import dataclass


@dataclass(slots=True)
class _Run:
    first_offset: int
    last_offset: int
    count: int


class PoisonWatch:
    """Tells when a partition has met `limit` undecodable events in a row. Not thread-safe: the intake's alone.

    A `limit` of 0 never tells. The run travels in the metadata of the group's commits as `poison=first:last:count`: a
    crash loop on a poisoned partition would otherwise start counting anew each time and eat its way through.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._runs: dict[int, _Run] = {}

    def note(self, partition: int, offset: int, *, undecodable: bool) -> bool:
        """Count the event at `offset`; whether the limit is reached with it."""
        if not undecodable:
            self._runs.pop(partition, None)
            return False
        run = self._runs.setdefault(partition, _Run(offset, offset, 0))
        if offset > run.last_offset or run.count == 0:
            run.last_offset = offset
            run.count += 1
        return 0 < self._limit <= run.count

    def metadata(self, partition: int) -> str:
        """The run as commit metadata; empty without one."""
        run = self._runs.get(partition)
        return "" if run is None else f"poison={run.first_offset}:{run.last_offset}:{run.count}"

    def restore(self, partition: int, metadata: str) -> None:
        """Take up the run that an earlier owner's commit carried; events of it that are read again count once."""
        self._runs.pop(partition, None)
        for part in metadata.split(";"):
            name, _, value = part.partition("=")
            numbers = value.split(":")
            if name == "poison" and len(numbers) == 3 and all(n.isdecimal() for n in numbers):
                self._runs[partition] = _Run(int(numbers[0]), int(numbers[1]), int(numbers[2]))

    def forget(self, partition: int) -> None:
        self._runs.pop(partition, None)
