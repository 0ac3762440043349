"""What comes of redacting something: the redacted value, or the word why there is none."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
"""A value as `json.loads` gives it."""


@dataclass(frozen=True, slots=True)
class Redacted(Generic[T]):
    """A value that may go where redacted content may go.

    `counts` says how many masks of each category were put in, by name in alphabetical order; never what they hide.
    `dropped` is how many parts of messages were left out because their meaning is sealed or unknown.
    """

    value: T
    counts: tuple[tuple[str, int], ...] = ()
    dropped: int = 0


class WithheldReason(StrEnum):
    """Why there is no redacted value, and so nothing of it may be shown."""

    DETECTOR_FAILED = "detector_failed"
    NOT_SETTLED = "not_settled"
    NOT_MESSAGES = "not_messages"


@dataclass(frozen=True, slots=True)
class Withheld:
    """There is no redacted value: the part is to be omitted. Holds no trace of the content."""

    reason: WithheldReason
