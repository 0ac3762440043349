"""What a record carries of its event, and who gets to see it."""

from tailrace.domain.kinds import ProjectionKind
from tailrace.domain.projected import ProjectedRecord, record_of


def made(event: bytes | None) -> ProjectedRecord:
    return record_of(
        partition=1,
        offset=2,
        kind=ProjectionKind.PROGRESS,
        run_key="run-1",
        family="model",
        agent_id="agent-1",
        key=b"run-1",
        prefix=b"prefix",
        tail=b"tail",
        event=event,
    )


def test_an_event_that_travels_along_counts_against_a_buffer_s_bytes() -> None:
    """The bound is about memory, and an event with content may be most of it."""
    assert made(None).size_bytes == len(b"run-1" + b"prefix" + b"tail")
    assert made(b"x" * 1000).size_bytes == made(None).size_bytes + 1000


def test_value_prefix_and_tail_hold_nothing_of_the_event() -> None:
    """A sink that takes the value as it is takes no content with it."""
    record = made(b"what was said")
    assert (record.value, record.prefix, record.tail) == (b"prefixtail", b"prefix", b"tail")


def test_a_record_does_not_show_its_event() -> None:
    """Not in a traceback, and not in a log line that somebody adds; everything else it shows."""
    shown = repr(made(b"what was said"))
    assert "what was said" not in shown
    assert "event=<13 bytes>" in shown
    assert "value=b'prefixtail'" in shown
    assert repr(made(None)).endswith("event=None)")
