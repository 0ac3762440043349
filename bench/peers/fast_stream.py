"""With FastStream's Confluent broker: a batch subscriber that publishes a batch to each topic, then acknowledges.

As its documentation has it for at least once: a consumer group and `AckPolicy.ACK`, so that the commit follows the
handler; `publish_batch` with a `KafkaPublishMessage` for each record's key, which returns once all are delivered. The
topics' batches are awaited together. Its access log is off, and batches are of 500 messages instead of ten.
"""

import asyncio
from typing import Any

from faststream import AckPolicy, FastStream
from faststream.confluent import KafkaBroker, KafkaPublishMessage
from faststream.confluent.annotations import KafkaMessage

from bench.peers.projection import AnnouncedProjection
from bench.peers.task import Task

BATCH_RECORDS = 500


def main() -> None:
    task = Task.of_this_process()
    projection = AnnouncedProjection(task)
    broker = KafkaBroker(
        task.bootstrap,
        acks="all",
        compression_type="lz4",
        linger_ms=2,
        enable_idempotence=True,
        partitioner="murmur2_random",
        logger=None,
    )

    @broker.subscriber(
        task.events_topic,
        group_id=task.group,
        batch=True,
        max_records=BATCH_RECORDS,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.ACK,
    )
    async def on_batch(body: list[bytes], message: KafkaMessage) -> None:
        del body  # the values alone; key, partition and offset are in the raw messages
        records = [
            KafkaPublishMessage(record, key=event.key())
            for event in _raw(message)
            for record in projection.records(event.value(), event.partition(), event.offset())
        ]
        if records:
            await asyncio.gather(*(broker.publish_batch(*records, topic=topic) for topic in task.sink_topics))

    asyncio.run(FastStream(broker, logger=None).run())


def _raw(message: Any) -> Any:
    return message.raw_message


if __name__ == "__main__":
    main()
