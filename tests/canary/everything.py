"""Every byte that left a worker: what it wrote to Kafka and to disk, what it said, what commands print of it."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from confluent_kafka import Consumer, Message, TopicPartition
from typer.testing import CliRunner

from tailrace.cli import app
from tests.canary.search import Find, Search
from tests.kafka.committed import committed_places
from tests.kafka.sink_records import read_topic

Places = Mapping[str, bytes]
"""Bytes by the place they were found at."""

BETWEEN = b"\n\xfe\xff\n"


def topic_places(bootstrap: str, name: str, topic: str) -> Iterator[tuple[str, bytes]]:
    messages = read_topic(bootstrap, topic)
    yield f"{name}: values", BETWEEN.join(_bytes(message.value()) for message in messages)
    yield f"{name}: keys", BETWEEN.join(_bytes(message.key()) for message in messages)
    yield f"{name}: headers", BETWEEN.join(part for message in messages for part in _header_parts(message))


def _header_parts(message: Message) -> Iterator[bytes]:
    headers = message.headers() or []
    for name, value in headers.items() if isinstance(headers, dict) else headers:
        yield name.encode()
        yield _bytes(value)


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode() if value is not None else b""


def cursor_place(bootstrap: str, groups: Iterable[str], topic: str, partitions: int) -> bytes:
    """What the groups have committed, with the metadata beside it."""
    said: list[str] = []
    for group in groups:
        reader = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "log_level": 0})
        places = committed_places(reader, [TopicPartition(topic, number) for number in range(partitions)])
        said += [f"{group} {place.partition} {place.offset} {place.metadata}" for place in places]
        reader.close()
    return "\n".join(said).encode()


def file_places(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below the folder, by its first path element; names included, since a name can tell something, too."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            path = file.relative_to(folder)
            place = f"files of {path.parts[0]}" if len(path.parts) > 1 else f"file {path.name}"
            yield place, str(path).encode() + BETWEEN + file.read_bytes() + BETWEEN


def command_place(*arguments: str) -> tuple[int, bytes]:
    """What a command prints, on both streams, and the text of what it raised, if it did; with its exit code."""
    result = CliRunner().invoke(app, list(arguments))
    raised = "" if result.exception is None or isinstance(result.exception, SystemExit) else repr(result.exception)
    return result.exit_code, f"{result.stdout}\n{result.stderr}\n{raised}".encode()


def gathered(places: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    """Pieces of one place brought together."""
    by_place: dict[str, bytes] = {}
    for name, piece in places:
        by_place[name] = by_place.get(name, b"") + piece
    return by_place


def finds(search: Search, places: Places) -> dict[str, frozenset[Find]]:
    """What was found, by the place; places without a find are left out."""
    found = {name: search.within(name.encode() + BETWEEN + searched) for name, searched in places.items()}
    return {name: hits for name, hits in found.items() if hits}
