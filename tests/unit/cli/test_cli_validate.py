from pathlib import Path

from typer.testing import CliRunner, Result

from tailrace.cli import app
from tailrace.settings.budget import memory_budget
from tests.unit.settings.test_settings_capture import WHOLE, changed
from tests.unit.settings.test_settings_capture import text as content_text
from tests.unit.settings.written import PLAIN, loaded, with_section

CONFIG = Path(__file__).resolve().parents[3] / "config"


def written(folder: Path, text: str) -> str:
    file = folder / "tailrace.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_a_good_configuration_is_confirmed_with_its_memory_budget(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["validate", "--offline", "-c", written(tmp_path, PLAIN)])

    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    for part in (
        "configuration  ok",
        "content        ok: off for every sink",
        "schemas        ok",
        "clients        ok",
        "memory         ok",
    ):
        assert part in result.stdout
    budget = memory_budget(loaded(tmp_path))
    for line in budget.lines:
        assert line.part in result.stdout
    total = next(line for line in result.stdout.splitlines() if line.strip().startswith("in all"))
    assert total.split()[2] == f"{budget.total_bytes / 1024 / 1024:.1f}"
    assert "2048.0 MiB" in total


def test_the_example_is_a_good_configuration() -> None:
    result = CliRunner().invoke(app, ["validate", "--offline", "-c", str(CONFIG / "tailrace.yaml")])

    assert result.exit_code == 0, result.output


def test_a_warning_is_on_standard_error_and_does_not_fail(tmp_path: Path) -> None:
    file = written(tmp_path, with_section("dead_letter: {topic: d, raw: true}"))

    result = CliRunner().invoke(app, ["validate", "--offline", "-c", file])

    assert result.exit_code == 0
    assert result.stderr.startswith(f"warning: {file}:13: dead_letter.raw: ")


def test_the_sinks_with_content_are_named_with_their_modes(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["validate", "--offline", "-c", written(tmp_path, content_text())])

    assert result.exit_code == 0, result.output
    assert "content        ok: analytics raw_content\n" in result.stdout


def test_raw_content_that_cannot_leave_is_said_in_words(tmp_path: Path) -> None:
    capture = {**WHOLE, "payloads": False, "store": {"kind": "omit"}}

    result = CliRunner().invoke(app, ["validate", "--offline", "-c", written(tmp_path, content_text(capture))])

    assert result.exit_code == 0, result.output
    assert "no content will leave for this sink, whatever the event: capture.store.kind is omit" in result.stderr


def test_a_pattern_that_cannot_be_matched_in_linear_time_fails_the_check(tmp_path: Path) -> None:
    capture = changed("redaction.patterns", [{"category": "again", "pattern": "(nightjar)\\1"}])

    result = CliRunner().invoke(app, ["validate", "--offline", "-c", written(tmp_path, content_text(capture))])

    assert result.exit_code == 1
    assert "content        wrong: capture.redaction.patterns.0: " in result.stdout
    assert "nightjar" not in result.output


def test_a_store_that_cannot_be_made_fails_the_check_and_one_that_can_is_not_made(tmp_path: Path) -> None:
    def validated(url: str) -> Result:
        store = {"kind": "reference", "url": url, "name": "archive"}
        file = written(tmp_path, content_text({**WHOLE, "payloads": False, "store": store}))
        return CliRunner().invoke(app, ["validate", "--offline", "-c", file])

    bad, good = validated("s3://"), validated((tmp_path / "kept").as_uri())

    assert (bad.exit_code, good.exit_code) == (1, 0)
    assert "content        wrong: capture.store: has a URL that cannot be opened" in bad.stdout
    assert not (tmp_path / "kept").exists()


def test_a_budget_over_the_limit_is_refused_with_the_largest_part(tmp_path: Path) -> None:
    file = written(tmp_path, with_section("worker: {memory_limit_bytes: 104857600}"))

    result = CliRunner().invoke(app, ["validate", "--offline", "-c", file])

    assert result.exit_code == 2
    assert "worker.memory_limit_bytes: allows 100 MiB" in result.stderr
    assert "the largest part is machine code with 200" in result.stderr


def test_a_property_librdkafka_does_not_know_is_found_without_a_cluster(tmp_path: Path) -> None:
    file = written(tmp_path, PLAIN.replace("events:\n", "  librdkafka: {socket.timeout.m: 5}\nevents:\n"))

    result = CliRunner().invoke(app, ["validate", "--offline", "-c", file])

    assert result.exit_code == 1
    assert 'clients        wrong: kafka.librdkafka: No such configuration property: "socket.timeout.m"' in result.stdout
    assert "Mend or remove the property." in result.stdout
    assert "memory         ok" in result.stdout


def test_a_property_of_a_sinks_own_cluster_is_checked_too(tmp_path: Path) -> None:
    own = "kafka: {bootstrap_servers: 'far:1', librdkafka: {socket.timeout.ms: never}}"
    file = written(tmp_path, PLAIN + f"  far: {{kind: durable_trace, topic: far, {own}}}\n")

    result = CliRunner().invoke(app, ["validate", "--offline", "-c", file])

    assert result.exit_code == 1
    assert "wrong: sinks.far.kafka.librdkafka: " in result.stdout


def test_without_offline_a_cluster_that_is_not_there_fails_the_check(tmp_path: Path) -> None:
    file = written(tmp_path, PLAIN.replace("kafka-1:9092", "127.0.0.1:1"))

    result = CliRunner().invoke(app, ["validate", "-c", file, "--timeout", "0.2"])

    assert result.exit_code == 1
    assert "topics         unknown: 127.0.0.1:1 did not answer within 0.2 s" in result.stdout
    assert "Check kafka.bootstrap_servers and kafka.security." in result.stdout


def test_several_workers_take_as_much_each_and_their_supervisor_a_process_more(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["validate", "--offline", "-c", written(tmp_path, PLAIN), "--workers", "3"])

    assert result.exit_code == 0, result.output
    budget = memory_budget(loaded(tmp_path))
    process = next(line.size_bytes for line in budget.lines if line.part == "process")
    (line,) = [line for line in result.stdout.splitlines() if line.strip().startswith("3 workers")]
    assert line.split()[2] == f"{(3 * budget.total_bytes + process) / 1024 / 1024:.1f}"


def test_one_worker_has_no_line_for_several(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["validate", "--offline", "-c", written(tmp_path, PLAIN), "--workers", "1"])

    assert "supervisor" not in result.stdout
    assert "workers" not in result.stdout
