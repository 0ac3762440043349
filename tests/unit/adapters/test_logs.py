"""A log line is one JSON object about a life-cycle change, and cannot hold content."""

import ast
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import tailrace
from tailrace.adapters.log_fields import FIELDS, WITHHELD, is_name
from tailrace.adapters.logs import WHOLE_WRITE_BYTES, ClientLogger, Format, Level, StructuredLog


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Wall:
    def __init__(self) -> None:
        self.at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


def log_to(
    stream: io.StringIO, level: Level = "info", form: Format = "json", wall: Wall | None = None
) -> StructuredLog:
    return StructuredLog(level, form, stream, (wall or Wall()).now)


def test_a_line_is_one_json_object_with_time_level_event_and_fields() -> None:
    stream = io.StringIO()

    log_to(stream).event("sink failed", level="warning", sink="analytics", partition=3, detail="BROKER_NOT_AVAILABLE")

    assert stream.getvalue().endswith("\n")
    assert stream.getvalue().count("\n") == 1
    assert list(json.loads(stream.getvalue()).items()) == [
        ("at", "2026-01-02T03:04:05.678901Z"),
        ("level", "warning"),
        ("event", "sink failed"),
        ("sink", "analytics"),
        ("partition", 3),
        ("detail", "BROKER_NOT_AVAILABLE"),
    ]


def test_lines_below_the_level_are_not_written() -> None:
    stream = io.StringIO()
    log = log_to(stream, "warning")

    log.event("lane started")
    log.event("sink failed", level="warning")
    log.event("lane crashed", level="error")

    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["sink failed", "lane crashed"]


CONTENT = {
    "a sentence": "please book a flight to Lisbon",
    "a JSON document": '{"role":"user"}',
    "an e-mail address": "somebody@example.org",
    "a list of texts": ["please book", "a flight"],
    "bytes": b"flight",
    "an exception with a text": ValueError("flight"),
    "a very long token": "x" * 2_000,
    "a line end": "a\nb",
    "non-ASCII text": "Flüge",
    "a mapping": {"prompt": "flight"},
    "nothing": None,
}


@pytest.mark.parametrize("value", CONTENT.values(), ids=CONTENT.keys())
@pytest.mark.parametrize("field", sorted(FIELDS.keys() - {"client_text"}))
def test_a_value_that_is_not_of_its_fields_form_is_withheld(field: str, value: object) -> None:
    stream = io.StringIO()

    log_to(stream).event("sink failed", level="info", **{field: value})

    assert json.loads(stream.getvalue())[field] == WITHHELD


def test_a_field_nobody_declared_is_left_out_and_counted() -> None:
    stream = io.StringIO()

    log_to(stream).event("sink failed", sink="a", prompt="please", value=b"x")

    line = json.loads(stream.getvalue())
    assert line["undeclared_fields"] == 2
    assert line.keys() == {"at", "level", "event", "sink", "undeclared_fields"}


def test_a_truth_value_is_not_a_count() -> None:
    stream = io.StringIO()

    log_to(stream).event("sink failed", records=True)

    assert json.loads(stream.getvalue())["records"] == WITHHELD


@pytest.mark.parametrize("name", ["{prompt}", "prompt=book", "a\nb", "", "x" * 200, "Flüge buchen"])
def test_an_event_without_a_plain_name_is_written_without_it(name: str) -> None:
    stream = io.StringIO()

    log_to(stream).event(name, sink="a")

    assert json.loads(stream.getvalue())["event"] == "event without a plain name"


def test_on_a_terminal_lines_are_for_people_and_have_no_more_in_them() -> None:
    stream = Terminal()

    log_to(stream, form="auto").event("sink failed", sink="analytics", detail="please book", prompt="please")

    text = stream.getvalue()
    assert "03:04:05.678" in text
    assert "sink failed" in text
    assert "analytics" in text
    assert "\x1b[" in text
    assert "please" not in text


def test_the_format_can_be_forced_either_way() -> None:
    terminal, file = Terminal(), io.StringIO()

    log_to(terminal, form="json").event("lane started")
    log_to(file, form="console").event("lane started")

    assert json.loads(terminal.getvalue())["event"] == "lane started"
    assert not file.getvalue().startswith("{")
    assert "\x1b[" not in file.getvalue()


