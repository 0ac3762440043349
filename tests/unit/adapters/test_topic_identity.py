"""A topic that was made anew under the same name is found out, and silence is not taken for an answer."""

import gc
import io
from collections.abc import Callable, Iterable
from concurrent.futures import Future

import pytest
from confluent_kafka import KafkaError, KafkaException

from tailrace.adapters.logs import StructuredLog, system_now
from tailrace.adapters.topic_identity import ATTEMPTS, TopicIdentity, TopicWatch, find_topic_id
from tailrace.runtime.clock import Deadline, SystemClock
from tailrace.runtime.stop import Stop
from tests.unit.runtime.fakes import FakeLog


def answers(given: Iterable[str | None]) -> Callable[[], str | None]:
    waiting = iter(given)
    return lambda: next(waiting)


class TestAtTheStart:
    def test_the_first_answer_counts(self) -> None:
        """A controller that is moving does not leave a worker without the id for as long as it runs."""
        logger = FakeLog()
        assert find_topic_id(answers([None, "id-1"]), Stop(), logger) == "id-1"
        assert logger.said("the cluster does not tell") == []

    def test_a_cluster_that_never_tells_does_not_keep_the_worker_waiting(self) -> None:
        """Old brokers cannot; the log says what that costs."""
        logger = FakeLog()
        assert find_topic_id(answers([None] * ATTEMPTS), Stop(), logger) is None
        assert len(logger.said("the cluster does not tell")) == 1

    def test_a_stop_is_not_kept_waiting_either(self) -> None:
        """Each question may take its whole time-out."""
        stop = Stop()
        stop.set()
        assert find_topic_id(answers([None]), stop, FakeLog()) is None


class RefusingAdmin:
    """A cluster that answers every question with an error, as old brokers do."""

    def describe_topics(self, topics: object, *, request_timeout: float) -> dict[str, Future[object]]:
        answer: Future[object] = Future()
        answer.set_exception(KafkaException(KafkaError(KafkaError._UNSUPPORTED_FEATURE)))
        return {"events": answer}

    def poll(self, timeout_s: float) -> int:
        return 0


class TestAsking:
    def test_a_refusal_leaves_nothing_for_the_collector(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The watch goes on asking for as long as the worker runs."""
        log = StructuredLog("info", "json", io.StringIO(), now=system_now)
        identity = TopicIdentity({"bootstrap.servers": "127.0.0.1:1", "log_level": 0}, "events", log)
        monkeypatch.setattr(identity, "_admin", RefusingAdmin())
        assert identity.ask() is None
        gc.collect()
        gc.disable()
        try:
            assert identity.ask() is None
            assert gc.collect() == 0
        finally:
            gc.enable()


class TestWatching:
    @pytest.mark.parametrize(
        ("known", "seen", "replaced"),
        [
            ("id-1", ["id-1", "id-1"], False),
            ("id-1", ["id-1", "id-2"], True),
            ("id-1", [None, None], False),
            ("id-1", [None, "id-2"], True),
            (None, ["id-1", "id-1"], False),
            (None, [None, "id-1", "id-2"], True),
            ("id-1", ["id-2", "id-1"], True),
        ],
    )
    def test_another_id_is_another_topic(self, known: str | None, seen: list[str | None], replaced: bool) -> None:
        """Away or silent is neither; and what was found out once stays so."""
        watch = TopicWatch(answers(seen), known)
        for _ in seen:
            watch.look()
        assert watch.replaced is replaced

    def test_the_watch_ends_without_a_look(self) -> None:
        """Closing does not wait for the next question."""
        watch = TopicWatch(answers([]), "id-1")
        watch.start()
        watch.close(Deadline.after(SystemClock(), 5.0))
        assert not watch._thread.is_alive()
