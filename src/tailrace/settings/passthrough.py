"""The librdkafka properties that are not the user's to set, each with the reason.

Everything else in `kafka.librdkafka` goes to every client of that cluster as it is. A property is on this list because
a promise of docs/DESIGN.md rests on its value, because a key of ours sets it, or because no file can hold it.
"""

from collections.abc import Mapping
from types import MappingProxyType

_OWN_COMMITS = "a cursor moves only over what a sink acknowledged, so nothing may commit on its own"
_START = "a cursor that the log does not have is a recorded gap; any reset policy would skip it silently"
_ORDER = "each sink's producer keeps offset order after a refused batch, which rests on this value"
_IN_CLEAR = "a secret written here would be printed with the configuration"
_CODE = "it is a function of the program, not a value a file can hold"
_FETCH = "it is fixed, so that the memory budget holds and no response is refused for its size"
_BUDGET = "it is derived from the sizes in this file, so that the memory budget holds"


def _why(reason: str, remedy: str = "Remove it") -> tuple[str, str]:
    return reason, remedy


def _use(key: str, reason: str = "tailrace has a key of its own for it") -> tuple[str, str]:
    return reason, f"Remove it and set {key} instead"


DENIED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "enable.auto.commit": _why(_OWN_COMMITS),
        "auto.commit.enable": _why(_OWN_COMMITS),
        "auto.commit.interval.ms": _use("worker.commit_interval_ms", _OWN_COMMITS),
        "enable.auto.offset.store": _why(_OWN_COMMITS),
        "auto.offset.reset": _use("sinks.<id>.start_at", _START),
        "isolation.level": _why("lanes read what is committed: events of aborted transactions never happened"),
        "check.crcs": _why("a flipped bit decodes as a different, valid event about as often as not"),
        "group.id": _use("events.group"),
        "group.instance.id": _why("two workers sharing this file would fence each other"),
        "group.protocol": _why("cursors and drain deadlines are built for the classic protocol"),
        "group.remote.assignor": _why("cursors and drain deadlines are built for the classic protocol"),
        "partition.assignment.strategy": _why("workers of one group must agree, and tailrace needs cooperative-sticky"),
        "session.timeout.ms": _use("events.session_timeout_ms"),
        "heartbeat.interval.ms": _use("events.session_timeout_ms", "it is derived from the session timeout"),
        "max.poll.interval.ms": _why(
            "the intake polls all the time; below the session timeout it would throw workers out"
        ),
        "enable.partition.eof": _why("cursors pass transaction markers at a log's end by it"),
        "enable.idempotence": _why(_ORDER),
        "enable.gapless.guarantee": _why(_ORDER),
        "acks": _why("a record counts as exported only when all in-sync replicas have it"),
        "request.required.acks": _why("a record counts as exported only when all in-sync replicas have it"),
        "max.in.flight": _why(_ORDER),
        "max.in.flight.requests.per.connection": _why(_ORDER),
        "retries": _why(_ORDER),
        "message.send.max.retries": _why(_ORDER),
        "transactional.id": _why("it names one lane of one worker; a shared one makes workers fence each other"),
        "transaction.timeout.ms": _why("it belongs to transactional producers, which at-least-once lanes are not"),
        "partitioner": _why("records of one run must land where the partitioner of Java clients puts them"),
        "message.timeout.ms": _use("sinks.<id>.delivery_timeout_ms"),
        "delivery.timeout.ms": _use("sinks.<id>.delivery_timeout_ms"),
        "linger.ms": _use("sinks.<id>.batch.linger_ms"),
        "queue.buffering.max.ms": _use("sinks.<id>.batch.linger_ms"),
        "queue.buffering.max.messages": _use("sinks.<id>.batch.records", _BUDGET),
        "queue.buffering.max.kbytes": _use("sinks.<id>.batch.bytes", _BUDGET),
        "queued.max.messages.kbytes": _use("events.fetch_kbytes", _BUDGET),
        "queued.min.messages": _use("events.fetch_kbytes", _BUDGET),
        "fetch.max.bytes": _why(_FETCH),
        "fetch.message.max.bytes": _why(_FETCH),
        "max.partition.fetch.bytes": _why(_FETCH),
        "fetch.queue.backoff.ms": _why("it is set for the queue sizes of the memory budget"),
        "message.max.bytes": _use("events.max_event_bytes", _BUDGET),
        "receive.message.max.bytes": _why(_FETCH),
        "delivery.report.only.error": _why("it decides what a lane learns of its own records"),
        "bootstrap.servers": _use("kafka.bootstrap_servers"),
        "metadata.broker.list": _use("kafka.bootstrap_servers"),
        "client.id": _use("worker.client_id"),
        "security.protocol": _use("kafka.security.protocol"),
        "sasl.mechanism": _use("kafka.security.sasl_mechanism"),
        "sasl.mechanisms": _use("kafka.security.sasl_mechanism"),
        "sasl.username": _use("kafka.security.sasl_username"),
        "sasl.password": _use("kafka.security.sasl_password", _IN_CLEAR),
        "sasl.oauthbearer.client.secret": _why(_IN_CLEAR, "Use a mechanism of kafka.security.sasl_mechanism"),
        "sasl.oauthbearer.config": _why(_IN_CLEAR, "Use a mechanism of kafka.security.sasl_mechanism"),
        "sasl.oauthbearer.assertion.private.key.pem": _why(
            _IN_CLEAR, "Use a mechanism of kafka.security.sasl_mechanism"
        ),
        "sasl.oauthbearer.assertion.private.key.passphrase": _why(
            _IN_CLEAR, "Use a mechanism of kafka.security.sasl_mechanism"
        ),
        "ssl.ca.location": _use("kafka.security.ca_location"),
        "ssl.certificate.location": _use("kafka.security.certificate_location"),
        "ssl.key.location": _use("kafka.security.key_location"),
        "ssl.key.password": _use("kafka.security.key_password", _IN_CLEAR),
        "ssl.key.pem": _use("kafka.security.key_location", _IN_CLEAR),
        "ssl.keystore.password": _why(_IN_CLEAR, "Use PEM files: kafka.security.certificate_location and key_location"),
        "default.topic.config": _why(_CODE, "Write its properties directly, without this level"),
        "plugin.library.paths": _why("it loads foreign code into the worker"),
    },
)
"""Property name to (why it is refused, what to do instead)."""

_FUNCTIONS = ("on_commit", "on_delivery", "on_assign", "on_revoke", "on_lost", "logger", "opaque")


def refusal(name: str) -> tuple[str, str] | None:
    """Why this property may not be passed through and what to do instead; None if it may."""
    if name.startswith("test.mock."):
        return "it replaces the cluster by a simulated one, and its events would be lost on exit", "Remove it"
    if name in _FUNCTIONS or name.endswith("_cb"):
        return _why(_CODE)
    return DENIED.get(name)
