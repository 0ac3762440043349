"""What a worker is told: a YAML file and `TAILRACE_…` variables, read strictly into one frozen tree."""

from tailrace.settings.kafka import KafkaSettings, SecuritySettings
from tailrace.settings.load import load
from tailrace.settings.problems import Finding, SettingsError, Severity
from tailrace.settings.sinks import (
    BatchSettings,
    BufferSettings,
    DurableTraceSink,
    LaneSettings,
    LocalDiagnosticSink,
    SelectionSettings,
    SinkSettings,
    TestSink,
)
from tailrace.settings.tree import (
    DeadLetterSettings,
    EventsSettings,
    HealthSettings,
    LogSettings,
    Settings,
    WorkerSettings,
)
from tailrace.settings.values import StartAt

__all__ = [
    "BatchSettings",
    "BufferSettings",
    "DeadLetterSettings",
    "DurableTraceSink",
    "EventsSettings",
    "Finding",
    "HealthSettings",
    "KafkaSettings",
    "LaneSettings",
    "LocalDiagnosticSink",
    "LogSettings",
    "SecuritySettings",
    "SelectionSettings",
    "Settings",
    "SettingsError",
    "Severity",
    "SinkSettings",
    "StartAt",
    "TestSink",
    "WorkerSettings",
    "load",
]
