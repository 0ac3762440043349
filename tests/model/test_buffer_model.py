"""SinkBuffer against the naive model, operation by operation, in every policy, with and without a byte bound."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tailrace.domain.buffer import (
    Admitted,
    AdmittedBySacrifice,
    BufferLimits,
    Coalesced,
    OfferOutcome,
    ProgressDropped,
    RoomNeeded,
    SinkBuffer,
    SinkMarkedFailed,
    TerminalLost,
)
from tailrace.domain.errors import ContractBroken
from tailrace.domain.kinds import OverflowPolicy
from tests.model.naive_buffer import POLICIES, Item, NaiveBuffer

SEQUENCES = 10_000
LEAST_OPERATIONS = 50
LEAST_HITS = 1_000

BRANCHES = (
    "B3 admitted, one dropped",
    "B3 admitted, several dropped",
    "B3 lost, nothing to drop",
    "B3 lost, progress gone in vain",
    "B4 drop",
    "B4 fail",
    "B4 coalesce, one removed, in",
    "B4 coalesce, one removed, out",
    "B4 coalesce, none removed, out",
    "B4 replay, terminal",
    "B4 replay, progress",
    "all admitted",
    "none admitted",
    "batch of one event",
    "batch of others",
    "given back",
)

SETUP_BYTES, OPERATION_BYTES = 5, 2


class Pair:
    """The buffer and its model, given the same operations. A zero byte only looks, so failures shrink to few steps."""

    def __init__(self, setup: bytes, branches: Counter[str]) -> None:
        policy, capacity, reserve, capacity_bytes, reserve_bytes = setup
        self.policy = POLICIES[policy % 4]
        limits = BufferLimits.agreed(
            BufferLimits(1 + capacity % 8, 1 + reserve % 4),
            BufferLimits(8, 1, 8 + capacity_bytes % 9, 1 + reserve_bytes % 3)
            if capacity_bytes % 3
            else BufferLimits(8, 1),
        )
        self.model = NaiveBuffer(
            self.policy,
            limits.capacity_records,
            limits.reserve_records,
            limits.capacity_bytes,
            limits.reserve_bytes,
            branches,
        )
        self.buffer: SinkBuffer[Item] = SinkBuffer(limits, OverflowPolicy(self.policy), lambda item: item.event)
        self.branches = branches
        self.made = 0
        self.event = 0

    def apply(self, code: int, argument: int) -> str:
        """Do one operation on both, compare what they answer, and say what it was."""
        kind = code % 16
        if kind == 0:
            return "look"
        if kind <= 8:
            return self.offer(argument)
        steps: dict[int, Callable[[int], str]] = {
            9: self.admit_all,
            10: self.take,
            11: self.deliver,
            12: self.acknowledge,
            13: self.acknowledge,
            14: self.give_back,
            15: self.clear,
        }
        return steps[kind](argument)

    def item(self, argument: int) -> Item:
        self.made += 1
        terminal = argument % 3 == 2
        # A large terminal among small progress takes several to make room; one larger than the bound takes all.
        sizes = (0, 1, 8, 8, 8, 13, 13, 40) if terminal else (0, 1, 1, 2, 2, 4, 7, 20)
        return Item(
            number=self.made,
            terminal_preserved=terminal,
            run_key="ab"[argument // 3 % 2],
            size_bytes=sizes[argument // 8 % 8],
            event=self.event,
        )

    def offer(self, argument: int) -> str:
        self.event += argument // 64 % 4 != 0
        item = self.item(argument)
        expected = self.model.offer(item)
        assert plain(self.buffer.offer(item)) == expected
        return f"offer {item} -> {expected}"

    def admit_all(self, argument: int) -> str:
        items = []
        for index in range(argument % 4):
            self.event += index == 0 or argument // 128 == 1
            items.append(self.item(argument // 4 + 5 * index))
        empty = NaiveBuffer(
            self.policy,
            self.model.capacity,
            self.model.reserve,
            self.model.capacity_bytes,
            self.model.reserve_bytes,
            Counter(),
        )
        assert self.buffer.can_ever_fit(items) == empty.fits(items)
        assert self.buffer.fits(items) == self.model.fits(items)
        expected = self.model.admit_all(items)
        assert self.buffer.admit_all(items) == expected
        return f"admit all {items} -> {expected}"

    def take(self, argument: int) -> str:
        max_records, max_bytes = 1 + argument % 5, argument // 5 % 24
        expected = self.model.take(max_records, max_bytes)
        assert self.buffer.take(max_records, max_bytes) == expected
        return f"take {max_records} records, {max_bytes} bytes -> {expected}"

    def deliver(self, argument: int) -> str:
        taken = self.take(argument)
        self.model.acknowledge(self.model.out)
        self.buffer.acknowledge(self.buffer.in_flight)
        return f"{taken}, acknowledge all"

    def acknowledge(self, argument: int) -> str:
        if argument >= 240:
            return self.acknowledge_wrongly(argument - 240)
        count = min(argument % 8, self.model.out)
        self.model.acknowledge(count)
        self.buffer.acknowledge(count)
        return f"acknowledge {count}"

    def acknowledge_wrongly(self, excess: int) -> str:
        count = self.model.out + excess if excess else -1
        with pytest.raises(ContractBroken):
            self.buffer.acknowledge(count)
        return f"acknowledge {count}, refused"

    def give_back(self, _argument: int) -> str:
        expected = self.model.give_back()
        assert self.buffer.give_back() == expected
        return f"give back {expected}"

    def clear(self, argument: int) -> str:
        run_key = "abcd"[argument % 4]
        expected = self.model.clear(run_key)
        assert self.buffer.clear(lambda item: item.run_key == run_key) == expected
        return f"clear {run_key} -> {expected}"

    def compare(self) -> None:
        held, out = self.model.items, self.model.out
        assert list(self.buffer) == held
        assert list(self.buffer.queued()) == held[out:]
        seen = self.buffer.statistics()
        assert (seen.records, seen.bytes) == (len(held), sum(item.size_bytes for item in held))
        progress = [item.size_bytes for item in held if not item.terminal_preserved]
        assert (seen.progress_records, seen.progress_bytes) == (len(progress), sum(progress))
        assert (seen.in_flight_records, seen.in_flight_bytes) == (out, sum(item.size_bytes for item in held[:out]))
        assert (len(self.buffer), self.buffer.size_bytes) == (seen.records, seen.bytes)
        assert (self.buffer.progress_len, self.buffer.in_flight) == (seen.progress_records, seen.in_flight_records)


def plain(outcome: OfferOutcome[Item]) -> tuple[object, ...]:
    match outcome:
        case Admitted():
            return ("admitted",)
        case AdmittedBySacrifice(sacrificed=sacrificed):
            return ("admitted by sacrifice", sacrificed)
        case TerminalLost(sacrificed=sacrificed):
            return ("terminal lost", sacrificed)
        case ProgressDropped():
            return ("progress dropped",)
        case Coalesced(removed=removed, admitted=admitted):
            return ("coalesced", removed, admitted)
        case SinkMarkedFailed():
            return ("sink failed",)
        case RoomNeeded():
            return ("room needed",)


def operations(script: bytes) -> Iterator[tuple[int, int]]:
    return zip(script[SETUP_BYTES::OPERATION_BYTES], script[SETUP_BYTES + 1 :: OPERATION_BYTES], strict=False)


@pytest.mark.slow
@pytest.mark.timeout(1200)  # under a minute alone; on a crowded machine the wall clock says little
def test_buffer_equals_naive_model_over_ten_thousand_sequences() -> None:
    """Rules B1 to B4, batches, acknowledgement, give-back and clearing are those of docs/DESIGN.md, The buffer."""
    branches: Counter[str] = Counter()
    ran: Counter[str] = Counter()

    @settings(
        max_examples=SEQUENCES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.binary(
            min_size=SETUP_BYTES + OPERATION_BYTES * LEAST_OPERATIONS,
            max_size=SETUP_BYTES + OPERATION_BYTES * (LEAST_OPERATIONS + 6),
        )
    )
    def sequences(script: bytes) -> None:
        pair = Pair(script[:SETUP_BYTES], branches)
        done: list[str] = []
        try:
            for code, argument in operations(script):
                done.append(f"{code % 16}({argument})")
                done[-1] = pair.apply(code, argument)
                pair.compare()
        except BaseException:
            note(f"{pair.policy}, {pair.buffer.limits}\n" + "\n".join(step for step in done if step != "look"))
            raise
        assert len(done) >= LEAST_OPERATIONS
        ran["sequences"] += 1
        ran["operations"] += len(done)
        ran[pair.policy] += 1
        ran["with byte bound"] += pair.model.capacity_bytes is not None
        ran[f"capacity {pair.model.capacity}"] += 1

    sequences()
    print(f"\n{dict(ran)}\n" + "\n".join(f"{branches[name]:>8} {name}" for name in BRANCHES))
    assert ran["sequences"] >= SEQUENCES
    assert all(ran[policy] >= LEAST_HITS for policy in POLICIES)
    assert all(ran[f"capacity {capacity}"] for capacity in range(1, 9))
    assert {name: branches[name] for name in BRANCHES if branches[name] < LEAST_HITS} == {}
    assert set(branches) - set(BRANCHES) <= {"nothing to give back"}
