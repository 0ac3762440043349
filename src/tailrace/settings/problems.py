"""What is wrong with a configuration, said once and in one form: where, which key, what, and how to mend it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from tailrace.domain.errors import RetryClassification, TailraceError

KeyPath = tuple[str, ...]


class Severity(StrEnum):
    ERROR = "error"
    """The worker does not start."""

    WARNING = "warning"
    """The worker starts; what it costs is in the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to say about a configuration. Never holds a value that could be a secret.

    `source` is where the key was written, such as `tailrace.yaml:12` or `environment variable TAILRACE_EVENTS__TOPIC`,
    and empty when no single place is at fault. `key` is the dotted path, such as `sinks.analytics.topic`.
    """

    severity: Severity
    source: str
    key: str
    wrong: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.source}: " if self.source else ""
        subject = f"{self.key}: " if self.key else ""
        return f"{self.severity}: {place}{subject}{self.wrong}. {self.remedy}."


def error_at(key: str, wrong: str, remedy: str) -> Finding:
    """An error of a rule that ties keys together; where `key` was written is added by who loads."""
    return Finding(severity=Severity.ERROR, source="", key=key, wrong=wrong, remedy=remedy)


def warning_at(key: str, wrong: str, remedy: str) -> Finding:
    """As `error_at`, for what works and costs something."""
    return Finding(severity=Severity.WARNING, source="", key=key, wrong=wrong, remedy=remedy)


class SettingsError(TailraceError):
    """The configuration cannot be used. `findings` has every reason, at least one, errors first.

    Printed, it is one line per finding; a command that meets it exits with code 2.
    """

    retry = RetryClassification.HOST_CONFIGURATION_NEEDED

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(sorted(findings, key=lambda finding: finding.severity is not Severity.ERROR))
        super().__init__(*self.findings)

    def __str__(self) -> str:
        return "\n".join(str(finding) for finding in self.findings)


def dotted(path: Iterable[str]) -> str:
    """The path as a person writes it. A step that itself has a dot in it is quoted: `kafka.librdkafka."acks"`."""
    return ".".join(f'"{step}"' if "." in step else step for step in path)


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The one of `words` a person who wrote `word` most likely meant, or None if none is near."""
    # Below 0.6 the suggestions for short keys are words that merely share a letter or two ("path" for "batch").
    found = get_close_matches(word.lower(), sorted(words), n=1, cutoff=0.6)
    return found[0] if found else None


def listed(words: Iterable[str]) -> str:
    return ", ".join(words)
