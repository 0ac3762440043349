"""What the log hears of captures: kinds of failure and counts, never content, and no line per record."""

from collections.abc import Iterator

from tailrace.domain.capture import Captured
from tailrace.domain.capture_record import ContentOnRecord, InlinePart, OmittedPart, PartOnRecord, ReferencedPart
from tailrace.domain.capture_store import CaptureFailed
from tailrace.runtime.clock import Clock
from tailrace.runtime.ports import Log

REPEAT_S = 60.0
"""A store that is down fails for every record; a line a minute says as much."""


class CaptureNews:
    """Tells of one lane's captures. The lane's thread alone."""

    def __init__(self, sink_id: str, clock: Clock, logger: Log) -> None:
        self._sink_id = sink_id
        self._clock = clock
        self._logger = logger
        self._failing: tuple[str, str] | None = None
        self._failures = 0
        self._said_at_s = 0.0
        self._warned_of: set[str] = set()
        self._unreadable = self._refused = False
        self.inline = self.references = self.omitted = self.failed = 0

    def captured(self, captured: Captured) -> None:
        """A store has answered, or failed to."""
        if captured.warning is not None and captured.warning.store not in self._warned_of:
            self._warned_of.add(captured.warning.store)
            self._logger.event(
                "a capture store vouches for a redactor that masks nothing: what it calls inline is left out",
                level="warning",
                sink=self._sink_id,
                detail=captured.warning.store,
            )
        if isinstance(captured.result, CaptureFailed):
            self._failed(captured.result)
        elif self._failing is not None:
            self._logger.event("content capture works again", sink=self._sink_id, records=self._failures)
            self._failing, self._failures = None, 0

    def granted(self, content: ContentOnRecord | None) -> None:
        """What came of it on the record."""
        if content is None:
            return
        for part in _parts(content):
            match part:
                case InlinePart():
                    self.inline += 1
                case ReferencedPart():
                    self.references += 1
                case OmittedPart():
                    self.omitted += 1

    def unreadable(self) -> None:
        """An event that was projected could not be read for its content."""
        if not self._unreadable:
            self._unreadable = True
            self._logger.event(
                "content of an event could not be read: its records go on without",
                level="warning",
                sink=self._sink_id,
            )

    def refused_with_content(self) -> None:
        """The sink refused a record for ever and is offered it without content."""
        if not self._refused:
            self._refused = True
            self._logger.event(
                "the sink refused a record with content: it is sent without", level="warning", sink=self._sink_id
            )

    def sum_up(self) -> None:
        """What this lane's records had in all; called once, at the end."""
        self._logger.event(
            "content summary",
            sink=self._sink_id,
            inline=self.inline,
            references=self.references,
            omitted=self.omitted,
            failed=self.failed,
        )

    def _failed(self, failure: CaptureFailed) -> None:
        self.failed += 1
        self._failures += 1
        kind = (failure.problem.value, failure.error_type)
        now_s = self._clock.now_s()
        if kind == self._failing and now_s - self._said_at_s < REPEAT_S:
            return
        self._failing, self._said_at_s = kind, now_s
        self._logger.event(
            "content was not captured: records go on without",
            level="warning",
            sink=self._sink_id,
            reason=failure.problem.value,
            error=failure.error_type or "none",
            records=self._failures,
        )


def _parts(content: ContentOnRecord) -> Iterator[PartOnRecord]:
    if content.system_instructions is not None:
        yield content.system_instructions
    yield content.input_messages
    yield content.output_messages
