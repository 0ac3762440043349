"""The memory budget adds up what the clients are actually told."""

from pathlib import Path

import pytest

from tailrace.domain.content_form import MAX_VALUES
from tailrace.settings import Settings, budget
from tailrace.settings.budget import (
    catch_up_properties,
    content_limit_bytes,
    intake_properties,
    journal_producer_properties,
    max_record_bytes,
    max_record_bytes_of,
    memory_budget,
    sink_producer_properties,
)
from tests.unit.settings.test_settings_capture import WHOLE
from tests.unit.settings.test_settings_capture import text as content_text
from tests.unit.settings.written import loaded, with_section, with_sink

MIB = 1024 * 1024


def parts(folder: Path, text: str | None = None, **environ: str) -> dict[str, int]:
    settings = loaded(folder, text, environ) if text else loaded(folder, environ=environ)
    return {line.part: line.size_bytes for line in memory_budget(settings).lines}


def test_every_lane_is_in_the_budget_and_the_total_is_their_sum(tmp_path: Path) -> None:
    budget = memory_budget(loaded(tmp_path))

    assert [line.part for line in budget.lines] == [
        "process",
        "machine code",
        "intake",
        "offers",
        "ledger",
        "ledger reader",
        "sink analytics: buffer",
        "sink analytics: notes",
        "sink analytics: log reader",
        "sink analytics: producer",
        "sink diagnostic: buffer",
        "sink diagnostic: notes",
        "sink diagnostic: log reader",
        "sink diagnostic: batch",
    ]
    assert budget.total_bytes == sum(line.size_bytes for line in budget.lines)
    assert all(line.how for line in budget.lines)


def test_dead_letters_bring_a_lane_and_a_producer(tmp_path: Path) -> None:
    added = parts(tmp_path, with_section("dead_letter: {topic: dead}")).keys() - parts(tmp_path).keys()

    assert added == {
        "dead letters: buffer",
        "dead letters: notes",
        "dead letters: log reader",
        "dead letters: producer",
        "refused records",
    }


def test_a_lane_holds_what_has_left_of_an_offer_as_long_as_the_rest_of_it_waits(tmp_path: Path) -> None:
    """Records travel by parts of their offer: its memory is free when the last of them has left."""
    of_part = parts(tmp_path)
    for lane in ("sink analytics", "sink diagnostic"):
        assert of_part[f"{lane}: buffer"] == 32 * MIB + 20_000 * 640 + of_part["offers"]


def test_a_lane_that_reads_the_log_holds_a_batch_of_events_in_front_of_its_buffer(tmp_path: Path) -> None:
    before, after = parts(tmp_path), parts(tmp_path, TAILRACE_SINKS__ANALYTICS__BATCH__RECORDS="5000")
    assert after["sink analytics: log reader"] - before["sink analytics: log reader"] == 2_500 * 3 * 640


def test_a_line_grows_with_the_setting_behind_it(tmp_path: Path) -> None:
    before = parts(tmp_path)
    wider = parts(
        tmp_path,
        TAILRACE_SINKS__ANALYTICS__BUFFER__CAPACITY_BYTES=str(64 * MIB),
        TAILRACE_EVENTS__FETCH_KBYTES=str(32 * 1024),
        TAILRACE_SINKS__ANALYTICS__BATCH__BYTES=str(4 * MIB),
        TAILRACE_SINKS__DIAGNOSTIC__MAX_AHEAD_RECORDS="200000",
    )

    grown = {part for part in before if wider[part] > before[part]}
    assert grown == {"intake", "sink analytics: buffer", "sink analytics: producer", "sink diagnostic: notes"}
    assert wider["sink analytics: buffer"] - before["sink analytics: buffer"] == 32 * MIB


def test_a_limit_of_exactly_the_budget_fits_and_one_byte_less_does_not(tmp_path: Path) -> None:
    total = memory_budget(loaded(tmp_path)).total_bytes
    exact = memory_budget(loaded(tmp_path, environ={"TAILRACE_WORKER__MEMORY_LIMIT_BYTES": str(total)}))
    below = loaded(tmp_path).model_copy(
        update={"worker": loaded(tmp_path).worker.model_copy(update={"memory_limit_bytes": total - 1})}
    )

    assert exact.fits
    assert not memory_budget(below).fits


def test_clients_are_told_the_sizes_the_budget_counts(tmp_path: Path) -> None:
    text = with_sink("large", "{kind: durable_trace, topic: t, batch: {bytes: 3145728, records: 5000}}")
    settings = loaded(tmp_path, text)
    events, large = settings.events, settings.sinks["large"]

    intake = intake_properties(events)
    reader = catch_up_properties()
    producer = sink_producer_properties(large.batch, events)

    assert intake["queued.max.messages.kbytes"] == events.fetch_kbytes
    assert intake["fetch.max.bytes"] == 4 * MIB
    assert intake["fetch.message.max.bytes"] == reader["fetch.message.max.bytes"] == MIB
    # Larger ones are sent all the same, and who refuses one gets nothing else.
    assert int(str(intake["receive.message.max.bytes"])) == int(str(reader["receive.message.max.bytes"])) == 10**9
    assert reader["queued.max.messages.kbytes"] == 2_048
    assert reader["fetch.max.bytes"] == MIB
    # A batch never waits for room in the producer, nor does the one record that may be larger than a batch.
    assert int(str(producer["queue.buffering.max.kbytes"])) * 1024 >= 3_145_728 + max_record_bytes(events)
    assert int(str(producer["queue.buffering.max.messages"])) > large.batch.records
    assert producer["message.max.bytes"] == max_record_bytes(events) > events.max_event_bytes
    assert int(str(journal_producer_properties(events)["queue.buffering.max.kbytes"])) == 4_096


