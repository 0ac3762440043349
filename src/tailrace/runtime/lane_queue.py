"""Everything that waits for one sink, in the order in which it is to be sent, and the batch on its way to it.

    front                                                                back
    | read from the log by the lane itself | offered by the intake: the buffer |

What was read from the log goes first: a place reads the log up to where the intake is and is only then fed again, so
of one partition the log's records are always the earlier ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from tailrace.domain.batch import Batch
from tailrace.domain.buffer import SinkBuffer
from tailrace.domain.errors import ContractBroken
from tailrace.domain.load import Load
from tailrace.domain.projected import LaneItem
from tailrace.domain.waiting_line import PlainLine, pop_events

_partition = attrgetter("partition")


@dataclass(frozen=True, slots=True)
class Waiting:
    """What could be taken now; records read from the log go before the buffered ones, and their bytes are not counted.

    `pressing` if an offer waits for room that only taking these can make.
    """

    records: int
    bytes: int
    from_log: bool
    pressing: bool


def event_of(item: LaneItem) -> tuple[int, int]:
    """Which event an item belongs to: a batch ends between two of them."""
    return item.partition, item.offset


class LaneQueue:
    """The buffer and what was read from the log. Not thread-safe: the feed's lock guards it.

    `pressing` is whether an offer waits for room, as far as is known since something was last taken or cleared.
    """

    def __init__(self, buffer: SinkBuffer[LaneItem]) -> None:
        self.buffer = buffer
        self._batch: Batch[LaneItem] = Batch()
        self._from_log: PlainLine[LaneItem] = PlainLine()
        self._in_flight_from_log = False
        self.pressing = False

    def __len__(self) -> int:
        """Records that wait or are on their way."""
        on_their_way = len(self._batch) if self._in_flight_from_log else 0
        return len(self.buffer) + len(self._from_log) + on_their_way

    @property
    def in_flight(self) -> Batch[LaneItem]:
        """What is left of the batch on its way."""
        return self._batch

    @property
    def waiting(self) -> Waiting:
        if len(self._from_log):
            return Waiting(len(self._from_log), 0, from_log=True, pressing=self.pressing)
        return Waiting(len(self.buffer), self.buffer.size_bytes, from_log=False, pressing=self.pressing)

    @property
    def half_empty(self) -> bool:
        """Whether the buffer has room for more than a hiccup."""
        return 2 * len(self.buffer) <= self.buffer.limits.capacity_records

    def read_from_log(self, load: Load[LaneItem]) -> None:
        """Let these, which are of one partition, wait behind what else was read from the log."""
        self._from_log.extend_back(load)

    def take(self, max_records: int, max_bytes: int) -> Batch[LaneItem]:
        """Put the next batch on its way; it ends with `give_back`, before another may be taken."""
        if self._batch:
            raise AssertionError("a lane takes one batch at a time")
        self._in_flight_from_log = len(self._from_log) > 0
        if self._in_flight_from_log:
            self._batch = pop_events(self._from_log, max_records, max_bytes, event_of)
        else:
            self._batch = self.buffer.take(max_records, max_bytes)
            self.pressing = False
        return self._batch

    def let_go(self, records: int) -> tuple[Batch[LaneItem], bool]:
        """Remove the first items of the batch; they, and whether more of the last one's event is still on its way.

        Raises ContractBroken if fewer are on their way.
        """
        if records > len(self._batch):
            raise ContractBroken("let_go", f"{len(self._batch)} records are on their way, not {records}")
        if not self._in_flight_from_log:
            self.buffer.acknowledge(records)
        gone, self._batch = self._batch[:records], self._batch[records:]
        return gone, bool(gone and self._batch) and event_of(gone[-1]) == event_of(self._batch[0])

    def give_back(self) -> set[int]:
        """What is left of the batch waits again, at the front; of which partitions that is."""
        left, self._batch = self._batch, Batch()
        if self._in_flight_from_log:
            self._from_log.extend_front(left)
        else:
            self.buffer.give_back()
        return partitions_of(left)

    def clear_buffered(self, partition: int) -> tuple[LaneItem, ...]:
        """Remove what the intake offered of `partition`, but for what is on its way."""
        self.pressing = False
        return self.buffer.clear(lambda item: item.partition == partition)

    def clear(self, partition: int) -> tuple[LaneItem, ...]:
        """Remove everything of `partition`, but for what is on its way."""
        cleared = self._from_log.remove(lambda item: item.partition == partition)
        return (*cleared, *self.clear_buffered(partition))


def partitions_of(batch: Batch[LaneItem]) -> set[int]:
    """The partitions of what is in it; passes over items that stand singly."""
    return {run[-1].partition for run in runs_of(batch)}


def runs_of(batch: Batch[LaneItem]) -> Iterator[Sequence[LaneItem]]:
    """The batch in pieces of one partition each; of a load that stayed together nobody looks at the items for it."""
    for part in batch.parts:
        if part.load.loose:
            yield from (list(run) for _, run in groupby(part.items, _partition))
        else:
            yield Batch([part])
