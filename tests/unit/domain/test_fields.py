"""A value that exists is valid: identifiers and ranges are checked when it is made."""

import pytest

from tailrace import (
    EntityKind,
    EntityRef,
    EventCursor,
    ExportCursor,
    FanoutConfig,
    InvalidField,
    OverflowPolicy,
    RunScope,
    SinkSpec,
    UsageUnits,
)
from tests.unit.domain import samples


@pytest.mark.parametrize("text", ["a", "x" * 512, "é" * 256, "run with spaces", "läuft/7", "\u2028"])
def test_identifier_is_taken_when_it_is_short_and_has_no_control_character(text: str) -> None:
    """Spaces, separators and letters of any script are an identifier's own business."""
    assert EntityRef(EntityKind.RUN, text).id == text


@pytest.mark.parametrize(
    ("text", "problem"),
    [("", "empty"), ("x" * 513, "512 bytes"), ("é" * 257, "512 bytes"), ("a\nb", "control"), ("\x7f", "control")],
)
def test_identifier_is_refused_when_it_is_empty_too_long_or_has_a_control_character(text: str, problem: str) -> None:
    """The limit is in bytes of UTF-8, and the refusal names the field without repeating the text."""
    with pytest.raises(InvalidField) as refusal:
        EntityRef(EntityKind.RUN, text)
    assert refusal.value.field == "id"
    assert problem in refusal.value.problem
    assert not text or text not in str(refusal.value)


def test_optional_identifier_may_be_missing_but_not_empty() -> None:
    """None says that there is none; an empty one would be a lie."""
    assert ExportCursor(sink_id="s").sink_dedupe_key is None
    with pytest.raises(InvalidField):
        ExportCursor(sink_id="s", sink_dedupe_key="")


def test_event_refuses_an_invalid_identifier() -> None:
    """The edge of the in-process API is where an invalid id is caught."""
    with pytest.raises(InvalidField) as refusal:
        samples.event(event_id="")
    assert refusal.value.field == "event_id"


@pytest.mark.parametrize("count", [-1, 2**64])
def test_count_is_refused_when_it_does_not_fit_64_unsigned_bits(count: int) -> None:
    """A count is what an unsigned 64-bit number can be."""
    with pytest.raises(InvalidField):
        UsageUnits(bytes=count)
    with pytest.raises(InvalidField):
        EventCursor(scope=RunScope("r"), event_seq=count, event_id="e")
    assert UsageUnits(bytes=2**64 - 1).bytes == 2**64 - 1


def test_capacity_and_reserve_of_zero_are_refused() -> None:
    """Rule B1: all above zero."""
    with pytest.raises(InvalidField) as refusal:
        FanoutConfig(queue_capacity=0, terminal_reserve=1, overflow=OverflowPolicy.FAIL_SINK_NOT_RUN)
    assert refusal.value.field == "queue_capacity"
    with pytest.raises(InvalidField) as refusal:
        SinkSpec.test("s", 1).with_terminal_reserve(0)
    assert refusal.value.field == "terminal_reserve"
