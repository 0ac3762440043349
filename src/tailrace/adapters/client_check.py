"""Whether librdkafka takes a cluster's properties, found out without a connection."""

from confluent_kafka import Consumer, KafkaException, Producer

from tailrace.settings.kafka import KafkaSettings, Property


def refused_properties(cluster: KafkaSettings) -> str | None:
    """What librdkafka says against these properties, such as a name it does not know; None if it takes them.

    Makes one client of each sort and drops it: with no address there is nothing to connect to.
    """
    properties: dict[str, Property] = {
        name: value for name, value in cluster.properties().items() if name != "bootstrap.servers"
    }
    try:
        Producer({**properties, "log_level": 0})
        Consumer({**properties, "log_level": 0, "group.id": "tailrace-check"}).close()
    except KafkaException as refusal:
        return str(refusal.args[0].str())
    return None