def test_client_lines_say_who_and_what_and_at_most_once_a_minute_each() -> None:
    stream, wall = io.StringIO(), Wall()
    client = ClientLogger(log_to(stream, wall=wall))
    for _ in range(5):
        client.log(40, "%s [%s] %s", "FAIL", "tailrace#producer-1", "Connect failed:\tConnection refused")
    client.log(40, "%s [%s] %s", "FAIL", "tailrace#consumer-2", "Connect failed")
    wall.at += timedelta(minutes=1)
    client.log(40, "%s [%s] %s", "FAIL", "tailrace#producer-1", "Connect failed")
    client.log(30, "%s [%s] %s", "CONFWARN", "tailrace#producer-1", "experimental")
    client.log(10, "%s [%s] %s", "CONF", "tailrace#producer-1", "all of it")

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["client"], line.get("repeats")) for line in lines] == [
        ("tailrace#producer", None),
        ("tailrace#consumer", None),
        ("tailrace#producer", 4),
    ]
    assert lines[0]["client_text"] == "Connect failed:?Connection refused"
    assert {line["level"] for line in lines} == {"warning"}


def test_each_line_says_which_of_several_workers_it_is_of() -> None:
    stream = io.StringIO()
    log = StructuredLog("info", "json", stream, Wall().now, worker=3)

    log.event("lane started", sink="analytics")
    log.client_line("info", "FAIL", "tailrace#producer-1", "Connection refused")

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["worker"] for line in lines] == [3, 3]
    assert [line["event"] for line in lines] == ["lane started", "kafka client"]


def test_a_line_too_long_to_be_written_whole_is_several_that_belong_together() -> None:
    stream = io.StringIO()
    partitions = list(range(1_000))
    cursors = [10**18 + partition for partition in partitions]

    log_to(stream).event("lane snapshot", sink="analytics", partitions=partitions, cursors=cursors, lag=7)

    texts = stream.getvalue().splitlines(keepends=True)
    assert max(map(len, texts)) <= WHOLE_WRITE_BYTES
    # Halved until it fits, and no further.
    assert len(texts) == 8
    lines = [json.loads(text) for text in texts]
    assert [p for line in lines for p in line["partitions"]] == partitions
    assert [c for line in lines for c in line["cursors"]] == cursors
    assert all(len(line["partitions"]) == len(line["cursors"]) for line in lines)
    assert {(line["event"], line["sink"], line["lag"], line["at"]) for line in lines} == {
        ("lane snapshot", "analytics", 7, "2026-01-02T03:04:05.678901Z")
    }


def test_the_longest_line_without_a_list_fits_into_one_write() -> None:
    """Were it longer, it could not be cut."""
    stream = io.StringIO()
    log = StructuredLog("info", "json", stream, Wall().now, worker=10**9)

    log.client_line("warning", "F" * 249, "t" * 160, '"' * 1_000)
    log.event("waiting for Kafka", level="warning", bootstrap_servers="k" * 1_000, reason="r" * 249, code="c" * 249)

    assert max(map(len, stream.getvalue().splitlines(keepends=True))) <= WHOLE_WRITE_BYTES
    assert WITHHELD not in stream.getvalue()


def test_on_a_terminal_a_long_line_stays_one() -> None:
    terminal = Terminal()

    log_to(terminal, form="auto").event("lane snapshot", partitions=list(range(2_000)))

    assert terminal.getvalue().count("\n") == 1


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call of `event` on something called a log, anywhere in the program."""
    for file in sorted(Path(tailrace.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "event":
                receiver = ast.unparse(node.func.value).rpartition(".")[2]
                if receiver.endswith(("log", "logger")):
                    yield f"{file.name}:{node.lineno}", node


def test_every_event_of_the_program_has_a_constant_name_and_declared_fields() -> None:
    wrong = []
    found = list(calls())
    for place, call in found:
        name = call.args[0] if call.args else None
        # One of two constants, chosen by a condition, is still constant.
        names = [name.body, name.orelse] if isinstance(name, ast.IfExp) else [name]
        if len(call.args) != 1 or not all(isinstance(one, ast.Constant) and is_name(one.value) for one in names):
            wrong.append(f"{place}: the event's name is not one plain constant")
        fields = {keyword.arg for keyword in call.keywords} - {"level"}
        wrong += [f"{place}: {field} is not declared" for field in fields if field not in FIELDS]
        wrong += [f"{place}: client_text is librdkafka's alone" for field in fields if field == "client_text"]

    assert wrong == []
    assert len(found) > 10
