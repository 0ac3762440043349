"""With Quix Streams: one StreamingDataFrame, expanded to records, written to each topic in turn.

As its documentation has it: `apply(expand=True)` for one to many, `to_topic` chained (branches would copy every value),
`message_context` for the position, a checkpoint every five seconds that flushes the producer and then commits.
"""

from tempfile import TemporaryDirectory

from quixstreams import Application, message_context

from bench.peers.projection import AnnouncedProjection
from bench.peers.task import PRODUCER, Task


def main() -> None:
    # It keeps a folder for state, even where nothing has any.
    with TemporaryDirectory(prefix="tailrace-bench-quix-") as state:
        run(Task.of_this_process(), state)


def run(task: Task, state: str) -> None:
    projection = AnnouncedProjection(task)

    def records(value: bytes | None) -> list[bytes]:
        context = message_context()
        return projection.records(value, context.partition, context.offset)

    app = Application(
        broker_address=task.bootstrap,
        consumer_group=task.group,
        auto_offset_reset="earliest",
        producer_extra_config=PRODUCER,
        auto_create_topics=False,
        state_dir=state,
        loglevel="WARNING",
    )
    events = app.topic(task.events_topic, value_deserializer="bytes")
    frame = app.dataframe(events).apply(records, expand=True)
    for name in task.sink_topics:
        frame = frame.to_topic(app.topic(name, value_serializer="bytes"))
    app.run()


if __name__ == "__main__":
    main()
