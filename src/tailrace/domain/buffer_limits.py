"""How much a buffer may hold, and what it holds."""

from dataclasses import dataclass

from tailrace.domain.errors import InvalidField


@dataclass(frozen=True, slots=True)
class BufferLimits:
    """How much a buffer holds, and how much of that progress may not use; all above zero.

    Progress may hold capacity minus reserve, in records and in bytes; a reserve as large as the capacity leaves it
    nothing. `capacity_bytes` None: no byte bound, and then no byte reserve.
    """

    capacity_records: int
    reserve_records: int
    capacity_bytes: int | None = None
    reserve_bytes: int | None = None

    def __post_init__(self) -> None:
        for name in ("capacity_records", "reserve_records", "capacity_bytes", "reserve_bytes"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InvalidField(name, "must be above zero")
        if (self.capacity_bytes is None) is not (self.reserve_bytes is None):
            raise InvalidField("reserve_bytes", "must be given if and only if capacity_bytes is")

    @classmethod
    def agreed(cls, first: "BufferLimits", second: "BufferLimits") -> "BufferLimits":
        """What both sides can live with: the smaller capacity, and the larger reserve as far as it fits into that.

        A side without a byte bound leaves the bytes to the other one. Source: docs/DESIGN.md, The buffer, B1.
        """
        records = min(first.capacity_records, second.capacity_records)
        capacities = [side.capacity_bytes for side in (first, second) if side.capacity_bytes is not None]
        reserves = [side.reserve_bytes for side in (first, second) if side.reserve_bytes is not None]
        return cls(
            capacity_records=records,
            reserve_records=min(max(first.reserve_records, second.reserve_records), records),
            capacity_bytes=min(capacities, default=None),
            reserve_bytes=min(max(reserves), *capacities) if reserves else None,
        )

    @property
    def progress_records(self) -> int:
        """The most progress records."""
        return max(0, self.capacity_records - self.reserve_records)

    @property
    def progress_bytes(self) -> int | None:
        """The most bytes of progress; None without a byte bound."""
        if self.capacity_bytes is None or self.reserve_bytes is None:
            return None
        return max(0, self.capacity_bytes - self.reserve_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class BufferStatistics:
    """What a buffer holds at one moment; items in flight are part of every sum."""

    limits: BufferLimits
    records: int
    bytes: int
    progress_records: int
    progress_bytes: int
    in_flight_records: int
    in_flight_bytes: int
