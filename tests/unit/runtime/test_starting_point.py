"""Where a lane starts, as one table: what Kafka and the ledger know, and what follows from it."""

from dataclasses import replace
from itertools import product

import pytest

from tailrace.domain.ledger import CursorOrigin
from tailrace.runtime.ports import LedgerMark, StoredCursor
from tailrace.runtime.starting_point import Impossible, Known, Start, StartAt, decide_start

LOW, HIGH = 100, 200
TOPIC, EARLIER_TOPIC = "this topic", "an earlier one of that name"

NOTHING_KNOWN = Known(None, None, known_elsewhere=False, low=LOW, high=HIGH, topic_id=TOPIC)

CURSORS = [
    (LOW - 100, "lost"),
    (LOW - 1, "lost"),
    (LOW, "there"),
    (LOW + 50, "there"),
    (HIGH, "there"),
    (HIGH + 1, "beyond"),
    (HIGH + 1_000, "beyond"),
]
"""Cursors, and how each stands to a log that holds 100 to below 200; at the end itself, nothing is missing."""

TOPIC_IDS = [
    (TOPIC, TOPIC, True),
    (None, TOPIC, True),
    (TOPIC, None, True),
    (None, None, True),
    (EARLIER_TOPIC, TOPIC, False),
    ("", TOPIC, False),
]
"""What was written down beside a cursor, what the cluster says now, and whether both may be one topic: where either
cannot tell, nothing speaks against it."""

START_AT: list[StartAt] = ["earliest", "latest"]
REST = [(elsewhere, start_at) for elsewhere in (True, False) for start_at in START_AT]
"""What decides nothing once a cursor or a mark is there."""


def stored(cursor: int, topic_id: str | None = TOPIC) -> StoredCursor:
    return StoredCursor(cursor, 3, 4, topic_id)


def known(
    *,
    committed: StoredCursor | None = None,
    mark: LedgerMark | None = None,
    elsewhere: bool = False,
    topic_id: str | None = TOPIC,
) -> Known:
    return replace(NOTHING_KNOWN, stored=committed, ledger_mark=mark, known_elsewhere=elsewhere, topic_id=topic_id)


def expected(cursor: int, standing: str, origin: CursorOrigin, *, write_down: bool) -> Start | Impossible:
    match standing:
        case "beyond":
            return Impossible(cursor, "cursor_beyond_log_end")
        case "lost":
            return Start(cursor, CursorOrigin.RETENTION_LOST, LOW, write_down)
        case _:
            return Start(cursor, origin, LOW, write_down)


class TestCommittedCursor:
    @pytest.mark.parametrize(("cursor", "standing"), CURSORS)
    def test_it_decides_whatever_else_is_known(self, cursor: int, standing: str) -> None:
        """The ledger's mark is older, or of a worker that has been replaced; and it stands already."""
        marks = (None, LedgerMark(LOW + 7, TOPIC), LedgerMark(HIGH + 9, EARLIER_TOPIC))
        for mark, (elsewhere, start_at) in product(marks, REST):
            decided = decide_start(known(committed=stored(cursor), mark=mark, elsewhere=elsewhere), start_at)
            assert decided == expected(cursor, standing, CursorOrigin.COMMITTED, write_down=False)

    @pytest.mark.parametrize(("then", "now", "same"), TOPIC_IDS)
    @pytest.mark.parametrize(("cursor", "standing"), CURSORS)
    def test_a_cursor_of_another_topic_is_impossible_wherever_it_points(
        self, cursor: int, standing: str, then: str | None, now: str | None, same: bool
    ) -> None:
        """Also one that the new topic happens to reach: what lies there is not what the sink has not got yet."""
        impossible = Impossible(cursor, "topic_replaced")
        wanted = expected(cursor, standing, CursorOrigin.COMMITTED, write_down=False) if same else impossible
        for elsewhere, start_at in REST:
            what = known(committed=stored(cursor, then), elsewhere=elsewhere, topic_id=now)
            assert decide_start(what, start_at) == wanted


class TestLedgerMark:
    @pytest.mark.parametrize(("then", "now", "same"), TOPIC_IDS)
    @pytest.mark.parametrize(("cursor", "standing"), CURSORS)
    def test_it_decides_where_kafka_knows_nothing_any_more(
        self, cursor: int, standing: str, then: str | None, now: str | None, same: bool
    ) -> None:
        """And is committed first; a mark of an earlier topic is as impossible as a cursor of it."""
        impossible = Impossible(cursor, "topic_replaced")
        wanted = expected(cursor, standing, CursorOrigin.LEDGER, write_down=True) if same else impossible
        for elsewhere, start_at in REST:
            what = known(mark=LedgerMark(cursor, then), elsewhere=elsewhere, topic_id=now)
            assert decide_start(what, start_at) == wanted


@pytest.mark.parametrize("start_at", START_AT)
class TestNoCursor:
    def test_a_sink_that_was_here_before_gets_a_new_partition_from_its_beginning(self, start_at: StartAt) -> None:
        """Whatever the settings say of new sinks; a new partition begins at 0, and then nothing of it is lost."""
        decided = decide_start(replace(known(elsewhere=True), low=0), start_at)
        assert decided == Start(0, CursorOrigin.NEW_PARTITION, 0, write_down=True)

    def test_what_retention_took_of_a_new_partition_is_lost_to_a_sink_that_was_here_before(
        self, start_at: StartAt
    ) -> None:
        """From 0 to the log's start: that it never met the partition does not mean that it was not owed it."""
        decided = decide_start(known(elsewhere=True), start_at)
        assert decided == Start(0, CursorOrigin.RETENTION_LOST, LOW, write_down=True)

    def test_an_empty_new_partition_is_none_that_was_cut(self, start_at: StartAt) -> None:
        """Its end is its beginning."""
        decided = decide_start(replace(known(elsewhere=True), low=0, high=0), start_at)
        assert decided == Start(0, CursorOrigin.NEW_PARTITION, 0, write_down=True)

    def test_a_new_sink_starts_where_the_settings_say(self, start_at: StartAt) -> None:
        """At the log's start nothing is lost, for nothing was promised; it is written down before anything else."""
        decided = decide_start(NOTHING_KNOWN, start_at)
        cursor = LOW if start_at == "earliest" else HIGH
        assert decided == Start(cursor, CursorOrigin.START_AT, LOW, write_down=True)

    @pytest.mark.parametrize("topic_id", [TOPIC, None])
    def test_a_topic_without_an_id_is_no_obstacle(self, topic_id: str | None, start_at: StartAt) -> None:
        """Older clusters have none."""
        assert isinstance(decide_start(known(topic_id=topic_id), start_at), Start)
