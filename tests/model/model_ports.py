"""The ports of one simulated process, over a `Cluster`. Pause points stand wherever a real call could take its time."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from tailrace.domain.kinds import FailureKind
from tailrace.domain.projected import (
    LaneItem,
    Projected,
    ProjectedRecord,
    ProjectorCounts,
    Undecodable,
    UndecodableReason,
    one_by_one,
    record_of,
)
from tailrace.runtime.clock import Deadline
from tailrace.runtime.ports import (
    AssignmentListener,
    Events,
    Fetched,
    GroupOffset,
    Interrupt,
    LedgerMark,
    OutOfRange,
    StoredCursor,
)
from tailrace.runtime.signal import Signal
from tailrace.runtime.sink_port import Accepted, ExportOutcome, Interrupted, Refused, Retriable
from tests.model.cluster import Cluster, read
from tests.model.proof import LETTER, Key
from tests.model.strands import Strands

IN_TIME = 0.6
"""A hand-over that took less than this share of its budget waited for everything: nobody was given up."""


class ModelTime:
    """The clock, and whether the intake is in a hand-over: there it waits, and elsewhere it looks again at once."""

    def __init__(self, strands: Strands) -> None:
        self.at_s = 100.0
        self.handing_over = False
        self.strands = strands

    def now_s(self) -> float:
        return self.at_s

    def wall_us(self) -> int:
        return int(self.at_s * 1e6)

    def idle(self, timeout_s: float) -> None:
        """A lane waits: a little of that time passes, as others do not stand still meanwhile."""
        self.at_s += min(timeout_s, 0.05)

    def wait(self, timeout_s: float) -> None:
        """The intake waits: time passes, and during a hand-over nothing but time lets it go on."""
        self.at_s += timeout_s
        if self.handing_over:
            self.strands.pause(blocked=True)


class ModelProcessor:
    """All of a machine's time goes into the worker, and every look at a thread's own finds a little of it used."""

    def __init__(self, time: ModelTime) -> None:
        self._time = time
        self._used_s = 0.0

    def process_s(self) -> float:
        return 2 * self._time.now_s()

    def thread_s(self) -> float:
        self._used_s += 0.0005
        return self._used_s


class ModelSignal(Signal):
    """A doorbell after which anybody may run."""

    def __init__(self, strands: Strands, wait: Callable[[float], None]) -> None:
        super().__init__()
        self._strands = strands
        self._wait = wait

    def ring(self) -> None:
        self._rings += 1
        self._strands.pause()

    def count(self) -> int:
        return self._rings

    def wait_beyond(self, count: int, timeout_s: float) -> bool:
        self._wait(timeout_s)
        return self._rings > count


class ModelLog:
    """Counts what is reported."""

    def __init__(self, seen: Counter[str]) -> None:
        self._seen = seen

    def event(self, name: str, /, *, level: str = "info", **fields: object) -> None:
        self._seen[f"log: {name}"] += 1


class ModelProjector:
    """Knows what is in the log, and marks each record with the assignment in which it was read."""

    def __init__(self, cluster: Cluster) -> None:
        self._proof = cluster.proof
        self._made: dict[tuple[int, int, int], Projected] = {}

    def counts(self) -> ProjectorCounts:
        return ProjectorCounts()

    def project_all(
        self, partition: int, offsets: Sequence[int], keys: Sequence[bytes | None], values: Sequence[bytes | None]
    ) -> Sequence[Projected]:
        return one_by_one(self.project, partition, offsets, keys, values)

    def project(self, partition: int, offset: int, key: bytes | None, value: bytes | None) -> Projected:
        life = self._proof.life[partition]
        made = self._made.get((partition, offset, life))
        if made is None:
            made = self._made[partition, offset, life] = self._make(partition, offset, life)
        return made

    def _make(self, partition: int, offset: int, life: int) -> Projected:
        slot = self._proof.logs[partition].slots[offset]
        assert slot is not None, "nobody can read an event where there is none"
        mark = life.to_bytes(2, "big")
        if slot.undecodable:
            return Undecodable(partition, offset, UndecodableReason.MALFORMED, "", "", mark, b"")
        run = f"run{offset % 2}"
        return tuple(
            record_of(
                partition=partition,
                offset=offset,
                kind=kind,
                run_key=run,
                family="f",
                agent_id="a",
                key=mark,
                prefix=b"x" * slot.size,
                tail=b"",
            )
            for kind in slot.kinds
        )


def key_of(item: LaneItem) -> Key:
    return item.kind if isinstance(item, ProjectedRecord) else LETTER


class ModelSource:
    """The intake's consumer."""

    def __init__(self, cluster: Cluster, time: ModelTime, drain_s: float) -> None:
        self._cluster = cluster
        self._time = time
        self._strands = time.strands
        self._drain_s = drain_s
        self._reads = 0
        self._listener: AssignmentListener | None = None
        self._positions: dict[int, int] = {}
        self._paused: set[int] = set()
        self._results: list[tuple[Mapping[int, GroupOffset], bool]] = []

    def subscribe(self, listener: AssignmentListener) -> None:
        self._listener = listener

    def poll(self, max_events: int, timeout_s: float) -> Sequence[Fetched | OutOfRange]:
        self._strands.pause()
        if self._time.handing_over:
            self._time.wait(timeout_s)
        cluster = self._cluster
        while cluster.answers:
            self._results.append(cluster.answers.popleft())
        if cluster.news:
            self._tell()
            return []
        polled: list[Fetched | OutOfRange] = []
        for partition, position in list(self._positions.items()):
            log = cluster.logs[partition]
            if partition in self._paused or max_events <= 0:
                continue
            if not log.start <= position <= log.end:
                del self._positions[partition]
                polled.append(OutOfRange(partition))
                cluster.proof.seen["intake out of range"] += 1
                continue
            self._reads += 1
            events, to_offset = read(log, position, max_events, sees_markers=self._reads % 2 == 0)
            if events:
                polled.append(Fetched(partition, position, to_offset, Events.of(events)))
                self._positions[partition] = to_offset
                max_events -= len(events)
        return polled

    def _tell(self) -> None:
        assert self._listener is not None
        cluster, news = self._cluster, self._cluster.news.popleft()
        match news.what:
            case "assigned":
                cluster.held.update(news.partitions)
                for partition in news.partitions:
                    cluster.proof.assigned(partition)
                    cluster.proof.let_go[partition] = False
                self._listener.assigned(news.partitions)
            case "lost":
                # The group gave them to somebody else before we heard of it.
                cluster.hand_over(news.partitions, clean=False)
                cluster.proof.seen["partition lost"] += len(news.partitions)
                self._listener.lost(news.partitions)
                self._let_go(news.partitions)
            case _:
                self._hand_over(news.partitions)

    def _hand_over(self, partitions: Sequence[int]) -> None:
        assert self._listener is not None
        cluster, time = self._cluster, self._time
        nested, time.handing_over = time.handing_over, True
        began_s, wrong = time.now_s(), cluster.commits_gone_wrong
        self._listener.revoked(partitions)
        time.handing_over = nested
        clean = time.now_s() - began_s < IN_TIME * self._drain_s and cluster.commits_gone_wrong == wrong
        cluster.hand_over([p for p in partitions if p in cluster.held], clean=clean and not nested)
        self._let_go(partitions)

    def _let_go(self, partitions: Sequence[int]) -> None:
        self._cluster.let_go(partitions)
        for partition in partitions:
            self._positions.pop(partition, None)
            self._paused.discard(partition)

    def begin(self, partition: int, offset: int) -> None:
        self._positions[partition] = offset
        self._paused.discard(partition)

    def pause(self, partitions: Sequence[int]) -> None:
        self._paused.update(partitions)

    def resume(self, partitions: Sequence[int]) -> None:
        self._paused.difference_update(partitions)

    def group_offsets(self, partitions: Sequence[int], timeout_s: float) -> Mapping[int, GroupOffset] | None:
        self._strands.pause()
        if self._cluster.lookup_fails():
            return None
        return {p: self._cluster.group[p] for p in partitions if p in self._cluster.group}

    def commit(self, offsets: Mapping[int, GroupOffset]) -> None:
        self._cluster.unanswered.append((dict(offsets), self._cluster.commit_group(offsets)))

    def commit_results(self) -> Sequence[tuple[Mapping[int, GroupOffset], bool]]:
        results, self._results = self._results, []
        return results

    def commit_now(self, offsets: Mapping[int, GroupOffset], deadline: Deadline) -> bool:
        self._strands.pause()
        accepted = self._cluster.commit_group(offsets)
        self._strands.pause()
        return accepted

    def start_offset(self, partition: int, timeout_s: float) -> int | None:
        self._strands.pause()
        return None if self._cluster.lookup_fails() else self._cluster.logs[partition].start

    def close(self, deadline: Deadline) -> None:
        """Everything was handed back before; whether cleanly is the caller's to judge."""


