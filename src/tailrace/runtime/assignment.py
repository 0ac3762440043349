"""Which partitions are ours, from assignment to hand-over, and what the group may commit for them.

    assigned ──> loading ──lanes stand──> reading ──revoked──> handing over ──> forgotten
                                            │  └──lost──────────────────────────> forgotten
                                            └──no sense in reading on──> halted

Nobody commits while loading; what is committed afterwards, and in which order, is `group_commits`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tailrace.runtime.clock import Clock, Deadline
from tailrace.runtime.feed import Mode
from tailrace.runtime.group_commits import GroupCommits, OwnedPartition, Round
from tailrace.runtime.lane import Lane
from tailrace.runtime.poison_watch import PoisonWatch
from tailrace.runtime.ports import EventSource, GroupOffset, Log
from tailrace.runtime.signal import Signal

LOOKUP_TIMEOUT_S = 5.0
"""A look-up on the polling thread; far below any max.poll.interval, and what fails is tried again next turn."""

GROUP_LOOKUP_TIMEOUT_S = 1.0
"""As above, but asked every turn while partitions are loading."""

ATTACH_PATIENCE_S = 3.0
"""How long reading waits for the last lane's cursor. A lane in the middle of a slow export is not waited for: it joins
later by catching up, and so cannot hold up the others."""

REST_SHARE = 0.7
"""The share of a hand-over's budget in which exports may finish; the rest is for the two commits that follow."""


@dataclass(frozen=True, slots=True)
class AssignmentPlan:
    """Bounds in records and monotonic seconds. `near_records`: lanes this close to the furthest share one read."""

    near_records: int
    commit_interval_s: float
    drain_s: float


