"""One simulated life of a worker, driven by bytes: a zero only looks, so what fails shrinks to few steps."""

from collections import Counter

from tailrace.domain.buffer import BufferLimits
from tailrace.domain.kinds import OverflowPolicy, ProjectionKind
from tailrace.domain.ledger import Gap
from tailrace.runtime.exporter import BatchLimits
from tests.model.cluster import SHAPES, Cluster, SinkWeather
from tests.model.model_ports import ModelTime
from tests.model.model_process import LaneShape, Process, Shape
from tests.model.proof import Audience, Proof
from tests.model.strands import TO_THE_END, Strands

POLICIES = (
    OverflowPolicy.REPLAY_FROM_LOG,
    OverflowPolicy.DROP_NON_TERMINAL_PROGRESS,
    OverflowPolicy.COALESCE_PROGRESS_BY_RUN,
    OverflowPolicy.FAIL_SINK_NOT_RUN,
)
SELECTIONS = (
    None,
    None,
    frozenset({ProjectionKind.RUN_TERMINAL, ProjectionKind.USAGE}),
    frozenset({ProjectionKind.PROGRESS}),
)
A_DAY_S = 86_400.0
SETUP_BYTES, OPERATION_BYTES = 32, 2
ACTIONS = (
    *("look",) * 1,
    *("intake",) * 14,
    *("lane",) * 20,
    *("append",) * 7,
    *("ledger",) * 3,
    *("slow ledger",) * 1,
    *("time",) * 3,
    *("mood",) * 3,
    *("weather",) * 2,
    *("answers",) * 1,
    *("go wrong",) * 1,
    *("take away",) * 2,
    *("assign",) * 1,
    *("another",) * 1,
    *("impatience",) * 1,
    *("retention", "expire", "end"),
)
assert len(ACTIONS) == 64
QUIET_ROUNDS = 120
BUSY_ROUNDS = 400


class Script:
    """Bytes to decide by; zero when there are none left."""

    def __init__(self, script: bytes) -> None:
        self._bytes = iter(script)

    def next(self) -> int:
        return next(self._bytes, 0)