def inline(folder: Path, **changes: object) -> Settings:
    return loaded(folder, content_text({**WHOLE, **changes}))


def test_a_sink_with_inline_content_takes_records_that_much_larger(tmp_path: Path) -> None:
    settings = inline(tmp_path)
    batch, limit_bytes = settings.sinks["analytics"].batch, 2_000

    assert content_limit_bytes(settings, "analytics") == limit_bytes
    assert max_record_bytes_of(settings, "analytics") == max_record_bytes(settings.events) + limit_bytes
    assert max_record_bytes_of(settings, "diagnostic") == max_record_bytes(settings.events)
    producer = sink_producer_properties(batch, settings.events, content_bytes=limit_bytes)
    assert producer["message.max.bytes"] == max_record_bytes_of(settings, "analytics")
    queue_bytes = int(str(producer["queue.buffering.max.kbytes"])) * 1024
    assert queue_bytes >= batch.bytes + max_record_bytes_of(settings, "analytics")


@pytest.mark.parametrize(
    "changes",
    [
        {"payloads": False},
        {"payloads": False, "store": {"kind": "omit"}},
        {"payloads": False, "store": {"kind": "reference", "url": "memory:///", "name": "archive"}},
    ],
    ids=["payloads off", "omit", "references"],
)
def test_where_no_content_is_inline_records_stay_as_large_as_they_are(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    settings = inline(tmp_path, **changes)

    assert max_record_bytes_of(settings, "analytics") == max_record_bytes(settings.events)


def test_what_the_content_stage_holds_has_a_line(tmp_path: Path) -> None:
    settings = inline(tmp_path)

    lines = {line.part: line.size_bytes for line in memory_budget(settings).lines}

    batch_bytes, event_bytes = settings.sinks["analytics"].batch.bytes, settings.events.max_event_bytes
    # An event may have three parts; each has a bounded number of values, whatever its size.
    assert lines["sink analytics: content"] == 2 * batch_bytes + 2_000 + 12 * event_bytes + 3 * MAX_VALUES * 700
    assert "sink diagnostic: content" not in lines
    assert lines["sink analytics: producer"] > parts(tmp_path)["sink analytics: producer"]


@pytest.mark.parametrize(("queue_mib", "response_mib", "measured_mib"), [(2, 4, 35.2), (16, 4, 65.9), (2, 1, 13.6)])
def test_what_is_fetched_counts_as_it_is_and_as_it_is_once_unpacked(
    tmp_path: Path, queue_mib: int, response_mib: int, measured_mib: float
) -> None:
    """Measured with one broker and events that pack three to one; the budget counts three."""
    events = loaded(tmp_path).events
    counted = budget._reader_bytes(events, queue_mib * 1024, response_mib * MIB) / MIB
    one_broker = counted - 2 * response_mib * (1 + 3 * 2.5)
    assert measured_mib <= one_broker <= 1.15 * measured_mib


def test_readers_and_intake_have_the_sizes_they_ask_for(tmp_path: Path) -> None:
    of_part, events = parts(tmp_path), loaded(tmp_path).events
    assert of_part["intake"] == budget._reader_bytes(events, 16 * 1024, 4 * MIB)
    assert of_part["ledger reader"] == budget._reader_bytes(events, 2 * 1024, MIB)
    copies = 3 * (2 + 3 * 1 * 3) * MIB + 3 * 2_500 * 640
    assert of_part["sink analytics: log reader"] == of_part["ledger reader"] + copies


def test_huge_events_come_one_at_a_time_and_count_packed_and_unpacked(tmp_path: Path) -> None:
    environ = {
        "TAILRACE_EVENTS__MAX_EVENT_BYTES": str(20 * MIB),
        "TAILRACE_SINKS__ANALYTICS__BUFFER__CAPACITY_BYTES": str(128 * MIB),
        "TAILRACE_SINKS__DIAGNOSTIC__BUFFER__CAPACITY_BYTES": str(128 * MIB),
        "TAILRACE_WORKER__MEMORY_LIMIT_BYTES": str(4096 * MIB),
    }

    settings = loaded(tmp_path, environ=environ)
    lines = {line.part: line for line in memory_budget(settings).lines}

    consumer_bytes = 820 * 1024
    assert lines["intake"].size_bytes == int(16 * 2.5 * MIB) + 3 * 2 * 20 * MIB + consumer_bytes
    assert lines["intake"].how == "16 MiB ahead x 2.5, 3 events of 20 MiB x 2"
    assert lines["ledger reader"].size_bytes == int(2 * 2.5 * MIB) + 3 * 2 * 20 * MIB + consumer_bytes
    copies = 3 * (2 + 3 * 20) * MIB + 3 * 2_500 * 640
    assert lines["sink analytics: log reader"].size_bytes == lines["ledger reader"].size_bytes + copies
    assert int(str(journal_producer_properties(settings.events)["queue.buffering.max.kbytes"])) >= 40 * 1024


@pytest.mark.parametrize(
    ("projector", "installed", "counted"),
    [("native", True, True), ("native", False, False), ("compiled", True, False), ("reference", True, False)],
)
def test_machine_code_is_counted_only_where_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, projector: str, installed: bool, counted: bool
) -> None:
    """Its line is 200 MiB, for which a configuration that fits must not be refused."""
    monkeypatch.setattr(
        "tailrace.settings.budget.find_spec", lambda name: object() if installed and name == "numba" else None
    )
    assert ("machine code" in parts(tmp_path, TAILRACE_WORKER__PROJECTOR=projector)) is counted
