"""With Arroyo: a chain of strategies, one `Produce` for each topic, the last of which commits what all have delivered.

As its documentation has it: RunTask, Unfold for one to many, Produce (which hands a message on once it is delivered),
CommitOffsets; the StreamProcessor owns the loop, and a signal handler tells it to stop.
"""

import signal
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from arroyo.backends.kafka import KafkaConsumer, KafkaPayload, KafkaProducer
from arroyo.backends.kafka.configuration import build_kafka_consumer_configuration, build_kafka_producer_configuration
from arroyo.processing import StreamProcessor
from arroyo.processing.strategies import CommitOffsets, ProcessingStrategy, ProcessingStrategyFactory, Produce, RunTask
from arroyo.processing.strategies.unfold import Unfold
from arroyo.types import BrokerValue, Commit, Message, Partition, Topic, Value

from bench.peers.projection import AnnouncedProjection
from bench.peers.task import PRODUCER, Task

ROOM_BEHIND_ANOTHER = 1_000_000
"""Messages. A `Produce` that hands on to a full one takes the refusal (`MessageRejected`, out of its `poll`) for an
error, and the process ends; with the default of 10 000 for all of them that was two runs of ten. So only the first
refuses, to a step that waits."""


class Pipeline(ProcessingStrategyFactory[KafkaPayload]):
    """Makes the chain for each assignment; producers are kept, since there is one assignment after another."""

    def __init__(self, task: Task) -> None:
        self._projection = AnnouncedProjection(task)
        self._topics = task.sink_topics
        configuration = partial(
            build_kafka_producer_configuration,
            default_config={},
            bootstrap_servers=[task.bootstrap],
            override_params=PRODUCER,
        )
        self._producers = [KafkaProducer(configuration()) for _ in self._topics]

    def create_with_partitions(
        self, commit: Commit, partitions: Mapping[Partition, int]
    ) -> ProcessingStrategy[KafkaPayload]:
        del partitions
        step: ProcessingStrategy[Any] = CommitOffsets(commit)
        first, *others = zip(self._producers, self._topics, strict=True)
        for producer, topic in others:
            step = Produce(producer, Topic(topic), step, max_buffer_size=ROOM_BEHIND_ANOTHER)
        producer, topic = first
        return RunTask(self._records, Unfold(_values, Produce(producer, Topic(topic), step)))

    def _records(self, message: Message[KafkaPayload]) -> Sequence[KafkaPayload]:
        value = message.value
        assert isinstance(value, BrokerValue)
        records = self._projection.records(value.payload.value, value.partition.index, value.offset)
        return [KafkaPayload(value.payload.key, record, []) for record in records]

    def shutdown(self) -> None:
        for producer in self._producers:
            producer.close().result()


def _values(records: Sequence[KafkaPayload]) -> Sequence[Value[KafkaPayload]]:
    return [Value(record, {}) for record in records]


def main() -> None:
    task = Task.of_this_process()
    consumer = KafkaConsumer(
        build_kafka_consumer_configuration(
            default_config={},
            bootstrap_servers=[task.bootstrap],
            group_id=task.group,
            auto_offset_reset="earliest",
        )
    )
    processor = StreamProcessor(consumer=consumer, topic=Topic(task.events_topic), processor_factory=Pipeline(task))
    signal.signal(signal.SIGTERM, lambda *_: processor.signal_shutdown())
    processor.run()


if __name__ == "__main__":
    main()
