"""What a worker is told: a YAML file and `TAILRACE_…` variables, read strictly into one frozen tree."""

from tailrace.settings.kafka import KafkaSettings, SecuritySettings
from tailrace.settings.load import load
from tailrace.settings.problems import Finding, SettingsError, Severity
from tailrace.settings.sinks import (
    BatchSettings,
    BufferSettings,
    DurableTraceSettings,
    LaneSettings,
    LocalDiagnosticSettings,
    SelectionSettings,
    SinkSettings,
    TestSinkSettings,
)
from tailrace.settings.tree import (
    DeadLetterSettings,
    EventsSettings,
    HealthSettings,
    LogSettings,
    Settings,
    WorkerSettings,
)

__all__ = [
    "BatchSettings",
    "BufferSettings",
    "DeadLetterSettings",
    "DurableTraceSettings",
    "EventsSettings",
    "Finding",
    "HealthSettings",
    "KafkaSettings",
    "LaneSettings",
    "LocalDiagnosticSettings",
    "LogSettings",
    "SecuritySettings",
    "SelectionSettings",
    "Settings",
    "SettingsError",
    "Severity",
    "SinkSettings",
    "TestSinkSettings",
    "WorkerSettings",
    "load",
]
