"""Everything that waits for one sink, in the order in which it is to be sent, and the batch on its way to it.

    front                                                                back
    | read from the log by the lane itself | offered by the intake: the buffer |

What was read from the log goes first: a place reads the log up to where the intake is and is only then fed again, so
of one partition the log's records are always the earlier ones.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from tailrace.domain.buffer import SinkBuffer
from tailrace.domain.errors import ContractBroken
from tailrace.domain.projected import LaneItem


@dataclass(frozen=True, slots=True)
class Waiting:
    """Records that could be taken now; those read from the log go before the buffered ones."""

    records: int
    from_log: bool


class LaneQueue:
    """The buffer and what was read from the log. Not thread-safe: the feed's lock guards it."""

    def __init__(self, buffer: SinkBuffer[LaneItem]) -> None:
        self.buffer = buffer
        self._batch: tuple[LaneItem, ...] = ()
        self._gone = 0  # of the batch
        self._log_items: deque[LaneItem] = deque()
        self._in_flight_from_log = False

    def __len__(self) -> int:
        """Records that wait or are on their way."""
        return len(self.buffer) + len(self._log_items)

    @property
    def in_flight(self) -> Sequence[LaneItem]:
        """What is left of the batch on its way."""
        return self._batch[self._gone :]

    @property
    def waiting(self) -> Waiting:
        if self._log_items:
            return Waiting(len(self._log_items), from_log=True)
        return Waiting(len(self.buffer), from_log=False)

    @property
    def half_empty(self) -> bool:
        """Whether the buffer has room for more than a hiccup."""
        return 2 * len(self.buffer) <= self.buffer.limits.capacity_records

    def read_from_log(self, items: Sequence[LaneItem]) -> None:
        self._log_items.extend(items)

    def take(self, max_records: int, max_bytes: int) -> tuple[LaneItem, ...]:
        """Put the next batch on its way; it ends with `give_back`, before another may be taken."""
        if self._gone < len(self._batch):
            raise AssertionError("a lane takes one batch at a time")
        self._in_flight_from_log = bool(self._log_items)
        if self._in_flight_from_log:
            self._batch = _front(self._log_items, max_records, max_bytes)
        else:
            self._batch = self.buffer.take(max_records, max_bytes)
        self._gone = 0
        return self._batch

    def let_go(self, records: int) -> tuple[Sequence[LaneItem], bool]:
        """Remove the first items of the batch; they, and whether more of the last one's event is still on its way.

        Raises ContractBroken if fewer are on their way.
        """
        end = self._gone + records
        if end > len(self._batch):
            raise ContractBroken("let_go", f"{len(self._batch) - self._gone} records are on their way, not {records}")
        if self._in_flight_from_log:
            for _ in range(records):
                self._log_items.popleft()
        else:
            self.buffer.acknowledge(records)
        gone = self._batch[self._gone : end]
        self._gone = end
        if not gone or end == len(self._batch):
            return gone, False
        last, following = gone[-1], self._batch[end]
        return gone, (last.partition, last.offset) == (following.partition, following.offset)

    def give_back(self) -> set[int]:
        """What is left of the batch waits again, at the front; of which partitions that is."""
        left = {item.partition for item in self.in_flight}
        self._batch, self._gone = (), 0
        if not self._in_flight_from_log:
            self.buffer.give_back()
        return left

    def clear_buffered(self, partition: int) -> tuple[LaneItem, ...]:
        """Remove what the intake offered of `partition`, but for what is on its way."""
        return self.buffer.clear(lambda item: item.partition == partition)

    def clear(self, partition: int) -> tuple[LaneItem, ...]:
        """Remove everything of `partition`, but for what is on its way."""
        on_their_way = len(self.in_flight) if self._in_flight_from_log else 0
        kept: deque[LaneItem] = deque()
        cleared: list[LaneItem] = []
        for index, item in enumerate(self._log_items):
            (cleared if index >= on_their_way and item.partition == partition else kept).append(item)
        self._log_items = kept
        return (*cleared, *self.clear_buffered(partition))


def _front(items: deque[LaneItem], max_records: int, max_bytes: int) -> tuple[LaneItem, ...]:
    """The items at the front within both bounds, at least one event, never half of one."""
    batch: list[LaneItem] = []
    size = 0
    for item in items:
        same_event = bool(batch) and (batch[-1].partition, batch[-1].offset) == (item.partition, item.offset)
        if batch and not same_event and (len(batch) >= max_records or size + item.size_bytes > max_bytes):
            break
        batch.append(item)
        size += item.size_bytes
    return tuple(batch)
