"""A worker that is killed, again and again, at moments when it holds records nobody else has: nothing is lost."""

from collections import defaultdict
from collections.abc import Iterator
from random import Random

import pytest

from tests.kafka.proof import prove
from tests.kafka.sink_records import SinkReader
from tests.kafka.stage import Load, Stage, small_batch, small_buffer, trace
from tests.kafka.waiting import eventually
from tests.kafka.worker_process import LaneView, WorkerProcess

KILLS = 10
EVENTS = 20_000
SINKS = ("quick", "patient", "late")


class Arrivals:
    """Which events each sink's topic holds a record of, followed as it grows."""

    def __init__(self, bootstrap: str, topics: dict[str, str]) -> None:
        self._readers = {sink: SinkReader(bootstrap, topic) for sink, topic in topics.items()}
        self._sources: dict[str, set[tuple[int, int]]] = defaultdict(set)

    def of(self, sink: str) -> set[tuple[int, int]]:
        """The places of all events that the topic holds something of by now."""
        self._sources[sink].update(record.source for record in self._readers[sink].more())
        return self._sources[sink]

    def close(self) -> None:
        for reader in self._readers.values():
            reader.close()


@pytest.fixture
def topics(stage: Stage) -> dict[str, str]:
    topics = {sink: stage.unique(sink) for sink in SINKS}
    stage.create_topics(*topics.values(), letters=False)
    return topics


@pytest.fixture
def arrivals(stage: Stage, topics: dict[str, str]) -> Iterator[Arrivals]:
    following = Arrivals(stage.kafka.bootstrap, topics)
    yield following
    following.close()


@pytest.mark.slow
def test_ten_kills_in_a_row_lose_nothing_and_every_restart_goes_on_where_each_lane_was(
    stage: Stage, topics: dict[str, str], arrivals: Arrivals
) -> None:
    """Each kill takes unacknowledged records of every lane with it; whoever starts next gets all of them again."""
    # Each collects for a while before it exports, and so holds something nearly always; each for longer than the one
    # before it, so that their cursors differ. Lanes start together when they are not further apart than a third of the
    # smallest buffer, and the last one is further behind most of the time.
    config = stage.write(
        stage.configuration(
            {
                "quick": trace(topics["quick"], batch=small_batch(150, 150), buffer=small_buffer(150)),
                "patient": trace(topics["patient"], batch=small_batch(600, 500), buffer=small_buffer(1_200)),
                "late": trace(topics["late"], batch=small_batch(1_000, 2_500), buffer=small_buffer(1_200)),
            },
            letters=False,
        )
    )
    random = Random(20_261)
    with stage.load(3, per_s=260, poison_rate=0.01) as load:
        for _ in range(KILLS):
            worker = stage.start(config)
            worker.wait_for("reading a partition", count=stage.partitions)
            load.wait_for_more(random.randrange(10, 400))
            kill_when_every_lane_has_something_to_lose(stage, worker, load, arrivals)
        load.wait_for(EVENTS)
    last = stage.start(config)
    stage.wait_until_drained(*SINKS, within_s=120)
    last.stop_cleanly()

    assert len(stage.workers) == KILLS + 1
    assert sum(started_behind(worker) for worker in stage.workers[1:]) >= 3
    proof = prove(config, duplicates=True, min_events=EVENTS * 98 // 100)
    assert any(proof.duplicates.values()), "no kill came between an export and its cursor"


def kill_when_every_lane_has_something_to_lose(
    stage: Stage, worker: WorkerProcess, load: Load, arrivals: Arrivals
) -> None:
    """`kill -9` at the first moment from now on at which every lane has taken an event its sink does not have.

    No two lanes may have the same cursors either. The worker is frozen for the look, so that what is seen is still so
    when it dies: a record that is in no topic by then was acknowledged to nobody.
    """

    def frozen_in_such_a_moment() -> bool:
        lanes = worker.snapshot()
        worker.suspend()
        unreadable = set(load.unreadable)
        cursors = {tuple(sorted(stage.cursors(sink).items())) for sink in SINKS}
        if len(cursors) == len(SINKS) and all(
            holds_unacknowledged(lane, arrivals.of(sink) | unreadable) for sink, lane in lanes.items()
        ):
            return True
        worker.resume()
        load.wait_for_more(20)
        return False

    eventually(frozen_in_such_a_moment, within_s=30, what="a moment at which every lane has records to lose")
    worker.kill()


def started_behind(worker: WorkerProcess) -> bool:
    """Whether one of its lanes began by catching up: with a cursor below the offset that the shared intake began at."""
    begun = {line.fields["partition"]: line.fields["offset"] for line in worker.lines("reading a partition")}
    lanes = worker.lines("lane started on a partition")
    return any(line.fields["cursor"] < begun[line.fields["partition"]] for line in lanes)


def holds_unacknowledged(lane: LaneView, elsewhere: set[tuple[int, int]]) -> bool:
    """Whether the lane had taken an event of which nothing has arrived, and which is not one that yields nothing.

    Its cursor is not believed: a lane that commits too early is to be killed in such a moment, too.
    """
    return any(
        (partition, offset) not in elsewhere
        for partition, position in lane.positions.items()
        for offset in reversed(range(position))
    )
