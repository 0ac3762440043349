"""The books of an outsider: what the log held, what arrived where, what the ledger says, what was committed.

Nothing here is shared with the code under test but the vocabulary. Every method is called by a fake at the moment
something became visible outside the process, and fails at once if a promise of docs/DESIGN.md is broken by it.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tailrace.domain.kinds import FailureKind, ProjectionKind
from tailrace.domain.ledger import ExportMark, Gap, GapRun, LaneStarted, LedgerEntry
from tailrace.runtime.ports import RefusedRecord

Key = str
"""What of an event one sink gets: a projection's kind, or `LETTER`."""

LETTER: Key = "letter"
WHOLE: Key = "whole event"


@dataclass(frozen=True)
class Slot:
    """The truth about one event."""

    kinds: tuple[ProjectionKind, ...]
    undecodable: bool = False
    size: int = 1


@dataclass
class PartitionLog:
    """One partition of the events topic; a slot per offset, None where there is no event."""

    slots: list[Slot | None] = field(default_factory=list)
    start: int = 0
    behind_last_event: int = 0

    @property
    def end(self) -> int:
        return len(self.slots)

    @property
    def end_of_events(self) -> int:
        """Behind the last event; what follows is invisible to a reader until the next event comes."""
        return max(self.start, self.behind_last_event)

    def append(self, slot: Slot | None) -> None:
        self.slots.append(slot)
        if slot is not None:
            self.behind_last_event = self.end


@dataclass(frozen=True)
class Audience:
    """What one sink is to get."""

    sink_id: str
    kinds: frozenset[ProjectionKind] | None = None  # None: every kind
    letters: bool = False  # a dead-letter lane: undecodable events and nothing else

    def wants(self, slot: Slot) -> tuple[Key, ...]:
        if self.letters:
            return (LETTER,) if slot.undecodable else ()
        return tuple(kind for kind in slot.kinds if self.kinds is None or kind in self.kinds)

    def owes_gap(self, slot: Slot) -> bool:
        return slot.undecodable and not self.letters


@dataclass
class Account:
    """One sink on one partition."""

    audience: Audience
    cursor: int | None = None
    expired: bool = False  # Kafka has forgotten the cursor; the books have not
    proved: int = 0  # everything from the first cursor to here is accounted for, and acknowledged
    started: bool = False  # the ledger has acknowledged the lane start of this life
    agreed: int | None = None  # how far it was accounted for when the group last accepted a commit in this life
    arrived: dict[int, dict[Key, int]] = field(default_factory=dict)
    gaps: dict[int, dict[Key, tuple[FailureKind, bool]]] = field(default_factory=dict)  # the flag: acknowledged
    letters: set[tuple[int, Key]] = field(default_factory=set)
    loose: set[tuple[int, Key]] = field(default_factory=set)  # may come once more: something explains it
    ever_loose: set[tuple[int, Key]] = field(default_factory=set)
    life: dict[tuple[int, Key], tuple[int, int]] = field(default_factory=dict)  # since the assignment, and its place

    @property
    def last(self) -> tuple[int, int]:
        """The place, by offset and by order within the event, of the last first arrival in this life."""
        return next(reversed(self.life.values())) if self.life else (-1, -1)

    def loosen(self, offset: int, key: Key) -> None:
        self.loose.add((offset, key))
        self.ever_loose.add((offset, key))