def lane_shape(name: str, setup: Script) -> LaneShape:
    policy, capacity, reserve, size, ahead, batch, rest, selection = (setup.next() for _ in range(8))
    return LaneShape(
        audience=Audience(name, SELECTIONS[selection % 4]),
        policy=POLICIES[policy % 4],
        limits=BufferLimits(1 + capacity % 12, 1 + reserve % 3, 20 + size % 60, 1 + size % 8),
        max_ahead_records=2 + ahead % 40,
        batch=BatchLimits(1 + batch % 6, 8 + batch % 50),
        linger_s=0.05 * (rest % 2),
        catch_up_per_s=(3.0, 20.0, 1_000.0)[rest // 2 % 3],
        start_at="latest" if rest % 16 == 7 else "earliest",
    )


class Run:
    def __init__(self, script: bytes, seen: Counter[str]) -> None:
        setup = Script(script[:SETUP_BYTES])
        partitions, lanes, more, patience = (setup.next() for _ in range(4))
        shapes = [lane_shape(name, setup) for name in ("a", "b", "c")[: (2, 3, 2, 1)[lanes % 4]]]
        if more % 4 == 1:
            shapes.append(
                LaneShape(
                    Audience("letters", letters=True),
                    OverflowPolicy.REPLAY_FROM_LOG,
                    BufferLimits(4, 1, 40, 1),
                    20,
                    BatchLimits(3, 40),
                    0.0,
                    1_000.0,
                    "earliest",
                )
            )
        self.shape = Shape(
            tuple(shapes),
            patience_s=(0.0, 0.0, 0.1, 2.0)[patience % 4],
            offer_bytes=8 + patience // 4 % 16,
            near_records=more // 4 % 8,
        )
        self.script = script
        self.proof = Proof(1 + partitions % 3, [s.audience for s in shapes], letters_kept=more % 8 < 4)
        self.proof.seen = seen
        self.seen = seen
        self.cluster = Cluster([s.audience.sink_id for s in shapes], self.proof, ledger_capacity=2 + patience % 7)
        self.time = ModelTime(Strands())
        self.starts = 0
        self.answers_withheld = False
        self.steps: list[str] = []
        self.append(0, 3 + partitions // 4 % 6, partitions)
        self.process = self.start()
        self.cluster.assign(range(len(self.proof.logs)))

    def go(self) -> None:
        """The whole life: what the script says, then the end, at which nothing may be left undone."""
        for code, argument in zip(self.script[SETUP_BYTES::2], self.script[SETUP_BYTES + 1 :: 2], strict=False):
            self.act(code, argument)
        paced = [lane.audience.sink_id for lane in self.shape.lanes if not lane.audience.letters]
        if self.script[1] % 2 and len(paced) > 1:
            self.settle(without=paced[0])
            self.seen["isolated from a sink that is down"] += 1
        self.settle()
        if self.script[1] % 4 == 2 and len(paced) > 1:
            self.keep_busy(self.script[2] % len(paced), self.script[3] % len(self.proof.logs))
            self.settle()
        self.check_at_end()

    def story(self) -> str:
        """What led to a failure."""
        lanes = "\n".join(str(lane) for lane in self.shape.lanes)
        logs = "\n".join(f"{number}: from {log.start}, {log.slots}" for number, log in enumerate(self.proof.logs))
        steps = " ".join(step for step in self.steps if not step.startswith("look"))
        return f"{lanes}\n{logs}\n{steps}"

    def start(self) -> Process:
        self.starts += 1
        return Process(self.cluster, self.time, self.shape, f"start-{self.starts}")

    # ------------------------------------------------------------------------------------------------------- actions

    def act(self, code: int, argument: int) -> None:
        """Do one thing; what it was stands in `steps`."""
        action = ACTIONS[code % len(ACTIONS)]
        self.steps.append(f"{action}({argument})")
        points = TO_THE_END if argument % 2 else 1 + argument // 2 % 12
        match action:
            case "intake":
                self.run_intake(points)
            case "lane":
                self.run_lane(argument // 24 % len(self.shape.lanes), points)
            case "append":
                self.append(argument // 64 % len(self.proof.logs), 1 + argument % 5, argument // 5)
            case "ledger":
                self.ledger(1 + argument % 8, 1 + argument // 8 % 8)
            case "slow ledger":
                self.ledger(argument % 3, argument // 4 % 2)
            case "time":
                self.advance((0.05, 0.2, 0.6, 1.5, 5.0, 20.0, A_DAY_S)[argument % 7])
            case "mood":
                self.weather(argument).moods.extend([argument // 4] * (1 + argument // 32))
            case "weather":
                self.change_weather(argument)
            case "answers":
                self.answers_withheld = argument % 3 == 0
            case "go wrong":
                self.go_wrong(argument)
            case "take away":
                chosen = [p for p in range(len(self.proof.logs)) if argument >> p & 1]
                self.cluster.take_away(chosen, lost=argument // 8 % 2 == 0)
            case "assign":
                self.cluster.assign(range(len(self.proof.logs)))
            case "retention":
                self.retention(argument)
            case "another":
                self.cluster.another_worker(argument % len(self.proof.logs), argument // 4 % 8)
            case "impatience":
                self.lose_patience(argument)
            case "expire":
                lane = self.shape.lanes[argument % len(self.shape.lanes)]
                self.cluster.expire(lane.audience.sink_id)
            case "end":
                self.end_process(argument)
            case _:
                pass

    def run_intake(self, points: int) -> None:
        if not self.answers_withheld:
            self.cluster.answer()
        self.process.run_intake(points)
        if self.process.stopped:
            self.seen["stopped"] += 1
            self.restart()

    def run_lane(self, index: int, points: int) -> None:
        self.process.run_lane(index, points)

    def append(self, partition: int, slots: int, argument: int) -> None:
        log = self.proof.logs[partition]
        for number in range(slots):
            offset = log.end
            log.append(SHAPES[(argument + 7 * number * number + 3 * offset) % len(SHAPES)])
            if (argument + offset) % 9 == 8:
                sink_id = self.shape.lanes[offset % len(self.shape.lanes)].audience.sink_id
                slot = log.slots[-1]
                for key in self.proof.audiences[sink_id].wants(slot) if slot is not None else ():
                    self.cluster.sinks[sink_id].refused.add((partition, offset, key))
                    break

    def ledger(self, written: int, acknowledged: int) -> None:
        for topic in (self.cluster.health, self.cluster.letters):
            topic.write(written)
            topic.acknowledge(acknowledged)

    def advance(self, seconds: float) -> None:
        self.time.at_s += seconds

    def weather(self, argument: int) -> SinkWeather:
        return self.cluster.sinks[self.shape.lanes[argument % len(self.shape.lanes)].audience.sink_id]

    def change_weather(self, argument: int) -> None:
        weather = self.weather(argument)
        if argument // 4 % 3 == 0:
            weather.hangs = not weather.hangs
        else:
            weather.down = not weather.down

    def go_wrong(self, argument: int) -> None:
        match argument % 4:
            case 0:
                self.cluster.group_commits_to_refuse += 1
            case 1:
                self.cluster.lane_commit_fates.append("lost")
            case 2:
                self.cluster.lane_commit_fates.append("unanswered")
            case _:
                self.cluster.lookups_to_fail += 1 + argument // 4 % 3

    def lose_patience(self, argument: int) -> None:
        """One lane is too slow for its neighbours, most often with a batch under way; its sink may be about to fail."""
        if self.process.intake_strand.under_way:
            return  # it is the intake that loses it
        index, everything = argument % len(self.process.lanes), range(len(self.proof.logs))
        lane = self.process.lanes[index]
        for _ in range(argument // 8 % 16):
            if lane.feed.under_way(everything):
                break
            self.run_lane(index, 1)
        self.cluster.sinks[lane.sink_id].down |= argument // 4 % 2 == 0
        self.seen["detached in the middle of a batch"] += lane.feed.under_way(everything)
        for partition in filter(self.process.intake._assignment.reading, everything):
            lane.feed.detach(partition, self.time.now_s())

    def retention(self, argument: int) -> None:
        log = self.proof.logs[argument % len(self.proof.logs)]
        log.start = min(log.end, log.start + argument // 4 % 6)

    def end_process(self, argument: int) -> None:
        """A crash, or the wish for a clean stop, which takes the intake's next turns."""
        if argument % 3 == 0:
            self.process.stopping = True
            return
        self.seen["crash"] += 1
        self.seen["crash with an unacknowledged gap"] += any(
            isinstance(entry, Gap) for entry, _ in (*self.cluster.health.queued, *self.cluster.health.written)
        )
        self.seen["crash in the middle of a batch"] += any(s.under_way for s in self.process.lane_strands)
        self.cluster.health.write(argument // 4 % 8)
        self.restart()

    def restart(self) -> None:
        self.count_detached()
        self.process.crash()
        self.process = self.start()
        self.cluster.assign(range(len(self.proof.logs)))

    # ------------------------------------------------------------------------------------------------- to the end

    def settle(self, *, without: str | None = None) -> None:
        """Let everything be well, but for one sink that is down, until the others have reached the end of the log."""
        cluster = self.cluster
        self.answers_withheld = False
        for sink_id, weather in cluster.sinks.items():
            weather.moods.clear()
            weather.hangs = False
            weather.down = sink_id == without
        self.advance(A_DAY_S)  # cursors that Kafka has forgotten are committed again
        for round_ in range(QUIET_ROUNDS):
            cluster.assign(range(len(self.proof.logs)))
            self.run_intake(TO_THE_END)
            for index in range(len(self.shape.lanes)):
                self.run_lane(index, TO_THE_END)
                self.run_lane(index, TO_THE_END)
            self.ledger(100, 100)
            self.advance(0.3 if round_ % 8 else 70.0)
            if not [name for name in self.proof.behind() if name.split()[0] != without] and not cluster.news:
                return
        raise AssertionError(f"never reached the end of the log, {without} being down: {self.proof.behind()}")

    def keep_busy(self, index: int, partition: int) -> None:
        """Whenever this lane has read the last event, and before it is exported, one more comes: still it gets live."""
        feed, log = self.process.lanes[index].feed, self.proof.logs[partition]
        feed.detach(partition, self.time.now_s())
        for round_ in range(BUSY_ROUNDS):
            if feed.is_live(partition):
                self.seen["live again on a busy partition"] += 1
                return
            if feed.statistics().positions[partition] >= log.end_of_events:
                before = log.end_of_events
                while log.end_of_events == before:
                    self.append(partition, 1, round_)
            self.run_intake(TO_THE_END)
            for lane in range(len(self.shape.lanes)):
                self.run_lane(lane, TO_THE_END)
            self.ledger(100, 100)
            self.advance(0.3)
        raise AssertionError(f"{self.shape.lanes[index].audience.sink_id} is never live on a busy partition")

    def check_at_end(self) -> None:
        """Position and cursor are one, nothing waits, and the books are closed up to the end."""
        for lane in self.process.lanes:
            statistics = lane.feed.statistics()
            assert statistics.buffered_records == 0
            assert statistics.cursors == statistics.positions
            for partition, cursor in statistics.cursors.items():
                assert cursor >= self.proof.logs[partition].end_of_events

    def count_detached(self) -> None:
        self.seen["detached"] += sum(lane.feed.statistics().detached for lane in self.process.lanes)

    def close(self) -> None:
        self.count_detached()
        self.process.strands.kill()
