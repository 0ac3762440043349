"""Who runs: each takes the same events to the same topics, as a process of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.child import python
from bench.configuration import Names
from bench.peers import bento_build
from bench.peers.environment import python_of
from bench.peers.task import FIRST_EVENT, Task
from tailrace.settings import Settings

SCHEMAS = Path(__file__).parents[1] / "schemas"

WORKER_BEGINS = "reading a partition"


@dataclass(frozen=True, slots=True)
class Course:
    """What one run is given: events to read, topics to write, and what is to be in them."""

    bootstrap: str
    names: Names
    sinks: tuple[str, ...]
    config: Path
    settings: Settings
    events: int
    records: int
    folder: Path

    @property
    def sink_topics(self) -> tuple[str, ...]:
        return tuple(self.names.sink(sink) for sink in self.sinks)

    @property
    def task(self) -> Task:
        return Task(self.bootstrap, self.names.events, self.names.run, self.sink_topics, str(SCHEMAS))


@dataclass(frozen=True, slots=True)
class Process:
    """A command line and what is added to its environment."""

    command: Sequence[str]
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contestant:
    """`begins` is its log's line that starts the clock; `groups` have to be at the log's end once it has stopped.

    Of more than one of `workers` each must have had its share of the events.
    """

    name: str
    begins: str
    process: Callable[[Course], Process]
    groups: Callable[[Course], list[str]]
    writes_the_records: bool = True
    stamps_whole_seconds: bool = False
    most_sinks: int = 8
    workers: int = 1


def worker_groups(course: Course) -> list[str]:
    """A worker's own group and that of each of its sinks."""
    return [course.names.run, *(course.settings.cursor_group(sink) for sink in course.sinks)]


def _own_group(course: Course) -> list[str]:
    return [course.names.run]


def _tailrace(course: Course) -> Process:
    return Process(python("tailrace", "run", "--config", str(course.config)))


def _two_workers(course: Course) -> Process:
    return Process(python("tailrace", "run", "--workers", "2", "--config", str(course.config)))


def _with_projector(projector: str) -> Callable[[Course], Process]:
    arguments = ("--projector", projector)
    return lambda course: Process(python("bench.projector_worker", "--config", str(course.config), *arguments))


def _null(course: Course) -> Process:
    sizes = ("--events", course.events, "--records", course.records)
    return Process(python("bench.null_pipeline", "--config", str(course.config), *map(str, sizes)))


def _peer(peer: str) -> Callable[[Course], Process]:
    return lambda course: Process([python_of(peer), "-m", f"bench.peers.{peer}"], course.task.variables())


def _bento(course: Course) -> Process:
    program = bento_build.binary()
    if program is None:
        raise SystemExit("Bento is built with Go, which is not here; leave it out with --without bento")
    return Process([str(program), "-c", str(bento_build.PIPELINE)], bento_build.variables(course.task, course.folder))


NULL = Contestant("null pipeline", WORKER_BEGINS, _null, lambda _: [], writes_the_records=False)
TAILRACE = Contestant("tailrace", WORKER_BEGINS, _tailrace, worker_groups)
REFERENCE = Contestant("tailrace, reference projector", WORKER_BEGINS, _with_projector("reference"), worker_groups)
FASTAVRO = Contestant("tailrace, projector by fastavro", WORKER_BEGINS, _with_projector("fastavro"), worker_groups)
QUIX = Contestant("Quix Streams", FIRST_EVENT, _peer("quix"), _own_group)
FAST_STREAM = Contestant("FastStream", FIRST_EVENT, _peer("fast_stream"), _own_group)
ARROYO = Contestant("Arroyo", FIRST_EVENT, _peer("arroyo"), _own_group)
BENTO = Contestant(
    "Bento", bento_build.BEGINS, _bento, _own_group, stamps_whole_seconds=True, most_sinks=bento_build.SINKS
)

TWO_WORKERS = Contestant("tailrace, two workers", WORKER_BEGINS, _two_workers, worker_groups, workers=2)

OURS = (TAILRACE, REFERENCE, FASTAVRO)
PYTHON_PEERS = (QUIX, FAST_STREAM, ARROYO)
ALL = (NULL, *OURS, *PYTHON_PEERS, BENTO)
