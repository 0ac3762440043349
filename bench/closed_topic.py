"""A topic that the broker lets nobody write to, for as long as a rule says so.

A cluster on which topics without a rule are open to everybody (`allow.everyone.if.no.acl.found`), as the tests' broker
is: there a topic with any rule is closed to whoever no rule names. Reading stays allowed, so that what is in the topic
can be looked at all along; writing is not.
"""

from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

ANSWER_TIMEOUT_S = 30.0

_EVERYBODY: Final = (ResourcePatternType.LITERAL, "User:*", "*")

_ALLOWED = (AclOperation.READ, AclOperation.DESCRIBE)


def close_topic(bootstrap: str, topic: str) -> None:
    """Every write to the topic fails from here on. Ends the measurement on a cluster that knows no rules."""
    allow = AclPermissionType.ALLOW
    rules = [AclBinding(ResourceType.TOPIC, topic, *_EVERYBODY, operation, allow) for operation in _ALLOWED]
    admin = _admin(bootstrap)  # held until the answers are there: they end with it
    try:
        for answer in admin.create_acls(rules).values():
            answer.result(ANSWER_TIMEOUT_S)
    except KafkaException as error:
        raise SystemExit(f"{topic} cannot be closed by a rule of the cluster at {bootstrap}: {error}") from error


def open_topic(bootstrap: str, topic: str) -> None:
    """Without the rules of `close_topic`, whether there were any or not, and whether the cluster knows rules or not."""
    any_rule = (AclOperation.ANY, AclPermissionType.ANY)
    rules = AclBindingFilter(ResourceType.TOPIC, topic, *_EVERYBODY, *any_rule)
    admin = _admin(bootstrap)  # likewise
    for answer in admin.delete_acls([rules]).values():
        try:
            answer.result(ANSWER_TIMEOUT_S)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.SECURITY_DISABLED:
                raise


def _admin(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