class ModelLaneLog:
    """A lane's consumer: cursors and reader."""

    def __init__(self, sink_id: str, cluster: Cluster, strands: Strands) -> None:
        self._sink_id = sink_id
        self._cluster = cluster
        self._strands = strands
        self._positions: dict[int, int] = {}
        self._reads = 0

    def load(self, partitions: Sequence[int], timeout_s: float) -> Mapping[int, StoredCursor] | None:
        self._strands.pause()
        if self._cluster.lookup_fails():
            return None
        stored = self._cluster.cursors[self._sink_id]
        loaded = {p: stored[p] for p in partitions if p in stored}
        self._strands.pause()
        return loaded

    def partitions(self, timeout_s: float) -> Sequence[int] | None:
        self._strands.pause()
        return None if self._cluster.lookup_fails() else range(len(self._cluster.logs))

    def known_elsewhere(self, timeout_s: float) -> bool | None:
        return bool(self._cluster.cursors[self._sink_id])

    def commit(self, cursors: Mapping[int, StoredCursor], timeout_s: float) -> bool:
        confirmed = self._cluster.commit_cursors(self._sink_id, cursors)
        self._strands.pause()
        return confirmed

    def log_range(self, partition: int, timeout_s: float) -> tuple[int, int] | None:
        if self._cluster.lookup_fails():
            return None
        log = self._cluster.logs[partition]
        self._strands.pause()
        return log.start, log.end

    def read_from(self, positions: Mapping[int, int]) -> None:
        self._positions = dict(positions)

    def read(self, max_events: int, timeout_s: float) -> Sequence[Fetched | OutOfRange]:
        self._strands.pause()
        found: list[Fetched | OutOfRange] = []
        for partition, position in list(self._positions.items()):
            log = self._cluster.logs[partition]
            if max_events <= 0:
                break
            if not log.start <= position <= log.end:
                del self._positions[partition]
                found.append(OutOfRange(partition))
                self._cluster.proof.seen["lane out of range"] += 1
                continue
            self._reads += 1
            events, to_offset = read(log, position, max_events, sees_markers=self._reads % 3 == 0)
            if events:
                found.append(Fetched(partition, position, to_offset, Events.of(events)))
                self._positions[partition] = to_offset
                max_events -= len(events)
        self._strands.pause()
        return found

    def tend(self) -> None:
        pass

    def close(self, deadline: Deadline) -> None:
        pass