class Proof:
    """I1, I2, I3 and I6 over everything that became visible."""

    def __init__(self, partitions: int, audiences: list[Audience], *, letters_kept: bool) -> None:
        self.logs = [PartitionLog() for _ in range(partitions)]
        self.audiences = {audience.sink_id: audience for audience in audiences}
        self.accounts = {(a.sink_id, p): Account(a) for a in audiences for p in range(partitions)}
        self.letters_kept = letters_kept
        self.life = [0] * partitions  # counts assignments
        self.held = [False] * partitions  # ours by assignment and not handed back
        self.let_go = [True] * partitions  # and our process knows that it is not ours
        self.seen: Counter[str] = Counter()

    def of(self, partition: int) -> list[Account]:
        return [account for (_, p), account in self.accounts.items() if p == partition]

    # --------------------------------------------------------------------------------------------------- the sinks

    def arrives(self, sink_id: str, partition: int, life: int, offset: int, key: Key) -> None:
        """I3 and I6: in order, and once, unless something explains a second time."""
        account = self.accounts[sink_id, partition]
        slot = self.logs[partition].slots[offset]
        assert slot is not None
        assert key in account.audience.wants(slot), f"{sink_id} got {key} of {offset}, which it does not want"
        times = account.arrived.setdefault(offset, {})
        times[key] = times.get(key, 0) + 1
        if life != self.life[partition] or not self.held[partition]:
            self.seen["late arrival after the partition was gone"] += 1
            account.loosen(offset, key)
            return
        if times[key] > 1:
            assert (offset, key) in account.loose, f"I6: {sink_id} got {key} of {partition}@{offset} twice"
            account.loose.discard((offset, key))
            self.seen["duplicate explained"] += 1
        if (offset, key) not in account.life:
            place = (offset, account.audience.wants(slot).index(key))
            assert place > account.last, f"I3: {sink_id} got {partition}@{offset} behind {account.last}"
            account.life[offset, key] = place
        assert account.cursor is None or offset >= account.cursor, f"I6: {sink_id} got {offset} below its cursor"

    def export_failed_at(self, sink_id: str, partition: int, offset: int) -> None:
        """What arrived of the event whose export failed may come again with the rest of it."""
        account = self.accounts[sink_id, partition]
        for key in account.arrived.get(offset, {}):
            account.loosen(offset, key)

    def unreported(self, sink_id: str, partition: int, offset: int, key: Key) -> None:
        """It arrived, and the sink did not say so: to us it has yet to come, and what we dropped before it may, too."""
        account = self.accounts[sink_id, partition]
        account.loosen(offset, key)
        account.life.pop((offset, key), None)
        self.seen["arrived without an answer"] += 1

    # -------------------------------------------------------------------------------------------------- the ledger

    def entry_written(self, entry: LedgerEntry, *, ours: bool = True) -> None:
        """Nothing that we write speaks for what the next owner does, and a mark comes only after its lane start."""
        if isinstance(entry, LaneStarted | Gap | ExportMark) and ours:
            what = f"{type(entry).__name__} of {entry.lane.sink_id} on {entry.partition}"
            assert not self.let_go[entry.partition], f"{what} is written although we have let go"
        match entry:
            case LaneStarted():
                account = self.accounts[entry.lane.sink_id, entry.partition]
                for offset in [o for o in account.gaps if o >= entry.cursor]:
                    self.seen["gap void by a lane start"] += 1
                    del account.gaps[offset]
                account.proved = min(account.proved, entry.cursor)
            case Gap():
                self._gap_written(entry)
            case ExportMark():
                account = self.accounts[entry.lane.sink_id, entry.partition]
                assert account.started, f"{what} is written before its lane start is acknowledged"
                self._prove(account, entry.partition, entry.next_offset)
                self.seen["export mark"] += 1
            case _:
                pass

    def _gap_written(self, gap: Gap) -> None:
        account, log = self.accounts[gap.lane.sink_id, gap.partition], self.logs[gap.partition]
        named = 0
        for offset, key in _named(gap):
            named += 1
            slot = log.slots[offset]
            if gap.reason is FailureKind.RETENTION_LOST:
                assert offset < log.start, f"{offset} is called lost and is there"
            else:
                assert slot is not None, f"a gap names {offset}, where there is no event"
                wanted = account.audience.wants(slot)
                fits = slot.undecodable if key == WHOLE else key in wanted
                assert fits, f"a gap names {key} of {gap.partition}@{offset}, which {gap.lane.sink_id} never wanted"
            account.gaps.setdefault(offset, {})[key] = (gap.reason, False)
        assert named == gap.records
        self.seen[f"gap {gap.reason}"] += 1

    def entry_acknowledged(self, entry: LedgerEntry) -> None:
        match entry:
            case LaneStarted():
                self.accounts[entry.lane.sink_id, entry.partition].started = True
            case Gap():
                gaps = self.accounts[entry.lane.sink_id, entry.partition].gaps
                for offset, key in _named(entry):
                    if key in gaps.get(offset, {}):
                        gaps[offset][key] = (entry.reason, True)
            case _:
                pass

    def letter_acknowledged(self, letter: RefusedRecord) -> None:
        record = letter.record
        self.accounts[letter.sink_id, record.partition].letters.add((record.offset, record.kind))

    # ------------------------------------------------------------------------------------------------- the cursors

    def cursor_committed(self, sink_id: str, partition: int, cursor: int) -> None:
        """I1 and I2: forward, over nothing that is not accounted for by now, and after the group agreed."""
        account = self.accounts[sink_id, partition]
        assert cursor <= self.logs[partition].end, f"{sink_id} committed {cursor}, beyond the log"
        before, account.cursor = account.cursor, cursor
        if before is None:
            if account.expired:
                self._prove(account, partition, cursor)
            account.proved = cursor
            return
        assert cursor >= before, f"I2: {sink_id} set its cursor back from {before} to {cursor}"
        assert account.started, f"I2: {sink_id} moved its cursor before its lane start was acknowledged"
        assert account.agreed is not None, f"I2: {sink_id} moved its cursor before the group agreed"
        upto = max(account.agreed, before)
        assert cursor <= upto, f"I2: {sink_id} moved its cursor to {cursor}, and the group agreed to {upto}"
        self._prove(account, partition, cursor)
        for offset in range(before, cursor):
            self._check_exclusive(account, partition, offset)

    def cursor_expired(self, sink_id: str, partition: int) -> None:
        """Kafka forgot the cursor: the sink goes on somewhere before it, and so gets again what it had from there."""
        account = self.accounts[sink_id, partition]
        if account.cursor is not None:
            account.cursor, account.expired = None, True
            for offset, keys in account.arrived.items():
                for key in keys:
                    account.loosen(offset, key)

    def group_committed(self, partition: int, offset: int, before: int | None) -> None:
        """The group moves only to what is true of every sink; its first word, and repeating it, claim nothing."""
        self.group_agrees(partition)
        for account in self.of(partition):
            if account.cursor is not None and before is not None and offset > before:
                self._prove(account, partition, offset)

    def group_agrees(self, partition: int) -> None:
        """We are the owner at this moment, and nobody knows whether at any later one: this far cursors may go."""
        log = self.logs[partition]
        for account in self.of(partition):
            upto = account.proved
            while upto < log.end and self._unaccounted(account, log.slots[upto], partition, upto) is None:
                upto += 1
            account.agreed = upto if account.agreed is None else max(account.agreed, upto)

    def _prove(self, account: Account, partition: int, upto: int) -> None:
        """I1: everything from where the books were last closed up to here is accounted for, acknowledged."""
        slots = self.logs[partition].slots
        for offset in range(account.proved, upto):
            wrong = self._unaccounted(account, slots[offset], partition, offset)
            where = f"I1: {account.audience.sink_id} passed {partition}@{offset} on its way to {upto}"
            assert wrong is None, f"{where} {wrong}"
        account.proved = max(account.proved, upto)

    def _unaccounted(self, account: Account, slot: Slot | None, partition: int, offset: int) -> str | None:
        """What is missing for the event there to be accounted for, if anything is."""
        if slot is None:
            return None
        gaps = account.gaps.get(offset, {})
        whole = WHOLE in gaps and gaps[WHOLE][1]
        if account.audience.owes_gap(slot) and not whole:
            return "without an acknowledged gap, though nobody could read it"
        for key in account.audience.wants(slot):
            exported = key in account.arrived.get(offset, {})
            missed = whole or (key in gaps and gaps[key][1])
            if not exported and not missed:
                return f"without {key}: {gaps}"
            refused = not exported and key in gaps and gaps[key][0] is FailureKind.EXPORT_REJECTED
            if refused and self.letters_kept and (offset, key) not in account.letters:
                return f"without a letter for {key}, which was refused"
        return None

    def _check_exclusive(self, account: Account, partition: int, offset: int) -> None:
        """A gap never names what was exported, unless nobody could know that it was."""
        for key, (reason, _) in account.gaps.get(offset, {}).items():
            if reason is FailureKind.RETENTION_LOST or key not in account.arrived.get(offset, {}):
                continue
            explained = (offset, key) in account.ever_loose
            assert explained, f"{account.audience.sink_id} has {key} of {partition}@{offset} and calls it a gap"
            self.seen["exported beats gap"] += 1

    # ---------------------------------------------------------------------------------------------- whose it is

    def assigned(self, partition: int) -> None:
        self.life[partition] += 1
        self.held[partition] = True
        for account in self.of(partition):
            account.life.clear()
            account.started, account.agreed = False, None

    def gone(self, partition: int, *, clean: bool) -> None:
        """The partition is no longer ours; a clean hand-over leaves nothing that could come twice."""
        self.held[partition] = False
        for account in self.of(partition):
            for offset, keys in account.arrived.items():
                if account.cursor is not None and offset < account.cursor:
                    continue
                for key in keys:
                    if clean and (offset, key) not in account.loose:
                        raise AssertionError(
                            f"I6: {account.audience.sink_id} has {key} of {partition}@{offset} after a clean hand-over "
                            f"at {account.cursor}"
                        )
                    account.loosen(offset, key)
        self.seen["clean hand-over" if clean else "partition gone without a clean end"] += 1

    def owed_by_another(
        self, sink_id: str, partition: int, start: int, upto: int
    ) -> Iterator[tuple[FailureKind, GapRun]]:
        """What another worker exports of these offsets arrives; what it cannot export is yielded as gaps."""
        account, log = self.accounts[sink_id, partition], self.logs[partition]
        if start < log.start:
            yield FailureKind.RETENTION_LOST, GapRun(start, log.start - 1, ())
        for offset in range(max(start, log.start), upto):
            slot = log.slots[offset]
            if slot is None:
                continue
            if account.audience.owes_gap(slot):
                yield FailureKind.UNDECODABLE, GapRun(offset, offset, ())
            for key in account.audience.wants(slot):
                account.loosen(offset, key)  # what we had brought there before may now be there twice
                self.arrives(sink_id, partition, self.life[partition], offset, key)

    # ---------------------------------------------------------------------------------------------------- the end

    def behind(self) -> list[str]:
        """Which sink has not reached the end of which partition."""
        return [
            f"{sink_id} {partition}: {account.cursor} of {self.logs[partition].end_of_events}"
            for (sink_id, partition), account in self.accounts.items()
            if account.cursor is None or account.cursor < self.logs[partition].end_of_events
        ]


def _named(gap: Gap) -> list[tuple[int, Key]]:
    return [
        (offset, key)
        for run in gap.runs
        for offset in range(run.first_offset, run.last_offset + 1)
        for key in (run.kinds or (WHOLE,))
    ]
