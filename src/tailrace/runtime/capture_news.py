"""What the log hears of captures: kinds of failure and counts, never content, and no line per record."""

from collections.abc import Iterable, Iterator

from tailrace.domain.capture import Captured, OmitReason, PreparedContent, RefusedPart
from tailrace.domain.capture_record import ContentOnRecord, InlinePart, OmittedPart, PartOnRecord, ReferencedPart
from tailrace.domain.capture_store import CaptureFailed
from tailrace.runtime.clock import Clock
from tailrace.runtime.ports import Log

REPEAT_S = 60.0
"""A store that is down, or comes and goes, fails for every other record; a line a minute says as much."""


class CaptureNews:
    """Tells of one lane's captures. The lane's thread alone."""

    def __init__(self, sink_id: str, clock: Clock, logger: Log) -> None:
        self._sink_id = sink_id
        self._clock = clock
        self._logger = logger
        self._failing = False
        self._failures = self._unredacted = 0
        self._said_at_s: dict[str, float] = {}
        self._warned_of: set[str] = set()
        self._unreadable = self._refused = False
        self.inline = self.references = self.omitted = self.failed = 0

    def prepared(self, prepared: PreparedContent) -> None:
        """Content has been through the redactor, or was to."""
        failed = [part for part in prepared.parts if part == RefusedPart(OmitReason.REDACTION_FAILED)]
        self._unredacted += len(failed)
        if failed and self._due("redaction"):
            self._logger.event(
                "content could not be redacted: it is left out",
                level="warning",
                sink=self._sink_id,
                omitted=self._unredacted,
            )

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
        elif self._failing and self._due("store"):
            self._logger.event("content capture works again", sink=self._sink_id, failed=self._failures)
            self._failing, self._failures = False, 0

    def arrived(self, contents: Iterable[ContentOnRecord]) -> None:
        """Records with these are at the sink."""
        for content in contents:
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
        self._failing = True
        if self._due("store"):
            self._logger.event(
                "content was not captured: records go on without",
                level="warning",
                sink=self._sink_id,
                reason=failure.problem.value,
                error=failure.error_type or "none",
                failed=self._failures,
            )

    def _due(self, subject: str) -> bool:
        """Whether a line about this may be written now; if so, the next one has to wait."""
        now_s = self._clock.now_s()
        if now_s - self._said_at_s.get(subject, now_s - REPEAT_S) < REPEAT_S:
            return False
        self._said_at_s[subject] = now_s
        return True


def _parts(content: ContentOnRecord) -> Iterator[PartOnRecord]:
    if content.system_instructions is not None:
        yield content.system_instructions
    yield content.input_messages
    yield content.output_messages
