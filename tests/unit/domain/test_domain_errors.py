"""The exception tree is the one drawn, and its leaves carry what their message says."""

import inspect
import re

import pytest

from tailrace.domain import errors
from tailrace.domain.errors import (
    ConfigurationNeeded,
    ContractBroken,
    IllegalSignal,
    InvalidField,
    InvalidJson,
    MissingField,
    RetryClassification,
    TailraceError,
    TelemetryFailure,
)


def test_every_exception_stands_in_the_drawn_tree_and_nothing_else_does() -> None:
    """A reader of the module's docstring knows every exception there is."""
    drawn = set(re.findall(r"^    (?:[├└]── )?([A-Z]\w+)", inspect.getdoc(errors) or "", re.MULTILINE))
    drawn |= set(re.findall(r"^[├└]── ([A-Z]\w+)", inspect.getdoc(errors) or "", re.MULTILINE))
    defined = {name for name, it in vars(errors).items() if inspect.isclass(it) and issubclass(it, TailraceError)}
    assert drawn == defined


@pytest.mark.parametrize(
    ("error", "fields", "retry"),
    [
        (ConfigurationNeeded("sink", "is not registered"), {"setting": "sink"}, "host_configuration_needed"),
        (MissingField("telemetry.sink_id"), {"field": "telemetry.sink_id"}, "host_configuration_needed"),
        (InvalidField("run_id", "must not be empty"), {"field": "run_id"}, "not_retryable"),
        (InvalidJson("a.b", "is missing"), {"field": "a.b", "problem": "is missing"}, "not_retryable"),
        (TelemetryFailure("usage", "misplaced"), {"field": "usage"}, "repair_needed"),
        (IllegalSignal("sink", "stopped", "pause"), {"state": "stopped", "signal": "pause"}, "not_retryable"),
        (ContractBroken("acknowledge", "nothing in flight"), {"operation": "acknowledge"}, "not_retryable"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, TailraceError) else "",
)
def test_leaf_carries_its_fields_and_its_retry_classification(
    error: TailraceError, fields: dict[str, str], retry: str
) -> None:
    """A program decides by fields; the text repeats them for people."""
    assert isinstance(error, TailraceError)
    assert {name: getattr(error, name) for name in fields} == fields
    assert error.retry is RetryClassification(retry)
    assert all(value in str(error) for value in fields.values())
