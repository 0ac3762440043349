"""Where a lane starts on a partition, decided from what Kafka and the ledger know (docs/DESIGN.md, Cursors)."""

from dataclasses import dataclass
from typing import Literal

from tailrace.domain.ledger import CursorOrigin
from tailrace.runtime.ports import LedgerMark, StoredCursor

StartAt = Literal["earliest", "latest"]


@dataclass(frozen=True, slots=True)
class Known:
    """Everything that bears on the decision. `low` is the log's first offset, `high` the next one to be written."""

    stored: StoredCursor | None
    ledger_mark: LedgerMark | None
    known_elsewhere: bool
    low: int
    high: int
    topic_id: str | None


@dataclass(frozen=True, slots=True)
class Start:
    """Begin at `cursor`. Offsets from `cursor` up to `log_begins_at` are gone from the log when the latter is larger.

    `write_down` says that the cursor exists nowhere yet and is to be committed before anything else happens.
    """

    cursor: int
    origin: CursorOrigin
    log_begins_at: int
    write_down: bool


@dataclass(frozen=True, slots=True)
class Impossible:
    """The cursor points beyond the log, or into another topic of the same name: nothing may be read from here.

    Going on from anywhere would skip or repeat without a trace, so a human has to say what happened to the topic.
    """

    cursor: int
    reason: Literal["cursor_beyond_log_end", "topic_replaced"]


def decide_start(known: Known, start_at: StartAt) -> Start | Impossible:
    """The committed cursor; else the ledger's last mark; else 0 if the sink has been here before; else `start_at`.

    A missing cursor has four causes (a new sink, an idle week, a clean-up of empty groups, a new partition), and only
    the first may mean `latest`; that is why the ledger is asked before the settings are.
    """
    stored = known.stored
    if stored is not None:
        if stored.topic_id is not None and known.topic_id is not None and stored.topic_id != known.topic_id:
            return Impossible(stored.next_offset, "topic_replaced")
        return _checked(stored.next_offset, CursorOrigin.COMMITTED, known, write_down=False)
    mark = known.ledger_mark
    if mark is not None:
        # Kafka forgets the cursors of a topic that is deleted; the ledger does not, and its mark is of the old one.
        if mark.topic_id is not None and known.topic_id is not None and mark.topic_id != known.topic_id:
            return Impossible(mark.next_offset, "topic_replaced")
        return _checked(mark.next_offset, CursorOrigin.LEDGER, known, write_down=True)
    if known.known_elsewhere:
        return _checked(0, CursorOrigin.NEW_PARTITION, known, write_down=True)
    cursor = known.low if start_at == "earliest" else known.high
    return Start(cursor, CursorOrigin.START_AT, known.low, write_down=True)


def _checked(cursor: int, origin: CursorOrigin, known: Known, *, write_down: bool) -> Start | Impossible:
    if cursor > known.high:
        return Impossible(cursor, "cursor_beyond_log_end")
    return Start(cursor, CursorOrigin.RETENTION_LOST if cursor < known.low else origin, known.low, write_down)
