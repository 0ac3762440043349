"""How a lane comes to stand on newly assigned partitions: load, decide, write down, announce."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tailrace.domain.ledger import LaneIdentity, LaneStarted
from tailrace.runtime.clock import Clock, Deadline
from tailrace.runtime.cursor_track import CursorTrack
from tailrace.runtime.feed import Feed, Mode
from tailrace.runtime.ports import LaneLog, LedgerHistory, LedgerMark, Log, StoredCursor
from tailrace.runtime.starting_point import Impossible, Known, Start, StartAt, decide_start

LOOKUP_TIMEOUT_S = 5.0
"""One look-up's share of a lane's time. A coordinator that is moving answers within a second or two; a lane that waits
longer here could not serve a revocation, and the attachment is simply tried again."""


@dataclass(frozen=True, slots=True)
class LaneFacts:
    """What a lane says of itself in the ledger, and how it starts where nothing is known."""

    identity: LaneIdentity
    topic: str
    topic_id: str | None
    config_digest: str
    projector_version: int
    start_at: StartAt


@dataclass(frozen=True, slots=True)
class Assigned:
    """Partitions that a lane is to attach, under the tag of their assignment."""

    partitions: Sequence[int]
    tag: int


class Attachment:
    """Attaches a lane to partitions. The lane's thread alone; every method gives up after bounded waits."""

    def __init__(
        self,
        *,
        facts: LaneFacts,
        log: LaneLog,
        history: LedgerHistory,
        feed: Feed,
        track: CursorTrack,
        clock: Clock,
        logger: Log,
    ) -> None:
        self._facts = facts
        self._log = log
        self._history = history
        self._feed = feed
        self._track = track
        self._clock = clock
        self._logger = logger
        self._unmet: set[int] = set()

    def attach(self, assigned: Assigned) -> frozenset[int]:
        """Attach to what can be learned of `assigned` in time; the partitions that are attached now.

        The others are to be tried again: one whose leader is away must not keep the lane from all the rest.
        """
        deadline = Deadline.after(self._clock, LOOKUP_TIMEOUT_S)
        stored = self._log.load(assigned.partitions, deadline.remaining_s())
        if stored is None:
            return frozenset()
        past = self._past(deadline) if len(stored) < len(assigned.partitions) else None
        starts: dict[int, tuple[StoredCursor | None, Start | Impossible]] = {}
        for partition in assigned.partitions:
            known = self._known(partition, stored.get(partition), past, deadline)
            if known is not None:
                starts[partition] = (known.stored, decide_start(known, self._facts.start_at))
        new = {p: start for p, (_, start) in starts.items() if isinstance(start, Start) and start.write_down}
        first_meeting = past is not None and not past[1]
        if not self._written_down(new, first_meeting=first_meeting, deadline=deadline):
            starts = {p: start for p, start in starts.items() if p not in new}
        for partition, (before, start) in starts.items():
            match start:
                case Impossible():
                    self._halt(partition, assigned.tag, start.cursor, start.reason)
                case Start():
                    self._stand(partition, assigned.tag, before, start)
        return frozenset(starts)

    def log_moved(self, partition: int) -> None:
        """The log does not have this lane's position any more: note what is gone, or halt if it lies beyond the end."""
        log_range = self._log.log_range(partition, LOOKUP_TIMEOUT_S)
        position = self._feed.log_positions().get(partition)
        if log_range is None or position is None:
            return  # the reader meets the same end again on its next read
        low, high = log_range
        if position > high:
            self._stand_still(partition, position, "cursor_beyond_log_end")
        else:
            self._note_loss(partition, position, low)

    def log_damaged(self, partition: int) -> None:
        """What the log has at this lane's position is no record set, and was none the last time either."""
        position = self._feed.log_positions().get(partition)
        if position is not None:
            self._stand_still(partition, position, "log_damaged")

    def _stand_still(self, partition: int, position: int, reason: str) -> None:
        self._feed.stand_still(partition)
        self._say_halted(partition, position, reason)

    def _past(self, deadline: Deadline) -> tuple[Mapping[int, LedgerMark], bool] | None:
        """The ledger's last marks of this sink, and whether it is known anywhere; None: could not be learned."""
        marks = self._history.last_marks(self._facts.identity.sink_id)
        elsewhere = self._log.known_elsewhere(max(0.1, deadline.remaining_s()))
        return None if marks is None or elsewhere is None else (marks, elsewhere or bool(marks))

    def _known(
        self,
        partition: int,
        stored: StoredCursor | None,
        past: tuple[Mapping[int, LedgerMark], bool] | None,
        deadline: Deadline,
    ) -> Known | None:
        if stored is None and past is None:
            return None
        log_range = self._log.log_range(partition, max(0.1, deadline.remaining_s()))
        if log_range is None:
            return None
        low, high = log_range
        marks, known_elsewhere = past if past is not None else ({}, True)
        mark = marks.get(partition) if stored is None else None
        met = known_elsewhere and partition not in self._unmet
        return Known(stored, mark, met, low, high, self._facts.topic_id)

    def _written_down(self, starts: Mapping[int, Start], *, first_meeting: bool, deadline: Deadline) -> bool:
        """Commit where new cursors begin; at the sink's first meeting with the topic, for all of its partitions.

        For other partitions too, because the worker that is assigned those, now or in an hour, would find the sink
        known on ours, and take what `start_at` says to skip for something that the sink has missed. One that cannot be
        looked up now must not keep the lane from all the rest: this lane remembers that the sink has yet to meet it.
        """
        if not starts:
            return True
        cursors = {p: StoredCursor(start.cursor, 0, 0, self._facts.topic_id) for p, start in starts.items()}
        if first_meeting:
            partitions = self._log.partitions(max(0.1, deadline.remaining_s()))
            if partitions is None:
                return False
            cursors |= self._starts_elsewhere([p for p in partitions if p not in cursors], deadline)
            # Two workers meet the topic for the first time at once: the other one has written its starts down and
            # exports from there while we look ends up, and our later end, on top of its cursor, would pass over what it
            # has taken and not brought to its sink yet. Nothing can make the two steps one; this makes them neighbours.
            met_by_now = self._log.load([p for p in cursors if p not in starts], max(0.1, deadline.remaining_s()))
            if met_by_now is None:
                return False
            cursors = {p: cursor for p, cursor in cursors.items() if p not in met_by_now}
        return self._log.commit(cursors, LOOKUP_TIMEOUT_S)

    def _starts_elsewhere(self, partitions: Sequence[int], deadline: Deadline) -> dict[int, StoredCursor]:
        """Where the sink begins on partitions that are not ours; one that cannot be looked up is remembered."""
        cursors: dict[int, StoredCursor] = {}
        for partition in partitions:
            known = self._known(partition, None, ({}, False), deadline)
            if known is None:
                self._unmet.add(partition)
                continue
            start = decide_start(known, self._facts.start_at)
            cursors[partition] = StoredCursor(start.cursor, 0, 0, self._facts.topic_id)
        return cursors

    def _halt(self, partition: int, tag: int, cursor: int, reason: str) -> None:
        self._feed.halt(partition, tag, cursor)
        self._say_halted(partition, cursor, reason)

    def _say_halted(self, partition: int, cursor: int, reason: str) -> None:
        self._logger.event(
            "lane halted on a partition: it needs somebody to look at it",
            level="error",
            sink=self._facts.identity.sink_id,
            partition=partition,
            cursor=cursor,
            reason=reason,
        )

    def _stand(self, partition: int, tag: int, before: StoredCursor | None, start: Start) -> None:
        facts = self._facts
        entry = LaneStarted(
            lane=facts.identity,
            topic=facts.topic,
            partition=partition,
            cursor=start.cursor,
            cursor_origin=start.origin,
            config_digest=facts.config_digest,
            projector_version=facts.projector_version,
            topic_id=facts.topic_id,
        )
        self._track.begin(partition, tag, before or StoredCursor(start.cursor, 0, 0, facts.topic_id), [entry])
        mode = self._feed.attach(partition, tag, start.cursor, self._clock.now_s())
        self._logger.event(
            "lane started on a partition",
            sink=facts.identity.sink_id,
            partition=partition,
            cursor=start.cursor,
            origin=start.origin.value,
            mode="live" if mode is Mode.LIVE else "catching_up",
        )
        self._note_loss(partition, start.cursor, start.log_begins_at)

    def _note_loss(self, partition: int, position: int, log_begins_at: int) -> None:
        lost = self._feed.lost_below(partition, log_begins_at, "log_start_moved")
        if lost:
            self._logger.event(
                "events were lost to retention before this sink got them",
                level="error",
                sink=self._facts.identity.sink_id,
                partition=partition,
                first_offset=position,
                last_offset=log_begins_at - 1,
                records=lost,
            )