class Assignment:
    """Implements the source's `AssignmentListener`; everything on the intake's thread."""

    def __init__(
        self,
        *,
        source: EventSource,
        lanes: Sequence[Lane],
        plan: AssignmentPlan,
        poison: PoisonWatch,
        room: Signal,
        clock: Clock,
        logger: Log,
    ) -> None:
        self._source = source
        self._lanes = lanes
        self._plan = plan
        self._poison = poison
        self._room = room
        self._clock = clock
        self._logger = logger
        self._partitions: dict[int, OwnedPartition] = {}
        self._next_tag = 1
        self._commits = GroupCommits(
            source=source,
            lanes=lanes,
            owned=self._partitions,
            poison=poison,
            interval_s=plan.commit_interval_s,
            clock=clock,
        )
        self._hand_over_by: Deadline | None = None

    # ------------------------------------------------------------------------------------- what the source tells us

    def assigned(self, partitions: Sequence[int]) -> None:
        now_s = self._clock.now_s()
        tag = self._next_tag
        self._next_tag += 1
        for partition in partitions:
            self._partitions[partition] = OwnedPartition(tag, now_s)
        self._logger.event("partitions assigned", partitions=list(partitions))
        for lane in self._lanes:
            lane.assign(partitions, tag)

    def revoked(self, partitions: Sequence[int]) -> None:
        ours = [p for p in partitions if p in self._partitions]
        if not ours:
            return
        deadline = self._hand_over_by or Deadline.after(self._clock, self._plan.drain_s)
        self._come_to_rest(ours, deadline)
        closing = self._commits.round_for(ours)
        committed = not closing.offsets and not self._commits.frozen
        if closing.offsets and self._commits.commit_now(closing, deadline):
            committed = self._write_cursors(closing, deadline)
        self._forget(ours)
        self._say_handed_over(ours, committed=committed)

    def _say_handed_over(self, partitions: Sequence[int], *, committed: bool) -> None:
        if committed:
            self._logger.event("partitions handed over", partitions=list(partitions))
            return
        self._logger.event(
            "partitions handed over without their last commit: what it would have covered comes again",
            level="warning",
            partitions=list(partitions),
        )

    def lost(self, partitions: Sequence[int]) -> None:
        ours = [p for p in partitions if p in self._partitions]
        # The new owner may be writing already: what we still send would land behind it. Revoked first, because a lane
        # between two batches has nothing under way to interrupt, and would take one of these the moment after.
        for lane in self._lanes:
            lane.revoke(ours)
            lane.interrupt(ours)
        self._forget(ours)
        self._logger.event("partitions lost: nothing was committed for them", level="warning", partitions=ours)

    # ------------------------------------------------------------------------------------------ what the intake asks

    def reading(self, partition: int) -> bool:
        """Whether what was read of this partition is to be offered."""
        place = self._partitions.get(partition)
        return place is not None and place.reading

    def all_reading(self) -> list[int]:
        """The partitions that are read, halted ones included."""
        return [partition for partition, place in self._partitions.items() if place.reading]

    def halted(self, partition: int) -> bool:
        """Whether nothing more may be read of this partition."""
        place = self._partitions.get(partition)
        return place is not None and place.halted

    def counts(self) -> tuple[int, int]:
        """Partitions assigned, and how many of them are halted."""
        places = list(self._partitions.values())
        return len(places), sum(place.halted for place in places)

    def read_up_to(self, partition: int, to_offset: int) -> None:
        place = self._partitions[partition]
        place.read_to = to_offset
        if place.damaged_at is not None and to_offset > place.damaged_at:
            place.damaged_at = None  # it could be read the second time: damage there later is a first time again

    def begin_loaded(self) -> None:
        """Start reading the partitions whose lanes know where they stand."""
        loading = {p: place for p, place in self._partitions.items() if not place.reading and not place.halted}
        ready = {p: start for p, place in loading.items() if (start := self._start_of(p, place)) is not None}
        if not ready:
            return
        # One question for all of them: a coordinator that is away must not hold up the polls once per partition.
        loaded = self._source.group_offsets(list(ready), GROUP_LOOKUP_TIMEOUT_S)
        if loaded is None:
            return
        for partition, start in ready.items():
            self._begin(partition, start, loaded.get(partition))

    def _start_of(self, partition: int, place: OwnedPartition) -> int | None:
        """Where to begin reading: the lowest of the lanes that are near the furthest one; None: not known yet."""
        stands = {lane.sink_id: lane.feed.standing(partition, place.tag) for lane in self._lanes}
        known = [s for s in stands.values() if s is not None]
        waited_s = self._clock.now_s() - place.since_s
        if len(known) < len(stands) and (not known or waited_s < ATTACH_PATIENCE_S):
            return None
        positions = [position for mode, position in known if mode is not Mode.HALTED]
        if not positions:
            if len(known) == len(stands):
                self.halt(partition, known[0][1], "no_lane_can_read_it")
            return None
        return min(p for p in positions if p >= max(positions) - self._plan.near_records)

    def _begin(self, partition: int, start: int, group_offset: GroupOffset | None) -> None:
        place = self._partitions[partition]
        place.group_offset = group_offset
        if group_offset is not None:
            self._poison.restore(partition, group_offset.metadata)
        for lane in self._lanes:
            lane.feed.begin(partition, start)
        self._source.begin(partition, start)
        place.reading = True
        place.read_to = start
        self._logger.event("reading a partition", partition=partition, offset=start)

    def halt(self, partition: int, offset: int, reason: str) -> None:
        """Read no further on this partition until it is assigned anew; the others flow."""
        place = self._partitions[partition]
        place.halted = True
        self._source.pause([partition])
        for lane in self._lanes:
            lane.feed.end_at(partition, offset + 1)
        self._logger.event(
            "partition halted: it needs somebody to look at it",
            level="error",
            partition=partition,
            offset=offset,
            reason=reason,
        )

    def out_of_range(self, partition: int) -> None:
        """The log does not have our position: go on at its start, or halt if the topic was made anew."""
        place = self._partitions[partition]
        low = self._source.start_offset(partition, LOOKUP_TIMEOUT_S)
        if low is None:
            self._source.begin(partition, place.read_to)  # meets the same end again, and asks again
            return
        if low < place.read_to:
            for lane in self._lanes:
                lane.feed.stand_still(partition)  # one that is behind would read on in what is another log
            self.halt(partition, place.read_to, "position_beyond_log_end")
            return
        for lane in self._lanes:
            lane.feed.lost_ahead(partition, low, "log_start_moved")
        self._logger.event(
            "events were lost to retention before they were read",
            level="error",
            partition=partition,
            first_offset=place.read_to,
            last_offset=low - 1,
        )
        place.read_to = low
        self._source.begin(partition, low)

    def damaged(self, partition: int, offset: int) -> None:
        """Something in the log is no record set: try it once more, then halt, so that nothing is passed over."""
        place = self._partitions[partition]
        if place.damaged_at == offset:
            self.halt(partition, offset, "log_damaged")
            return
        place.damaged_at = offset
        self._source.begin(partition, place.read_to)

    def commit_due(self) -> None:
        """Take in what the group said to the last commit; begin the next one when it is time and anything moved."""
        self._commits.commit_due()

    def freeze(self) -> None:
        """Commit nothing from here on, also not when handing over: offsets no longer mean what they did."""
        self._commits.freeze()

    # -------------------------------------------------------------------------------------------------- handing over

    def hand_back(self, deadline: Deadline) -> bool:
        """Stop reading everything and bring it to a close by `deadline`, before the source is closed.

        Whether every lane came to rest and committed what it has: then nothing comes twice. Commits here are not from
        within a callback, so the result can be waited for with a bound.
        """
        self._hand_over_by = deadline
        ours = list(self._partitions)
        self._source.pause(ours)
        at_rest = self._come_to_rest(ours, deadline)
        self._await_answer(deadline)
        closing = self._commits.round_for(p for p in ours if p in self._partitions)
        committed = not closing.offsets and not self._commits.frozen
        if closing.offsets:
            self._commits.begin(closing)
            self._await_answer(deadline)
            # Refused or unanswered, nothing was granted, and there is nothing that the lanes could write.
            committed = self._commits.accepted and self._write_cursors(closing, deadline)
        left = [p for p in ours if p in self._partitions]
        self._forget(left)
        if left:
            self._say_handed_over(left, committed=committed)
        return at_rest and committed

    def _await_answer(self, deadline: Deadline) -> None:
        while self._commits.under_way and not deadline.passed:
            self._source.poll(1, min(0.05, deadline.remaining_s()))
            self._commits.take_in_result()

    def _come_to_rest(self, partitions: Sequence[int], deadline: Deadline) -> bool:
        """Let what is under way finish, then call it off; whether nothing is left under way."""
        for lane in self._lanes:
            lane.revoke(partitions)
        exports_by = Deadline.after(self._clock, REST_SHARE * deadline.remaining_s())
        running = [lane for lane in self._lanes if lane.crash is None]
        self._wait_for(exports_by, lambda: all(lane.at_rest(partitions) for lane in running))
        late = [lane for lane in running if not lane.at_rest(partitions)]
        for lane in late:
            self._logger.event("lane did not finish before the hand-over", level="warning", sink=lane.sink_id)
            lane.interrupt(partitions)
        if late:
            grace = Deadline.after(self._clock, 0.5 * deadline.remaining_s())
            self._wait_for(grace, lambda: all(lane.at_rest(partitions) for lane in late))
        return all(lane.at_rest(partitions) for lane in running)

    def _write_cursors(self, closing: Round, deadline: Deadline) -> bool:
        """Wait until the lanes have committed, and whether they have; one that hangs on a batch is called off it."""

        def written() -> bool:
            return self._commits.written(closing)

        self._wait_for(Deadline.after(self._clock, 0.5 * deadline.remaining_s()), written)
        if not written():
            for lane in self._lanes:
                lane.call_off()
            self._wait_for(deadline, written)
        return written()

    def _forget(self, partitions: Sequence[int]) -> None:
        for lane in self._lanes:
            lane.revoke(partitions)
            lane.forget(partitions)
        for partition in partitions:
            del self._partitions[partition]
            self._poison.forget(partition)

    def _wait_for(self, deadline: Deadline, condition: Callable[[], bool]) -> None:
        while True:
            rings = self._room.count()
            if condition() or deadline.passed:
                return
            self._room.wait_beyond(rings, min(0.05, deadline.remaining_s()))
