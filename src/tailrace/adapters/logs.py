"""Life-cycle lines on one stream: JSON for machines, or coloured columns on a terminal; never content.

As JSON a line begins with `at` (UTC, microseconds), `level` and `event`; the fields follow in the order given.
"""

import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TextIO

import structlog

from tailrace.adapters.log_fields import is_name, permitted

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "console"]

# Keys no field can have: `level` itself is the name of a parameter on the way to the renderer.
_AT, _LEVEL = "line at", "line level"

_SEVERITY: Mapping[str, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


CONFIGURATION_WARNING = "CONFWARN"
"""librdkafka's word on properties: that the gapless guarantee is experimental, that one of the pass-through is
for the other sort of client. Both are meant, and every new client says them again."""

CLIENT_LINE_INTERVAL = timedelta(minutes=1)

WHOLE_WRITE_BYTES = 4096
"""What Linux writes to a pipe in one piece, whoever else writes to it (PIPE_BUF, pipe(7)). Several workers share one
standard error, so a longer line could have another one in its middle. Where the system promises less, as macOS does
with 512 bytes, that can happen to lines with long lists."""

_HEAD_BYTES = 256
"""More than time, level, name and line end of any line."""


@dataclass(slots=True)
class _Seen:
    at: datetime
    repeats: int = 0


class StructuredLog:
    """Implements the runtime's `Log`. Thread-safe: a line is written whole, also among those of other processes.

    Only declared fields in their declared form get out (`log_fields`), and an event whose name is not a plain phrase
    is written without it. `level` is the least severe line to write. `now` is the wall clock of the lines. With
    `worker`, each says which of several workers it is of. A line of JSON that would be longer than
    `WHOLE_WRITE_BYTES` is written as several, each with a part of its lists.
    """

    def __init__(
        self, level: Level, form: Format, stream: TextIO, now: Callable[[], datetime], worker: int | None = None
    ) -> None:
        console = form == "console" or (form == "auto" and stream.isatty())
        self._now = now
        self._whose: Mapping[str, object] = {} if worker is None else {"worker": worker}
        self._cut = (lambda fields: iter([fields])) if console else _cut
        self._client_lines = threading.Lock()
        self._seen: dict[tuple[str, str], _Seen] = {}  # guarded by _client_lines
        self._logger = structlog.wrap_logger(
            structlog.WriteLogger(stream),
            processors=[_console(colours=stream.isatty()) if console else _json_line],
            wrapper_class=structlog.make_filtering_bound_logger(_SEVERITY[level]),
        )

    def event(self, name: str, /, *, level: Literal["info", "warning", "error"] = "info", **fields: object) -> None:
        self._write(name, level, fields)

    def client_line(self, level: Literal["debug", "info", "warning"], facility: str, client: str, text: str) -> None:
        """Pass on what librdkafka says of a connection; at most one line a minute of one sort of one client.

        A client that cannot connect says so at every attempt, and there are two clients per lane.
        """
        now = self._now()
        # "tailrace#producer-417": the number counts every client ever made, and a sink that is down makes a new one at
        # each attempt. Kept apart by it, each would have a first line, and an entry here, of its own.
        client = client.rpartition("-")[0] or client
        with self._client_lines:
            seen = self._seen.get((client, facility))
            if seen is not None and now - seen.at < CLIENT_LINE_INTERVAL:
                seen.repeats += 1
                return
            self._seen[client, facility] = _Seen(now)
        printable = "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in text)[:400]
        fields = {"facility": facility, "client": client, "client_text": printable}
        repeats = {"repeats": seen.repeats} if seen is not None and seen.repeats else {}
        self._write("kafka client", level, {**fields, **repeats})

    def _write(self, name: str, level: Level, fields: Mapping[str, object]) -> None:
        at, name = self._now(), name if is_name(name) else "event without a plain name"
        for part in self._cut(permitted({**self._whose, **fields})):
            self._logger.log(_SEVERITY[level], name, **{_AT: at, _LEVEL: level, **part})


class ClientLogger:
    """What `logger=` of a confluent-kafka client takes: it calls `log` from within the client's own poll."""

    def __init__(self, log: StructuredLog) -> None:
        self._log = log

    def log(self, level: int, template: str, *parts: object) -> None:
        """`level` is on the scale of `logging`; the parts are facility, client name and text."""
        del template  # always the same
        facility, client, text = (*map(str, parts), "", "", "")[:3]
        if facility == CONFIGURATION_WARNING:
            level = logging.DEBUG
        # What an unreachable broker costs is said by lanes and intake; here it is never more than a warning.
        mapped: Literal["debug", "info", "warning"] = (
            "warning" if level >= logging.WARNING else "info" if level >= logging.INFO else "debug"
        )
        self._log.client_line(mapped, facility, client, text)


def system_now() -> datetime:
    """The wall clock, in UTC."""
    return datetime.now(UTC)


def _json_line(logger: Any, method: str, line: MutableMapping[str, Any]) -> str:
    del logger, method
    at = line.pop(_AT).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    head = {"at": at, "level": line.pop(_LEVEL), "event": line.pop("event")}
    return json.dumps({**head, **line}, separators=(",", ":"))


def _cut(fields: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The fields of a line, in as many parts as it takes for each to be short enough.

    Lists are cut at the same place, so that those which belong together, such as partitions and their cursors, still
    do. Everything else stands in each part; the forms of the fields keep that short.
    """
    length = max((len(value) for value in fields.values() if isinstance(value, list | tuple)), default=0)
    if length < 2 or len(json.dumps(fields, separators=(",", ":"))) + _HEAD_BYTES <= WHOLE_WRITE_BYTES:
        yield fields
        return
    for part in (slice(None, length // 2), slice(length // 2, None)):
        yield from _cut({n: value[part] if isinstance(value, list | tuple) else value for n, value in fields.items()})


def _console(*, colours: bool) -> Callable[[Any, str, MutableMapping[str, Any]], str]:
    render = structlog.dev.ConsoleRenderer(colors=colours, sort_keys=False, timestamp_key="at", pad_event_to=40)

    def write(logger: Any, method: str, line: MutableMapping[str, Any]) -> str:
        line["at"] = line.pop(_AT).strftime("%H:%M:%S.%f")[:-3]
        line["level"] = line.pop(_LEVEL)
        return str(render(logger, method, line))

    return write
