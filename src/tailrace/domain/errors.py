"""Every exception of tailrace, in one tree; its fields carry the facts, its text only repeats them.

Expected outcomes are return values. An exception here means that a promise was broken, by a caller, by a file, or by
the world, and that the operation changed nothing.

    TailraceError                 anything tailrace raises on purpose
    ├── ConfigurationNeeded       something that the host has to configure is missing or contradicts itself
    ├── MissingField              a value that must not be empty is empty
    ├── InvalidField              a field holds what its type allows and its meaning does not
    ├── InvalidJson               a JSON text or value is not the form of the type asked for; names the field
    ├── SchemaInvalid             a text is not an Avro schema, or not one that tailrace may work with
    ├── TelemetryFailure          telemetry was derived from facts that do not carry it; the source needs repair
    ├── IllegalSignal             a state machine got a signal that its table does not have in that state
    ├── ContractBroken            a method was called out of turn
    ├── EmbeddedBrokerUnavailable this platform's librdkafka has no mock cluster to start
    └── EmbeddedBrokerRefusal     the mock cluster refused a command, such as one for a topic it does not have

The settings add one of their own, `SettingsError`, with every reason why a configuration cannot be used.

No message holds content, and none holds a value that came from outside: fields name places, never what stood there.
"""

# ruff: noqa: N818 - an exception is named for what happened; the module it lives in says that it is an error

from enum import StrEnum


class RetryClassification(StrEnum):
    """What helps against an error: the same call again, a repaired source, or somebody's decision."""

    RETRYABLE = "retryable"
    NOT_RETRYABLE = "not_retryable"
    REPAIR_NEEDED = "repair_needed"
    USER_ACTION_NEEDED = "user_action_needed"
    HOST_CONFIGURATION_NEEDED = "host_configuration_needed"


class TailraceError(Exception):
    """Anything tailrace raises on purpose; `retry` says what helps."""

    retry: RetryClassification = RetryClassification.NOT_RETRYABLE


class ConfigurationNeeded(TailraceError):
    """The host asked for something it has not configured, or configured two things that exclude each other.

    `setting` names what is to be configured, such as `sink` or `overflow`; `problem` is a constant sentence.
    """

    retry = RetryClassification.HOST_CONFIGURATION_NEEDED

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"{setting}: {problem}")
        self.setting = setting
        self.problem = problem


class MissingField(TailraceError):
    """A field that must be filled is empty; `field` is its path, such as `telemetry.sink_id`."""

    retry = RetryClassification.HOST_CONFIGURATION_NEEDED

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} must not be empty")
        self.field = field


class InvalidField(TailraceError):
    """A field of a value breaks a rule of its meaning: an identifier, a range, a number that must be above zero."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field
        self.problem = problem


class InvalidJson(TailraceError):
    """A JSON input is not the form of the type that was asked for.

    `field` is the path from the outermost value, such as `records[2].payload.record.units.bytes`; empty when the text
    is no JSON at all or the outermost value is of the wrong shape.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field or 'the value'} {problem}")
        self.field = field
        self.problem = problem


class SchemaInvalid(TailraceError):
    """A text is no Avro schema, or not the one it should be.

    `schema` names it (a file, a full name, or empty where only the caller knows); `path` is the field path inside it,
    empty for its root; `rule` is a constant word for what it breaks, such as `undefined_name`.
    """

    retry = RetryClassification.HOST_CONFIGURATION_NEEDED

    def __init__(self, schema: str, path: str, rule: str) -> None:
        super().__init__(f"schema {schema or '(unnamed)'}: {rule} at {path or 'its root'}")
        self.schema = schema
        self.path = path
        self.rule = rule


class TelemetryFailure(TailraceError):
    """Telemetry was to be derived from an event that may not carry it; nothing was derived, and the source is wrong."""

    retry = RetryClassification.REPAIR_NEEDED

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class IllegalSignal(TailraceError):
    """A state machine has no transition for this signal in this state; the state is unchanged."""

    def __init__(self, machine: str, state: str, signal: str) -> None:
        super().__init__(f"{machine} knows no {signal} while {state}")
        self.machine = machine
        self.state = state
        self.signal = signal


class ContractBroken(TailraceError):
    """A method was called out of turn, such as acknowledging more than was handed out; nothing changed."""

    def __init__(self, operation: str, problem: str) -> None:
        super().__init__(f"{operation}: {problem}")
        self.operation = operation
        self.problem = problem


class EmbeddedBrokerUnavailable(TailraceError):
    """The embedded broker cannot be had here: librdkafka is absent, does not load, or hides the mock cluster.

    `platform` is system and machine, such as `Linux x86_64`; `remedy` is one sentence for the operator.
    """

    retry = RetryClassification.HOST_CONFIGURATION_NEEDED

    def __init__(self, platform: str, reason: str, remedy: str) -> None:
        super().__init__(f"no embedded broker on {platform}: {reason}; {remedy}")
        self.platform = platform
        self.reason = reason
        self.remedy = remedy


class EmbeddedBrokerRefusal(TailraceError):
    """The embedded broker did not carry out a command; `error_code` and `error_name` are librdkafka's."""

    def __init__(self, command: str, error_code: int, error_name: str) -> None:
        super().__init__(f"the embedded broker refused {command}: {error_name} ({error_code})")
        self.command = command
        self.error_code = error_code
        self.error_name = error_name
