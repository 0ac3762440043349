"""What Kafka's own command-line tools say, taken apart."""

from collections import defaultdict

from tests.kafka.broker import KafkaBroker


def group_lags(broker: KafkaBroker, prefix: str) -> dict[str, dict[int, int]]:
    """Lag per partition of every group whose name begins with `prefix`, as `kafka-consumer-groups.sh` shows it."""
    lags: dict[str, dict[int, int]] = defaultdict(dict)
    for line in broker.exec_tool("kafka-consumer-groups.sh", "--describe", "--all-groups").splitlines():
        columns = line.split()
        # GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG
        if len(columns) >= 6 and columns[0].startswith(prefix):
            lags[columns[0]][int(columns[2])] = int(columns[5])
    return dict(lags)


def refuse_writes(broker: KafkaBroker, topic: str) -> None:
    """Nobody may write to this topic any more; reading stays allowed."""
    # A resource with any rule is closed to whoever no rule names, so what is to go on needs a rule as well.
    everyone = ("--topic", topic, "--allow-principal", "User:*", "--operation", "Read", "--operation", "Describe")
    broker.exec_tool("kafka-acls.sh", "--add", *everyone)


def allow_writes(broker: KafkaBroker, topic: str) -> None:
    """Takes back `refuse_writes`."""
    broker.exec_tool("kafka-acls.sh", "--remove", "--force", "--topic", topic)
