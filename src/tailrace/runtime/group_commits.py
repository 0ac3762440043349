"""What the group commits, and what each lane may commit once the group has.

The group's own commit goes first: it is fenced by the group's generation, so if it is refused somebody else owns the
partitions, and the cursors of the lanes, which nothing fences, stay untouched.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tailrace.runtime.clock import Clock, Deadline
from tailrace.runtime.lane import Lane
from tailrace.runtime.poison_watch import PoisonWatch
from tailrace.runtime.ports import EventSource, GroupOffset

ROUND_PATIENCE_S = 120.0
"""The client answers every commit, at the latest when its session has timed out. A round without an answer for longer
than any sensible session was lost with an earlier membership, and must not keep cursors from moving for ever."""

RECOMMIT_S = 6 * 3600.0
"""Idle cursors are committed again this often: Kafka drops a memberless group's offsets after a week."""


@dataclass(slots=True)
class OwnedPartition:
    """A partition of ours under one assignment, which its `tag` names; the intake's thread alone.

    It is `reading` once the lanes stood, and `halted` when nothing more of it may be read. `read_to` is the source's
    position, `group_offset` what the group has committed as far as that is known.
    """

    tag: int
    since_s: float
    reading: bool = False
    halted: bool = False
    read_to: int = 0
    damaged_at: int | None = None
    group_offset: GroupOffset | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """One commit of the group, and what each lane may commit once it is accepted."""

    offsets: dict[int, GroupOffset]
    grants: dict[str, dict[int, int]]
    tags: dict[int, int]

    def answered_by(self, offsets: Mapping[int, GroupOffset]) -> bool:
        """Whether an answer is to this round, and not to one that was given up before it."""
        return {p: o.next_offset for p, o in offsets.items()} == {p: o.next_offset for p, o in self.offsets.items()}


class GroupCommits:
    """Rounds of commits for the partitions in `owned`, which its owner keeps; everything on the intake's thread."""

    def __init__(
        self,
        *,
        source: EventSource,
        lanes: Sequence[Lane],
        owned: Mapping[int, OwnedPartition],
        poison: PoisonWatch,
        interval_s: float,
        clock: Clock,
    ) -> None:
        self._source = source
        self._lanes = lanes
        self._owned = owned
        self._poison = poison
        self._interval_s = interval_s
        self._clock = clock
        self._round: Round | None = None
        self._round_at_s = 0.0
        self.frozen = False
        self.accepted = False  # whether the group took the last round that it answered
        self._committed: dict[str, dict[int, int]] = {}
        self._commit_at_s = 0.0
        self._recommit_at_s = clock.now_s() + RECOMMIT_S

    def commit_due(self) -> None:
        """Take in the last round's result; begin the next one when it is time and anything has moved."""
        self.take_in_result()
        now_s = self._clock.now_s()
        if self._round is not None and now_s - self._round_at_s > ROUND_PATIENCE_S:
            self._round = None
        if self._round is not None or now_s < self._commit_at_s:
            return
        self._commit_at_s = now_s + self._interval_s
        again = now_s >= self._recommit_at_s
        offered = self.round_for(self._owned)
        # What was granted is granted again until it is written: a lane's commit may fail when nothing moves any more.
        if offered.offsets and (again or offered.grants != self._committed or not self.written(offered)):
            if again:
                self._recommit_at_s = now_s + RECOMMIT_S
                for lane in self._lanes:
                    lane.commit_again()
            self.begin(offered)

    @property
    def under_way(self) -> bool:
        """Whether the group has yet to answer a round."""
        return self._round is not None

    def freeze(self) -> None:
        """Offer nothing from here on; what was granted before may still be committed."""
        self.frozen = True

    def begin(self, closing: Round) -> None:
        """Commit this round; `take_in_result` brings the answer."""
        self._round = closing
        self.accepted = False
        self._round_at_s = self._clock.now_s()
        self._source.commit(closing.offsets)

    def commit_now(self, closing: Round, deadline: Deadline) -> bool:
        """Commit this round and wait for the answer, from within a revocation; whether the group accepted in time."""
        accepted = self._source.commit_now(closing.offsets, deadline)
        if accepted:
            self._grant(closing)
        return accepted

    def round_for(self, partitions: Iterable[int]) -> Round:
        """What the group may commit now, and what each lane may commit once it has."""
        cleared = {lane.sink_id: lane.cleared() for lane in self._lanes}
        offsets: dict[int, GroupOffset] = {}
        grants: dict[str, dict[int, int]] = {lane.sink_id: {} for lane in self._lanes}
        tags: dict[int, int] = {}
        for partition in partitions:
            place = self._owned[partition]
            if self.frozen or not place.reading:
                continue  # nothing was offered, and what the group has committed is not known yet
            cursors = {
                sink_id: of_lane[partition].next_offset
                for sink_id, of_lane in cleared.items()
                if partition in of_lane and of_lane[partition].tag == place.tag
            }
            if len(cursors) < len(self._lanes):
                # A lane without a cursor yet could be anywhere: repeat what the group has, only to be fenced by it. A
                # new group has nothing: without a first word, the slowest lane to start would hold up all the others.
                if place.group_offset is None and cursors:
                    place.group_offset = GroupOffset(min(cursors.values()), "")
                if place.group_offset is None:
                    continue
                offsets[partition] = place.group_offset
            else:
                offsets[partition] = GroupOffset(min(cursors.values()), self._poison.metadata(partition))
            tags[partition] = place.tag
            for sink_id, cursor in cursors.items():
                grants[sink_id][partition] = cursor
        return Round(offsets, grants, tags)

    def take_in_result(self) -> None:
        """If the group has answered the round under way, end it; let the lanes commit if it was accepted."""
        for offsets, accepted in self._source.commit_results():
            if self._round is not None and self._round.answered_by(offsets):
                finished, self._round = self._round, None
                self.accepted = accepted
                if accepted:
                    self._grant(finished)

    def _grant(self, accepted: Round) -> None:
        for lane in self._lanes:
            granted = accepted.grants[lane.sink_id]
            lane.grant({partition: cursor for partition, cursor in granted.items() if self._still(accepted, partition)})
        self._committed = accepted.grants
        for partition, offset in accepted.offsets.items():
            if self._still(accepted, partition):
                self._owned[partition].group_offset = offset

    def _still(self, round_: Round, partition: int) -> bool:
        """Whether a round speaks of our present assignment: an answer may come after a partition left and came back."""
        place = self._owned.get(partition)
        return place is not None and place.tag == round_.tags[partition]

    def written(self, round_: Round) -> bool:
        """Whether every lane has committed what it was granted."""
        return all(
            lane.committed(granted).get(partition, -1) >= cursor
            for lane in self._lanes
            if lane.crash is None
            if (granted := round_.grants[lane.sink_id])
            for partition, cursor in granted.items()
            if self._still(round_, partition)  # what was handed over meanwhile was written then
        )
