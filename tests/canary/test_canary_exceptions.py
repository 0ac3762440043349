"""What is raised on the way of content may quote it; nothing that is said or exported of it does."""

from typing import NoReturn

import pytest

from tailrace.codec.event_content import ContentReader
from tailrace.codec.reference_projector import ReferenceProjector
from tailrace.codec.schemas import SchemaStore
from tailrace.domain.capture import capture_prepared, prepare_content
from tailrace.domain.capture_store import CaptureStore, InlineStore, PayloadBundle
from tailrace.domain.json_form import JsonValue
from tailrace.redaction.redactor import usual_redactor
from tailrace.runtime.capture_news import CaptureNews
from tests.canary.events import MAX_EVENT_BYTES, Group, sow
from tests.canary.search import Search
from tests.unit.runtime.fakes import FakeClock, FakeLog

NOW_US = 1_790_000_000_000_000


class QuotingRedactor:
    """Fails, and says on what."""

    is_noop = False

    def redact_json(self, value: JsonValue) -> NoReturn:
        raise ValueError(f"cannot redact {value!r}")


class QuotingStore(InlineStore):
    """Fails, and says on what."""

    def capture(self, bundle: PayloadBundle) -> NoReturn:
        assert bundle.input_messages is not None
        raise OSError(f"cannot keep {bundle.input_messages.encoded!r}")


@pytest.mark.parametrize(
    "store", [InlineStore(QuotingRedactor()), QuotingStore(usual_redactor())], ids=["redactor", "store"]
)
def test_a_failure_that_quotes_content_is_told_without_it(store: CaptureStore) -> None:
    """Neither the values that stand for the failure, nor the log, nor what would go on a record."""
    sowing, reader, log = sow(7, NOW_US), ContentReader(SchemaStore()), FakeLog()
    news = CaptureNews("sink", FakeClock(), log)
    said = []
    for record in sowing.records:
        event = reader.read(record.value or b"")
        if event is None:
            continue
        prepared = prepare_content(event.content, store)
        captured = capture_prepared(
            store, prepared, event.call, part_limit_bytes=MAX_EVENT_BYTES, new_capture_id=lambda: "capture"
        )
        news.captured(captured)
        said += [repr(event.content), repr(prepared), repr(captured)]
    news.sum_up()

    # Ids of a conversation are no text of it, and stand in values that never leave a process.
    looked_for = [canary for canary in sowing.canaries if canary.group is not Group.IDENTIFIERS]
    text = "\n".join([*said, *map(repr, log.lines)])
    assert said
    assert not Search(looked_for).within(text.encode())


def test_no_way_of_reading_a_poison_record_raises() -> None:
    """What is not raised cannot be quoted by whoever catches it."""
    sowing, schemas = sow(7, NOW_US), SchemaStore()
    projector = ReferenceProjector("events", schemas, max_event_bytes=MAX_EVENT_BYTES, keep_content=True)
    reader = ContentReader(schemas)

    for number, record in enumerate(sowing.records):
        projector.project(0, number, record.key, record.value)
        if record.value is not None:
            reader.read(record.value)