class ModelSink:
    """Takes a batch in two halves, and then has a mood: one byte per export, accepting where there is none."""

    def __init__(self, sink_id: str, cluster: Cluster, strands: Strands) -> None:
        self._sink_id = sink_id
        self._proof = cluster.proof
        self._weather = cluster.sinks[sink_id]
        self._strands = strands

    def export(self, batch: Sequence[LaneItem], interrupt: Interrupt) -> ExportOutcome:
        self._strands.pause()
        outcome, accepted = self._export(batch, interrupt)
        if accepted < len(batch):
            self._proof.export_failed_at(self._sink_id, batch[accepted].partition, batch[accepted].offset)
        self._strands.pause()
        return outcome

    def _export(self, batch: Sequence[LaneItem], interrupt: Interrupt) -> tuple[ExportOutcome, int]:
        if self._weather.down:
            return Retriable(0, FailureKind.SINK_UNAVAILABLE, "down"), 0
        culprit = next((i for i, item in enumerate(batch) if self._is_refused(item)), None)
        mood = self._weather.moods.popleft() if self._weather.moods else 0
        if culprit is not None:
            return self._refuse(batch, culprit, mood)
        goal = len(batch) if mood % 4 != 1 else mood // 4 % len(batch)
        first = goal // 2
        self._arrive(batch[:first])
        self._strands.pause()
        while self._weather.hangs and not interrupt.is_set():
            self._strands.pause(blocked=True)
        if interrupt.is_set():
            known = first if mood % 2 else 0
            self._unreported(batch[known:first])
            self._proof.seen["export interrupted"] += 1
            return Interrupted(known), known
        self._arrive(batch[first:goal])
        if goal < len(batch):
            self._proof.seen["export accepted in part"] += 1
            return Retriable(goal, FailureKind.SINK_UNAVAILABLE, "in part", 0.5 if mood % 8 == 5 else None), goal
        if mood % 4 == 2:  # all of it arrived, and the answers of the last were lost
            known = mood // 4 % len(batch)
            self._unreported(batch[known:])
            return Retriable(known, FailureKind.SINK_UNAVAILABLE, "unanswered"), known
        return Accepted(), len(batch)

    def _refuse(self, batch: Sequence[LaneItem], culprit: int, mood: int) -> tuple[ExportOutcome, int]:
        """Names the culprit, or the whole batch, or something in between."""
        accepted = (0, culprit, culprit // 2)[mood % 3]
        suspects = len(batch) - accepted if mood % 3 != 1 else 1
        if mood % 3 == 2:
            suspects = min(suspects, culprit - accepted + 2)
        self._arrive(batch[:accepted])
        self._proof.seen["refused, culprit named" if suspects == 1 else "refused, culprit among several"] += 1
        return Refused(accepted, suspects, FailureKind.EXPORT_REJECTED, "refused"), accepted

    def _is_refused(self, item: LaneItem) -> bool:
        return (item.partition, item.offset, key_of(item)) in self._weather.refused

    def _arrive(self, items: Sequence[LaneItem]) -> None:
        for item in items:
            life = int.from_bytes(item.key or b"", "big")
            self._proof.arrives(self._sink_id, item.partition, life, item.offset, key_of(item))

    def _unreported(self, items: Sequence[LaneItem]) -> None:
        for item in items:
            self._proof.unreported(self._sink_id, item.partition, item.offset, key_of(item))

    def abandon(self) -> None:
        pass

    def tend(self) -> None:
        pass

    def close(self, deadline: Deadline) -> None:
        pass


class ModelHistory:
    """Reads the ledger back."""

    def __init__(self, cluster: Cluster, strands: Strands) -> None:
        self._cluster = cluster
        self._strands = strands

    def last_marks(self, sink_id: str) -> Mapping[int, LedgerMark] | None:
        self._strands.pause()
        if self._cluster.lookup_fails():
            return None
        return dict(self._cluster.marks.get(sink_id, {}))
